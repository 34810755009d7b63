"""The widget in a real browser: the whole story, and what happens when things go wrong."""

from __future__ import annotations

import os
from signal import SIGKILL
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from services.wire.codes import CloseCode
from testkit import Client, LiveServer
from testkit.ports import free_port
from tests import clocked

from .conftest import PHONE, Run, Visit
from .until import until
from .visitor import ask, close_chat, expect_texts, log, open_chat, texts, write
from .waiter import Waiter

pytestmark = pytest.mark.browser

#: what Chromium says on the console about a network or a server that is gone
CUT = ("ERR_INTERNET_DISCONNECTED", "ERR_CONNECTION", "WebSocket connection to")

#: s that a token lives, in tests that outlive it; a page renews it when 60 to 80 % are over, and
#: a busy machine may be seconds late with that
SHORT = 12

#: a page that is none has no icon
NO_ICON = ("404",)

MARKUP = [
    "<script>document.title = 'owned'</script>",
    "<img src=x onerror=\"document.title = 'owned'\">",
    "</p><svg onload=\"document.title = 'owned'\">",
    "javascript:document.title='owned'",
]

#: counts what is played; a page makes one for each message
EAR = """
    window.played = 0;
    const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (...args) {
      window.played += 1;
      localStorage.played = Number(localStorage.played ?? 0) + 1; // in all tabs
      return start.apply(this, args);
    };
"""


@pytest.fixture
def env(env: dict[str, str]) -> dict[str, str]:
    return {**env, "CSAPP_MESSAGE_RATE": "0"}


@pytest.fixture
def shop(run: Run, env: dict[str, str]) -> LiveServer:
    return run(env=env)


def launcher(page: Page) -> Any:
    return page.locator("csapp-widget .launcher")


# ---- the whole story -------------------------------------------------------


def test_a_chat_from_the_question_to_the_end(shop: LiveServer, visit: Visit) -> None:
    ann = ask(visit(f"{shop.url}/"), "Where is my order?")
    expect(ann.get_by_text("Your question is in line.")).to_be_visible()
    expect(ann.get_by_text("Waits for somebody")).to_be_visible()
    with Waiter(shop) as ada:
        ada.meets()
        assert ada.reads() == "Where is my order?"
        expect(ann.get_by_role("heading", name="Ada")).to_be_visible()
        expect(ann.get_by_text("Sent", exact=True)).to_be_visible()
        ada.tells("typing", on=True)
        expect(ann.get_by_text("Ada is typing")).to_be_visible()
        ada.writes("On its way.")
        expect(log(ann)).to_contain_text("On its way.")
        expect(ann.get_by_text("Ada is typing")).to_have_count(0)
        assert ada.hears("read")["payload"] == {"seq": 3}
        ann.get_by_role("textbox").press_sequentially("Than")
        assert ada.hears("typing")["payload"] == {"on": True}
        write(ann, "Thank you!")
        assert ada.reads() == "Thank you!"
        expect(ann.get_by_text("Read", exact=True)).to_have_count(0)
        ada.tells("read", seq=4)
        expect(ann.get_by_text("Read", exact=True)).to_be_visible()
        ann.get_by_role("button", name="End chat").click()
        ann.get_by_role("button", name="Keep chatting").click()
        write(ann, "And one more thing.")
        assert ada.reads() == "And one more thing."
        ann.get_by_role("button", name="End chat").click()
        ann.get_by_role("button", name="End chat").last.click()
        ada.hears("disconnected")
        expect(ann.get_by_text("You have ended this chat.").first).to_be_visible()
        expect(ann.get_by_role("textbox")).to_be_hidden()
        expect(ann.get_by_role("button", name="Start a new chat")).to_be_focused()
        ann.keyboard.press("Enter")
        expect(ann.get_by_role("textbox", name="Your question")).to_be_focused()
        write(ann, "A new question.")
        ada.meets()
        assert ada.reads() == "A new question."
        expect_texts(ann, ["You: A new question."])


def test_the_host_says_what_of_a_page_is_told(shop: LiveServer, visit: Visit) -> None:
    page = visit(f"{shop.url}/?token=s3cret#s3cret")
    told = [f"{shop.url}/", "Reset your password", "", f"{shop.url}/basket", f"{shop.url}/"]
    steps = [
        "",
        "csapp('page', 'Reset your password')",
        "csapp('page', 'off')",
        f"csapp('page', '{shop.url}/basket?s3cret')",
        "csapp('page', null)",
    ]
    with Waiter(shop) as ada:
        for step, expected in zip(steps, told, strict=True):
            page.evaluate(step)
            if step:
                page.get_by_role("button", name="Start a new chat").click()
                write(page, "Hello?")
            else:
                ask(page, "Hello?")
            peer = ada.hears("new_connection")["payload"]
            ada.user = peer["uuid"]
            assert peer["page"] == expected, step
            ada.ends()


def test_a_tag_says_what_of_its_page_is_told(shop: LiveServer, visit: Visit) -> None:
    page = visit(f"{shop.url}/")
    page.evaluate("document.querySelector('csapp-widget').dataset.page = 'Checkout'")
    ask(page, "Hello?")
    with Waiter(shop) as ada:
        assert ada.hears("new_connection")["payload"]["page"] == "Checkout"


def test_positions_in_the_queue(shop: LiveServer, visit: Visit) -> None:
    ann = ask(visit(f"{shop.url}/"), "I am Ann.")
    expect(ann.get_by_text("Your question is in line.")).to_be_visible()
    bob = ask(visit(f"{shop.url}/"), "I am Bob.")
    expect(bob.get_by_text("1 person ahead of you")).to_be_visible()
    cleo = ask(visit(f"{shop.url}/"), "I am Cleo.")
    expect(cleo.get_by_text("2 people ahead of you")).to_be_visible()
    ann.get_by_role("button", name="Leave the line").click()
    expect(ann.get_by_role("textbox", name="Your question")).to_have_value("I am Ann.")
    ann.bring_to_front()
    expect(ann.get_by_role("textbox")).to_be_focused()
    expect(bob.get_by_text("Your question is in line.")).to_be_visible()
    expect(cleo.get_by_text("1 person ahead of you")).to_be_visible()
    ann.get_by_role("button", name="Send").click()
    expect(ann.get_by_text("2 people ahead of you")).to_be_visible()


def test_the_queue_is_full(run: Run, visit: Visit) -> None:
    full = run(env={"CSAPP_MAX_QUEUE": "0"})
    page = ask(visit(f"{full.url}/"), "Hello?")
    expect(page.get_by_role("status").get_by_text("Too many people are waiting.")).to_be_visible()
    page.get_by_role("button", name="Leave the line").click()
    expect(page.get_by_role("textbox")).to_have_value("Hello?")


def test_another_waiter_takes_over(run: Run, env: dict[str, str], visit: Visit) -> None:
    patient = {"CSAPP_GRACE": "60", "CSAPP_HEARTBEAT": "3600"}
    server = run(clocked.GUNICORN, env={**env, **patient})
    with Waiter(server) as ada:
        ann = ask(visit(f"{server.url}/"), "Hello?")
        ada.meets()
        ada.reads()
        ada.writes("One moment.")
        expect(log(ann)).to_contain_text("One moment.")
    expect(ann.get_by_text("Away for a moment")).to_be_visible()
    clocked.let_pass(server, 60)
    expect(ann.get_by_text("Your question is in line.")).to_be_visible()
    write(ann, "Still there?")
    with Waiter(server, "lin", "Lin") as lin:
        lin.meets()
        assert lin.reads() == "Still there?"
        lin.writes("This is Lin.")
        expect(ann.get_by_role("heading", name="Lin")).to_be_visible()
        expect(log(ann)).to_contain_text("This is Lin.")
        expect_texts(ann, ["You: Hello?", "One moment.", "You: Still there?", "This is Lin."])


# ---- before the first click ---------------------------------------------------


def test_nothing_is_kept_or_opened_before_the_first_click(shop: LiveServer, visit: Visit) -> None:
    page = visit(f"{shop.url}/healthz", expected=NO_ICON)
    sockets: list[str] = []
    asked: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    page.on("request", lambda request: asked.append(request.url.removeprefix(shop.url)))
    page.goto(f"{shop.url}/")
    expect(launcher(page)).to_be_visible()
    kept = "[document.cookie, localStorage.length, sessionStorage.length]"
    assert page.evaluate(kept) == ["", 0, 0]
    assert page.context.cookies() == []
    assert not sockets
    assert not [url for url in asked if "panel" in url or "client" in url or "/v1/" in url]
    open_chat(page)
    expect(page.get_by_text("Nobody is here right now.", exact=True)).to_be_visible()
    assert len(sockets) == 1
    assert page.evaluate(kept)[0] == ""


# ---- reloads, other pages ---------------------------------------------------------


def test_reload_in_every_state(shop: LiveServer, visit: Visit) -> None:
    ann = open_chat(visit(f"{shop.url}/"))
    ann.get_by_role("textbox").fill("Where is")
    ann.reload()
    expect(ann.get_by_role("textbox", name="Your question")).to_have_value("Where is")
    write(ann, "Where is my order?")
    expect(ann.get_by_text("Your question is in line.")).to_be_visible()
    ann.reload()
    expect(ann.get_by_text("Your question is in line.")).to_be_visible()
    expect_texts(ann, ["You: Where is my order?"])
    with Waiter(shop) as ada:
        ada.meets()
        assert ada.reads() == "Where is my order?"
        ada.writes("On its way.")
        expect(log(ann)).to_contain_text("On its way.")
        ann.get_by_role("textbox").fill("Than")
        ann.reload()
        expect(ann.get_by_role("heading", name="Ada")).to_be_visible()
        expect(log(ann)).to_contain_text("On its way.")
        expect_texts(ann, ["You: Where is my order?", "On its way."])
        expect(ann.get_by_role("textbox")).to_have_value("Than")
        write(ann, "Thank you")
        assert ada.reads() == "Thank you"
        ada.ends()
        expect(ann.get_by_role("button", name="Start a new chat")).to_be_visible()
        ann.reload()
        expect(ann.get_by_role("button", name="Start a new chat")).to_be_visible()
        expect(log(ann)).to_contain_text("Thank you")


def test_the_chat_goes_on_on_the_next_page(
    run: Run, env: dict[str, str], visit: Visit, browser: Browser
) -> None:
    host = run("tests.browser.hosts:strict", prefix="/support", env=env)
    ann = visit(host.url.removesuffix("/support") + "/")
    with Waiter(host) as ada:
        ask(ann, "Where is my order?")
        ada.meets()
        ada.reads()
        ann.get_by_role("link", name="Second page").click()
        ann.wait_for_url("**/second")
        expect(ann.get_by_role("dialog")).to_be_visible()
        ada.writes("On its way.")
        expect(log(ann)).to_contain_text("On its way.")
        close_chat(ann)
        ann.get_by_role("link", name="First page").click()
        ada.writes("It comes tomorrow.")
        expect(ann.get_by_role("button", name="Open chat, 1 unread message")).to_be_visible()
        expect(ann.get_by_role("dialog")).to_be_hidden()
        open_chat(ann)
        expect_texts(ann, ["You: Where is my order?", "On its way.", "It comes tomorrow."])
        expect(launcher(ann)).to_have_accessible_name("Close chat")


def test_older_messages_come_on_scrolling_up(shop: LiveServer, visit: Visit) -> None:
    ann = ask(visit(f"{shop.url}/"), "Read me something.")
    with Waiter(shop) as ada:
        ada.meets()
        ada.reads()
        for number in range(120):
            ada.writes(f"Verse {number}")
        expect(log(ann)).to_contain_text("Verse 119")
        ann.reload()
        expect(log(ann)).to_contain_text("Verse 119")
        expect(log(ann).get_by_text("Verse 100", exact=True)).to_be_attached()
        assert "You: Read me something." not in texts(ann)
        first = log(ann).locator(".bubble").first
        seen = first.text_content()
        log(ann).evaluate("log => { log.scrollTop = 40 }")
        expect(first).not_to_have_text(seen or "")
        # what was looked at has not moved from under the eyes
        box = log(ann).get_by_text(seen or "", exact=True).bounding_box()
        assert box
        assert 0 < box["y"] < 800
        while "You: Read me something." not in texts(ann):
            earliest = first.text_content() or ""
            log(ann).evaluate("log => { log.scrollTop = 0 }")
            expect(first).not_to_have_text(earliest)
        expect_texts(ann, ["You: Read me something.", *(f"Verse {n}" for n in range(120))])


# ---- bad lines, dying servers -----------------------------------------------------


@pytest.mark.usefixtures("cuttable")
def test_the_network_is_cut_and_returns(shop: LiveServer, visit: Visit) -> None:
    ann = visit(f"{shop.url}/", expected=CUT)
    with Waiter(shop) as ada:
        ask(ann, "Hello?")
        ada.meets()
        ada.reads()
        expect(ann.get_by_text("Sent", exact=True)).to_be_visible()
        ann.context.set_offline(True)
        write(ann, "I am in a tunnel.")
        expect(ann.get_by_text("Sending…")).to_be_visible()
        ada.sends("Are you there?")
        expect(ann.get_by_text("The connection is lost.")).to_be_visible()
        ann.context.set_offline(False)
        expect(ann.get_by_text("The connection is lost.")).to_be_hidden()
        assert ada.reads() == "I am in a tunnel."
        expect(log(ann)).to_contain_text("Are you there?")
        expect(ann.get_by_text("Sending…")).to_have_count(0)
        assert sorted(texts(ann)) == ["Are you there?", "You: Hello?", "You: I am in a tunnel."]


def test_a_phone_that_has_slept_for_minutes_is_back_in_its_chat(
    run: Run, env: dict[str, str], visit: Visit
) -> None:
    """It has thrown the page away meanwhile, and loads it again."""
    server = run(clocked.GUNICORN, env={**env, "CSAPP_HEARTBEAT": "3600"})
    ann = visit(f"{server.url}/")
    with Waiter(server) as ada:
        ask(ann, "Hello?")
        conversation = ada.meets()
        ada.reads()
        expect(ann.get_by_text("Sent", exact=True)).to_be_visible()
        ann.goto("about:blank")
        assert ada.hears("presence")["payload"]["state"] == "away"
        clocked.let_pass(server, 300)
        ada.writes("Still there?")
        ann.goto(f"{server.url}/")
        assert ada.hears("presence")["payload"]["state"] == "online"
        expect(log(ann)).to_contain_text("Still there?")
        write(ann, "Yes, I am.")
        while (said := ada.hears("message_text"))["payload"]["message"] != "Yes, I am.":
            pass
        assert said["conversation"] == conversation


def test_the_server_is_killed_while_somebody_types(
    run: Run, env: dict[str, str], visit: Visit
) -> None:
    env["CSAPP_GRACE"] = "60"
    port = free_port()
    server = run(env=env, port=port)
    ann = visit(f"{server.url}/", expected=CUT)
    ada = Waiter(server)
    ask(ann, "Hello?")
    conversation = ada.meets()
    ada.reads()
    expect(ann.get_by_text("Sent", exact=True)).to_be_visible()
    ann.get_by_role("textbox").press_sequentially("My order ")
    for pid in (server.worker_pid, server.process.pid):
        os.kill(pid, SIGKILL)
    server.wait()
    expect(ann.get_by_text("The connection is lost.")).to_be_visible()
    ann.get_by_role("textbox").press_sequentially("is 1042.")
    expect(ann.get_by_role("textbox")).to_have_value("My order is 1042.")
    ann.get_by_role("textbox").press("Enter")
    expect(ann.get_by_text("Sending…")).to_be_visible()
    again = run(env=env, port=port)
    with Waiter(again) as ada:
        assert ada.meets() == conversation
        assert ada.reads() == "My order is 1042."
    expect(ann.get_by_text("The connection is lost.")).to_be_hidden()
    expect_texts(ann, ["You: Hello?", "You: My order is 1042."])


@pytest.mark.usefixtures("cuttable")
def test_a_message_to_an_ended_chat_can_be_said_in_a_new_one(
    shop: LiveServer, visit: Visit
) -> None:
    ann = visit(f"{shop.url}/", expected=CUT)
    with Waiter(shop) as ada:
        ask(ann, "Hello?")
        ada.meets()
        ada.reads()
        expect(ann.get_by_text("Sent", exact=True)).to_be_visible()
        ann.context.set_offline(True)
        write(ann, "Did you hear that?")
        ada.ends()
        expect(ann.get_by_text("The connection is lost.")).to_be_visible()
        ann.context.set_offline(False)
        expect(ann.get_by_text("Not sent.")).to_be_visible()
        expect(ann.get_by_role("button", name="Start a new chat")).to_be_visible()
        ann.get_by_role("button", name="Try again").click()
        ada.meets()
        assert ada.reads() == "Did you hear that?"
        expect(ann.get_by_role("textbox")).to_be_visible()


def test_the_panel_cannot_be_loaded(shop: LiveServer, visit: Visit) -> None:
    page = visit(f"{shop.url}/", expected=("ERR_FAILED",))
    page.route("**/panel.js*", lambda route: route.abort())
    page.get_by_role("button", name="Open chat").click()
    expect(page.get_by_text("The chat cannot be loaded.")).to_be_visible()
    page.unroute("**/panel.js*")
    open_chat(page)
    expect(page.get_by_text("The chat cannot be loaded.")).to_be_hidden()


# ---- several tabs ----------------------------------------------------------------


@pytest.mark.usefixtures("heard")
def test_tabs_agree(shop: LiveServer, visit: Visit) -> None:
    one = visit(f"{shop.url}/")
    two = one.context.new_page()
    for page in (one, two):
        page.add_init_script(EAR)
        page.goto(f"{shop.url}/")
        page.locator("h1").click()  # a page that was never touched plays nothing
    with Waiter(shop) as ada:
        ask(one, "Hello?")
        ada.meets()
        ada.reads()
        close_chat(one)
        expect(two.get_by_role("button", name="Open chat")).to_be_visible()
        ada.writes("Good morning.")
        for page in (one, two):
            expect(launcher(page)).to_have_accessible_name("Open chat, 1 unread message")
        until(one, "localStorage.played === '2'")  # two tones, one sound
        assert one.evaluate("played") + two.evaluate("played") == 2
        ada.tells("read", seq=2)  # what the other side reads is not read here
        ada.tells("typing", on=True)
        ada.writes("Are you there?")
        for page in (one, two):
            expect(launcher(page)).to_have_accessible_name("Open chat, 2 unread messages")
        open_chat(two)
        expect_texts(two, ["You: Hello?", "Good morning.", "Are you there?"])
        expect(launcher(one)).to_have_accessible_name("Open chat")
        write(two, "Good morning, Ada.")
        assert ada.reads() == "Good morning, Ada."
        open_chat(one)
        expect(log(one)).to_contain_text("Good morning, Ada.")
        one.get_by_role("button", name="Mute sound").click()
        expect(two.get_by_role("button", name="Turn sound on")).to_be_visible()
        before = one.evaluate("played") + two.evaluate("played")
        for page in (one, two):
            close_chat(page)
        ada.writes("Psst.")
        for page in (one, two):
            expect(launcher(page)).to_have_accessible_name("Open chat, 1 unread message")
        assert one.evaluate("played") + two.evaluate("played") == before
        open_chat(one)
        one.get_by_role("button", name="End chat").click()
        one.get_by_role("button", name="End chat").last.click()
        ada.hears("disconnected")
        expect(launcher(two)).to_have_accessible_name("Open chat")
        open_chat(two)
        expect(two.get_by_role("button", name="Start a new chat")).to_be_visible()
        two.get_by_role("button", name="Start a new chat").click()
        expect(one.get_by_role("textbox", name="Your question")).to_be_visible()
        write(two, "Again me.")
        ada.meets()
        assert ada.reads() == "Again me."
        expect(log(one)).to_contain_text("Again me.")


def test_a_tab_leaves_the_queue_for_all(shop: LiveServer, visit: Visit) -> None:
    one = ask(visit(f"{shop.url}/"), "Hello?")
    expect(one.get_by_text("Your question is in line.")).to_be_visible()
    two = one.context.new_page()
    two.goto(f"{shop.url}/")
    open_chat(two)
    expect(two.get_by_text("Your question is in line.")).to_be_visible()
    one.get_by_role("button", name="Leave the line").click()
    expect(two.get_by_role("textbox", name="Your question")).to_be_visible()


def test_a_place_in_the_queue_is_left_on_all_devices(shop: LiveServer, visit: Visit) -> None:
    """Of a visitor who is signed in on two."""
    here, there = visit(f"{shop.url}/"), visit(f"{shop.url}/")
    for page, text in ((here, "Hello?"), (there, "Is anybody there?")):
        page.evaluate("token => csapp('identify', token)", shop.token("user", "ann", "Ann"))
        ask(page, text)
        expect(page.get_by_text("Your question is in line.")).to_be_visible()
    here.get_by_role("button", name="Leave the line").click()
    for page, text in ((here, "Hello?"), (there, "Is anybody there?")):
        expect(page.get_by_role("textbox", name="Your question")).to_have_value(text)
    there.get_by_role("textbox").press("Enter")
    for page in (here, there):
        expect(page.get_by_text("Your question is in line.")).to_be_visible()
    with Waiter(shop) as ada:
        ada.meets()
        for page in (here, there):
            expect(page.get_by_role("heading", name="Ada")).to_be_visible()
        assert ada.reads() == "Is anybody there?"


# ---- hosts --------------------------------------------------------------------------


def shape(page: Page) -> dict[str, Any]:
    """Where the parts are and how they look."""
    measured: dict[str, Any] = page.evaluate(
        """() => {
          const root = document.querySelector("csapp-widget").shadowRoot;
          const look = (one) => {
            const { x, y, width, height } = one.getBoundingClientRect();
            const style = getComputedStyle(one);
            const names = ["display", "color", "fontFamily", "fontSize", "opacity", "position",
              "float", "backgroundColor"];
            // WebKit has two names for its usual font
            const looks = names.map((name) => style[name].replace("-webkit-standard", "serif"));
            return [x, y, width, height, ...looks];
          };
          const parts = [".launcher", ".panel", ".head", "textarea", ".send", ".bubble", ".meta"];
          const looks = parts.map((part) => [part, look(root.querySelector(part))]);
          return { host: look(root.host), ...Object.fromEntries(looks) };
        }"""
    )
    return measured


def test_hostile_styles_stay_outside(run: Run, visit: Visit) -> None:
    """The same to the pixel as on a page that leaves it alone; and all of it works."""
    shapes = []
    for kind in ("strict", "hostile"):
        host = run(f"tests.browser.hosts:{kind}", prefix="/support")
        page = visit(host.url.removesuffix("/support") + "/", reduced_motion="reduce")
        with Waiter(host) as ada:
            ask(page, "Hello?")
            ada.meets()
            assert ada.reads() == "Hello?"
            expect(page.get_by_text("Sent", exact=True)).to_be_visible()
            page.mouse.move(0, 0)
            shapes.append(shape(page))
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("side", ["visitor", "waiter"])
def test_markup_is_only_text(shop: LiveServer, visit: Visit, side: str) -> None:
    """Whoever writes it; in names, too; also when it comes from the history."""
    ann = ask(visit(f"{shop.url}/"), "Hello?")
    with Waiter(shop, name=MARKUP[0]) as ada:
        ada.meets()
        ada.reads()
        ada.tells("typing", on=True)
        expect(ann.get_by_text(f"{MARKUP[0]} is typing")).to_be_visible()
        for text in MARKUP:
            if side == "visitor":
                write(ann, text)
                assert ada.reads() == text
            else:
                ada.writes(text)
        for _ in range(2):
            for text in MARKUP:
                expect(log(ann)).to_contain_text(text)
            expect(ann.get_by_role("heading", name=MARKUP[0])).to_be_visible()
            expect(log(ann).locator(".bubble").locator("script, img, svg, a")).to_have_count(0)
            assert "owned" not in ann.title()
            ann.reload()


def test_links_are_links(shop: LiveServer, visit: Visit) -> None:
    ann = ask(visit(f"{shop.url}/"), "Hello?")
    with Waiter(shop) as ada:
        ada.meets()
        ada.writes("See https://example.org/a?b=1&c=<d>, and (http://example.org/e).")
        links = log(ann).get_by_role("link")
        expect(links).to_have_count(2)
        urls = [link.get_attribute("href") for link in links.all()]
        assert urls == ["https://example.org/a?b=1&c=", "http://example.org/e"]
        assert links.first.get_attribute("rel") == "noopener noreferrer nofollow"


# ---- keyboard, screen reader, phone ---------------------------------------------------


def test_with_the_keyboard_alone(shop: LiveServer, visit: Visit) -> None:
    page = visit(f"{shop.url}/")
    button = launcher(page)
    expect(button).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("Tab")
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_role("textbox", name="Your question")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(button).to_be_focused()
    expect(button).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("Space")
    page.keyboard.type("First line")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("second line")
    with Waiter(shop) as ada:
        page.keyboard.press("Enter")
        ada.meets()
        assert ada.reads() == "First line\nsecond line"
        expect(page.get_by_role("textbox", name="Write a message")).to_be_focused()
        ada.writes("Hello.")
        for name in ("Attach a file", "Messages", "Close chat", "Mute sound", "End chat"):
            page.keyboard.press("Shift+Tab")
            expect(page.locator("csapp-widget :focus")).to_have_accessible_name(name)
        page.keyboard.press("Enter")
        expect(page.locator(".foot button").first).to_be_focused()
        page.keyboard.press("Enter")
        ada.hears("disconnected")
        expect(page.get_by_role("button", name="Start a new chat")).to_be_focused()


def press_and_wait(page: Page, held: str) -> Route:
    """Open the chat with the keyboard; what comes back is the request for *held*, which waits."""
    asked: list[Route] = []

    def hold(route: Route) -> None:
        asked.append(route)

    page.route(held, hold)
    expect(launcher(page)).to_be_visible()
    page.keyboard.press("Tab")
    expect(launcher(page)).to_be_focused()
    with page.expect_request(held):
        page.keyboard.press("Space")
    expect(launcher(page)).to_have_attribute("aria-busy", "true")
    return asked[0]


@pytest.mark.engines("chromium", "firefox")  # which presses a button by a space of its own accord
def test_no_letter_is_lost_while_the_panel_is_loaded(shop: LiveServer, visit: Visit) -> None:
    """Also with a space, a correction and a second line; a shortcut of the browser is no letter."""
    page = visit(f"{shop.url}/")
    waiting = press_and_wait(page, "**/widget/panel.js*")
    page.keyboard.type("My firsx")
    page.keyboard.press("Backspace")
    page.keyboard.type("t onex")
    page.keyboard.press("Backspace")
    page.keyboard.press("Control+b")
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("And")
    waiting.continue_()
    box = page.get_by_role("textbox", name="Your question")
    expect(box).to_be_focused()
    page.keyboard.type(" more")
    expect(box).to_have_value("My first one\nAnd more")
    expect(page.get_by_role("dialog")).to_be_visible()
    # kept as if it had been typed there, and put in once
    page.keyboard.press("Escape")
    page.keyboard.press("Space")
    page.keyboard.type("!")
    expect(box).to_have_value("My first one\nAnd more!")


def test_only_what_is_new_is_announced(shop: LiveServer, visit: Visit) -> None:
    ann = ask(visit(f"{shop.url}/"), "Hello?")
    with Waiter(shop) as ada:
        ada.meets()
        ada.reads()
        ada.writes("Good morning.")
        heard = ann.get_by_role("dialog").locator("[aria-live=polite]")
        expect(heard).to_have_text("You are talking to Ada.Ada: Good morning.")
        expect(log(ann)).to_have_attribute("aria-live", "off")
        ann.reload()
        expect(log(ann)).to_contain_text("Good morning.")
        ada.writes("How can I help?")
        expect(heard).to_have_text("Ada: How can I help?")


def test_on_a_phone_it_takes_the_screen(shop: LiveServer, visit: Visit) -> None:
    page = visit(f"{shop.url}/", viewport=PHONE, has_touch=True, is_mobile=True)
    open_chat(page)
    panel = page.get_by_role("dialog")
    panel.evaluate("panel => Promise.all(panel.getAnimations().map(one => one.finished))")
    assert panel.bounding_box() == {"x": 0, "y": 0, **PHONE}
    size = page.get_by_role("textbox").evaluate("box => parseFloat(getComputedStyle(box).fontSize)")
    assert size >= 16
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert panel.evaluate("panel => panel.matches(':modal')")  # nothing behind can be reached
    # no keyboard jumps up before it is asked for
    expect(page.get_by_role("textbox")).not_to_be_focused()
    close_chat(page)
    expect(launcher(page)).to_be_focused()


# ---- languages, colours ----------------------------------------------------------------

HEBREW = {
    "direction": "rtl",
    "open": "פתיחת צ׳אט",
    "greeting": "איך אפשר לעזור?",
    "in_line": "השאלה שלך בתור",
    "ahead": {
        "0": "התור הבא שלך",
        "one": "לפניך אדם אחד",
        "two": "לפניך שניים",
        "other": "{n} לפניך",
    },
}


def test_chinese(shop: LiveServer, visit: Visit) -> None:
    page = visit(f"{shop.url}/", locale="zh-CN")
    page.evaluate("document.documentElement.lang = 'zh-CN'")
    page.evaluate("csapp('setLocale')")
    page.get_by_role("button", name="打开聊天").click()
    greeting = page.get_by_role("dialog").get_by_role("heading", name="有什么可以帮您？")
    expect(greeting).to_be_visible()
    write(page, "你好")
    expect(page.get_by_text("您的问题正在排队。")).to_be_visible()
    page.evaluate("csapp('setLocale', 'en')")
    expect(page.get_by_text("Your question is in line.")).to_be_visible()
    expect(page.get_by_role("button", name="Close chat").first).to_be_visible()


def test_a_catalogue_of_the_hosts_own_from_right_to_left(shop: LiveServer, visit: Visit) -> None:
    page = visit(f"{shop.url}/")
    page.route("**/he.json", lambda route: route.fulfill(json=HEBREW))
    page.evaluate("csapp('setLocale', 'he', '/he.json')")
    page.get_by_role("button", name="פתיחת צ׳אט").click()
    expect(page.get_by_role("heading", name="איך אפשר לעזור?")).to_be_visible()
    page.mouse.move(0, 0)
    expect(launcher(page)).to_have_css("transform", "none")
    box, panel = launcher(page).bounding_box(), page.get_by_role("dialog").bounding_box()
    assert box
    assert panel
    assert box["x"] == panel["x"] == 24
    write(page, "שלום")
    expect(page.get_by_text("השאלה שלך בתור")).to_be_visible()
    expect(page.get_by_role("button", name="Leave the line")).to_be_visible()  # not translated
    bubble, area = log(page).locator(".bubble").bounding_box(), log(page).bounding_box()
    assert bubble
    assert area
    assert bubble["x"] < area["x"] + 32  # one's own are at the end, which is left


def test_themes(shop: LiveServer, visit: Visit) -> None:
    page = open_chat(visit(f"{shop.url}/", color_scheme="light"))
    panel = page.get_by_role("dialog")
    expect(panel).to_have_css("background-color", "rgb(255, 255, 255)")
    page.evaluate("csapp('setTheme', 'dark')")
    expect(panel).to_have_css("background-color", "rgb(26, 29, 34)")
    page.evaluate("csapp('setTheme', 'auto')")
    page.emulate_media(color_scheme="dark")
    expect(panel).to_have_css("background-color", "rgb(26, 29, 34)")
    page.evaluate(
        """() => {
          const sheet = new CSSStyleSheet();
          sheet.replaceSync(`
            csapp-widget { --csapp-accent: rgb(1 2 3); --csapp-width: 360px }
            csapp-widget::part(header) { background: rgb(4 5 6) }`);
          document.adoptedStyleSheets = [sheet];
        }"""
    )
    expect(launcher(page)).to_have_css("background-color", "rgb(1, 2, 3)")
    expect(panel).to_have_css("width", "360px")
    expect(page.locator("csapp-widget .head")).to_have_css("background-color", "rgb(4, 5, 6)")


# ---- the page's own script -----------------------------------------------------------------

QUEUE = """
    window.csapp = window.csapp || function () { (csapp.q = csapp.q || []).push(arguments) };
    window.heard = [];
    for (const type of ["ready", "open", "close", "message", "unread", "status", "error"])
      csapp("on", type, (detail) => heard.push([type, detail]));
    csapp("nonsense");
    csapp.q.push(null);
    csapp("setTheme", "dark");
    csapp("open");
"""


def heard(page: Page, type_: str) -> list[Any]:
    """The details of all events of *type_*."""
    events: list[list[Any]] = page.evaluate("heard")
    return [detail for name, detail in events if name == type_]


def test_commands_before_it_is_loaded_and_events(shop: LiveServer, visit: Visit) -> None:
    page = visit(f"{shop.url}/healthz", expected=(*NO_ICON, "there is no command", "itera"))
    page.add_init_script(QUEUE)
    page.goto(f"{shop.url}/")
    panel = page.get_by_role("dialog")
    expect(panel).to_have_css("background-color", "rgb(26, 29, 34)")
    with Waiter(shop) as ada:
        write(page, "Hello?")
        ada.meets()
        ada.writes("Good morning.")
        expect(log(page)).to_contain_text("Good morning.")
        page.evaluate("csapp('close')")
        expect(panel).to_be_hidden()
        ada.writes("Are you there?")
        expect(launcher(page)).to_have_accessible_name("Open chat, 1 unread message")
        page.evaluate("csapp('toggle')")
        expect(panel).to_be_visible()
        expect(launcher(page)).to_have_accessible_name("Close chat")
        names = [type_ for type_, _ in page.evaluate("heard")]
        turns = [name for name in names if name in ("ready", "open", "close")]
        assert turns == ["ready", "open", "close", "open"]
        said = [(one["own"], one["text"]) for one in heard(page, "message")]
        assert said == [(True, "Hello?"), (False, "Good morning."), (False, "Are you there?")]
        assert [one["count"] for one in heard(page, "unread")][-2:] == [1, 0]
        assert heard(page, "status")[-1] == {
            "phase": "served", "connection": "online", "name": "Ada",
        }  # fmt: skip
        page.evaluate("csapp('reset')")
        ada.hears("disconnected")
        expect(panel).to_be_hidden()
        assert page.evaluate("Object.keys(localStorage).filter(key => key.endsWith('/'))") == []
        open_chat(page)
        greeting = page.get_by_role("dialog").get_by_role("heading", name="How can we help?")
        expect(greeting).to_be_visible()


#: what a host's code may give, by mistake: each of them is no text, or no value at all
ODD = """
[undefined, null, 7n, NaN, Symbol("x"), {}, Object.create(null), [], () => {}, new Date(NaN),
 { toString() { throw new Error("odd") } }, { toString: null, valueOf: null },
 new Proxy({}, { get() { throw new Error("odd") } }), "toString", "__proto__"]
"""


def test_no_value_of_a_host_is_answered_with_an_error_of_our_code(
    shop: LiveServer, visit: Visit
) -> None:
    page = visit(f"{shop.url}/", expected=("status of 404", "WebSocket connection to"))
    page.evaluate("csapp('page', Object.create(null))")
    open_chat(page)
    thrown = page.evaluate(
        f"""() => {{
          const commands = ["page", "setLocale", "setTheme", "on", "off", "identify"];
          const thrown = [];
          const attempt = (...call) => {{
            try {{ csapp(...call); }} catch (error) {{ thrown.push(error.message); }}
          }};
          for (const odd of {ODD}) {{
            for (const command of commands) attempt(command, odd, odd);
            attempt(odd);
          }}
          csapp("identify", null);
          csapp("on", "toString", () => {{}});
          return thrown;
        }}"""
    )
    assert [one for one in thrown if not one.startswith("csapp: ")] == []
    page.evaluate("csapp('setLocale', 'en')")
    expect(page.get_by_role("textbox", name="Your question")).to_be_visible()


def test_off_ends_listening(shop: LiveServer, visit: Visit) -> None:
    page = visit(f"{shop.url}/")
    expect(launcher(page)).to_be_visible()
    page.evaluate(
        """() => {
          window.heard = 0;
          const listen = () => { heard += 1 };
          csapp("on", "open", listen);
          csapp("on", "close", () => { csapp("off", "open", listen); heard += 10 });
        }"""
    )
    for _ in range(2):
        open_chat(page)
        page.evaluate("csapp('close')")
    assert page.evaluate("heard") == 21


def test_the_page_says_who_the_visitor_is(shop: LiveServer, visit: Visit) -> None:
    page = visit(f"{shop.url}/")
    page.evaluate("token => csapp('identify', token)", shop.token("user", "user-7", "Ann"))
    assert page.evaluate("localStorage.length") == 0
    with Waiter(shop) as ada:
        ask(page, "Hello?")
        assert ada.hears("new_connection")["payload"]["name"] == "Ann"


def outlive(server: LiveServer) -> None:
    """Wait until a token that was signed now has run out."""
    with Client(server, "user") as other:
        other.auth(server.token("user", "other", lifetime=SHORT))
        assert other.closed() == CloseCode.UNAUTHENTICATED


def test_a_function_that_says_who_the_visitor_is_is_asked_again(
    shop: LiveServer, visit: Visit
) -> None:
    page = visit(f"{shop.url}/")
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    tokens = [shop.token("user", "user-7", "Ann", life) for life in (SHORT, 3600)]
    page.evaluate(
        "tokens => csapp('identify', async () => tokens[1] ? tokens.shift() : tokens[0])", tokens
    )
    with Waiter(shop) as ada:
        ask(page, "Hello?")
        ada.user = ada.hears("new_connection")["payload"]["uuid"]
        assert ada.reads() == "Hello?"
        outlive(shop)
        ada.writes("Still here.")
        expect(log(page)).to_contain_text("Still here.")
    assert len(sockets) == 1


def test_the_host_is_asked_again_who_a_visitor_is(
    run: Run, env: dict[str, str], visit: Visit
) -> None:
    """It goes on while the host says so, and ends when it does not, whoever forgot to tell us."""
    short = {**env, "CSAPP_RECHECK": str(SHORT)}
    host = run("tests.browser.hosts:shop", prefix="/support", env=short)
    page = visit(f"{host.url}/healthz", expected=NO_ICON)
    signed_in(page, host, "ann")
    with Waiter(host) as ada:
        ask(page, "Hello?")
        ada.user = ada.hears("new_connection")["payload"]["uuid"]
        assert ada.reads() == "Hello?"
        outlive(host)
        ada.writes("Still here.")
        expect(log(page)).to_contain_text("Still here.")
        page.request.get(host.url.removesuffix("/support") + "/sign-out")
        expect(page.locator("[part~=message]", has_text="Still here.")).to_have_count(0)
        assert "Still here." not in page.evaluate("JSON.stringify(localStorage)")


# ---- one browser, one visitor ---------------------------------------------------------------


def signed_in(page: Page, host: LiveServer, name: str) -> None:
    page.goto(host.url.removesuffix("/support") + f"/sign-in/{name}")
    expect(launcher(page)).to_be_visible()


def test_another_visitor_at_the_same_browser_sees_nothing(
    run: Run, env: dict[str, str], visit: Visit
) -> None:
    host = run("tests.browser.hosts:shop", prefix="/support", env=env)
    page = visit(f"{host.url}/healthz", expected=NO_ICON)
    signed_in(page, host, "ann")
    with Waiter(host) as ada:
        ask(page, "My secret.")
        assert ada.hears("new_connection")["payload"]["name"] == "ann"
        expect(page.get_by_role("heading", name="Ada")).to_be_visible()
        page.reload()
        expect(log(page)).to_contain_text("My secret.")
        signed_in(page, host, "bob")
        greeting = page.get_by_role("dialog").get_by_role("heading", name="How can we help?")
        expect(greeting).to_be_visible()
        write(page, "I am Bob.")
        assert ada.hears("new_connection")["payload"]["name"] == "bob"
        expect_texts(page, ["You: I am Bob."])


def test_an_anonymous_visitor_is_the_same_one_after_the_token_has_run_out(
    run: Run, env: dict[str, str], visit: Visit
) -> None:
    server = run(env={**env, "CSAPP_TOKEN_LIFETIME": str(SHORT)})
    ann = ask(visit(f"{server.url}/"), "Hello?")
    with Waiter(server) as ada:
        conversation = ada.meets()
        assert ada.reads() == "Hello?"
        ann.goto("about:blank")
        old = ada.hears("presence")["payload"]["state"]
        assert old == "away"
        outlive(server)
        ann.goto(f"{server.url}/")
        expect(log(ann)).to_contain_text("Hello?")
        write(ann, "I am back.")
        frame = ada.hears("message_text")
        assert (frame["conversation"], frame["payload"]["message"]) == (conversation, "I am back.")


def test_on_a_page_of_another_origin(run: Run, env: dict[str, str], visit: Visit) -> None:
    port = free_port()
    chat = run(env={**env, "CSAPP_ALLOWED_ORIGINS": f"http://127.0.0.1:{port}"})
    shop = run("tests.browser.hosts:elsewhere", env={"CHAT": chat.url}, health="/", port=port)
    page = visit(f"{shop.url}/", expected=("asked for",))
    with Waiter(chat) as ada:
        ask(page, "From elsewhere.")
        ada.meets()
        assert ada.reads() == "From elsewhere."
        ada.writes("Welcome.")
        page.reload()
        expect(log(page)).to_contain_text("Welcome.")
