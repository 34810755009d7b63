"""The console in a real browser: its story, and what happens when things go wrong."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from contextlib import ExitStack
from signal import SIGKILL
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from testkit import LiveServer
from testkit.ports import free_port

from .conftest import PHONE, Run, Visit
from .console import (
    arrived,
    box,
    chat,
    chats,
    duty,
    expect_chosen,
    expect_dialog,
    expect_texts,
    get_ready,
    line,
    link,
    log,
    reply,
    unaware,
)
from .guest import Guest
from .until import PAUSE

pytestmark = pytest.mark.browser

#: what Chromium says on the console about a network or a server that is gone
CUT = ("ERR_INTERNET_DISCONNECTED", "ERR_CONNECTION", "WebSocket connection to")

MARKUP = [
    "<script>document.title = 'owned'</script>",
    "<img src=x onerror=\"document.title = 'owned'\">",
    "</p><svg onload=\"document.title = 'owned'\">",
    "javascript:document.title='owned'",
]


# ---- five at once ----------------------------------------------------------


def test_five_visitors_from_the_keyboard_alone(  # noqa: PLR0915  # it is a story
    desk: LiveServer, visit: Visit
) -> None:
    """From "away" to the last goodbye, without a mouse."""
    ada = arrived(visit(link(desk)))
    keys = ada.keyboard
    expect(duty(ada, "Away")).to_be_visible()
    keys.press("r")
    expect(duty(ada, "Ready")).to_be_visible()
    with ExitStack() as stack:
        names = ["Ann", "Bob", "Cleo", "Dan", "Eve"]
        guests = [stack.enter_context(Guest(desk, name.lower(), name)) for name in names]
        for guest, name in zip(guests, names, strict=True):
            guest.is_served()
            guest.writes(f"I am {name}.")
        expect(chats(ada)).to_have_count(5)
        expect(ada.get_by_text("5 of 5 chats")).to_be_visible()
        sixth = stack.enter_context(Guest(desk, "fay", "Fay"))
        expect(ada.get_by_text("1 visitor", exact=True)).to_be_visible()

        expect_chosen(ada, "Ann")  # the first opens by itself
        for name, guest in zip(names, guests, strict=True):
            expect_chosen(ada, name)
            keys.press("Escape")
            keys.press("Enter")
            expect(box(ada, name)).to_be_focused()
            keys.type(f"Good day, {name}! j k e r?")  # letters, while one writes
            keys.press("Enter")
            assert guest.reads() == f"Good day, {name}! j k e r?"
            keys.press("Escape")
            keys.press("j")
        expect_chosen(ada, "Ann")  # round and round
        expect(box(ada, "Ann")).to_be_focused()
        keys.press("Escape")
        keys.press("k")
        expect_chosen(ada, "Eve")
        keys.press("Enter")
        keys.press("Alt+ArrowUp")
        expect(box(ada, "Dan")).to_be_focused()
        keys.press("Escape")
        expect(ada).to_have_title("Console")

        keys.press("e")
        answer(ada, "End the chat with Dan?")
        expect(ada.get_by_text("This chat ends in")).to_be_visible()
        keys.press("u")
        expect(ada.get_by_text("This chat ends in")).to_be_hidden()
        keys.press("e")
        answer(ada, "End the chat with Dan?")
        guests[3].hears("disconnected")
        expect(ada.get_by_text("This chat has ended.")).to_be_visible()
        keys.press("e")
        answer(ada, "Put the chat with Dan away?")
        expect(chat(ada, "Dan")).to_have_count(0)
        sixth.is_served()
        expect(chats(ada)).to_have_count(5)
        expect(ada.get_by_text("Nobody is waiting")).to_be_visible()

        keys.press("?")
        expect_dialog(ada, "Keyboard")
        keys.press("Escape")
        keys.press("Control+k")
        expect_dialog(ada, "Find")
        keys.type("cleo")
        keys.press("Enter")
        expect(box(ada, "Cleo")).to_be_focused()
        keys.press("Escape")
        keys.press("r")
        answer(ada, "Take no more visitors?")
        expect(duty(ada, "Away")).to_be_visible()


def answer(page: Page, question: str) -> None:
    """Say yes to *question*, by keyboard: Enter alone says no."""
    dialog = expect_dialog(page, question)
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()


def test_what_is_new_is_counted(desk: LiveServer, visit: Visit) -> None:
    ada = get_ready(arrived(visit(link(desk))))
    with Guest(desk, "ann", "Ann") as ann, Guest(desk, "bob", "Bob") as bob:
        ann.is_served()
        bob.is_served()
        expect(chat(ada, "Bob").get_by_text("New")).to_be_visible()
        expect(ada).to_have_title("(1) Console")
        bob.writes("One", "Two")
        expect(chat(ada, "Bob").get_by_text("2 unread")).to_be_visible()
        expect(chat(ada, "Bob").get_by_text("waiting")).to_be_attached()
        expect(ada).to_have_title("(2) Console")
        icon = ada.locator("link[rel=icon]")
        assert str(icon.get_attribute("href")).endswith("/icons/2.svg")
        assert ada.request.get(f"{desk.url}/csapp-static/console/icons/2.svg").ok
        ada.reload()
        expect(chat(ada, "Bob").get_by_text("2 unread")).to_be_visible()
        bob.tells("typing", on=True)
        expect(chat(ada, "Bob").get_by_text("typing…")).to_be_visible()
        chat(ada, "Bob").click()
        assert bob.hears("read")["payload"]["seq"] == 3
        expect(ada).to_have_title("Console")
        reply(ada, "Bob", "Three")
        expect(line(ada, "Three").get_by_role("img", name="Sent")).to_be_visible()
        expect(chat(ada, "Bob").get_by_text("waiting")).to_have_count(0)
        bob.tells("read", seq=4)
        expect(line(ada, "Three").get_by_text("Read", exact=True)).to_be_visible()
        bob.leaves()
        expect(ada.get_by_text("This chat has ended.")).to_be_visible()
        ada.get_by_role("button", name="Put away").click()
        expect(chats(ada)).to_have_count(1)
        expect_chosen(ada, "Ann")


def test_more_or_fewer_at_once(desk: LiveServer, visit: Visit) -> None:
    """How many chats one takes is seen, set, and remembered."""
    ada = arrived(visit(link(desk)))
    expect(ada.get_by_text("0 of 5 chats")).to_be_visible()
    for left in (4, 3, 2, 1):
        ada.get_by_role("button", name="Fewer chats at once").click()
        expect(ada.get_by_text(f"0 of {left} chats")).to_be_visible()
    expect(ada.get_by_role("button", name="Fewer chats at once")).to_be_disabled()
    get_ready(ada)
    with Guest(desk, "ann", "Ann") as ann, Guest(desk, "bob", "Bob") as bob:
        ann.is_served()
        expect(ada.get_by_text("1 of 1 chats")).to_be_visible()
        expect(ada.get_by_text("1 visitor", exact=True)).to_be_visible()
        ada.get_by_role("button", name="More chats at once").click()
        bob.is_served()
        ada.reload()
        expect(ada.get_by_text("2 of 2 chats")).to_be_visible()
        expect(duty(ada, "Ready")).to_be_visible()


def test_the_answer_to_a_click_does_not_undo_the_next(desk: LiveServer, visit: Visit) -> None:
    page = visit("about:blank", house=urlsplit(desk.url).netloc)
    late: list[Callable[[], None]] = []

    def between(here: WebSocketRoute) -> None:
        there = here.connect_to_server()

        def pass_on(text: str | bytes) -> None:
            if json.loads(text)["type"] == "unready" and len(late) < 3:
                late.append(lambda: here.send(text))
            else:
                here.send(text)

        there.on_message(pass_on)

    page.route_web_socket(re.compile("/v1/ws/"), between)
    page.goto(link(desk))
    arrived(page)
    fewer = page.get_by_role("button", name="Fewer chats at once")
    for left in (4, 3):
        fewer.click()
        expect(page.get_by_text(f"0 of {left} chats")).to_be_visible()
    while len(late) < 2:
        page.wait_for_timeout(PAUSE)
    late[0]()  # 4
    fewer.click()
    while len(late) < 3:
        page.wait_for_timeout(PAUSE)
    late[1]()  # 3
    expect(page.get_by_text("0 of 2 chats")).to_be_visible()
    late[2]()
    page.reload()
    expect(page.get_by_text("0 of 2 chats")).to_be_visible()


# ---- coming back -----------------------------------------------------------


def test_reload_in_every_state(desk: LiveServer, visit: Visit) -> None:
    """Away stays away, ready stays ready, and half a sentence stays half a sentence."""
    ada = arrived(visit(link(desk)))
    ada.reload()
    arrived(ada)
    expect(duty(ada, "Away")).to_be_visible()
    get_ready(ada)
    ada.reload()
    expect(duty(ada, "Ready")).to_be_visible()
    with Guest(desk, "ann", "Ann") as ann, Guest(desk, "bob", "Bob") as bob:
        ann.is_served()
        bob.is_served()
        ann.writes("Hello?")
        chat(ada, "Ann").click()
        box(ada, "Ann").fill("Good mor")
        chat(ada, "Bob").click()
        box(ada, "Bob").fill("Half a sen")
        ada.reload()
        expect(box(ada, "Bob")).to_have_value("Half a sen")
        chat(ada, "Ann").click()
        expect(box(ada, "Ann")).to_have_value("Good mor")
        expect(log(ada)).to_contain_text("Hello?")
        reply(ada, "Ann", "Good morning")
        assert ann.reads() == "Good morning"
        ada.reload()
        expect(box(ada, "Ann")).to_have_value("")
        expect_texts(ada, ["Hello?", "Good morning"])
        ada.get_by_role("button", name="Away").click()
        expect(duty(ada, "Away")).to_be_visible()
        ada.reload()
        expect(duty(ada, "Away")).to_be_visible()
        expect(chats(ada)).to_have_count(2)


@pytest.mark.usefixtures("cuttable")
def test_the_network_is_cut_and_returns(desk: LiveServer, visit: Visit) -> None:
    ada = get_ready(arrived(visit(link(desk), expected=CUT)))
    with Guest(desk, "ann", "Ann") as ann:
        ann.is_served()
        ann.writes("Hello?")
        ada.context.set_offline(True)
        reply(ada, "Ann", "From the tunnel")
        expect(line(ada, "From the tunnel").get_by_role("img", name="Sending")).to_be_visible()
        ann.writes("Are you there?")
        expect(ada.get_by_text("The connection is lost.")).to_be_visible()
        box(ada, "Ann").press_sequentially("and of it")
        ada.context.set_offline(False)
        expect(ada.get_by_text("The connection is lost.")).to_be_hidden()
        assert ann.reads() == "From the tunnel"
        expect(line(ada, "From the tunnel").get_by_role("img", name="Sent")).to_be_visible()
        expect_texts(ada, ["Hello?", "Are you there?", "From the tunnel"])
        expect(box(ada, "Ann")).to_have_value("and of it")
        expect(duty(ada, "Ready")).to_be_visible()


def test_the_server_is_killed_while_somebody_types(
    run: Run, env: dict[str, str], visit: Visit
) -> None:
    env["CSAPP_GRACE"] = "60"
    port = free_port()
    server = run(env=env, port=port)
    ada = get_ready(arrived(visit(link(server), expected=CUT)))
    ann = Guest(server, "ann", "Ann")
    ann.is_served()
    ann.writes("Hello?")
    expect(log(ada)).to_contain_text("Hello?")
    box(ada, "Ann").press_sequentially("Good ")
    for pid in (server.worker_pid, server.process.pid):
        os.kill(pid, SIGKILL)
    server.wait()
    expect(ada.get_by_text("The connection is lost.")).to_be_visible()
    box(ada, "Ann").press_sequentially("morning")
    box(ada, "Ann").press("Enter")
    box(ada, "Ann").press_sequentially("One more thi")
    expect(line(ada, "Good morning").get_by_role("img", name="Sending")).to_be_visible()
    run(env=env, port=port)
    ann.returns()
    expect(line(ada, "Good morning").get_by_role("img", name="Sent")).to_be_visible()
    expect(ada.get_by_text("The connection is lost.")).to_be_hidden()
    expect(box(ada, "Ann")).to_have_value("One more thi")
    box(ada, "Ann").press_sequentially("ng")
    box(ada, "Ann").press("Enter")
    assert ann.reads() == "Good morning"
    assert ann.reads() == "One more thing"
    expect_texts(ada, ["Hello?", "Good morning", "One more thing"])
    expect(duty(ada, "Ready")).to_be_visible()
    ann.client.drop()


def test_older_messages_come_on_scrolling_up(run: Run, env: dict[str, str], visit: Visit) -> None:
    """And what one reads stays where it is."""
    server = run(env={**env, "CSAPP_MESSAGE_RATE": "0"})
    ada = get_ready(arrived(visit(link(server))))
    with Guest(server, "ann", "Ann") as ann:
        ann.is_served()
        ann.writes(*(f"Message {number}" for number in range(1, 121)))
        expect(log(ada)).to_contain_text("Message 120")
        ada.reload()
        expect(line(ada, "Message 120")).to_be_in_viewport()
        for first, older in ((71, 21), (21, 1)):
            expect(line(ada, f"Message {older}")).to_have_count(0)
            log(ada).evaluate("log => { log.scrollTop = 0 }")
            expect(line(ada, f"Message {older}")).to_have_count(1)
            expect(line(ada, f"Message {first}")).to_be_in_viewport()
        expect_texts(ada, [f"Message {number}" for number in range(1, 121)])


def test_a_message_that_cannot_be_sent(run: Run, env: dict[str, str], visit: Visit) -> None:
    """It says why, and stays until somebody has decided."""
    server = run(env={**env, "CSAPP_MAX_TEXT": "10"})
    page = visit(link(server))
    unaware(page, 10)
    page.reload()
    ada = get_ready(arrived(page))
    with Guest(server, "ann", "Ann") as ann:
        ann.is_served()
        reply(ada, "Ann", "So is this, by far.")
        failed = line(ada, "So is this, by far.")
        expect(failed.get_by_text("Not sent.")).to_be_visible()
        reply(ada, "Ann", "Short.")
        assert ann.reads() == "Short."
        failed.get_by_role("button", name="Try again").click()
        expect(failed.get_by_text("Not sent.")).to_be_visible()
        ada.reload()
        expect(failed.get_by_text("Not sent.")).to_be_visible()
        failed.get_by_role("button", name="Discard").click()
        expect(failed).to_have_count(0)
        expect_texts(ada, ["Short."])


@pytest.mark.parametrize(
    ("code", "what", "button"),
    [
        (1001, "The connection is lost. What you write is kept", "Try now"),
        (1012, "The server is being restarted. What you write is kept", "Try now"),
        (1013, "The server is full just now. What you write is kept", "Try now"),
        (4408, "The connection took too long to answer. What you write is kept", "Try now"),
        (4413, "The connection was too slow. What you write is kept", "Try now"),
        (4400, "The server did not understand this page.", "Connect again"),
        (
            4409,
            "You have signed in somewhere else, and this window has stopped.",
            "Use this window",
        ),
        (4410, "This console is closed to you.", "Connect again"),
        (4429, "This window has sent too much in too short a time", "Connect again"),
    ],
)
def test_whatever_ends_a_connection_says_what_to_do(
    bystander: LiveServer, visit: Visit, code: int, what: str, button: str
) -> None:
    """A stand-in says hello, and nothing but goodbye to what it is told then."""
    page = visit(f"{bystander.url}/waiter")

    def connected(connection: WebSocketRoute) -> None:
        connection.on_message(lambda _: connection.close(code=code, reason=""))
        connection.send('{"id": "1", "to": "me", "type": "initialize"}')

    page.route_web_socket(re.compile("/v1/ws/"), connected)
    page.goto("about:blank")
    page.goto(link(bystander))
    expect(page.get_by_role("alert")).to_contain_text(what)
    expect(page.get_by_role("button", name=button)).to_be_visible()


# ---- several windows -------------------------------------------------------


def test_two_tabs_of_one_login(desk: LiveServer, visit: Visit) -> None:
    """Both show everything, and what is read in one is read in the other."""
    first = get_ready(arrived(visit(link(desk))))
    second = first.context.new_page()
    second.goto(f"{desk.url}/waiter")
    expect(duty(second, "Ready")).to_be_visible()
    with Guest(desk, "ann", "Ann") as ann, Guest(desk, "bob", "Bob") as bob:
        ann.is_served()
        bob.is_served()
        bob.writes("Hello?")
        for page in (first, second):
            expect(chat(page, "Bob").get_by_text("1 unread")).to_be_visible()
        first.bring_to_front()
        chat(first, "Bob").click()
        expect(chat(second, "Bob").get_by_text("1 unread")).to_have_count(0)
        reply(first, "Bob", "Good day")
        chat(second, "Bob").click()
        expect(log(second)).to_contain_text("Good day")
        reply(second, "Bob", "And another")
        expect(log(first)).to_contain_text("And another")
        assert [bob.reads(), bob.reads()] == ["Good day", "And another"]
        second.get_by_role("button", name="Away").click()
        expect(duty(first, "Away")).to_be_visible()
        second.close()
        reply(first, "Bob", "Still here")
        assert bob.reads() == "Still here"


def test_a_newer_login_takes_over(desk: LiveServer, visit: Visit) -> None:
    first = get_ready(arrived(visit(link(desk))))
    with Guest(desk, "ann", "Ann") as ann:
        ann.is_served()
        box(first, "Ann").fill("Half a sen")
        second = arrived(visit(link(desk)))
        expect(chat(second, "Ann")).to_be_visible()
        expect(duty(second, "Ready")).to_be_visible()
        expect(first.get_by_text("You have signed in somewhere else")).to_be_visible()
        expect(first.get_by_text("Disconnected")).to_be_visible()
        first.get_by_role("button", name="Use this window").click()
        expect(duty(first, "Ready")).to_be_visible()
        expect(box(first, "Ann")).to_have_value("Half a sen")
        expect(second.get_by_text("You have signed in somewhere else")).to_be_visible()
        reply(first, "Ann", "Hello")
        assert ann.reads() == "Hello"


# ---- nothing gets in -------------------------------------------------------


def test_markup_is_only_text(desk: LiveServer, visit: Visit) -> None:
    """In names, addresses, messages, replies and canned replies."""
    ada = get_ready(arrived(visit(link(desk, name=MARKUP[1]))))
    with ExitStack() as stack:
        for number, text in enumerate(MARKUP):
            guest = stack.enter_context(Guest(desk, f"guest-{number}", text, page=text))
            guest.is_served()
            guest.writes(text)
            chat(ada, text).click()
            expect(log(ada).get_by_text(text, exact=True)).to_be_visible()
            reply(ada, text, f"You said {text}")
            assert guest.reads() == f"You said {text}"
            expect(ada.get_by_role("complementary").get_by_text(text, exact=True)).to_have_count(2)
        ada.get_by_role("button", name="Canned replies").click()
        dialog = expect_dialog(ada, "Canned replies")
        for number, text in enumerate(MARKUP):
            dialog.get_by_role("button", name="New reply").click()
            dialog.get_by_label("Shortcut").fill(f"m{number}")
            dialog.get_by_label("Text").fill(text)
            dialog.get_by_role("button", name="Save").click()
            expect(dialog.get_by_text(text, exact=True)).to_be_visible()
        ada.keyboard.press("Escape")
        ada.keyboard.press("Control+k")
        ada.keyboard.type("owned")
        found = expect_dialog(ada, "Find").get_by_role("option")
        expect(found.filter(has_text="Answer")).to_have_count(len(MARKUP))
        ada.keyboard.press("Escape")
        box(ada, MARKUP[-1]).press_sequentially("/m0")
        ada.keyboard.press("Enter")
        expect(box(ada, MARKUP[-1])).to_have_value(MARKUP[0])
        expect(ada.locator("main script, main img, [onerror], [onload]")).to_have_count(0)
        expect(ada.locator('a[href^="javascript"]')).to_have_count(0)
        expect(ada).to_have_title("Console")


def test_links_are_links(desk: LiveServer, visit: Visit) -> None:
    """Those of http and https, and nothing of the sentence around them."""
    ada = get_ready(arrived(visit(link(desk))))
    with Guest(desk, "ann", "Ann", page="https://shop.example/table") as ann:
        ann.is_served()
        ann.writes("See https://shop.example/a_(b)?c=d&e, or (http://x.example/). ftp://no.example")
        found = log(ada).get_by_role("link")
        expect(found).to_have_text(["https://shop.example/a_(b)?c=d&e", "http://x.example/"])
        for one in found.all():
            assert one.get_attribute("rel") == "noopener noreferrer"
            assert one.get_attribute("target") == "_blank"
        expect(ada.get_by_role("complementary").get_by_role("link")).to_have_attribute(
            "href", "https://shop.example/table"
        )


# ---- on a phone ------------------------------------------------------------


def test_on_a_phone(desk: LiveServer, visit: Visit) -> None:
    """The list, then the conversation, and nothing wider than the screen."""
    ada = get_ready(arrived(visit(link(desk), viewport=PHONE, has_touch=True)))
    with Guest(desk, "ann", "Ann", page="https://shop.example/" + "x" * 200) as ann:
        ann.is_served()
        ann.writes("w" * 300)
        expect(chat(ada, "Ann").get_by_text("1 unread")).to_be_visible()
        expect_no_sideways_scrolling(ada)
        chat(ada, "Ann").tap()
        reply(ada, "Ann", "Hello")
        assert ann.reads() == "Hello"
        expect_no_sideways_scrolling(ada)
        ada.get_by_role("button", name="About this visitor").tap()
        expect(expect_dialog(ada, "Visitor").get_by_role("link")).to_be_visible()
        expect_no_sideways_scrolling(ada)
        ada.get_by_role("button", name="Close").tap()
        ada.get_by_role("button", name="Back to my chats").tap()
        expect(chat(ada, "Ann")).to_be_visible()


def expect_no_sideways_scrolling(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
