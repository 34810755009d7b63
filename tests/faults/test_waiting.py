"""Who answers every ping stays, also while its own session waits for the store."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import websocket

from services.history.opening import open_store
from services.identity import Identity, TokenRole, Tokens
from testkit import Client, LiveServer
from testkit.postgres import Postgres
from testkit.server import SECRET

from .conftest import running

PINGS = 4  # of which each would have ended a connection that has not answered

#: what is under way while the store stands still, and what ends the wait for it
REQUESTS = {
    "a page of a conversation": ("get_history", {}),
    "a text, and then typing, which waits for it": ("message_text", {"message": "hello"}),
    "past conversations": ("get_history_session", {}),
}


@pytest.fixture(scope="module")
def server(postgres: Postgres) -> Iterator[LiveServer]:
    """A server that asks every second whether everybody is there."""
    url = postgres.database()
    with closing(open_store(url)) as store:
        store.migrate()
    settings = {
        "CSAPP_DATABASE_URL": url,
        "CSAPP_HEARTBEAT": "1",
        "CSAPP_MAX_USERS_PER_WAITER": "2",
        "CSAPP_AUTH_TIMEOUT": "5",  # whoever shows a token does so in time
    }
    with running("tests.faults.impatient:app", **settings) as server:
        yield server


def enter(server: LiveServer, role: str, sub: str) -> Client:
    """Somebody of version 2."""
    client = Client(server, role)
    client.say("auth", {"token": server.token(role, sub), "version": 2})
    until(client, "auth_success")
    return client


def until(client: Client, type_: str) -> None:
    while client.receive()["type"] != type_:
        pass


def ask(client: Client, what: str, to: str) -> None:
    type_, payload = REQUESTS[what]
    client.say(type_, payload, **({"to": to} if type_ == "message_text" else {}))
    if type_ == "message_text":
        client.say("typing", {"on": True}, to=to)


def wait_and_answer(client: Client, what: str, to: str) -> int:
    """Ask, again after each refusal, and answer pings meanwhile; the code of a close, or 0."""
    ask(client, what, to)
    pings = 0
    while pings < PINGS:
        frame = client.ws.recv_frame()
        if frame.opcode == websocket.ABNF.OPCODE_CLOSE:
            return int.from_bytes(frame.data[:2], "big")
        if frame.opcode == websocket.ABNF.OPCODE_PING:
            client.ws.pong(frame.data)
            pings += 1
        elif json.loads(frame.data).get("reply_id"):
            ask(client, what, to)
    return 0


def test_who_answers_pings_stays_while_the_store_stands_still(
    server: LiveServer, postgres: Postgres
) -> None:
    waiter, ann, bob = (
        enter(server, role, sub)
        for role, sub in (("waiter", "ada"), ("user", "ann"), ("user", "bob"))
    )
    waiter.say("ready")
    for user in (ann, bob):
        user.say("connect")
        until(user, "message_history")
    people = dict(zip(REQUESTS, (ann, bob, waiter), strict=True))
    with postgres.paused(), ThreadPoolExecutor(len(people)) as pool:
        codes = dict(
            zip(
                people,
                pool.map(lambda what: wait_and_answer(people[what], what, ann.uuid), people),
                strict=True,
            )
        )
    assert codes == dict.fromkeys(people, 0)
    for client in (ann, bob, waiter):
        client.leave()


def test_who_answers_nothing_is_ended_also_while_its_session_waits(
    server: LiveServer, postgres: Postgres
) -> None:
    """A session that waits does not read: an answer that came before the ping is none."""
    ada = enter(server, "waiter", "ada")
    with postgres.paused():
        ada.say("get_history_session", {})
        while (frame := ada.ws.recv_frame()).opcode != websocket.ABNF.OPCODE_CLOSE:
            pass
    assert int.from_bytes(frame.data[:2], "big") == 4408
    ada.drop()


def test_a_token_that_came_in_time_is_in_time_however_long_it_is_looked_up(
    server: LiveServer, postgres: Postgres
) -> None:
    """A token of an unusual age is looked up in the database."""
    long_ago = time.time() - 8 * 86_400
    tokens = Tokens([SECRET], 30 * 86_400, now=lambda: long_ago)
    token = tokens.sign(Identity("ann", "", TokenRole.USER))
    client = Client(server, "user")
    with postgres.paused():
        client.say("auth", {"token": token, "version": 2})
        assert client.receive()["payload"]["code"] == "unavailable"
        assert client.closed() == 4408  # nothing better has come meanwhile
    with Client(server, "user") as client:
        client.say("auth", {"token": token, "version": 2})
        until(client, "auth_success")
