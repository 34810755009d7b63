"""Departments on the wire: who asks where, who is told what, on a running server."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from services.clock import KEY_BITS
from services.conversation.rows import ConversationRow
from services.history.departments import Change, DepartmentTables, Overflow
from services.history.opening import open_store
from services.history.port import Batch
from testkit import Client, LiveServer, assert_receives
from testkit.redis import RedisServer

from .probe import next_frame, until

SETTINGS = {
    "CSAPP_GRACE": "60",
    "CSAPP_HEARTBEAT": "3600",
    "CSAPP_MESSAGE_RATE": "0",
    "CSAPP_MAX_USERS_PER_WAITER": "1",
}

Frame = dict[str, Any]
Open = Callable[..., Client]


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database with the departments `care` and `sales`, and one that is disabled."""
    url = f"sqlite:///{tmp_path / 'csapp.db'}"
    with closing(open_store(url)) as store:
        store.migrate()
        tables = DepartmentTables(store)
        tables.add("care")
        tables.add("sales", Change(names={"en": "Sales"}))
        tables.add("closed", Change(enabled=False))
        tables.add("patient", Change(overflow=Overflow("sales", 1)))
    return url


def change(url: str, key: str, **fields: Any) -> None:
    """An operator changes a department."""
    with closing(open_store(url)) as store:
        DepartmentTables(store).change(key, Change(**fields))


@pytest.fixture(params=["greenlets", "threads", "redis"])
def server(request: pytest.FixtureRequest, url: str) -> Iterator[LiveServer]:
    env = {**SETTINGS, "CSAPP_DATABASE_URL": url}
    if request.param == "redis":
        redis: RedisServer = request.getfixturevalue("own_redis")
        env["CSAPP_REDIS_URL"] = redis.url
    start = LiveServer.flask if request.param == "threads" else LiveServer.gunicorn
    with start(env=env) as server:
        yield server


@pytest.fixture
def come(server: LiveServer) -> Iterator[Open]:
    """Opens clients of version 2, and closes them."""
    clients: list[Client] = []

    def open_(role: str, sub: str, version: int = 2, **identity: Any) -> Client:
        client = Client(server, role)
        clients.append(client)
        token = server.token(role, sub, sub.title(), **identity)
        client.say("auth", {"token": token} | ({"version": 2} if version > 1 else {}))
        if version > 1:
            client.uuid = next_frame(client, "auth_success")["to"]
        return client

    yield open_
    for client in clients:
        client.drop()


def serves(come: Open, sub: str, *departments: Any) -> Client:
    """A waiter of these departments takes visitors."""
    waiter = come("waiter", sub, departments=departments)
    waiter.say("ready")
    next_frame(waiter, "ready")
    return waiter


def asks(come: Open, sub: str, department: str = "", **identity: Any) -> Client:
    """A visitor asks for this department."""
    user = come("user", sub, **identity)
    user.say("connect", {"department": department} if department else {})
    return user


# ---- asking ----------------------------------------------------------------


def test_a_visitor_is_served_where_it_has_asked(come: Open) -> None:
    sales, care = serves(come, "sam", "sales"), serves(come, "cara", "care")
    ann, bob = asks(come, "ann", "care"), asks(come, "bob", "sales")
    assert next_frame(ann, "connect_success")["payload"]["name"] == "Cara"
    assert next_frame(bob, "connect_success")["payload"]["name"] == "Sam"
    assert next_frame(care, "new_connection")["payload"]["department"] == "care"
    assert next_frame(sales, "new_connection")["payload"]["department"] == "sales"


def test_positions_are_those_of_the_department(come: Open) -> None:
    asks(come, "ann", "care")
    bob = asks(come, "bob", "sales")
    queued = next_frame(bob, "connect_queue")["payload"]
    assert (queued["location"], queued["department"]) == (0, "sales")
    bob.say("connect")
    queued = next_frame(bob, "connect_queue")["payload"]
    assert (queued["location"], queued["department"]) == (0, "sales")


def test_a_department_that_there_is_not_is_named(come: Open) -> None:
    ann = come("user", "ann")
    asked = ann.say("connect", {"department": "nowhere"})
    error = assert_receives(ann, "error", reply_id=asked, code="invalid_message")
    assert error["payload"]["message"] == "payload.department: there is no department nowhere"
    ann.say("connect", {"department": "care"})
    assert next_frame(ann, "connect_queue")["payload"]["department"] == "care"


def test_a_department_that_is_disabled_is_closed(come: Open) -> None:
    ann = come("user", "ann")
    asked = ann.say("connect", {"department": "closed"})
    answer = assert_receives(ann, "offline", reply_id=asked)
    assert answer["payload"] == {"reason": "closed"}
    ann.say("connect", {"department": "care"})
    assert next_frame(ann, "connect_queue")["payload"]["department"] == "care"


def test_version_1_waits_with_those_who_ask_for_none(come: Open) -> None:
    ann = come("user", "ann", version=1)
    ann.say("connect")
    assert next_frame(ann, "connect_queue")["payload"] == {"location": 0}
    serves(come, "sam", "sales")
    waiter = serves(come, "will")
    assert next_frame(waiter, "new_connection")["payload"]["sub"] == "ann"


def test_the_host_says_where_a_visitor_waits_and_how_soon_it_is_served(come: Open) -> None:
    ann = asks(come, "ann", departments="sales")
    assert next_frame(ann, "connect_queue")["payload"]["department"] == "sales"
    bob = asks(come, "bob", departments=["sales", "care"], priority=5)
    next_frame(bob, "connect_queue", payload_location=0, payload_department="sales")
    next_frame(ann, "connect_queue", payload_location=1)
    waiter = serves(come, "sam", "sales")
    assert next_frame(waiter, "new_connection")["payload"]["sub"] == "bob"


def test_who_asks_for_another_department_moves_there(come: Open) -> None:
    ann = asks(come, "ann", "care")
    next_frame(ann, "connect_queue", payload_department="care")
    bob = asks(come, "bob", "care")
    next_frame(bob, "connect_queue", payload_location=1)
    ann.say("connect", {"department": "sales"})
    next_frame(ann, "connect_queue", payload_location=0, payload_department="sales")
    next_frame(bob, "connect_queue", payload_location=0)


def test_a_ticket_makes_no_place_in_another_department(come: Open) -> None:
    ann = asks(come, "ann", "sales")
    ticket = next_frame(ann, "connect_queue")["payload"]["ticket"]
    bob = asks(come, "bob", "care")
    next_frame(bob, "connect_queue", payload_location=0)
    ann.say("connect", {"ticket": ticket, "department": "care"})
    next_frame(ann, "connect_queue", payload_location=1, payload_department="care")


def test_a_visitor_goes_to_the_waiter_of_yesterday(come: Open) -> None:
    """The desk has forgotten the visitor meanwhile; the history has not."""
    first = serves(come, "wim")
    ann = asks(come, "ann")
    next_frame(first, "new_connection")
    asked = ann.say("message_text", {"message": "hello"})
    next_frame(ann, "message_text_success", reply_id=asked)  # who serves it is stored as well
    serves(come, "ada")
    ann.leave()
    next_frame(first, "disconnected")
    asks(come, "ann")  # Ada has been idle for longer
    next_frame(first, "new_connection", payload_sub="ann")


# ---- what waiters see ------------------------------------------------------


def test_a_waiter_sees_the_queue_of_its_departments(come: Open) -> None:
    sales, will = come("waiter", "sam", departments=["sales"]), come("waiter", "will")
    for client in (sales, will):
        next_frame(client, "queue_status", payload_length=0)
    for user in ("ann", "bob"):
        next_frame(asks(come, user, "sales"), "connect_queue")
    next_frame(sales, "queue_status", payload_length=2)
    sales.say("get_queue")
    queue = next_frame(sales, "queue")["payload"]
    assert [(one["sub"], one["department"]) for one in queue["visitors"]] == [
        ("ann", "sales"), ("bob", "sales"),
    ]  # fmt: skip
    will.say("get_queue")
    assert next_frame(will, "queue")["payload"] == {"length": 0, "visitors": []}


def test_a_waiter_takes_from_its_departments_only(come: Open) -> None:
    ann = asks(come, "ann", "sales")
    uuid = next_frame(ann, "connect_queue")["to"]
    will, sam = come("waiter", "will"), come("waiter", "sam", departments="sales")
    asked = will.say("take", {"uuid": uuid})
    next_frame(will, "error", reply_id=asked, payload_code="no_such_user")
    asked = sam.say("take", {"uuid": uuid})
    next_frame(sam, "take_success", reply_id=asked)


# ---- changes ---------------------------------------------------------------


def test_a_change_reaches_who_is_here(come: Open, url: str) -> None:
    waiter = serves(come, "wim")
    ann = asks(come, "ann", "sales")
    next_frame(ann, "connect_queue")
    change(url, "sales", members={"wim": 3})
    assert next_frame(waiter, "new_connection")["payload"]["department"] == "sales"


def test_an_overflow_leads_on(come: Open) -> None:
    ann = asks(come, "ann", "patient")
    next_frame(ann, "connect_queue", payload_department="patient")
    ticket = next_frame(ann, "connect_queue", payload_department="sales")["payload"]["ticket"]
    ann.say("connect", {"department": "patient", "ticket": ticket})  # as after a short absence
    next_frame(ann, "connect_queue", payload_department="sales")
    waiter = serves(come, "sam", "sales")
    next_frame(waiter, "new_connection", payload_department="sales")


def test_who_waits_is_not_sent_away_when_its_department_closes(come: Open, url: str) -> None:
    ann = asks(come, "ann", "sales")
    next_frame(ann, "connect_queue")
    change(url, "sales", enabled=False)
    numbers = itertools.count()

    def is_refused() -> bool:
        refused: bool = asks(come, f"user {next(numbers)}", "sales").receive()["type"] == "offline"
        return refused

    until(is_refused)
    ann.say("connect", {"department": "sales"})
    next_frame(ann, "connect_queue", payload_department="sales")


def test_the_first_department_of_a_site_is_known_without_a_restart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'csapp.db'}"
    with LiveServer.gunicorn(env={**SETTINGS, "CSAPP_DATABASE_URL": url}) as server:
        waiter = Client.waiter(server, "wim")
        waiter.ready()
        user = Client.user(server, "ann")
        with closing(open_store(url)) as store:
            DepartmentTables(store).add("sales", Change(members={"wim": 0}))
        until(lambda: "sales" in json.loads(server.get("/v1/status")).get("departments", {}))
        user.say("connect")
        assert user.receive()["type"] == "connect_queue", "he serves elsewhere now"
        assert json.loads(server.get("/v1/welcome"))["departments"]


def test_a_ticket_does_not_hold_back_who_asks_where_it_would_lead_on(come: Open) -> None:
    """`patient` leads to `sales`; who came to `sales` by itself may want `patient`."""
    ann = asks(come, "ann", "sales")
    ticket = next_frame(ann, "connect_queue")["payload"]["ticket"]
    ann.say("connect", {"department": "patient", "ticket": ticket})
    next_frame(ann, "connect_queue", payload_department="patient")


def test_what_a_person_has_chosen_wrongly_is_no_bad_frame(come: Open) -> None:
    ann = come("user", "ann")
    for _ in range(30):
        asked = ann.say("connect", {"department": "nowhere"})
        next_frame(ann, "error", reply_id=asked, payload_code="invalid_message")
    ann.say("connect", {"department": "care"})
    next_frame(ann, "connect_queue", payload_department="care")


# ---- waits -----------------------------------------------------------------


def test_who_waits_is_shown_how_long_that_is_likely_to_last(tmp_path: Path) -> None:
    """Twenty conversations have lasted five minutes each, and one is under way at the only seat."""
    url = f"sqlite:///{tmp_path / 'csapp.db'}"
    with closing(open_store(url)) as store:
        store.migrate()
        now = time.time_ns() // 1_000_000
        rows = [
            ConversationRow(
                (now - 400_000 << KEY_BITS) + number, f"u{number}", f"visitor {number}",
                opened=now - 400_000, ended=now - 100_000,
            )
            for number in range(20)
        ]  # fmt: skip
        store.commit(Batch(rows))
    with LiveServer.gunicorn(env={**SETTINGS, "CSAPP_DATABASE_URL": url}) as server:
        waiter = Client.waiter(server, "wim")
        waiter.ready()
        first, second = Client(server, "user"), Client(server, "user")
        for user, sub in ((first, "ann"), (second, "bob")):
            user.say("auth", {"token": server.token("user", sub), "version": 2})
            user.say("connect")
        next_frame(first, "connect_success")

        def wait() -> float | None:
            second.say("connect")
            found: float | None = next_frame(second, "connect_queue")["payload"].get("wait")
            return found

        assert until(wait) == 300


def test_a_void_ticket_opens_no_closed_department(come: Open, url: str) -> None:
    ann = asks(come, "ann", "sales")
    ticket = next_frame(ann, "connect_queue")["payload"]["ticket"]
    ann.say("disconnect")
    next_frame(ann, "disconnected")
    change(url, "sales", enabled=False)
    numbers = itertools.count()

    def is_closed() -> bool:
        found: bool = asks(come, f"user {next(numbers)}", "sales").receive()["type"] == "offline"
        return found

    until(is_closed)
    ann.say("connect", {"department": "sales", "ticket": ticket})
    assert next_frame(ann, "offline")["payload"] == {"reason": "closed"}
