"""The server that most attacks share, its bystanders, and somebody to attack with."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest
import websocket

from testkit import Client, LiveServer, assert_receives
from testkit.client import assert_quiet
from testkit.server import SECRET

from ..raw import Raw
from .bystanders import Bystanders

#: an older key that still verifies; the newest signs
ROTATED = "a-rotated-secret-for-tests-0123456789"

SETTINGS = {
    "CSAPP_SECRET_KEY": f"{ROTATED},{SECRET}",
    "CSAPP_MAX_USERS_PER_WAITER": "1",  # so that the bystanders' waiter serves nobody else
    "CSAPP_GRACE": "1",
    "CSAPP_MESSAGE_RATE": "0",
    "CSAPP_CONNECTIONS_PER_IP": "0",
}


@contextmanager
def running(
    app: str = "tests.faults.inspected:app", args: tuple[str, ...] = (), **settings: str
) -> Iterator[LiveServer]:
    """A server of one's own with other *settings*, which is stopped at once in the end."""
    with LiveServer.gunicorn(app, {**SETTINGS, **settings}, args) as server:
        yield server


@contextmanager
def stopped(server: LiveServer) -> Iterator[None]:
    """The worker stands still (SIGSTOP); what is sent meanwhile is all there when it goes on."""
    worker = server.worker_pid
    os.kill(worker, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(worker, signal.SIGCONT)


def settle(server: LiveServer) -> None:
    """Return when the event loop has looked at its sockets anew.

    The kernel lists a socket that was read in the round before in front of those
    that have got something since.
    """
    for _ in range(2):
        server.get("/healthz")


def figures(server: LiveServer, **most: int) -> dict[str, int]:
    """What the worker holds (`inspected.py`); where *most* is given, once no more is left."""
    asked = "&".join(f"{name}={number}" for name, number in most.items())
    found: dict[str, int] = json.loads(server.get(f"/debug/figures?{asked}"))
    return found


#: what must be back where it began when everybody has gone
COUNTED = ("greenlets", "connections", "participants", "descriptors", "threads")


def figures_at_rest(server: LiveServer) -> dict[str, int]:
    """What the worker holds when nobody is there."""
    with Bystanders(server), Client(server, "user"), Raw.open(server, "/echo"):
        pass  # what is made at first use is there
    return figures(server, connections=0, participants=0)


def assert_back(server: LiveServer, before: dict[str, int]) -> dict[str, int]:
    """The worker holds no more than *before*, once it has come to rest; what it holds."""
    after = figures(server, **{name: before[name] for name in COUNTED})
    more = {name: (before[name], after[name]) for name in COUNTED if after[name] > before[name]}
    assert not more, f"left behind (before, after): {more}"
    return after


@pytest.fixture(scope="package")
def server() -> Iterator[LiveServer]:
    """One for all attacks; in the end it holds nothing more than in the beginning."""
    with running() as server:
        before = figures_at_rest(server)
        yield server
        assert_back(server, before)


@pytest.fixture
def bystanders(server: LiveServer) -> Iterator[Bystanders]:
    """They talk while the test goes on, and notice nothing."""
    with Bystanders(server) as bystanders:
        yield bystanders


Scenario = Callable[[], object]


@contextmanager
def meanwhile(request: pytest.FixtureRequest, name: str, scenario: Scenario) -> Iterator[Scenario]:
    """Run *scenario*, which waits for long, beside other tests; call what is yielded to join it.

    It begins now, if a test with *name* in its own name is to run at all. What
    it raises is raised there.
    """
    wanted = any(name in item.name for item in request.session.items)
    with ThreadPoolExecutor(1, name) as pool:
        future = pool.submit(scenario) if wanted else None
        yield lambda: future and future.result()


#: `join("user")`: an authenticated client that is let go in the end
Join = Callable[..., Client]


@contextmanager
def joining(server: LiveServer) -> Iterator[Join]:
    """Opens clients on *server* that leave on purpose in the end, so that nobody waits for them."""
    with ExitStack() as stack:

        def join(role: str, sub: str = "", **options: object) -> Client:
            client = Client(server, role, **options)
            stack.callback(let_go, client)
            client.auth(server.token(role, sub or f"{role}-{uuid.uuid4().hex[:8]}"))
            return client

        yield join


def let_go(client: Client) -> None:
    """Leave, if it is still there."""
    with contextlib.suppress(OSError, websocket.WebSocketException):
        client.leave()
    client.ws.shutdown()


@pytest.fixture
def join(server: LiveServer, bystanders: Bystanders) -> Iterator[Join]:
    """`joining` on the shared server; the bystanders are there first and leave last."""
    with joining(server) as join:
        yield join


@pytest.fixture
def chat(join: Join) -> tuple[Client, Client]:
    """A user and its waiter: the ones who attack, or are attacked."""
    return meet(join("user"), join("waiter"))


def meet(user: Client, waiter: Client) -> tuple[Client, Client]:
    """Bring the two together."""
    waiter.ready()
    user.say("connect")
    assert_receives(user, "connect_success", uuid=waiter.uuid)
    assert_receives(waiter, "new_connection", uuid=user.uuid)
    return user, waiter


def flood(talker: Client, reader: Client, until: Callable[[], object]) -> list[str]:
    """Say more to *reader* than it reads, *until*; what was said."""
    said: list[str] = []
    while not until():
        for _ in range(FLOOD):
            said.append(f"{len(said)} {'€' * 4000}")
            talker.text(said[-1], to=reader.uuid)
        assert len(said) < 10_000
    return said


FLOOD = 40  # texts of 12 kB: less than may wait for a reader (`CSAPP_OUTBOX_BYTES`)


def clog(talker: Client, reader: Client) -> list[str]:
    """Say just so much that some of it waits in the server for *reader*; what was said."""

    def clogged() -> bool:
        assert_quiet(talker)  # all of it was taken
        return figures(talker.server)["backlog"] > 0

    return flood(talker, reader, clogged)


def row(number: int, name: str, *values: object) -> pytest.ParameterSet:
    """A case of a row of `README.md`."""
    return pytest.param(*values, id=f"row{number:02d}-{name}")
