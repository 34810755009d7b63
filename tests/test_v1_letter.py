"""A version-1 connection never receives anything that the founding document does not list.

The words are typed in here from docs/protocol.v1.zh.md, not taken from the code.
Random sessions over a real server; every frame that any client receives is
checked.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from testkit import Client, LiveServer
from testkit.client import Closed

from .files.pairs import Pair, show
from .files.posting import png, uploaded
from .three_ways import Clients, asks

FIELDS = {"id", "from", "to", "type", "payload", "reply_id"}
REQUIRED = {"id", "to", "type"}
PAYLOADS: dict[str, dict[str, dict[str, type] | None]] = {
    "user": {
        "initialize": None,
        "connect_success": {"uuid": str},
        "disconnected": None,
        "connect_queue": {"location": int},
        "message_text": {"message": str},
        "error": {"message": str},
    },
    "waiter": {
        "initialize": None,
        "new_connection": {"uuid": str},
        "disconnected": None,
        "message_text": {"message": str},
        "error": {"message": str},
    },
}

#: what a client of either version, a careless one or a rude one may send
TYPES = [
    "auth",
    "connect",
    "ready",
    "message_text",
    "disconnect",
    "unready",
    "typing",
    "read",
    "get_history",
    "rate",
    "transfer",
    "note",
    "message_image",
    "message_choice",
    "leave_message",
    "get_queue",
    "take",
    "rubbish",
]


def assert_letter(role: str, frame: dict[str, Any]) -> None:
    """*frame* is in the founding document's table for *role*, to the letter."""
    assert REQUIRED <= set(frame) <= FIELDS, frame
    assert all(isinstance(frame[name], str) for name in set(frame) - {"payload"}), frame
    assert frame["type"] in PAYLOADS[role], frame
    expected = PAYLOADS[role][frame["type"]]
    if expected is None:
        assert frame.get("payload") is None, frame
    else:
        assert set(frame["payload"]) == set(expected), frame
        for name, kind in expected.items():
            assert type(frame["payload"][name]) is kind, frame
    if frame["type"] in ("message_text", "disconnected"):
        assert uuid.UUID(frame["from"])


class Crowd:
    """Users and waiters that do anything at all, in an order drawn by *chance*."""

    def __init__(self, server: LiveServer, chance: random.Random) -> None:
        self.server = server
        self.chance = chance
        self.people: dict[str, Client | None] = {}
        self.seen: set[str] = set()
        for role in ("user", "user", "user", "waiter", "waiter"):
            self.people[f"{role}-{uuid.uuid4().hex}"] = None

    def live(self, steps: int) -> None:
        for _ in range(steps):
            name = self.chance.choice(list(self.people))
            client = self.people[name]
            try:
                if client is None:
                    self.people[name] = self.arrive(name)
                else:
                    self.act(name, client)
                    self.hear(client)
            except Closed:
                self.people[name] = None
        for client in self.people.values():
            if client is not None:
                with suppress(Closed):
                    self.hear(client)
                client.drop()

    def arrive(self, name: str) -> Client:
        role = name.split("-", maxsplit=1)[0]
        client = Client(self.server, role)
        version = self.chance.choice([{}, {"version": 1}, {"resume": {}}, {"locale": "zh"}])
        client.say("auth", {"token": self.server.token(role, name), **version})
        client.say("ready" if role == "waiter" else "connect")
        return client

    def act(self, name: str, client: Client) -> None:
        what = self.chance.random()
        if what < 0.06:
            client.leave()
            self.people[name] = None
        elif what < 0.12:
            client.drop()
            self.people[name] = None
        elif what < 0.2:
            client.send(self.chance.choice(["garbage", "{}", "[]", '{"type":7}']))
        else:
            self.speak(client)

    def speak(self, client: Client) -> None:
        others = [other.uuid for other in self.people.values() if other is not None]
        payload = self.chance.choice(
            [
                *[{"message": "hello"}] * 6,
                {"message": 5},
                {"uuid": self.chance.choice(others)},
                None,
                {},
                {"on": True},
                {"seq": 1},
                {"message": "x", "version": 2, "seq": 3},
                {"message": "x", "choice": "a", "choices": [{"id": "a", "text": "A"}] * 2},
            ]
        )
        type_ = self.chance.choice([*TYPES, *["message_text", "connect", "ready"] * 4])
        frame = {"type": type_, "payload": payload, "conversation": "c", "seq": 9, "date": "now"}
        if self.chance.random() < 0.8:
            frame["to"] = self.chance.choice(others)
        if self.chance.random() < 0.8:
            frame["id"] = uuid.uuid4().hex
        client.send(json.dumps(frame))

    def hear(self, client: Client) -> None:
        if client.ws.connected:
            for frame in client.receive_all():
                self.seen.add(frame["type"])
                assert_letter(client.role, frame)


@pytest.mark.parametrize("seed", range(6))
def test_random_sessions_hear_only_the_founding_document(live_server: LiveServer, seed: int):
    crowd = Crowd(live_server, random.Random(seed))
    crowd.live(150)
    assert {"error", "message_text", "new_connection", "connect_success"} <= crowd.seen


@pytest.fixture
def with_files(tmp_path: Path) -> Iterator[LiveServer]:
    """A server that stores what is said and sent."""
    env = {"CSAPP_DATABASE_URL": f"sqlite:///{tmp_path}/csapp.db"}
    with LiveServer.gunicorn(env=env) as server:
        yield server


def test_files_are_texts_to_the_letter(with_files: LiveServer):
    """Of a file a client of version 1 gets its name and a link, and never says one itself."""
    clients = Clients(with_files)
    for versions in ((1, 2), (2, 1)):
        pair = Pair(clients, f"plain-{versions[0]}", versions)
        sender, plain = (pair.waiter, pair.user) if versions[0] == 1 else (pair.user, pair.waiter)
        token = pair.waiter_token if sender is pair.waiter else pair.user_token
        to = {"to": pair.user_uuid} if sender is pair.waiter else {}
        conversation = pair.conversation
        for kind, content in (("message_file", b"words"), ("message_image", png())):
            file = uploaded(with_files, token, conversation, content, "a b.x")
            assert show(sender, kind, file, **to)["type"] == f"{kind}_success"
        role = "user" if plain is pair.user else "waiter"
        texts = []
        for frame in plain.receive_all():
            assert_letter(role, frame)
            texts += [frame["payload"]["message"]] if frame["type"] == "message_text" else []
        assert [one.rpartition(" ")[0] for one in texts] == ["a b.x", "a b.png"]
        assert all(one.rpartition(" ")[2].startswith(with_files.url) for one in texts)
        refused = asks(plain, "message_file", {"file": "x"}, **to)
        assert_letter(role, refused)
    clients.close()


def test_the_check_itself_sees_what_is_too_much():
    good = {"id": "1", "to": "u", "type": "connect_queue", "payload": {"location": 0}}
    assert_letter("user", good)
    for bad in (
        {**good, "seq": 1},
        {**good, "payload": {"location": 0, "ticket": "t"}},
        {**good, "payload": {"location": "0"}},
        {**good, "type": "auth_success"},
        {k: v for k, v in good.items() if k != "id"},
    ):
        with pytest.raises(AssertionError):
            assert_letter("user", bad)
    with pytest.raises(AssertionError):
        assert_letter("waiter", good)
