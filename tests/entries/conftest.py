"""Visitors and waiters of version 2 or 1 at one server with a database, for tests of entries."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from testkit import Client, LiveServer

from ..clocked import GUNICORN
from ..forks import run
from ..probe import next_frame

Frame = dict[str, Any]
Come = Callable[..., Client]

GRACE = 60  # s, of which nobody waits for one
SETTINGS = {"CSAPP_GRACE": str(GRACE), "CSAPP_HEARTBEAT": "3600", "CSAPP_MESSAGE_RATE": "0"}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the server of all these tests."""
    return tmp_path_factory.mktemp("entries") / "csapp.db"


@pytest.fixture(scope="module")
def server(database: Path) -> Iterator[LiveServer]:
    """One for all: each test has people of its own."""
    env = {**SETTINGS, "CSAPP_DATABASE_URL": f"sqlite:///{database}"}
    with LiveServer.gunicorn(GUNICORN, env) as server:
        yield server


@pytest.fixture
def come(server: LiveServer) -> Iterator[Come]:
    """`come(role, sub)` opens a client of version 2, or of *version*."""
    with ExitStack() as stack:

        def come(role: str, sub: str, version: int = 2, **auth: Any) -> Client:
            client = Client(server, role)
            stack.callback(gone, client)
            client.token = auth.pop("token", "") or server.token(role, sub, sub.title())
            spoken = {"version": 2} if version > 1 else {}
            client.say("auth", {"token": client.token} | spoken | auth)
            if version > 1:
                client.uuid = next_frame(client, "auth_success")["to"]
            else:
                client.put_back(client.receive_all())
            return client

        yield come


def gone(client: Client) -> None:
    """Leave for good, if that has not been done: others are to have waiters of their own."""
    with contextlib.suppress(Exception):
        client.leave()


def meet(user: Client, waiter: Client) -> str:
    """Both come together, and nobody else meets this waiter; the name of the conversation."""
    waiter.say("ready", {"capacity": 1})
    user.say("connect")
    name: str = next_frame(user, "connect_success")["payload"].get("conversation", "")
    next_frame(waiter, "new_connection")
    next_frame(user, "event", conversation=name)  # the conversation is stored
    return name


def ends(user: Client, waiter: Client) -> None:
    """The visitor leaves, and both know it."""
    user.say("disconnect")
    for client in (user, waiter):
        next_frame(client, "disconnected")


def chat(database: Path, *args: str) -> str:
    """What `flask chat …` prints."""
    env = {"CSAPP_DATABASE_URL": f"sqlite:///{database}", "CSAPP_SECRET_KEY": "s" * 32}
    done = run("flask", "--app", "csapp", "chat", *args, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout
