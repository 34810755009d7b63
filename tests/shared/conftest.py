"""Two servers of one worker each, on one Redis and one database."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from services.history.opening import open_store
from testkit import Client, LiveServer
from testkit.postgres import Postgres
from testkit.redis import RedisServer

from .. import probe
from ..probe import Frame, next_frame

SETTINGS = {
    "CSAPP_GRACE": "60",  # who returns does so in time, however busy the machine is
    "CSAPP_MESSAGE_RATE": "0",
    "CSAPP_CONNECTIONS_PER_IP": "0",
    "CSAPP_MAX_USERS_PER_WAITER": "2",
    "CSAPP_FIELDS": '["name"]',
}

Come = Callable[..., Client]


#: for tests in which somebody does not return
BRIEF_GRACE = pytest.mark.grace("1")
#: for tests whose outcome the database could change; the others have PostgreSQL
BOTH = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database with its tables."""
    if getattr(request, "param", "postgresql") == "sqlite":
        url = f"sqlite:///{tmp_path / 'csapp.db'}"
    else:
        postgres: Postgres = request.getfixturevalue("postgres")
        url = postgres.database()
    with closing(open_store(url)) as store:
        store.migrate()
    return url


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A Redis of its own for each test: what happens to it is part of the test."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def start(
    request: pytest.FixtureRequest, database_url: str, redis: RedisServer
) -> Iterator[Callable[[], LiveServer]]:
    """Starts one more server of the desk."""
    env = {**SETTINGS, "CSAPP_DATABASE_URL": database_url, "CSAPP_REDIS_URL": redis.url}
    if brief := request.node.get_closest_marker("grace"):
        env["CSAPP_GRACE"] = env["CSAPP_AWAY"] = brief.args[0]
    with ExitStack() as stack:

        def start() -> LiveServer:
            server = LiveServer.gunicorn(env=env)
            stack.callback(server.quit)
            return server

        yield start


@pytest.fixture
def a(start: Callable[[], LiveServer]) -> LiveServer:
    """One server."""
    return start()


@pytest.fixture
def b(start: Callable[[], LiveServer]) -> LiveServer:
    """The other one."""
    return start()


def kill_worker(server: LiveServer) -> None:
    """SIGKILL; gunicorn starts another one."""
    seen = len(server.lines)
    os.kill(server.worker_pid, signal.SIGKILL)
    server.wait_for_line("Booting worker", after=seen)


@pytest.fixture
def come() -> Iterator[Come]:
    """`come(server, role, sub)` opens a client of version 2, or of *version*; all are closed."""
    with ExitStack() as stack:
        logins: dict[tuple[str, str], str] = {}

        def come(
            server: LiveServer,
            role: str,
            sub: str,
            version: int = 2,
            resume: dict[str, int] | None = None,
            *,
            anew: bool = False,
        ) -> Client:
            client = Client(server, role)
            stack.callback(drop, client)
            if anew or (role, sub) not in logins:
                logins[role, sub] = server.token(role, sub, sub.title())
            payload: Frame = {"token": logins[role, sub]}
            if version > 1:
                payload |= {"version": version} | ({} if resume is None else {"resume": resume})
            client.say("auth", payload)
            if version > 1:
                next_frame(client, "auth_success")
            else:
                client.put_back(client.receive_all())
            return client

        yield come


def drop(client: Client) -> None:
    """Lose the connection, if there is one."""
    with contextlib.suppress(Exception):
        client.drop()


def here(client: Client) -> None:
    """Return when the server has handled all that this client has sent."""
    marker = client.say("auth", {"token": "marker"})
    while client.receive().get("reply_id") != marker:
        pass


def meet(user: Client, waiter: Client) -> str:
    """Both come together; the name of their conversation."""
    asked = waiter.say("ready")
    next_frame(waiter, "ready", reply_id=asked)
    user.say("connect")
    name: str = next_frame(user, "connect_success")["payload"]["conversation"]
    next_frame(user, "message_history", conversation=name)
    next_frame(waiter, "message_history", conversation=name)
    return name


def say(client: Client, text: str, to: str | None = None) -> int:
    """Say *text* and wait for the receipt; its number.

    As clients do, it is said again while the history is unavailable: a worker that is stopped
    in the middle of a transaction keeps the others from storing for some seconds.
    """
    fields = {"id": f"{client.role}-{uuid.uuid4()}"} | ({} if to is None else {"to": to})
    frame = json.dumps({"type": "message_text", "payload": {"message": text}, **fields})

    def seq() -> int:
        client.send(frame)
        while (answer := client.receive()).get("reply_id") != fields["id"]:
            pass
        if answer["type"] == "message_text_success":
            return int(answer["seq"])
        assert answer["payload"]["code"] == "unavailable", answer
        return 0

    return probe.until(seq)


def gets(client: Client, text: str) -> Frame:
    """The next text that comes is this one."""
    frame = next_frame(client, "message_text")
    assert frame["payload"]["message"] == text, frame
    return frame


def page(client: Client, conversation: str) -> list[str]:
    """The texts of the next history of *conversation*."""
    frame = next_frame(client, "message_history", conversation=conversation)
    entries = frame["payload"]["messages"]
    return [one["payload"]["message"] for one in entries if one["type"] == "message_text"]
