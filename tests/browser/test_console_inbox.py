"""What visitors have left, on the console: seen, claimed, answered, put away."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from testkit import Client, LiveServer
from tests.test_welcome import MAIL

from .conftest import Axe, Run, Screenshot, View, Visit
from .console import arrived, chats, get_ready, link
from .engines import WHOLE
from .guest import Guest
from .test_console_tools import EAR, look_away, notified

pytestmark = pytest.mark.browser


class Left:
    """A visitor who leaves messages, and reads the answers."""

    def __init__(self, server: LiveServer, sub: str = "ann", name: str = "") -> None:
        self.client = Client(server, "user")
        self.client.say("auth", {"token": server.token("user", sub, name), "version": 2})
        self.hears("auth_success")

    def __enter__(self) -> Left:
        return self

    def __exit__(self, *error: object) -> None:
        self.client.drop()

    def hears(self, type_: str) -> dict[str, Any]:
        while (frame := self.client.receive())["type"] != type_:
            pass
        return dict(frame["payload"])

    def leaves(self, text: str, **more: Any) -> None:
        self.client.say("leave_message", {"message": text, **more}, id=str(uuid4()))
        self.hears("leave_message_success")


def button(page: Page) -> Locator:
    """In the column on the left."""
    return page.get_by_role("region", name="Messages left").get_by_role("button")


def items(page: Page) -> Locator:
    return page.get_by_role("main").get_by_role("listitem")


def progress(page: Page) -> Locator:
    """Of the message that is shown."""
    return page.get_by_role("main").locator(".head").get_by_role("status")


def test_a_message_is_claimed_and_answered_by_keyboard(
    desk: LiveServer, visit: Visit, view: View, axe: Axe, screenshot: Screenshot
) -> None:
    page = arrived(visit(link(desk), **view))
    expect(button(page)).to_contain_text("none open")
    with Left(desk) as ann, Left(desk, "bob", "Bob Miller") as bob:
        contact = {"name": "Ann Berg", "email": "ann@example.org"}
        ann.leaves(
            "Do you mend teapots? Mine has lost its lid: https://example.org/teapot",
            contact=contact,
            page="https://shop.example/teapots",
        )
        bob.leaves("Do you deliver to Norway?")
        expect(button(page)).to_contain_text("2")
        screenshot(page, "inbox-count")
        page.keyboard.press("m")
        expect(items(page)).to_have_count(2)
        expect(items(page).first).to_contain_text("Ann Berg")
        axe(page)
        screenshot(page, "inbox-list")
        page.keyboard.press("j")
        expect(page.get_by_role("heading", name="Ann Berg")).to_be_visible()
        expect(page.get_by_role("link", name="ann@example.org")).to_be_visible()
        page.get_by_role("button", name="Claim", exact=True).click()
        expect(progress(page)).to_have_text("Claimed by you")
        axe(page)
        screenshot(page, "inbox-claimed")
        box = page.get_by_label("Your answer")
        box.fill("We do. Bring it to us.")
        box.press("Control+Enter")
        assert ann.hears("message_answered")["message"] == "We do. Bring it to us."
        expect(progress(page)).to_have_text("Answered")
        expect(box).to_have_count(0)
        expect(page.get_by_role("main")).to_contain_text("We do. Bring it to us.")
        axe(page)
        screenshot(page, "inbox-answered")
        page.keyboard.press("Escape")
        expect(items(page)).to_have_count(1)
        page.get_by_role("button", name="Done").click()
        expect(items(page)).to_have_count(1)
        expect(items(page)).to_contain_text("Answered")
        page.keyboard.press("Escape")
        expect(page.get_by_role("main").get_by_role("heading", name="Messages left")).to_have_count(
            0
        )
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_two_waiters_see_who_has_claimed_a_message(desk: LiveServer, visit: Visit) -> None:
    ada, lin = arrived(visit(link(desk))), arrived(visit(link(desk, "lin", "Lin")))
    with Left(desk) as ann:
        ann.leaves("Do you mend teapots?")
        for page in (ada, lin):
            button(page).click()
            items(page).get_by_role("button").click()
        ada.get_by_role("button", name="Claim", exact=True).click()
        expect(progress(lin)).to_have_text("Claimed by Ada")
        expect(lin.get_by_label("Your answer")).to_have_count(0)
        expect(lin.get_by_role("button", name="Put away")).to_have_count(0)
        ada.get_by_role("button", name="Release").click()
        expect(progress(lin)).to_have_text("Open")
        lin.get_by_label("Your answer").fill("We do.")
        lin.get_by_role("main").get_by_role("button", name="Answer").click()
        expect(progress(lin)).to_have_text("Answered")
        expect(progress(ada)).to_have_text("A colleague has seen to this message.")
        expect(ada.get_by_label("Your answer")).to_have_count(0)
        assert ann.hears("message_answered")["name"] == "Lin"


def test_who_was_faster_is_named(desk: LiveServer, visit: Visit) -> None:
    """Lin's page has not heard yet that Ada has claimed it."""
    lin = visit(link(desk, "lin", "Lin"))
    deaf(lin)
    lin.reload()
    ada = arrived(visit(link(desk)))
    with Left(desk) as ann:
        ann.leaves("Do you mend teapots?")
        button(ada).click()
        items(ada).get_by_role("button").click()
        button(arrived(lin)).click()
        items(lin).get_by_role("button").click()
        ada.get_by_role("button", name="Claim", exact=True).click()
        expect(progress(ada)).to_have_text("Claimed by you")
        lin.get_by_label("Your answer").fill("We do.")
        lin.get_by_role("main").get_by_role("button", name="Answer").click()
        expect(lin.get_by_role("alert")).to_have_text("Ada has claimed this message.")


def deaf(page: Page) -> None:
    """From its next load on, the page is not told that the inbox has changed."""

    def between(here: WebSocketRoute) -> None:
        there = here.connect_to_server()
        there.on_message(lambda text: "inbox_changed" in str(text) or here.send(text))

    page.route_web_socket(re.compile("/v1/ws/"), between)


def test_what_is_typed_is_kept_while_a_colleague_has_it(desk: LiveServer, visit: Visit) -> None:
    ada, lin = arrived(visit(link(desk))), arrived(visit(link(desk, "lin", "Lin")))
    with Left(desk) as ann:
        ann.leaves("Do you mend teapots?")
        for page in (ada, lin):
            button(page).click()
            items(page).get_by_role("button").click()
        lin.get_by_label("Your answer").fill("We do, I think.")
        ada.get_by_role("button", name="Claim", exact=True).click()
        expect(progress(lin)).to_have_text("Claimed by Ada")
        ada.get_by_role("button", name="Release").click()
        expect(lin.get_by_label("Your answer")).to_have_value("We do, I think.")


@pytest.mark.engines(WHOLE)
@pytest.mark.usefixtures("heard")
def test_a_message_that_is_left_is_heard_and_notified(desk: LiveServer, visit: Visit) -> None:
    """The first one, too; what was there before the page is no news."""
    page = visit(link(desk), permissions=["notifications"])
    page.add_init_script(EAR)
    page.reload()
    page.get_by_role("button", name="Enable sound").click()
    expect(page.get_by_role("button", name="Settings", exact=True)).to_be_visible()
    assert page.evaluate("played") == 1  # how it sounds
    look_away(page)
    with Left(desk) as ann:
        ann.leaves("Do you mend teapots?")
        expect(button(page)).to_contain_text("1")
        said = {"title": "A visitor has left a message", "body": "1 open message"}
        assert notified(page) == [said]
        assert page.evaluate("played") == 3
        page.reload()
        expect(button(page)).to_contain_text("1")
        page.get_by_role("heading", name="Console").click()  # from now on it may be heard
        expect(page.get_by_role("button", name="Settings", exact=True)).to_be_visible()
        look_away(page)
        ann.leaves("And cups?")
        expect(button(page)).to_contain_text("2")
        assert [one["body"] for one in notified(page)] == ["2 open messages"]
        assert page.evaluate("played") == 2


def test_it_is_said_where_the_visitor_finds_the_answer(
    run: Run, env: dict[str, str], visit: Visit
) -> None:
    server = run(env={**env, **MAIL})
    page = arrived(visit(link(server)))
    hint = page.locator("#answer-hint")
    with Left(server) as ann, Left(server, "bob", "Bob") as bob:
        ann.leaves("Do you mend teapots?", contact={"email": "ann@example.org"})
        bob.leaves("Do you deliver to Norway?")
        button(page).click()
        items(page).get_by_role("button").first.click()
        expect(hint).to_have_text(
            "The visitor finds it in the chat, and is sent it by mail. Ctrl Enter sends it."
        )
        page.get_by_role("button", name="Back").click()
        items(page).get_by_role("button").last.click()
        expect(hint).to_have_text("The visitor finds it in the chat. Ctrl Enter sends it.")


def test_what_is_put_away_may_still_be_answered(desk: LiveServer, visit: Visit) -> None:
    page = arrived(visit(link(desk)))
    with Left(desk) as ann:
        ann.leaves("asdf")
        button(page).click()
        items(page).get_by_role("button").click()
        page.get_by_role("button", name="Put away").click()
        expect(progress(page)).to_have_text("Put away")
        page.keyboard.press("Escape")
        expect(page.get_by_role("heading", name="No messages")).to_be_visible()
        page.get_by_role("button", name="Done").click()
        items(page).get_by_role("button").click()
        page.get_by_label("Your answer").fill("What do you mean?")
        page.get_by_role("main").get_by_role("button", name="Answer").click()
        expect(progress(page)).to_have_text("Answered")
        assert ann.hears("message_answered")["message"] == "What do you mean?"


def test_a_chat_that_begins_leaves_the_inbox_as_it_is(desk: LiveServer, visit: Visit) -> None:
    page = get_ready(arrived(visit(link(desk))))
    with Left(desk) as ann:
        ann.leaves("Do you mend teapots?")
        button(page).click()
        items(page).get_by_role("button").click()
        page.get_by_label("Your answer").fill("We do")
        with Guest(desk, "cleo", "Cleo") as cleo:
            cleo.is_served()
            cleo.writes("Hello?")
            expect(chats(page)).to_contain_text("Cleo")
            expect(page.get_by_label("Your answer")).to_have_value("We do")
            chats(page).get_by_role("button").click()
            expect(page.get_by_role("log")).to_contain_text("Hello?")
            page.keyboard.press("Escape")
            page.keyboard.press("m")
            items(page).get_by_role("button").click()
            expect(page.get_by_label("Your answer")).to_have_value("We do")
