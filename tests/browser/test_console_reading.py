"""Reading on the console: what is new, how it ended, who it is, and by which clock."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from testkit import LiveServer

from .conftest import Axe, Run, Screenshot, View, Visit
from .console import (
    arrived,
    chat,
    chats,
    expect_chosen,
    expect_dialog,
    get_ready,
    line,
    link,
    log,
    reply,
)
from .guest import Guest

pytestmark = pytest.mark.browser

#: a computer whose clock is wrong by so many ms
WRONG = """
    const Right = Date;
    window.wrong = SHIFT;
    window.Date = class extends Right {
      constructor(...args) {
        super(...(args.length ? args : [Right.now() + window.wrong]));
      }
      static now() { return Right.now() + window.wrong; }
    };
"""

PIXEL = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8">'
    '<path fill="#0a0" d="M0 0h8v8H0z"/></svg>'
)


@pytest.fixture
def env(env: dict[str, str]) -> dict[str, str]:
    return {**env, "CSAPP_MESSAGE_RATE": "0"}


def newer(page: Page, name: str) -> Locator:
    return page.get_by_role("main").get_by_role("button", name=name)


# ---- what is new -------------------------------------------------------------------


def test_who_has_scrolled_up_is_told_of_new_messages(
    desk: LiveServer, visit: Visit, axe: Axe, screenshot: Screenshot, view: View
) -> None:
    """And they count as read when they have been in sight."""
    ada = get_ready(arrived(visit(link(desk), **view)))
    with Guest(desk, "ann", "Ann") as ann:
        ann.is_served()
        if not log(ada).is_visible():
            chat(ada, "Ann").click()
        ann.writes(*(f"Message {number}" for number in range(1, 61)))
        assert ann.hears("read")["payload"]["seq"] > 0
        expect(line(ada, "Message 60")).to_be_in_viewport()
        expect(newer(ada, "To the newest")).to_have_count(0)
        log(ada).evaluate("log => { log.scrollTop = 0 }")
        expect(newer(ada, "To the newest")).to_be_visible()
        ann.writes("Hello?", "Are you there?")
        expect(newer(ada, "2 new messages")).to_be_visible()
        expect(line(ada, "Message 1")).to_be_in_viewport()
        screenshot(ada, "console-newer")
        axe(ada)
        newer(ada, "2 new messages").click()
        expect(newer(ada, "new message")).to_have_count(0)
        expect(line(ada, "Are you there?")).to_be_in_viewport()
        expect(log(ada).get_by_text("New", exact=True)).to_be_visible()
        while ann.hears("read")["payload"]["seq"] < 63:
            pass
        reply(ada, "Ann", "Here I am.")
        expect(log(ada).get_by_text("New", exact=True)).to_have_count(0)
        log(ada).evaluate("log => { log.scrollTop = 0 }")
        reply(ada, "Ann", "And here.")  # who writes is at the end
        expect(line(ada, "And here.")).to_be_in_viewport()


def test_a_line_stands_where_the_unread_begins(desk: LiveServer, visit: Visit) -> None:
    ada = get_ready(arrived(visit(link(desk))))
    with Guest(desk, "ann", "Ann") as ann, Guest(desk, "bob", "Bob") as bob:
        ann.is_served()
        bob.is_served()
        expect_chosen(ada, "Ann")
        bob.writes(*(f"Word {number}" for number in range(1, 41)))
        mark = log(ada).locator(".unread")
        expect(chat(ada, "Bob").get_by_text("40 unread")).to_be_visible()
        chat(ada, "Bob").click()
        expect(mark).to_be_in_viewport()
        expect(mark.locator("xpath=following-sibling::*[1]")).to_contain_text("Word 1")
        expect(newer(ada, "40 new messages")).to_be_visible()
        ada.reload()
        expect(mark).to_be_in_viewport()
        expect(chat(ada, "Bob").get_by_text("40 unread")).to_be_visible()
        log(ada).evaluate("log => { log.scrollTop = log.scrollHeight }")
        expect(newer(ada, "new message")).to_have_count(0)
        chat(ada, "Ann").click()
        chat(ada, "Bob").click()
        expect(line(ada, "Word 40")).to_be_in_viewport()
        expect(mark).to_have_count(0)
        bob.writes("Word 41")  # as it is looked at
        expect(line(ada, "Word 41")).to_be_in_viewport()
        expect(mark).to_have_count(0)


# ---- how it ended ------------------------------------------------------------------


def test_an_end_says_by_whom_and_why(run: Run, env: dict[str, str], visit: Visit) -> None:
    server = run(env={**env, "CSAPP_GRACE": "1", "CSAPP_AWAY": "1"})
    ada = get_ready(arrived(visit(link(server))))
    over = ada.get_by_role("main").locator(".over")
    with Guest(server, "ann", "Ann") as ann, Guest(server, "cleo", "Cleo") as cleo:
        bob = Guest(server, "bob", "Bob")
        for guest in (ann, bob, cleo):
            guest.is_served()
        expect(chats(ada)).to_have_count(3)
        ann.leaves()
        bob.client.drop()
        chat(ada, "Ann").click()
        expect(over).to_have_text("This chat has ended. Ann has left.")
        chat(ada, "Bob").click()
        expect(over).to_have_text("This chat has ended. Bob was gone for too long.")
        chat(ada, "Cleo").click()
        ada.get_by_role("button", name="End chat").click()
        expect(over).to_have_text("This chat has ended. You have ended it.")
        ada.reload()
        for name, why in [("Ann", "Ann has left."), ("Cleo", "You have ended it.")]:
            if chat(ada, name).count():  # what is over may be gone after a reload
                chat(ada, name).click()
                expect(over).to_contain_text(why)


# ---- who it is ---------------------------------------------------------------------


def test_everybody_has_a_face_of_their_own(desk: LiveServer, visit: Visit) -> None:
    ada = get_ready(arrived(visit(link(desk))))
    names = ["Ann Berg", "Bob Okafor", "李明"]
    guests = [Guest(desk, f"guest-{number}", name) for number, name in enumerate(names)]
    for guest in guests:
        guest.is_served()
    expect(chats(ada)).to_have_count(3)
    pictures = ada.locator(".row .picture")
    expect(pictures).to_have_text(["AB", "BO", "李"])
    colours = pictures.evaluate_all("all => all.map((one) => getComputedStyle(one).background)")
    assert len(set(colours)) == 3
    chat(ada, "Bob Okafor").click()
    head = ada.get_by_role("main").locator(".head .picture")
    expect(head).to_have_text("BO")
    assert head.evaluate("one => getComputedStyle(one).background") == colours[1]
    for guest in guests:
        guest.client.drop()


def test_a_picture_takes_the_place_of_the_letters(desk: LiveServer, visit: Visit) -> None:
    """Where it comes; else the letters stay."""
    page = visit(f"{desk.url}/healthz", expected=("404", "ERR_FAILED"))

    def pictures(route: Route) -> None:
        if "ann" in route.request.url:
            route.fulfill(body=PIXEL, content_type="image/svg+xml")
        else:
            route.abort()

    page.route("**/pictures/*", pictures)
    page.goto(link(desk))
    ada = get_ready(arrived(page))
    guests = []
    for name in ("Ann", "Bob"):
        guest = Guest(desk, name.lower(), name, avatar=f"/pictures/{name.lower()}.svg")
        guest.is_served()
        guests.append(guest)
    expect(chat(ada, "Ann").locator("img")).to_be_visible()
    assert chat(ada, "Ann").locator("img").evaluate("one => one.naturalWidth") == 8
    expect(chat(ada, "Bob").locator(".picture")).to_have_text("B")
    for guest in guests:
        guest.client.drop()


def test_rows_have_a_time_also_when_they_are_answered(desk: LiveServer, visit: Visit) -> None:
    ada = get_ready(arrived(visit(link(desk))))
    with Guest(desk, "ann", "Ann") as ann:
        ann.is_served()
        ann.writes("Hello?")
        expect(chat(ada, "Ann").locator(".since")).to_be_visible()
        reply(ada, "Ann", "Hello")
        expect(chat(ada, "Ann").locator(".since")).to_have_count(0)
        expect(chat(ada, "Ann").locator("time")).to_have_text(re.compile(r"\d:\d\d"))


# ---- the clock ---------------------------------------------------------------------


@pytest.mark.parametrize("shift", [-10_800_000, 10_800_000, 90_000_000], ids=["-3h", "+3h", "+25h"])
def test_waits_and_ages_count_by_the_servers_clock(
    desk: LiveServer, visit: Visit, shift: int
) -> None:
    page = visit(f"{desk.url}/healthz", expected=("404",))
    page.add_init_script(WRONG.replace("SHIFT", str(shift)))
    page.goto(link(desk))
    ada = arrived(page)
    seconds = re.compile(r"^\d+ sec$")
    with Guest(desk, "ann", "Ann") as ann:
        expect(ada.get_by_role("region", name="In line").locator(".longest .since")).to_have_text(
            seconds
        )
        get_ready(ada)
        ann.is_served()
        ann.writes("Hello?")
        waits = chat(ada, "Ann").locator(".since")
        expect(waits).to_have_text(seconds)
        expect(waits).not_to_have_text("0 sec")  # it goes on
        expect(log(ada).get_by_text("Today", exact=True)).to_be_visible()
        reply(ada, "Ann", "Good day")
        assert ann.reads() == "Good day"
        expect(log(ada).locator(".day")).to_have_count(1)
        expect(log(ada).get_by_text("Today", exact=True)).to_be_visible()
        ada.evaluate("wrong => { window.wrong = wrong }", shift + 7_200_000)  # it is set meanwhile
        ann.writes("And now?")
        expect(waits).to_have_text(seconds)


# ---- the connection ----------------------------------------------------------------


@pytest.mark.usefixtures("cuttable")
def test_nothing_is_said_of_others_that_is_not_known(desk: LiveServer, visit: Visit) -> None:
    """From the moment at which the connection does not answer."""
    ada = get_ready(arrived(visit(link(desk), expected=("ERR_INTERNET", "WebSocket"))))
    with Guest(desk, "ann", "Ann") as ann:
        ann.is_served()
        ann.writes("Hello?")
        expect(ada.get_by_text("Online", exact=True)).to_be_visible()
        expect(chat(ada, "Ann").locator(".face.online")).to_be_visible()
        ada.context.set_offline(True)
        expect(ada.get_by_role("alert")).to_contain_text("The connection is lost.")
        expect(ada.get_by_text("Connected", exact=True)).to_have_count(0)
        expect(ada.get_by_text("Online", exact=True)).to_have_count(0)
        expect(ada.get_by_text("Not known while the connection is lost")).to_be_visible()
        expect(chat(ada, "Ann").locator(".face.online")).to_have_count(0)
        ada.context.set_offline(False)
        expect(ada.get_by_text("Online", exact=True)).to_be_visible()
        expect(ada.get_by_role("alert")).to_have_count(0)


# ---- found -------------------------------------------------------------------------


def test_what_was_found_is_marked(
    desk: LiveServer, visit: Visit, axe: Axe, screenshot: Screenshot, view: View
) -> None:
    """By the beginning of a word, as it is typed."""
    ada = get_ready(arrived(visit(link(desk), **view)))
    with Guest(desk, "ann", "Ann Plath") as ann:
        ann.is_served()
        ann.writes("Do you have blue plates? My template says so.", "我的订单在哪里")
        ada.get_by_role("button", name="Find").click()
        expect_dialog(ada, "Find")
        ada.keyboard.type("plat")
        found = ada.get_by_role("option")
        expect(found).to_have_count(2)
        expect(found.locator("mark")).to_have_text(["Plat", "Plat", "plat"])
        screenshot(ada, "console-marked")
        axe(ada)
        ada.keyboard.press("Control+a")
        ada.keyboard.type("订单")
        expect(found.locator("mark")).to_have_text(["订单"])


# ---- without scripts ---------------------------------------------------------------


def test_without_scripts_the_page_says_what_it_needs(
    bystander: LiveServer, visit: Visit, axe: Axe
) -> None:
    page = visit(f"{bystander.url}/waiter", java_script_enabled=False)
    # `expect` waits for a promise in the page, and none is kept there in Firefox
    said = page.locator("noscript p").text_content() or ""
    assert "This page needs JavaScript." in said
    assert "此页面需要 JavaScript。" in said


def test_scripts_that_do_not_come_are_told_of(
    bystander: LiveServer, visit: Visit, axe: Axe, screenshot: Screenshot
) -> None:
    address = f"{bystander.url}/waiter"
    page = visit("about:blank", expected=("ERR_FAILED",), house=urlsplit(address).netloc)
    page.route("**/main.js", lambda route: route.abort())
    page.goto(address)
    said = page.get_by_text("The console cannot be loaded.")
    expect(said).to_be_hidden()
    page.evaluate("document.getAnimations().forEach((one) => one.finish())")
    expect(said).to_be_visible()
    expect(said).to_contain_text("请重新加载此页面。")
    screenshot(page, "console-not-loaded")
    axe(page)
    page.unroute("**/main.js")
    page.reload()
    expect(page.get_by_role("heading", name="Console")).to_be_visible()
    expect(said).to_have_count(0)
