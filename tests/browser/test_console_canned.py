"""Canned replies with choices, with placeholders and of departments, and what is used most."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from services.history.canned import CannedReplies
from services.history.departments import Change, DepartmentTables
from services.history.opening import open_store
from testkit import LiveServer

from .conftest import Axe, Run, Screenshot, View, Visit
from .console import (
    arrived,
    box,
    chat,
    expect_chosen,
    expect_dialog,
    get_ready,
    line,
    link,
    log,
    unaware,
)
from .guest import Guest

pytestmark = pytest.mark.browser

SIZES = ["Small", "Medium", "Large"]


@pytest.fixture
def url(tmp_path: Path) -> str:
    """With a question of Ada's that offers choices, and a reply that all share."""
    url = f"sqlite:///{tmp_path}/csapp.db"
    with closing(open_store(url)) as store:
        store.migrate()
        replies = CannedReplies(store, 4096)
        replies.add("ada", "size", "Which size, {visitor}?", choices=SIZES)
        replies.add("lin", "bye", "Good-bye!", shared=True, name="Lin")
        tables = DepartmentTables(store)
        tables.add("sales", Change(names={"en": "Sales"}, members={"lin": 0}))
        tables.add("help", Change(names={"en": "Help desk"}, members={"mia": 0}))
    return url


@pytest.fixture
def desk(run: Run, url: str) -> LiveServer:
    return run(env={"CSAPP_DATABASE_URL": url, "CSAPP_MAX_TEXT": "100"})


def offering(page: Page) -> Locator:
    """The choices below the box."""
    return page.get_by_role("group", name="Choices that are offered").get_by_role("listitem")


def offer(ann: Guest) -> dict[str, Any]:
    """The next offer that reaches the visitor: the ids by the texts of its choices."""
    payload = ann.hears("message_choice")["payload"]
    return {one["text"]: one["id"] for one in payload["choices"]}


def takes(page: Page, name: str, shortcut: str) -> None:
    """Insert the canned reply."""
    box(page, name).press("Control+End")
    page.keyboard.type(f"/{shortcut}")
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")


def send(page: Page) -> Locator:
    return page.get_by_role("button", name="Send", exact=True)


def test_choices_from_the_form_to_the_answer(
    desk: LiveServer, visit: Visit, view: View, axe: Axe, screenshot: Screenshot
) -> None:
    ada = get_ready(arrived(visit(link(desk), expected=("status of 400",), **view)))
    ada.get_by_role("button", name="Canned replies").click()
    dialog = expect_dialog(ada, "Canned replies")
    dialog.get_by_role("button", name="New reply").click()
    ada.keyboard.type("colour")
    dialog.get_by_label("Text").fill("Which colour, {visitor}?")
    dialog.get_by_label("Choices").fill("Red\n\n Green ")
    axe(ada)
    screenshot(ada, "canned-form")
    dialog.get_by_label("Choices").fill("Red\n\n Red ")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_have_text("Two choices are the same.")
    expect(dialog.get_by_label("Choices")).to_have_value("Red\n\n Red ")
    dialog.get_by_label("Choices").fill("Red\n\n Green ")
    dialog.get_by_role("button", name="Save").click()
    colour = dialog.get_by_role("listitem").filter(has_text="/colour")
    expect(colour).to_contain_text("Choices: Red Green")
    expect(colour).to_contain_text("Not used yet.")
    axe(ada)
    screenshot(ada, "canned-list")
    ada.keyboard.press("Escape")
    with Guest(desk, "ann", "Ann Berg", page="https://shop.example/shoes") as ann:
        ann.is_served()
        chat(ada, "Ann Berg").click()
        box(ada, "Ann Berg").fill("Hello! /colour")
        expect(ada.get_by_role("option")).to_contain_text("Which colour, Ann Berg? Red Green")
        screenshot(ada, "canned-choice-preview")
        ada.keyboard.press("Enter")
        expect(box(ada, "Ann Berg")).to_have_value("Hello! Which colour, Ann Berg?")
        expect(offering(ada)).to_have_text(["Red", "Green"])
        axe(ada)
        screenshot(ada, "canned-choices")
        box(ada, "Ann Berg").press("Enter")
        first = offer(ann)
        assert list(first) == ["Red", "Green"]
        expect(offering(ada)).to_have_count(0)
        sent = log(ada).get_by_role("list", name="Choices")
        expect(sent.get_by_role("listitem")).to_have_text(["Red", "Green"])
        takes(ada, "Ann Berg", "colour")
        box(ada, "Ann Berg").press("Enter")
        again = offer(ann)
        assert not {*first.values()} & {*again.values()}, "a later one would close the first"
        ann.client.say("message_text", {"message": "Red", "choice": first["Red"]})
        ann.client.say("message_text", {"message": "Green", "choice": again["Green"]})
        expect(sent.get_by_text("chosen by the visitor")).to_have_count(2)


def test_choices_outlive_a_reload_and_are_taken_away(desk: LiveServer, visit: Visit) -> None:
    ada = get_ready(arrived(visit(link(desk))))
    with Guest(desk, "ann", "Ann") as ann:
        ann.is_served()
        takes(ada, "Ann", "size")
        ada.reload()
        expect(offering(ada)).to_have_text(SIZES)
        expect(box(ada, "Ann")).to_have_value("Which size, Ann?")
        ada.get_by_role("button", name="Remove Medium").press("Enter")
        expect(box(ada, "Ann")).to_be_focused()
        expect(offering(ada)).to_have_text(["Small", "Large"])
        ada.get_by_role("button", name="Remove Small").press("Enter")
        few = ada.get_by_text("A visitor needs two choices at least.")
        expect(few).to_be_visible()
        expect(send(ada)).to_be_disabled()
        box(ada, "Ann").press("Enter")
        expect(box(ada, "Ann")).to_have_value("Which size, Ann?")
        ada.get_by_role("button", name="Remove all choices").press("Enter")
        expect(few).to_be_hidden()
        expect(offering(ada)).to_have_count(0)
        box(ada, "Ann").press("Enter")
        assert ann.reads() == "Which size, Ann?"
        takes(ada, "Ann", "size")
        box(ada, "Ann").press("Enter")
        assert list(offer(ann)) == SIZES
        ada.reload()
        expect(log(ada)).to_contain_text("Medium")
        expect(offering(ada)).to_have_count(0)


def test_choices_belong_to_their_chat(desk: LiveServer, visit: Visit) -> None:
    ada = get_ready(arrived(visit(link(desk))))
    with Guest(desk, "ann", "Ann") as ann, Guest(desk, "bob", "Bob") as bob:
        ann.is_served()
        bob.is_served()
        expect_chosen(ada, "Ann")
        takes(ada, "Ann", "size")
        expect(offering(ada)).to_have_count(3)
        ada.keyboard.press("Alt+ArrowDown")
        expect(box(ada, "Bob")).to_be_focused()
        expect(offering(ada)).to_have_count(0)
        ada.keyboard.press("Alt+ArrowUp")
        expect(offering(ada)).to_have_text(SIZES)


def test_an_offer_that_failed_is_edited_with_its_choices(desk: LiveServer, visit: Visit) -> None:
    page = visit(link(desk))
    unaware(page, 100)
    page.reload()
    ada = get_ready(arrived(page))
    long = "a" * 99
    with Guest(desk, "ann", "Ann") as ann:
        ann.is_served()
        takes(ada, "Ann", "size")
        box(ada, "Ann").fill(f"{long} size?")
        box(ada, "Ann").press("Enter")
        failed = line(ada, f"{long} size?")
        expect(failed).to_contain_text("Not sent. At most 100 characters.")
        failed.get_by_role("button", name="Edit").click()
        expect(offering(ada)).to_have_text(SIZES)
        box(ada, "Ann").fill("Which?")
        box(ada, "Ann").press("Enter")
        assert list(offer(ann)) == SIZES


def test_placeholders(desk: LiveServer, visit: Visit, url: str) -> None:
    """Once, by what is known, and nothing else in braces."""
    with closing(open_store(url)) as store:
        text = "Hi {visitor} of {page}, {waiter}: {name} {Visitor} {} {visitor}"
        CannedReplies(store, 4096).add(
            "ada", "all", text, choices=["{page}", "To {visitor}", "{x}"]
        )
    ada = get_ready(arrived(visit(link(desk))))
    tricky = "$& {waiter}"
    with Guest(desk, "ann", tricky, page="https://shop.example/a") as ann:
        ann.is_served()
        chat(ada, tricky).click()
        box(ada, tricky).fill("/all")
        filled = f"Hi {tricky} of https://shop.example/a, Ada: {{name}} {{Visitor}} {{}} {tricky}"
        expect(ada.get_by_role("option")).to_contain_text(filled)
        ada.keyboard.press("Enter")
        expect(box(ada, tricky)).to_have_value(filled)
        expect(offering(ada)).to_have_text(["https://shop.example/a", f"To {tricky}", "{x}"])
    with Guest(desk, "anonymous-1") as nobody:
        nobody.is_served()
        chat(ada, "Visitor 1").click()
        ada.get_by_label("Reply to Visitor 1").fill("/all")
        ada.keyboard.press("Enter")
        expect(ada.get_by_label("Reply to Visitor 1")).to_have_value(
            "Hi there of , Ada: {name} {Visitor} {} there"
        )
        expect(offering(ada)).to_have_text(["To there", "{x}"])


def test_what_is_used_most_comes_first(desk: LiveServer, visit: Visit) -> None:
    ada = get_ready(arrived(visit(link(desk))))
    with Guest(desk, "ann", "Ann") as ann:
        ann.is_served()
        expect_chosen(ada, "Ann")
        options = ada.get_by_role("option")
        box(ada, "Ann").fill("/")
        expect(options).to_contain_text(["/bye", "/size"])
        ada.keyboard.press("Escape")
        box(ada, "Ann").fill("")
        with ada.expect_response("**/used") as counted:
            takes(ada, "Ann", "size")
        assert counted.value.status == 204
        box(ada, "Ann").fill("/")
        expect(options).to_contain_text(["/size", "/bye"])
        ada.reload()
        box(ada, "Ann").fill("/")
        expect(options).to_contain_text(["/size", "/bye"])
        for shortcut in ("size", "bye"):  # twice before, and once since
            ada.keyboard.press("Escape")
            box(ada, "Ann").fill("")
            takes(ada, "Ann", shortcut)
        box(ada, "Ann").fill("/")
        expect(options).to_contain_text(["/size", "/bye"])
        box(ada, "Ann").fill("/y")
        expect(options).to_contain_text(["/bye"])
    ada.keyboard.press("Escape")
    ada.get_by_role("button", name="Canned replies").click()
    dialog = expect_dialog(ada, "Canned replies")
    size = dialog.get_by_role("listitem").filter(has_text="/size")
    expect(size).to_contain_text("Used 2 times, ")


def test_a_reply_of_a_department(
    desk: LiveServer, visit: Visit, axe: Axe, screenshot: Screenshot
) -> None:
    """Its waiters share it; a reply of one's own is changed into one."""
    lin = arrived(visit(link(desk, "lin", "Lin")))
    lin.get_by_role("button", name="Canned replies").click()
    dialog = expect_dialog(lin, "Canned replies")
    dialog.get_by_role("button", name="New reply").click()
    lin.keyboard.type("offer")
    dialog.get_by_label("Text").fill("Today 10 % off.")
    who = dialog.get_by_label("Who has it")
    expect(who.get_by_role("option")).to_have_text(["Only you", "All waiters", "Sales"])
    expect(who).to_have_value("own")
    who.select_option("Sales")
    axe(lin)
    screenshot(lin, "canned-department")
    dialog.get_by_role("button", name="Save").click()
    made = dialog.get_by_role("listitem").filter(has_text="/offer")
    expect(made.get_by_text("Sales", exact=True)).to_be_visible()
    dialog.get_by_role("button", name="Edit /offer").click()
    expect(who.locator("option:checked")).to_have_text("Sales")
    dialog.get_by_role("button", name="Cancel").click()
    mia = arrived(visit(link(desk, "mia", "Mia")))
    mia.get_by_role("button", name="Canned replies").click()
    seen = expect_dialog(mia, "Canned replies").get_by_role("listitem")
    expect(seen).to_have_count(1)
    expect(seen).to_contain_text("/bye")


def test_versions_show_their_choices(desk: LiveServer, visit: Visit, url: str) -> None:
    """Also of what went with its department."""
    with closing(open_store(url)) as store:
        replies = CannedReplies(store, 4096, departments=["sales"])
        replies.add(
            "lin", "size", "Which?", shared=True, name="Lin", department="sales", choices=SIZES
        )
        DepartmentTables(store).remove("sales")
    mia = arrived(visit(link(desk, "mia", "Mia")))
    mia.get_by_role("button", name="Canned replies").click()
    dialog = expect_dialog(mia, "Canned replies")
    dialog.get_by_role("button", name="Deleted replies").click()
    gone = dialog.get_by_role("listitem")
    expect(gone).to_contain_text("Choices: Small Medium Large")
    expect(gone).to_contain_text("Deleted with its department, ")
    dialog.get_by_role("button", name="Restore /size of Lin").click()
    back = dialog.get_by_role("listitem").filter(has_text="/size")
    expect(back).to_contain_text("Choices: Small Medium Large")
