"""One worker has lost its database: what comes for its people meanwhile is bounded, and arrives."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from testkit import LiveServer
from testkit.postgres import Postgres
from testkit.proxy import FaultProxy
from testkit.redis import RedisServer

from .. import probe
from ..faults.conftest import figures
from ..probe import next_frame, outbox_bytes
from .conftest import SETTINGS, gets, meet, say

MIB = 1024 * 1024
TEXTS = 10_000
AT_ONCE = 100  # before a receipt is waited for
LONG = 3000  # characters: all of them are three times what may wait, `MOST_HELD`


@pytest.fixture
def way(postgres: Postgres) -> Iterator[FaultProxy]:
    """The way of one worker to the database."""
    around = SimpleNamespace(port=postgres.port, url=postgres.url, ws_url="", tls=None, token=None)
    with FaultProxy(around) as proxy:
        yield proxy


@pytest.fixture
def b(
    database_url: str,
    way: FaultProxy,
    postgres: Postgres,
    redis: RedisServer,
) -> Iterator[LiveServer]:
    """The worker at the end of *way*."""
    url = postgres.url_of(database_url.rpartition("/")[2], way.port)
    env = {**SETTINGS, "CSAPP_DATABASE_URL": url, "CSAPP_REDIS_URL": redis.url}
    env["CSAPP_HEARTBEAT"] = "3600"  # a client that gets nothing for long does not read
    with LiveServer.gunicorn("tests.faults.inspected:app", env) as server:
        server.get("/debug/loaded")
        yield server


def away(way: FaultProxy, server: LiveServer) -> None:
    """The database of *server* is not there; *server* knows it."""
    way.refuse()
    way.reset()
    server.wait_for_line("the history cannot be stored|cannot be read")


def lose_a_letter(redis: RedisServer) -> None:
    """Every worker gets a letter by which it notices that an earlier one is missing."""
    client = redis.client()
    for box in client.keys("csapp:{main}:box:*"):
        client.xadd(box, {"f": "ghost", "n": 7, "b": b""})
    client.close()


def test_letters_go_on_though_what_may_be_lost_cannot_be_looked_up(
    a: LiveServer, b: LiveServer, come, way: FaultProxy, redis: RedisServer
) -> None:
    waiter, user = come(a, "waiter", "ada"), come(b, "user", "ann")
    meet(user, waiter)
    say(waiter, "one", user.uuid)
    gets(user, "one")
    away(way, b)
    lose_a_letter(redis)
    for number in range(20):
        say(waiter, f"meanwhile {number}", user.uuid)
        gets(user, f"meanwhile {number}")
    way.heal()


def test_what_waits_for_the_database_of_one_worker_is_bounded_and_follows(
    a: LiveServer, b: LiveServer, come, way: FaultProxy
) -> None:
    waiter, user = come(a, "waiter", "ada"), come(b, "user", "ann")
    name = meet(user, waiter)
    user.drop()
    next_frame(waiter, "presence", payload_state="away")
    away(way, b)
    back = come(b, "user", "ann", resume={name: 0})
    next_frame(waiter, "presence", payload_state="online")
    before = figures(b)["memory"]
    for first in range(0, TEXTS, AT_ONCE):
        for number in range(first, first + AT_ONCE):
            last = waiter.text(f"{number} {'x' * LONG}", to=back.uuid)
        next_frame(waiter, "message_text_success", reply_id=last)
    assert 0 < outbox_bytes(b) < 12 * MIB
    grown = figures(b)["memory"] - before
    assert grown < 40 * MIB, f"{grown / MIB:.0f} MiB"
    way.heal()
    probe.until(lambda: outbox_bytes(b) == 0)
