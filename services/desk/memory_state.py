"""What a desk in memory knows, and what others see of it. `memory.py` is the desk."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from heapq import nsmallest
from itertools import islice

from .absent import Absent
from .explaining import Explanation, Hindered, Obstacle, counted
from .memory_departments import MemoryDepartment, MemoryDepartments
from .places import Places
from .port import (
    Colleague,
    Event,
    Face,
    Figures,
    Load,
    Queue,
    Role,
    Waiting,
)
from .unanswered import Unanswered
from .user_queue import User
from .void_tickets import VoidTickets
from .waiter_pool import Waiter


class MemoryState:
    """The participants, departments and decisions of one desk, behind one lock.

    *now* counts seconds, monotonic; *wall* since 1970, for tickets. *grace* is the usual grace
    period in s, *away* that of served users who may sleep; it counts where it is longer.
    """

    def __init__(
        self,
        *,
        capacity: int,
        max_queue: int,
        grace: float,
        away: float = 0.0,
        answer_within: float = 0.0,
        now: Callable[[], float],
        wall: Callable[[], float] = time.time,
        places: int = 0,
    ) -> None:
        self._capacity = capacity
        self._max_queue = max_queue
        self._now = now
        self._wall = wall
        self._lock = threading.Lock()
        self._departments = MemoryDepartments(lambda uuid: self._users[uuid].last_sent)
        self._users: dict[str, User] = {}
        self._waiters: dict[str, Waiter] = {}
        self._standing: dict[tuple[Role, str], str] = {}
        self._absent = Absent(grace, away)
        self._unanswered = Unanswered(answer_within)
        self._places = Places(places)
        self._served = 0
        self._void = VoidTickets()
        self._events: list[Event] = []

    # ---- what others see -----------------------------------------------

    def _waits(self, user: User) -> bool:
        return user.uuid in self._departments.get(user.department).queue

    def _is_here(self, user: User) -> bool:
        """Whether *user* waits and can be taken."""
        return self._departments.get(user.department).queue.is_here(user.uuid)

    def _micros(self) -> int:
        """µs since 1970."""
        return int(self._wall() * 1e6)

    def take_events(self) -> list[Event]:
        with self._lock:
            events, self._events = self._events, []
            return events

    def location(self, user: str) -> int:
        """The position that *user* was last sent."""
        return self._users[user].last_sent

    def ticket(self, user: str) -> int:
        with self._lock:
            return self._departments.get(self._users[user].department).queue.ticket(user)

    def department(self, user: str) -> str:
        with self._lock:
            one = self._users[user]
            if not self._waits(one):
                raise KeyError(user)
            return one.department

    def capacity(self, waiter: str) -> int:
        return self._waiters[waiter].capacity

    def figures(self) -> Figures:
        with self._lock:
            ready, seats = Counter[str](), defaultdict[str, float](float)
            for one in self._on_duty():
                ready.update(key for key, _ in one.departments)
                for key, share in self._departments.shares(one).items():
                    seats[key] += one.capacity * share
            loads = {one.key: self._load(one, ready[one.key]) for one in self._departments}
            return Figures(
                waiters=len(self._waiters),
                waiters_ready=sum(1 for _ in self._on_duty()),
                users_served=self._served,
                queue_length=self._departments.queue_length,
                longest_wait=max(load.longest_wait for load in loads.values()),
                departments=loads if len(loads) > 1 else {},
                seats=dict(seats),
            )

    def _load(self, department: MemoryDepartment, ready: int) -> Load:
        waits = (self._now() - self._users[user].since for user in department.queue.firsts())
        return Load(ready, len(department.queue), max(waits, default=0.0))

    def _on_duty(self) -> Iterator[Waiter]:
        return (one for one in self._waiters.values() if one.on_duty)

    def waiting(self, most: int, departments: Sequence[str] = ("",)) -> Queue:
        with self._lock:
            began = self._wall() - self._now()  # on the desk's clock
            some = [
                self._users[uuid] for _, uuid in islice(self._departments.here(departments), most)
            ]
            return Queue(
                self._departments.length_of(departments),
                [
                    Waiting(
                        one.uuid, one.name, one.avatar, one.question, one.page,
                        int((began + one.since) * 1000), one.subject, one.department,
                        one.fields,
                    )
                    for one in some
                ],
            )  # fmt: skip

    def workers(self, participant: str) -> tuple[str, ...]:
        return ()

    def colleagues(self, most: int) -> list[Colleague]:
        with self._lock:
            here = (one for one in self._waiters.values() if one.present)
            return [
                Colleague(
                    one.uuid, one.name, tuple(key for key, _ in one.departments), one.on_duty,
                    len(one.users), one.capacity,
                )
                for one in nsmallest(most, here, key=_ready_first)
            ]  # fmt: skip

    def explain(self, user: str) -> Explanation:
        with self._lock:
            one = self._users[user]
            if not self._waits(one):
                raise KeyError(user)
            department = self._departments.get(one.department)
            hindered = list(self._hindered(one))
            to, due = self._departments.moves_to(department), department.due.get(user)
            return Explanation(
                department=department.key,
                priority=one.priority,
                position=department.queue.position_of(department.queue.order(user)),
                is_here=self._is_here(one),
                moves_to=None if to is None else self._departments.entrance(to.key).key,
                moves_at=None if due is None else int((self._wall() - self._now() + due) * 1000),
                reasons=counted(hindered),
            ).naming(hindered)

    def _hindered(self, user: User) -> Iterator[Hindered]:
        """Whoever might serve *user*, where it waits or where it may come to."""
        way = self._departments.way(user.department)
        for one in self._waiters.values():
            belongs = dict(one.departments)
            key = next((key for key in way if key in belongs), None)
            if key is not None:
                reason = (
                    one.obstacle or way[key] or user.obstacle_to(one.uuid)
                    or (Obstacle.SETTLING if self._is_here(user) else Obstacle.USER_AWAY)
                )  # fmt: skip
                yield Hindered(one.uuid, one.name, key, reason, len(one.users), one.capacity)

    def team(self, most: int, department: str | None = None) -> list[Face]:
        with self._lock:
            found = (
                one
                for one in self._on_duty()
                if one.name and (department is None or department in dict(one.departments))
            )
            return [Face(one.name, one.avatar) for one in islice(found, most)]


def _ready_first(waiter: Waiter) -> tuple[bool, float, str]:
    return not waiter.on_duty, waiter.on_duty_since or 0.0, waiter.uuid
