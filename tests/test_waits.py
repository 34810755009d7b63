"""Estimates of waits, checked against simulated days."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from statistics import median

import pytest

from services.desk.memory import MemoryDesk
from services.desk.port import Department, Figures, Matched, Member, Parted, Role, Route, Rules
from services.waits import ENOUGH, LATEST, Waits
from tests.desk.helpers import Clock

HOUR = 3600.0


class Day:
    """A working day at a desk: what visitors were told, and what they waited, in s (`found`).

    Most visitors come before and after noon; some give up. Conversations last some minutes, and
    a few much longer. Waiters come and go at their hours, and serve in one or two departments.
    """

    def __init__(self, seed: int, departments: tuple[str, ...]) -> None:
        self.chance, self.clock = random.Random(seed), Clock()
        self.desk = MemoryDesk(
            capacity=3, max_queue=1000, grace=20, now=self.clock, wall=self.clock
        )
        self.departments = departments
        self.desk.configure(Rules(1, {key: Department(key) for key in departments if key}))
        self.waits = Waits()
        self.lasted: list[tuple[str, float]] = []
        self.told: dict[str, float] = {}
        self.begun: dict[str, float] = {}
        self.found: list[tuple[float, float]] = []
        self.doings: list[tuple[float, float, Callable[[str], None], str]] = []
        self._plan()
        while self.doings:
            self.clock.time, _, does, who = heapq.heappop(self.doings)
            does(who)
            self._follow()

    def _later(self, seconds: float, does: Callable[[str], None], who: str) -> None:
        doing = self.clock() + seconds, self.chance.random(), does, who
        heapq.heappush(self.doings, doing)

    def _plan(self) -> None:
        for number in range(6 * len(self.departments)):
            self._later(self.chance.choice([0, 0, 2, 4]) * HOUR, self._comes, f"w{number}")
            self._later(self.chance.choice([7, 8, 9]) * HOUR, self._goes, f"w{number}")
        at = 0.0
        while at < 9 * HOUR:
            hour = at / HOUR
            busy = 1.5 if 2 < hour < 4 or 5 < hour < 7 else 0.7
            at += self.chance.expovariate(busy * len(self.departments) / 30)
            self._later(at, self._asks, f"u{at}")

    def _comes(self, waiter: str) -> None:
        number, many = int(waiter[1:]), len(self.departments)
        some = {self.departments[number % many], self.departments[number // 3 % many]}
        given = tuple(Member(key) for key in sorted(some))
        self.desk.arrive(Role.WAITER, waiter, waiter, departments=given)
        self.desk.ready(waiter)

    def _goes(self, waiter: str) -> None:
        self.desk.unready(waiter)

    def _asks(self, user: str) -> None:
        department = self.chance.choice(self.departments)
        self.desk.arrive(Role.USER, user, user)
        self.desk.connect(user, route=Route(department))
        self._follow()
        if user not in self.begun:
            location = self.desk.location(user)
            told = self.waits.estimate(department, location, self.desk.figures())
            if told is not None:
                self.told[user] = told
            self._later(self.chance.expovariate(1 / 1800), self.desk.withdraw, user)

    def _ends(self, user: str) -> None:
        self.desk.part(user, self.desk._users[user].waiter or "", user)

    def _follow(self) -> None:
        for event in self.desk.take_events():
            if isinstance(event, Matched):
                self.begun[event.user] = self.clock()
                self._later(60 + self.chance.lognormvariate(5.6, 0.7), self._ends, event.user)
                if event.user in self.told:
                    self.found.append((self.told.pop(event.user), event.waited))
            elif isinstance(event, Parted):
                department = self.desk._users[event.user].department
                self.lasted.append((department, self.clock() - self.begun[event.user]))
                self.waits.learn(self.lasted[-LATEST:], self.departments)


@pytest.mark.parametrize("departments", [("",), ("care", "sales"), ("", "a", "b", "c")])
def test_half_of_the_estimates_are_right_within_thirty_percent(
    departments: tuple[str, ...],
) -> None:
    errors = []
    for seed in range(5):
        errors += [abs(told - waited) / waited for told, waited in Day(seed, departments).found]
    assert len(errors) > 200
    assert median(errors) < 0.3


def test_nothing_is_said_before_there_is_enough_to_go_by() -> None:
    waits, figures = Waits(), Figures(1, 1, 5, 0, 0.0, seats={"": 5.0})
    waits.learn([("", 300.0)] * (ENOUGH - 1), ())
    assert waits.estimate("", 0, figures) is None
    waits.learn([("", 300.0)] * ENOUGH, ())
    assert waits.estimate("", 0, figures) == 60
    assert waits.estimate("", 4, figures) == 300
    assert waits.estimate("sales", 0, figures) is None


def test_nothing_is_said_where_nobody_could_serve() -> None:
    waits = Waits()
    waits.learn([("", 300.0)] * ENOUGH, ())
    assert waits.estimate("", 0, Figures(0, 0, 0, 3, 9.0)) is None


def test_conversations_of_a_department_that_is_gone_count_for_those_who_ask_for_none() -> None:
    waits, figures = Waits(), Figures(1, 1, 5, 0, 0.0, seats={"": 1.0, "care": 1.0})
    waits.learn([("gone", 100.0)] * ENOUGH + [("care", 50.0)] * ENOUGH, ("care",))
    assert waits.estimate("", 0, figures) == 100
    assert waits.estimate("care", 0, figures) == 50
