"""The whole of it, on real pages from both sides: the shop's visitors, and two waiters."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from bench.history import CHATS, MESSAGES
from csapp import create_app
from services.history.opening import open_store
from testkit import LiveServer
from testkit.server import SECRET
from tests import clocked

from . import console
from .conftest import Picture, Run, Screenshot, Visit
from .engines import ENGINES
from .visitor import ask, log, write

pytestmark = pytest.mark.browser

GRACE = 60  # s, of which nobody waits for one
SHARP = {"device_scale_factor": 2, "reduced_motion": "reduce"}
#: for the pictures, side by side
WINDOW = {"viewport": {"width": 640, "height": 720}, **SHARP}
DESK = {"viewport": {"width": 1120, "height": 720}, **SHARP}
PHONE = {"viewport": {"width": 390, "height": 844}, **SHARP}


@pytest.fixture
def env(env: dict[str, str]) -> dict[str, str]:
    return {**env, "CSAPP_GRACE": str(GRACE), "CSAPP_HEARTBEAT": "3600"}


@pytest.fixture
def shop(run: Run, env: dict[str, str]) -> LiveServer:
    """The demo, whose waiters serve one visitor at a time."""
    app = create_app({"CSAPP_SECRET_KEY": SECRET, **env})
    for name, shown in (("demo-ada", "Ada"), ("demo-lin", "Lin")):
        words = ("chat", "waiter", "add", name, "--display-name", shown, "--password-stdin")
        made = app.test_cli_runner().invoke(args=words, input=f"{shown} at the desk\n")
        assert made.exit_code == 0, made.output
    env |= {"CSAPP_MAX_USERS_PER_WAITER": "1", "DEMO_WAITERS": "demo-ada demo-lin"}
    return run(clocked.DEMO, env=env)


def at_the_desk(shop: LiveServer, visit: Visit, name: str) -> Page:
    """The console, where the shop's link leads to; *name* has signed in, and is ready."""
    desk = visit(f"{shop.url}/", **DESK)
    desk.get_by_text("Behind the counter").click()
    desk.goto(shop.url + str(desk.get_by_role("link", name="console").get_attribute("href")))
    desk.get_by_label("Name").fill(f"demo-{name.lower()}")
    desk.get_by_label("Password").fill(f"{name} at the desk")
    desk.get_by_role("button", name="Sign in").click()
    return console.get_ready(console.arrived(desk))


@pytest.mark.engines(*ENGINES)
def test_two_visitors_and_two_waiters(  # noqa: PLR0915  # it is a story
    shop: LiveServer, visit: Visit, screenshot: Screenshot, picture: Picture
) -> None:
    ann = visit(f"{shop.url}/pieces/harbour-teapot", **WINDOW)
    known = "token => csapp('identify', token)", shop.token("user", "ann", "Ann Moreau")
    ann.evaluate(*known)
    ann.get_by_role("button", name="Ask about it").click()
    expect(ann.get_by_text("Nobody is here right now.", exact=True)).to_be_visible()
    write(ann, "Hello! Does the teapot come with a strainer?")
    expect(ann.get_by_text("Your question is in line.")).to_be_visible()
    bob = ask(visit(f"{shop.url}/", **WINDOW), "Do you deliver to Norway?")
    expect(bob.get_by_text("1 person ahead of you")).to_be_visible()
    screenshot(bob, "story-waiting")

    ada = at_the_desk(shop, visit, "Ada")
    console.expect_chosen(ada, "Ann Moreau")
    expect(console.log(ada)).to_contain_text("Does the teapot come with a strainer?")
    expect(ann.get_by_role("heading", name="Ada")).to_be_visible()
    expect(bob.get_by_text("You are next in line")).to_be_visible()
    box = ada.get_by_label("Reply to")
    box.fill("Hello! It does: a small one of steel, inside the spout.")
    box.press("Enter")
    expect(log(ann)).to_contain_text("a small one of steel")
    write(ann, "Ah, good. And could I get another lid if I drop this one?")
    box.fill("Any time. Write to us with the colour, and we will throw one to match.")
    expect(ann.get_by_text("Ada is typing")).to_be_visible()
    box.press("Enter")
    expect(log(ann)).to_contain_text("throw one to match")
    expect(ann.get_by_text("Ada is typing")).to_be_hidden()
    expect(ann.get_by_text("Read", exact=True)).to_be_visible()
    screenshot(ann, "story-visitor")
    screenshot(ada, "story-waiter")
    picture("chat", ann, ada)

    ann.goto(f"{shop.url}/")  # she looks around, and the chat comes along
    ann.evaluate(*known)
    expect(log(ann)).to_contain_text("throw one to match")
    seen = len(shop.lines)
    ada.context.close()  # a dead battery
    shop.wait_for_line("disconnect role=waiter", after=seen)
    clocked.let_pass(shop, GRACE)
    expect(ann.get_by_text("Your question is in line.")).to_be_visible()
    expect(bob.get_by_text("1 person ahead of you")).to_be_visible()

    lin = at_the_desk(shop, visit, "Lin")
    expect(console.log(lin)).to_contain_text("if I drop this one")
    expect(console.log(lin)).to_contain_text("throw one to match")
    expect(ann.get_by_role("heading", name="Lin")).to_be_visible()
    lin.get_by_label("Reply to").fill("Lin here, I take over from Ada. Is there anything else?")
    lin.get_by_label("Reply to").press("Enter")
    expect(log(ann)).to_contain_text("I take over from Ada")
    write(ann, "No, that was all. Thank you both!")
    expect(console.log(lin)).to_contain_text("Thank you both!")

    ada = at_the_desk(shop, visit, "Ada")  # ready again, she gets the one who waits
    expect(console.log(ada)).to_contain_text("Norway")
    expect(bob.get_by_role("heading", name="Ada")).to_be_visible()

    ann.get_by_role("button", name="End chat").click()
    ann.get_by_role("button", name="End chat").last.click()
    expect(ann.get_by_role("button", name="Start a new chat")).to_be_visible()
    expect(console.log(lin)).to_contain_text("Thank you both!")
    expect(lin.get_by_text("This chat has ended.")).to_be_visible()
    said = log(ann).locator(".bubble").all_inner_texts()
    assert len(said) == 6
    screenshot(ann, "story-end")


@pytest.mark.engines(*ENGINES)
def test_a_waiter_with_all_the_tools(shop: LiveServer, visit: Visit) -> None:
    """Signed in by password, with a canned reply; both pages come anew; what was said is found."""
    ada = at_the_desk(shop, visit, "Ada")
    ada.get_by_role("button", name="Canned replies").click()
    replies = console.expect_dialog(ada, "Canned replies")
    replies.get_by_role("button", name="New reply").click()
    replies.get_by_label("Shortcut").fill("hello")
    replies.get_by_label("Text").fill("Good day! How can I help?")
    replies.get_by_role("button", name="Save").click()
    expect(replies.get_by_role("listitem")).to_have_count(1)
    ada.keyboard.press("Escape")

    page = ask(visit(f"{shop.url}/", **PHONE), "Is the blue vase still there?")
    box = ada.get_by_label("Reply to")
    box.press("/")
    expect(ada.get_by_role("option")).to_have_count(1)
    box.press("Enter")
    expect(box).to_have_value("Good day! How can I help?")
    box.press("Enter")
    expect(log(page)).to_contain_text("How can I help?")
    expect(ada.get_by_text("Read", exact=True)).to_be_visible()

    page.reload()
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(log(page)).to_contain_text("How can I help?")
    ada.reload()
    expect(console.log(ada)).to_contain_text("How can I help?")
    write(page, "Two lines, please:\none and two")
    expect(console.log(ada)).to_contain_text("one and two")
    box.fill("There is one left.")
    box.press("Shift+Enter")
    box.press("x")
    box.press("Enter")
    expect(log(page)).to_contain_text("There is one left.")
    assert log(page).get_by_text("There is one left.").text_content() == "There is one left.\nx"

    ada.keyboard.press("Control+k")
    ada.keyboard.type("blue vase")
    console.expect_dialog(ada, "Find").get_by_role("option", name="blue vase").click()
    expect(console.log(ada)).to_contain_text("blue vase")

    page.get_by_role("button", name="End chat").click()
    page.get_by_role("button", name="Keep chatting").click()
    page.get_by_role("button", name="End chat").click()
    page.get_by_role("button", name="End chat").last.click()
    expect(ada.get_by_text("This chat has ended.")).to_be_visible()
    page.get_by_role("button", name="Start a new chat").click()
    write(page, "One more thing.")
    console.expect_chosen(ada, "Visitor")
    expect(console.chats(ada).get_by_text("One more thing.")).to_be_visible()


# ---- a million messages ----------------------------------------------------

MILLION = 1_000_000
CHATS_KEPT = 500  # 2000 messages in each
NEWEST_OF_ANN = 382  # of her chats


def fill(path: Path) -> None:
    """A store with a million messages, all of chats that are over.

    Four of them were Ann's (user-7); Ada (waiter-7) served the first of these.
    """
    store = open_store(f"sqlite:///{path}")
    store.migrate()
    store.close()
    raw = sqlite3.connect(path, isolation_level=None)
    for quick in ("synchronous = OFF", "journal_mode = OFF", "cache_size = -500000"):
        raw.execute(f"PRAGMA {quick}")
    indexes = raw.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'message'"
    ).fetchall()
    for name, _ in indexes:  # made afterwards they take half the time
        raw.execute(f"DROP INDEX {name}")
    raw.execute(CHATS.format(count=CHATS_KEPT, users=CHATS_KEPT // 4, waiters=200))
    raw.execute("UPDATE chat SET ended = opened")
    raw.execute(MESSAGES.format(count=MILLION, chats=CHATS_KEPT))
    for _, sql in indexes:
        raw.execute(sql)
    raw.execute("PRAGMA journal_mode = WAL")
    raw.close()


def test_a_million_messages_do_not_slow_the_pages(run: Run, visit: Visit, tmp_path: Path) -> None:
    """Nothing is brought but what is looked at, however much there is."""
    fill(tmp_path / "csapp.db")
    server = run(env={"CSAPP_DATABASE_URL": f"sqlite:///{tmp_path}/csapp.db"})
    ada = console.get_ready(console.arrived(visit(console.link(server, "waiter-7"), **DESK)))
    page = visit(f"{server.url}/", **WINDOW)
    page.evaluate("token => csapp('identify', token)", server.token("user", "user-7", "Ann"))
    ask(page, "It is me again.")
    console.expect_chosen(ada, "Ann")
    expect(console.log(ada)).to_contain_text("It is me again.")
    console.reply(ada, "Ann", "Welcome back.")
    expect(log(page)).to_contain_text("Welcome back.")
    expect(log(page).locator(".bubble")).to_have_count(2)

    ada.get_by_role("button", name="2000 messages").first.click()
    newest = MILLION - CHATS_KEPT + NEWEST_OF_ANN
    expect(console.log(ada)).to_contain_text(f"message number {newest},")
    assert console.log(ada).locator(".line").count() <= 200

    ada.keyboard.press("Control+k")
    ada.keyboard.type(f"number {newest}")  # the rest is indexed in the background
    found = console.expect_dialog(ada, "Find").get_by_role("option", name=f"number {newest}")
    expect(found).to_be_visible()
