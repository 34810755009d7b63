"""What comes late: the visitor has gone meanwhile, or looks at something else."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, Route, WebSocketRoute, expect

from testkit import LiveServer

from .conftest import Visit
from .until import until
from .visitor import ask, close_chat, log, open_chat, write
from .waiter import Waiter

pytestmark = pytest.mark.browser

TOKEN = "**/v1/visitor/token*"


def test_a_token_that_comes_after_a_reset_is_kept_by_nobody(
    bystander: LiveServer, visit: Visit
) -> None:
    page = visit(f"{bystander.url}/")
    held: list[Route] = []

    def hold_the_first(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    page.route(TOKEN, hold_the_first)
    with page.expect_request(TOKEN):
        open_chat(page)
    page.evaluate("csapp('reset')")
    with page.expect_response(TOKEN):
        held[0].continue_()
    with page.expect_request(TOKEN) as asked:
        open_chat(page)
    assert "authorization" not in asked.value.headers


def test_a_preview_that_comes_after_a_reset_shows_nothing(desk: LiveServer, visit: Visit) -> None:
    page = ask(visit(f"{desk.url}/"), "Hello?")
    held: list[Route] = []
    page.route("**/preview.js*", lambda route: held.append(route))  # noqa: PLW0108  # Playwright marks it
    with Waiter(desk) as ada:
        ada.meets()
        close_chat(page)
        with page.expect_request("**/preview.js*"):
            ada.writes("For her eyes only.")
        page.evaluate("csapp('reset')")
        held[0].continue_()
        preview = page.locator("csapp-widget .preview")
        expect(preview).to_have_count(1)
        expect(preview).to_be_hidden()


def is_served(page: Page, ada: Waiter) -> None:
    """A whole chat, which *ada* ends; the page is ready for the next one."""
    ada.meets()
    ada.reads()
    ada.writes("Hello!")
    expect(log(page)).to_contain_text("Hello!")
    ada.ends()
    page.get_by_role("button", name="Start a new chat").click()


def test_a_chat_that_is_not_waited_for_any_more_is_no_trouble(
    desk: LiveServer, visit: Visit
) -> None:
    page = ask(visit(f"{desk.url}/"), "Hello?")
    with Waiter(desk) as ada:
        is_served(page, ada)
        write(page, "Hello again?")
        is_served(page, ada)
    swallowed: list[str] = []

    def between(here: WebSocketRoute) -> None:
        there = here.connect_to_server()

        def pass_on(text: str | bytes) -> None:
            if json.loads(text)["type"] == "get_history" and swallowed:
                swallowed.append("a question")
            else:
                there.send(text)

        here.on_message(pass_on)

    page.route_web_socket(re.compile("/v1/ws/"), between)
    page.reload()
    earlier = page.locator("csapp-widget .earlier button")
    expect(earlier).to_have_count(2)
    swallowed.append("from now on")
    earlier.last.click()
    expect(page.get_by_role("button", name="Back")).to_be_visible()
    close_chat(page)
    open_chat(page)
    expect(earlier).to_have_count(2)
    expect(page.locator("csapp-widget .problem")).to_be_hidden()


def test_why_a_connection_has_ended_is_said_where_the_server_says_it_not(
    desk: LiveServer, visit: Visit
) -> None:
    page = visit(f"{desk.url}/")
    page.evaluate("csapp('on', 'error', (error) => { window.said = error })")
    page.route_web_socket(re.compile("/v1/ws/"), lambda here: here.close(code=1008))
    open_chat(page)
    expect(page.get_by_role("dialog")).to_contain_text("The connection was closed.")
    until(page, "window.said !== undefined")
    assert page.evaluate("window.said") == {
        "code": "1008", "message": "The server refused the connection.",
    }  # fmt: skip
