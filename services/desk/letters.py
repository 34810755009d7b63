"""What the scripts write, read; and what a worker remembers, written for them.

Both travel as named fields in msgpack. A number that Lua's own cannot hold (the
name of a conversation) travels as text, and is read as a number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec
from msgspec import Struct

from . import former_letters
from .events import Event, Role
from .port import Face, Figures, Queue, Waiting
from .standing import Arrival

if TYPE_CHECKING:
    from collections.abc import Iterable


class Remembered(Struct, frozen=True, omit_defaults=True):
    """A participant as a worker remembers it."""

    uuid: str
    role: Role
    subject: str
    name: str
    avatar: str = ""
    #: the worker has sockets of it
    present: bool = False
    #: the worker speaks for it, and not only of it
    own: bool = False
    #: of a waiter
    ready: bool = False
    capacity: str = ""
    #: of a user in the queue
    ticket: str = ""
    #: of a user: the number of its conversation; and, while it waits, the number for its
    #: conversation in case others have ended the one that it has
    talk: str = ""
    next_talk: str = ""
    #: the other workers with sockets of it, as this worker has heard
    elsewhere: str = ""
    #: of a user: where it comes from
    address: str = ""
    #: of a user in the queue
    question: str = ""
    page: str = ""


class RememberedChat(Struct, frozen=True):
    """A conversation under way as a worker remembers it."""

    user: str
    waiter: str
    talk: str


class Memory(Struct, frozen=True):
    """What a worker tells of at once (`recall.lua`, `restore.lua`)."""

    people: list[Remembered]
    chats: list[RememberedChat]


class Joined(Struct, frozen=True):
    """What `join.lua` answers."""

    #: of the worker's last letter
    number: int
    #: where its mailbox begins
    mailbox_start: str
    generation: str
    #: what the history remembers was taken up
    is_restored: bool
    #: the desk has lost what the worker knows
    is_lost: bool


def number(talk: int | None) -> str:
    """A whole number as the scripts hold it: Lua's own are not long enough."""
    return str(talk) if talk else ""


pack = msgspec.msgpack.encode

_events = msgspec.msgpack.Decoder(list[Event], strict=False).decode
_arrival = msgspec.msgpack.Decoder(Arrival, strict=False).decode


def memory(people: Iterable[Remembered], chats: Iterable[RememberedChat]) -> bytes:
    """As `recall.lua` and `restore.lua` read it."""
    return pack(Memory(list(people), list(chats)))


def events(letter: bytes) -> list[Event]:
    """The events of a letter, of workers of this release and of the one before."""
    if former_letters.is_former(letter):
        return former_letters.events(letter)
    return _events(letter)


def arrival(answer: bytes) -> Arrival:
    """What `arrive.lua` answers."""
    return _arrival(answer)


def joined(answer: bytes) -> Joined:
    """What `join.lua` answers."""
    return msgspec.msgpack.decode(answer, type=Joined)


def figures(answer: bytes) -> Figures:
    """What `figures.lua` answers."""
    return msgspec.msgpack.decode(answer, type=Figures)


def waiting(answer: bytes) -> Queue:
    """What `waiting.lua` answers."""
    found: dict[str, Any] = msgspec.msgpack.decode(answer)
    return Queue(found["length"], [Waiting(**one) for one in found["users"]])


def team(answer: bytes) -> list[Face]:
    """What `team.lua` answers."""
    return [Face(**one) for one in cast("list[dict[str, str]]", msgspec.msgpack.decode(answer))]
