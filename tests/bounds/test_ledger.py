"""What is held and spent at several workers, on a real Redis with a clock of the test."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from services.bounds import TABS, Bounds, Rate
from services.desk.redis import RedisDesk
from services.shared.ledger import Ledger
from testkit.redis import RedisServer

from ..desk.crew import desk_name
from ..desk.helpers import Clock

ADDRESS = "192.0.2.1"

_names = itertools.count()


class Worker:
    """A worker of the desk, with its bounds."""

    def __init__(self, desk: RedisDesk, clock: Clock, connections: int) -> None:
        self.desk = desk
        self.desk.figures()  # joins
        self.bounds = Bounds(connections, clock)
        self.ledger = Ledger(desk, self.bounds.held, lambda function: function())
        self.bounds.share(self.ledger)

    def opens(self, address: str = ADDRESS) -> bool:
        """Whether somebody of *address* gets in."""
        if self.bounds.let_in(address):
            return False
        self.bounds.connections.enter_expected(address)
        return True


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hire(redis_server: RedisServer, clock: Clock) -> Iterator[Callable[..., Worker]]:
    name = desk_name()
    with ExitStack() as stack:

        def hire(connections: int = 10, lease: float = 1000.0) -> Worker:
            desk = RedisDesk(
                redis_server.url, worker=f"w{next(_names)}", capacity=1, max_queue=10, grace=20,
                desk=name, now=clock, timeout=30.0, lease=lease,
            )  # fmt: skip
            stack.callback(desk.close)
            return Worker(desk, clock, connections)

        yield hire


def test_an_address_holds_so_many_connections_at_all_workers_together(hire):
    a, b = hire(), hire()
    assert [one.opens() for _ in range(6) for one in (a, b)] == [True] * 10 + [False] * 2
    assert a.opens("192.0.2.2")
    b.bounds.leave(ADDRESS)
    assert [a.opens(), b.opens()] == [True, False]


def test_what_a_dead_worker_held_is_free_again(hire, clock):
    a, b = hire(), hire(lease=5.0)
    assert [b.opens() for _ in range(10)] == [True] * 10
    assert not a.opens()
    clock.passes(6)
    a.desk.tick()
    assert a.opens()


def test_what_redis_has_lost_is_told_again(hire, redis_server):
    a, b = hire(), hire()
    assert [one.opens() for _ in range(5) for one in (a, b)] == [True] * 10
    redis_server.client().flushall()
    for worker in (a, b):  # each of them joins again, and one more of nobody's is asked about
        worker.desk.tick()
        worker.ledger.spend("anything", 1.0, 10)
    assert [a.opens(), b.opens()] == [False, False]


def test_rates_are_those_of_all_workers_together(hire, clock):
    a, b = hire(connections=100), hire(connections=100)
    rate = Rate(2.0, 10.0)
    taken = [one.ledger.spend("x", *rate) for _ in range(10) for one in (a, b)]
    assert taken == [True] * 10 + [False] * 10
    assert a.ledger.spend("y", *rate)
    clock.passes(1.0)
    assert [one.ledger.spend("x", *rate) for one in (a, b, a)] == [True, True, False]
    clock.passes(1000.0)
    assert sum(a.ledger.spend("x", *rate) for _ in range(30)) == 10


def test_tokens_and_questions_are_counted_at_all_workers(hire):
    a, b = hire(), hire()
    tokens = [one.bounds.allow_token(ADDRESS) for _ in range(20) for one in (a, b)]
    assert sum(tokens) == 30
    questions = [one.bounds.questions.take("user:ann") for _ in range(200) for one in (a, b)]
    assert sum(questions) == 300


def test_a_participant_has_so_many_tabs_at_all_workers(hire):
    a, b = hire(), hire()
    opened = [one.bounds.open_tab("user:ann") for _ in range(TABS) for one in (a, b)]
    assert TABS <= sum(opened) <= TABS + 1, "the first one of each worker is its own"
    b.bounds.close_tab("user:ann")
    assert [a.bounds.open_tab("user:ann"), b.bounds.open_tab("user:ann")] == [True, False]


def test_while_redis_is_away_each_worker_goes_by_its_own_counts(hire):
    a = hire()
    a.desk.close()
    assert [a.opens() for _ in range(11)] == [True] * 10 + [False]
    a.bounds.leave(ADDRESS)
    assert a.opens()
