"""Attempts at an account, counted for all workers."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from services.history import attempts, care, tables
from services.history.attempts import ADDRESSES, BURST, PAUSE, Attempts
from services.history.sql import SQLStore

from .people import keep, no_pause


class Clock:
    """The wall clock, which may be set back."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def counted(store: SQLStore, clock: Clock) -> Attempts:
    return Attempts(store, clock)


def rows(store: SQLStore, table: sa.Table) -> int:
    with store.engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_ten_at_once_then_one_in_six_seconds(counted, clock):
    assert [counted.take("a") for _ in range(BURST + 2)] == [True] * BURST + [False] * 2
    assert counted.take("b"), "another key is another count"
    for _ in range(3):
        clock.time += PAUSE
        assert counted.take("a")
        assert not counted.take("a")
    clock.time += 10 * PAUSE
    assert [counted.take("a") for _ in range(BURST + 1)] == [True] * BURST + [False]


def test_a_right_password_is_no_attempt(counted):
    for _ in range(3 * BURST):
        assert counted.take("a")
        counted.give_back("a")
    counted.give_back("never seen")


def test_workers_count_together(opened, counted, clock):
    """Ten at the same moment by four workers: ten are let through, not forty."""
    others = [Attempts(opened(lock_wait=5.0, answer_wait=5.0), clock) for _ in range(4)]
    let_through: list[bool] = []
    start = threading.Barrier(4)

    def work(one: Attempts) -> None:
        start.wait(30)
        for _ in range(BURST):
            let_through.append(one.take("a"))

    threads = [threading.Thread(target=work, args=(one,)) for one in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(let_through) == 4 * BURST
    assert sum(let_through) == BURST
    assert not counted.take("a")


def test_a_clock_that_is_set_back_shuts_nobody_out(counted, clock):
    for _ in range(BURST):
        assert counted.take("a")
    clock.time -= 3600
    assert [counted.take("a") for _ in range(BURST + 1)] == [True] * BURST + [False]


def test_what_says_nothing_any_more_is_thrown_away(counted, clock, store, monkeypatch):
    for number in range(5):
        counted.take(f"key {number}")
    clock.time += 10 * PAUSE
    monkeypatch.setattr(attempts, "SWEEP", 1)
    counted.take("now")
    assert rows(store, tables.attempt) == 1


def test_addresses_are_known_for_a_name_and_for_three_months(counted, clock):
    assert not counted.is_familiar("ada", "home")
    counted.remember("ada", "home")
    counted.remember("ada", "home")
    assert counted.is_familiar("ada", "home")
    assert not counted.is_familiar("bob", "home")
    assert not counted.is_familiar("ada", "elsewhere")
    clock.time += 91 * 86_400
    assert not counted.is_familiar("ada", "home")


def test_so_many_addresses_are_known_and_the_oldest_is_forgotten(counted, clock, store):
    for number in range(ADDRESSES + 3):
        clock.time += 1
        counted.remember("ada", f"address {number}")
    counted.remember("bob", "address 0")
    known = [counted.is_familiar("ada", f"address {number}") for number in range(ADDRESSES + 3)]
    assert known == [False] * 3 + [True] * ADDRESSES
    assert rows(store, tables.familiar) == ADDRESSES + 1


def test_who_is_erased_is_known_from_nowhere(counted, store):
    keep(store, 1, user="ann", waiter="ada")
    counted.remember("ada", "home")
    care.erase(store, "ada", vacuum=False, pause=no_pause)
    assert rows(store, tables.familiar) == 0
