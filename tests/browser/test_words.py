"""What the site says by itself, as visitors and waiters see it."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from services.history.opening import open_store
from services.history.words import Occasion, WordsRow, WordsTable

from .conftest import Axe, Run, Screenshot, View, Visit
from .console import arrived, chat, get_ready, link
from .console import log as read_by_waiter
from .visitor import ask, log

pytestmark = pytest.mark.browser


def test_words_stand_between_the_messages_as_nobodys(
    run: Run, env: dict[str, str], visit: Visit, axe: Axe, screenshot: Screenshot, view: View
) -> None:
    store = open_store(env["CSAPP_DATABASE_URL"])
    store.migrate()
    words = WordsTable(store)
    greeting = "Welcome.\nOur hours: https://example.com/hours"
    words.set(WordsRow("", Occasion.GREETING, "en", greeting), 4096)
    words.set(WordsRow("", Occasion.FIRST, "en", "You speak with {name}."), 4096)
    store.close()
    server = run(env=env)
    ada = get_ready(arrived(visit(link(server), **view)))
    page = ask(visit(f"{server.url}/", **view), "Where is my order?")
    expect(log(page)).to_contain_text("You speak with Ada.")
    said = log(page).locator(".site")
    expect(said).to_have_text([greeting, "You speak with Ada."])
    expect(said.get_by_role("link")).to_have_attribute("href", "https://example.com/hours")
    expect(log(page).locator(".theirs")).to_have_count(0)
    screenshot(page, "words-widget")
    axe(page)
    chat(ada, "Visitor").first.click()
    told = read_by_waiter(ada).locator(".handed")
    expect(told).to_have_text([greeting, "You speak with Ada."])
    expect(read_by_waiter(ada).locator(".theirs")).to_have_count(1)
    screenshot(ada, "words-console")
    axe(ada)
