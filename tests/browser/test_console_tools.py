"""Canned replies, search, the past, and what calls the waiter."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from services.history.opening import open_store
from testkit import LiveServer
from tests.history.people import duty, keep

from .conftest import Axe, Run, Visit
from .console import (
    arrived,
    box,
    chat,
    expect_chosen,
    expect_dialog,
    expect_texts,
    get_ready,
    line,
    link,
    log,
)
from .engines import WHOLE
from .guest import Guest

pytestmark = pytest.mark.browser

#: counts the notes that are really played, and keeps what is really notified
EAR = """
    window.played = 0;
    window.notified = [];
    const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (...args) {
      window.played += 1;
      return start.apply(this, args);
    };
    window.Notification = class extends Notification {
      constructor(title, options) {
        super(title, options);
        window.notified.push({ title, body: options.body, shown: this });
      }
    };
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/csapp.db"


@pytest.fixture
def desk(run: Run, url: str) -> LiveServer:
    """With a past: Ann has been here twice, once with Lin, and Bob once with Lin."""
    with closing(open_store(url)) as store:
        store.migrate()
        long = [f"Word number {number} of the table" for number in range(1, 251)]
        keep(store, 0x1F, long, user="ann", user_name="Ann", waiter="ada")
        keep(store, 0x2F, ["A blue lamp?", "In May."], user="ann", user_name="Ann", waiter="lin")
        for waiter in ("ada", "lin"):
            duty(store, waiter, ready=False)
        keep(store, 0x3F, ["A blue vase?"], user="bob", user_name="Bob", waiter="lin")
    return run(env={"CSAPP_DATABASE_URL": url})


# ---- canned replies --------------------------------------------------------


def write_reply(page: Page, shortcut: str, text: str, *, shared: bool = False) -> None:
    dialog = expect_dialog(page, "Canned replies")
    dialog.get_by_role("button", name="New reply").click()
    expect(dialog.get_by_label("Shortcut")).to_be_focused()
    page.keyboard.type(shortcut)
    dialog.get_by_label("Text").fill(text)
    dialog.get_by_label("Shared with all waiters").set_checked(shared)
    dialog.get_by_role("button", name="Save").click()


def test_canned_replies_from_their_making_to_their_use(desk: LiveServer, visit: Visit) -> None:
    ada = get_ready(arrived(visit(link(desk), expected=("status of 409",))))
    ada.get_by_role("button", name="Canned replies").click()
    dialog = expect_dialog(ada, "Canned replies")
    expect(dialog.get_by_text("No canned replies yet")).to_be_visible()
    write_reply(ada, "hello", "Good day, how can I help?", shared=True)
    write_reply(ada, "thanks", "Thank you,\nand goodbye!")
    expect(dialog.get_by_role("listitem")).to_have_count(2)
    write_reply(ada, "/Thanks", "Once more")
    expect(dialog.get_by_role("alert")).to_contain_text("There is a reply with this one already.")
    dialog.get_by_role("button", name="Cancel").click()
    dialog.get_by_role("button", name="Edit /hello").click()
    dialog.get_by_label("Text").fill("Good day!")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_text("Good day!", exact=True)).to_be_visible()
    ada.keyboard.press("Escape")

    with Guest(desk, "cleo", "Cleo") as cleo:
        cleo.is_served()
        expect_chosen(ada, "Cleo")
        box(ada, "Cleo").click()
        ada.keyboard.type("Hi! 1/2 /")
        options = ada.get_by_role("option")
        expect(options).to_have_count(2)
        expect(options.first).to_have_attribute("aria-selected", "true")
        ada.keyboard.press("ArrowDown")
        expect(options.nth(1)).to_have_attribute("aria-selected", "true")
        chosen = options.nth(1).get_attribute("id")
        expect(box(ada, "Cleo")).to_have_attribute("aria-activedescendant", str(chosen))
        ada.keyboard.press("Escape")
        expect(options).to_have_count(0)
        expect(box(ada, "Cleo")).to_be_focused()
        ada.keyboard.type("goodbye")  # a word of the text finds it, too
        expect(options).to_have_count(1)
        ada.keyboard.press("Enter")
        expect(box(ada, "Cleo")).to_have_value("Hi! 1/2 Thank you,\nand goodbye!")
        ada.keyboard.press("Enter")
        assert cleo.reads() == "Hi! 1/2 Thank you,\nand goodbye!"

    lin = arrived(visit(link(desk, "lin", "Lin")))
    lin.get_by_role("button", name="Canned replies").click()
    dialog = expect_dialog(lin, "Canned replies")
    expect(dialog.get_by_role("listitem")).to_have_count(1)
    dialog.get_by_role("button", name="Delete /hello").click()
    expect(dialog.get_by_text("Really delete?")).to_be_visible()
    dialog.get_by_role("button", name="Delete /hello").click()
    expect(dialog.get_by_role("listitem")).to_have_count(0)


def test_what_somebody_else_has_changed_is_seen_and_restored(
    desk: LiveServer, visit: Visit, axe: Axe
) -> None:
    ada = arrived(visit(link(desk)))
    ada.get_by_role("button", name="Canned replies").click()
    write_reply(ada, "hello", "Good day, how can I help?", shared=True)
    lin = arrived(visit(link(desk, "lin", "Lin")))
    lin.get_by_role("button", name="Canned replies").click()
    dialog = expect_dialog(lin, "Canned replies")
    expect(dialog.get_by_text("Written by Ada, ")).to_be_visible()
    dialog.get_by_role("button", name="Edit /hello").click()
    dialog.get_by_label("Text").fill("Go away!")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_text("Written by Lin, ")).to_be_visible()
    lin.keyboard.press("Escape")

    ada.bring_to_front()
    ada.keyboard.press("Escape")
    ada.get_by_role("button", name="Canned replies").click()
    dialog = expect_dialog(ada, "Canned replies")
    expect(dialog.get_by_text("Written by Lin, ")).to_be_visible()
    dialog.get_by_role("button", name="History of /hello").press("Enter")
    expect(dialog.get_by_role("button", name="Back")).to_be_focused()
    expect(dialog.get_by_role("listitem")).to_contain_text("Good day, how can I help?")
    expect(dialog.get_by_role("listitem")).to_contain_text("Changed by Lin, ")
    axe(ada)
    dialog.get_by_role("button", name="Restore /hello of Ada").press("Enter")
    expect(dialog.get_by_text("Good day, how can I help?")).to_be_visible()
    expect(dialog.get_by_text("Written by Ada, ")).to_be_visible()

    dialog.get_by_role("button", name="Delete /hello").dblclick()
    expect(dialog.get_by_text("No canned replies yet")).to_be_visible()
    dialog.get_by_role("button", name="Deleted replies").press("Enter")
    expect(dialog.get_by_text("Deleted by Ada, ")).to_be_visible()
    axe(ada)
    dialog.get_by_role("button", name="Restore /hello").press("Enter")
    expect(dialog.get_by_role("button", name="Edit /hello")).to_be_visible()


# ---- the past --------------------------------------------------------------


def test_a_search_is_narrowed_down(desk: LiveServer, visit: Visit, axe: Axe) -> None:
    """By whom, of which rating and when; other forms of a word are found and marked, too."""
    ada = arrived(visit(link(desk)))
    ada.keyboard.press("Control+k")
    finder = expect_dialog(ada, "Find")
    found = finder.get_by_role("listbox").get_by_role("option")
    finder.get_by_label("Find in chats").fill("lamps")
    expect(found).to_have_count(1)
    expect(found.locator("mark")).to_have_text("lamp")
    finder.get_by_text("Filters").click()
    finder.get_by_label("Rating").select_option("1 star")
    expect(finder.get_by_text("Nothing was found in your chats.")).to_be_visible()
    finder.get_by_label("Rating").select_option("Any")
    expect(found).to_have_count(1)
    finder.get_by_label("Until").fill("2020-01-31")
    expect(found).to_have_count(0)
    finder.get_by_label("Find in chats").fill("")
    finder.get_by_label("Until").fill("")
    finder.get_by_label("From").fill("2020-01-31")
    expect(found.first).to_be_visible()  # conversations, without a word to look for
    axe(ada)
    finder.get_by_label("Waiter").select_option("Lin")
    expect(found).to_have_count(1)
    found.click()
    expect_chosen(ada, "Ann")
    expect(ada.get_by_text("Earlier conversation, to be read only")).to_be_visible()


def test_search(desk: LiveServer, visit: Visit) -> None:
    """In what was said with one's visitors, also by colleagues; it opens where it was said."""
    ada = arrived(visit(link(desk)))
    ada.keyboard.press("Control+k")
    found = expect_dialog(ada, "Find").get_by_role("option")
    ada.keyboard.type("blue")
    expect(found).to_have_count(1)  # Ann's with Lin; Bob's is none of Ada's business
    expect(found).to_contain_text("A blue lamp?")
    ada.keyboard.press("Control+a")
    ada.keyboard.type("number 3")
    expect(found).to_have_count(1)
    ada.keyboard.press("Enter")
    expect_chosen(ada, "Ann")
    expect(ada.get_by_text("Earlier conversation, to be read only")).to_be_visible()
    expect(line(ada, "Word number 3 of the table")).to_be_in_viewport()
    expect(line(ada, "Word number 3 of the table")).to_be_focused()
    expect(ada.get_by_role("textbox")).to_have_count(0)
    ada.keyboard.press("Escape")
    expect(log(ada)).to_have_count(0)
    ada.keyboard.press("Control+k")
    ada.keyboard.type("table")
    expect(found).to_have_count(31)
    ada.get_by_role("option", name="Show more").click()
    expect(found).to_have_count(61)
    ada.keyboard.press("Control+a")
    ada.keyboard.type("nowhere to be found")
    expect(ada.get_by_text("Nothing was found in your chats.")).to_be_visible()


def test_earlier_conversations(desk: LiveServer, visit: Visit) -> None:
    ada = get_ready(arrived(visit(link(desk))))
    with Guest(desk, "ann", "Ann", page="https://shop.example/lamp") as ann:
        ann.is_served()
        ann.writes("Me again.")
        about = ada.get_by_role("complementary")
        expect(about.get_by_role("link")).to_have_text("https://shop.example/lamp")
        expect(about.get_by_text("Since")).to_be_visible()
        earlier = about.get_by_role("listitem")
        expect(earlier).to_have_count(2)
        earlier.filter(has_text="2 messages").get_by_role("button").click()
        expect(log(ada)).to_contain_text("A blue lamp?")
        expect_texts(ada, ["A blue lamp?", "In May."])
        expect(log(ada).locator(".theirs .text")).to_have_text(["A blue lamp?"])
        expect(log(ada).locator(".colleague")).to_contain_text("lin: In May.")
        ada.get_by_role("button", name="Close", exact=True).click()
        expect_texts(ada, ["Me again."])


# ---- what calls the waiter -------------------------------------------------


@pytest.mark.engines(WHOLE)
@pytest.mark.usefixtures("heard")
def test_sounds_and_notifications(desk: LiveServer, visit: Visit) -> None:
    """For who joins the line, for a chat, for a message: each as it is wished."""
    page = visit(link(desk), permissions=["notifications"])
    page.add_init_script(EAR)
    page.reload()
    page.get_by_role("button", name="Enable sound").click()
    expect(page.get_by_role("button", name="Settings", exact=True)).to_be_visible()
    assert page.evaluate("played") == 1  # how it sounds
    page.get_by_role("button", name="Fewer chats at once").click(click_count=4)
    look_away(page)
    with Guest(desk, "ann", "Ann") as ann, Guest(desk, "bob", "Bob"):
        expect(page.get_by_text("2 visitors", exact=True)).to_be_visible()
        titles = [one["title"] for one in notified(page)]
        assert set(titles) == {"Somebody is waiting"}
        queued = int(page.evaluate("played"))
        assert queued in (4, 7)  # both at once, or one after the other
        page.get_by_role("button", name="Ready", exact=True).click()
        ann.is_served()
        expect(chat(page, "Ann")).to_be_visible()
        assert notified(page)[-1] == {"title": "Ann", "body": "A new chat has begun."}
        assert page.evaluate("played") == queued + 2
        ann.writes("Hello?")
        expect(log(page)).to_contain_text("Hello?")
        assert notified(page)[-1] == {"title": "Ann", "body": "Hello?"}
        assert page.evaluate("played") == queued + 3

        page.get_by_role("button", name="Settings", exact=True).click()
        page.get_by_label("Sound: A message comes").uncheck()
        page.get_by_label("Notification: A message comes").uncheck()
        page.keyboard.press("Escape")
        count = len(notified(page))
        ann.writes("Are you there?")
        expect(log(page)).to_contain_text("Are you there?")
        assert len(notified(page)) == count
        assert page.evaluate("played") == queued + 3
        page.reload()  # neither settings nor chats are news
        expect(log(page)).to_contain_text("Are you there?")
        page.get_by_role("button", name="Settings").click()
        expect(page.get_by_label("Sound: A message comes")).not_to_be_checked()
        assert (page.evaluate("played"), notified(page)) == (0, [])


@pytest.mark.engines(WHOLE)
@pytest.mark.usefixtures("heard")
def test_a_click_on_a_notification_opens_the_chat(desk: LiveServer, visit: Visit) -> None:
    page = visit(link(desk), permissions=["notifications"])
    page.add_init_script(EAR)
    page.reload()
    page.get_by_role("button", name="Enable sound").click()
    get_ready(page)
    with Guest(desk, "ann", "Ann") as ann, Guest(desk, "bob", "Bob") as bob:
        ann.is_served()
        bob.is_served()
        expect_chosen(page, "Ann")
        look_away(page)
        bob.writes("Hello?")
        expect(chat(page, "Bob").get_by_text("1 unread")).to_be_visible()
        page.evaluate("notified.at(-1).shown.onclick()")
        expect_chosen(page, "Bob")


@pytest.mark.engines(WHOLE)
@pytest.mark.usefixtures("heard")
def test_of_two_tabs_one_calls(desk: LiveServer, visit: Visit) -> None:
    first = visit(link(desk), permissions=["notifications"])
    first.context.add_init_script(EAR)
    first.reload()
    first.get_by_role("button", name="Enable sound").click()
    second = first.context.new_page()
    second.goto(f"{desk.url}/waiter")
    expect(second.get_by_text("Connected", exact=True)).to_be_visible()
    second.get_by_role("heading", name="Console").click()  # a gesture: it may be heard as well
    get_ready(first)
    for page in (first, second):
        page.evaluate("played = 0")
    with Guest(desk, "ann", "Ann") as ann:
        ann.is_served()
        for page in (first, second):
            expect(chat(page, "Ann")).to_be_visible()
        assert first.evaluate("played") + second.evaluate("played") == 2  # notes of one sound


def look_away(page: Page) -> None:
    """The tab is in the background from now on."""
    page.evaluate(
        """() => {
            Object.defineProperty(document, 'hidden', { get: () => true });
            document.hasFocus = () => false;
        }"""
    )


def notified(page: Page) -> list[dict[str, str]]:
    found: list[dict[str, str]] = page.evaluate(
        "notified.map(({ title, body }) => ({ title, body }))"
    )
    return found
