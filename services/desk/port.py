"""What a desk promises, in memory and in Redis.

A desk decides which waiter serves which user. It knows participants by UUID and never sees
a connection, a frame or an entry. Its decisions come out as events, in the order
in which they were made; the switchboard takes them and carries them out after the
desk's lock is released.

A desk may be shared by several workers (processes). Then each of them gets
the decisions that concern it: those about participants whose connections it holds,
or was the last to hold. `people` on an event describes the participants
for workers that do not know them, and exactly one of the workers that get a decision
writes it into the history (`is_recorder`).

Invariants, which the property test holds every desk to: a waiter never serves
more users than its capacity; a user never has two waiters; no waiter is free
while a present user waits in one of its departments; the users of a department are matched
by their priority, then in the order of their tickets; nobody is lost.

The third and the fourth have one exception: a user whom a waiter has handed to a department
(`transfer`) is not matched with that waiter as long as it waits by that. So that waiter may be
free while this user waits, and may get one from behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

from ..errors import CSAppError, Unavailable
from .departments import ANYWHERE, NOWHERE, Department, Load, Member, Route, Rules
from .events import (
    Departed,
    Event,
    Known,
    Matched,
    Moved,
    OnDuty,
    Parted,
    Queued,
    Reason,
    Role,
    Withdrawn,
)
from .explaining import MOST_EXPLAINED, Explanation, Hindered, Obstacle
from .standing import Arrival, OpenConversation, Place, Standing

#: all that others may know of the desk
__all__ = [
    "ANYWHERE",
    "MOST_EXPLAINED",
    "NOWHERE",
    "POSITIONS_A_ROUND",
    "POSITIONS_EVERY",
    "READS",
    "Absence",
    "AddressFull",
    "Arrival",
    "Colleague",
    "Departed",
    "Department",
    "Desk",
    "DeskNotReady",
    "DeskUnavailable",
    "Event",
    "Explanation",
    "Face",
    "Figures",
    "Hindered",
    "Known",
    "Load",
    "Matched",
    "Member",
    "Moved",
    "Obstacle",
    "OnDuty",
    "OpenConversation",
    "Parted",
    "Place",
    "Queue",
    "QueueFull",
    "Queued",
    "Reason",
    "Role",
    "Route",
    "Rules",
    "Standing",
    "WaiterFull",
    "Waiting",
    "Withdrawn",
]  # fmt: skip

#: What a worker can read of what others write: letters, events and stored entries. It grows
#: with each release that writes something which earlier ones cannot read; such a thing is
#: written only once all workers of a desk can read it.
#: 2: entries of other kinds than texts, and the desk's events as named fields. Earlier workers
#: do not say what they can read: 1.
#: 3: departments, and priorities of visitors.
READS = 3

#: … and since when departments are among it
READS_DEPARTMENTS = 3

#: s between two rounds of positions in the queue (docs/protocol.md: at most once a second)
POSITIONS_EVERY = 1.0

#: positions sent in one round. The foremost are always sent; further back a change
#: of one in thousands matters less than the loop's time, so they take turns.
POSITIONS_A_ROUND = 1000


class Absence(StrEnum):
    """How the desk waits for a participant that has lost its connection."""

    #: the desk waits during the grace period: for waiters, and for users whom we have cut off
    FULL = "full"
    #: the same until the conversation ends: a user who has written something
    SPOKEN = "spoken"
    #: the same as long as nobody needs its place: a user whom the host knows
    SILENT = "silent"
    #: the same for seconds only: an anonymous user
    ANONYMOUS = "stranger"


class QueueFull(CSAppError):
    """The queue has reached its bound; nothing has changed."""


class AddressFull(QueueFull):
    """The users of one address hold all the places that they may; nothing has changed."""


class WaiterFull(CSAppError):
    """A waiter serves as many users as it may; nothing has changed."""


class DeskUnavailable(Unavailable):
    """A shared desk cannot be reached. Whether the change was made is not known.

    The desk recovers by itself; what it has decided meanwhile comes as events.
    """

    public_reason = "the desk cannot be reached: Redis does not answer"


class DeskNotReady(DeskUnavailable):
    """A shared desk cannot make this change yet: nothing has changed."""


class Waiting(NamedTuple):
    """A user who waits and is here, as waiters see it."""

    uuid: str
    name: str
    avatar: str
    #: what it asks, as `connect` was given it
    question: str
    #: where it asks from
    page: str
    #: when it joined the queue: ms since 1970 by the desk's clock
    since: int
    #: whom its token names
    subject: str
    #: where it waits
    department: str = ""
    #: what it has filled in, as `connect` was given it
    fields: str = ""


class Queue(NamedTuple):
    """Who waits: how many, the absent included, and the first ones of those who are here."""

    length: int
    users: list[Waiting]


class Face(NamedTuple):
    """A waiter as visitors see it."""

    name: str
    avatar: str


class Colleague(NamedTuple):
    """A waiter who is here, as other waiters see it."""

    uuid: str
    name: str
    #: the keys of the departments to which it belongs
    departments: tuple[str, ...]
    ready: bool
    #: how many users it serves, and how many at most
    load: int
    capacity: int


@dataclass(frozen=True, slots=True)
class Figures:
    """How busy the desk is; no personal data."""

    waiters: int
    waiters_ready: int
    users_served: int
    queue_length: int
    #: s that the first in the queue has waited; of the first ones of each priority the longest
    longest_wait: float
    #: of each department, `""` included; empty on a site that has no other
    departments: dict[str, Load] = field(default_factory=dict)
    #: by department: seats of waiters who are here and ready, of those who serve in several
    #: departments as many as its share of their queues; some s old on a shared desk
    seats: dict[str, float] = field(default_factory=dict, compare=False)
    #: what all workers of the desk can read (`READS`): during an update some are older
    reads: int = field(default=READS, compare=False)
    #: workers that were killed, so far: what they had stored last, they may have told nobody
    deaths: int = field(default=0, compare=False)


class Desk(Protocol):
    """Which waiter serves which user. Every method is safe from any greenlet or thread.

    On a shared desk all but `take_events` wait for an answer, and all but `drop`,
    `leave`, `assign`, `configure` and `tick` raise `DeskUnavailable` if none comes.
    """

    def arrive(
        self,
        role: Role,
        subject: str,
        uuid: str,
        name: str = "",
        address: str = "",
        avatar: str = "",
        departments: tuple[Member, ...] = (),
    ) -> Arrival:
        """*subject* is here: a new participant under *uuid*, or back as its standing one.

        *name* and *avatar* (the address of a picture) are what others know it by, *address*
        is where it comes from, as bounds count. A waiter belongs to *departments* from now on;
        to `""` where it names none.
        """

    def assign(self, waiter: str, departments: tuple[Member, ...]) -> None:
        """*waiter* belongs to *departments* from now on, and serves its users on.

        Nothing happens for one that is not there.
        """

    def configure(self, rules: Rules) -> bool:
        """These are the departments from now on, unless the desk has got later *rules*.

        A department that the rules do not name is `""` to the desk. Users who wait in one
        that is gone stand in `""`, with their tickets; those who wait in `""` and have asked
        for one that is there now stand in that. False: not yet, because a worker of a shared
        desk cannot read it; the desk tries again by itself.
        """

    def restore(self, standings: list[Standing]) -> None:
        """Take up the participants of before a restart: each is absent and has a grace period.

        Waiters come before their users. A user whose waiter is not among them
        is queued. Of the workers that share a desk the first does it; for the
        others it does nothing.
        """

    def connect(
        self,
        user: str,
        ticket: int | None = None,
        conversation: int = 0,
        *,
        question: str | None = None,
        page: str = "",
        fields: str = "",
        route: Route = ANYWHERE,
    ) -> int:
        """Match *user* or queue it; returns the number of the conversation that begins with it.

        Nothing happens, and 0 is returned, while it is served or queued already.

        *route* says where. A user who is queued already, and asks for another department
        than before, stands at the back of that one from now on.

        *question*, *page* and *fields* (what the user has filled in) are for waiters who look
        at the queue. Those of a user who is queued already are replaced; None, or an empty page
        or empty fields, leaves the former ones. The desk forgets the question when the user
        leaves the queue; `Matched` says the page and the fields.

        *ticket* is what `ticket` returned for an earlier position; it is void once
        its subject has been served or has left the queue. *conversation* is the
        number of the conversation that begins with it, unless one goes on, or workers of a shared
        desk have given a higher one.
        Raises `QueueFull`, where the queue of its department or all of them together have
        reached their bound; `AddressFull` where its address holds too many places.
        Of those who are away and have written nothing, the longest absent one makes
        room: in a full queue, at its address, and where no waiter is free.
        """

    def ticket(self, user: str) -> int:
        """With what the queued *user* gets its position back: µs since 1970, negative in front.

        Its distance from 0 grows with each ticket that is given. Raises `KeyError` for a user
        who does not wait.
        """

    def ready(self, waiter: str, capacity: int | None = None) -> None:
        """*waiter* takes users, up to *capacity* at once. Twice is harmless."""

    def unready(self, waiter: str, capacity: int | None = None) -> None:
        """*waiter* serves its users on and gets no others, but may `take` some, up to *capacity*.

        Without *capacity*, the former one stays.
        """

    def capacity(self, waiter: str) -> int:
        """How many users *waiter* takes at once."""

    def part(self, user: str, waiter: str, gone: str, reason: Reason | None = None) -> bool:
        """End this conversation because *gone* (one of the two) ends it; nobody is queued again.

        *reason*: why, if *gone* has not done it on purpose. False when *waiter* does not serve
        *user*.
        """

    def freeze(self, waiter: str, frozen: bool) -> None:
        """Say whether all pages of *waiter* at this worker stand still.

        If they do at all workers that hold connections of it, it gets no users, though it is
        ready; those that it has stay. The end of the last connection here is the end of that.
        """

    def is_void(self, user: str, ticket: int) -> bool:
        """Whether *ticket*, which *user* was given once, brings no position back any more."""

    def department(self, user: str) -> str:
        """The department in which *user* waits. Raises `KeyError`: it does not wait."""

    def waiting(self, most: int, departments: Sequence[str] = ("",)) -> Queue:
        """Who waits in *departments*, with the first *most* users who are here.

        Of several departments: by priority, then in the order of their tickets.
        """

    def explain(self, user: str) -> Explanation:
        """Why *user* waits: what stands between it and each waiter who might serve it.

        These are the waiters of its department, and of those to which it moves by itself. While
        a user waits who is here, each of them has a reason, and what ends that lets the match
        give it a user. Raises `KeyError` for a user who does not wait.
        """

    def take(self, user: str, waiter: str) -> bool:
        """*waiter*, who is here, serves *user* from now on, whoever is before it in the queue.

        Ready or not, with a free seat: raises `WaiterFull`. False when *user* does not
        wait in a department of *waiter*, or is away. The others keep their order; the ticket
        of *user* is void.
        """

    def answered(self, user: str) -> None:
        """The waiter who serves *user* has written an entry; one for each service is enough.

        A desk that asks for answers (*answer_within*) parts a user from a waiter who has not
        written anything in that time: `Parted` with `Reason.UNANSWERED`. The user stands in front,
        and the waiter takes no users any more (`OnDuty`). While the user is away its time
        stands still. Nothing happens for a user whom nobody serves.
        """

    def transfer(
        self, user: str, waiter: str, to_waiter: str | None = None, department: str | None = None
    ) -> bool:
        """*waiter* hands *user* over: to another waiter or to a *department*; one of both is given.

        False when *waiter* does not serve *user*, when *to_waiter* is *waiter* itself or is not
        here, and when the desk does not know *department*; nothing has changed then. The
        conversation goes on: `Parted` with `Reason.TRANSFERRED` says that *waiter* is out of it,
        and `Matched` or `Queued` follows.

        *to_waiter* may be ready or not, of any department, and needs a free seat: raises
        `WaiterFull`. The user may be away.

        In *department* the user stands in front of those of its priority; no bound of a queue
        counts. What it has asked for stays as it was: a client that asks for the same again, as
        each does that comes back, is moved nowhere. *waiter* itself is not matched with it as long
        as it waits there, or where it moves by itself: until it is served, leaves, or asks for
        another department. It may `take` it. A desk that was started anew has forgotten who that
        was. Raises `DeskNotReady` while a worker of a shared desk cannot read this.
        """

    def withdraw(self, user: str) -> bool:
        """*user* leaves the queue for good; False when it was not in it.

        If it waited to be served again, its conversation ends with it.
        """

    def leave(self, participant: str) -> None:
        """*participant* leaves on purpose: the other sides are sent so at once, nobody is requeued.

        While other workers hold connections of it, this one alone has lost it.
        """

    def drop(
        self, participant: str, absence: Absence = Absence.FULL, *, may_sleep: bool = False
    ) -> None:
        """*participant* has lost its connection: the desk waits for it, as *absence* says.

        A user who *may_sleep* is waited for as long as phones sleep, if it is served. Once nobody
        serves it any more, it is waited for as long as others, from then on.

        While other workers hold connections of it, this one alone has lost it.
        When that time is over it leaves; the users of a waiter that is lost so
        are queued again, at the front, in the order in which they were served.
        """

    def tick(self) -> None:
        """Let time pass: grace periods end, users who have waited too long in their department
        move on, changed positions are sent once a second."""

    def take_events(self) -> list[Event]:
        """The decisions since the last call, in order."""

    def location(self, user: str) -> int:
        """The position in the queue that the queued *user* was last sent."""

    def figures(self) -> Figures:
        """How busy the desk is."""

    def workers(self, participant: str) -> tuple[str, ...]:
        """The workers that hold connections of *participant*; a desk of one process names none."""

    def colleagues(self, most: int) -> list[Colleague]:
        """At most *most* waiters who are here: those who are ready first, the longest ready one."""

    def team(self, most: int, department: str | None = None) -> list[Face]:
        """At most *most* waiters who are here and ready, and have a name.

        Of *department*, or of all.
        """
