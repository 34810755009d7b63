"""Every way in which a script comes onto a page, and pages with odd ideas of what browsers have."""

from __future__ import annotations

import base64
import hashlib

import pytest
from playwright.sync_api import Page, expect

from testkit import LiveServer

from .conftest import Run, Visit
from .site import TAG, Site, house, launchers
from .test_pages_swapped import ROUTED, turn
from .until import until
from .visitor import ask, log
from .waiter import Waiter

pytestmark = pytest.mark.browser

JQUERY = "<script src='vendor/jquery/jquery.js'></script>"
DATA = "data-title='Ask us'"

MADE = """<script>
    const script = document.createElement("script");
    script.src = "{src}";
    script.dataset.title = "Ask us";
    {how};
    {after}
  </script>"""


def made(how: str, after: str = "") -> str:
    return MADE.replace("{how}", how).replace("{after}", after)


#: (head, body) that have the widget with a title of their own
WAYS = {
    "async": ("", f"<script async {DATA} src='{{src}}'></script>"),
    "defer": (f"<script defer {DATA} src='{{src}}'></script>", ""),
    "plain": ("", f"<script {DATA} src='{{src}}'></script>"),
    "in the head": (f"<script {DATA} src='{{src}}'></script>", ""),
    "module": ("", f"<script type=module {DATA} src='{{src}}'></script>"),
    "query": ("", f"<script async {DATA} src='{{src}}?v=1/2&w=3#top'></script>"),
    "made": ("", made("document.head.append(script)")),
    "made in the head": (made("document.head.append(script)"), ""),
    "made and gone": ("", made("document.body.append(script)", "script.remove()")),
    "tag manager": (
        made(
            "const first = document.getElementsByTagName('script')[0];"
            "script.async = true; first.parentNode.insertBefore(script, first)"
        ),
        "",
    ),
    "jQuery": (
        JQUERY,
        f"<script>$(() => $('body').append(\"<script {DATA} src='{{src}}'><\\/script>\"))</script>",
    ),
    "twice": ("", f"<script async {DATA} src='{{src}}'></script>" * 2),
    "twice, apart": (f"<script {DATA} src='{{src}}'></script>", TAG),
    "with data-csapp": (
        JQUERY,
        f"<csapp-widget {DATA} data-csapp='{{src}}'></csapp-widget>"
        "<script>$.getScript('{src}')</script>",
    ),
}


@pytest.fixture
def site(visit: Visit, plain: LiveServer) -> Site:
    return Site(visit, plain)


def works(page: Page, title: str = "Ask us") -> None:
    """One launcher, with the tag's options, and one panel behind it."""
    expect(launchers(page)).to_have_count(1)
    launchers(page).click()
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    expect(page.locator("csapp-widget")).to_have_count(1)


@pytest.mark.parametrize("way", WAYS)
def test_a_script_comes(site: Site, way: str) -> None:
    head, body = WAYS[way]
    site.has("one", body, head)
    works(site.goes("one"))


@pytest.mark.parametrize("way", ["import", "getScript"])
def test_a_script_without_a_tag(site: Site, way: str) -> None:
    """Its options are an element's."""
    element = f"<csapp-widget {DATA}></csapp-widget>"
    ways = {
        "import": ("", "<script type=module>await import('{src}')</script>"),
        "getScript": (JQUERY, "<script>$.getScript('{src}')</script>"),
    }
    head, body = ways[way]
    if way == "getScript":
        element = element.replace(DATA, f"{DATA} data-csapp='../../support/widget.js'")
    site.has("one", element + body, head)
    works(site.goes("one"))


def test_where_it_cannot_know_it_says_so(visit: Visit, plain: LiveServer) -> None:
    site = Site(visit, plain, ("csapp: say where this script is",))
    site.has("one", "", JQUERY)
    page = site.goes("one")
    with page.expect_console_message(lambda said: "data-csapp=" in said.text):
        page.evaluate("src => { $.getScript(src) }", site.src)
    expect(page.locator("csapp-widget")).to_have_count(0)


def test_a_script_with_integrity(site: Site, plain: LiveServer) -> None:
    digest = hashlib.sha384(plain.get("/widget.js").encode()).digest()
    mark = f"integrity='sha384-{base64.b64encode(digest).decode()}'"
    site.has("one", f"<script async {DATA} {mark} src='{{src}}'></script>")
    works(site.goes("one"))


def test_a_script_that_is_another_ones(site: Site) -> None:
    """Others call theirs so, too."""
    site.file("widget.js", "window.other = true")
    other = "<script src='widget.js' data-title='Not us'></script>"
    site.has("one", f"<script async {DATA} src='{{src}}'></script>{other}", other)
    page = site.goes("one")
    works(page)
    assert page.evaluate("other")


def test_commands_are_heard_after_a_page_has_put_its_stub_back(site: Site) -> None:
    stub = """<script>
        window.csapp = function () { (csapp.q = csapp.q || []).push(arguments) };
        csapp("setTheme", "dark");
      </script>"""
    for path in ("one", "two"):
        site.has(path, stub + TAG, ROUTED)
    page = site.goes("one")
    expect(launchers(page)).to_be_visible()
    page.evaluate("csapp('setTheme', 'light')")
    turn(page, "two")
    expect(page.get_by_role("heading", name="two")).to_be_visible()
    until(page, "csapp.q === undefined")
    page.evaluate("csapp('open')")
    expect(page.get_by_role("dialog")).to_have_css("background-color", "rgb(26, 29, 34)")


# ---- odd pages ----------------------------------------------------------------------

ODD = {
    "Prototype": """
        Array.prototype.toJSON = function () {
          return `[${[...this].map((one) => JSON.stringify(one)).join(", ")}]`;
        };
        Array.prototype.each = Array.prototype.forEach;
        Array.prototype.first = function () { return this[0] };
        Array.from = (it) => it && it.length ? [...it] : [];
        Array.prototype.entries = function () { return [...this] };
        String.prototype.strip = String.prototype.trim;
        Function.prototype.defer = function () { return setTimeout(this) };
        Object.prototype.extended = 7;
        Element.prototype.remove = function () { this.parentNode.removeChild(this); return this };
    """,
    "fetch of texts": """
        const asked = window.fetch;
        window.fetch = (address, options) =>
          address.startsWith("/own") ? null : asked(address, options);
    """,
    "own URL": "window.URL = 'https://shop.example/'; window.name = 'shop'; window.status = 'ok'",
    "own names": """
        for (const name of ["open", "close", "top", "parent", "event", "find", "stop", "print"]) {
          try { window[name] = "mine" } catch {}
        }
        window.Launcher = window.Panel = window.Visit = window.Home = "mine";
    """,
    "patched elements": """
        const define = customElements.define;
        customElements.define = function (name, type, options) {
          return define.call(customElements, name, class extends type {}, options);
        };
    """,
    "no definitions": "customElements.define = () => { throw new Error('none here') }",
    "taken name": "customElements.define('csapp-widget', class extends HTMLElement {})",
    "no error reports": "delete window.reportError",
}


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_page(visit: Visit, shop: LiveServer, odd: str) -> None:
    site = Site(visit, shop)
    site.page.add_init_script(f"(() => {{ {ODD[odd]} }})()")
    site.has("one")
    page = site.goes("one")
    with Waiter(shop) as ada:
        ask(page, "Hello?")
        ada.meets()
        assert ada.reads() == "Hello?"
        ada.writes("Good morning.")
        expect(log(page)).to_contain_text("Good morning.")
        page.reload()
        expect(log(page)).to_contain_text("Good morning.")
        expect(launchers(page)).to_have_count(1)


TRUSTED = "require-trusted-types-for 'script'; trusted-types 'none'"


def test_a_page_that_wants_trusted_types(visit: Visit, run: Run) -> None:
    shop = house(run)
    site = Site(visit, shop)
    site.has("one", head=f'<meta http-equiv="Content-Security-Policy" content="{TRUSTED}">')
    page = site.goes("one")
    with Waiter(shop) as ada:
        ask(page, "Hello?")
        ada.meets()
        ada.writes("Good morning.")
        expect(log(page)).to_contain_text("Good morning.")
