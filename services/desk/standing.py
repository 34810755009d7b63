"""What the desk knows of a participant that comes, and what stood before a restart."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
from msgspec import Struct

from .events import Known, Role


class OpenConversation(Struct, frozen=True):
    """A conversation under way, as seen from one side."""

    other: Known
    conversation: int = msgspec.field(name="talk")
    #: the number of the decision by which it began, if that was just now; 0: it was earlier
    decided: int = 0


class Place(Struct, frozen=True):
    """What the desk knows of a participant that this worker has not known until now."""

    #: with a user's waiter, or a waiter's users in the order in which they were matched
    conversations: tuple[OpenConversation, ...] = msgspec.field(default=(), name="chats")
    #: of a user who is to be served (again): the number of its conversation
    conversation: int = msgspec.field(default=0, name="talk")
    #: a waiter has served it in this conversation
    begun: bool = False
    #: of a user in the queue: what `Desk.ticket` and `Desk.location` return; None: it does not wait
    ticket: int | None = None
    location: int = 0
    #: of a waiter
    ready: bool = False
    capacity: int = 0
    #: of a user: where it waits or has waited, for which department it has asked, with which
    #: priority, and the subject of the waiter who has served it last
    department: str = ""
    asked: str = ""
    priority: int = 0
    last_waiter: str = ""
    #: of a user: the tag of its language
    language: str = ""
    #: of the desk's last decision: the place is as all decisions until then have left it
    number: int = 0


@dataclass(frozen=True, slots=True)
class Arrival:
    """The participant of a subject that has just shown its token."""

    #: the participant's UUID: the offered one, or the one it has had all along
    uuid: str
    #: it was here already, or away for less than the grace period
    standing: bool
    #: what the desk knows of it; None where this worker knows that, or there is nothing to know
    place: Place | None = field(default=None, compare=False)
    #: the other workers that hold connections of it
    elsewhere: tuple[str, ...] = field(default=(), compare=False)
    #: where no worker does: the other worker that held the last one, and is still there
    home: str = field(default="", compare=False)
    #: how many of the events that wait to be taken were decided before it came
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
    conversation: int = 0
    #: of a user: who served it; None puts it at the front of the queue
    waiter: str | None = None
    #: of a waiter
    ready: bool = False
    capacity: int | None = None
    #: the address of its picture
    avatar: str = ""
    #: of a user: where it was served, or has asked to be
    department: str = ""
    #: of a user: it is waited for as long as phones sleep, if it is served
    may_sleep: bool = False
    #: of a user: its waiter has written something
    answered: bool = False
