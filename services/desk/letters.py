"""Reads what the scripts write, and writes for them what a worker remembers.

Both travel as named fields in msgpack; where Redis holds an older name than Python, the
field names both. A number that is too long for Lua (the key of a conversation) travels as
text, and is read as a number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec
from msgspec import Struct, field

from . import former_letters
from .events import Event, Role
from .explaining import Explanation
from .port import Colleague, Face, Figures, Member, Queue, Route, Rules, Waiting
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
    #: the worker has connections of it
    present: bool = False
    #: the worker speaks for it; otherwise it only knows it as the other side
    own: bool = False
    #: of a waiter
    ready: bool = False
    capacity: str = ""
    #: of a user in the queue
    ticket: str = ""
    #: of a user: the number of its conversation; and, while it waits, the number for its
    #: conversation in case others have ended the one that it has
    conversation: str = field(default="", name="talk")
    next_conversation: str = field(default="", name="next_talk")
    #: of a user: somebody has served it in its conversation
    has_begun: bool = field(default=False, name="begun")
    #: the other workers with connections of it, as far as this worker knows
    elsewhere: str = ""
    #: of a user: where it comes from
    address: str = ""
    #: of a user in the queue
    question: str = ""
    page: str = ""
    fields: str = ""
    language: str = ""
    #: of a user: where it waits or has waited, for which department it has asked, with which
    #: priority, and who has served it last
    department: str = ""
    asked: str = ""
    priority: int = 0
    last_waiter: str = ""
    #: of a waiter: where it belongs
    departments: tuple[Member, ...] = ()
    #: of a served user who is away: ms that it is waited for because it may sleep
    sleep: str = ""


class RememberedConversation(Struct, frozen=True):
    """A conversation under way as a worker remembers it."""

    user: str
    waiter: str
    conversation: str = field(name="talk")
    #: the waiter has written something
    answered: bool = False


class Memory(Struct, frozen=True):
    """What a worker hands over in one call (`recall.lua`, `restore.lua`)."""

    people: list[Remembered]
    conversations: list[RememberedConversation] = field(name="chats")


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


def number(value: int | None) -> str:
    """A whole number as the scripts hold it: Lua's own are not long enough."""
    return str(value) if value else ""


pack = msgspec.msgpack.encode

_events = msgspec.msgpack.Decoder(list[Event], strict=False).decode
_arrival = msgspec.msgpack.Decoder(Arrival, strict=False).decode


def belonging(departments: Iterable[Member]) -> tuple[Member, ...]:
    """Where a waiter belongs, by their keys, each once; empty: to `""` alone."""
    found = dict(sorted(departments))  # of several priorities the highest
    return () if found == {"": 0} else tuple(Member(*one) for one in found.items())


def members(departments: Iterable[Member]) -> bytes:
    """The same, as the scripts hold it."""
    found = belonging(departments)
    return pack(found) if found else b""


_STAYS = Route(stays=True)


def route(one: Route) -> bytes:
    """As `connect.lua` reads it; empty for most users, who name nothing."""
    return b"" if one == _STAYS else pack(one._replace(asked=one.wanted))


def where(packed: bytes) -> tuple[str, int]:
    """The department and the priority in the route of a user, as the scripts hold it."""
    department, _, priority = msgspec.msgpack.decode(packed)[:3] if packed else ("", "", 0)
    return department, priority


def rules(some: Rules) -> bytes:
    """The departments, as `configure.lua` reads them."""
    return pack(some.departments)


def memory(people: Iterable[Remembered], conversations: Iterable[RememberedConversation]) -> bytes:
    """As `recall.lua` and `restore.lua` read it."""
    return pack(Memory(list(people), list(conversations)))


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


def colleagues(answer: bytes) -> list[Colleague]:
    """What `colleagues.lua` answers."""
    found: list[dict[str, Any]] = msgspec.msgpack.decode(answer)
    return [Colleague(**{**one, "departments": tuple(one["departments"])}) for one in found]


def explanation(answer: bytes) -> Explanation:
    """What `explain.lua` answers."""
    found = msgspec.msgpack.decode(answer, type=Explanation)
    return found.naming(found.waiters)


def team(answer: bytes) -> list[Face]:
    """What `team.lua` answers."""
    return [Face(**one) for one in cast("list[dict[str, str]]", msgspec.msgpack.decode(answer))]
