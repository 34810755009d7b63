"""What people expect of a chat: faces, previews, what is new, and an end that says why."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from testkit import LiveServer

from .conftest import Axe, Run, Visit
from .until import until
from .visitor import ask, close_chat, expect_texts, log, open_chat, write
from .waiter import Waiter

pytestmark = pytest.mark.browser

KIRITIMATI = timezone(timedelta(hours=14))
CUT = ("ERR_INTERNET_DISCONNECTED", "ERR_CONNECTION", "WebSocket connection to")


@pytest.fixture
def shop(run: Run, env: dict[str, str]) -> LiveServer:
    return run(env={**env, "CSAPP_MESSAGE_RATE": "0"})


def face(page: Page, where: str) -> Any:
    return page.locator(f"csapp-widget {where} .face")


# ---- faces -----------------------------------------------------------------


def test_a_waiter_has_a_face_in_the_header_and_beside_its_words(
    shop: LiveServer, visit: Visit
) -> None:
    page = ask(visit(f"{shop.url}/"), "Hello?")
    expect(face(page, ".head")).to_be_hidden()
    with Waiter(shop, name="Ada Berg") as ada:
        ada.meets()
        ada.reads()
        ada.writes("Hello!")
        ada.writes("How can I help?")
        expect(face(page, ".head")).to_have_text("AB")
        faces = face(page, ".log")
        expect(faces).to_have_count(2)
        expect(faces.first).to_be_hidden()  # one for what belongs together
        expect(faces.last).to_be_visible()
        colours = page.evaluate(
            """() => {
              const { shadowRoot } = document.querySelector("csapp-widget");
              return [...shadowRoot.querySelectorAll(".face")].map((face) => face.style.background);
            }"""
        )
        assert len(set(colours)) == 1
        ada.ends()
        expect(face(page, ".head")).to_be_visible()


def test_a_picture_takes_the_place_of_the_letters_where_it_comes(
    shop: LiveServer, visit: Visit, axe: Axe
) -> None:
    page = ask(visit(f"{shop.url}/", expected=("404",)), "Hello?")
    with Waiter(shop, avatar="/csapp-static/widget/icon.svg") as ada:
        ada.meets()
        ada.reads()
        ada.writes("Hello!")
        for where in (".head", ".log"):
            image = face(page, where).locator("img")
            expect(image).to_be_visible()
            expect(image).to_have_attribute("src", f"{shop.url}/csapp-static/widget/icon.svg")
            expect(face(page, where)).to_have_text("")
        axe(page)
        ada.ends()
    with Waiter(shop, "bob", "Bob", avatar="/nowhere.png") as bob:
        page.get_by_role("button", name="Start a new chat").click()
        with page.expect_response("**/nowhere.png"):
            write(page, "Hello?")
            bob.meets()
        expect(face(page, ".head")).to_have_text("B")
        expect(face(page, ".head").locator("img")).to_have_count(0)


# ---- before anybody has asked ----------------------------------------------


def test_the_first_screen_shows_who_is_there_and_what_is_often_asked(
    run: Run, visit: Visit, axe: Axe
) -> None:
    server = run(env={"CSAPP_QUICK_QUESTIONS": "Where is my order?|<b>Returns</b>"})
    with Waiter(server) as ada, Waiter(server, "bob", "Bob Carter"):
        page = open_chat(visit(f"{server.url}/"))
        team = re.compile(r"(Ada and Bob Carter|Bob Carter and Ada)$")
        expect(page.locator("csapp-widget .team")).to_have_text(team)
        expect(page.locator("csapp-widget .team bdi")).to_have_count(2)  # whichever way they run
        assert sorted(face(page, ".team").all_inner_texts()) == ["A", "BC"]
        questions = page.get_by_role("group", name="Often asked").get_by_role("button")
        expect(questions).to_have_text(["Where is my order?", "<b>Returns</b>"])
        axe(page)
        page.set_viewport_size({"width": 844, "height": 390})  # a phone on its side
        start = page.locator("csapp-widget .start").evaluate("start => start.clientHeight")
        assert start > 390 / 2, "there is room to read"
        page.mouse.move(600, 200)
        page.mouse.wheel(0, 1000)
        expect(questions.last).to_be_in_viewport(ratio=1)
        panel, launcher = (page.locator(f"csapp-widget .{one}") for one in ("panel", "launcher"))
        boxes = [one.bounding_box() for one in (panel, launcher)]
        assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"], "beside each other"
        page.get_by_role("textbox").fill("I also wonder …")
        questions.first.click()
        ada.meets()
        assert ada.reads() == "Where is my order?"
        expect_texts(page, ["You: Where is my order?"])
        expect(page.get_by_role("textbox")).to_have_value("I also wonder …")
        expect(page.get_by_role("textbox")).to_be_focused()


def test_without_team_and_questions_nothing_is_missed(run: Run, visit: Visit) -> None:
    server = run(env={"CSAPP_TEAM": "off"})
    with Waiter(server):
        page = open_chat(visit(f"{server.url}/"))
        expect(page.get_by_text("Somebody is here for you.")).to_be_visible()
        expect(page.locator("csapp-widget .team")).to_have_count(0)
        expect(page.locator("csapp-widget .questions")).to_be_hidden()


def test_a_long_name_keeps_its_beginning_and_one_line_from_right_to_left_too(
    shop: LiveServer, visit: Visit
) -> None:
    page = visit(f"{shop.url}/", locale="ar")
    page.locator("csapp-widget .launcher").click()
    write(page, "مرحبا")
    with Waiter(shop, name="Wolfeschlegelsteinhausenbergerdorff Hohenzollern") as waiter:
        waiter.meets()
        title = page.locator("csapp-widget .who h2")
        expect(title).to_have_text("Wolfeschlegelsteinhausenbergerdorff Hohenzollern")
        expect(title).to_have_css("direction", "ltr")  # what does not fit is cut at its end
        expect(title).to_have_css("text-align", "right")
        page.evaluate("csapp('close')")
        waiter.writes("Hello")
        name = page.locator("csapp-widget .preview b")
        expect(name).to_be_visible()
        expect(name).to_have_css("text-align", "right")
        heights = name.evaluate("b => [b.offsetHeight, b.scrollWidth > b.offsetWidth]")
        assert heights == [20, True]


# ---- a new answer ----------------------------------------------------------


def preview(page: Page) -> Any:
    return page.locator("csapp-widget .preview")


def test_an_answer_shows_its_first_words_while_the_panel_is_closed(
    shop: LiveServer, visit: Visit, axe: Axe
) -> None:
    page = ask(visit(f"{shop.url}/"), "Hello?")
    with Waiter(shop) as ada:
        ada.meets()
        ada.reads()
        close_chat(page)
        ada.writes("Here is what I found: " + "words " * 50)
        expect(preview(page)).to_contain_text("Here is what I found")
        expect(preview(page).locator("b")).to_have_text("Ada")
        expect(page.locator("csapp-widget [aria-live='polite'] >> nth=-1")).to_contain_text(
            "Ada: Here is what I found"
        )
        axe(page)
        preview(page).get_by_role("button", name="Dismiss").click()
        expect(preview(page)).to_be_hidden()
        ada.writes("And this.")
        expect(preview(page)).to_contain_text("And this.")
        preview(page).get_by_role("button", name=re.compile("And this")).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        expect(preview(page)).to_be_hidden()
        expect(log(page)).to_contain_text("And this.")


def test_who_has_muted_the_chat_sees_no_preview(shop: LiveServer, visit: Visit) -> None:
    page = ask(visit(f"{shop.url}/"), "Hello?")
    with Waiter(shop) as ada:
        ada.meets()
        page.get_by_role("button", name="Mute sound").click()
        close_chat(page)
        ada.writes("Hello!")
        expect(page.get_by_role("button", name="Open chat, 1 unread message")).to_be_visible()
        expect(preview(page)).to_have_count(0)


# ---- what is new -----------------------------------------------------------


def test_where_the_unread_begins_and_what_has_come_below(shop: LiveServer, visit: Visit) -> None:
    page = ask(visit(f"{shop.url}/"), "Hello?")
    with Waiter(shop) as ada:
        ada.meets()
        ada.reads()
        ada.writes("Hello!")
        expect(log(page)).to_contain_text("Hello!")
        ada.hears("read")
        close_chat(page)
        for number in range(15):
            ada.writes(f"answer {number}\nof several\nlines")
        expect(page.get_by_role("button", name="Open chat, 15 unread messages")).to_be_visible()
        open_chat_again(page)
        mark = page.locator("csapp-widget .unread")
        expect(mark).to_be_in_viewport()
        before = mark.evaluate("mark => mark.previousElementSibling.textContent")
        after = mark.evaluate("mark => mark.nextElementSibling.textContent")
        assert "Hello!" in before
        assert "answer 0" in after
        newer = page.get_by_role("button", name="15 new messages")
        expect(newer).to_be_visible()
        ada.writes("one more")
        newer = page.get_by_role("button", name="16 new messages")
        expect(newer).to_be_visible()
        boxes = [one.bounding_box() for one in (log(page), newer)]
        assert boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"], "it covers no message"
        newer.click()
        expect(log(page).get_by_text("one more")).to_be_in_viewport()
        expect(newer).to_be_hidden()
        assert ada.hears("read")["payload"] == {"seq": 19}
        expect(mark).to_have_count(1)  # it says where one was
        write(page, "I see.")
        expect(mark).to_have_count(0)


def open_chat_again(page: Page) -> None:
    page.locator("csapp-widget .launcher").click()
    expect(page.get_by_role("dialog")).to_be_visible()


# ---- the end ---------------------------------------------------------------


def test_the_end_says_who_has_ended_the_chat_also_after_a_reload(
    shop: LiveServer, visit: Visit
) -> None:
    page = ask(visit(f"{shop.url}/"), "Hello?")
    with Waiter(shop) as ada:
        ada.meets()
        ada.reads()
        expect(page.get_by_role("heading", name="Ada")).to_be_visible()
        ada.ends()
        said = page.locator("csapp-widget .foot").get_by_text("Ada has ended this chat.")
        expect(said).to_be_visible()
        page.reload()
        expect(said).to_be_visible()
        page.get_by_role("button", name="Start a new chat").click()
        write(page, "Again?")
        ada.meets()
        page.get_by_role("button", name="End chat").click()
        page.get_by_role("button", name="End chat").last.click()
        expect(
            page.locator("csapp-widget .foot").get_by_text("You have ended this chat.")
        ).to_be_visible()


def test_the_focus_waits_for_what_there_is_to_press_when_a_chat_has_ended(
    shop: LiveServer, visit: Visit
) -> None:
    """It comes with what was said, a moment after the panel."""
    page = ask(visit(f"{shop.url}/"), "Hello?")
    with Waiter(shop) as ada:
        ada.meets()
        ada.reads()
        expect(page.get_by_role("heading", name="Ada")).to_be_visible()
        ada.ends()
        expect(page.get_by_role("button", name="Start a new chat")).to_be_visible()
    close_chat(page)
    page.reload()
    held: list[Route] = []

    def hold(route: Route) -> None:  # Playwright takes no method of a list
        held.append(route)

    page.route("**/log.js*", hold)
    with page.expect_request("**/log.js*"):
        open_chat(page)
    expect(page.get_by_role("dialog")).to_be_focused()
    expect(page.locator("csapp-widget dialog:modal")).to_have_count(0)
    for route in held:
        route.continue_()
    expect(page.get_by_role("button", name="Start a new chat")).to_be_focused()


def test_a_chat_can_be_saved_and_printed_whole(shop: LiveServer, visit: Visit) -> None:
    page = visit(f"{shop.url}/", timezone_id="Pacific/Kiritimati")  # 14 hours before UTC
    page.context.add_init_script(
        "if (self !== top) print = () => { top.printed = document.body.innerText }"
    )
    page.reload()
    began = datetime.now(UTC)
    ask(page, "What does it cost?")
    with Waiter(shop) as ada:
        ada.meets()
        ada.reads()
        for number in range(60):  # more than are brought at once
            ada.writes(f"answer {number} <b>bold</b>")
        ada.ends()
        page.reload()
        expect(page.get_by_role("button", name="Save as text")).to_be_visible()
        with page.expect_download() as download:
            page.get_by_role("button", name="Save as text").click()
        path = download.value.path()
        began, now = (one.astimezone(KIRITIMATI) for one in (began, datetime.now(UTC)))
        days = {f"chat-{one:%Y-%m-%d}.txt" for one in (began, now)}
        assert download.value.suggested_filename in days
        text = Path(path).read_text()
        page.get_by_role("button", name="Print").click()
        until(page, "window.printed")
        printed = page.evaluate("window.printed")
        for whole in (text, printed):
            assert "What does it cost?" in whole
            positions = [whole.index(f"answer {number} <b>bold</b>") for number in range(60)]
            assert positions == sorted(positions)
            assert "Chat with Ada, " in whole


def test_an_earlier_chat_can_be_opened_again(shop: LiveServer, visit: Visit, axe: Axe) -> None:
    page = ask(visit(f"{shop.url}/"), "Where is my order?")
    with Waiter(shop) as ada:
        ada.meets()
        ada.reads()
        ada.writes("On its way.")
        expect(log(page)).to_contain_text("On its way.")
        ada.ends()
        page.get_by_role("button", name="Start a new chat").click()
        page.reload()
        page.get_by_role("button", name="Chat with Ada").click()
        expect_texts(page, ["You: Where is my order?", "On its way."])
        expect(page.get_by_role("heading", name="Ada")).to_be_visible()
        expect(page.locator("csapp-widget .foot")).to_contain_text("Ada has ended this chat.")
        expect(page.get_by_role("button", name="Print")).to_be_visible()
        axe(page)
        page.get_by_role("button", name="Back").click()
        write(page, "One more question.")
        ada.meets()
        assert ada.reads() == "One more question."
        expect_texts(page, ["You: One more question."])


# ---- honest words ----------------------------------------------------------


def test_nobody_is_next_where_nobody_is_there(shop: LiveServer, visit: Visit) -> None:
    page = ask(visit(f"{shop.url}/"), "Hello?")
    expect(page.get_by_text("Your question is in line.")).to_be_visible()
    expect(page.locator("csapp-widget .queue")).to_contain_text("Nobody is here right now.")
    expect(page.get_by_text("You are next in line")).to_have_count(0)


@pytest.mark.usefixtures("cuttable")
def test_a_lost_connection_is_told_and_presence_with_it(shop: LiveServer, visit: Visit) -> None:
    page = ask(visit(f"{shop.url}/", expected=CUT), "Hello?")
    with Waiter(shop) as ada:
        ada.meets()
        expect(page.get_by_text("Here now")).to_be_visible()
        head = page.locator("csapp-widget .head")
        high = head.evaluate("head => head.offsetHeight")
        page.context.set_offline(True)
        expect(page.get_by_text("The connection is lost.")).to_be_visible()
        expect(page.locator("csapp-widget .head .state")).to_have_text("Connection lost")
        assert head.evaluate("head => head.offsetHeight") == high, "nothing below it moves"
        page.context.set_offline(False)
        expect(page.get_by_text("The connection is lost.")).to_be_hidden()
        expect(page.get_by_text("Here now")).to_be_visible()


def test_others_bubbles_follow_the_colours_of_the_page(shop: LiveServer, visit: Visit) -> None:
    page = ask(visit(f"{shop.url}/"), "Hello?")
    with Waiter(shop) as ada:
        ada.meets()
        ada.reads()
        ada.writes("Hello!")
        bubble = page.locator("csapp-widget .theirs .bubble")
        colour = "(one) => getComputedStyle(one).backgroundColor"
        seen = [bubble.evaluate(colour)]
        for name, value in [("surface", "#fff4e0"), ("accent", "#0b6e4f")]:
            page.evaluate(
                "([name, value]) => document.querySelector('csapp-widget')"
                ".style.setProperty(`--csapp-${name}`, value)",
                [name, value],
            )
            seen.append(bubble.evaluate(colour))
        assert len(set(seen)) == 3, seen


# ---- clocks ----------------------------------------------------------------


@pytest.mark.parametrize("wrong", [-26, -3, 3, 26])
def test_a_visitors_wrong_clock_changes_no_order_and_no_day(
    shop: LiveServer, visit: Visit, wrong: int
) -> None:
    page = visit(f"{shop.url}/")
    page.context.add_init_script(
        f"""{{
          const off = {wrong} * 3600000, real = Date, now = Date.now.bind(Date);
          Date = class extends real {{
            constructor(...args) {{ super(...(args.length ? args : [now() + off])); }}
            static now() {{ return now() + off; }}
          }};
        }}"""
    )
    page.reload()
    ask(page, "What time is it?")
    with Waiter(shop) as ada:
        ada.meets()
        ada.reads()
        ada.writes("Time for tea.")
        write(page, "Thank you!")
        ada.reads()
        expect_texts(page, ["You: What time is it?", "Time for tea.", "You: Thank you!"])
        expect(page.locator("csapp-widget .day")).to_have_count(0)  # all of it is of today
        shown = page.locator("csapp-widget time").last.get_attribute("datetime")
        assert shown
        said = page.evaluate("(shown) => new Date(shown).getTime()", shown) / 1000
        assert abs(said - time.time()) < 120
        ada.ends()
        page.get_by_role("button", name="Start a new chat").click()
        expect(page.get_by_role("button", name="Chat with Ada")).not_to_contain_text("day")
