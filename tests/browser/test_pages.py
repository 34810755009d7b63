"""The two pages in a real browser: the whole demo, and what happens when things go wrong."""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from csapp import create_app
from services.wire.codes import RECONNECT, CloseCode
from testkit import LiveServer
from testkit.server import SECRET

from .conftest import PHONE, Picture, Run, Visit

pytestmark = pytest.mark.browser

MARKUP = [
    "<script>document.title = 'owned'</script>",
    "<img src=x onerror=\"document.title = 'owned'\">",
    "</p><svg onload=\"document.title = 'owned'\">",
]


def waiter_link(server: LiveServer, sub: str = "ada") -> str:
    return f"{server.url}/waiter#token={server.token('waiter', sub)}"


def start_chat(page: Page) -> Page:
    page.get_by_role("button", name="Start chat").click()
    return page


def get_ready(page: Page) -> Page:
    page.get_by_role("button", name="Ready").click()
    expect(page.get_by_text("Ready for visitors")).to_be_visible()
    return page


def say(page: Page, box: str, text: str) -> None:
    page.get_by_label(box, exact=True).fill(text)
    page.get_by_label(box, exact=True).press("Enter")


def log(page: Page) -> Locator:
    return page.get_by_role("log")


def column(page: Page, number: int) -> Locator:
    return page.get_by_role("article", name=f"Visitor {number}")


def expect_no_sideways_scrolling(page: Page) -> None:
    wide = page.viewport_size
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.set_viewport_size(wide)


# ---- the whole demo --------------------------------------------------------


def test_demo(  # noqa: PLR0915  # it is a story
    server: LiveServer, visit: Visit, picture: Picture
) -> None:
    """Three visitors and a waiter, from the first click to the end of a chat."""
    sharp = {"device_scale_factor": 2, "reduced_motion": "reduce"}
    ann = start_chat(visit(f"{server.url}/", viewport={"width": 440, "height": 640}, **sharp))
    expect(ann.get_by_text("You are next in line")).to_be_visible()

    ada = visit(waiter_link(server), viewport={"width": 1040, "height": 640}, **sharp)
    expect(ada.get_by_text("You are not taking visitors")).to_be_visible()
    assert ada.url == f"{server.url}/waiter"  # the token has left the address bar
    get_ready(ada)
    expect(column(ada, 1)).to_be_visible()
    expect(ada).to_have_title("(1) Waiter")
    expect(ann.get_by_text("You are connected to an agent.")).to_be_visible()

    say(ann, "Your message", "Hello! My order 1042 has not arrived. Can you see where it is?")
    expect(column(ada, 1)).to_contain_text("My order 1042")
    reply = ada.get_by_label("Reply to Visitor 1")
    reply.click()
    expect(ada).to_have_title("Waiter")
    say(ada, "Reply to Visitor 1", "Hello, let me look that up for you.")
    expect(log(ann)).to_contain_text("let me look that up")
    reply.fill("It left our warehouse this morning.")
    reply.press("Shift+Enter")
    reply.press_sequentially("You will have it tomorrow before noon.")
    reply.press("Enter")
    expect(log(ann)).to_contain_text("warehouse this morning.\nYou will", use_inner_text=True)
    say(ann, "Your message", "Wonderful, thank you.")
    expect(column(ada, 1)).to_contain_text("Wonderful")

    bob = start_chat(visit(f"{server.url}/"))
    expect(column(ada, 2)).to_be_visible()
    say(bob, "Your message", "Do you deliver to Norway?")
    expect(column(ada, 2)).to_contain_text("Norway")
    expect(column(ada, 1)).not_to_contain_text("Norway")
    say(ada, "Reply to Visitor 2", "We do, within three working days.")
    expect(log(bob)).to_contain_text("three working days")
    expect(log(ann)).not_to_contain_text("three working days")
    say(bob, "Your message", "And what does it cost?")
    expect(column(ada, 2)).to_contain_text("what does it cost")
    cleo = start_chat(visit(f"{server.url}/"))
    expect(column(ada, 3)).to_be_visible()
    say(cleo, "Your message", "Hi, may I change the size of an order?")
    expect(column(ada, 3).get_by_text("1 unread")).to_be_visible()
    expect(ada).to_have_title("(1) Waiter")
    expect_no_sideways_scrolling(ada)
    expect_no_sideways_scrolling(ann)
    ada.get_by_label("Reply to Visitor 2").fill("Shipping to Norway is free above")
    picture("demo", ann, ada)

    ann.reload()
    expect(log(ann)).to_contain_text("let me look that up")
    say(ann, "Your message", "One more thing.")
    expect(column(ada, 1)).to_contain_text("One more thing.")
    say(ada, "Reply to Visitor 1", "Yes?")
    expect(log(ann)).to_contain_text("Yes?")
    expect(ada.get_by_role("article")).to_have_count(3)

    ada.get_by_role("button", name="End chat with Visitor 1").click()
    expect(ann.get_by_text("The agent ended the chat.")).to_be_visible()
    expect(ann.get_by_label("Your message")).to_be_hidden()
    bob.get_by_role("button", name="End chat").click()
    expect(bob.get_by_text("You ended the chat.")).to_be_visible()
    expect(column(ada, 2)).to_contain_text("The visitor has left.")
    ada.get_by_role("button", name="Close Visitor 2").click()
    expect(column(ada, 2)).to_have_count(0)

    ann.get_by_role("button", name="Start a new chat").click()
    expect(column(ada, 1)).to_contain_text("The visitor is back.")
    expect(log(ann)).not_to_contain_text("One more thing.")


def test_embedded_under_a_prefix(run: Run, visit: Visit) -> None:
    """Inside a host application that itself knows who the waiter is."""
    host = run("tests.host:app", prefix="/support")
    ada = get_ready(visit(f"{host.url}/waiter", extra_http_headers={"X-Agent": "ada"}))
    ann = start_chat(visit(f"{host.url}/"))
    say(ann, "Your message", "Is anybody there?")
    expect(column(ada, 1)).to_contain_text("Is anybody there?")
    say(ada, "Reply to Visitor 1", "Always.")
    expect(log(ann)).to_contain_text("Always.")


@pytest.mark.parametrize("side", ["visitor", "waiter"])
def test_markup_is_only_text(server: LiveServer, visit: Visit, side: str) -> None:
    ada = get_ready(visit(waiter_link(server)))
    ann = start_chat(visit(f"{server.url}/"))
    expect(column(ada, 1)).to_be_visible()
    for text in MARKUP:
        if side == "visitor":
            say(ann, "Your message", text)
        else:
            say(ada, "Reply to Visitor 1", text)
    for page in (ann, ada):
        for text in MARKUP:
            expect(log(page).get_by_text(text, exact=True)).to_be_visible()
        page.reload()  # it is shown again from what the tab remembers
        for text in MARKUP:
            expect(log(page).get_by_text(text, exact=True)).to_be_visible()
        expect(log(page).locator("script, img, svg")).to_have_count(0)
        assert "owned" not in page.title()


# ---- the line --------------------------------------------------------------


def test_places_in_line(server: LiveServer, visit: Visit) -> None:
    ann = start_chat(visit(f"{server.url}/"))
    expect(ann.get_by_text("You are next in line")).to_be_visible()
    bob = start_chat(visit(f"{server.url}/"))
    expect(bob.get_by_text("1 person ahead of you")).to_be_visible()
    cleo = start_chat(visit(f"{server.url}/"))
    expect(cleo.get_by_text("2 people ahead of you")).to_be_visible()
    cleo.reload()
    expect(cleo.get_by_text("2 people ahead of you")).to_be_visible()
    ann.get_by_role("button", name="Leave the line").click()
    expect(ann.get_by_role("button", name="Start chat")).to_be_focused()
    expect(bob.get_by_text("You are next in line")).to_be_visible()
    expect(cleo.get_by_text("1 person ahead of you")).to_be_visible()


def test_line_is_full(run: Run, visit: Visit) -> None:
    full = run(env={"CSAPP_MAX_QUEUE": "0"})
    ann = start_chat(visit(f"{full.url}/"))
    expect(ann.get_by_role("alert")).to_have_text("Too many visitors are waiting; try later.")
    expect(ann.get_by_role("button", name="Start chat")).to_be_visible()


# ---- coming back -----------------------------------------------------------


def test_waiter_reloads(server: LiveServer, visit: Visit) -> None:
    """It is still ready, still has its chats, and what it was about to say."""
    ada = get_ready(visit(waiter_link(server)))
    ann = start_chat(visit(f"{server.url}/"))
    say(ann, "Your message", "Hello?")
    expect(column(ada, 1)).to_contain_text("Hello?")
    ada.get_by_label("Reply to Visitor 1").fill("Good mor")
    ada.reload()
    expect(column(ada, 1)).to_contain_text("Hello?")
    expect(ada.get_by_label("Reply to Visitor 1")).to_have_value("Good mor")
    start_chat(visit(f"{server.url}/"))
    expect(column(ada, 2)).to_be_visible()
    say(ada, "Reply to Visitor 1", "Good morning")
    expect(log(ann)).to_contain_text("Good morning")
    expect(log(ada)).to_have_count(2)


def test_chat_ends_while_visitor_is_away(server: LiveServer, visit: Visit) -> None:
    """On its return the visitor reads that it is over, and is not put in line again."""
    ada = get_ready(visit(waiter_link(server)))
    ann = start_chat(visit(f"{server.url}/"))
    expect(ann.get_by_label("Your message")).to_be_visible()
    ann.goto("about:blank")
    say(ada, "Reply to Visitor 1", "Goodbye.")
    ada.get_by_role("button", name="End chat with Visitor 1").click()
    ann.go_back()
    expect(ann.get_by_text("The agent ended the chat.")).to_be_visible()
    expect(log(ann)).to_contain_text("Goodbye.")
    start_chat(visit(f"{server.url}/"))
    expect(column(ada, 2)).to_be_visible()  # by then ann would have been there, too
    expect(column(ada, 1)).not_to_contain_text("back")


def test_waiter_is_lost(run: Run, visit: Visit) -> None:
    """Its visitor is first in line again, and the next waiter takes over."""
    server = run(env={"CSAPP_GRACE": "1"})
    ada = get_ready(visit(waiter_link(server)))
    ann = start_chat(visit(f"{server.url}/"))
    say(ann, "Your message", "Hello?")
    expect(column(ada, 1)).to_contain_text("Hello?")
    ada.goto("about:blank")
    expect(ann.get_by_text("You are next in line")).to_be_visible()
    expect(log(ann)).to_contain_text("Hello?")
    lin = get_ready(visit(waiter_link(server, "lin")))
    expect(column(lin, 1)).to_be_visible()
    say(lin, "Reply to Visitor 1", "Hello, this is Lin.")
    expect(log(ann)).to_contain_text("this is Lin")
    ada.go_back()
    expect(column(ada, 1)).to_contain_text("This chat is not with you any more.")


def test_line_drops(server: LiveServer, visit: Visit) -> None:
    """What is being written survives, and the chat goes on."""
    ada = get_ready(visit(waiter_link(server)))
    ann = start_chat(visit(f"{server.url}/"))
    ann.get_by_label("Your message").fill("Half a sen")
    stop_clock(ann)
    ann.evaluate("dispatchEvent(new Event('offline'))")
    expect(ann.get_by_text("Reconnecting…")).to_be_visible()
    ann.get_by_label("Your message").press("Enter")
    expect(ann.get_by_label("Your message")).to_have_value("Half a sen")
    say(ada, "Reply to Visitor 1", "Are you there?")
    ann.get_by_role("button", name="Try now").click()
    ann.clock.resume()
    expect(log(ann)).to_contain_text("Are you there?")
    expect(ann.get_by_text("Connected", exact=True)).to_be_visible()
    ann.get_by_label("Your message").press("Enter")
    expect(column(ada, 1)).to_contain_text("Half a sen")


def start_scripted(page: Page) -> list[WebSocketRoute]:
    """Start a chat with a stand-in that only says hello. Stops the clock; its connections."""
    connections: list[WebSocketRoute] = []

    def connected(connection: WebSocketRoute) -> None:
        connections.append(connection)
        connection.send(json.dumps({"id": "1", "to": "me", "type": "initialize"}))

    page.route_web_socket(re.compile("/v1/ws/"), connected)
    page.route("**/v1/visitor/token", lambda route: route.fulfill(json={"token": "any"}))
    start_chat(page)
    expect(page.get_by_text("Connected", exact=True)).to_be_visible()
    stop_clock(page)
    return connections


def stop_clock(page: Page) -> None:
    page.clock.install()
    page.clock.pause_at(datetime.datetime.now() + datetime.timedelta(hours=1))


@pytest.mark.parametrize(
    "code", [code for code in CloseCode if code is not CloseCode.NO_STATUS], ids=lambda c: c.name
)
def test_closes(bystander: LiveServer, visit: Visit, code: CloseCode) -> None:
    """After some it connects again, after the others it stops and says why."""
    page = visit(f"{bystander.url}/")
    connections = start_scripted(page)
    connections[0].close(code=code, reason="")
    if code in RECONNECT:
        expect(page.get_by_text("Reconnecting…")).to_be_visible()
        page.clock.run_for(1000)  # ms: the first pause is no longer
        expect(page.get_by_text("Connected", exact=True)).to_be_visible()
        assert len(connections) == 2
    else:
        expect(page.get_by_role("button", name="Start a new chat")).to_be_visible()
        expect(page.locator("#ending")).to_have_text(re.compile(r"^\w.*\.$"))
        page.clock.run_for(120_000)
        assert len(connections) == 1


def test_restart_says_when_to_return(bystander: LiveServer, visit: Visit) -> None:
    page = visit(f"{bystander.url}/")
    connections = start_scripted(page)
    connections[0].close(code=1012, reason="the server restarts; retry_after=20.5")
    expect(page.get_by_text("Reconnecting…")).to_be_visible()
    page.clock.run_for(20_400)
    expect(page.get_by_text("Reconnecting…")).to_be_visible()
    page.clock.run_for(1100)
    expect(page.get_by_text("Connected", exact=True)).to_be_visible()
    assert len(connections) == 2


def test_pauses_grow(bystander: LiveServer, visit: Visit) -> None:
    """A server in trouble is not run over: 1, 2, 4, … 30 s at most, half of it by chance."""
    page = visit(f"{bystander.url}/")
    connections = start_scripted(page)
    for attempt, longest in enumerate([1, 2, 4, 8, 16, 30, 30], 1):
        connections[-1].close(code=1011, reason="")
        expect(page.get_by_text("Reconnecting…")).to_be_visible()
        page.clock.run_for(longest * 500 - 1)
        assert len(connections) == attempt
        page.clock.run_for(longest * 500 + 1)
        expect(page.get_by_text("Connected", exact=True)).to_be_visible()
        assert len(connections) == attempt + 1


# ---- being refused ---------------------------------------------------------


def test_message_not_delivered(run: Run, visit: Visit) -> None:
    server = run(env={"CSAPP_MAX_TEXT": "10"})
    ada = get_ready(visit(waiter_link(server)))
    ann = start_chat(visit(f"{server.url}/"))
    say(ann, "Your message", "This is longer than ten.")
    why = "Not delivered. At most 10 characters."
    expect(log(ann).get_by_text(why)).to_be_visible()
    say(ada, "Reply to Visitor 1", "So is this, by far.")
    expect(column(ada, 1).get_by_text(why)).to_be_visible()


def test_visitor_token_expires(bystander: LiveServer, visit: Visit) -> None:
    """A new one is fetched without a word."""
    page = visit(f"{bystander.url}/")
    expired = bystander.token("user", "ann", lifetime=-1)
    page.evaluate(
        "token => sessionStorage.setItem('csapp:/:token', JSON.stringify(token))", expired
    )
    start_chat(page)
    expect(page.get_by_text("You are next in line")).to_be_visible()


def test_waiter_token_expires(run: Run, visit: Visit) -> None:
    """The host application gives the same waiter a new one, and the chats go on."""
    host = run("tests.host:app", prefix="/support")
    ada = get_ready(visit(f"{host.url}/waiter", extra_http_headers={"X-Agent": "ada"}))
    ann = start_chat(visit(f"{host.url}/"))
    say(ann, "Your message", "Hello?")
    expect(column(ada, 1)).to_contain_text("Hello?")
    expired = host.token("waiter", "agent-ada", lifetime=-1)
    key = "csapp:/support/waiter:token"
    ada.evaluate("([k, t]) => sessionStorage.setItem(k, JSON.stringify(t))", [key, expired])
    ada.reload()
    expect(ada.get_by_text("Ready for visitors")).to_be_visible()
    expect(column(ada, 1)).to_contain_text("Hello?")
    say(ada, "Reply to Visitor 1", "Good morning")
    expect(log(ann)).to_contain_text("Good morning")


def test_waiter_signs_in_by_hand(server: LiveServer, visit: Visit) -> None:
    page = visit(f"{server.url}/waiter")
    field = page.get_by_label("Token")
    field.fill("not a token")
    field.press("Enter")
    expect(page.get_by_role("alert").filter(visible=True)).to_have_text("The token is not valid.")
    field.fill(server.token("user", "ann"))
    field.press("Enter")
    alert = page.get_by_role("alert").filter(visible=True)
    expect(alert).to_have_text("This is a token of a user.")
    field.fill(server.token("waiter", "ada"))
    field.press("Enter")
    get_ready(page)
    page.reload()
    expect(page.get_by_text("Ready for visitors")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Token")).to_be_focused()
    page.reload()
    expect(page.get_by_label("Token")).to_be_focused()


@pytest.fixture
def with_accounts(run: Run, tmp_path: Path) -> LiveServer:
    """A server with a database of its own, and an account for Ada."""
    env = {"CSAPP_DATABASE_URL": f"sqlite:///{tmp_path}/csapp.db"}
    command = ("chat", "waiter", "add", "ada", "--display-name", "Ada", "--password-stdin")
    app = create_app({"CSAPP_SECRET_KEY": SECRET, **env})
    made = app.test_cli_runner().invoke(args=command, input="correct horse\n")
    assert made.exit_code == 0, made.output
    return run(env=env)


def test_waiter_signs_in_with_a_password(with_accounts: LiveServer, visit: Visit) -> None:
    """With the keyboard alone: wrong, then right; and signed out it is out."""
    page = visit(f"{with_accounts.url}/waiter")
    alert = page.get_by_role("alert").filter(visible=True)
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type("Ada")
    page.keyboard.press("Tab")
    page.keyboard.type("wrong horse")
    page.keyboard.press("Enter")
    expect(alert).to_have_text("Name or password is wrong.")
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type("correct horse")  # over the wrong one, which is selected
    page.keyboard.press("Enter")
    get_ready(page)
    expect_no_sideways_scrolling(page)
    ann = start_chat(visit(f"{with_accounts.url}/"))
    say(ann, "Your message", "Hello?")
    expect(column(page, 1)).to_contain_text("Hello?")
    page.reload()
    expect(page.get_by_text("Ready for visitors")).to_be_visible()
    page.once("dialog", lambda dialog: dialog.accept())
    with page.expect_response("**/v1/waiter/logout") as answer:
        page.get_by_role("button", name="Sign out").click()
    assert answer.value.status == 204
    expect(page.get_by_label("Name")).to_be_focused()
    expect(page.get_by_label("Name")).to_have_value("")
    page.reload()
    expect(page.get_by_label("Password")).to_be_visible()
    expect_no_sideways_scrolling(page)


def test_no_accounts_no_form_for_them(run: Run, visit: Visit) -> None:
    server = run(env={"CSAPP_DATABASE_URL": "off"})
    page = visit(f"{server.url}/waiter")
    expect(page.get_by_label("Token")).to_be_focused()
    expect(page.get_by_label("Password")).to_have_count(0)


def test_waiter_signs_in_elsewhere(server: LiveServer, visit: Visit) -> None:
    first = get_ready(visit(waiter_link(server)))
    start_chat(visit(f"{server.url}/"))
    expect(column(first, 1)).to_be_visible()
    second = visit(waiter_link(server))
    expect(column(second, 1)).to_be_visible()
    expect(first.get_by_text("Signed in again somewhere else.")).to_be_visible()
    expect(first.get_by_text("Ready for visitors")).to_be_hidden()
    first.get_by_role("button", name="Connect again").click()
    expect(first.get_by_text("Ready for visitors")).to_be_visible()
    expect(second.get_by_text("Signed in again somewhere else.")).to_be_visible()
