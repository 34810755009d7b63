"""What a desk decides: one class for each kind of decision.

A desk of several workers writes its events in Lua (`lua/`) and posts them as
maps of named fields. These classes declare the names: `letters.py` reads an
event straight into its class, and `scripts.py` gives the scripts the `tag` of
each class (`EVENT.matched`). `tests/desk/test_scripts.py` holds each event that
a script writes to the fields declared here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from msgspec import Struct, field


class Role(StrEnum):
    """Which side of a conversation a participant is on."""

    USER = "user"
    WAITER = "waiter"


class Reason(StrEnum):
    """Why a conversation has ended, as version 2 shows it (docs/reference.md, `disconnected`)."""

    #: the user has left
    LEFT = "left"
    #: the waiter has ended it, or has gone on purpose
    ENDED = "ended"
    #: a side was away for too long
    LOST = "lost"
    #: the waiter has handed the user over, for which the conversation goes on
    TRANSFERRED = "transferred"
    #: the waiter has written nothing in time, and the user waits for another one
    UNANSWERED = "unanswered"
    #: the user has written nothing for too long
    IDLE = "idle"
    #: nobody who knew it is left
    UNKNOWN = ""


@dataclass(frozen=True, slots=True)
class Known:
    """A participant as other workers know it."""

    uuid: str
    role: Role
    subject: str
    name: str
    #: the workers that hold connections of it; none while it is away
    workers: tuple[str, ...] = ()
    #: the address of its picture
    avatar: str = ""


class Decision(Struct, frozen=True, kw_only=True, eq=False, tag_field="event"):
    """What each event of a shared desk carries besides the decision itself.

    Two events are equal when they are the same decision: when the fields that
    `DECIDED` names are equal.
    """

    DECIDED: ClassVar[tuple[str, ...]] = ()

    #: grows with each decision; the same on every worker that gets the decision
    number: int = 0
    #: of all workers that get the decision, this one writes it into the history
    is_recorder: bool = True
    #: an older decision that this worker did not get in time: others have recorded it,
    #: under another *number*
    is_confided: bool = False
    #: the participants it is about, if they are still there; empty from a desk of one process,
    #: and on `Queued`
    people: tuple[Known, ...] = ()

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.DECIDED)

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, name) for name in self.DECIDED)))


class Matched(Decision, frozen=True, eq=False, tag="matched"):
    """*waiter* serves *user* from now on."""

    DECIDED = ("user", "waiter", "department")

    user: str
    waiter: str
    #: s from joining the queue to this moment, for the metrics
    waited: float = 0.0
    #: the number of their conversation, as `connect` was given it
    conversation: int = field(default=0, name="talk")
    #: where the user has waited
    department: str = ""
    #: where it has asked from, and what it has filled in, as `connect` was given them
    page: str = ""
    fields: str = ""
    #: a language tag, as `connect` was given it
    language: str = ""
    #: their conversation has gone on before, perhaps on other workers
    has_begun: bool = field(default=False, name="begun")


class Queued(Decision, frozen=True, eq=False, tag="queued"):
    """*user* waits and has *location* users ahead; sent on entering and on change."""

    DECIDED = ("user", "location", "department")

    user: str
    location: int
    #: with what it gets its position back, as `Desk.ticket` returns it
    ticket: int = 0
    #: where it waits
    department: str = ""


class Parted(Decision, frozen=True, eq=False, tag="parted"):
    """The conversation of *user* and *waiter* has ended because *gone* left.

    The other side is sent that; *gone* itself is not. Without a *reason*, *gone* has done it
    on purpose: `LEFT` or `ENDED`. With `TRANSFERRED` it is the other way round: *gone* is the
    waiter, who is sent it; the user is matched or queued next.
    """

    DECIDED = ("user", "waiter", "gone", "reason")

    user: str
    waiter: str
    gone: str
    reason: Reason | None = None
    #: the user is queued again, or another waiter serves it: for it the conversation goes on
    requeued: bool = False
    #: the number of their conversation
    conversation: int = field(default=0, name="talk")

    def __post_init__(self) -> None:
        if self.reason is None:
            reason = Reason.LEFT if self.gone == self.user else Reason.ENDED
            # the class is frozen, and msgspec before 0.19 has no `force_setattr`
            type(self).__dict__["reason"].__set__(self, reason)


class Departed(Decision, frozen=True, eq=False, tag="departed"):
    """*participant* has left the desk: no event about it follows."""

    DECIDED = ("participant",)

    participant: str
    #: it went on purpose, or it was away for too long
    reason: Reason = Reason.LEFT
    #: the number of the conversation of a user who waited to be served again
    conversation: int = field(default=0, name="talk")
    #: of a user who waited: the number of the conversation that it has asked for
    asked: int = 0


class Moved(Decision, frozen=True, eq=False, tag="moved"):
    """Another worker has got the first connection of *participant* there, or lost the last one.

    `people` holds it with the workers that hold connections of it now. The workers of
    the participants in its conversations and its own get it; a desk of one process never
    makes it. A worker without a connection of it may forget what it has of it, as soon as
    another has one.
    """

    DECIDED = ("participant",)

    participant: str


class Withdrawn(Decision, frozen=True, eq=False, tag="withdrawn"):
    """*user* has left the queue, and with it the conversation that was to go on.

    One that *is_confided* says only that it is not in the queue: it may have been served.
    """

    DECIDED = ("user",)

    user: str
    #: the number of its conversation; 0: none that has ended
    conversation: int = field(default=0, name="talk")


class OnDuty(Decision, frozen=True, eq=False, tag="on_duty"):
    """*waiter* is ready or unready by another worker, or because the desk has decided it.

    The workers with its connections get it; of those by another worker the other ones.
    """

    DECIDED = ("waiter", "ready", "capacity")

    waiter: str
    ready: bool
    capacity: int
    #: the desk has decided it: the waiter does not know it yet, and nobody has stored it
    by_desk: bool = False


Event = Matched | Queued | Parted | Departed | Moved | Withdrawn | OnDuty

#: the class of each event, by the name that it travels under
KINDS: dict[str, type[Event]] = {
    str(kind.__struct_config__.tag): kind
    for kind in (Matched, Queued, Parted, Departed, Moved, Withdrawn, OnDuty)
}
