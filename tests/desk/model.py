"""A desk that is obviously right: plain lists, searched from end to end.

It has no lock and no clock of its own and is slow on purpose. Where the port
leaves a desk some freedom (when exactly changed positions are sent) the model
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
    Withdrawn,
)

ROUND = 1.0  # s between two rounds of positions in the queue


@dataclass(eq=False)
class ModelParticipant:
    """Somebody at the desk."""

    uuid: str
    subject: str
    present: bool = True
    #: when an absent one is given up
    until: float = 0.0


@dataclass(eq=False)
class PlainUser(ModelParticipant):
    """A user; *last_sent* and *since* count while it waits."""

    waiter: PlainWaiter | None = None
    last_sent: int = 0
    since: float = 0.0
    spoken: bool = False
    question: str = ""


@dataclass(eq=False)
class PlainWaiter(ModelParticipant):
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
        self.queue: list[PlainUser] = []
        #: the free waiters with their load, in the order in which they came to it
        self.idle: list[tuple[PlainWaiter, int]] = []
        #: in the order in which they dropped
        self.absent: list[ModelParticipant] = []
        #: of these, who make room for others
        self.yielding: list[PlainUser] = []
        self.events: list[Event] = []
        self.last_round = float("-inf")
        self.stale_since: float | None = None

    # ---- who is who ----------------------------------------------------

    def people(self, role: Role) -> list[ModelParticipant]:
        return [*self.users] if role is Role.USER else [*self.waiters]

    def standing(self, role: Role, subject: str) -> ModelParticipant | None:
        return next((one for one in self.people(role) if one.subject == subject), None)

    def user(self, uuid: str) -> PlainUser | None:
        return next((user for user in self.users if user.uuid == uuid), None)

    # ---- what happens --------------------------------------------------

    def arrive(self, role: Role, subject: str, uuid: str) -> str:
        participant = self.standing(role, subject)
        if participant is None:
            if role is Role.USER:
                self.users.append(PlainUser(uuid, subject))
            else:
                self.waiters.append(PlainWaiter(uuid, subject, capacity=self.capacity))
            return uuid
        if not participant.present:
            participant.present = True
            self._is_back_or_gone(participant)
            self._settle()
        return participant.uuid

    def connect(self, user: PlainUser, question: str | None = None) -> None:
        if user.waiter is not None:
            return
        if user in self.queue:
            user.question = user.question if question is None else question
            return
        if len(self.queue) >= self.max_queue and not any(waiter.free for waiter in self.waiters):
            waiting = [one for one in self.yielding if one in self.queue]
            if not waiting:
                raise QueueFull
            self.leave(waiting[0], lost=True)
        self.queue.append(user)
        user.since = self.now
        user.question = question or ""
        self._settle()
        self._tell([user])

    def ready(self, waiter: PlainWaiter, capacity: int | None) -> None:
        waiter.ready = True
        if capacity is not None:
            waiter.capacity = capacity
        self._settle()

    def part(self, user: PlainUser, gone: ModelParticipant) -> None:
        self._part(user, gone)
        self._settle()

    def take(self, user: PlainUser, waiter: PlainWaiter) -> bool:
        if user not in self.queue or not user.present:
            return False
        if len(waiter.users) >= waiter.capacity:
            raise WaiterFull
        self._serve(user, waiter)
        self._settle()
        return True

    def withdraw(self, user: PlainUser) -> bool:
        waited = user in self.queue
        if waited:
            self.queue.remove(user)
            user.question = ""
            user.spoken = False
            self.events.append(Withdrawn(user.uuid))
        self._settle()
        return waited

    def drop(self, participant: ModelParticipant, claim: Claim = Claim.FULL) -> None:
        if isinstance(participant, PlainUser):
            participant.spoken |= claim is Claim.SPOKEN
            if claim in (Claim.SILENT, Claim.ANONYMOUS) and not participant.spoken:
                self.yielding.append(participant)
        participant.present = False
        participant.until = self.now + self.grace
        self.absent.append(participant)
        self._settle()

    def leave(self, participant: ModelParticipant, *, lost: bool = False) -> None:
        self._is_back_or_gone(participant)
        if isinstance(participant, PlainUser):
            self.users.remove(participant)
            if participant in self.queue:
                self.queue.remove(participant)
            if participant.waiter is not None:
                self._part(participant, participant, lost=lost)
        elif isinstance(participant, PlainWaiter):
            self.waiters.remove(participant)
            users = [*participant.users]
            for user in users:
                self._part(user, participant, goes_on=lost, lost=lost)
            if lost:
                self.queue[:0] = users
                for user in users:
                    user.since = self.now
                self._settle()
                self._tell(users)
        self.events.append(Departed(participant.uuid))
        self._settle()

    def tick(self) -> None:
        """Grace periods end. Which positions may be sent then, `rounds` says."""
        while self.absent and self.absent[0].until <= self.now:
            self.leave(self.absent[0], lost=True)

    # ---- how it is decided ---------------------------------------------

    def _is_back_or_gone(self, participant: ModelParticipant) -> None:
        if participant in self.absent:
            self.absent.remove(participant)
        if participant in self.yielding:
            self.yielding.remove(participant)

    def _part(
        self, user: PlainUser, gone: ModelParticipant, *, goes_on: bool = False, lost: bool = False
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
        while waiting := [user for user in self.queue if user.present]:
            if not self.idle and not self._make_room():
                break
            least = min(load for _, load in self.idle)
            waiter = next(waiter for waiter, load in self.idle if load == least)
            self._serve(waiting[0], waiter)
        self._note_stale()

    def _serve(self, user: PlainUser, waiter: PlainWaiter) -> None:
        self.queue.remove(user)
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
                self.queue.insert(0, user)
                user.since = self.now
                self._tell([user])
                return True
        return False

    def _note_idle(self) -> None:
        now = [(waiter, len(waiter.users)) for waiter in self.waiters if waiter.free]
        self.idle = [entry for entry in self.idle if entry in now]
        self.idle += [entry for entry in now if entry not in self.idle]

    # ---- positions in the queue ----------------------------------------

    def _tell(self, users: list[PlainUser]) -> None:
        for user in users:
            if user in self.queue:
                user.last_sent = self.queue.index(user)
                self.events.append(Queued(user.uuid, user.last_sent))
        self._note_stale()

    def _stale(self) -> list[Event]:
        """What those would have to be sent whose position has changed."""
        return [
            Queued(user.uuid, position)
            for position, user in enumerate(self.queue)
            if user.last_sent != position
        ]

    def _note_stale(self) -> None:
        if not self._stale():
            self.stale_since = None
        elif self.stale_since is None:
            self.stale_since = self.now

    def rounds(self) -> list[list[Event]]:
        """Which rounds of positions a desk may send now: all that has changed, or nothing.

        Not within a second of the last one; and a change waits a second at most.
        """
        stale = self._stale()
        if not stale or self.now - self.last_round < ROUND:
            return [[]]
        if self.stale_since is not None and self.now - self.stale_since >= ROUND:
            return [stale]
        return [[], stale]

    def take_round(self, last_sent: list[Event]) -> None:
        """The desk has sent this round."""
        if last_sent:
            self.last_round = self.now
            for position, user in enumerate(self.queue):
                user.last_sent = position
            self._note_stale()

    # ---- what others see -----------------------------------------------

    def waiting(self, most: int) -> Queue:
        here = [user for user in self.queue if user.present]
        return Queue(
            len(self.queue),
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
            queue_length=len(self.queue),
            longest_wait=self.now - self.queue[0].since if self.queue else 0.0,
        )
