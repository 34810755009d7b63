"""First come, first served, also of those who come within one round of the event loop."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from testkit import Client, LiveServer, assert_receives

from ..raw import TEXT, Raw, frame, request
from .conftest import figures, joining, running, settle, stopped

CROWD = 100  # more than libev takes from the kernel at once, at first
ROUNDS = 3


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """Nobody is served but by those who come for it."""
    with running() as server:
        yield server


@pytest.fixture(scope="module")
def crowd(server: LiveServer) -> Iterator[list[Client]]:
    """Visitors who have said who they are."""
    with joining(server) as join:
        crowd = [join("user", f"user-{number}") for number in range(CROWD)]
        for client in crowd:
            client.receive_all()
        settle(server)
        yield crowd


@contextlib.contextmanager
def standing(server: LiveServer, still: bool) -> Iterator[None]:
    """The server stands still, or not."""
    with stopped(server) if still else contextlib.nullcontext():
        yield


@pytest.mark.parametrize("still", [False, True], ids=["at once", "while it stands still"])
def test_who_asks_first_is_first_in_the_queue(
    server: LiveServer, crowd: list[Client], still: bool
) -> None:
    for turn in range(ROUNDS):
        order = crowd[turn * 7 :] + crowd[: turn * 7]  # not the order in which they came
        with standing(server, still):
            for client in order:
                client.say("connect")
        places = [
            assert_receives(client, "connect_queue")["payload"]["location"] for client in order
        ]
        assert places == list(range(CROWD)), str(places)
        for client in order:
            client.say("disconnect")
            client.receive_all()
        settle(server)


@pytest.mark.parametrize("still", [False, True], ids=["at once", "while it stands still"])
def test_who_is_ready_first_is_asked_first(server: LiveServer, still: bool) -> None:
    with joining(server) as join:
        waiters = [join("waiter") for _ in range(20)]
        users = [join("user") for _ in range(20)]
        waiters.reverse()
        for client in (*waiters, *users):
            client.receive_all()
        settle(server)
        with standing(server, still):
            for waiter in waiters:
                waiter.say("ready")
        for waiter in waiters:
            waiter.receive_all()
        settle(server)
        with standing(server, still):
            for user in users:
                user.say("connect")
        for user, waiter in zip(users, waiters, strict=True):
            assert_receives(user, "connect_success", uuid=waiter.uuid)


def test_who_comes_while_it_stands_still_is_served_in_turn(server: LiveServer) -> None:
    """Handshake, token and question in one piece."""
    before = figures(server)["participants"]
    with ExitStack() as stack:
        with stopped(server):
            people = [comer(stack, server, f"comer-{number}") for number in range(CROWD)]
        assert [place(raw) for raw in people] == list(range(CROWD))
    assert figures(server, participants=before)["participants"] <= before, "their grace has ended"


def comer(stack: ExitStack, server: LiveServer, sub: str) -> Raw:
    """Somebody who says everything at once."""
    raw = stack.enter_context(Raw(server))
    asked = (
        {"id": "a", "type": "auth", "payload": {"token": server.token("user", sub)}},
        {"id": "c", "type": "connect"},
    )
    words = b"".join(frame(json.dumps(one).encode()) for one in asked)
    raw.send(request("/v1/ws/user/connect") + words)
    return raw


def place(raw: Raw) -> int:
    """Where in the queue the server says that it stands."""
    raw.head()
    while True:
        opcode, data = raw.receive()
        assert opcode == TEXT, data
        found = json.loads(data)
        if found["type"] == "connect_queue":
            location: int = found["payload"]["location"]
            return location
