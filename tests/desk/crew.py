"""Several workers at one desk, as if they were one desk.

Whatever is asked is asked by a worker picked by chance; what the workers are sent is
read from their mailboxes and put together by the number of the decision. On
the way it is checked that every worker hears in order what concerns it and
misses nothing, and that exactly one of them writes each decision down.
"""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import redis

from services.desk.port import (
    Absence,
    Arrival,
    Colleague,
    Departed,
    Event,
    Explanation,
    Face,
    Figures,
    Member,
    Moved,
    OnDuty,
    Queue,
    Queued,
    Reason,
    Role,
    Rules,
    Standing,
)
from services.desk.redis import RedisDesk

from .helpers import Clock

#: s; longer than any test lives: who dies, dies by `kill`
LEASE = 1_000_000.0

_names = itertools.count()


def desk_name() -> str:
    """A desk that no other test of this process uses; the tests share one Redis."""
    return f"d{next(_names)}"


def read_mailbox(client: redis.Redis, desk: RedisDesk) -> None:
    """Hand *desk* what is in its mailbox, as its reader would."""
    entries = client.xrange(f"{desk.prefix}box:{desk.worker}", f"({desk.mailbox_read}")
    for place, entry in entries:
        if entry[b"f"] == b"#":
            desk.receive([(int(entry[b"n"]), entry[b"b"])])
        desk.mailbox_read = place.decode()


class Crew:
    """`port.Desk` by *workers* desks on one Redis. *seed*: of all that chance decides."""

    def __init__(self, url: str, clock: Clock, workers: int, seed: int, **settings: float) -> None:
        self._options = {
            "url": url,
            "desk": desk_name(),
            "now": clock,
            "lease": LEASE,
            "timeout": 30.0,
            **settings,
        }
        self._client = redis.Redis.from_url(url, protocol=2)
        self._chance = random.Random(seed)
        self.desks: dict[str, RedisDesk] = {}
        #: participant → the workers that hold sockets of it
        self.holders: defaultdict[str, set[str]] = defaultdict(set)
        self._last: defaultdict[str, int] = defaultdict(int)
        self._joins: defaultdict[str, int] = defaultdict(int)
        for _ in range(workers):
            self.hire()

    def hire(self) -> None:
        """One more worker begins."""
        desk = RedisDesk(worker=f"w{next(_names)}", **self._options)
        self.desks[desk.worker] = desk
        desk.figures()  # joins

    def close(self) -> None:
        """All of them go."""
        for desk in self.desks.values():
            desk.close()
        self._client.close()

    def any(self) -> RedisDesk:
        """A worker picked by chance."""
        return self._chance.choice(list(self.desks.values()))

    # ---- coming and going ----------------------------------------------

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
        desk = self.any()
        arrival = desk.arrive(role, subject, uuid, name, address, avatar, departments)
        assert set(arrival.elsewhere) == self.holders[arrival.uuid] - {desk.worker}
        self.holders[arrival.uuid].add(desk.worker)
        return arrival

    def drop(
        self, participant: str, absence: Absence = Absence.FULL, *, may_sleep: bool = False
    ) -> None:
        for worker in sorted(self.holders.pop(participant, ())):
            self.desks[worker].drop(participant, absence, may_sleep=may_sleep)

    def lose_one_socket(self, participant: str) -> None:
        """One of several workers loses its sockets of *participant*."""
        worker = self._chance.choice(sorted(self.holders[participant]))
        self.holders[participant].discard(worker)
        self.desks[worker].drop(participant)

    def leave(self, participant: str) -> None:
        workers = sorted(self.holders.pop(participant, ())) or [self.any().worker]
        for worker in workers:
            self.desks[worker].leave(participant)

    def kill(self) -> list[str]:
        """A worker dies, its lease ends and all others tick; who is away for it, in order."""
        worker = self._chance.choice(list(self.desks))
        dead = self.desks.pop(worker)
        orphans = {who for who, held in self.holders.items() if held == {worker}}
        for held in self.holders.values():
            held.discard(worker)
        self._client.zadd(f"{dead.prefix}workers", {worker: 0})
        self.tick()
        order = [who.decode() for who in self._client.zrange(f"{dead.prefix}grace", 0, -1)]
        assert orphans <= {*order}
        return [who for who in order if who in orphans]

    def lose_line(self) -> None:
        """A worker that has heard everything joins again; nobody else notices."""
        worker, desk = self._chance.choice(sorted(self.desks.items()))
        desk._calls.client.connection_pool.disconnect()
        desk.figures()
        self._joins[worker] += 1
        for event in desk.take_events():
            assert isinstance(event, Moved | Queued), "the desk is as the worker remembers it"
            assert not event.is_recorder
            self._last[worker] = event.number

    # ---- all the rest --------------------------------------------------

    def restore(self, standings: list[Standing]) -> None:
        self.any().restore(standings)

    def connect(
        self, user: str, ticket: int | None = None, conversation: int = 0, **words: Any
    ) -> None:
        self.any().connect(user, ticket, conversation, **words)

    def configure(self, rules: Rules) -> bool:
        """Every worker learns of it, one after the other."""
        workers = self._chance.sample([*self.desks.values()], len(self.desks))
        accepted = [desk.configure(rules) for desk in workers]
        return all(accepted)

    def assign(self, waiter: str, departments: tuple[Member, ...]) -> None:
        self.any().assign(waiter, departments)

    def is_void(self, user: str, ticket: int) -> bool:
        return self.any().is_void(user, ticket)

    def department(self, user: str) -> str:
        return self.any().department(user)

    def waiting(self, most: int, departments: Sequence[str] = ("",)) -> Queue:
        return self.any().waiting(most, departments)

    def explain(self, user: str) -> Explanation:
        return self.any().explain(user)

    def take(self, user: str, waiter: str) -> bool:
        return self.any().take(user, waiter)

    def ticket(self, user: str) -> int:
        return self.any().ticket(user)

    def ready(self, waiter: str, capacity: int | None = None) -> None:
        self.any().ready(waiter, capacity)

    def unready(self, waiter: str, capacity: int | None = None) -> None:
        self.any().unready(waiter, capacity)

    def capacity(self, waiter: str) -> int:
        return self.any().capacity(waiter)

    def answered(self, user: str) -> None:
        self.any().answered(user)

    def part(self, user: str, waiter: str, gone: str, reason: Reason | None = None) -> bool:
        return self.any().part(user, waiter, gone, reason)

    def freeze(self, waiter: str, frozen: bool) -> None:
        for worker in sorted(self.holders.get(waiter, ())) or [self.any().worker]:
            self.desks[worker].freeze(waiter, frozen)

    def transfer(
        self, user: str, waiter: str, to_waiter: str | None = None, department: str | None = None
    ) -> bool:
        return self.any().transfer(user, waiter, to_waiter, department)

    def withdraw(self, user: str) -> bool:
        return self.any().withdraw(user)

    def tick(self) -> None:
        """All of them tick, in any order."""
        for desk in self._chance.sample([*self.desks.values()], len(self.desks)):
            desk.tick()

    def location(self, user: str) -> int:
        return self.any().location(user)

    def figures(self) -> Figures:
        return self.any().figures()

    def workers(self, participant: str) -> tuple[str, ...]:
        return self.any().workers(participant)

    def colleagues(self, most: int) -> list[Colleague]:
        return self.any().colleagues(most)

    def team(self, most: int, department: str | None = None) -> list[Face]:
        return self.any().team(most, department)

    # ---- what they are sent ---------------------------------------------

    def take_events(self) -> list[Event]:
        decisions: dict[int, Event] = {}
        kept: list[int] = []
        receivers: defaultdict[int, set[str]] = defaultdict(set)
        for worker, desk in self.desks.items():
            read_mailbox(self._client, desk)
            for event in desk.take_events():
                assert event.number > self._last[worker], "in order, and once"
                self._last[worker] = event.number
                assert decisions.setdefault(event.number, event) == event
                receivers[event.number].add(worker)
                kept += [event.number] * event.is_recorder
            assert desk.joins == 1 + self._joins[worker], "no letter was missed"
        assert sorted(kept) == sorted(decisions), "one of them writes each decision down"
        in_order = [decisions[number] for number in sorted(decisions)]
        last = {e.participant: e for e in in_order if isinstance(e, Moved | Departed)}
        for who, event in last.items():
            if isinstance(event, Moved) and self.holders.get(who):
                assert {*event.people[0].workers} == self.holders[who]
        decided = [event for event in in_order if not _is_between_workers(event)]
        for event in decided:
            for one in event.people:
                assert {*one.workers} <= receivers[event.number], "all concerned are sent it"
        return decided


def _is_between_workers(event: Event) -> bool:
    """One worker lets the others know what it has done: the desk has decided nothing."""
    return isinstance(event, Moved) or (isinstance(event, OnDuty) and not event.by_desk)
