"""A message that a visitor leaves while nobody is there, and the answer to it."""

from __future__ import annotations

import json
import re
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from testkit import LiveServer
from tests.probe import until
from tests.test_welcome import MAIL

from .conftest import Axe, Run, Screenshot, View, Visit
from .site import OPEN, Site, house, launchers
from .visitor import ask, close_chat, expect_texts, log, open_chat, write
from .waiter import Waiter

pytestmark = pytest.mark.browser

HAVE = "We have your message. You will find our answer here."


@pytest.fixture
def env(env: dict[str, str]) -> dict[str, str]:
    return {**env, "CSAPP_OFFLINE": "nobody"}


def leave(page: Page, text: str, name: str = "", email: str = "") -> None:
    """Leave *text*, from the start screen."""
    page.get_by_role("button", name="Leave a message").click()
    form(page, "Your message").fill(text)
    form(page, "Your name").fill(name)
    form(page, "E-mail").fill(email)
    page.get_by_role("button", name="Send message").click()


def form(page: Page, label: str) -> Locator:
    return page.get_by_role("dialog").get_by_label(label)


def is_kept(page: Page, *texts: str) -> None:
    """The visitor sees that the message is there."""
    expect(page.locator("csapp-widget .foot")).to_contain_text(HAVE)
    expect_texts(page, list(texts))


class Desk(Waiter):
    """A waiter who sees to what was left."""

    def asks(self, type_: str, **payload: Any) -> dict[str, Any]:
        self.client.say(type_, payload, id=str(uuid4()))
        answer = {"get_inbox": "inbox"}.get(type_, f"{type_}_success")
        return dict(self.hears(answer)["payload"])

    def answers(self, text: str) -> dict[str, Any]:
        """Answer the oldest message, which is returned."""
        [item, *_] = self.asks("get_inbox")["messages"]
        self.asks("answer_message", conversation=item["conversation"], message=text)
        return dict(item)


def test_a_message_is_left_and_answered_while_the_page_is_there(
    desk: LiveServer, visit: Visit, view: View, axe: Axe, screenshot: Screenshot
) -> None:
    page = ask(visit(f"{desk.url}/", **view), "Do you mend teapots?")
    expect(page.get_by_text("What you have written stays in the box.")).to_be_visible()
    axe(page)
    screenshot(page, "left-offered")
    page.get_by_role("button", name="Leave a message").click()
    expect(form(page, "Your message")).to_have_value("Do you mend teapots?")
    expect(form(page, "Your name")).to_be_focused()
    axe(page)
    screenshot(page, "left-form")
    form(page, "E-mail").fill("ann")
    page.get_by_role("button", name="Send message").click()
    expect(page.get_by_text("Please check this address.")).to_be_visible()
    screenshot(page, "left-wrong")
    form(page, "Your name").fill("Ann")
    form(page, "E-mail").fill("ann@example.org")
    page.get_by_role("button", name="Send message").click()
    is_kept(page, "You: Do you mend teapots?")
    axe(page)
    screenshot(page, "left-kept")
    close_chat(page)
    with Desk(desk, name="Ada") as ada:
        item = ada.answers("We do. Bring it to us.")
        assert (item["name"], item["email"]) == ("Ann", "ann@example.org")
        expect(launchers(page)).to_have_accessible_name("Open chat, 1 unread message")
        expect(page.locator("csapp-widget .preview")).to_contain_text("We do. Bring it to us.")
        open_chat_with(page)
        expect_texts(page, ["You: Do you mend teapots?", "We do. Bring it to us."])
        expect(page.locator("csapp-widget .foot")).to_contain_text("Ada has answered your message.")
        axe(page)
        screenshot(page, "left-answered")


def open_chat_with(page: Page) -> None:
    launchers(page).click()
    expect(page.get_by_role("dialog")).to_be_visible()


def test_an_answer_that_comes_while_nobody_looks_is_there_on_return(
    run: Run, env: dict[str, str], visit: Visit
) -> None:
    shop = house(run, env=env)
    site = Site(visit, shop)
    site.has("one")
    page = open_chat(site.goes("one"))
    leave(page, "Do you mend teapots?")
    is_kept(page, "You: Do you mend teapots?")
    close_chat(page)
    page.goto("about:blank")
    with Desk(shop, name="Ada") as ada:
        ada.answers("We do. Bring it to us.")
    site.goes("one")
    expect(launchers(page)).to_have_accessible_name("Open chat, 1 unread message")
    open_chat_with(page)
    expect(page.get_by_role("dialog").get_by_role("heading", name="Ada")).to_be_visible()
    expect_texts(page, ["You: Do you mend teapots?", "We do. Bring it to us."])
    close_chat(page)
    expect(launchers(page)).to_have_accessible_name("Open chat")
    # nothing is waited for any more
    until(lambda: float(OPEN.findall(shop.get("/metrics"))[0]) == 0)
    page.reload()
    expect(launchers(page)).to_have_accessible_name("Open chat")
    open_chat(page)
    page.get_by_role("button", name="Start a new chat").click()
    page.get_by_role("button", name="Chat with Ada").click()
    expect_texts(page, ["You: Do you mend teapots?", "We do. Bring it to us."])


def test_an_answer_to_what_was_put_away_is_shown(desk: LiveServer, visit: Visit) -> None:
    page = open_chat(visit(f"{desk.url}/"))
    leave(page, "Do you mend teapots?")
    is_kept(page, "You: Do you mend teapots?")
    page.get_by_role("button", name="Start a new chat").click()
    expect(page.get_by_role("heading", name="How can we help?").last).to_be_visible()
    close_chat(page)
    page.reload()
    with Desk(desk, name="Ada") as ada:
        ada.answers("We do. Bring it to us.")
        expect(launchers(page)).to_have_accessible_name("Open chat, 1 unread message")
        open_chat_with(page)
        expect_texts(page, ["You: Do you mend teapots?", "We do. Bring it to us."])


def test_what_is_typed_is_in_the_box_and_in_the_form(desk: LiveServer, visit: Visit) -> None:
    page = ask(visit(f"{desk.url}/"), "Do you mend")
    page.get_by_role("button", name="Leave a message").click()
    form(page, "Your message").fill("Do you mend teapots?")
    page.get_by_role("button", name="Back").click()
    box = page.get_by_role("textbox", name="Your question")
    expect(box).to_have_value("Do you mend teapots?")
    page.reload()
    expect(box).to_have_value("Do you mend teapots?")
    with Waiter(desk) as ada:
        box.press("Enter")
        ada.meets()
        assert ada.reads() == "Do you mend teapots?"


def test_other_tabs_get_the_answer(desk: LiveServer, visit: Visit) -> None:
    one = open_chat(visit(f"{desk.url}/"))
    other = one.context.new_page()
    other.goto(f"{desk.url}/")
    leave(one, "Do you mend teapots?")
    is_kept(one, "You: Do you mend teapots?")
    close_chat(one)
    with Desk(desk, name="Ada") as ada:
        ada.answers("We do. Bring it to us.")
        expect(launchers(other)).to_have_accessible_name("Open chat, 1 unread message")


def test_a_chat_begins_while_an_answer_is_awaited(desk: LiveServer, visit: Visit) -> None:
    page = open_chat(visit(f"{desk.url}/"))
    leave(page, "Do you mend teapots?")
    is_kept(page, "You: Do you mend teapots?")
    page.get_by_role("button", name="Start a new chat").click()
    with Desk(desk, name="Ada") as ada:
        write(page, "Hello?")
        ada.meets()
        ada.reads()
        ada.answers("We do. Bring it to us.")
        ada.writes("Hello!")
        expect(log(page)).to_contain_text("Hello!")
        expect_texts(page, ["You: Hello?", "Hello!"])
        ada.ends()
        page.get_by_role("button", name="Start a new chat").click()
        expect_texts(page, ["You: Do you mend teapots?", "We do. Bring it to us."])


def test_what_is_sent_again_is_left_once(desk: LiveServer, visit: Visit) -> None:
    """The server does not say that it has stored it, and the page is loaded anew."""
    page = visit(f"{desk.url}/")
    page.route_web_socket(re.compile("/v1/ws/"), unanswered)
    page.reload()
    leave(open_chat(page), "Do you mend teapots?")
    failed = page.get_by_role("dialog").get_by_text("This did not work.")
    expect(failed).to_be_visible()
    page.reload()
    page.get_by_role("button", name="Leave a message").click()
    expect(form(page, "Your message")).to_have_value("Do you mend teapots?")
    expect(failed).to_have_count(0)
    page.get_by_role("button", name="Send message").click()
    expect(failed).to_be_visible()
    with Desk(desk, name="Ada") as ada:
        assert len(ada.asks("get_inbox")["messages"]) == 1


def unanswered(here: WebSocketRoute) -> None:
    """The page is told that the server does not know whether it has stored a message."""
    there = here.connect_to_server()

    def say(text: str | bytes) -> None:
        frame = json.loads(text)
        if frame["type"] == "leave_message_success":
            what = "it is not known whether it is stored: send it again under the same id"
            frame |= {"type": "error", "payload": {"code": "unavailable", "message": what}}
        here.send(json.dumps(frame))

    there.on_message(say)


def test_whoever_leaves_too_many_is_told(desk: LiveServer, visit: Visit) -> None:
    page = open_chat(visit(f"{desk.url}/"))
    for number in range(5):
        leave(page, f"Question {number}")
        is_kept(page, f"You: Question {number}")
        page.get_by_role("button", name="Start a new chat").click()
    leave(page, "And one more")
    expect(page.get_by_text("We cannot take another message right now.")).to_be_visible()
    expect(form(page, "Your message")).to_have_value("And one more")


@pytest.mark.parametrize("mail", [True, False])
def test_the_form_says_whether_the_answer_is_mailed(
    run: Run, env: dict[str, str], visit: Visit, mail: bool
) -> None:
    here, by_mail = "You will find our answer here.", "we will send it by mail, too."
    page = open_chat(visit(f"{run(env={**env, **(MAIL if mail else {})}).url}/"))
    page.get_by_role("button", name="Leave a message").click()
    expect(page.locator("csapp-widget form.leave")).to_contain_text(here)
    expect(page.get_by_text(by_mail)).to_have_count(1 if mail else 0)


def test_a_server_that_stores_nothing_offers_no_form(
    run: Run, env: dict[str, str], visit: Visit
) -> None:
    server = run(env={**env, "CSAPP_DATABASE_URL": "off"})
    page = ask(visit(f"{server.url}/"), "Hello?")
    expect(page.get_by_text("What you have written stays in the box.")).to_be_visible()
    expect(page.get_by_role("button", name="Leave a message")).to_have_count(0)
