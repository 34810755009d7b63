"""A shop that is closed: what the widget shows, that nothing typed is lost, and that it opens."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from services.history.departments import Change, DepartmentTables
from services.history.opening import open_store
from testkit import LiveServer
from tests.probe import until
from tests.wall_clock_host import GUNICORN, set_clock

from .conftest import Axe, Run, Screenshot, View, Visit
from .visitor import ask, close_chat, expect_texts, open_chat, write
from .waiter import Waiter

pytestmark = pytest.mark.browser

NIGHT = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
OPENS = NIGHT + 7 * 3600  # nine o'clock in Berlin, three in New York

#: the spread of those who ask again when it opens is nothing here
AT_ONCE = "Math.random = () => 0"

KEPT = "What you have written stays in the box."


@pytest.fixture
def tables(env: dict[str, str], tmp_path: Path) -> DepartmentTables:
    """Hours of those who ask for no department, and a clock that tests set."""
    env["WALL_CLOCK_FILE"] = str(tmp_path / "clock")
    set_clock(tmp_path / "clock", NIGHT)
    store = open_store(env["CSAPP_DATABASE_URL"])
    store.migrate()
    found = DepartmentTables(store)
    found.change("", Change(hours="mo-fr 9:00-17:00", zone="Europe/Berlin"))
    return found


@pytest.fixture
def desk(tables: DepartmentTables, run: Run, env: dict[str, str]) -> LiveServer:
    return run(GUNICORN, env=env)


def comes(visit: Visit, desk: LiveServer, **options: object) -> Page:
    said = {"locale": "en-US", "timezone_id": "America/New_York", **options}
    page = visit("about:blank", house=desk.url.partition("://")[2], **said)
    page.add_init_script(AT_ONCE)
    page.goto(f"{desk.url}/")
    return page


def stays(page: Page, text: str) -> None:
    """The visitor was sent away, and *text* is in the box."""
    expect(page.get_by_text(KEPT)).to_be_visible()
    expect(page.get_by_role("textbox")).to_have_value(text)


def test_when_it_opens_is_said_in_the_visitors_time_and_language(
    desk: LiveServer, visit: Visit, view: View, axe: Axe, screenshot: Screenshot
) -> None:
    page = open_chat(comes(visit, desk, **view))
    again = "We are closed. We open again: Monday, June 1, 3:00 AM (your time)."
    expect(page.get_by_text(again)).to_be_visible()
    axe(page)
    screenshot(page, "closed-start")
    write(page, "Is my order on its way?")
    stays(page, "Is my order on its way?")
    expect(page.get_by_text(again)).to_be_visible()
    axe(page)
    screenshot(page, "closed-asked")


def test_other_languages_and_zones(desk: LiveServer, visit: Visit) -> None:
    page = comes(visit, desk, locale="de-DE", timezone_id="Europe/Berlin")
    page.get_by_role("button", name="Chat öffnen").click()
    again = "Wir haben geschlossen und öffnen wieder: 9:00 (Ihre Zeit)."
    expect(page.get_by_text(again)).to_be_visible()


def test_a_shop_that_opens(desk: LiveServer, visit: Visit, env: dict[str, str]) -> None:
    set_clock(Path(env["WALL_CLOCK_FILE"]), OPENS - 5)
    page = ask(comes(visit, desk), "Hello?")
    stays(page, "Hello?")
    until(lambda: json.loads(desk.get("/v1/status"))["queue_length"] == 1)
    with Waiter(desk) as ada:
        ada.meets()
        expect(page.get_by_role("textbox")).to_have_value("Hello?")
        page.get_by_role("textbox").press("Enter")
        assert ada.reads() == "Hello?"
    expect_texts(page, ["You: Hello?"])


def test_who_closes_the_panel_wants_nothing_when_it_opens(
    desk: LiveServer, visit: Visit, tables: DepartmentTables
) -> None:
    page = ask(comes(visit, desk), "Hello?")
    stays(page, "Hello?")
    close_chat(page)
    tables.change("", Change(hours=""))
    until(lambda: json.loads(desk.get("/v1/status"))["open"])
    with Waiter(desk):
        open_chat(page)
        expect(page.get_by_text("Somebody is here for you.")).to_be_visible()
        expect(page.get_by_text(KEPT)).to_have_count(0)
        expect(page.get_by_role("textbox")).to_have_value("Hello?")
        page.get_by_role("textbox").press("Enter")
        expect_texts(page, ["You: Hello?"])


def test_what_is_typed_in_the_form_is_there_when_it_opens(
    desk: LiveServer, visit: Visit, env: dict[str, str]
) -> None:
    """The visitor gets in line while it writes a message to leave."""
    set_clock(Path(env["WALL_CLOCK_FILE"]), OPENS - 5)
    page = ask(comes(visit, desk), "Hello?")
    stays(page, "Hello?")
    page.get_by_role("button", name="Leave a message").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Your message").fill("Hello? Do you mend teapots?")
    form.get_by_label("Your name").fill("Ann")
    until(lambda: json.loads(desk.get("/v1/status"))["queue_length"] == 1)
    expect(page.get_by_role("button", name="Send message")).to_have_count(0)
    expect(page.get_by_role("textbox")).to_have_value("Hello? Do you mend teapots?")
    with Waiter(desk) as ada:
        ada.meets()
        expect(page.get_by_role("textbox")).to_have_value("Hello? Do you mend teapots?")
        page.get_by_role("textbox").press("Enter")
        assert ada.reads() == "Hello? Do you mend teapots?"
    expect_texts(page, ["You: Hello? Do you mend teapots?"])


def test_who_asks_once_more_is_answered_anew(
    desk: LiveServer, visit: Visit, tables: DepartmentTables
) -> None:
    page = ask(comes(visit, desk), "Hello?")
    stays(page, "Hello?")
    page.get_by_role("textbox").press("Enter")
    stays(page, "Hello?")
    tables.change("", Change(hours=""))
    until(lambda: json.loads(desk.get("/v1/status"))["open"])
    page.get_by_role("textbox").press("Enter")
    expect_texts(page, ["You: Hello?"])
