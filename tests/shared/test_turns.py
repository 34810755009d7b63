"""First come, first served, also where the desk is in Redis and answers one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from testkit import Client, LiveServer
from testkit.redis import RedisServer

from ..faults.conftest import settle, stopped
from ..faults.test_turns import comer, place
from ..probe import next_frame
from .conftest import SETTINGS

CROWD = 60


@pytest.fixture
def a(database_url: str, redis: RedisServer) -> Iterator[LiveServer]:
    """A server of the desk that has read what tokens are compared with."""
    env = {**SETTINGS, "CSAPP_DATABASE_URL": database_url, "CSAPP_REDIS_URL": redis.url}
    with LiveServer.gunicorn("tests.faults.inspected:app", env) as server:
        server.get("/debug/loaded")
        yield server


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_who_asks_first_is_first_in_the_queue(a: LiveServer, come) -> None:
    crowd: list[Client] = [come(a, "user", f"user-{number}") for number in range(CROWD)]
    for client in crowd:
        client.receive_all()
    settle(a)
    for turn in range(3):
        order = crowd[turn * 7 :] + crowd[: turn * 7]
        for client in order:
            client.say("connect")
        places = [next_frame(client, "connect_queue")["payload"]["location"] for client in order]
        assert places == list(range(CROWD)), str(places)
        for client in order:
            client.say("disconnect")
            client.receive_all()
        settle(a)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_who_comes_while_it_stands_still_is_served_in_turn(a: LiveServer) -> None:
    """Handshake, token and question in one piece."""
    with ExitStack() as stack:
        with stopped(a):
            people = [comer(stack, a, f"comer-{number}") for number in range(CROWD)]
        assert [place(raw) for raw in people] == list(range(CROWD))
