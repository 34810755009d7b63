"""Why a visitor waits, as waiters are shown it on a running server (docs/protocol.md)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from services.bounds import QUESTIONS
from services.history.departments import Change, DepartmentTables, Overflow
from services.history.opening import open_store
from testkit import Client, LiveServer

from .probe import next_frame, until
from .three_ways import WAYS, Clients, served

SETTINGS = {
    "CSAPP_GRACE": "60",
    "CSAPP_HEARTBEAT": "3600",
    "CSAPP_MESSAGE_RATE": "0",
    "CSAPP_MAX_USERS_PER_WAITER": "1",
}

Open = Callable[..., Client]


def change(url: str, act: Callable[[DepartmentTables], object]) -> None:
    """An operator changes the departments."""
    with closing(open_store(url)) as store:
        act(DepartmentTables(store))


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database with `care`, and with `patient`, from where visitors move on to that."""
    url = f"sqlite:///{tmp_path / 'csapp.db'}"
    with closing(open_store(url)) as store:
        store.migrate()
        tables = DepartmentTables(store)
        tables.add("care")
        tables.add("patient", Change(overflow=Overflow("care", 600)))
    return url


@pytest.fixture(params=WAYS)
def servers(request: pytest.FixtureRequest, url: str) -> Iterator[list[LiveServer]]:
    """The server that users come to, and the one that waiters come to."""
    env = {**SETTINGS, "CSAPP_DATABASE_URL": url}
    with served(request, env) as servers:
        yield servers


@pytest.fixture
def come(servers: list[LiveServer]) -> Iterator[Open]:
    """Opens clients of version 2, and closes them."""
    clients = Clients(*servers)
    yield lambda role, sub, **more: clients.come(role, sub, at=role == "waiter", **more)
    clients.close()


def asks(come: Open, sub: str, department: str = "") -> Client:
    """A visitor asks for this department."""
    user = come("user", sub)
    user.say("connect", {"department": department} if department else {})
    return user


def explanation(waiter: Client, uuid: str) -> dict[str, Any]:
    """What *waiter* is shown of why the visitor of *uuid* waits."""
    asked = waiter.say("explain", {"uuid": uuid})
    return next_frame(waiter, "explanation", reply_id=asked)["payload"]


def refusal(client: Client, payload: object) -> str:
    """With which code it is answered that *client* is not shown why that visitor waits."""
    asked = client.say("explain", payload)
    while (frame := client.receive()).get("reply_id") != asked:
        pass
    assert frame["type"] == "error"
    return str(frame["payload"]["code"])


def test_a_waiter_is_shown_why_a_visitor_waits(come: Open) -> None:
    ada, lin = come("waiter", "ada"), come("waiter", "lin")
    ada.say("ready")
    next_frame(ada, "ready")
    next_frame(asks(come, "ann"), "connect_success")
    bob = asks(come, "bob")
    next_frame(bob, "connect_queue")
    cid = asks(come, "cid")
    next_frame(cid, "connect_queue", payload_location=1)
    assert explanation(lin, cid.uuid) == {
        "uuid": cid.uuid,
        "location": 1,
        "waiters": [
            {"uuid": ada.uuid, "name": "Ada", "reason": "full", "load": 1, "capacity": 1},
            {"uuid": lin.uuid, "name": "Lin", "reason": "not_ready", "load": 0, "capacity": 1},
        ],
        "reasons": {"full": 1, "not_ready": 1},
    }
    ada.say("ready", {"capacity": 2})
    next_frame(bob, "connect_success")
    assert refusal(lin, {"uuid": bob.uuid}) == "no_such_user", "it waits no more"


def test_where_a_visitor_moves_on_to_is_shown(come: Open) -> None:
    ada = come("waiter", "ada", departments=["patient"])
    lin = come("waiter", "lin", departments=["care"])
    lin.say("ready")
    next_frame(lin, "ready")
    ann = asks(come, "ann", "patient")
    next_frame(ann, "connect_queue")
    shown = explanation(ada, ann.uuid)
    assert (shown["department"], shown["moves_to"]) == ("patient", "care")
    assert shown["moves_at"].endswith("Z")
    assert [(one["name"], one["department"], one["reason"]) for one in shown["waiters"]] == [
        ("Ada", "patient", "not_ready"), ("Lin", "care", "other_department"),
    ]  # fmt: skip


def test_a_waiter_is_shown_visitors_of_its_departments_only(come: Open) -> None:
    ada, lin = come("waiter", "ada", departments=["care"]), come("waiter", "lin")
    ann = asks(come, "ann", "care")
    next_frame(ann, "connect_queue")
    assert explanation(ada, ann.uuid)["reasons"] == {"not_ready": 1}
    for uuid in (ann.uuid, ada.uuid, "nobody"):
        assert refusal(lin, {"uuid": uuid}) == "no_such_user"
    for payload in ({}, {"uuid": 5}, None):
        assert refusal(lin, payload) == "invalid_message"
    assert refusal(ann, {"uuid": ann.uuid}) == "unknown_type"


def test_a_waiter_asks_so_much_at_once(come: Open) -> None:
    ada = come("waiter", "ada")
    asked = 0
    while refusal(ada, {"uuid": "nobody"}) != "rate_limited":
        asked += 1
        assert asked < 2 * QUESTIONS.at_once
    assert asked >= QUESTIONS.at_once


def test_a_closed_department_is_named(servers: list[LiveServer], come: Open, url: str) -> None:
    ada = come("waiter", "ada", departments=["care"])
    ann = asks(come, "ann", "care")
    next_frame(ann, "connect_queue")
    assert "closed" not in explanation(ada, ann.uuid)
    change(url, lambda tables: tables.change("care", Change(enabled=False)))
    for server in servers:  # each looks every 2 s
        until(
            lambda one=server: not json.loads(one.get("/v1/status"))["departments"]["care"]["open"]
        )
    assert "closed" in explanation(ada, ann.uuid)
    assert explanation(ada, ann.uuid)["reasons"] == {"not_ready": 1}
