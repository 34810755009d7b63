"""Browsers that forbid what the chat likes to have, and frames that are nobody's."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from testkit import LiveServer

from .conftest import Run, Visit
from .site import TAG, Site, house, launchers
from .visitor import ask, close_chat, expect_texts, log, open_chat, write
from .waiter import Waiter

pytestmark = pytest.mark.browser

#: what Chromium says on the console of a frame without an origin
FRAMED = ("CORS policy", "ERR_FAILED", "status of 403", "Origin|origin")

FORBIDDEN = """
    for (const name of ["localStorage", "sessionStorage"]) {
      const get = () => { throw new DOMException("The request is denied", "SecurityError") };
      Object.defineProperty(window, name, { configurable: true, get });
    }
"""
LOCKED = """
    for (const name of ["getItem", "setItem", "removeItem", "clear", "key"]) {
      Storage.prototype[name] = () => { throw new DOMException("denied", "SecurityError") };
    }
"""
LACKS = {
    "storage forbidden": FORBIDDEN,
    "storage locked": LOCKED,
    "no storage": """
        for (const name of ["localStorage", "sessionStorage"])
          Object.defineProperty(window, name, { value: null })""",
    "storage full": """
        Storage.prototype.setItem = () => { throw new DOMException("", "QuotaExceededError") }""",
    "no channel": "delete window.BroadcastChannel",
    "channel forbidden": """
        window.BroadcastChannel = class {
          constructor() { throw new DOMException("", "SecurityError") }
        }""",
    "channel closed": """
        BroadcastChannel.prototype.postMessage = () => {
          throw new DOMException("", "InvalidStateError")
        }""",
    "locks forbidden": """
        if (navigator.locks)
          LockManager.prototype.request = () =>
            Promise.reject(new DOMException("", "SecurityError"))""",
    "nothing": FORBIDDEN
    + """
        delete window.BroadcastChannel;
        delete window.AudioContext;
        delete Crypto.prototype.randomUUID;
        for (const name of ["locks", "userActivation"])
          Object.defineProperty(navigator, name, { value: undefined })""",
}


def chats(page: Page, shop: LiveServer) -> None:
    """A whole chat, until the page is left."""
    with Waiter(shop) as ada:
        ask(page, "Hello?")
        ada.meets()
        assert ada.reads() == "Hello?"
        ada.writes("Good morning.")
        expect(log(page)).to_contain_text("Good morning.")
        close_chat(page)
        ada.writes("Are you there?")
        expect(launchers(page)).to_have_accessible_name("Open chat, 1 unread message")
        open_chat_again(page)
        expect_texts(page, ["You: Hello?", "Good morning.", "Are you there?"])
        write(page, "I am.")
        assert ada.reads() == "I am."
        page.get_by_role("button", name="End chat").click()
        page.get_by_role("button", name="End chat").last.click()
        ada.hears("disconnected")
        page.get_by_role("button", name="Start a new chat").click()
        expect(page.get_by_role("textbox", name="Your question")).to_be_focused()


def open_chat_again(page: Page) -> None:
    launchers(page).click()
    expect(page.get_by_role("dialog")).to_be_visible()


@pytest.mark.parametrize("lack", LACKS)
def test_a_browser_without(visit: Visit, shop: LiveServer, lack: str) -> None:
    site = Site(visit, shop)
    site.page.add_init_script(LACKS[lack])
    site.has("one")
    chats(site.goes("one"), shop)


@pytest.mark.parametrize("how", [FORBIDDEN, LOCKED], ids=["forbidden", "locked"])
def test_storage_that_is_forbidden_while_one_writes(
    visit: Visit, shop: LiveServer, how: str
) -> None:
    site = Site(visit, shop)
    site.has("one")
    page = site.goes("one")
    with Waiter(shop) as ada:
        ask(page, "Hello?")
        conversation = ada.meets()
        expect(page.get_by_role("heading", name="Ada")).to_be_visible()
        page.evaluate(f"() => {{ {how} }}")
        close_chat(page)
        ada.writes("Good morning.")
        expect(launchers(page)).to_have_accessible_name("Open chat, 1 unread message")
        open_chat_again(page)
        write(page, "Here I am.")
        frame = ada.hears("message_text")
        while frame["payload"]["message"] != "Here I am.":
            frame = ada.hears("message_text")
        assert frame["conversation"] == conversation


# ---- frames ------------------------------------------------------------------------


def framed(site: Site, attributes: str) -> FrameLocator:
    site.has("inner")
    site.has("outer", f"<iframe {attributes} style='width: 600px; height: 700px'></iframe>")
    return site.goes("outer").frame_locator("iframe")


def start(frame: FrameLocator) -> None:
    frame.get_by_role("button", name="Open chat").click()
    expect(frame.get_by_role("dialog")).to_be_visible()


SANDBOX = "sandbox='allow-scripts' src='inner'"


def test_storage_that_the_page_clears_while_one_writes(visit: Visit, shop: LiveServer) -> None:
    site = Site(visit, shop)
    site.has("a")
    page = site.goes("a")
    with Waiter(shop) as ada:
        ask(page, "Hello?")
        ada.meets()
        assert ada.reads() == "Hello?"
        page.evaluate("localStorage.clear(); sessionStorage.clear()")
        ada.writes("Good morning.")
        expect(log(page)).to_contain_text("Good morning.")
        write(page, "I am here.")
        assert ada.reads() == "I am here."
        page.reload()
        open_chat(page)
        expect(page.get_by_role("textbox", name="Your question")).to_be_visible()
        expect(page.get_by_role("dialog")).not_to_contain_text("You are talking to Ada")


def test_a_frame_that_is_nobodys_says_why(visit: Visit, shop: LiveServer) -> None:
    frame = framed(Site(visit, shop, FRAMED), SANDBOX)
    start(frame)
    why = "The chat does not work inside this frame."
    expect(frame.get_by_role("alert")).to_contain_text(why)
    frame.get_by_role("textbox").fill("Hello?")
    frame.get_by_role("textbox").press("Enter")
    expect(frame.get_by_role("status").filter(has_text=why)).to_be_visible()
    frame.get_by_role("button", name="Leave the line").click()
    expect(frame.get_by_role("textbox")).to_have_value("Hello?")


def test_a_frame_that_is_nobodys_where_everybody_may(visit: Visit, run: Run) -> None:
    shop = house(run, env={"CSAPP_ALLOWED_ORIGINS": "*"})
    frame = framed(Site(visit, shop), SANDBOX)
    with Waiter(shop) as ada:
        start(frame)
        frame.get_by_role("textbox").fill("Hello?")
        frame.get_by_role("textbox").press("Enter")
        ada.meets()
        assert ada.reads() == "Hello?"


def test_a_page_that_may_not_says_so(visit: Visit, run: Run) -> None:
    shop = house(run, env={"CSAPP_ALLOWED_ORIGINS": "https://elsewhere.example"})
    site = Site(visit, shop, ("status of 403",))
    site.has("one")
    page = open_chat(site.goes("one"))
    why = "The chat cannot be used on this page."
    expect(page.get_by_role("alert")).to_contain_text(why)
    for _ in range(3):  # by then the connection is lost for longer than a moment
        page.wait_for_event("requestfinished", lambda sent: sent.url.endswith("/v1/visitor/token"))
    panel = page.get_by_role("dialog")
    untrue = panel.get_by_text(re.compile("Nobody is here|connection is lost|somebody is"))
    expect(untrue.filter(visible=True)).to_have_count(0)
    write(page, "Hello?")
    expect(panel.get_by_role("status").filter(has_text=why)).to_be_visible()
    expect(untrue.filter(visible=True)).to_have_count(0)


def test_a_frame_with_its_page_in_an_attribute(visit: Visit, shop: LiveServer) -> None:
    site = Site(visit, shop)
    site.has("outer", f"<iframe srcdoc=\"{TAG}\" style='width: 600px; height: 700px'></iframe>")
    frame = site.goes("outer?secret").frame_locator("iframe")
    with Waiter(shop) as ada:
        start(frame)
        frame.get_by_role("textbox").fill("Hello?")
        frame.get_by_role("textbox").press("Enter")
        assert ada.hears("new_connection")["payload"]["page"] == f"{site.root}/outer"
