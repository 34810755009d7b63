"""What a desk promises, whichever way it is kept.

A desk decides who talks to whom. It knows participants by UUID and never sees
a socket, a frame or a message. Its decisions come out as events, in the order
in which they were made; whoever takes them delivers them after the desk's lock
is released.

Invariants, which the property test holds every desk to: a waiter never serves
more users than its capacity; a user never has two waiters; no waiter is free
while a present user waits; users are matched in the order of their tickets;
nobody is lost.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from ..errors import CSAppError


class Role(StrEnum):
    """Which side of a chat a participant is on."""

    USER = "user"
    WAITER = "waiter"


class QueueFull(CSAppError):
    """The line has reached its bound; nothing has changed."""


@dataclass(frozen=True, slots=True)
class Matched:
    """*waiter* serves *user* from now on."""

    user: str
    waiter: str
    #: s from joining the line to this moment, for the metrics; no part of the decision
    waited: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class Queued:
    """*user* waits and has *location* users ahead; sent on entering and on change."""

    user: str
    location: int


@dataclass(frozen=True, slots=True)
class Parted:
    """The chat of *user* and *waiter* has ended because *gone* left.

    The other side is told; *gone* itself is not.
    """

    user: str
    waiter: str
    gone: str
    #: the user is queued again: for it the conversation goes on
    requeued: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Departed:
    """*participant* is no more: nothing will come for it or from it."""

    participant: str


Event = Matched | Queued | Parted | Departed


@dataclass(frozen=True, slots=True)
class Arrival:
    """The standing of a subject that has just shown its token."""

    #: the participant's UUID: the offered one, or the one it has had all along
    uuid: str
    #: it was here already, or away for less than the grace period
    standing: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """A participant as it was before a restart, absent for now."""

    role: Role
    subject: str
    uuid: str
    #: of a user: who served it; None puts it at the front of the line
    waiter: str | None = None
    #: of a waiter
    ready: bool = False
    capacity: int | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """How busy the desk is; no personal data."""

    waiters: int
    waiters_ready: int
    users_served: int
    queue_length: int
    #: s that the first in line has waited
    longest_wait: float


class Desk(Protocol):
    """Who talks to whom. Every method is safe from any greenlet or thread."""

    def arrive(self, role: Role, subject: str, uuid: str) -> Arrival:
        """*subject* is here: a new participant under *uuid*, or back as its standing one."""

    def restore(self, standings: list[Standing]) -> None:
        """Take up what stood before a restart; everybody is absent and has a grace period.

        Waiters come before their users. A user whose waiter is not among them is queued.
        """

    def connect(self, user: str, ticket: int | None = None) -> None:
        """Match *user* or queue it. Nothing happens while it is served or queued already.

        *ticket* is a place that it had before, as `ticket` told. Raises `QueueFull`.
        """

    def ticket(self, user: str) -> int:
        """What the queued *user* comes back to its place with: µs since 1970, or negative."""

    def ready(self, waiter: str, capacity: int | None = None) -> None:
        """*waiter* takes users, up to *capacity* at once. Twice is harmless."""

    def unready(self, waiter: str) -> None:
        """*waiter* keeps its users and gets no more."""

    def capacity(self, waiter: str) -> int:
        """How many users *waiter* takes at once."""

    def part(self, user: str, waiter: str, gone: str) -> bool:
        """End this chat because *gone* (one of the two) ends it; nobody is queued again.

        False when the two do not talk.
        """

    def withdraw(self, user: str) -> bool:
        """*user* leaves the queue; False when it was not in it."""

    def leave(self, participant: str) -> None:
        """*participant* goes on purpose: the other sides are told at once, nobody is requeued."""

    def drop(self, participant: str) -> None:
        """The line of *participant* is gone: it is waited for during the grace period.

        When that has passed it leaves; the users of a waiter lost in this way
        are queued again, at the front, in the order in which they were served.
        """

    def tick(self) -> None:
        """Let time pass: grace periods end, changed places in line are told once a second."""

    def take_events(self) -> list[Event]:
        """The decisions since the last call, in order."""

    def location(self, user: str) -> int:
        """The place in line that the queued *user* was last told."""

    def figures(self) -> Figures:
        """How busy the desk is."""
