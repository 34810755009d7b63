"""A visitor who does not answer is warned, and the chat ends."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from testkit import LiveServer
from tests.idle_host import GUNICORN, passes
from tests.wall_clock_host import set_clock

from .conftest import Axe, Run, Screenshot, View, Visit
from .visitor import ask, close_chat, log, open_chat, write
from .waiter import Waiter

pytestmark = pytest.mark.browser

WARN, CLOSE = 60, 120  # s
COUNTS = re.compile(r"^Are you still there\? This chat closes in (1 min|\d\d sec)\.$")


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    set_clock(tmp_path / "clock", time.time())
    return tmp_path / "clock"


@pytest.fixture
def desk(run: Run, env: dict[str, str], clock: Path) -> LiveServer:
    idle = {"CSAPP_IDLE_WARN": str(WARN), "CSAPP_IDLE_CLOSE": str(CLOSE)}
    long = dict.fromkeys(("CSAPP_HEARTBEAT", "CSAPP_AUTH_TIMEOUT", "CSAPP_GRACE"), "3600")
    return run(GUNICORN, env={**env, **idle, **long, "WALL_CLOCK_FILE": str(clock)})


def warning(page: Page) -> Locator:
    return page.get_by_role("timer")


def is_answered(page: Page, ada: Waiter) -> None:
    ada.meets()
    ada.reads()
    ada.writes("It is. Did that help?")
    expect(log(page)).to_contain_text("Did that help?")


def test_a_silent_visitor_is_warned_and_the_chat_ends(
    desk: LiveServer, visit: Visit, view: View, axe: Axe, screenshot: Screenshot
) -> None:
    page = ask(visit(f"{desk.url}/", **view), "Is my order on its way?")
    with Waiter(desk) as ada:
        is_answered(page, ada)
        expect(warning(page)).to_be_hidden()
        passes(WARN, desk)
        expect(warning(page)).to_have_text(COUNTS)
        axe(page)
        screenshot(page, "idle-warned")
        first = warning(page).text_content()
        expect(warning(page)).not_to_have_text(str(first))  # it counts down
        expect(page.locator("csapp-widget .unseen").get_by_text("Are you still")).to_have_count(1)
        passes(CLOSE - WARN, desk)
        end = page.get_by_text("This chat has ended because we did not hear from you any more.")
        expect(end.first).to_be_visible()
        expect(warning(page)).to_be_hidden()
        axe(page)
        screenshot(page, "idle-ended")


def test_whoever_writes_is_not_warned_any_more(desk: LiveServer, visit: Visit) -> None:
    page = ask(visit(f"{desk.url}/"), "Is my order on its way?")
    with Waiter(desk) as ada:
        is_answered(page, ada)
        passes(WARN, desk)
        expect(warning(page)).to_be_visible()
        write(page, "One moment.")
        expect(warning(page)).to_be_hidden()
        ada.writes("Take your time.")
        expect(log(page)).to_contain_text("Take your time.")
        passes(WARN, desk)
        expect(warning(page)).to_have_text(COUNTS)


def test_the_warning_is_there_when_the_panel_is_opened(desk: LiveServer, visit: Visit) -> None:
    page = ask(visit(f"{desk.url}/"), "Is my order on its way?")
    with Waiter(desk) as ada:
        is_answered(page, ada)
        close_chat(page)
        passes(WARN, desk)
        expect(page.locator("csapp-widget .unseen").get_by_text("Are you still")).to_have_count(1)
        open_chat(page)
        expect(warning(page)).to_have_text(COUNTS)


def test_in_the_language_that_the_page_changes_to(desk: LiveServer, visit: Visit) -> None:
    page = ask(visit(f"{desk.url}/"), "Is my order on its way?")
    with Waiter(desk) as ada:
        is_answered(page, ada)
        passes(WARN, desk)
        expect(warning(page)).to_have_text(COUNTS)
        page.evaluate("csapp('setLocale', 'de')")
        expect(warning(page)).to_have_text(re.compile("^Sind Sie noch da?"))
        expect(page.get_by_role("log", name="Nachrichten")).to_be_visible()
