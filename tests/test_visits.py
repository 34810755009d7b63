"""Each visitor who asks leaves one row, whatever becomes of it, on running servers."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from services.clock import Clock
from services.history import tables
from services.history.departments import Change, DepartmentTables
from services.history.opening import open_store
from services.history.visits import Outcome
from services.visits import SAME_VISIT, Visits
from testkit import Client, LiveServer

from .probe import come_back, next_frame, until
from .test_transfers import Shop, hands_over, met, says
from .three_ways import WAYS, served

Row = dict[str, Any]

SETTINGS = {
    "CSAPP_GRACE": "60", "CSAPP_HEARTBEAT": "3600", "CSAPP_MESSAGE_RATE": "0",
    "CSAPP_MAX_USERS_PER_WAITER": "1",
}  # fmt: skip


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A site with a department that lets one visitor wait, and one that is closed."""
    url = f"sqlite:///{tmp_path / 'csapp.db'}"
    with closing(open_store(url)) as store:
        store.migrate()
        departments = DepartmentTables(store)
        departments.add("sales", Change(max_queue=1))
        departments.add("closed", Change(enabled=False))
    return url


@pytest.fixture(params=WAYS)
def shop(request: pytest.FixtureRequest, url: str) -> Iterator[Shop]:
    env = {**SETTINGS, "CSAPP_DATABASE_URL": url}
    with served(request, env) as servers:
        shop = Shop(*servers)
        yield shop
        shop.close()


def visits(url: str) -> list[Row]:
    """All rows, in the order in which the visitors have asked."""
    with closing(open_store(url)) as store, store.engine.connect() as connection:
        query = sa.select(tables.visit).order_by(tables.visit.c.key)
        return [dict(row) for row in connection.execute(query).mappings()]


def wait_for(url: str, *outcomes: str) -> list[Row]:
    """The rows, as soon as these are their *outcomes*."""

    def look() -> list[Row]:
        found = visits(url)
        return found if [row["outcome"] for row in found] == [*outcomes] else []

    return until(look, lambda: str(visits(url)))


def test_a_conversation_leaves_one_row_with_who_came_first(shop: Shop, url: str) -> None:
    wanda, ann = shop.serves("wanda", "sales"), shop.come("user", "ann")
    ann.say("connect", {"department": "sales"})
    user = met(ann, wanda)
    ann.say("connect", {"department": "sales"})  # again: it is answered where it is
    next_frame(ann, "connect_success")
    says(ann, "Hello")
    (row,) = wait_for(url, "")
    assert (row["department"], row["waiter"]) == ("sales", "wanda")
    assert row["asked"] <= row["matched"]
    assert row["answered"] is None
    will = shop.serves("will", "sales", at=1)
    assert hands_over(wanda, user, to_waiter=will.uuid)["type"] == "transfer_success"
    next_frame(will, "new_connection")
    says(will, "Good day", user)
    ann.say("disconnect")
    (row,) = wait_for(url, "left")
    assert (row["waiter"], row["answered_by"]) == ("wanda", "will")
    assert row["asked"] <= row["matched"] <= row["answered"] <= row["ended"]


def test_who_is_never_served_leaves_one_row_each(shop: Shop, url: str) -> None:
    ann, bob = shop.come("user", "ann"), shop.come("user", "bob", at=1)
    ann.say("connect", {"department": "sales"})
    next_frame(ann, "connect_queue")
    ann.say("connect", {"department": "sales"})
    next_frame(ann, "connect_queue")
    bob.say("connect", {"department": "sales"})
    next_frame(bob, "error", payload_code="queue_full")
    bob.say("connect", {"department": "closed"})
    next_frame(bob, "offline")
    assert [row["department"] for row in wait_for(url, "", "full", "closed")] == [
        "sales", "sales", "closed",
    ]  # fmt: skip
    ann.say("disconnect")
    wait_for(url, "abandoned", "full", "closed")
    ann.say("connect")
    next_frame(ann, "connect_queue")
    ann.ws.close()  # for good
    rows = wait_for(url, "abandoned", "full", "closed", "abandoned")
    assert all(row["matched"] is None and row["ended"] >= row["asked"] for row in rows)


def test_who_leaves_a_message_leaves_one_row_as_well(shop: Shop, url: str) -> None:
    ann, bob = shop.come("user", "ann"), shop.come("user", "bob")
    ann.say("connect", {"department": "closed"})
    next_frame(ann, "offline")
    wait_for(url, "closed")
    for _ in range(2):
        said = {"message": "Call me", "department": "closed"}
        ann.send(json.dumps({"type": "leave_message", "id": "once", "payload": said}))
        next_frame(ann, "leave_message_success")
    wait_for(url, "message")
    bob.say("leave_message", {"message": "Hello", "department": "sales"})
    next_frame(bob, "leave_message_success")
    rows = wait_for(url, "message", "message")
    assert [row["department"] for row in rows] == ["closed", "sales"]


def test_a_visitor_of_version_1_counts_as_well(shop: Shop, url: str) -> None:
    ann = shop.come("user", "ann", version=1)
    ann.say("connect")
    next_frame(ann, "connect_queue")
    ann.say("disconnect")
    wait_for(url, "abandoned")


def test_what_a_server_has_left_open_that_was_killed_is_settled(url: str) -> None:
    env = {**SETTINGS, "CSAPP_DATABASE_URL": url}

    def come(server: LiveServer, role: str, sub: str) -> Client:
        client = come_back(server, role)
        client.say("auth", {"token": server.token(role, sub), "version": 2})
        next_frame(client, "auth_success")
        return client

    with LiveServer.flask(env=env) as server:
        ada, ann, bob = (
            come(server, *one) for one in (("waiter", "ada"), ("user", "ann"), ("user", "bob"))
        )
        ada.say("ready")
        next_frame(ada, "ready")
        ann.say("connect")
        next_frame(ann, "connect_success")
        bob.say("connect")
        next_frame(bob, "connect_queue")
        wait_for(url, "", "")
        server.signal(signal.SIGKILL)
        server.wait()
    with LiveServer.flask(env=env) as server:
        ann, bob = come(server, "user", "ann"), come(server, "user", "bob")
        (gone_on, lost) = wait_for(url, "", "unknown")
        assert gone_on["waiter"] == "ada"
        bob.say("connect")
        next_frame(bob, "connect_queue")
        wait_for(url, "", "unknown", "")
        ann.say("disconnect")
        (ended, _, _) = wait_for(url, "left", "unknown", "")
        assert {**ended, "ended": None, "outcome": ""} == gone_on
        assert lost["matched"] is None


# ---- who is turned away again and again -----------------------------------------


class Turned:
    """What is noted of visitors who are turned away; the clock stands still."""

    def __init__(self) -> None:
        self.time, self.noted = 1000.0, []
        writer: Any = SimpleNamespace(note_visit=self.noted.append)
        self.visits = Visits(writer, Clock(), lambda: self.time)

    def away(self, subject: str = "ann", department: str = "sales") -> int:
        return self.visits.turned_away(subject, department, Outcome.CLOSED)


def test_who_asks_again_within_a_minute_goes_on_with_its_visit() -> None:
    site = Turned()
    first = site.away()
    site.time += SAME_VISIT - 1
    assert site.away() == first
    assert len({first, site.away("bob"), site.away(department="care")}) == 3
    site.time += 1
    assert site.away() != first
    assert len(site.noted) == 4


def test_what_comes_after_a_message_is_another_visit() -> None:
    site = Turned()
    first = site.away()
    site.visits.message_left(first)
    assert site.away() != first


def test_it_is_remembered_of_so_many_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.visits.MOST_REFUSED", 2)
    site = Turned()
    first = [site.away(name) for name in ("ann", "bob", "cid")]
    assert [site.away(name) for name in ("bob", "cid")] == first[1:]
    assert site.away("ann") != first[0]
    site.time += SAME_VISIT
    site.away("dan")
    assert len(site.visits._refused) == 1
