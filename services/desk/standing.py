"""How a participant stands when it comes, and how it stood before a restart."""

from __future__ import annotations

from dataclasses import dataclass, field

from .events import Known, Role


@dataclass(frozen=True, slots=True)
class Chatting:
    """A chat under way, as seen from one side."""

    other: Known
    talk: int


@dataclass(frozen=True, slots=True)
class Place:
    """How a participant stands of whom this worker has known nothing until now."""

    #: with a user's waiter, or a waiter's users in the order in which they were matched
    chats: tuple[Chatting, ...] = ()
    #: of a user who is to be served (again): the number of its conversation
    talk: int = 0
    #: somebody has served it in this conversation
    begun: bool = False
    #: of a user in the queue: what `Desk.ticket` and `Desk.location` tell; None: it does not wait
    ticket: int | None = None
    location: int = 0
    #: of a waiter
    ready: bool = False
    capacity: int = 0


@dataclass(frozen=True, slots=True)
class Arrival:
    """The standing of a subject that has just shown its token."""

    #: the participant's UUID: the offered one, or the one it has had all along
    uuid: str
    #: it was here already, or away for less than the grace period
    standing: bool
    #: how it stood before; None where this worker knows that, or nothing is known
    place: Place | None = field(default=None, compare=False)
    #: the other workers that hold sockets of it
    elsewhere: tuple[str, ...] = field(default=(), compare=False)
    #: where none does: the other worker that was the last to hold any, and is still there
    home: str = field(default="", compare=False)
    #: of the events that wait to be taken, so many were decided before it came
    earlier: int = field(default=0, compare=False)
    #: on a shared desk: grows with each arrival, whichever worker it is at
    came: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Standing:
    """A participant as it was before a restart, absent for now."""

    role: Role
    subject: str
    uuid: str
    name: str = ""
    #: of a user: the number of its conversation
    talk: int = 0
    #: of a user: who served it; None puts it at the front of the queue
    waiter: str | None = None
    #: of a waiter
    ready: bool = False
    capacity: int | None = None
    #: the address of its picture
    avatar: str = ""
