"""Who waits: seen by waiters, and taken out of turn where the site allows it."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from services.history.departments import Change, DepartmentTables, Overflow
from services.history.opening import open_store
from testkit import LiveServer

from .conftest import DESK, Axe, Run, Screenshot, View, Visit
from .console import arrived, box, chat, chats, duty, expect_chosen, get_ready, link
from .guest import Guest
from .waiter import Waiter

pytestmark = pytest.mark.browser

PEOPLE = [
    ("cust-1", "Ann Berg", "https://shop.example/tables/oak?x=1", "Do you deliver to Norway?"),
    ("cust-2", "李明", "", "您好，请问可以换尺码吗？"),
    ("cust-3", "Cleo", "https://shop.example/" + "long/" * 40, "A question. " * 20),
    ("anonymous-3fQ7Kq2x", "", "", ""),
]


def come(server: LiveServer, stack: ExitStack) -> list[Guest]:
    """They join, one after the other."""
    guests = []
    for sub, name, page, question in PEOPLE:
        guests.append(stack.enter_context(Guest(server, sub, name, page, question=question)))
        guests[-1].hears("connect_queue")
    return guests


def queue(page: Page) -> Locator:
    return page.get_by_role("region", name="In line")


def waiting(page: Page) -> Locator:
    return queue(page).get_by_role("listitem")


def test_a_waiter_sees_who_waits_in_its_departments_and_where(
    run: Run, env: dict[str, str], visit: Visit, axe: Axe, screenshot: Screenshot, view: View
) -> None:
    store = open_store(env["CSAPP_DATABASE_URL"])
    store.migrate()
    tables = DepartmentTables(store)
    for key, name in (("care", "Returns & repairs"), ("sales", "Sales"), ("press", "Press")):
        members = {"ada": 1} if key != "press" else {}
        tables.add(key, Change(names={"en": name}, members=members))
    server = run(env=env)
    ada = arrived(visit(link(server), **view))
    with ExitStack() as stack:
        for sub, name, _, question in PEOPLE[:3]:
            department = {"cust-1": "care", "cust-2": "press", "cust-3": "sales"}[sub]
            guest = Guest(server, sub, name, question=question, department=department)
            stack.enter_context(guest).hears("connect_queue")
        expect(queue(ada)).to_contain_text("2 visitors")
        expect(waiting(ada)).to_have_count(2)
        expect(waiting(ada).first.locator(".of")).to_have_text("Returns & repairs")
        expect(waiting(ada).last.locator(".of")).to_have_text("Sales")
        screenshot(ada, "console-queue-departments")
        axe(ada)
        get_ready(ada)
        chat(ada, "Cleo").click()
        if view["viewport"] == DESK:
            about = ada.locator(".visitor dl")
            expect(about).to_contain_text("Department")
            expect(about).to_contain_text("Sales")


def test_who_waits_is_seen_with_question_page_and_wait(
    run: Run, env: dict[str, str], visit: Visit, axe: Axe, screenshot: Screenshot, view: View
) -> None:
    server = run(env=env)
    ada = arrived(visit(link(server), **view))
    with ExitStack() as stack:
        guests = come(server, stack)
        expect(waiting(ada)).to_have_count(4)
        expect(queue(ada)).to_contain_text("4 visitors")
        first = waiting(ada).first
        expect(first).to_contain_text("Ann Berg")
        expect(first).to_contain_text("Do you deliver to Norway?")
        expect(first.get_by_role("link")).to_have_text("shop.example/tables/oak")
        expect(first.locator(".picture")).to_have_text("AB")
        expect(first.locator(".since")).to_have_text(re.compile(r"^[1-9]\d* sec$"))
        before = first.locator(".since").inner_text()
        expect(first.locator(".since")).not_to_have_text(before)
        expect(waiting(ada).nth(1)).to_contain_text("您好")
        expect(waiting(ada).last).to_contain_text("Visitor KQ2X")
        if view["viewport"] == DESK:  # there is room for all of them
            assert waiting(ada).first.evaluate(
                "({ parentNode: list }) => list.scrollHeight <= list.clientHeight"
            )
        screenshot(ada, "console-queue")
        axe(ada)
        guests[0].tells("connect", question="And to Sweden?")
        expect(waiting(ada).first).to_contain_text("And to Sweden?")
        guests[1].tells("disconnect")
        expect(waiting(ada)).to_have_count(3)
        assert ada.evaluate("document.documentElement.scrollWidth <= innerWidth")
        get_ready(ada)
        expect(chats(ada)).to_have_count(3)
        expect(waiting(ada)).to_have_count(0)
        chat(ada, "Visitor KQ2X").click()
        heading = ada.get_by_role("heading", name="Visitor KQ2X")
        expect(heading.first).to_be_visible()
        assert heading.first.evaluate("(it) => it.scrollWidth <= it.clientWidth"), "all of it"


def test_one_is_taken_out_of_turn(run: Run, env: dict[str, str], visit: Visit) -> None:
    """By keyboard; the chat opens, to be answered at once."""
    server = run(env={**env, "CSAPP_MAX_USERS_PER_WAITER": "1"})
    ada = get_ready(arrived(visit(link(server))))
    with ExitStack() as stack:
        served = stack.enter_context(Guest(server, "dan", "Dan"))
        served.is_served()
        guests = come(server, stack)
        expect(waiting(ada)).to_have_count(4)
        take = queue(ada).get_by_role("button", name="Take Cleo")
        take.click()
        expect(ada.get_by_role("alert")).to_contain_text("as many chats as you take at once")
        ada.get_by_role("button", name="Close", exact=True).click()
        ada.get_by_role("button", name="Away", exact=True).click()
        expect(duty(ada, "Away")).to_be_visible()
        served.leaves()
        expect(waiting(ada)).to_have_count(4)  # nobody is sent
        take.focus()
        ada.keyboard.press("Enter")
        guests[2].is_served()
        expect_chosen(ada, "Cleo")
        expect(box(ada, "Cleo")).to_be_focused()
        expect(waiting(ada)).to_have_count(3)
        ada.get_by_role("button", name="More chats at once").click()  # counts while away, too
        queue(ada).get_by_role("button", name="Take Ann Berg").click()
        guests[0].is_served()
        expect(duty(ada, "Away")).to_be_visible()
        expect(waiting(ada)).to_have_count(2)


def test_who_is_served_is_not_among_those_who_wait(
    run: Run, env: dict[str, str], visit: Visit
) -> None:
    """Also before the server is asked again who waits."""
    server = run(env=env)
    ada = arrived(visit(link(server)))
    ada.get_by_role("button", name="Fewer chats at once").click(click_count=4)
    with Guest(server, "ann", "Ann") as ann, Guest(server, "bob", "Bob"):
        expect(waiting(ada)).to_have_count(2)
        ada.clock.install()
        ada.clock.pause_at(datetime.now() + timedelta(seconds=1))
        ada.get_by_role("button", name="Ready", exact=True).click()
        ann.is_served()
        expect(chat(ada, "Ann")).to_be_visible()
        expect(waiting(ada)).to_have_count(1)
        expect(waiting(ada)).to_contain_text("Bob")


def test_where_everybody_is_served_in_turn(run: Run, env: dict[str, str], visit: Visit) -> None:
    server = run(env={**env, "CSAPP_TAKE": "off"})
    ada = arrived(visit(link(server)))
    with ExitStack() as stack:
        come(server, stack)
        expect(waiting(ada)).to_have_count(4)
        expect(queue(ada).get_by_role("button")).to_have_text(["Why?"] * 4)
        queue(ada).get_by_role("list").focus()  # it scrolls by keyboard
        expect(queue(ada).get_by_role("list")).to_be_focused()


def test_who_has_gone_meanwhile_is_not_taken(run: Run, env: dict[str, str], visit: Visit) -> None:
    server = run(env=env)
    page = visit(f"{server.url}/healthz", expected=("404",))
    deaf = []

    def between(here: WebSocketRoute) -> None:
        there = here.connect_to_server()

        def pass_on(text: str | bytes) -> None:
            if not deaf or json.loads(text)["type"] != "queue_status":
                here.send(text)

        there.on_message(pass_on)

    page.route_web_socket(re.compile("/v1/ws/"), between)
    page.goto(link(server))
    ada = arrived(page)
    with Guest(server, "ann", "Ann", question="Hello?") as ann:
        ann.hears("connect_queue")
        expect(waiting(ada)).to_have_count(1)
        deaf.append(True)
        ann.tells("disconnect")
        ann.client.text("Gone?")
        ann.hears("error")  # so the queue has let her go
        queue(ada).get_by_role("button", name="Take Ann").click()
        expect(ada.get_by_role("alert")).to_contain_text("does not wait any more")
        expect(chat(ada, "Ann")).to_have_count(0)


def test_who_waits_is_asked_again_after_an_error(
    run: Run, env: dict[str, str], visit: Visit
) -> None:
    """A server that cannot say it now can in a moment: at the next change at the latest."""
    server = run(env=env)
    page = visit(f"{server.url}/healthz", expected=("404",))
    refused: list[str] = []

    def between(here: WebSocketRoute) -> None:
        there = here.connect_to_server()

        def pass_on(text: str | bytes) -> None:
            frame = json.loads(text)
            if frame["type"] != "get_queue" or refused:
                there.send(text)
                return
            refused.append(frame["id"])
            error = {"code": "unavailable", "message": "the desk is away", "retry_after": 1}
            here.send(json.dumps({"type": "error", "reply_id": frame["id"], "payload": error}))

        here.on_message(pass_on)

    page.route_web_socket(re.compile("/v1/ws/"), between)
    page.goto(link(server))
    ada = arrived(page)
    with Guest(server, "ann", "Ann", question="Hello?") as ann, Guest(server, "bob", "Bob") as bob:
        ann.hears("connect_queue")
        bob.hears("connect_queue")
        expect(waiting(ada)).to_have_count(2)
    assert refused


def test_why_a_visitor_waits_is_said_of_each_waiter(
    run: Run, env: dict[str, str], visit: Visit, axe: Axe, screenshot: Screenshot, view: View
) -> None:
    """By keyboard; what changes meanwhile is shown, and that the visitor waits no more."""
    store = open_store(env["CSAPP_DATABASE_URL"])
    store.migrate()
    tables = DepartmentTables(store)
    overflow = Overflow("care", 3600)
    tables.add("care", Change(names={"en": "Returns & repairs"}, members={"cy": 1}))
    tables.add(
        "sales", Change(names={"en": "Sales"}, overflow=overflow, members={"ada": 1, "lin": 1})
    )
    server = run(env={**env, "CSAPP_MAX_USERS_PER_WAITER": "1"})
    ada = arrived(visit(link(server), **view))
    with ExitStack() as stack:
        lin = stack.enter_context(Waiter(server, "lin", "Lin Wang"))
        stack.enter_context(Waiter(server, "cy", "Cy"))
        stack.enter_context(Guest(server, "ann", "Ann", department="sales")).is_served()
        lin.meets()
        bob = stack.enter_context(Guest(server, "bob", "Bob Miller", department="sales"))
        bob.hears("connect_queue")
        waiting(ada).get_by_role("button", name="Why does Bob Miller wait?").focus()
        ada.keyboard.press("Enter")
        dialog = ada.get_by_role("dialog", name="Why does Bob Miller wait?")
        expect(dialog.get_by_role("listitem")).to_have_text(
            ["Lin Wangfull, 1 of 1", "Adanot ready, 0 of 1",
             "Cyin Returns & repairs, to which the visitor moves later"]
        )  # fmt: skip
        expect(dialog.get_by_role("status")).to_contain_text("Next in line.")
        expect(dialog.get_by_role("status")).to_contain_text("Moves to Returns & repairs:")
        screenshot(ada, "console-why")
        axe(ada)
        assert ada.evaluate("document.documentElement.scrollWidth <= innerWidth")
        bob.tells("disconnect")
        expect(dialog.get_by_role("status")).to_have_text("This visitor does not wait any more.")
        expect(dialog.get_by_role("listitem")).to_have_count(0)
        ada.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
