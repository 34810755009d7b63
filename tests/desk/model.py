"""A desk that is obviously right: plain lists, searched from end to end.

It has no lock and no clock of its own and is slow on purpose. Where the port
leaves a desk some freedom (when exactly changed places are told) the model
says what is allowed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from services.bounds import SEATS_KEPT
from services.desk.port import (
    Claim,
    Departed,
    Event,
    Figures,
    Matched,
    Parted,
    Queue,
    Queued,
    QueueFull,
    Reason,
    Role,
    WaiterFull,
    Waiting,
)

ROUND = 1.0  # s between two rounds of places in line


@dataclass(eq=False)
class Person:
    """Somebody at the desk."""

    uuid: str
    subject: str
    present: bool = True
    #: when an absent one is given up
    until: float = 0.0


@dataclass(eq=False)
class PlainUser(Person):
    """A user; *told* and *since* count while it waits."""

    waiter: PlainWaiter | None = None
    told: int = 0
    since: float = 0.0
    spoken: bool = False
    question: str = ""


@dataclass(eq=False)
class PlainWaiter(Person):
    """A waiter with its *users* in the order in which they were matched."""

    capacity: int = 0
    ready: bool = False
    users: list[PlainUser] = field(default_factory=list)

    @property
    def free(self) -> bool:
        return self.ready and self.present and len(self.users) < self.capacity


class Model:
    """What a desk with these settings decides; `events` are for the reader to take."""

    def __init__(self, *, capacity: int, max_queue: int, grace: float) -> None:
        self.capacity = capacity
        self.max_queue = max_queue
        self.grace = grace
        self.now = 0.0
        self.users: list[PlainUser] = []
        self.waiters: list[PlainWaiter] = []
        self.line: list[PlainUser] = []
        #: the free waiters with their load, in the order in which they came to it
        self.idle: list[tuple[PlainWaiter, int]] = []
        #: in the order in which they dropped
        self.absent: list[Person] = []
        #: of these, who make room for others
        self.yielding: list[PlainUser] = []
        self.events: list[Event] = []
        self.last_round = float("-inf")
        self.stale_since: float | None = None

    # ---- who is who ----------------------------------------------------

    def people(self, role: Role) -> list[Person]:
        return [*self.users] if role is Role.USER else [*self.waiters]

    def standing(self, role: Role, subject: str) -> Person | None:
        return next((one for one in self.people(role) if one.subject == subject), None)

    def user(self, uuid: str) -> PlainUser | None:
        return next((user for user in self.users if user.uuid == uuid), None)

    # ---- what happens --------------------------------------------------

    def arrive(self, role: Role, subject: str, uuid: str) -> str:
        person = self.standing(role, subject)
        if person is None:
            if role is Role.USER:
                self.users.append(PlainUser(uuid, subject))
            else:
                self.waiters.append(PlainWaiter(uuid, subject, capacity=self.capacity))
            return uuid
        if not person.present:
            person.present = True
            self._is_back_or_gone(person)
            self._settle()
        return person.uuid

    def connect(self, user: PlainUser, question: str | None = None) -> None:
        if user.waiter is not None:
            return
        if user in self.line:
            user.question = user.question if question is None else question
            return
        if len(self.line) >= self.max_queue and not any(waiter.free for waiter in self.waiters):
            waiting = [one for one in self.yielding if one in self.line]
            if not waiting:
                raise QueueFull
            self.leave(waiting[0], lost=True)
        self.line.append(user)
        user.since = self.now
        user.question = question or ""
        self._settle()
        self._tell([user])

    def ready(self, waiter: PlainWaiter, capacity: int | None) -> None:
        waiter.ready = True
        if capacity is not None:
            waiter.capacity = capacity
        self._settle()

    def part(self, user: PlainUser, gone: Person) -> None:
        self._part(user, gone)
        self._settle()

    def take(self, user: PlainUser, waiter: PlainWaiter) -> bool:
        if user not in self.line or not user.present:
            return False
        if len(waiter.users) >= waiter.capacity:
            raise WaiterFull
        self._serve(user, waiter)
        self._settle()
        return True

    def withdraw(self, user: PlainUser) -> bool:
        waited = user in self.line
        if waited:
            self.line.remove(user)
            user.question = ""
        self._settle()
        return waited

    def drop(self, person: Person, claim: Claim = Claim.FULL) -> None:
        if isinstance(person, PlainUser):
            person.spoken |= claim is Claim.SPOKEN
            if claim in (Claim.SILENT, Claim.ANONYMOUS) and not person.spoken:
                self.yielding.append(person)
        person.present = False
        person.until = self.now + self.grace
        self.absent.append(person)
        self._settle()

    def leave(self, person: Person, *, lost: bool = False) -> None:
        self._is_back_or_gone(person)
        if isinstance(person, PlainUser):
            self.users.remove(person)
            if person in self.line:
                self.line.remove(person)
            if person.waiter is not None:
                self._part(person, person, lost=lost)
        elif isinstance(person, PlainWaiter):
            self.waiters.remove(person)
            users = [*person.users]
            for user in users:
                self._part(user, person, goes_on=lost, lost=lost)
            if lost:
                self.line[:0] = users
                for user in users:
                    user.since = self.now
                self._settle()
                self._tell(users)
        self.events.append(Departed(person.uuid))
        self._settle()

    def tick(self) -> None:
        """Grace periods end. What may be told of places then, `rounds` says."""
        while self.absent and self.absent[0].until <= self.now:
            self.leave(self.absent[0], lost=True)

    # ---- how it is decided ---------------------------------------------

    def _is_back_or_gone(self, person: Person) -> None:
        if person in self.absent:
            self.absent.remove(person)
        if person in self.yielding:
            self.yielding.remove(person)

    def _part(
        self, user: PlainUser, gone: Person, *, goes_on: bool = False, lost: bool = False
    ) -> None:
        waiter = user.waiter
        assert waiter is not None
        user.spoken &= goes_on
        waiter.users.remove(user)
        user.waiter = None
        reason = Reason.LOST if lost else Reason.LEFT if gone is user else Reason.ENDED
        self.events.append(Parted(user.uuid, waiter.uuid, gone.uuid, reason))
        self._note_idle()

    def _settle(self) -> None:
        """After every change: match as long as somebody is free and somebody waits."""
        self._note_idle()
        while waiting := [user for user in self.line if user.present]:
            if not self.idle and not self._make_room():
                break
            least = min(load for _, load in self.idle)
            waiter = next(waiter for waiter, load in self.idle if load == least)
            self._serve(waiting[0], waiter)
        self._note_stale()

    def _serve(self, user: PlainUser, waiter: PlainWaiter) -> None:
        self.line.remove(user)
        user.waiter = waiter
        user.question = ""
        waiter.users.append(user)
        self.events.append(Matched(user.uuid, waiter.uuid))
        self._note_idle()

    def _make_room(self) -> bool:
        """Of those who are away and have said nothing one gives its seat to somebody else."""
        served = [user for user in self.users if user.waiter is not None]
        seats = [user for user in self.yielding if user.waiter is not None]
        for user in seats[: max(0, len(seats) - max(1, len(served) // SEATS_KEPT))]:
            waiter = user.waiter
            assert waiter is not None
            if waiter.ready and waiter.present and len(waiter.users) <= waiter.capacity:
                self._part(user, waiter, goes_on=True, lost=True)
                self.line.insert(0, user)
                user.since = self.now
                self._tell([user])
                return True
        return False

    def _note_idle(self) -> None:
        now = [(waiter, len(waiter.users)) for waiter in self.waiters if waiter.free]
        self.idle = [entry for entry in self.idle if entry in now]
        self.idle += [entry for entry in now if entry not in self.idle]

    # ---- places in line ------------------------------------------------

    def _tell(self, users: list[PlainUser]) -> None:
        for user in users:
            if user in self.line:
                user.told = self.line.index(user)
                self.events.append(Queued(user.uuid, user.told))
        self._note_stale()

    def _stale(self) -> list[Event]:
        """What those would have to be told whose place has changed."""
        return [
            Queued(user.uuid, place) for place, user in enumerate(self.line) if user.told != place
        ]

    def _note_stale(self) -> None:
        if not self._stale():
            self.stale_since = None
        elif self.stale_since is None:
            self.stale_since = self.now

    def rounds(self) -> list[list[Event]]:
        """Which rounds of places a desk may tell now: all that has changed, or nothing.

        Not within a second of the last one; and a change waits a second at most.
        """
        stale = self._stale()
        if not stale or self.now - self.last_round < ROUND:
            return [[]]
        if self.stale_since is not None and self.now - self.stale_since >= ROUND:
            return [stale]
        return [[], stale]

    def hear(self, told: list[Event]) -> None:
        """The desk has told this round."""
        if told:
            self.last_round = self.now
            for place, user in enumerate(self.line):
                user.told = place
            self._note_stale()

    # ---- what others see -----------------------------------------------

    def waiting(self, most: int) -> Queue:
        here = [user for user in self.line if user.present]
        return Queue(
            len(self.line),
            [
                Waiting(user.uuid, "", "", user.question, "", int(user.since * 1000), user.subject)
                for user in here[:most]
            ],
        )

    def figures(self) -> Figures:
        return Figures(
            waiters=len(self.waiters),
            waiters_ready=len([one for one in self.waiters if one.ready and one.present]),
            users_served=len([user for user in self.users if user.waiter is not None]),
            queue_length=len(self.line),
            longest_wait=self.now - self.line[0].since if self.line else 0.0,
        )
