"""A desk that is obviously right: plain lists, searched from end to end.

It has no lock and no clock of its own and is slow on purpose. Where the port
leaves a desk some freedom (when exactly changed positions are sent) the model
says what is allowed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from services.bounds import SEATS_KEPT
from services.desk.port import (
    ANYWHERE,
    NOWHERE,
    Absence,
    Colleague,
    Departed,
    Department,
    Event,
    Explanation,
    Figures,
    Hindered,
    Load,
    Matched,
    Member,
    Obstacle,
    OnDuty,
    Parted,
    Queue,
    Queued,
    QueueFull,
    Reason,
    Role,
    Route,
    Rules,
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
    #: when an absent one is given up, and whether it may sleep until then
    until: float = 0.0
    sleeps: bool = False


@dataclass(eq=False)
class PlainUser(ModelParticipant):
    """A user; *last_sent* and *since* count while it waits."""

    waiter: PlainWaiter | None = None
    last_sent: int = 0
    since: float = 0.0
    #: when it came to its department
    entered: float = 0.0
    spoken: bool = False
    #: s in which its waiter has to write something, not counting what it was away; None: never
    patience: float | None = None
    counted_from: float | None = None
    question: str = ""
    department: str = ""
    asked: str = ""
    priority: int = 0
    #: where it stands; lower ones of a priority are served first
    ticket: int = 0
    last_waiter: str = ""
    #: who has handed it over, while it waits by that
    giver: PlainWaiter | None = None

    @property
    def order(self) -> tuple[int, int]:
        return -self.priority, self.ticket


@dataclass(eq=False)
class PlainWaiter(ModelParticipant):
    """A waiter with its *users* in the order in which they were matched."""

    capacity: int = 0
    ready: bool = False
    #: its pages stand still
    frozen: bool = False
    #: since when it is on duty
    on_duty_since: float = 0.0
    #: the departments that it was given
    given: tuple[Member, ...] = ()
    users: list[PlainUser] = field(default_factory=list)

    @property
    def on_duty(self) -> bool:
        return self.ready and self.present and not self.frozen

    @property
    def free(self) -> bool:
        return self.on_duty and len(self.users) < self.capacity


class Model:
    """What a desk with these settings decides; `events` are for the reader to take."""

    def __init__(
        self, *, capacity: int, max_queue: int, grace: float, away: float, answer_within: float
    ) -> None:
        self.capacity = capacity
        self.max_queue = max_queue
        self.grace = grace
        self.away = away
        self.answer_within = answer_within
        self.now = 0.0
        self.users: list[PlainUser] = []
        self.waiters: list[PlainWaiter] = []
        self.rules = Rules()
        #: all who wait, in any order: `queue_of` sorts those of a department
        self.queue: list[PlainUser] = []
        self.back = self.front = 0
        #: the free waiters with their load, in the order in which they came to it
        self.idle: list[tuple[PlainWaiter, int]] = []
        #: in the order in which they are given up
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

    # ---- departments ---------------------------------------------------

    def departments(self) -> list[str]:
        return sorted({"", *self.rules.departments})

    def rule(self, key: str) -> Department:
        return self.rules.departments.get(key) or Department(key)

    def queue_of(self, key: str) -> list[PlainUser]:
        return sorted(
            (user for user in self.queue if user.department == key), key=lambda user: user.order
        )

    def members_of(self, waiter: PlainWaiter) -> tuple[Member, ...]:
        highest: dict[str, int] = {}
        for key, priority in waiter.given:
            if key in self.departments():
                highest[key] = max(priority, highest.get(key, 0))
        return tuple(Member(key, highest[key]) for key in sorted(highest)) or NOWHERE

    def belongs(self, waiter: PlainWaiter, key: str) -> bool:
        return any(one.department == key for one in self.members_of(waiter))

    def overflow_of(self, key: str) -> str | None:
        to = self.rule(key).overflow_to
        known = to is not None and to != key and to in self.departments()
        return to if known and self.rule(to).is_open else None

    def moves_to(self, key: str) -> str | None:
        """Where users of *key* move, unless they would be passed on at once for ever."""
        here, seen = key, []
        while self.overflow_of(here) is not None and not self.rule(here).overflow_after:
            if here in seen:
                return None
            seen.append(here)
            here = self.overflow_of(here) or ""
        return self.overflow_of(key)

    def entrance(self, key: str) -> str:
        key = key if key in self.departments() else ""
        for _ in range(10):
            to = self.overflow_of(key)
            if to is None or self.rule(key).overflow_after:
                break
            key = to
        return key

    def configure(self, rules: Rules) -> None:
        if rules.number <= self.rules.number:
            return
        before = self.departments()
        members = {waiter.uuid: self.members_of(waiter) for waiter in self.waiters}
        self.rules = rules
        for waiter in sorted(self.waiters, key=lambda one: (one.on_duty_since, one.uuid)):
            if self.members_of(waiter) != members[waiter.uuid]:
                self._come_anew(waiter)
        moved: list[PlainUser] = []
        for key in before:
            if key not in self.departments():
                for user in self.queue_of(key):
                    self._move(user, "")
                    moved.append(user)
        for user in self.queue_of(""):
            if user.asked in self.departments() and user.asked not in before:
                self._move(user, user.asked)
                moved.append(user)
        self._settle()
        self._tell([*dict.fromkeys(moved)])

    def assign(self, waiter: PlainWaiter, departments: tuple[Member, ...]) -> None:
        before = self.members_of(waiter)
        waiter.given = departments
        if self.members_of(waiter) != before:
            self._come_anew(waiter)
        self._settle()

    def _come_anew(self, waiter: PlainWaiter) -> None:
        self.idle = [entry for entry in self.idle if entry[0] is not waiter]
        self._note_idle()

    def _move(self, user: PlainUser, key: str) -> None:
        user.department, user.entered, user.last_sent = key, self.now, -1

    # ---- what happens --------------------------------------------------

    def arrive(
        self, role: Role, subject: str, uuid: str, departments: tuple[Member, ...] = ()
    ) -> str:
        participant = self.standing(role, subject)
        if participant is None:
            if role is Role.USER:
                self.users.append(PlainUser(uuid, subject))
            else:
                self.waiters.append(
                    PlainWaiter(uuid, subject, capacity=self.capacity, given=departments)
                )
            return uuid
        if isinstance(participant, PlainWaiter) and departments != participant.given:
            before = self.members_of(participant)
            participant.given = departments
            if self.members_of(participant) != before:
                self._come_anew(participant)
                self._settle()
        if not participant.present:
            participant.present = True
            if isinstance(participant, PlainUser):
                participant.counted_from = self.now
            self._note_duty(participant)
            self._is_back_or_gone(participant)
            self._settle()
        return participant.uuid

    def connect(
        self, user: PlainUser, question: str | None = None, route: Route = ANYWHERE
    ) -> None:
        asked = route.department if route.asked is None else route.asked
        if user.waiter is not None:
            return
        key = self.entrance(route.department)
        if user in self.queue:
            user.question = user.question if question is None else question
            if route.stays:
                return
            if asked == user.asked or key == user.department:
                user.asked = asked
                return
            self._refuse_where_full(key)
            self.queue.remove(user)
            user.giver = None
        else:
            self._refuse_where_full(key)
            if len(self.queue) >= self.max_queue and not self._free(key):
                self._make_place([one for one in self.yielding if one in self.queue])
            user.question = question or ""
            user.last_waiter = user.last_waiter or route.last_waiter
        self.back += 1
        user.ticket, user.priority, user.asked = self.back, route.priority, asked
        user.since = self.now
        self._move(user, key)
        self.queue.append(user)
        self._settle()
        self._tell([user])

    def _refuse_where_full(self, key: str) -> None:
        most = self.rule(key).max_queue
        if 0 < most <= len(self.queue_of(key)) and not self._free(key):
            self._make_place([one for one in self.yielding if one in self.queue_of(key)])

    def _make_place(self, waiting: list[PlainUser]) -> None:
        if not waiting:
            raise QueueFull
        self.leave(waiting[0], lost=True)

    def _free(self, key: str) -> bool:
        return any(waiter.free and self.belongs(waiter, key) for waiter in self.waiters)

    def _note_duty(self, waiter: ModelParticipant) -> None:
        if isinstance(waiter, PlainWaiter) and waiter.on_duty:
            waiter.on_duty_since = self.now

    def ready(self, waiter: PlainWaiter, capacity: int | None) -> None:
        was_ready, waiter.ready = waiter.ready, True
        if not was_ready:
            self._note_duty(waiter)
        if capacity is not None:
            waiter.capacity = capacity
        self._settle()

    def freeze(self, waiter: PlainWaiter, frozen: bool) -> None:
        was_frozen, waiter.frozen = waiter.frozen, frozen
        if was_frozen:
            self._note_duty(waiter)
        self._settle()

    def part(self, user: PlainUser, gone: ModelParticipant) -> None:
        self._part(user, gone)
        self._settle()

    def take(self, user: PlainUser, waiter: PlainWaiter) -> bool:
        if user not in self.queue or not user.present or not self.belongs(waiter, user.department):
            return False
        if len(waiter.users) >= waiter.capacity:
            raise WaiterFull
        self._serve(user, waiter)
        self._settle()
        return True

    def transfer(
        self, user: PlainUser, waiter: PlainWaiter, to: PlainWaiter | None, department: str | None
    ) -> bool:
        if user.waiter is not waiter:
            return False
        if department is not None:
            if department not in self.departments():
                return False
            self._hand_over(user)
            self._wake(user)
            user.giver = waiter
            user.department = self.entrance(department)
            self._stand_in_front([user])
        else:
            if to is None or to is waiter or not to.present:
                return False
            if len(to.users) >= to.capacity:
                raise WaiterFull
            self._hand_over(user)
            self.queue.append(user)
            self._serve(user, to)
        self._settle()
        self._tell([user])
        return True

    def _hand_over(self, user: PlainUser) -> None:
        waiter = user.waiter
        assert waiter is not None
        waiter.users.remove(user)
        user.waiter = None
        self.answered(user)
        self.events.append(Parted(user.uuid, waiter.uuid, waiter.uuid, Reason.TRANSFERRED))
        self._note_idle()

    def withdraw(self, user: PlainUser) -> bool:
        waited = user in self.queue
        if waited:
            self.queue.remove(user)
            user.question = ""
            user.spoken = False
            user.giver = None
            self.events.append(Withdrawn(user.uuid))
        self._settle()
        return waited

    def drop(
        self,
        participant: ModelParticipant,
        absence: Absence = Absence.FULL,
        *,
        may_sleep: bool = False,
    ) -> None:
        if isinstance(participant, PlainUser):
            participant.spoken |= absence is Absence.SPOKEN
            if absence in (Absence.SILENT, Absence.ANONYMOUS) and not participant.spoken:
                self.yielding.append(participant)
        participant.present = False
        if isinstance(participant, PlainUser):
            self._let_time_count(participant)
        elif isinstance(participant, PlainWaiter):
            participant.frozen = False
        participant.sleeps = (
            may_sleep and isinstance(participant, PlainUser) and participant.waiter is not None
        )
        self._wait_for(participant)
        self._settle()

    def _let_time_count(self, user: PlainUser) -> None:
        """What has passed while *user* was here and waited for an answer counts."""
        if user.patience is not None and user.counted_from is not None:
            user.patience -= self.now - user.counted_from
        user.counted_from = None

    def answered(self, user: PlainUser) -> None:
        user.patience = user.counted_from = None

    def _move_unanswered(self) -> None:
        late = []
        for user in self.users:
            if user.patience is not None and user.counted_from is not None:
                due = user.counted_from + user.patience
                if due <= self.now:
                    late.append((due, user.uuid, user))
        users = [one[-1] for one in sorted(late, key=lambda one: one[:-1])]
        for user in users:
            waiter = user.waiter
            assert waiter is not None
            self._part(user, waiter, goes_on=True, reason=Reason.UNANSWERED)
            if waiter.ready:
                waiter.ready = False
                self.events.append(OnDuty(waiter.uuid, False, waiter.capacity))
            self._note_idle()
        if users:
            self._stand_in_front(users)
            self._settle()
            self._tell(users)

    def _wait_for(self, participant: ModelParticipant) -> None:
        participant.until = self.now + (self.away if participant.sleeps else self.grace)
        self.absent.append(participant)
        self.absent.sort(key=lambda one: (one.until, one.sleeps))

    def _wake(self, user: PlainUser) -> None:
        if user.sleeps and user in self.absent:
            user.sleeps = False
            self.absent.remove(user)
            self._wait_for(user)

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
                self._stand_in_front(users)
                self._settle()
                self._tell(users)
        self.events.append(Departed(participant.uuid))
        self._settle()

    def tick(self) -> None:
        """Grace periods end. Which positions may be sent then, `rounds` says."""
        while self.absent and self.absent[0].until <= self.now:
            self.leave(self.absent[0], lost=True)
        self._move_unanswered()
        late = []
        for user in self.queue:
            due = user.entered + self.rule(user.department).overflow_after
            if self.moves_to(user.department) is not None and due <= self.now:
                late.append((due, user.department, user.order, user))
        moved = [one[-1] for one in sorted(late, key=lambda one: one[:-1])]
        for user in moved:
            to = self.overflow_of(user.department)
            assert to is not None
            self._move(user, self.entrance(to))
        if moved:
            self._settle()
            self._tell(moved)

    # ---- how it is decided ---------------------------------------------

    def _is_back_or_gone(self, participant: ModelParticipant) -> None:
        if participant in self.absent:
            self.absent.remove(participant)
        if participant in self.yielding:
            self.yielding.remove(participant)

    def _part(
        self,
        user: PlainUser,
        gone: ModelParticipant,
        *,
        goes_on: bool = False,
        lost: bool = False,
        reason: Reason | None = None,
    ) -> None:
        waiter = user.waiter
        assert waiter is not None
        user.spoken &= goes_on
        self._wake(user)
        self.answered(user)
        waiter.users.remove(user)
        user.waiter = None
        if reason is None:
            reason = Reason.LOST if lost else Reason.LEFT if gone is user else Reason.ENDED
        self.events.append(Parted(user.uuid, waiter.uuid, gone.uuid, reason))
        self._note_idle()

    def _settle(self) -> None:
        """After every change: match as long as somebody is free and somebody waits for it."""
        self._note_idle()
        while (waiter := self._next_waiter()) is not None:
            self._serve(self._choose(waiter), waiter)
        self._note_stale()

    def _next_waiter(self) -> PlainWaiter | None:
        """Who gets a user next: of the first department by key that has both."""
        for key in self.departments():
            if not self._here(key):
                continue
            waiter = self._free_in(key)
            if waiter is None and self._make_room(key):
                waiter = self._free_in(key)
            if waiter is not None:
                return waiter
        return None

    def _free_in(self, key: str) -> PlainWaiter | None:
        """Who takes the first user of this department for whom anybody is free there."""
        for user in self._here(key):
            idle = [
                (waiter, load)
                for waiter, load in self.idle
                if self.belongs(waiter, key) and waiter is not user.giver
            ]
            for waiter, _ in idle:
                if waiter.subject == user.last_waiter:
                    return waiter
            if idle:
                return min(idle, key=lambda entry: entry[1])[0]
        return None

    def _here(self, key: str) -> list[PlainUser]:
        return [user for user in self.queue_of(key) if user.present]

    def _for(self, waiter: PlainWaiter, key: str) -> list[PlainUser]:
        """Whom *waiter* may take of this department."""
        return [user for user in self._here(key) if user.giver is not waiter]

    def _choose(self, waiter: PlainWaiter) -> PlainUser:
        found = [
            (-priority, users[0].order, users[0])
            for key, priority in self.members_of(waiter)
            if (users := self._for(waiter, key))
        ]
        return min(found, key=lambda one: one[:-1])[-1]

    def _stand_in_front(self, users: list[PlainUser]) -> None:
        for user in reversed(users):
            self.front -= 1
            user.ticket = self.front
            user.since = self.now
            key = user.department if user.department in self.departments() else ""
            self._move(user, key)
            self.queue.append(user)

    def _serve(self, user: PlainUser, waiter: PlainWaiter) -> None:
        self.queue.remove(user)
        user.waiter = waiter
        own = self.rule(user.department).answer_within
        user.patience = (self.answer_within if own is None else own) or None  # 0: never
        user.counted_from = self.now if user.present else None
        user.last_waiter = waiter.subject
        user.question = ""
        user.giver = None
        waiter.users.append(user)
        self.events.append(Matched(user.uuid, waiter.uuid, department=user.department))
        self._note_idle()

    def _make_room(self, key: str) -> bool:
        """Of those who are away and have said nothing one gives its seat to somebody else."""
        served = [user for user in self.users if user.waiter is not None]
        seats = [user for user in self.yielding if user.waiter is not None]
        for user in seats[: max(0, len(seats) - max(1, len(served) // SEATS_KEPT))]:
            waiter = user.waiter
            assert waiter is not None
            if not self.belongs(waiter, key) or not self._for(waiter, key):
                continue
            if waiter.on_duty and len(waiter.users) <= waiter.capacity:
                self._part(user, waiter, goes_on=True, lost=True)
                self._stand_in_front([user])
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
                user.last_sent = self.queue_of(user.department).index(user)
                self.events.append(Queued(user.uuid, user.last_sent, department=user.department))
        self._note_stale()

    def _stale(self) -> list[Event]:
        """What those would have to be sent whose position has changed."""
        return [
            Queued(user.uuid, position, department=key)
            for key in self.departments()
            for position, user in enumerate(self.queue_of(key))
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
            for key in self.departments():
                for position, user in enumerate(self.queue_of(key)):
                    user.last_sent = position
            self._note_stale()

    # ---- what others see -----------------------------------------------

    def waiting(self, most: int, departments: tuple[str, ...] = ("",)) -> Queue:
        queue = [user for user in self.queue if user.department in departments]
        here = sorted((user for user in queue if user.present), key=lambda user: user.order)
        return Queue(
            len(queue),
            [
                Waiting(
                    user.uuid, "", "", user.question, "", int(user.since * 1000), user.subject,
                    user.department,
                )
                for user in here[:most]
            ],
        )  # fmt: skip

    def explain(self, user: PlainUser) -> Explanation:
        own, overflow = user.department, self.moves_to(user.department)
        moves_to = None if overflow is None else self.entrance(overflow)
        later, closed = self._ways(own)
        waiters = []
        for one in self.waiters:
            ways = [key for key in [own, *later, *closed] if self.belongs(one, key)]
            if ways:
                waiters.append(
                    Hindered(
                        one.uuid, "", ways[0], self._reason(user, one, ways[0], later, closed),
                        len(one.users), one.capacity,
                    )
                )  # fmt: skip
        reasons = [one.reason for one in waiters]
        due = user.entered + self.rule(own).overflow_after
        found = Explanation(
            department=own,
            priority=user.priority,
            position=self.queue_of(own).index(user),
            is_here=user.present,
            moves_to=moves_to,
            moves_at=None if overflow is None else int(due * 1000),
            reasons={reason: reasons.count(reason) for reason in reasons},
        )
        return found.naming(waiters)

    def _ways(self, own: str) -> tuple[list[str], list[str]]:
        """Where a user may come to from its own department, and where it may not for now."""
        here, later = own, list[str]()
        while (to := self.moves_to(here)) is not None:
            following = self.entrance(to)
            if following in (own, *later):
                break
            here = following
            later.append(here)
        to = self.rule(here).overflow_to
        is_closed = to in self.departments() and not self.rule(to).is_open
        return later, [to] if is_closed and to not in later else []

    @staticmethod
    def _reason(
        user: PlainUser, waiter: PlainWaiter, key: str, later: list[str], closed: list[str]
    ) -> Obstacle:
        reasons = {
            Obstacle.AWAY: not waiter.present,
            Obstacle.NOT_READY: not waiter.ready,
            Obstacle.FROZEN: waiter.frozen,
            Obstacle.FULL: len(waiter.users) >= waiter.capacity,
            Obstacle.OTHER_DEPARTMENT: key in later,
            Obstacle.CLOSED: key in closed and key != user.department,
            Obstacle.HANDED_OVER: user.giver is waiter,
            Obstacle.USER_AWAY: not user.present,
        }
        return next(reason for reason, is_so in reasons.items() if is_so)

    def colleagues(self, most: int) -> list[Colleague]:
        here = sorted(
            (one for one in self.waiters if one.present),
            key=lambda one: (not one.on_duty, one.on_duty_since if one.on_duty else 0.0, one.uuid),
        )
        return [
            Colleague(
                one.uuid, "", tuple(key for key, _ in self.members_of(one)), one.on_duty,
                len(one.users), one.capacity,
            )
            for one in here[:most]
        ]  # fmt: skip

    def figures(self) -> Figures:
        return Figures(
            waiters=len(self.waiters),
            waiters_ready=len([one for one in self.waiters if one.on_duty]),
            users_served=len([user for user in self.users if user.waiter is not None]),
            queue_length=len(self.queue),
            longest_wait=max(self._load(key).longest_wait for key in self.departments()),
            departments={
                key: self._load(key) for key in self.departments() if len(self.departments()) > 1
            },
        )

    def _load(self, key: str) -> Load:
        ready = [one for one in self.waiters if one.on_duty and self.belongs(one, key)]
        queue = self.queue_of(key)
        firsts = {user.priority: user for user in reversed(queue)}
        longest = max((self.now - user.since for user in firsts.values()), default=0.0)
        return Load(len(ready), len(queue), longest)
