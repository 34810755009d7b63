"""While the database is away, what waits for a connection is counted, and has a bound."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from services.conversation.rows import public_id
from services.history.opening import open_store
from testkit import Client, LiveServer
from testkit.client import Closed
from testkit.postgres import Postgres

from ..probe import outbox_bytes
from ..raw import frame
from .conftest import figures, running

CROWD = 10
FRAMES = 20_000  # of each: without a bound, they cost 10 MB each
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def server(postgres: Postgres) -> Iterator[LiveServer]:
    """A server with a history in PostgreSQL."""
    url = postgres.database()
    with closing(open_store(url)) as store:
        store.migrate()
    with running(CSAPP_DATABASE_URL=url) as server:
        server.get("/debug/loaded")
        yield server


@contextlib.contextmanager
def away(postgres: Postgres) -> Iterator[None]:
    """The database is not there."""
    postgres.stop()
    try:
        yield
    finally:
        postgres.start()


def returning(server: LiveServer, sub: str) -> Client:
    """Somebody who wants to see what was missed: it has to be read first."""
    client = Client(server, "user")
    resume = {public_id(1): 0}
    token = server.token("user", sub)
    client.say("auth", {"token": token, "version": 2, "resume": resume})
    while client.receive()["type"] != "auth_success":
        pass
    return client


def text(number: int) -> bytes:
    return json.dumps(
        {"id": f"n{number}", "type": "message_text", "payload": {"message": "hello"}}
    ).encode()


def test_what_waits_for_the_history_is_counted_and_follows(
    server: LiveServer, postgres: Postgres
) -> None:
    before = outbox_bytes(server)
    with away(postgres):
        ann = returning(server, "ann")
        for number in range(500):
            ann.send(text(number))
        while outbox_bytes(server) < before + 500 * 400:  # each answer takes the server a round
            pass
    answers = [ann.receive() for _ in range(501)]
    assert [one["payload"]["code"] for one in answers] == ["forbidden", *["not_connected"] * 500]
    assert [one["reply_id"] for one in answers[1:]] == [f"n{number}" for number in range(500)]
    assert outbox_bytes(server) == before
    ann.leave()


def test_clients_that_go_on_writing_cost_no_more_than_slow_readers(
    server: LiveServer, postgres: Postgres
) -> None:
    crowd = []
    flood = b"".join(frame(text(number)) for number in range(FRAMES))
    with away(postgres):
        crowd = [returning(server, f"user-{number}") for number in range(CROWD)]
        before = figures(server)["memory"]
        codes = []
        for client in crowd:
            with contextlib.suppress(OSError):  # it has been closed meanwhile
                client.ws.sock.sendall(flood)
            codes.append(code(client))
        grown = figures(server)["memory"] - before
    assert set(codes) <= {4413, 1006}, codes
    assert 4413 in codes
    assert grown < 40 * MIB, f"{grown / MIB:.0f} MiB"


def code(client: Client) -> int:
    """How the connection ends; a reset, because more was sent than is read, is 1006."""
    try:
        while True:
            client.receive()
    except Closed as closed:
        return closed.code
    except OSError:
        return 1006
    finally:
        client.ws.shutdown()
