"""pages.md rows 19 and 21: browsers that lack something, systems that have their own colours."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from .conftest import Axe, Run, Screenshot, View, Visit
from .visitor import ask, open_chat
from .waiter import Waiter

pytestmark = pytest.mark.browser

#: what the oldest browsers that run the widget have not got; under these names nobody has it
LACKED = re.compile(r"light-dark(?=\()|color-mix(?=\()|field-sizing|\bd(?=vh\b)")


def without(page: Page) -> None:
    """From now on, *page* is in a browser that lacks those."""

    def older(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=LACKED.sub("x-lacked", answer.text()))

    page.route(re.compile(r"/widget\.js|/csapp-static/.*\.(js|css)"), older)
    page.reload()


def colours(page: Page, where: str) -> dict[str, Any]:
    found: dict[str, Any] = page.locator(f"csapp-widget {where}").first.evaluate(
        """(element) => {
          const { backgroundColor, color, borderStyle, borderWidth } = getComputedStyle(element);
          const dot = getComputedStyle(element, "::before").backgroundColor;
          const border = borderWidth + borderStyle;
          return { background: backgroundColor, text: color, border, dot };
        }"""
    )
    return found


def test_an_older_browser_shows_plain_colours(
    run: Run, visit: Visit, view: View, axe: Axe, screenshot: Screenshot
) -> None:
    server = run()
    page = visit(f"{server.url}/", **view)
    without(page)
    # a page that would be seen where it shines through
    page.evaluate("document.querySelector('main').hidden = true")
    page.evaluate("document.body.style.background = 'lime'")
    ask(page, "Hello?")
    with Waiter(server) as ada:
        ada.meets()
        ada.reads()
        ada.writes("Hello!")
        expect(page.locator("csapp-widget .theirs .bubble")).to_be_visible()
        for where in (".panel", ".mine .bubble", ".theirs .bubble", "textarea", ".launcher"):
            background = colours(page, where)["background"]
            assert background.startswith("rgb("), (where, background)
        panel = page.get_by_role("dialog").bounding_box()
        size = page.viewport_size
        assert panel
        assert size
        assert panel["height"] <= size["height"]
        axe(page)
        screenshot(page, "older")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_forced_colours_leave_a_difference(
    run: Run, visit: Visit, screenshot: Screenshot, scheme: str
) -> None:
    server = run()
    page = visit(f"{server.url}/", forced_colors="active", color_scheme=scheme)
    assert colours(page, ".launcher")["border"] == "1pxsolid"
    open_chat(page)
    away = colours(page, ".desk .state")
    with Waiter(server) as ada:
        ask_again(page)
        here = colours(page, ".desk .state")
        assert away["dot"] != here["dot"]
        page.get_by_role("textbox").fill("Hello?")
        page.get_by_role("textbox").press("Enter")
        ada.meets()
        ada.reads()
        ada.writes("Hello!")
        expect(page.locator("csapp-widget .theirs .bubble")).to_be_visible()
        mine, theirs = colours(page, ".mine .bubble"), colours(page, ".theirs .bubble")
        assert mine["border"] != theirs["border"]
        assert "none" not in mine["border"] + theirs["border"]
        assert colours(page, ".panel")["border"] == "1pxsolid"
        screenshot(page, f"forced-{scheme}")


def ask_again(page: Page) -> None:
    """The panel looks at the desk when it is opened."""
    page.locator("csapp-widget .panel .down").click()
    page.locator("csapp-widget .launcher").click()
    expect(page.get_by_text("Somebody is here for you.")).to_be_visible()
