"""What the site says by itself, as visitors and waiters see it."""

from __future__ import annotations

from contextlib import closing

import pytest
from playwright.sync_api import Locator, Page, expect

from services.history.opening import open_store
from services.history.words import Occasion, WordsRow, WordsTable
from testkit import LiveServer

from .conftest import Axe, Run, Screenshot, View, Visit
from .console import arrived, chat, get_ready, link
from .console import log as read_by_waiter
from .until import until
from .visitor import ask, close_chat, log, open_chat, write
from .waiter import Waiter

pytestmark = pytest.mark.browser

GREETING, LOOKING, FIRST = Occasion
TEXTS = [
    WordsRow("", GREETING, "en", "Welcome.\nOur hours: https://example.com/hours"),
    WordsRow("", GREETING, "de", "Willkommen."),
    WordsRow("", LOOKING, "en", "Still looking for somebody for you.", 1),
    WordsRow("", LOOKING, "de", "Wir suchen noch jemanden.", 1),
    WordsRow("", FIRST, "en", "You speak with {name}."),
    WordsRow("", FIRST, "de", "Sie sprechen mit {name}."),
]
GREETS, LOOKS = TEXTS[0].text, TEXTS[2].text


@pytest.fixture
def desk(run: Run, env: dict[str, str]) -> LiveServer:
    """A site that says something by itself, in two languages."""
    with closing(open_store(env["CSAPP_DATABASE_URL"])) as store:
        store.migrate()
        for row in TEXTS:
            WordsTable(store).set(row, 4096)
    return run(env=env)


def site(page: Page) -> Locator:
    """What the site has said, in the log."""
    return log(page).locator(".site")


def read_out(page: Page, text: str) -> Locator:
    """Where screen readers are told *text*."""
    return page.locator("csapp-widget [aria-live=polite] p").get_by_text(text, exact=True)


def test_who_waits_reads_what_the_site_says(
    desk: LiveServer, visit: Visit, view: View, axe: Axe, screenshot: Screenshot
) -> None:
    page = ask(visit(f"{desk.url}/", **view), "Where is my order?")
    expect(site(page)).to_have_text([GREETS, LOOKS])
    order = log(page).locator(".site, .line")
    expect(order).to_contain_text(["Welcome.", "Where is my order?", LOOKS])
    expect(site(page).get_by_role("link")).to_have_attribute("href", "https://example.com/hours")
    for text in (GREETS, LOOKS):
        expect(read_out(page, text)).to_have_count(1)
    axe(page)
    screenshot(page, "words-waiting")
    close_chat(page)
    expect(page.get_by_role("button", name="Open chat", exact=True)).to_be_visible()  # none unread
    open_chat(page)
    expect(site(page)).to_have_text([GREETS, LOOKS])
    expect(read_out(page, LOOKS)).to_have_count(1)
    with Waiter(desk) as ada:
        ada.meets()
        expect(site(page)).to_have_text([GREETS, "You speak with Ada."])
        ada.writes("Good day.")
        expect(log(page)).to_contain_text("Good day.")
        expect(site(page)).to_have_count(2)


def test_what_is_said_while_the_panel_is_closed_is_there_when_it_opens(
    desk: LiveServer, visit: Visit
) -> None:
    page = ask(visit(f"{desk.url}/"), "Where is my order?")
    expect(site(page)).to_have_text([GREETS, LOOKS])
    page.evaluate("csapp('close')")
    page.reload()
    expect(page.locator("csapp-widget .site")).to_have_count(2)
    expect(page.locator("csapp-widget .preview")).to_have_count(0)
    expect(read_out(page, LOOKS)).to_have_count(0)
    open_chat(page)
    expect(site(page)).to_have_text([GREETS, LOOKS])
    expect(read_out(page, LOOKS)).to_have_count(1)


def test_each_visitor_reads_them_in_the_language_of_its_widget(
    desk: LiveServer, visit: Visit
) -> None:
    page = visit(f"{desk.url}/", locale="de-AT")
    page.get_by_role("button", name="Chat öffnen").click()
    write(page, "Wo ist meine Bestellung?")
    expect(site(page)).to_have_text(["Willkommen.", "Wir suchen noch jemanden."])
    with Waiter(desk) as ada:
        ada.meets()
        expect(site(page)).to_have_text(["Willkommen.", "Sie sprechen mit Ada."])


def test_they_follow_the_page_into_another_language(desk: LiveServer, visit: Visit) -> None:
    page = visit(f"{desk.url}/")
    page.evaluate("csapp('on', 'status', ({ connection }) => { window.connection = connection })")
    open_chat(page)
    until(page, "window.connection === 'online'")
    page.evaluate("csapp('setLocale', 'de')")
    expect(page.get_by_role("dialog")).to_contain_text("Wie können wir helfen?")
    write(page, "Wo ist meine Bestellung?")
    expect(site(page).first).to_have_text("Willkommen.")


def test_words_stand_between_the_messages_as_nobodys(
    desk: LiveServer, visit: Visit, axe: Axe, screenshot: Screenshot, view: View
) -> None:
    ada = get_ready(arrived(visit(link(desk), **view)))
    page = ask(visit(f"{desk.url}/", **view), "Where is my order?")
    expect(log(page)).to_contain_text("You speak with Ada.")
    expect(site(page)).to_have_text([GREETS, "You speak with Ada."])
    expect(site(page).get_by_role("link")).to_have_attribute("href", "https://example.com/hours")
    expect(log(page).locator(".theirs")).to_have_count(0)
    screenshot(page, "words-widget")
    axe(page)
    chat(ada, "Visitor").first.click()
    told = read_by_waiter(ada).locator(".handed")
    expect(told).to_have_text([GREETS, "You speak with Ada."])
    expect(read_by_waiter(ada).locator(".theirs")).to_have_count(1)
    screenshot(ada, "words-console")
    axe(ada)
