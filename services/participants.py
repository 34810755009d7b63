"""Who takes part in conversations here, over which connections, and how one writes to another.

`Feed` is what the switchboard may ask of a connection; `services/feeds/` implements it.
"""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from .conversation.conversation import Conversation
from .conversation.entries import Entries
from .conversation.kinds import Side
from .desk.port import Arrival, Role
from .identity import Identity
from .transport.frames import HEADS
from .transport.frames import frame as framed
from .wire import codec, frames
from .wire.dates import rfc3339
from .wire.dialect import Dialect

log = logging.getLogger("csapp.sockets")

#: bytes of memory that an entry takes while it waits, beside its text; about
WEIGHT = 400

#: client ids of entries that were written at once; None in version 1
Ids = Sequence[str | None] | None

SIDES = {Role.USER: Side.USER, Role.WAITER: Side.WAITER}


class Phase(StrEnum):
    """How far a participant has got; with the frame's type it decides what happens."""

    GREETED = "greeted"  # a connection before `auth`
    IDLE = "idle"  # a user who has not asked for a waiter
    QUEUED = "queued"
    SERVED = "served"
    OFF_DUTY = "off_duty"  # a waiter who takes no users
    ON_DUTY = "on_duty"


class Question(Protocol):
    """What has a participant missed? One of its connections is asked, or other workers are."""

    #: the verdict stays: it can be asked for again
    stays: bool

    @property
    def told(self) -> Mapping[int, int]:
        """By conversation: up to this `seq` nothing more is delivered, once there is a verdict."""

    def verdict(self) -> list[ParkedFrames]:
        """What had not arrived when the question was asked. Waits for the answer."""

    def withdraw(self) -> list[Owed]:
        """Nobody waits for the answer any more; returns what nobody else holds for delivery."""


class Feed(Protocol):
    """What one connection of a participant is told, as the switchboard sees it.

    The session chooses it at `auth`. No method waits.
    """

    #: in which version the connection is told
    dialect: Dialect

    def put(self, frame: bytes, /) -> None:
        """Queue framed bytes for the connection."""

    def put_and_remember(self, data: bytes, /) -> None:
        """Queue framed texts of version 1, and remember them until they have arrived."""

    def welcome(self, participant: Participant, arrival: Arrival) -> None:
        """The connection belongs to *participant* now; what was parked follows."""

    def open_conversation(self, channel: Channel, frame: frames.ServerFrame) -> None:
        """*frame* says who is at the other end of *channel*; what the client missed follows it."""

    def close_conversation(
        self, conversation: Conversation | None, frame: frames.ServerFrame
    ) -> None:
        """*frame* says that the other side is gone; it follows all that was said before."""

    def pop_pending_request(self) -> frames.ClientFrame | None:
        """The frame of the client that still waits for an answer, once; None: there is none."""

    def deliver(self, entries: ChannelEntries) -> None:
        """Stored entries for the participant, or its own, written on another connection."""

    def deliver_parked(self, parked: ParkedFrames, data: bytes) -> None:
        """Queue *data*, the bytes of *parked* in its version; remember it until it has arrived."""

    def acknowledge(self, entries: ChannelEntries) -> None:
        """Entries that were written on this connection are stored, or they will not be."""

    def last_seen(self, conversation: int) -> int | None:
        """The last `seq` that the client says it has seen; None: it says nothing."""

    def unconfirmed(self) -> list[ParkedFrames]:
        """What the connection was given and may not have arrived."""

    def take_missed(self) -> list[Owed]:
        """The connection has ended: what it was given and has not arrived."""

    def ask(self) -> Question | None:
        """A newer connection of the participant asks what has not arrived on this one.

        None: all has arrived, or another newer connection asks already.
        """

    @property
    def is_lost(self) -> bool:
        """The connection was asked, and has not answered in time."""

    def await_answers(self, questions: Sequence[Question]) -> None:
        """In version 1: deliver what the answers to *questions* bring before all else."""

    def inherit(self, newer: Feed) -> None:
        """Hold what *newer*, whose connection has ended, has missed: no other is there."""

    def keep_questions(self, questions: Sequence[Question]) -> None:
        """A newer connection, which waited for *questions*, has ended; the next one asks them."""

    def fail(self) -> None:
        """Something could not be delivered: close the connection, so that its client returns."""

    def replace(self) -> None:
        """Close the connection: a newer login takes its place."""

    def send_back(self) -> None:
        """Close the connection, so that its client returns: its participant counts as gone."""


class Channel:
    """One direction of a conversation: who speaks, who hears, and its encoders."""

    __slots__ = ("_echo", "_full", "conversation", "sender", "texts", "to")

    def __init__(self, sender: Participant, to: Participant, conversation: Conversation) -> None:
        self.sender = sender
        self.to = to
        self.conversation = conversation
        #: from texts to their framed bytes in version 1, in one piece
        self.texts = codec.Voice(sender.uuid, to.uuid, HEADS).texts
        self._full: codec.FullVoice | None = None
        self._echo: codec.FullVoice | None = None

    @property
    def full(self) -> codec.FullVoice:
        """The encoder of version 2, for the other side."""
        if self._full is None:
            self._full = codec.FullVoice(
                self.sender.uuid, self.to.uuid, self.conversation.id, HEADS
            )
        return self._full

    @property
    def echo(self) -> codec.FullVoice:
        """The encoder of version 2, for the sender's own other connections."""
        if self._echo is None:
            self._echo = codec.FullVoice(
                self.sender.uuid, self.sender.uuid, self.conversation.id, HEADS
            )
        return self._echo


class ChannelEntries(Entries):
    """Entries on *channel*, written on *connection*; encoded once for each version."""

    __slots__ = ("_echo", "_full", "_plain", "channel", "connection")

    channel: Channel
    #: None where they were written on another worker, or by the server
    connection: Feed | None
    _plain: bytes | None
    _full: bytes | None
    _echo: bytes | None

    @property
    def weight(self) -> int:
        """Bytes of memory that they take, about."""
        return WEIGHT + sum(map(len, self.texts))

    @property
    def first(self) -> int:
        """The `seq` of the first entry; of mere repeats, the one after the last that is repeated.

        What comes before it must be delivered first.
        """
        if self.seqs:
            return self.seqs[0]
        return 1 + max((first.seq for _, first in self.repeats if first is not None), default=0)

    def beyond(self, seq: int) -> ChannelEntries:
        """The entries behind *seq*, by themselves."""
        known = seq - self.seqs[0] + 1
        ids = None if self.client_ids is None else self.client_ids[known:]
        texts = self.texts[known:]
        rest = ChannelEntries(
            self.conversation,
            self.side,
            self.author,
            texts,
            ids,
            self.on_committed,
            self.kind,
            self.data,
        )
        rest.seqs, rest.date, rest.stored = self.seqs[known:], self.date, True
        rest.channel, rest.connection = self.channel, self.connection
        rest._plain = rest._full = rest._echo = None
        return rest

    def encode_entry(self, text: str, seq: int, *, own: bool = False) -> bytes:
        """One of its entries in version 2, to the other side or to one's *own* connections."""
        if self.data is not None:
            return self.for_version_2(own=own)
        voice = self.channel.echo if own else self.channel.full
        return voice.texts([text], [seq], rfc3339(self.date))

    def parked_singly(self, *, in_full: bool) -> Iterator[ParkedFrames]:
        """Each entry by itself, for the other side; for version 2 only if *in_full*."""
        key = self.conversation.row.key
        for text, seq in zip(self.texts, self.seqs, strict=True):
            full = self.encode_entry(text, seq) if in_full else b""
            yield ParkedFrames(self._encode_for_version_1([text]), full, key, seq, seq)

    def for_version_1(self) -> bytes:
        """Framed for version 1, for the other side; empty where that version has no word for it."""
        if self._plain is None:
            texts = self.texts
            self._plain = (
                self.channel.texts(texts)
                if self.data is None
                else self._encode_for_version_1(texts)
            )
        return self._plain

    def _encode_for_version_1(self, texts: list[str]) -> bytes:
        if self.data is None:
            return self.channel.texts(texts)
        text = self.kind.text_for_version_1(texts[0], self.data)
        return b"" if text is None else self.channel.texts([text])

    def for_version_2(self, *, own: bool = False, beyond: int = 0) -> bytes:
        """Framed for version 2, for the other side or one's *own* connections; behind *beyond*."""
        if self.data is not None:
            return self._encode_with_data(own=own)
        voice = self.channel.echo if own else self.channel.full
        if beyond >= self.seqs[0]:
            numbered = zip(self.texts, self.seqs, strict=True)
            texts, seqs = zip(*(one for one in numbered if one[1] > beyond), strict=True)
            return voice.texts(list(texts), seqs, rfc3339(self.date))
        if own:
            if self._echo is None:
                self._echo = voice.texts(self.texts, self.seqs, rfc3339(self.date))
            return self._echo
        if self._full is None:
            self._full = voice.texts(self.texts, self.seqs, rfc3339(self.date))
        return self._full

    def _encode_with_data(self, *, own: bool) -> bytes:
        """An entry with more than words."""
        channel, kind, (text,), (seq,) = self.channel, self.kind, self.texts, self.seqs
        encoded = self._echo if own else self._full
        if encoded is None:
            payload = kind.payload_of(text, self.data)
            frame = kind.pushed(
                id=codec.new_id(), to=(channel.sender if own else channel.to).uuid,
                from_="" if self.side == Side.SERVER else channel.sender.uuid,
                conversation=self.conversation.id, seq=seq, date=rfc3339(self.date),
                payload=payload,
            )  # fmt: skip
            encoded = sealed(frame)
            if kind.announcement is not None and not own:
                encoded += sealed(
                    kind.announcement(
                        id=codec.new_id(), to=channel.to.uuid, from_=channel.sender.uuid,
                        conversation=self.conversation.id, payload=payload,
                    )
                )  # fmt: skip
            if own:
                self._echo = encoded
            else:
                self._full = encoded
        return encoded


class ParkedFrames(NamedTuple):
    """What is parked for an absent participant, for each version; of entries also `seq`."""

    plain: bytes
    full: bytes
    conversation: int = 0
    first: int = 0
    last: int = 0


#: what is still to be delivered to a participant: known, or to be found out
Owed = ParkedFrames | Question


class Participant:
    """A visitor or a waiter on the desk, as this process knows it."""

    __slots__ = (
        "channel",
        "channels",
        "connections",
        "conversation",
        "doubtful",
        "elsewhere",
        "former",
        "has_written",
        "here",
        "identity",
        "login",
        "page",
        "parked",
        "parked_bytes",
        "phase",
        "plain",
        "role",
        "uuid",
        "version",
    )

    def __init__(self, uuid: str, role: Role, identity: Identity) -> None:
        self.uuid = uuid
        self.role = role
        self.identity = identity
        self.phase = Phase.IDLE if role is Role.USER else Phase.OFF_DUTY
        self.connections: tuple[Feed, ...] = ()
        #: the connections that were given something which may not have arrived
        self.doubtful: tuple[Feed, ...] = ()
        #: none of its connections speaks version 2; while it is away, the last one did not
        self.plain = True
        #: other workers that have connections of it
        self.elsewhere: tuple[str, ...] = ()
        #: of a waiter on a shared desk: the number of its newest login (`Arrival.came`)
        self.login = 0
        #: this worker speaks for it: it has connections of it, or had the last one
        self.here = True
        #: the version of its newest connection: for version 1 entries are parked; version 2 reads
        #: them from the history, if there is one
        self.version = 1
        #: to a user's waiter
        self.channel: Channel | None = None
        #: a user's to the waiter that it had last
        self.former: Channel | None = None
        #: to a waiter's users by their UUIDs, in the order in which they were matched
        self.channels: dict[str, Channel] = {}
        #: a user's conversation, also while it waits to be served again
        self.conversation: Conversation | None = None
        #: the participant has written something here in its conversation
        self.has_written = False
        #: the department and the page from which a user asked
        self.page = ("", "")
        #: what is parked until it returns
        self.parked: deque[Owed] = deque()
        self.parked_bytes = 0

    def hold(self, connections: tuple[Feed, ...]) -> None:
        """These are its connections from now on."""
        self.connections = connections
        self.doubtful = tuple(one for one in self.doubtful if one in connections)
        if connections:
            self.plain = all(connection.dialect.version == 1 for connection in connections)
        else:
            self.plain = self.version == 1

    @property
    def is_away(self) -> bool:
        """It has no connection on any worker."""
        return not self.connections and not self.elsewhere

    @property
    def all_channels(self) -> list[Channel]:
        """The channels to all whom it has conversations with."""
        return [self.channel] if self.channel else list(self.channels.values())

    @property
    def only_conversation(self) -> Conversation | None:
        """The conversation that need not be named: a user's, or that of a waiter's only user."""
        if self.conversation is not None or len(self.channels) != 1:
            return self.conversation
        return next(iter(self.channels.values())).conversation


def sealed(frame: frames.ServerFrame) -> bytes:
    """*frame* as it goes over the connection."""
    return framed(codec.encode(frame))


def each(connections: Iterable[Feed], tell: Callable[[Feed], None]) -> None:
    """Call *tell* with each of *connections*; one that raises costs the others nothing."""
    for connection in connections:
        try:
            tell(connection)
        except Exception:
            give_up(connection)


def answer(connection: Feed, entries: ChannelEntries) -> None:
    """Tell *connection* that what was written on it is stored, or will not be."""
    try:
        connection.acknowledge(entries)
    except Exception:
        give_up(connection)


def give_up(connection: Feed) -> None:
    """*connection* has just raised an exception: close it, and no other one."""
    log.exception("a connection could not be told something")
    with contextlib.suppress(Exception):
        connection.fail()
