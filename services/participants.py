"""Who takes part in conversations here, and over which connections.

`Feed` is what the switchboard may ask of a connection; `services/feeds/` implements it.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from types import UnionType
from typing import Protocol

from .channels import Channel, ChannelEntries, ParkedFrames
from .conversation.conversation import Conversation
from .conversation.kinds import Side
from .desk.port import Arrival, Member, Role
from .identity import Identity
from .wire import frames
from .wire.dialect import Dialect

log = logging.getLogger("csapp.sockets")

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

    #: the answer stays: it can be asked for again
    stays: bool

    @property
    def sent(self) -> Mapping[int, int]:
        """By conversation: the highest `seq` that other workers have sent, once answered."""

    def answer(self) -> list[ParkedFrames]:
        """What had not arrived when the question was asked. Waits for the answer."""

    def withdraw(self) -> list[Owed]:
        """Nobody waits for the answer any more; returns what nobody else holds for delivery."""


class Feed(Protocol):
    """What one connection of a participant is sent, as the switchboard sees it.

    The session chooses it at `auth`. No method waits.
    """

    #: which version the connection speaks
    dialect: Dialect
    #: when its page has last shown life, on the runtime's clock; None: its client never says so
    alive_at: float | None

    def put(self, frame: bytes, /) -> None:
        """Queue framed bytes for the connection."""

    def put_and_remember(self, data: bytes, /) -> None:
        """Queue framed texts of version 1, and remember them until they have arrived."""

    def welcome(self, participant: Participant, arrival: Arrival) -> None:
        """The connection belongs to *participant* now; what was parked follows."""

    def send_duty(self, ready: bool) -> None:
        """Say to a waiter of version 2 whether it takes users."""

    def probe(self) -> None:
        """Ask a waiter's page of version 2 whether it is alive."""

    def open_conversation(self, channel: Channel, frame: frames.ServerFrame) -> None:
        """*frame* says who is at the other end of *channel*; what the client missed follows it."""

    def close_conversation(
        self, conversation: Conversation | None, frame: frames.ServerFrame
    ) -> None:
        """*frame* says that the other side is gone; it follows all that was said before."""

    def pop_pending_request(
        self, kind: type[frames.ClientFrame] | UnionType, /
    ) -> frames.ClientFrame | None:
        """The frame of this *kind* that still waits for an answer, once; None: there is none.

        A decision answers no other: one of before may come between a request and its answer.
        """

    def deliver(self, entries: ChannelEntries) -> None:
        """Stored entries for the participant, or its own, written on another connection."""

    def deliver_late(self, entries: ChannelEntries) -> None:
        """*entries* of a former waiter, for the one that serves the user now; for version 2."""

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

    def settle(self, most: float | None = None) -> None:
        """Wait until all that was written on it is stored or refused; *most* s at a time."""

    def fail(self) -> None:
        """Something could not be delivered: close the connection, so that its client returns."""

    def replace(self) -> None:
        """Close the connection: a newer login takes its place."""

    def send_back(self) -> None:
        """Close the connection, so that its client returns: its participant counts as gone."""


#: what is still to be delivered to a participant: known, or to be found out
Owed = ParkedFrames | Question


class Participant:
    """A visitor or a waiter on the desk, as this process knows it."""

    __slots__ = (
        "asked",
        "channel",
        "channels",
        "connections",
        "conversation",
        "departments",
        "doubtful",
        "elsewhere",
        "fields",
        "former",
        "has_written",
        "here",
        "identity",
        "language",
        "last_waiter",
        "link",
        "login",
        "page",
        "parked",
        "parked_bytes",
        "phase",
        "plain",
        "role",
        "uuid",
        "version",
        "visit",
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
        #: the department that a user has asked for here; None: it has asked on another worker
        self.asked: str | None = None
        #: the subject of the waiter who has served a user last, as the history knows it
        self.last_waiter = ""
        #: to a waiter's users by their UUIDs, in the order in which they were matched
        self.channels: dict[str, Channel] = {}
        #: a user's conversation, also while it waits to be served again
        self.conversation: Conversation | None = None
        #: the participant has written something here in its conversation
        self.has_written = False
        #: of a waiter: where it belongs, as the desk was told
        self.departments: tuple[Member, ...] = ()
        #: the department that a user named, on a site without any, and the page that it asked from
        self.page = ("", "")
        #: what a user has filled in before it asked, as it is stored
        self.fields = ""
        #: of a user: the tag of the language in which the site speaks to it by itself
        self.language = ""
        #: returns the address of a file where it has reached this server last; None: it has not
        self.link: Callable[[str], str] | None = None
        #: the key of its last visit (`visits`), if nobody has served the user in that
        self.visit = 0
        #: what is parked until it returns; no deque, of which an empty one is 700 bytes larger
        self.parked: list[Owed] = []
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


def each(connections: Iterable[Feed], act: Callable[[Feed], None]) -> None:
    """Call *act* with each of *connections*; one that raises costs the others nothing."""
    for connection in connections:
        try:
            act(connection)
        except Exception:
            give_up(connection)


def answer(connection: Feed, entries: ChannelEntries) -> None:
    """Let *connection* know that what was written on it is stored, or will not be."""
    try:
        connection.acknowledge(entries)
    except Exception:
        give_up(connection)


def give_up(connection: Feed) -> None:
    """*connection* has just raised an exception: close it, and no other one."""
    log.exception("something could not be sent on a connection")
    with contextlib.suppress(Exception):
        connection.fail()
