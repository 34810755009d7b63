"""A background loop that fails goes on, or the worker says that it is unwell."""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Callable
from urllib.parse import quote

import pytest

from testkit import LiveServer
from testkit.redis import RedisServer

from .conftest import SETTINGS, gets, meet, say

WRITER = "the mailbox's writer"


@pytest.fixture
def start(database_url: str, redis: RedisServer, request: pytest.FixtureRequest):
    """Starts one more server of the desk, of which the loops can be broken."""
    env = {
        **SETTINGS,
        "CSAPP_DATABASE_URL": database_url,
        "CSAPP_REDIS_URL": redis.url,
        "CSAPP_RETENTION_DAYS": "1000",
    }

    def start() -> LiveServer:
        server = LiveServer.gunicorn("tests.shared.breakable:app", env)
        request.addfinalizer(server.quit)
        return server

    return start


def break_(server: LiveServer, loop: str, times: int, what: str = "round") -> None:
    """The next *times* rounds of *loop* raise."""
    asked = f"/debug/break?loop={quote(loop)}&times={times}&what={what}"
    assert json.loads(server.get(asked))["failed"]


def mend(server: LiveServer) -> None:
    """All loops do their work again."""
    assert json.loads(server.get("/debug/mend"))["well"]


def trouble(server: LiveServer) -> str:
    """Why the worker is not ready; `""` when it is."""
    try:
        return json.loads(server.get("/readyz")).get("reason", "")
    except urllib.error.HTTPError as red:
        found: str = json.loads(red.read())["reason"]
        return found


def comes_to(condition: Callable[[], bool]) -> None:
    """Ask until *condition* holds; each answer takes the server a round of its loop."""
    for _ in range(100_000):
        if condition():
            return
    raise AssertionError("it never came to that")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_each_loop_goes_on_after_what_it_did_not_expect(start: Callable[[], LiveServer]) -> None:
    server = start()
    loops = json.loads(server.get("/debug/loops"))
    assert {one["name"] for one in loops} >= {
        "the timers",
        "the mailbox's reader",
        WRITER,
        "the desk's ticks",
        "the look at the queue",
        "the look at revocations",
        "the search for lost letters",
        "the daily sweep",
    }
    for loop in loops:
        assert trouble(server) == ""
        before = len(server.lines)
        break_(server, loop["name"], -1)
        if loop["vital"]:
            assert f"{loop['name']} fails: OSError" in trouble(server)
        server.wait_for_line(f"{loop['name']} failed", after=before)
        mend(server)
        server.wait_for_line(f"{loop['name']} goes on", after=before)
    assert trouble(server) == ""


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_acknowledged_arrives_though_the_mailbox_could_not_be_written(a, b, come) -> None:
    waiter, user = come(a, "waiter", "ada"), come(b, "user", "ann")
    meet(user, waiter)
    said = 1  # the waiter has joined
    for what in ("round", "transmit"):
        for times in (1, 2, 4):  # the last one: until it gives the letters up
            break_(b, WRITER, times, what)
            for text in ("meanwhile", "after"):
                said += 1
                assert say(user, f"{text} {said}") == said
                gets(waiter, f"{text} {said}")
            comes_to(lambda: trouble(b) == "")
    break_(b, WRITER, -1, "transmit")
    assert say(user, "for ever") == said + 1
    comes_to(lambda: trouble(b) == f"{WRITER} fails: OSError")
    assert trouble(a) == ""
    mend(b)
    gets(waiter, "for ever")
    assert trouble(b) == ""
