"""The console as a waiter uses it."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from testkit import LiveServer


def link(server: LiveServer, sub: str = "ada", name: str = "Ada") -> str:
    """Where *sub* is signed in at once."""
    return f"{server.url}/waiter#token={server.token('waiter', sub, name)}"


def arrived(page: Page) -> Page:
    """The desk is there, and the question about sound is out of the way."""
    expect(page.get_by_text("Connected", exact=True)).to_be_visible()
    later = page.get_by_role("button", name="Not now")
    if later.is_visible():
        later.click()
    return page


def duty(page: Page, name: str) -> Locator:
    """The button *name* is pressed, and the server has said so."""
    return page.locator(".switch:not([aria-busy=true])").get_by_role(
        "button", name=name, pressed=True
    )


def get_ready(page: Page) -> Page:
    page.get_by_role("button", name="Ready", exact=True).click()
    expect(duty(page, "Ready")).to_be_visible()
    return page


def chats(page: Page) -> Locator:
    """All in the list."""
    return page.get_by_role("region", name="My chats").get_by_role("listitem")


def chat(page: Page, name: str) -> Locator:
    """One in the list."""
    return chats(page).filter(has_text=name).get_by_role("button")


def box(page: Page, name: str) -> Locator:
    return page.get_by_label(f"Reply to {name}")


def log(page: Page) -> Locator:
    return page.get_by_role("log")


def line(page: Page, text: str) -> Locator:
    """The message with *text*."""
    return log(page).locator(".line").filter(has=page.get_by_text(text, exact=True))


def reply(page: Page, name: str, text: str) -> None:
    box(page, name).fill(text)
    box(page, name).press("Enter")


def unaware(page: Page, most: int) -> None:
    """From its next load on, the page knows nothing of the limit of *most* characters."""

    def between(here: WebSocketRoute) -> None:
        there = here.connect_to_server()
        said = f'"max_text":{most}'
        there.on_message(lambda text: here.send(str(text).replace(said, '"max_text":4096')))

    page.route_web_socket(re.compile("/v1/ws/"), between)


def expect_texts(page: Page, expected: list[str]) -> None:
    """Wait until just *expected* is shown of the conversation, in order."""
    expect(log(page).locator(".text")).to_have_text(expected)


def expect_dialog(page: Page, name: str) -> Locator:
    dialog = page.get_by_role("dialog", name=name)
    expect(dialog).to_be_visible()
    return dialog


def expect_chosen(page: Page, name: str) -> None:
    """The conversation with *name* is in the middle."""
    expect(page.get_by_role("main").get_by_role("heading", name=re.compile(name))).to_be_visible()
