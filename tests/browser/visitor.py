"""What a visitor does with the widget."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect


def open_chat(page: Page) -> Page:
    """Click the launcher, and wait for the panel."""
    page.get_by_role("button", name="Open chat").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    return page


def close_chat(page: Page) -> None:
    """Click what is in the panel for it."""
    panel = page.get_by_role("dialog")
    panel.get_by_role("button", name="Close chat").click()
    expect(panel).to_be_hidden()


def write(page: Page, text: str) -> None:
    """Write *text* and send it; from the start screen that asks for somebody."""
    page.get_by_role("textbox").fill(text)
    page.get_by_role("textbox").press("Enter")


def ask(page: Page, text: str) -> Page:
    """Open the panel and ask."""
    write(open_chat(page), text)
    return page


def log(page: Page) -> Locator:
    """Where messages are."""
    return page.get_by_role("log")


def texts(page: Page) -> list[str]:
    """What was said, as it stands on the page: own texts begin with `You: `."""
    said: list[str] = log(page).evaluate(
        """log => [...log.querySelectorAll(".line")].map((line) =>
          [...line.querySelectorAll(".unseen, .bubble")].map((one) => one.textContent).join(" "))"""
    )
    return said


def expect_texts(page: Page, expected: list[str]) -> None:
    """Wait until so many texts are there as *expected*, and compare them."""
    expect(log(page).locator(".line")).to_have_count(len(expected))
    assert texts(page) == expected
