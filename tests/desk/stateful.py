"""Random lives at a desk, each decision compared with the model's (`model.py`).

A desk's own test module subclasses `DeskMachine` and says in `make` how such a
desk is opened.
"""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.desk.port import (
    ANYWHERE,
    Absence,
    Arrival,
    Department,
    Desk,
    Matched,
    Member,
    Obstacle,
    QueueFull,
    Role,
    Route,
    Rules,
    WaiterFull,
)

from .helpers import Clock, Ledger
from .model import Model, ModelParticipant, PlainUser, PlainWaiter

GRACE = 4.0  # s: short beside the steps of time, so that both ends of it are met
AWAY = 6.0  # s
ANSWER_WITHIN = 7.0  # s
QUARTER = 0.25  # s; sums of it are exact

USERS = [f"user {letter}" for letter in "ABCDEFGH"]
WAITERS = [f"waiter {letter}" for letter in "XYZ"]

roles = st.sampled_from(Role)
picks = st.integers(0, 839)  # 840 is divided by every number of people up to 8


#: the first words of a user
questions = st.none() | st.sampled_from(["", "why?", "when?"])

DEPARTMENTS = ["care", "sales"]

#: where a user wants to be served
routes = st.builds(
    Route,
    department=st.sampled_from(["", *DEPARTMENTS, "gone"]),
    priority=st.sampled_from([0, 0, 0, 4]),
    last_waiter=st.sampled_from(["", *WAITERS]),
    stays=st.sampled_from([False, False, True]),
)

#: the departments of a waiter
memberships = st.lists(
    st.builds(Member, st.sampled_from(["", *DEPARTMENTS, "gone"]), st.integers(0, 1)),
    max_size=3,
    unique_by=lambda one: one.department,
).map(tuple)


def department(key: str) -> st.SearchStrategy[Department]:
    """Rules of a department; those of overflows may go round in circles."""
    return st.builds(
        Department,
        key=st.just(key),
        max_queue=st.sampled_from([0, 0, 0, 1]),
        overflow_to=st.sampled_from([None, None, "", *DEPARTMENTS]),
        overflow_after=st.sampled_from([0, 1, 3]),
        is_open=st.sampled_from([True, True, False]),
        answer_within=st.sampled_from([None, None, 0, 2]),
    )


#: the departments of a site
sites = st.fixed_dictionaries({}, optional={key: department(key) for key in ["", *DEPARTMENTS]})

#: how a day begins
DAY = {
    "site": st.just({}) | sites,
    "capacity": st.integers(1, 3),
    "max_queue": st.sampled_from([100, 100, 3, 0]),
    "ready": st.integers(0, 2),
    "asking": st.integers(0, 8),
}


def some(kind: str):
    """A precondition: there is one of this kind to pick from."""
    return precondition(lambda machine: getattr(machine, kind)())


class DeskMachine(RuleBasedStateMachine):
    """The desk and the model live the same life."""

    def make(self, clock: Clock, **settings: float) -> Desk:
        """An empty desk that reads its time off *clock*."""
        raise NotImplementedError

    @initialize(**DAY)
    def open(
        self, capacity: int, max_queue: int, ready: int, asking: int, site: dict[str, Department]
    ) -> None:
        """The day begins, in the middle of things if need be."""
        settings = {"capacity": capacity, "max_queue": max_queue, "grace": GRACE, "away": AWAY}
        settings["answer_within"] = ANSWER_WITHIN
        self.clock = Clock()
        self.desk = self.make(self.clock, **settings)
        self.model = Model(**settings)
        self.wait(0)
        self.capacities: dict[str, int] = {}
        self.ledger = Ledger(lambda waiter: self.capacities.get(waiter, capacity))
        #: the waiter of each match
        self.matches: list[str] = []
        self.visits = self.changes = 0
        self.given: dict[str, tuple[Member, ...]] = {}
        self.change_departments(site)
        for number, waiter in enumerate(WAITERS[:ready]):
            if site:
                self.given[waiter] = (Member(["", *DEPARTMENTS][number]), Member(DEPARTMENTS[0], 1))
            self.arrive(Role.WAITER, waiter)
            self.get_ready(self.model.waiters[-1], None)
        for user in USERS[:asking]:
            self.arrive(Role.USER, user)
            self.connect(self.model.users[-1])
            self.wait(1)

    # ---- whom a rule can pick ------------------------------------------

    def users_to_come(self) -> list[str]:
        return [name for name in USERS if self.model.standing(Role.USER, name) is None]

    def users(self) -> list[PlainUser]:
        return self.model.users

    def waiters(self) -> list[PlainWaiter]:
        return self.model.waiters

    def present_users(self) -> list[PlainUser]:
        return [user for user in self.model.users if user.present]

    def present_waiters(self) -> list[PlainWaiter]:
        return [waiter for waiter in self.model.waiters if waiter.present]

    def idle_users(self) -> list[PlainUser]:
        busy = [*self.under_way(), *self.waiting()]
        return [user for user in self.present_users() if user not in busy]

    def under_way(self) -> list[PlainUser]:
        return [user for user in self.model.users if user.waiter is not None]

    def waiting(self) -> list[PlainUser]:
        keys = self.model.departments()
        return [user for key in keys for user in self.model.queue_of(key)]

    def everybody(self) -> list[ModelParticipant]:
        return [*self.model.users, *self.model.waiters]

    def absent(self) -> list[ModelParticipant]:
        return self.model.absent

    # ---- coming and going ----------------------------------------------

    @rule(role=roles, pick=picks)
    def comes_or_is_here(self, role: Role, pick: int) -> None:
        self.arrive(role, picked(USERS if role is Role.USER else WAITERS, pick))

    @some("users_to_come")
    @rule(pick=picks)
    def comes_and_asks(self, pick: int) -> None:
        self.arrive(Role.USER, picked(self.users_to_come(), pick))
        self.connect(self.model.users[-1])

    @some("absent")
    @rule(pick=picks)
    def returns(self, pick: int) -> None:
        self.arrive_again(picked(self.absent(), pick))

    @some("absent")
    @rule()
    def all_return(self) -> None:
        """A network is up again."""
        for participant in [*self.absent()]:
            self.arrive_again(participant)

    def arrive_again(self, participant: ModelParticipant) -> None:
        self.arrive(
            Role.USER if isinstance(participant, PlainUser) else Role.WAITER, participant.subject
        )

    def arrive(self, role: Role, subject: str) -> None:
        known = self.model.standing(role, subject)
        if isinstance(known, PlainWaiter) and known.frozen:
            self.freeze(known, False)  # a new page shows life, at whichever worker
        self.visits += 1
        uuid = f"{subject} {self.visits}"
        standing = self.model.standing(role, subject) is not None
        given = self.given.get(subject, ())
        arrival = Arrival(self.model.arrive(role, subject, uuid, given), standing)
        assert self.desk.arrive(role, subject, uuid, departments=given) == arrival
        self.agree()

    # ---- departments ---------------------------------------------------

    @rule(site=sites)
    def departments_change(self, site: dict[str, Department]) -> None:
        self.change_departments(site)

    def change_departments(self, site: dict[str, Department]) -> None:
        self.changes += 1
        rules = Rules(self.changes, site)
        self.model.configure(rules)
        assert self.desk.configure(rules)
        self.agree()

    @rule(site=sites)
    def an_older_change_comes_late(self, site: dict[str, Department]) -> None:
        assert self.desk.configure(Rules(self.changes, site))
        self.agree()

    @some("waiters")
    @rule(pick=picks, departments=memberships)
    def is_assigned(self, pick: int, departments: tuple[Member, ...]) -> None:
        waiter = picked(self.waiters(), pick)
        self.given[waiter.subject] = departments
        self.model.assign(waiter, departments)
        self.desk.assign(waiter.uuid, departments)
        self.agree()

    @rule(pick=picks, departments=memberships)
    def will_belong(self, pick: int, departments: tuple[Member, ...]) -> None:
        """It counts from the next arrival on."""
        self.given[picked(WAITERS, pick)] = departments

    @some("waiting")
    @rule(pick=picks, route=routes)
    def asks_elsewhere(self, pick: int, route: Route) -> None:
        self.connect(picked(self.waiting(), pick), route=route)

    @some("everybody")
    @rule(pick=picks, absence=st.sampled_from(Absence), may_sleep=st.booleans())
    def drops(self, pick: int, absence: Absence, may_sleep: bool) -> None:
        self.drop(picked(self.everybody(), pick), absence, may_sleep=may_sleep)

    @some("under_way")
    @rule(pick=picks)
    def is_answered(self, pick: int) -> None:
        user = picked(self.under_way(), pick)
        self.model.answered(user)
        self.desk.answered(user.uuid)
        self.agree()

    @some("under_way")
    @rule(many=st.integers(1, 3))
    def phones_sleep(self, many: int) -> None:
        for user in self.under_way()[:many]:
            self.drop(user, Absence.SPOKEN, may_sleep=True)

    @some("under_way")
    @rule(many=st.integers(2, 4))
    def served_ones_drop_in_silence(self, many: int) -> None:
        for user in self.under_way()[:many]:
            self.drop(user, Absence.SILENT)

    @some("waiting")
    @rule(many=st.integers(1, 3))
    def foremost_drop(self, many: int) -> None:
        for user in self.waiting()[:many]:
            self.drop(user)

    @some("under_way")
    @rule(pick=picks, user_too=st.booleans())
    def waiter_is_lost(self, pick: int, user_too: bool) -> None:
        """Its grace period passes; the user may drop and still be waited for then."""
        user = picked(self.under_way(), pick)
        self.drop(user.waiter)
        self.wait(1)
        if user_too:
            self.drop(user)
        self.time_passes(round(GRACE / QUARTER) - 1)

    def drop(
        self,
        participant: ModelParticipant,
        absence: Absence = Absence.FULL,
        *,
        may_sleep: bool = False,
    ) -> None:
        if participant.present:
            self.model.drop(participant, absence, may_sleep=may_sleep)
            self.desk.drop(participant.uuid, absence, may_sleep=may_sleep)
            self.agree()

    @some("everybody")
    @rule(pick=picks)
    def leaves(self, pick: int) -> None:
        participant = picked(self.everybody(), pick)
        self.model.leave(participant)
        self.desk.leave(participant.uuid)
        self.agree()

    @rule(quarters=st.sampled_from([0, 1, 2, 4, 7, 15, 16]))  # 16 are the grace period
    def waits(self, quarters: int) -> None:
        self.time_passes(quarters)

    def time_passes(self, quarters: int) -> None:
        self.wait(quarters)
        self.model.tick()
        self.desk.tick()
        self.agree(after_tick=True)

    def wait(self, quarters: int) -> None:
        """Time goes on before anybody looks."""
        self.clock.passes(quarters * QUARTER)
        self.model.now = self.clock()

    # ---- asking and parting --------------------------------------------

    @some("idle_users")
    @rule(pick=picks, question=questions, route=routes)
    def connects(self, pick: int, question: str | None, route: Route) -> None:
        self.connect(picked(self.idle_users(), pick), question, route)

    def connect(
        self, user: PlainUser, question: str | None = None, route: Route = ANYWHERE
    ) -> None:
        try:
            self.model.connect(user, question, route)
        except QueueFull:
            with pytest.raises(QueueFull):
                self.desk.connect(user.uuid, question=question, route=route)
        else:
            self.desk.connect(user.uuid, question=question, route=route)
        self.agree()

    @some("waiting")
    @rule(pick=picks, question=questions)
    def asks_otherwise(self, pick: int, question: str | None) -> None:
        user = picked(self.waiting(), pick)
        self.connect(user, question, Route(user.department, user.asked))

    @some("waiting")
    @some("present_waiters")
    @rule(pick=picks, which=picks)
    def is_taken_out_of_turn(self, pick: int, which: int) -> None:
        user = picked(self.waiting(), pick)
        waiter = picked(self.present_waiters(), which)
        try:
            taken = self.model.take(user, waiter)
        except WaiterFull:
            with pytest.raises(WaiterFull):
                self.desk.take(user.uuid, waiter.uuid)
        else:
            assert self.desk.take(user.uuid, waiter.uuid) == taken
        self.agree()

    @some("under_way")
    @rule(pick=picks, which=picks)
    def is_handed_to_a_waiter(self, pick: int, which: int) -> None:
        user = picked(self.under_way(), pick)
        self.transfer(user, picked(self.waiters(), which), None)

    @some("under_way")
    @rule(pick=picks, department=st.sampled_from(["", *DEPARTMENTS, "gone"]))
    def is_handed_to_a_department(self, pick: int, department: str) -> None:
        self.transfer(picked(self.under_way(), pick), None, department)

    @some("under_way")
    @rule(department=st.sampled_from(["", *DEPARTMENTS]))
    def all_are_handed_to_a_department(self, department: str) -> None:
        for user in self.under_way():
            if user.waiter is not None:
                self.transfer(user, None, department)

    def transfer(
        self, user: PlainUser, to_waiter: PlainWaiter | None, department: str | None
    ) -> None:
        waiter = user.waiter
        call = user.uuid, waiter.uuid, to_waiter and to_waiter.uuid, department
        try:
            done = self.model.transfer(user, waiter, to_waiter, department)
        except WaiterFull:
            with pytest.raises(WaiterFull):
                self.desk.transfer(*call)
        else:
            assert self.desk.transfer(*call) == done
        self.agree()

    @some("waiters")
    @rule(pick=picks, capacity=st.none() | st.integers(1, 2))
    def gets_ready(self, pick: int, capacity: int | None) -> None:
        self.get_ready(picked(self.waiters(), pick), capacity)

    def get_ready(self, waiter: PlainWaiter, capacity: int | None) -> None:
        if capacity is not None:
            self.capacities[waiter.uuid] = capacity
        self.model.ready(waiter, capacity)
        self.desk.ready(waiter.uuid, capacity)
        self.agree()

    @some("present_waiters")
    @rule(pick=picks, frozen=st.booleans())
    def freezes(self, pick: int, frozen: bool) -> None:
        self.freeze(picked(self.present_waiters(), pick), frozen)

    def freeze(self, waiter: PlainWaiter, frozen: bool) -> None:
        """Its pages at all workers stand still, or one of each shows life."""
        self.model.freeze(waiter, frozen)
        self.desk.freeze(waiter.uuid, frozen)
        self.agree()

    @some("under_way")
    @rule(pick=picks, by_user=st.booleans())
    def parts(self, pick: int, by_user: bool) -> None:
        self.part(picked(self.under_way(), pick), by_user=by_user)

    @some("under_way")
    @rule()
    def all_part(self) -> None:
        """The next in the queue have their turn."""
        for user in self.under_way():
            self.part(user, by_user=False)

    def part(self, user: PlainUser, *, by_user: bool) -> None:
        waiter = user.waiter
        gone = user if by_user else waiter
        self.model.part(user, gone)
        assert self.desk.part(user.uuid, waiter.uuid, gone.uuid)
        self.agree()

    @some("waiting")
    @rule(pick=st.integers(0, 2))  # the foremost matter most
    def withdraws(self, pick: int) -> None:
        user = picked(self.waiting(), pick)
        assert self.model.withdraw(user)
        assert self.desk.withdraw(user.uuid)
        self.agree()

    @rule()
    def nothing_comes_of_it(self) -> None:
        """All that is refused or harmless, by everybody at once."""
        for user in self.users():
            if user.present and user not in self.idle_users():
                self.desk.connect(user.uuid, route=Route("", user.asked))
            for waiter in self.waiters():
                if user.waiter is not waiter:
                    assert not self.desk.part(user.uuid, waiter.uuid, waiter.uuid)
                    assert not self.desk.transfer(user.uuid, waiter.uuid, department="")
            if user not in self.waiting():
                assert not self.desk.withdraw(user.uuid)
                for waiter in self.present_waiters():
                    assert not self.desk.take(user.uuid, waiter.uuid)
        for waiter in self.waiters():
            if waiter.ready:
                self.desk.ready(waiter.uuid)
        for participant in self.absent():
            self.desk.drop(participant.uuid)
        for gone in self.ledger.departed:
            self.desk.leave(gone)
            self.desk.drop(gone)
        self.agree()

    # ---- why a user waits ----------------------------------------------

    @some("waiting")
    @rule(pick=picks, which=picks, by_an_end=st.booleans())
    def reasons_end(self, pick: int, which: int, by_an_end: bool) -> None:
        """What an explanation says of a waiter is done away with: then it gets a user."""
        user = picked(self.waiting(), pick)
        named = self.desk.explain(user.uuid).waiters
        if not user.present or not named:
            return
        uuid = picked(named, which).uuid
        waiter = next(one for one in self.waiters() if one.uuid == uuid)
        before, met = self.matches.count(uuid), set[Obstacle]()
        while self.matches.count(uuid) == before:
            explained = {one.uuid: one.reason for one in self.desk.explain(user.uuid).waiters}
            assert explained[uuid] not in met, "what has ended is no reason any more"
            met.add(explained[uuid])
            self.end(explained[uuid], user, waiter, by_an_end=by_an_end)

    def end(
        self, reason: Obstacle, user: PlainUser, waiter: PlainWaiter, *, by_an_end: bool
    ) -> None:
        """Do what makes *reason* untrue."""
        match reason:
            case Obstacle.AWAY:
                self.given[waiter.subject] = waiter.given
                self.arrive(Role.WAITER, waiter.subject)
            case Obstacle.NOT_READY:
                self.get_ready(waiter, None)
            case Obstacle.FROZEN:
                self.freeze(waiter, False)
            case Obstacle.FULL if by_an_end:
                for served in waiter.users[waiter.capacity - 1 :]:
                    self.part(served, by_user=True)
            case Obstacle.FULL:
                self.get_ready(waiter, len(waiter.users) + 1)
            case Obstacle.OTHER_DEPARTMENT | Obstacle.CLOSED:
                self.given[waiter.subject] = (*waiter.given, Member(user.department))
                self.model.assign(waiter, self.given[waiter.subject])
                self.desk.assign(waiter.uuid, self.given[waiter.subject])
                self.agree()
            case Obstacle.HANDED_OVER:
                assert self.model.take(user, waiter)
                assert self.desk.take(user.uuid, waiter.uuid)
                self.agree()
            case _:
                raise AssertionError(f"{reason} of a user who is here")

    # ---- agreeing ------------------------------------------------------

    def agree(self, *, after_tick: bool = False) -> None:
        """The desk has decided what the model has decided, in the same order."""
        decided, self.model.events = self.model.events, []
        events = self.desk.take_events()
        self.ledger.record(events)
        self.matches += [one.waiter for one in events if isinstance(one, Matched)]
        assert events[: len(decided)] == decided
        last_sent = events[len(decided) :]
        assert last_sent in (self.model.rounds() if after_tick else [[]])
        self.model.take_round(last_sent)

    @invariant()
    def no_waiter_is_free_while_a_present_user_waits(self) -> None:
        free = [
            waiter
            for waiter in self.model.waiters
            if waiter.on_duty and self.ledger.load(waiter.uuid) < waiter.capacity
        ]
        for waiter in free:
            wanted = {
                user.department
                for user in self.model.queue
                if user.present and user.giver is not waiter
            }
            assert wanted.isdisjoint(one.department for one in self.model.members_of(waiter))

    @invariant()
    def nobody_is_lost(self) -> None:
        for user in self.model.users:
            served = self.ledger.chats.get(user.uuid)
            assert served == (user.waiter.uuid if user.waiter is not None else None)
        figures = self.desk.figures()
        assert figures == self.model.figures()

    @invariant()
    def waiters_see_who_waits(self) -> None:
        assert self.desk.waiting(3) == self.model.waiting(3)
        some = ("", "sales", "gone")
        assert self.desk.waiting(3, some) == self.model.waiting(3, some)

    @invariant()
    def it_is_known_why_each_user_waits(self) -> None:
        for user in self.model.queue:
            explained = self.desk.explain(user.uuid)
            assert explained == self.model.explain(user)
            assert Obstacle.SETTLING not in explained.reasons
            named = {one.uuid for one in explained.waiters}
            for waiter in self.model.waiters:
                assert waiter.uuid in named or not self.model.belongs(waiter, user.department)

    @invariant()
    def waiters_see_each_other(self) -> None:
        for most in (1, 9):
            assert self.desk.colleagues(most) == self.model.colleagues(most)

    @invariant()
    def everybody_in_the_queue_can_ask_for_its_position(self) -> None:
        for user in self.model.queue:
            assert self.desk.location(user.uuid) == user.last_sent
            assert self.desk.department(user.uuid) == user.department


def picked(people: list, pick: int):
    """One of *people*; the same number means the same place in the list."""
    return people[pick % len(people)]
