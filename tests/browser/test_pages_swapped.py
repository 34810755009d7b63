"""The chat on pages that put another body in the place of theirs, without a load."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from testkit import LiveServer

from .conftest import Visit
from .site import TAG, Site, focused, launchers
from .visitor import ask, close_chat, expect_texts, log, open_chat, write
from .waiter import Waiter

pytestmark = pytest.mark.browser

#: fetch another page and show its body, as routers do; scripts in it are made anew to run
ROUTER = """
    window.loads = (window.loads ?? 0) + 1;
    window.turnTo = async (path, how = "replace") => {
      const answer = await fetch(path);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      history.pushState({}, "", path);
      const root = document.documentElement;
      if (how === "root") document.replaceChild(document.adoptNode(page.documentElement), root);
      const body = how === "root" ? document.body : document.adoptNode(page.body);
      if (how === "replace") document.body.replaceWith(body);
      if (how === "inner") document.body.innerHTML = body.innerHTML;
      if (how === "children") document.body.replaceChildren(...body.childNodes);
      if (how === "html") root.replaceChildren(page.head, body);
      for (const old of [...document.body.querySelectorAll("script")]) {
        const script = document.createElement("script");
        for (const { name, value } of old.attributes) script.setAttribute(name, value);
        script.textContent = old.textContent;
        old.replaceWith(script);
      }
    };
"""
ROUTED = f"<script>{ROUTER}</script>"
TURBO = "<script src='vendor/turbo/turbo.js'></script>"
HTMX = "<script src='vendor/htmx/{}.js'></script>"
LINKS = "<a href='one'>one</a> <a href='two'>two</a> <a href='three'>three</a>"


@pytest.fixture
def site(visit: Visit, shop: LiveServer) -> Site:
    return Site(visit, shop, ("status of 404",))  # another root asks for an icon anew


def turn(page: Page, path: str, how: str = "replace") -> None:
    """To another page by the router of `ROUTER`."""
    page.evaluate("([path, how]) => turnTo(path, how)", [path, how])


def click(page: Page, path: str) -> None:
    """To another page by its link, with whatever drives this one."""
    page.get_by_role("link", name=path, exact=True).click()
    expect(page.get_by_role("heading", name=path, exact=True)).to_be_visible()


@pytest.mark.parametrize("how", ["replace", "inner", "children", "html", "root"])
def test_a_chat_goes_on_under_another_body(site: Site, shop: LiveServer, how: str) -> None:
    for path in ("one", "two", "three"):
        site.has(path, TAG, ROUTED if path == "one" else "")
    page = site.goes("one")
    with Waiter(shop) as ada:
        ask(page, "Hello?")
        ada.meets()
        assert ada.reads() == "Hello?"
        expect(page.get_by_role("heading", name="Ada")).to_be_visible()
        close_chat(page)
        for path in ("two", "three"):
            turn(page, path, how)
            expect(page.get_by_role("heading", name=path)).to_be_visible()
        expect(launchers(page)).to_have_count(1)
        ada.writes("On its way.")
        expect(launchers(page)).to_have_accessible_name("Open chat, 1 unread message")
        page.evaluate("csapp('open')")
        expect(page.get_by_role("dialog")).to_be_visible()
        expect_texts(page, ["You: Hello?", "On its way."])
        write(page, "Thank you.")
        assert ada.reads() == "Thank you."
        site.has_one_connection()
        assert page.evaluate("loads") == 1


@pytest.mark.parametrize("how", ["replace", "inner"])
def test_what_is_open_stays_as_it_is(site: Site, shop: LiveServer, how: str) -> None:
    """Focus, draft, and how far back was scrolled; in elements of the page's own, too."""
    site.has("one", "<csapp-widget></csapp-widget>" + TAG, ROUTED)
    site.has("two", "<csapp-widget></csapp-widget>" + TAG)
    site.has("three", TAG)
    page = site.goes("one")
    with Waiter(shop) as ada:
        ask(page, "Read me something.")
        ada.meets()
        for number in range(40):
            ada.writes(f"Verse {number}")
        expect(log(page)).to_contain_text("Verse 39")
        page.get_by_role("textbox").fill("One mo")
        log(page).evaluate(
            """log => new Promise((seen) => {
              log.addEventListener("scroll", seen, { once: true });
              log.scrollTop = 200;
            })"""
        )
        for path in ("two", "three", "one"):
            turn(page, path, how)
            expect(page.locator("csapp-widget")).to_have_count(1)
            expect(page.get_by_role("dialog")).to_be_visible()
            assert log(page).evaluate("log => log.scrollTop") == 200
            assert focused(page) == "textarea"
            page.keyboard.type(path[0])
        expect(page.get_by_role("textbox")).to_have_value("One motto")
        site.has_one_connection()


def test_each_bodys_own_element_wins(site: Site, shop: LiveServer) -> None:
    site.has(
        "one",
        "<csapp-widget data-title='First' data-position='start'></csapp-widget>" + TAG,
        ROUTED,
    )
    site.has("two", "<csapp-widget data-title='Second' data-theme='dark'></csapp-widget>" + TAG)
    site.has("three", TAG.replace("script ", "script data-title='Third' data-locale='de' "))
    page = site.goes("one")
    open_chat(page)
    expect(page.get_by_role("heading", name="First")).to_be_visible()
    for path, title in (("two", "Second"), ("three", "Third"), ("two", "Second")):
        turn(page, path)
        expect(page.get_by_role("heading", name=title)).to_be_visible()
        expect(page.get_by_role("dialog")).to_have_count(1)
        dark = "rgb(26, 29, 34)" if title == "Second" else "rgb(255, 255, 255)"
        expect(page.get_by_role("dialog")).to_have_css("background-color", dark)
        name = "Chat schließen" if title == "Third" else "Close chat"
        expect(launchers(page)).to_have_accessible_name(name)
    assert page.locator("csapp-widget .csapp").get_attribute("data-position") == "end"
    page.evaluate("csapp('close')")
    expect(page.get_by_role("dialog")).to_have_count(0)
    site.closes()


def test_options_that_change_on_the_element_itself(site: Site) -> None:
    """As a library does that morphs one page into the next."""
    site.has("one", "<csapp-widget data-title='First'></csapp-widget>" + TAG)
    page = open_chat(site.goes("one"))
    page.evaluate(
        """() => {
          const { dataset } = document.querySelector("csapp-widget");
          Object.assign(dataset, { title: "Second", theme: "dark", position: "start" });
        }"""
    )
    expect(page.get_by_role("heading", name="Second")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_css("background-color", "rgb(26, 29, 34)")
    expect(page.locator("csapp-widget .csapp")).to_have_attribute("data-position", "start")
    page.evaluate("document.documentElement.lang = 'fr'")
    expect(launchers(page)).to_have_accessible_name("Fermer le chat")


def test_what_the_page_has_chosen_by_command_stays(site: Site) -> None:
    for path in ("one", "two"):
        site.has(path, TAG, ROUTED)
    page = open_chat(site.goes("one"))
    page.evaluate("csapp('setTheme', 'dark')")
    page.evaluate("csapp('setLocale', 'de')")
    expect(launchers(page)).to_have_accessible_name("Chat schließen")
    turn(page, "two")
    expect(page.get_by_role("heading", name="two")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_css("background-color", "rgb(26, 29, 34)")
    expect(launchers(page)).to_have_accessible_name("Chat schließen")


@pytest.mark.parametrize("what", ["element", "all"])
def test_what_a_script_removes_comes_back(site: Site, what: str) -> None:
    site.has("one")
    page = site.goes("one")
    expect(launchers(page)).to_have_count(1)
    for _ in range(2):
        removed = "document.querySelector('csapp-widget').remove()"
        page.evaluate(
            removed
            if what == "element"
            else "document.documentElement.replaceChildren(document.body)"
        )
        expect(launchers(page)).to_have_count(1)
    open_chat(page)


def test_who_removes_it_each_time_does_not_stand_still(site: Site) -> None:
    site.has(
        "one",
        "<script>new MutationObserver(() => document.querySelector('csapp-widget')?.remove())"
        ".observe(document.documentElement, { childList: true })</script>" + TAG,
    )
    page = site.goes("one")
    assert page.evaluate("new Promise((soon) => setTimeout(() => setTimeout(() => soon(7))))") == 7


# ---- real ones -----------------------------------------------------------------------


@pytest.mark.parametrize("where", ["head", "body"])
@pytest.mark.parametrize("own", [False, True], ids=["beside", "own"])
def test_turbo(site: Site, shop: LiveServer, where: str, own: bool) -> None:
    element = "<csapp-widget></csapp-widget>" if own else ""
    for path in ("one", "two", "three"):
        body = LINKS + element + (TAG if where == "body" else "")
        site.has(path, body, TURBO + (TAG if where == "head" else ""))
    page = site.goes("one")
    page.evaluate("window.stays = true")
    with Waiter(shop) as ada:
        ask(page, "Hello?")
        ada.meets()
        expect(page.get_by_role("heading", name="Ada")).to_be_visible()
        page.get_by_role("textbox").fill("And")
        for path in ("two", "three"):
            click(page, path)
            expect(page.get_by_role("dialog")).to_be_visible()
            expect(page.get_by_role("textbox")).to_have_value("And")
        page.go_back()  # from Turbo's own cache
        expect(page.get_by_role("heading", name="two", exact=True)).to_be_visible()
        close_chat(page)
        click(page, "three")
        ada.writes("On its way.")
        expect(launchers(page)).to_have_accessible_name("Open chat, 1 unread message")
        page.evaluate("csapp('open')")
        expect_texts(page, ["You: Hello?", "On its way."])
        expect(launchers(page)).to_have_count(1)
        expect(page.locator("csapp-widget")).to_have_count(1)
        site.has_one_connection()
        assert page.evaluate("stays")


@pytest.mark.parametrize(("release", "own"), [("htmx", False), ("htmx", True), ("htmx4", False)])
def test_htmx(site: Site, shop: LiveServer, release: str, own: bool) -> None:
    boost = "hx-boost='true' hx-boost:inherited='true'"  # as each of them wants it
    element = "<csapp-widget></csapp-widget>" if own else ""
    for path in ("one", "two", "three"):
        site.has(path, LINKS + element + TAG, HTMX.format(release), boost)
    page = site.goes("one")
    page.evaluate("window.stays = true")
    with Waiter(shop) as ada:
        ask(page, "Hello?")
        ada.meets()
        expect(page.get_by_role("heading", name="Ada")).to_be_visible()
        page.get_by_role("textbox").fill("And")
        for path in ("two", "three"):
            click(page, path)
            expect(page.get_by_role("dialog")).to_be_visible()
            expect(page.get_by_role("textbox")).to_have_value("And")
        page.go_back()
        expect(page.get_by_role("heading", name="two", exact=True)).to_be_visible()
        close_chat(page)
        click(page, "three")
        ada.writes("On its way.")
        expect(launchers(page)).to_have_accessible_name("Open chat, 1 unread message")
        page.evaluate("csapp('open')")
        expect_texts(page, ["You: Hello?", "On its way."])
        expect(launchers(page)).to_have_count(1)
        site.has_one_connection()
        assert page.evaluate("stays")
