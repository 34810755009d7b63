"""Widget and console in the languages that they speak: chosen, complete, and right to look at."""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from testkit import LiveServer
from tests.test_catalogues import catalogue, languages

from .conftest import PHONE, Axe, Run, Screenshot, View, Visit
from .console import link
from .guest import Guest
from .waiter import Waiter

pytestmark = pytest.mark.browser

ZH: dict[str, Any] = catalogue("console", "zh")

#: letters that stand for themselves in every language: names, keys, a command, what people wrote
SAME = re.compile(
    r"Ada Lovelace|Ann Berg|\bA[BL]\b|Ada|Ann|English|Alt|Ctrl|Enter|Esc|Console|"
    r"flask chat token --role waiter --sub YOU|https?://\S+|/?\b(?:hello|cust-1)\b"
)

#: what people read, hear, or are told by a pointer that rests
SHOWN = """
    () => {
      const seen = (one) => one.checkVisibility();
      const all = [...document.querySelectorAll("body *")].filter(seen);
      const own = (one) => [...one.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
      const names = ["aria-label", "title", "placeholder", "alt"];
      const texts = all.flatMap(own).map((node) => node.textContent);
      const attributes = all.flatMap((one) => names.map((name) => one.getAttribute(name)));
      return [document.title, ...texts, ...attributes].filter(Boolean);
    }
"""


def expect_chinese(page: Page) -> None:
    """Nothing that is shown, or read out, is in Latin letters."""
    for text in page.evaluate(SHOWN):
        assert not re.search(r"[A-Za-z]{2}", SAME.sub("", text)), text


# ---- the console ----------------------------------------------------------------


def test_the_console_in_chinese(  # noqa: PLR0915  # it is a story
    desk: LiveServer, visit: Visit, axe: Axe, screenshot: Screenshot, view: View
) -> None:
    """As the browser asks for it: no word of English in any state."""
    page = visit(f"{desk.url}/waiter", locale="zh-CN", **view)

    def looks(name: str) -> None:
        expect_chinese(page)
        axe(page)
        screenshot(page, f"zh-{name}")

    expect(page.get_by_role("heading", name=ZH["sign_in"], exact=True)).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "zh")
    page.locator("summary").click()
    looks("door")
    page.goto("about:blank")
    page.goto(link(desk, name="Ada Lovelace"))
    expect(page.get_by_text(ZH["queue_empty"])).to_be_visible()
    looks("away")
    page.get_by_role("button", name=ZH["not_now"]).click()
    page.get_by_role("button", name=ZH["ready"], exact=True).click()
    expect(page.locator(".switch:not([aria-busy=true]) .ready")).to_be_visible()
    with ExitStack() as stack:
        ann = stack.enter_context(
            Guest(desk, "cust-1", "Ann Berg", page="https://shop.example/tables")
        )
        ann.is_served()
        ann.writes("您好，订单还没到。", "请看 https://shop.example/orders/1042，谢谢。")
        if not page.get_by_role("log").is_visible():
            page.locator(".row").click()
        expect(page.get_by_role("log").locator(".text")).to_have_count(2)
        page.locator("#composer").fill("您好，我来查一下。")
        page.locator("#composer").press("Enter")
        ann.reads()
        ann.tells("read", seq=4)
        ann.tells("typing", on=True)
        expect(page.get_by_role("log").get_by_text(ZH["read"], exact=True)).to_be_visible()
        expect(page.locator(".note.typing")).to_have_text("Ann Berg正在输入…")
        looks("chat")
        page.keyboard.press("Escape")
        page.keyboard.press("e")
        expect(page.get_by_role("dialog")).to_be_visible()
        looks("end-question")
        page.get_by_role("dialog").get_by_role("button", name=ZH["end"]).click()
        expect(page.locator(".ending")).to_be_visible()
        looks("ending")
        page.keyboard.press("u")
        for number in range(page.get_by_role("toolbar").get_by_role("button").count()):
            button = page.get_by_role("toolbar").get_by_role("button").nth(number)
            button.click()
            dialog = page.get_by_role("dialog")
            expect(dialog).to_be_visible()
            expect(dialog.locator(".bone")).to_have_count(0)
            looks(f"dialog-{number}")
            page.keyboard.press("Escape")
            expect(dialog).to_be_hidden()
        ann.leaves()
        expect(page.get_by_text(ZH["ended"])).to_be_visible()
        looks("ended")


def test_what_goes_wrong_is_said_in_chinese(desk: LiveServer, visit: Visit) -> None:
    """The server says it in English; what a waiter meets is known, the rest goes by its code."""
    page = visit(f"{desk.url}/waiter", locale="zh-CN", expected=("status of", "ERR_FAILED"))
    page.locator("#name").fill("nobody")
    page.locator("#password").fill("wrong horse")
    page.locator("#password").press("Enter")
    expect(page.get_by_role("alert")).to_have_text(ZH["wrong_login"])
    page.locator("summary").click()
    page.locator("#token").fill("not a token")
    page.locator("#token").press("Enter")
    expect(page.get_by_role("alert")).to_have_text(ZH["problem_4401"])
    page.goto("about:blank")
    page.goto(link(desk))
    page.get_by_role("button", name=ZH["replies"]).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text(ZH["replies_none"])).to_be_visible()
    for forms_left in (0, 1):
        dialog.get_by_role("button", name=ZH["new_reply"]).click()
        dialog.get_by_label(ZH["shortcut"]).fill("hello")
        dialog.get_by_label(ZH["text"], exact=True).fill("您好！")
        dialog.get_by_role("button", name=ZH["save"]).click()
        expect(dialog.locator("form")).to_have_count(forms_left)
    expect(dialog.get_by_role("alert")).to_have_text(ZH["shortcut_taken"])
    dialog.get_by_label(ZH["shortcut"]).fill("a b")
    dialog.get_by_role("button", name=ZH["save"]).click()
    expect(dialog.get_by_role("alert")).to_have_text(ZH["shortcut_letters"])
    dialog.get_by_role("button", name=ZH["cancel"]).click()
    page.route("**/v1/canned/*", lambda route: route.abort())
    for _ in range(2):
        dialog.get_by_role("button", name=ZH["delete_this"].format(name="/hello")).click()
    expect(dialog.get_by_role("alert")).to_have_text(ZH["problem_unreachable"])


def choose(page: Page, language: str) -> None:
    page.locator(".settings select").select_option(language)


def heading(page: Page) -> Locator:
    return page.locator(".bar h1")


def test_a_language_is_chosen_at_once_and_for_all_tabs(desk: LiveServer, visit: Visit) -> None:
    page = visit(link(desk), locale="en-GB")
    expect(heading(page)).to_have_text("Console")
    other = page.context.new_page()
    other.goto(f"{desk.url}/waiter")
    expect(heading(other)).to_have_text("Console")
    page.get_by_role("button", name="Settings").click()
    choose(page, "zh")
    expect(heading(page)).to_have_text(ZH["title"])
    expect(heading(other)).to_have_text(ZH["title"])
    expect(page).to_have_title(ZH["title"])
    expect(page.get_by_role("dialog", name=ZH["settings"])).to_be_visible()
    page.reload()
    expect(heading(page)).to_have_text(ZH["title"])
    page.get_by_role("button", name=ZH["settings"]).click()
    expect(page.locator(".settings select")).to_have_value("zh")
    choose(page, "")
    expect(heading(page)).to_have_text("Console")
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_what_was_shown_is_said_anew(desk: LiveServer, visit: Visit) -> None:
    """Also what is not drawn anew by itself, as messages."""
    page = visit(link(desk), locale="en-GB")
    page.get_by_role("button", name="Ready", exact=True).click()
    with Guest(desk, "ann", "Ann") as ann:
        ann.is_served()
        ann.writes("Hello?")
        page.locator("#composer").fill("Good day")
        page.locator("#composer").press("Enter")
        ann.reads()
        sent = page.get_by_role("log").get_by_role("img")
        expect(sent).to_have_accessible_name("Sent")
        page.locator("#composer").fill("Half a sen")
        page.get_by_role("button", name="Settings").click()
        choose(page, "zh")
        page.keyboard.press("Escape")
        expect(sent).to_have_accessible_name(ZH["sent"])
        expect(page.locator("#composer")).to_have_value("Half a sen")
        expect(page.locator("#composer")).to_have_attribute("placeholder", ZH["write_or_slash"])


@pytest.mark.parametrize(
    ("browser_says", "page_says", "language"),
    [
        ("zh-TW", "", "zh"),
        ("nl-NL", "", "en"),
        ("en-GB", "zh_Hans_CN", "zh"),
        ("zh-CN", "??", "zh"),
    ],
)
def test_the_page_decides_before_the_browser(
    bystander: LiveServer, visit: Visit, browser_says: str, page_says: str, language: str
) -> None:
    page = visit(f"{bystander.url}/healthz", expected=("404",), locale=browser_says)

    def says(route: Route) -> None:
        there = "data-capacity"
        body = route.fetch().text().replace(there, f'data-locale="{page_says}" {there}')
        route.fulfill(body=body, content_type="text/html")

    page.route("**/waiter", says)
    page.goto(f"{bystander.url}/waiter")
    title = catalogue("console", language)["sign_in"]
    expect(page.get_by_role("heading", name=str(title), exact=True)).to_be_visible()


def test_texts_that_do_not_come_at_once(bystander: LiveServer, visit: Visit) -> None:
    page = visit(f"{bystander.url}/healthz", expected=("404", "502"))
    failed: list[str] = []

    def fails_once(route: Route) -> None:
        failed.append(route.request.url)
        if len(failed) == 1:
            route.fulfill(status=502)
        else:
            route.continue_()

    page.route("**/console/locales/*.json", fails_once)
    page.goto(f"{bystander.url}/waiter")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert len(failed) == 2


# ---- the widget -------------------------------------------------------------------


def speaks(page: Page, language: str) -> None:
    """The widget is in *language*, and the panel open."""
    page.evaluate("language => csapp('setLocale', language)", language)
    page.evaluate("csapp('open')")
    greeting = str(catalogue("widget", language.partition("_")[0])["greeting"])
    expect(page.get_by_role("dialog").get_by_role("heading", name=greeting)).to_be_visible()


@pytest.mark.parametrize("language", languages("widget"))
def test_the_widget_in_every_language(
    bystander: LiveServer, visit: Visit, axe: Axe, screenshot: Screenshot, language: str
) -> None:
    """On a phone: nothing is too long for it."""
    page = visit(f"{bystander.url}/", viewport=PHONE, reduced_motion="reduce")
    speaks(page, language)
    frame = page.locator("csapp-widget .csapp")
    expect(frame).to_have_attribute("lang", language)
    expect(frame).to_have_attribute("dir", "rtl" if language == "ar" else "ltr")
    wide = page.get_by_role("dialog").evaluate(
        "panel => [...panel.querySelectorAll('*')].filter((one) => one.checkVisibility()"
        " && one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX === 'hidden')"
        ".map((one) => one.className)"
    )
    assert wide == []
    axe(page)
    screenshot(page, f"widget-{language}")


def test_the_widget_in_arabic_from_right_to_left(
    run: Run, visit: Visit, axe: Axe, screenshot: Screenshot, view: View
) -> None:
    server = run()
    page = visit(f"{server.url}/", expected=("ERR_INTERNET_DISCONNECTED",), **view)
    ar: dict[str, Any] = catalogue("widget", "ar")
    speaks(page, "ar_EG")

    def looks(name: str) -> None:
        axe(page)
        screenshot(page, f"ar-{name}")

    expect(page.get_by_text(ar["offline"], exact=True)).to_be_visible()
    looks("start")
    page.get_by_role("textbox").fill("أين طلبي؟ https://shop.example/1042")
    page.get_by_role("textbox").press("Enter")
    expect(page.get_by_text(ar["in_line"])).to_be_visible()
    looks("queued")
    with Waiter(server) as ada:
        ada.meets()
        ada.reads()
        ada.tells("typing", on=True)
        expect(page.locator("csapp-widget .typing")).to_have_text("\u2068Ada\u2069 يكتب الآن")
        ada.writes("Hello! It is on its way: https://parcels.example/1042")
        ada.writes("سيصل غدًا.")
        ada.tells("typing", on=True)
        expect(page.locator("csapp-widget .line")).to_have_count(3)
        looks("served")
        own, theirs = page.locator("csapp-widget .bubble").all()[:2]
        log = page.get_by_role("log").bounding_box()
        left, right = own.bounding_box(), theirs.bounding_box()
        assert log
        assert left
        assert right
        assert left["x"] - log["x"] < 32
        assert log["x"] + log["width"] - right["x"] - right["width"] < 64  # a face stands there
        expect(own).to_have_css("direction", "rtl")
        expect(theirs).to_have_css("direction", "ltr")
        page.get_by_role("button", name=ar["end"]).click()
        looks("end-question")
        page.get_by_role("button", name=ar["keep"]).click()
        ada.ends()
        expect(page.get_by_role("button", name=ar["again"])).to_be_visible()
        looks("ended")


def test_the_page_of_its_own_greets_in_the_visitors_language(
    bystander: LiveServer, visit: Visit, axe: Axe
) -> None:
    page = visit(f"{bystander.url}/", locale="ar-EG")
    ar: dict[str, Any] = catalogue("widget", "ar")
    expect(page.get_by_role("heading", name=ar["greeting"])).to_be_visible()
    button = page.get_by_role("button", name=ar["open"])
    place = button.bounding_box()
    assert place
    assert place["x"] == 24
    assert page.evaluate("document.documentElement.scrollLeft") == 0
    axe(page)
    button.click()
    expect(page.locator("csapp-widget .csapp")).to_have_attribute("lang", "ar-EG")


@pytest.mark.parametrize(
    ("said", "language"),
    [("zh_CN", "zh"), ("zh_Hans_CN", "zh"), ("pt_BR", "pt"), ("en_US.UTF-8", "en"), ("??", "en")],
)
def test_names_of_languages_as_pages_write_them(
    bystander: LiveServer, visit: Visit, said: str, language: str
) -> None:
    page = visit(f"{bystander.url}/")
    page.evaluate("said => { document.documentElement.lang = said }", said)
    page.evaluate("csapp('setLocale')")
    page.evaluate("csapp('open')")
    greeting = str(catalogue("widget", language)["greeting"])
    expect(page.get_by_role("dialog").get_by_role("heading", name=greeting)).to_be_visible()


@pytest.mark.parametrize("said", ["pt_BR", "en_US.UTF-8", "??"])
def test_a_catalogue_of_the_pages_own_under_any_name(
    bystander: LiveServer, visit: Visit, said: str
) -> None:
    page = visit(f"{bystander.url}/")
    page.route("**/own.json", lambda route: route.fulfill(json={"greeting": "My own words"}))
    page.evaluate("said => csapp('setLocale', said, '/own.json')", said)
    page.evaluate("csapp('open')")
    expect(page.get_by_role("heading", name="My own words")).to_be_visible()


@pytest.mark.parametrize("address", ["/none.json", "none.json", "http://[", "/widget.js"])
def test_a_catalogue_of_the_pages_own_that_is_none(
    bystander: LiveServer, visit: Visit, address: str
) -> None:
    page = visit(f"{bystander.url}/", expected=("404",))
    page.evaluate("csapp('on', 'error', ({ code }) => { window.code = code })")
    page.evaluate("address => csapp('setLocale', 'de', address)", address)
    page.evaluate("csapp('open')")
    expect(page.get_by_role("heading", name="Wie können wir helfen?")).to_be_visible()
    assert page.evaluate("code") == "no_catalogue"


def test_texts_of_the_widget_that_do_not_come_at_once(bystander: LiveServer, visit: Visit) -> None:
    """The button is there all the same, and the next click brings them."""
    page = visit(f"{bystander.url}/healthz", expected=("404", "502", "ERR_"))
    piece = "**/widget/locales/en.json"
    page.route(piece, lambda route: route.fulfill(status=502))
    page.goto(f"{bystander.url}/")
    button = page.locator("csapp-widget .launcher")
    expect(button).to_have_accessible_name("Chat")
    button.click()
    expect(page.get_by_text("The chat cannot be loaded.")).to_be_visible()
    page.unroute(piece)
    button.click()
    expect(
        page.get_by_role("dialog").get_by_role("heading", name="How can we help?")
    ).to_be_visible()
    expect(button).to_have_accessible_name("Close chat")


def test_one_language_is_loaded_alone(bystander: LiveServer, visit: Visit) -> None:
    page = visit(f"{bystander.url}/healthz", expected=("404",))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{bystander.url}/")
    expect(page.locator("csapp-widget .launcher")).to_be_visible()
    page.goto(f"{bystander.url}/waiter")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    found = [url.partition("/csapp-static/")[2] for url in asked if "/locales/" in url]
    assert found == ["widget/locales/en.json", "console/locales/en.json"]
