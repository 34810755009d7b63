"""Sessions of users and waiters, in one thread, on connections that only remember.

A fuzzer's bytes say what everybody does. Desk, switchboard, tokens, sessions
and the timer wheel are real; the wheel is ticked by hand. After each step the
world is compared with what the desk has decided:

1. nothing but `Refusal` and `Farewell` ever leaves a handler;
2. every frame put is a frame of version 1, for its role, addressed to its receiver;
3. a text reaches every socket of the right peer, once, in order, and nobody else,
   or is refused to its sender; what is parked follows when the peer returns;
4. an answer goes to whoever asked;
5. what a client was sent agrees with what the desk decided;
6. when everybody has left, nothing is left.
"""

from __future__ import annotations

import itertools
import json
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from unittest import mock
from uuid import UUID

from greenlet import getcurrent, greenlet
from simple_websocket import ConnectionClosed

from services.delivery import LocalDelivery
from services.desk.memory import MemoryDesk
from services.desk.port import Role
from services.house import House
from services.identity import Identity, TokenRole, Tokens
from services.liveness import Liveness
from services.metrics import Meters
from services.participants import Participant, Phase
from services.session import Session
from services.settings import Settings
from services.switchboard import Switchboard
from services.timers import TICK, Wheel
from services.wire.codes import CloseCode
from tests.fuzz.choices import Choices
from tests.fuzz.letter import check_letter, unframed

KEYS = ("an old key of the fuzzer", "the new key of the fuzzer")
FOREIGN = ("a key that nobody here knows",)
LIFETIME = 86_400  # s: longer than any script

#: sockets open at once
MOST_SOCKETS = 9

SUBJECTS = {Role.USER: ("ann", "ben", "cho"), Role.WAITER: ("wim", "xia")}
SIDS = ("s1", "s2")

#: close codes of a client
GOODBYES = (1000, 1005, 1001, 4000, 3999)


#: nobody is signed out here
NOBODY: Any = SimpleNamespace(
    is_revoked=lambda identity, signed: False, is_known=lambda identity, signed: False
)


def _signed() -> dict[tuple[Role, str, str], str]:
    """Tokens of all subjects and logins, half of them signed with the rotated key."""
    tokens = {sid: Tokens(KEYS[:number], LIFETIME) for number, sid in enumerate(SIDS, 1)}
    return {
        (role, subject, sid): tokens[sid].sign(
            Identity(subject, f"{subject} of {sid}", TokenRole(role), sid)
        )
        for role, subjects in SUBJECTS.items()
        for subject in subjects
        for sid in SIDS
    }


TOKENS = _signed()


def _bad(role: Role) -> tuple[str, ...]:
    """What is no token at the door of *role*."""
    mine, others = TokenRole(role), next(one for one in Role if one is not role)
    subject = SUBJECTS[role][0]
    token = TOKENS[role, subject, SIDS[0]]
    return (
        "",
        "rubbish",
        "a.b.c",
        "é.🙂",
        "." * 300,
        "\0" + token,
        token[:-4],
        token[3:],
        token.replace(".", ".e", 1),
        Tokens(FOREIGN, LIFETIME).sign(Identity(subject, "", mine, "s1")),
        Tokens(KEYS, -10.0).sign(Identity(subject, "", mine, "s1")),
        Tokens(KEYS, LIFETIME).sign(Identity("eve", "", TokenRole.ADMIN, "s1")),
        *(one for (whose, _, _), one in TOKENS.items() if whose is others),
    )


BAD_TOKENS = {role: _bad(role) for role in Role}

#: bytes that no well-behaved client sends
RUBBISH = (
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff",
    b'{"type":"no-such-type","id":"r"}',
    b'{"type":["connect"]}',
    b'{"type":"connect","x":NaN}',
    b'{"type":"message_text","payload":{"message":5},"id":"r"}',
    b'{"type":"message_text","payload":{"message":"\\ud800"}}',
    b'{"type":"connect","payload":[]}',
    b'{"type":"connect","id":""}',
    b"[" * 5000,
    b'{"type":"disconnect","payload":{"uuid":null}}',
)

UNKNOWN = "unknown"  # what a client thinks of its peer before it was sent it


@dataclass(frozen=True)
class Memory:
    """What a client whose connection is gone remembers until it comes back."""

    uuid: str
    peer: str | None
    users: frozenset[str]


@dataclass(eq=False)
class Batch:
    """What a client sends at once."""

    frames: list[bytes] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    #: a `disconnect`, the last of the frames: its id and who is named in it
    leaving: tuple[str | None, str | None] | None = None
    #: frames that must be refused
    bad: set[str] = field(default_factory=set)


class FakeConnection:
    """Stands where a `Connection` would: it remembers what was put, and never waits."""

    def __init__(self, world: World, role: Role, number: int) -> None:
        self.world = world
        self.role = role
        self.number = number
        self.code: int | None = None
        self.ended_by = ""
        self.address = ""
        self.language = ""
        self.site = ""
        self.goodbye: int | None = None
        #: its client's pongs come at once
        self.watch: Any = None
        self.is_silent, self.unsent = False, 0
        self._remember: Callable[[bytes], None] | None = None
        #: messages received, as sessions count them
        self.received = 0
        self.batches: deque[Batch] = deque()
        #: what its session has in hand
        self.batch = Batch()
        #: what its client knows
        self.uuid = ""
        self.peer: str | None = UNKNOWN
        self.users: set[str] = set()
        self.accepted = 0  # texts that were not refused
        self.unsure = 0  # texts that may have been dropped when it ended
        #: something was sent to it after it had ended
        self.missed = False
        #: it knows that its client is known
        self.recognised = False
        #: who its client has said it is
        self.subject = ""
        self.session: Session
        self.handler: greenlet
        self.take: Callable[[list[bytes]], list[bytes]]
        #: batches so far: every second one is taken in passing
        self.turns = 0

    # ---- what a session uses ---------------------------------------------

    def put(self, data: bytes) -> None:
        if self.code is None:
            for frame in unframed(data):
                self.world.got(self, frame)
            self.prove()
        else:
            self.missed = True

    def put_and_remember(self, data: bytes) -> None:
        # what comes after its end is kept for a return: tests/test_unconfirmed.py
        if self._remember is not None and self.code is None:
            self._remember(data)
        self.put(data)

    def remember(self, add: Callable[[bytes], None], tidy: Callable[[], int]) -> None:
        self._remember = add

    def prove(self) -> None:
        if self.watch is not None:
            self.watch.pinged()
            self.watch.ponged()

    def take_in_passing(self, take: Callable[[list[bytes]], list[bytes]]) -> None:
        self.take = take

    def receive_batch(self) -> list[bytes]:
        self.world.settle(self)
        while self.code is None:
            if self.batches:
                self.batch = self.batches.popleft()
                self.received += len(self.batch.frames)
                self.turns += 1
                left = self.take(self.batch.frames) if self.turns % 2 else self.batch.frames
                if left or not self.batch.frames:
                    return left
                self.world.settle(self)
            elif self.goodbye is not None:
                self._end_as_read()
            else:
                getcurrent().parent.switch()
        raise ConnectionClosed(self.code)

    def close(self, code: int = 1000, reason: str = "") -> None:
        self._end_as_read()
        if self.code is None:
            assert len(reason.encode()) <= 123, "too long for a close frame"
            self.code, self.ended_by = int(code), "server"

    # ---- what the world uses ---------------------------------------------

    def _end_as_read(self) -> None:
        if self.code is None and self.goodbye is not None:
            self.code, self.ended_by = self.goodbye, "client"

    def lose(self) -> None:
        if self.code is None:
            self.code, self.ended_by = int(CloseCode.ABNORMAL), "line"

    @property
    def participant(self) -> Participant | None:
        return self.session.participant

    def __repr__(self) -> str:
        return f"<{self.role} {self.number} {self.subject} code={self.code}>"


@dataclass(eq=False)
class Text:
    """A text under way, and what has come of it."""

    connection: FakeConnection
    id: str | None
    #: whom a waiter has named
    to: object
    got: set[FakeConnection] = field(default_factory=set)
    #: who must hear it, once the first has
    due: set[FakeConnection] = field(default_factory=set)
    sender: str = ""
    refused: bool = False
    parked: bool = False


class _Errors(logging.Handler):
    """Keeps what must never be logged."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


class World:
    """All of it; `step` does the next thing that *choices* say."""

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self.settings = _settings(choices)
        self.time = 1000.0
        runtime: Any = SimpleNamespace(
            name="fuzz", now=lambda: self.time, spawn=lambda *_: None, sleep=lambda _: None
        )
        self.wheel = Wheel(runtime)
        settings = self.settings
        self.desk = MemoryDesk(
            capacity=settings.max_users_per_waiter,
            max_queue=settings.max_queue,
            grace=settings.grace + TICK,
            now=self.wheel.lived,
        )
        self.switchboard = Switchboard(self.desk, LocalDelivery(settings.outbox_bytes))
        self.wheel.every_tick(self.desk.tick)
        self.wheel.every_tick(self.switchboard.carry_out)
        tokens, meters = Tokens(KEYS, LIFETIME), Meters(runtime.now)
        liveness = Liveness(self.switchboard, runtime, settings.frozen)
        self.house = House(
            settings, runtime, self.wheel, tokens, self.switchboard, meters, NOBODY, liveness
        )
        self.fakes: list[FakeConnection] = []
        self.sockets = 0  # ever
        self.frames = 0  # ever sent by clients
        self.ids: dict[str, Any] = {}  # frames from the server
        self.asked: dict[str, FakeConnection] = {}  # ids of frames from clients
        self.texts: dict[str, Text] = {}
        self.parked: dict[str, list[str]] = {}  # texts, by the receiver's UUID
        self.running: FakeConnection | None = None
        self.anonymous = 0  # errors without a `reply_id` in this batch
        self.memories: dict[tuple[Role, str], Memory] = {}
        self.errors = _Errors()

    # ---- what a client sees ----------------------------------------------

    def got(self, connection: FakeConnection, frame: dict[str, Any]) -> None:
        """*frame* was put for *connection*."""
        check_letter(connection.role, frame)
        assert self.ids.setdefault(frame["id"], frame) == frame, "an id was used twice"
        if frame["type"] == "initialize":
            connection.uuid = frame["to"]
        if not connection.recognised and connection.participant is not None:
            self._recognise(connection, connection.participant)
        assert frame["to"] == connection.uuid, (connection, frame)
        if "reply_id" in frame:
            assert self.asked.get(frame["reply_id"], connection) is connection, (
                "somebody else's answer"
            )
        match frame["type"]:
            case "connect_success":
                connection.peer = frame["payload"]["uuid"]
            case "connect_queue":
                assert frame["payload"]["location"] >= 0
                connection.peer = None
            case "new_connection":
                connection.users.add(frame["payload"]["uuid"])
            case "disconnected" if connection is self.running and self._has_joined(connection):
                raise AssertionError("sent what it did itself")
            case "disconnected" if connection.role is Role.USER:
                assert connection.peer in (UNKNOWN, frame["from"]), (connection, frame)
                connection.peer = None
            case "disconnected":
                connection.users.discard(frame["from"])
            case "error":
                self._refused(connection, frame.get("reply_id"))
            case "message_text":
                self._text_heard(connection, frame)

    def _has_joined(self, connection: FakeConnection) -> bool:
        """It has been welcomed and has got what was parked."""
        return (
            connection.participant is not None
            and connection.session.feed in connection.participant.connections
        )

    def _recognise(self, connection: FakeConnection, me: Participant) -> None:
        """The client of *connection* remembers what it knew, unless something else was open."""
        connection.recognised = True
        memory = self.memories.pop((connection.role, me.identity.subject), None)
        if memory is not None and memory.uuid == me.uuid and not me.connections:
            connection.peer = memory.peer
            connection.users = set(memory.users)

    def _remember(self, connection: FakeConnection) -> None:
        """*connection* has ended: its client keeps what it knew."""
        me = connection.participant
        if me is None:
            return
        place = connection.role, me.identity.subject
        self.memories.pop(place, None)
        if not connection.missed and not me.connections:
            self.memories[place] = Memory(me.uuid, connection.peer, frozenset(connection.users))

    def _refused(self, connection: FakeConnection, reply_id: str | None) -> None:
        assert connection is self.running, "an error that nobody asked for"
        if reply_id is None:
            self.anonymous += 1
        else:
            connection.batch.bad.discard(reply_id)
            for text in connection.batch.texts:
                text.refused |= text.id == reply_id
            if connection.batch.leaving is not None and connection.batch.leaving[0] == reply_id:
                connection.batch.leaving = None

    def _text_heard(self, connection: FakeConnection, frame: dict[str, Any]) -> None:
        message = frame["payload"]["message"]
        text = self.texts[message]
        if text.parked:
            assert self.parked[connection.uuid].pop(0) == message, "not in order"
            assert frame["from"] == text.sender, "from somebody else"
            text.parked = False
            return
        assert text.connection is self.running, "a text out of nothing"
        assert text in text.connection.batch.texts, "a text comes back"
        assert self._receiver(text) == connection.uuid, "leaked to a stranger"
        assert frame["from"] == text.connection.uuid, "from somebody else"
        assert connection not in text.got, "delivered twice"
        if not text.got:
            text.due = self._open_lines(connection.uuid)
        text.got.add(connection)

    def _receiver(self, text: Text) -> str | None:
        """The connections that must get *text*: as the desk says, not the switchboard."""
        me = text.connection.participant
        if me is None:
            return None
        if text.connection.role is Role.USER:
            return self.desk._users[me.uuid].waiter
        users = self.desk._waiters[me.uuid].users
        return text.to if isinstance(text.to, str) and text.to in users else None

    def _open_lines(self, uuid: str) -> set[FakeConnection]:
        sockets = self.switchboard._participants[uuid].connections
        return {one for one in self.fakes if one.session.feed in sockets and one.code is None}

    # ---- one batch at a time ---------------------------------------------

    def settle(self, connection: FakeConnection) -> None:
        """The session of *connection* has handled what it got."""
        self._note_parked()
        unknown = 0
        for text in connection.batch.texts:
            assert text.got == text.due
            assert text.refused + bool(text.got) + text.parked <= 1, "two things at once"
            if text.got or text.parked:
                connection.accepted += 1
            elif not text.refused:
                unknown += 1
        if connection.code is None and connection.session.participant is not None:
            # Without an id, an error cannot be distinguished from another's; and who is about
            # to end, and does not know it yet, hears nothing more.
            assert unknown <= self.anonymous or self._ending(), "neither delivered nor refused"
        assert not connection.batch.bad or connection.code is not None, "a bad token was taken"
        connection.unsure += unknown
        relayed = connection.session.relayed
        assert connection.accepted <= relayed <= connection.accepted + connection.unsure, (
            "counted wrong"
        )
        self._note_leaving(connection)
        connection.batch, self.anonymous = Batch(), 0

    def _note_leaving(self, connection: FakeConnection) -> None:
        """Who ends a conversation knows it, and is not sent it."""
        if connection.batch.leaving is None:
            return
        if connection.code is not None:  # it may have ended before that frame
            connection.missed = True
        frame_id, named = connection.batch.leaving
        if frame_id is None and self.anonymous:  # refused or not, who can say
            connection.peer, connection.users = UNKNOWN, self._users(connection)
        else:
            connection.peer = None
            connection.users.discard(named or "")

    def _users(self, connection: FakeConnection) -> set[str]:
        me = connection.participant
        return (
            set()
            if me is None or connection.role is Role.USER
            else set(self.desk._waiters[me.uuid].users)
        )

    def _ending(self) -> bool:
        return any(one.code is not None for one in self.fakes)

    def _note_parked(self) -> None:
        for uuid in self.parked.keys() - self.switchboard._participants.keys():
            del self.parked[uuid]
        for uuid, participant in self.switchboard._participants.items():
            parked = [one for data, *_ in participant.parked for one in unframed(data)]
            texts = [one["payload"]["message"] for one in parked if one["type"] == "message_text"]
            known = self.parked.setdefault(uuid, [])
            assert texts[: len(known)] == known
            for message in texts[len(known) :]:
                text = self.texts[message]
                assert text.connection is self.running
                assert text in text.connection.batch.texts
                text.parked, text.sender = True, text.connection.uuid
            self.parked[uuid] = texts

    def _check_log(self) -> None:
        if self.errors.records:
            record = self.errors.records[0]
            error = record.exc_info[1] if record.exc_info else None
            raise AssertionError(record.getMessage()) from error

    def check(self) -> None:
        """What was sent agrees with what was decided."""
        self._check_log()
        desk, board = self.desk, self.switchboard
        assert not desk._events, "decided and not carried out"
        assert set(board._participants) == set(desk._users) | set(desk._waiters)
        for uuid, user in desk._users.items():
            participant = board._participants[uuid]
            peer = participant.channel.to.uuid if participant.channel else None
            assert peer == user.waiter
            phase = (
                Phase.SERVED
                if peer
                else Phase.QUEUED
                if uuid in desk._departments.get("").queue
                else Phase.IDLE
            )
            assert participant.phase is phase, (participant.phase, phase)
            assert user.present == bool(participant.connections)
        for uuid, waiter in desk._waiters.items():
            participant = board._participants[uuid]
            assert list(participant.channels) == list(waiter.users)
            assert all(
                connection.to.uuid == user for user, connection in participant.channels.items()
            )
            assert len(waiter.users) <= waiter.capacity
            assert all(desk._users[user].waiter == uuid for user in waiter.users)
            assert waiter.present == bool(participant.connections)
            phase = Phase.ON_DUTY if waiter.ready else Phase.OFF_DUTY
            assert participant.phase is phase
        waiting = [
            uuid
            for uuid in desk._departments.get("").queue.everybody()
            if desk._users[uuid].present
        ]
        free = {uuid for uuid, waiter in desk._waiters.items() if waiter.free}
        assert not (waiting and free), "a free waiter while a user waits"
        assert free == set(desk._departments.get("").pool._load)
        for participant in board._participants.values():
            assert participant.parked_bytes == sum(len(data) for data, *_ in participant.parked)
            texts = [data for data in participant.parked if b'"message_text"' in data[:40]]
            assert sum(map(len, texts)) <= self.settings.outbox_bytes
        for connection in self.fakes:
            self._check_connection(connection)

    def _check_connection(self, connection: FakeConnection) -> None:
        me = connection.participant
        if connection.code is not None or me is None:
            return
        assert connection.session.feed in me.connections, "open and forgotten"
        assert connection.uuid == me.uuid
        if connection.role is Role.WAITER:
            assert connection.users == self._users(connection), connection
        elif connection.peer != UNKNOWN:
            assert connection.peer == self.desk._users[me.uuid].waiter, connection

    # ---- what happens ----------------------------------------------------

    def step(self) -> None:
        """The next thing."""
        verb = self.choices.byte()
        who, what = self.choices.byte(), self.choices.byte()
        if verb % 16 < 2 or not self.fakes:
            self._opens((Role.USER, Role.WAITER)[verb & 1], what)
            return
        connection = self.fakes[who % len(self.fakes)]
        match verb % 16:
            case 2:
                self._ticks(1 + what % 32)
            case 3:
                connection.goodbye = GOODBYES[what % len(GOODBYES)]
            case 4:
                connection.lose()
            case _:
                batch = Batch()
                self._add_frame(connection, batch, verb, what)
                while self.choices.more and len(batch.frames) <= verb >> 6 and not batch.leaving:
                    self._add_frame(connection, batch, self.choices.byte(), self.choices.byte())
                connection.batches.append(batch)
        if verb & 0x30 == 0x30:  # its handler is slow to notice
            return
        self._run(connection)
        self._run_all()

    def _opens(self, role: Role, what: int) -> None:
        if len(self.fakes) >= MOST_SOCKETS:
            return
        self.sockets += 1
        connection = FakeConnection(self, role, self.sockets)
        connection.session = Session(connection, role, self.house)  # type: ignore[arg-type]
        connection.handler = greenlet(connection.session.run)
        self.fakes.append(connection)
        if what & 1:
            self.asked[f"o{self.sockets}"] = connection
            connection.batches.append(
                Batch([self._auth(connection, what >> 1, f"o{self.sockets}")])
            )
        self._run(connection)
        if what & 1:
            assert connection.participant is not None, "a good token was refused"
            assert connection.participant.identity.subject == connection.subject

    def _auth(self, connection: FakeConnection, what: int, frame_id: str) -> bytes:
        subjects = SUBJECTS[connection.role]
        connection.subject = subject = subjects[what % len(subjects)]
        token = TOKENS[connection.role, subject, SIDS[what >> 2 & 1]]
        return _encoded({"type": "auth", "id": frame_id, "payload": {"token": token}})

    def _add_frame(self, connection: FakeConnection, batch: Batch, verb: int, what: int) -> None:
        batch.frames.append(self._frame(connection, batch, verb, what))

    def _frame(self, connection: FakeConnection, batch: Batch, verb: int, what: int) -> bytes:
        """Something that the client of *connection* sends."""
        self.frames += 1
        frame_id = f"f{self.frames}"
        self.asked[frame_id] = connection
        frame: dict[str, Any] = {"id": frame_id}
        match verb % 16:
            case 5:
                return self._auth(connection, what, frame_id)
            case 6:
                token = BAD_TOKENS[connection.role][what % len(BAD_TOKENS[connection.role])]
                batch.bad.add(frame_id)
                frame |= {"type": "auth", "payload": {"token": token}}
            case 7:
                return RUBBISH[what % len(RUBBISH)]
            case 8:
                return self.choices.take(what & 31)
            case 9 | 10:
                kind = "connect" if connection.role is Role.USER else "ready"
                frame |= {"type": kind, "payload": (None, {}, {"x": 1})[what % 3]}
            case 11:
                frame |= {"type": "disconnect", "payload": self._named(connection, what)}
                if what & 0x40:
                    frame["to"] = self._somebody(connection, what)
            case _:
                text = f"{self.frames} " + ("", "é", "🙂" * 8, "\0", "x" * 60)[what >> 4 & 7 & 4]
                if what & 0x80:
                    text += ("\0", "x" * 5000, '"\\\n\u2028', "🙂" * 30)[what & 3]
                frame |= {"type": "message_text", "payload": {"message": text}}
                frame["to"] = self._somebody(connection, what)
        if what & 0x48 == 0x48:
            batch.bad.discard(frame.pop("id"))
        if frame["type"] == "disconnect":
            named = (frame["payload"] or {}).get("uuid", frame.get("to"))
            batch.leaving = frame.get("id"), named
        if frame["type"] == "message_text":
            self.texts[text] = sent = Text(connection, frame.get("id"), frame["to"])
            batch.texts.append(sent)
        if what & 0x20:  # forged, and ignored
            frame |= {"from": self._somebody(connection, what >> 1), "role": "waiter", "uuid": "x"}
        return _encoded(frame)

    def _named(self, connection: FakeConnection, what: int) -> dict[str, str] | None:
        named = self._somebody(connection, what)
        return None if named is None or what & 0x10 else {"uuid": named}

    def _somebody(self, connection: FakeConnection, what: int) -> str | None:
        """A UUID to name: mostly one of its users."""
        users = sorted(connection.users)
        if users and what & 7 < 5:
            return users[what % len(users)]
        others = [None, "nobody", "", connection.uuid, *self.desk._users, *self.desk._waiters]
        return others[what % len(others)]

    def _ticks(self, count: int) -> None:
        for _ in range(count):
            self.time += TICK
            self.wheel.tick()
        self.check()

    # ---- greenlets -------------------------------------------------------

    def _run(self, connection: FakeConnection) -> None:
        """Let the handler of *connection* go on until it waits or ends."""
        self.running = connection
        connection.handler.switch()
        self._check_log()
        if connection.handler.dead:
            self.settle(connection)
            self.fakes.remove(connection)
            self._remember(connection)
            assert connection.code is not None, "ended and left the connection open"
            assert connection.code != CloseCode.INTERNAL_ERROR
        self.running = None
        self.check()

    def _run_all(self) -> None:
        """Let every handler notice that its connection has ended."""
        while ended := [one for one in self.fakes if one.code is not None]:
            self._run(ended[0])

    # ---- the end ---------------------------------------------------------

    def end(self) -> None:
        """Everybody leaves; then nothing may be left."""
        for connection in list(self.fakes):
            if self.choices.byte() & 1:
                connection.lose()
            else:
                connection.goodbye = GOODBYES[self.choices.byte() % len(GOODBYES)]
            if connection in self.fakes:
                self._run(connection)
            self._run_all()
        assert not any(self.wheel._slots.values()), "a timer was left"
        settings = self.settings
        self._ticks(int((settings.grace + settings.auth_timeout) / TICK) + 10)
        desk = self.desk
        assert not self.fakes
        assert not self.switchboard._participants
        assert not desk._users
        assert not desk._waiters
        assert not desk._standing
        assert not desk._absent
        assert not desk._departments.get("").queue._orders
        assert not desk._departments.get("").queue._absent
        assert not len(desk._departments.get("").queue._all)
        assert not len(desk._departments.get("").queue._present)
        assert not len(desk._departments.get("").pool)
        assert not desk._served
        figures = desk.figures()
        assert (figures.waiters, figures.users_served, figures.queue_length) == (0, 0, 0)
        assert not self.wheel._slots, "a timer was left"


def _settings(choices: Choices) -> Settings:
    small, rare = choices.byte(), choices.byte()
    return Settings(
        secret_key=KEYS,
        max_users_per_waiter=2 - (small & 1),
        max_queue=3 - (small >> 1 & 3),
        grace=(2.0, 1.0, 0.5, 0.0)[small >> 3 & 3],
        auth_timeout=1.0 if small & 0x20 else 5.0,
        max_text=(4096, 20)[small >> 6 & 1],
        bad_frames=(10, 3)[small >> 7],
        message_rate=(0.0, 5.0)[rare & 1],
        message_burst=4,
        outbox_bytes=(1 << 20, 450)[rare >> 1 & 1],
    )


def _encoded(frame: dict[str, Any]) -> bytes:
    return json.dumps(frame).encode()


def run_script(data: bytes) -> None:
    """Live through what a fuzzer's bytes say. Raises `AssertionError`."""
    choices = Choices(data)
    world = World(choices)
    numbers = itertools.count(1)

    def next_uuid() -> UUID:
        return UUID(int=next(numbers), version=4)

    log = logging.getLogger("csapp")
    propagate, log.propagate = log.propagate, False
    log.addHandler(world.errors)
    try:
        # The same bytes are the same life again.
        with mock.patch("uuid.uuid4", next_uuid):
            while choices.more:
                world.step()
            world.end()
    finally:
        log.removeHandler(world.errors)
        log.propagate = propagate


#: two users and two waiters come, ask for each other and write
MEETING = bytes(
    byte
    for step in (
        *((0, 0, 1), (1, 0, 1), (0, 0, 3), (1, 0, 3)),
        *((9, 0, 0), (9, 1, 0), (9, 2, 0), (9, 3, 0)),
        *((12, 0, 0), (12, 1, 0), (12, 2, 0), (12, 3, 0)),
    )
    for byte in step
)

#: what may come of it
SCENES = tuple(
    bytes(scene)
    for scene in (
        (11, 0, 0, 11, 1, 0),
        (4, 0, 0, 12, 0, 0, 12, 0, 0x40, 0, 0, 1),  # a user is away, and back
        (4, 1, 0, 12, 0, 0, 12, 0, 0x40, 1, 0, 1),  # a waiter
        (4, 1, 0, 2, 0, 31),  # a waiter is lost, its users go to the other
        (3, 1, 0, 2, 0, 31),
        (1, 0, 9, 12, 0, 0),  # a newer login
        (0, 0, 1, 12, 1, 0, 9, 4, 0),  # another tab
        (0x40 | 12, 0, 0, 7, 0, 0x80 | 12, 1, 0, 11, 0, 8, 5),
    )
)

SEEDS = tuple(bytes((0, rare)) + MEETING + scene for rare in (0, 2) for scene in SCENES)
