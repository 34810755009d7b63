"""The whole of it, on real pages from both sides: the shop's visitors, and two waiters."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from bench.history import CHATS, MESSAGES
from csapp import create_app
from services.history.departments import Change, DepartmentTables
from services.history.opening import open_store
from testkit import LiveServer
from testkit.server import SECRET
from tests import clocked
from tests.wall_clock_host import set_clock

from . import console
from .conftest import Picture, Run, Screenshot, Visit
from .engines import ENGINES
from .site import Site, house, launchers
from .visitor import ask, close_chat, expect_texts, log, write

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


# ---- a day and the next morning ---------------------------------------------

MONDAY = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
ANSWER = 60  # s in which a waiter has to answer
HOURS = {"hours": "mo-fr 9:00-17:00", "zone": "UTC"}
#: the page knows who is there, and lets visitors choose
PAGE_OF = """<script>
window.csapp = function () {{ (csapp.q = csapp.q || []).push(arguments) }};
csapp("identify", "{token}");
</script>"""
CHOICE = "<script async src='{src}' data-departments='sales repair'></script>"


@pytest.fixture
def hours(env: dict[str, str], tmp_path: Path) -> Path:
    """A shop of two departments, both open by day; the file of its clock."""
    store = open_store(env["CSAPP_DATABASE_URL"])
    store.migrate()
    tables = DepartmentTables(store)
    tables.add("sales", Change(names={"en": "Sales"}, members={"ada": 0}, **HOURS))
    tables.add("repair", Change(names={"en": "Repair"}, members={"lin": 0, "mo": 0}, **HOURS))
    store.close()
    clock = tmp_path / "clock"
    set_clock(clock, MONDAY + 15 * 3600)
    env |= {
        "WALL_CLOCK_FILE": str(clock),
        "CSAPP_ANSWER_WITHIN": str(ANSWER),
        "CSAPP_FROZEN": "3600",
    }
    return clock


def test_a_day_with_two_departments_and_the_next_morning(  # noqa: PLR0915  # it is a story
    run: Run, env: dict[str, str], hours: Path, visit: Visit, screenshot: Screenshot
) -> None:
    shop = house(run, "clocked()", env=env)
    site = Site(visit, shop, **PHONE)
    site.has("pots", CHOICE, head=PAGE_OF.format(token=shop.token("user", "ann", "Ann Moreau")))

    def at_work(name: str) -> Page:
        page = visit(console.link(shop, name.lower(), name), **DESK)
        return console.get_ready(console.arrived(page))

    ada, lin, mo = at_work("Ada"), at_work("Lin"), at_work("Mo")

    # two departments: the question goes where Ann wants it to go
    ann = site.goes("pots")
    launchers(ann).click()
    ann.get_by_role("radio", name="Sales").check()
    write(ann, "How much is the harbour teapot?")
    console.expect_chosen(ada, "Ann Moreau")
    console.reply(ada, "Ann Moreau", "Forty-eight pounds.")
    expect(log(ann)).to_contain_text("Forty-eight pounds.")
    expect(console.chats(lin)).to_have_count(0)

    # a transfer with a note
    write(ann, "Mine has a crack. Can it be mended?")
    expect(console.log(ada)).to_contain_text("Mine has a crack.")
    ada.keyboard.press("Escape")
    ada.keyboard.press("t")
    dialog = console.expect_dialog(ada, "Hand Ann Moreau over")
    ada.keyboard.type("repair")
    ada.keyboard.press("Enter")
    dialog.get_by_label("Note").fill("A harbour teapot of last year.")
    dialog.get_by_role("button", name="Hand over").click()
    console.expect_chosen(lin, "Ann Moreau")
    expect(console.log(lin)).to_contain_text("A harbour teapot of last year.")
    expect(console.log(lin)).to_contain_text("Mine has a crack.")
    expect(ann.get_by_text("Ada has handed you to Lin.")).to_be_visible()
    expect(log(ann)).not_to_contain_text("of last year")
    screenshot(lin, "day-handed")

    # nobody answers, and the chat moves on
    clocked.let_pass(shop, ANSWER)
    expect(lin.get_by_text("You were set away because you had not answered")).to_be_visible()
    console.expect_chosen(mo, "Ann Moreau")
    expect(console.log(mo)).to_contain_text("A harbour teapot of last year.")
    console.reply(mo, "Ann Moreau", "It can. Mo here, show it to me any day.")
    expect(log(ann)).to_contain_text("Mo here")
    expect(ann.get_by_role("heading", name="Mo", exact=True)).to_be_visible()
    expect(ann.get_by_text("Ada has handed you to Lin.")).to_be_visible()
    screenshot(ann, "day-moved-on")

    # the phone sleeps for five minutes
    ann.goto("about:blank")
    expect(mo.get_by_role("main").get_by_text("Away for a moment")).to_be_visible()
    clocked.let_pass(shop, 300)
    console.reply(mo, "Ann Moreau", "We are open until five.")
    site.goes("pots")
    expect(launchers(ann)).to_have_accessible_name("Open chat, 1 unread message")
    expect(mo.get_by_role("main").get_by_text("Online")).to_be_visible()
    launchers(ann).click()
    expect(log(ann)).to_contain_text("We are open until five.")
    write(ann, "Thank you!")
    expect(console.log(mo)).to_contain_text("Thank you!")
    ann.get_by_role("button", name="End chat").click()
    ann.get_by_role("button", name="End chat").last.click()
    expect(mo.get_by_text("Ann Moreau has left.")).to_be_visible()

    # the shop closes, and Ann leaves a message
    set_clock(hours, MONDAY + 17.5 * 3600)
    ann.get_by_role("button", name="Start a new chat").click()
    ann.get_by_role("radio", name="Repair").check()
    write(ann, "Could I bring it on Saturday?")
    expect(ann.get_by_text("We are closed. We open again:")).to_be_visible()
    screenshot(ann, "day-closed")
    ann.get_by_role("button", name="Leave a message").click()
    panel = ann.get_by_role("dialog")
    expect(panel.get_by_label("Your message")).to_have_value("Could I bring it on Saturday?")
    expect(panel.get_by_label("Your name")).to_have_count(0)  # she has one
    panel.get_by_role("button", name="Send message").click()
    expect(ann.get_by_text("We have your message.").last).to_be_visible()
    expect_texts(ann, ["You: Could I bring it on Saturday?"])
    close_chat(ann)
    ann.goto("about:blank")

    # the next morning it is answered by those whom it is for
    set_clock(hours, MONDAY + 33 * 3600)
    left = lin.get_by_role("region", name="Messages left")
    expect(left).to_contain_text("1 open")
    expect(ada.get_by_role("region", name="Messages left")).to_contain_text("none open")
    left.get_by_role("button").click()
    lin.get_by_role("main").get_by_role("listitem").get_by_role("button").click()
    expect(lin.get_by_role("main")).to_contain_text("Repair")
    lin.get_by_label("Your answer").fill("Saturdays we are closed; Friday until five would do.")
    screenshot(lin, "day-inbox")
    lin.get_by_role("main").get_by_role("button", name="Answer").click()
    expect(left).to_contain_text("none open")
    site.goes("pots")
    expect(launchers(ann)).to_have_accessible_name("Open chat, 1 unread message")
    launchers(ann).click()
    answer = "Saturdays we are closed; Friday until five would do."
    expect_texts(ann, ["You: Could I bring it on Saturday?", answer])
    expect(ann.get_by_text("Lin has answered your message.").last).to_be_visible()
    screenshot(ann, "day-answered")


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
