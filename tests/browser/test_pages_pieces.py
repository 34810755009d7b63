"""Files of the widget that do not come, or not whole: the next click asks for them again."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, Request, Route, expect

from testkit import LiveServer
from tests.test_budgets import PANEL, first_click

from .conftest import Run, Visit
from .site import Site, house, launchers
from .test_widget import EAR
from .until import until
from .visitor import ask, expect_texts, log, write
from .waiter import Waiter

pytestmark = pytest.mark.browser

#: the browser complains of what does not come
EXPECTED = ("Failed to load", "ERR_", "MIME", "Unexpected", "does not provide")

#: s of the widget's patience, and a little more
LONG = 21_000


def cut(route: Route) -> None:
    text = route.fetch().text()
    route.fulfill(body=text[: len(text) * 2 // 3], content_type=kind(route))


def kind(route: Route) -> str:
    name = route.request.url.partition("?")[0]
    kinds = {"css": "text/css", "json": "application/json"}
    return kinds.get(name.rpartition(".")[2], "text/javascript")


#: what stands between server and browser makes of a file
FAILURES = {
    "502": lambda route: route.fulfill(status=502, body="Bad Gateway"),
    "html": lambda route: route.fulfill(body="<p>Sign in", content_type="text/html"),
    "html as it": lambda route: route.fulfill(body="<p>Sign in", content_type=kind(route)),
    "json": lambda route: route.fulfill(body='{"code":"no"}', content_type=kind(route)),
    "empty": lambda route: route.fulfill(body="", content_type=kind(route)),
    "cut": cut,
    "gone": lambda route: route.abort(),
}
PIECES = ["panel.css", "panel.js", "locales/en.json"]


@pytest.fixture
def site(visit: Visit, plain: LiveServer) -> Site:
    site = Site(visit, plain, EXPECTED)
    site.has("one")
    return site


def is_whole(page: Page) -> None:
    """The panel is there, in its own style and with its texts, and the launcher says so."""
    panel = page.locator("csapp-widget .panel")
    expect(panel).to_be_visible()
    expect(panel).to_have_css("position", "fixed")
    expect(panel.get_by_role("textbox", name="Your question")).to_be_focused()
    expect(launchers(page)).to_have_accessible_name("Close chat")
    expect(page.locator("csapp-widget .note")).to_be_hidden()


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("piece", PIECES)
def test_what_did_not_come_comes_at_the_next_click(site: Site, piece: str, failure: str) -> None:
    page = site.page
    page.route(f"**/{piece}*", FAILURES[failure])
    site.goes("one")
    expect(launchers(page)).to_be_visible()
    launchers(page).click()
    expect(page.get_by_text("The chat cannot be loaded.")).to_be_visible()
    expect(launchers(page)).to_have_attribute("aria-busy", "false")
    page.unroute(f"**/{piece}*")
    launchers(page).click()
    is_whole(page)


@pytest.mark.parametrize("piece", PIECES)
def test_what_never_comes_is_not_waited_for(site: Site, piece: str) -> None:
    page = site.page
    page.clock.install()
    page.route(f"**/{piece}*", lambda route: None)
    site.goes("one")
    until(page, "Boolean(window.csapp)")
    if piece == "locales/en.json":
        page.clock.run_for(4000)
    expect(launchers(page)).to_be_visible()
    with page.expect_request(f"**/{piece}*"):
        launchers(page).click()
    page.clock.run_for(LONG)
    expect(page.get_by_text("The chat cannot be loaded.")).to_be_visible()
    page.unroute(f"**/{piece}*")
    launchers(page).click()
    is_whole(page)


def test_a_chat_under_way_asks_again_by_itself(visit: Visit, shop: LiveServer) -> None:
    site = Site(visit, shop, EXPECTED)
    site.has("one")
    page = site.goes("one")
    with Waiter(shop) as ada:
        ask(page, "Hello?")
        ada.meets()
        page.clock.install()
        page.route("**/panel.js*", FAILURES["502"])
        with page.expect_response("**/panel.js*"):
            page.reload()
        page.unroute("**/panel.js*")
        with page.expect_response("**/panel.js*"):
            page.clock.run_for(6000)
        ada.writes("Good morning.")
        expect(log(page)).to_contain_text("Good morning.")


def test_the_first_click_is_as_small_as_we_say(site: Site) -> None:
    """All files that a browser asks for then, as they travel: nothing else comes along."""
    page = site.goes("one")
    expect(launchers(page)).to_be_visible()
    sizes: dict[str, int] = {}

    def came(request: Request) -> None:
        if "/csapp-static/" in request.url:
            sizes[request.url.rpartition("/csapp-static/")[2]] = request.sizes()["responseBodySize"]

    page.on("requestfinished", came)
    launchers(page).click()
    is_whole(page)
    page.wait_for_load_state("networkidle")
    assert sizes.keys() == first_click()
    assert sum(sizes.values()) <= PANEL


def test_what_looks_after_the_page_comes_with_the_panel(site: Site) -> None:
    """Where it was wanted before, because the page had changed, and did not come."""
    page = site.page
    page.route("**/page.js*", FAILURES["502"])
    site.goes("one")
    expect(launchers(page)).to_be_visible()
    with page.expect_response("**/page.js*"):
        page.evaluate("document.documentElement.append(document.createElement('csapp-widget'))")
    launchers(page).click()
    is_whole(page)


@pytest.mark.parametrize("failure", ["502", "cut"])
@pytest.mark.parametrize("piece", ["log.js", "locales/later/en.json"])
def test_the_log_comes_by_itself_when_it_did_not(site: Site, piece: str, failure: str) -> None:
    """What was asked is not lost, and it is said why nothing is to be seen of it."""
    page = site.page
    page.route(f"**/{piece}*", FAILURES[failure])
    site.goes("one")
    launchers(page).click()
    is_whole(page)
    page.clock.install()
    with page.expect_response(f"**/{piece}*"):
        write(page, "Hello?")
    panel = page.get_by_role("dialog")
    expect(panel.get_by_text("The chat cannot be loaded.")).to_be_visible()
    page.unroute(f"**/{piece}*")
    page.clock.run_for(2500)
    expect_texts(page, ["You: Hello?"])
    expect(panel.get_by_role("alert")).to_be_hidden()
    panel.get_by_role("button", name="Leave the line").click()


@pytest.mark.usefixtures("heard")
def test_a_sound_that_did_not_come_comes_with_the_next_message(visit: Visit, run: Run) -> None:
    shop = house(run)
    site = Site(visit, shop, EXPECTED)
    site.has("one")
    page = site.page
    page.add_init_script(EAR)
    page.route("**/sound.js*", FAILURES["502"])
    site.goes("one")
    with Waiter(shop) as ada:
        ask(page, "Hello?")
        ada.meets()
        page.locator("csapp-widget .down").click()
        with page.expect_response("**/sound.js*"):
            ada.writes("Good morning.")
        expect(launchers(page)).to_have_accessible_name("Open chat, 1 unread message")
        page.unroute("**/sound.js*")
        with page.expect_response("**/sound.js*"):
            ada.writes("Are you there?")
        until(page, "played > 0")


def test_the_last_line_of_the_sheet_is_the_last(plain: LiveServer) -> None:
    """The launcher looks for it."""
    sheet = plain.get("/csapp-static/widget/panel.css")
    assert sheet.rstrip().endswith(".csapp-whole{}")
    assert ".csapp-whole{}" in plain.get("/widget.js")
    assert json.loads(plain.get("/csapp-static/widget/locales/en.json"))["direction"]
