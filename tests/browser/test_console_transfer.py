"""Handing a visitor over: to whom, with which note, and what all three see of it."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from playwright.sync_api import Locator, Page, expect

from services.history.departments import Change, DepartmentTables
from services.history.opening import open_store

from .conftest import Axe, Run, Screenshot, View, Visit
from .console import arrived, chat, get_ready, link, log
from .guest import Guest
from .visitor import ask
from .visitor import log as said
from .waiter import Waiter

pytestmark = pytest.mark.browser


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog")


def takers(page: Page) -> Locator:
    return dialog(page).get_by_role("option")


def test_a_visitor_is_handed_to_a_waiter_by_keyboard(
    run: Run, env: dict[str, str], visit: Visit, axe: Axe, screenshot: Screenshot, view: View
) -> None:
    store = open_store(env["CSAPP_DATABASE_URL"])
    store.migrate()
    tables = DepartmentTables(store)
    tables.add("sales", Change(names={"en": "Sales"}, members={"lin": 0}))
    server = run(env={**env, "CSAPP_MAX_USERS_PER_WAITER": "1"})
    ada = get_ready(arrived(visit(link(server), **view)))
    with ExitStack() as stack:
        ann = stack.enter_context(Guest(server, "ann", "Ann Berg"))
        ann.is_served()
        lin = stack.enter_context(Waiter(server, "lin", "Lin", departments=["sales"]))
        bob = stack.enter_context(Waiter(server, "bob", "Bob Miller"))
        busy = stack.enter_context(Guest(server, "cleo", "Cleo"))
        busy.is_served()
        bob.meets()
        chat(ada, "Ann Berg").click()
        ada.get_by_role("main").get_by_role("heading").first.focus()
        ada.evaluate("document.activeElement.blur()")
        ada.keyboard.press("t")
        expect(takers(ada)).to_have_text(
            ["Linready, 0 of 1", "Bob Millerfull, 1 of 1", "Sales1 waiter ready",
             "The queue without a department1 waiter ready"]
        )  # fmt: skip
        expect(takers(ada).nth(1)).to_have_attribute("aria-disabled", "true")
        screenshot(ada, "console-transfer")
        axe(ada)
        ada.keyboard.press("ArrowDown")
        ada.keyboard.press("Enter")
        expect(dialog(ada).get_by_role("status")).to_have_text("Bob Miller is full just now.")
        ada.keyboard.type("li")
        expect(takers(ada)).to_have_count(1)
        ada.keyboard.press("Enter")
        expect(dialog(ada)).to_contain_text("Hand Ann Berg to Lin?")
        expect(dialog(ada).get_by_label("Note")).to_be_focused()
        ada.keyboard.type("She waits for a refund.")
        screenshot(ada, "console-transfer-note")
        axe(ada)
        ada.keyboard.press("Tab")
        ada.keyboard.press("Tab")
        expect(dialog(ada).get_by_role("button", name="Hand over")).to_be_focused()
        ada.keyboard.press("Enter")
        expect(dialog(ada)).to_have_count(0)
        expect(ada.get_by_role("main")).to_contain_text("You have handed Ann Berg over.")
        screenshot(ada, "console-transfer-done")
        axe(ada)
        lin.meets()
        staff = lin.hears("message_history")["payload"]["staff"]
        assert [one["payload"]["text"] for one in staff] == ["She waits for a refund."]
        assert ann.hears("connect_success")["payload"]["name"] == "Lin"
        assert ada.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_who_is_full_meanwhile_is_said_in_words(
    run: Run, env: dict[str, str], visit: Visit
) -> None:
    server = run(env={**env, "CSAPP_MAX_USERS_PER_WAITER": "1"})
    ada = get_ready(arrived(visit(link(server))))
    with ExitStack() as stack:
        stack.enter_context(Guest(server, "ann", "Ann Berg")).is_served()
        bob = stack.enter_context(Waiter(server, "bob", "Bob"))
        chat(ada, "Ann Berg").click()
        ada.get_by_role("button", name="Hand over").click()
        takers(ada).filter(has_text="Bob").click()
        stack.enter_context(Guest(server, "cleo", "Cleo")).is_served()
        bob.meets()
        dialog(ada).get_by_label("Note").fill("?")
        dialog(ada).get_by_role("button", name="Hand over").click()
        expect(dialog(ada).get_by_role("status")).to_have_text("Bob is full just now.")
        dialog(ada).get_by_role("button", name="Back").click()
        expect(takers(ada).filter(has_text="full, 1 of 1")).to_have_count(1)
        ada.keyboard.press("Escape")
        expect(dialog(ada)).to_have_count(0)


def test_who_gets_the_visitor_reads_the_note_beside_the_messages(
    run: Run, env: dict[str, str], visit: Visit, axe: Axe, screenshot: Screenshot, view: View
) -> None:
    server = run(env=env)
    lin = arrived(visit(link(server, "lin", "Lin"), **view))
    with ExitStack() as stack:
        ada = stack.enter_context(Waiter(server))
        ann = stack.enter_context(Guest(server, "ann", "Ann Berg"))
        ann.is_served()
        ada.meets()
        ann.writes("Where is my parcel?")
        ada.reads()
        ada.tells("get_waiters")
        others = ada.hears("waiters")["payload"]
        (to,) = [one["uuid"] for one in others if one["name"] == "Lin"]
        ada.tells("transfer", uuid=ada.user, to_waiter=to, note="It is at the customs.")
        chat(lin, "Ann Berg").click()
        expect(lin.locator(".staff")).to_have_text("Note of ada: It is at the customs.")
        expect(log(lin)).to_contain_text("Ada has handed the visitor to Lin.")
        screenshot(lin, "console-transfer-received")
        axe(lin)


def test_the_visitor_reads_who_has_handed_it_to_whom(
    run: Run, env: dict[str, str], visit: Visit
) -> None:
    server = run(env=env)
    ada = get_ready(arrived(visit(link(server))))
    with Waiter(server, "lin", "Lin") as lin:
        lin.client.say("unready")
        lin.hears("unready")
        ann = ask(visit(server.url), "Where is my parcel?")
        chat(ada, "Visitor").click()
        expect(log(ada)).to_contain_text("Where is my parcel?")
        ada.get_by_role("button", name="Hand over").click()
        takers(ada).filter(has_text="Lin").click()
        dialog(ada).get_by_role("button", name="Hand over").click()
        lin.meets()
        lin.writes("I am Lin.")
        expect(said(ann)).to_contain_text("Ada has handed you to Lin.")
        expect(said(ann)).to_contain_text("I am Lin.")
        ann.reload()
        expect(said(ann)).to_contain_text("Ada has handed you to Lin.")
