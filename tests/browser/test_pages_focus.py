"""Pages whose scripts want every key, and dialogs that want the focus for themselves."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from testkit import LiveServer

from .conftest import DESK, PHONE, Visit
from .site import TAG, Site, focused, launchers
from .until import until
from .visitor import ask, log, write
from .waiter import Waiter

pytestmark = pytest.mark.browser

#: a page's shortcuts: everywhere but in its own boxes
SHORTCUTS = """
    window.keys = [];
    window.listen = (target, capture) => {
      for (const type of ["keydown", "keypress", "keyup"]) {
        target.addEventListener(type, (event) => {
          keys.push(event.key);
          if (event.target.matches?.("input")) return;
          if (event.key === "/") search.focus();
          event.preventDefault();
        }, capture);
      }
    };
"""
SEARCH = f"<input id='search'><script>{SHORTCUTS}</script>"
EARLY = "for (const one of [document, document.documentElement]) listen(one, true)"
LATE = """
    for (const one of [window, document, document.body])
      for (const capture of [true, false]) listen(one, capture);
"""

#: the one thing that the modal of Bootstrap needs of its style sheet
BOOTSTRAP = """
    <script src='vendor/bootstrap/bootstrap.js'></script>
    <style>.modal { position: fixed; inset: 0; z-index: 1055; display: none }</style>
"""
MODAL = """
    <div class='modal' id='modal' tabindex='-1'><div class='modal-dialog'>
      <input id='inside' aria-label='Inside'><button onclick="csapp('open')">Help</button>
    </div></div>
"""
DIALOG = """
    <dialog id='dialog'><input id='inside' aria-label='Inside'>
      <button onclick="csapp('open')">Help</button></dialog>
"""


@pytest.fixture
def site(visit: Visit, plain: LiveServer) -> Site:
    return Site(visit, plain)


def open_chat(page: Page) -> Page:
    """The page may have other dialogs."""
    launchers(page).click()
    expect(page.locator("csapp-widget .panel")).to_be_visible()
    return page


def close_chat(page: Page) -> None:
    page.locator("csapp-widget .down").click()
    expect(page.locator("csapp-widget .panel")).to_be_hidden()


def box(page: Page) -> str:
    """What stands in the message box."""
    return page.get_by_role("textbox", name="Your question").input_value()


# ---- keys --------------------------------------------------------------------------


@pytest.mark.engines("chromium", "firefox")  # which makes key events of its own kind
@pytest.mark.parametrize("when", ["early", "late"])
def test_the_page_sees_no_key_of_the_chat(site: Site, when: str) -> None:
    early = f"<script>{EARLY}</script>" if when == "early" else ""
    site.has("one", SEARCH + early + TAG)
    page = site.goes("one")
    expect(launchers(page)).to_be_visible()
    if when == "late":
        page.evaluate(LATE)
    page.evaluate("csapp('open')")
    expect(page.get_by_role("textbox", name="Your question")).to_be_focused()
    page.keyboard.type("a/b")
    assert box(page) == "a/b"
    page.keyboard.press("Control+a")
    page.keyboard.type("c/")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("d")
    assert box(page) == "c/\nd"
    page.keyboard.press("Tab")
    assert focused(page) == "icon smile"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Escape")
    expect(page.locator("csapp-widget .panel")).to_be_hidden()
    expect(launchers(page)).to_be_focused()
    assert page.evaluate("keys") == []
    page.locator("h1").click()
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    assert page.evaluate("keys.length") > 0  # its own it has


def test_escape_closes_the_chat_and_no_dialog_of_the_page(site: Site) -> None:
    site.has("one", DIALOG + TAG)
    page = site.goes("one")
    page.evaluate("dialog.showModal()")
    page.get_by_role("button", name="Help").click()
    expect(page.get_by_role("textbox", name="Your question")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("textbox", name="Your question")).to_have_count(0)
    assert page.evaluate("dialog.open")
    expect(page.get_by_role("button", name="Help")).to_be_focused()
    page.keyboard.press("Escape")
    assert not page.evaluate("dialog.open")


# ---- dialogs -------------------------------------------------------------------------


def test_a_modal_of_bootstrap_lets_go_of_the_focus(site: Site) -> None:
    site.has("one", MODAL + TAG, BOOTSTRAP)
    page = open_chat(site.goes("one"))
    page.keyboard.type("Before ")
    page.evaluate(
        """() => new Promise((shown) => {
          modal.addEventListener("shown.bs.modal", shown, { once: true });
          new bootstrap.Modal(modal).show();
        })"""
    )
    page.get_by_role("textbox", name="Inside").fill("mine")
    page.get_by_role("textbox", name="Your question").click()
    page.keyboard.type("and after")
    assert box(page) == "Before and after"
    close_chat(page)
    page.get_by_role("button", name="Help").click()
    expect(page.get_by_role("textbox", name="Your question")).to_be_focused()
    page.keyboard.type(".")
    assert box(page) == "Before and after."
    assert page.evaluate("modal.classList.contains('show')")


#: as libraries do that keep the focus in a dialog
TRAPS = {
    "focusin": """document.addEventListener("focusin", (event) => {
        if (!modal.contains(event.target)) inside.focus();
      }, true)""",
    "focus": """window.addEventListener("focus", (event) => {
        if (event.target.nodeType === 1 && !modal.contains(event.target)) inside.focus();
      }, true)""",
    "focusout": """document.addEventListener("focusout", ({ relatedTarget }) => {
        if (relatedTarget && !modal.contains(relatedTarget)) inside.focus();
      })""",
    "presses": """for (const type of ["mousedown", "pointerdown", "touchstart"]) {
        document.addEventListener(type, (event) => {
          if (!modal.contains(event.target)) event.preventDefault();
        }, { capture: true, passive: false });
      }""",
}


@pytest.mark.parametrize("trap", TRAPS)
def test_other_traps_let_go_of_the_focus(site: Site, trap: str) -> None:
    modal = "<div id='modal' role='dialog'><input id='inside' aria-label='Inside'></div>"
    site.has("one", modal + TAG)
    page = site.goes("one")
    expect(launchers(page)).to_be_visible()
    page.evaluate(f"() => {{ {TRAPS[trap]} }}")
    open_chat(page)
    page.locator("#inside").click()
    page.get_by_role("textbox", name="Your question").click()
    page.keyboard.type("Hello")
    assert box(page) == "Hello"


@pytest.mark.parametrize("before", [False, True], ids=["closed", "open"])
def test_the_chat_is_opened_from_a_dialog_that_makes_the_page_inert(
    site: Site, before: bool
) -> None:
    site.has("one", DIALOG + TAG)
    page = site.goes("one")
    expect(launchers(page)).to_be_visible()
    if before:
        open_chat(page)
    page.evaluate("dialog.showModal()")
    page.get_by_role("button", name="Help").click()
    question = page.get_by_role("textbox", name="Your question")
    expect(question).to_be_focused()
    page.keyboard.type("Hello")
    question.click()
    page.keyboard.type("?")
    assert box(page) == "Hello?"
    close_chat(page)
    page.get_by_role("textbox", name="Inside").fill("mine")
    page.evaluate("dialog.close()")
    open_chat(page)
    assert box(page) == "Hello?"


def test_a_dialog_that_opens_beside_the_chat(site: Site) -> None:
    site.has("one", DIALOG + TAG)
    page = open_chat(site.goes("one"))
    page.keyboard.type("Hel")
    page.evaluate("dialog.showModal()")
    page.get_by_role("textbox", name="Inside").fill("mine")
    page.evaluate("dialog.close()")
    page.get_by_role("textbox", name="Your question").click()
    page.keyboard.type("lo")
    assert box(page) == "Hello"


@pytest.mark.parametrize("own", [False, True], ids=["beside", "own"])
def test_an_inert_page(site: Site, own: bool) -> None:
    element = "<csapp-widget></csapp-widget>" if own else ""
    site.has("one", f"<main>{element}</main>{TAG}")
    page = site.goes("one")
    expect(launchers(page)).to_be_visible()
    page.evaluate("for (const one of document.body.children) one.inert = true")
    page.evaluate("csapp('open')")
    expect(page.get_by_role("textbox", name="Your question")).to_be_focused()
    page.keyboard.type("Hello")
    assert box(page) == "Hello"


def test_what_is_hidden_does_not_make_the_page_inert(site: Site) -> None:
    site.has("one", "<csapp-widget hidden></csapp-widget><input id='search'>" + TAG)
    page = site.goes("one")
    page.evaluate(
        "new Promise((ready) => window.csapp ? ready() : addEventListener('load', ready))"
    )
    page.evaluate("csapp('on', 'open', () => { window.opened = true })")
    page.evaluate("csapp('open')")
    until(page, "window.opened")
    page.locator("#search").fill("mine")
    expect(page.get_by_role("dialog")).to_have_count(0)


# ---- after a reload -------------------------------------------------------------------


@pytest.mark.parametrize("touch", [False, True], ids=["keys", "touch"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_the_focus_after_a_reload(
    visit: Visit, shop: LiveServer, size: dict[str, int], touch: bool
) -> None:
    site = Site(visit, shop, viewport=size, has_touch=touch, is_mobile=touch)
    site.has("one")
    page = site.goes("one")
    with Waiter(shop) as ada:
        ask(page, "Hello?")
        ada.meets()
        assert ada.reads() == "Hello?"
        ada.writes("Good morning.")
        for _ in range(2):
            page.reload()
            expect(log(page)).to_contain_text("Good morning.")
            expect(page.get_by_role("heading", name="Ada")).to_be_visible()
            assert focused(page) in ("", "panel", "textarea")
            ring = "csapp-widget .panel :focus-visible:not(textarea)"
            expect(page.locator(ring)).to_have_count(0)
        write(page, "Here.")
        assert ada.reads() == "Here."
