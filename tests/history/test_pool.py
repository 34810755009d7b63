"""The pool of connections that native threads share."""

from __future__ import annotations

import sqlite3
import threading
from typing import Any

import pytest
import sqlalchemy as sa

from services.history.pool import NativePool
from testkit.server import PATIENCE


class Connections:
    """Makes connections, and knows which are open."""

    def __init__(self) -> None:
        self.open: set[Any] = set()
        self.fails = False

    def make(self) -> Any:
        if self.fails:
            raise OSError("planted in a connection")
        connection = sqlite3.connect(":memory:", factory=Connection)
        connection.at = self
        self.open.add(connection)
        return connection


class Connection(sqlite3.Connection):
    """One that says when it is closed."""

    at: Connections

    def close(self) -> None:
        self.at.open.discard(self)
        super().close()


@pytest.fixture
def connections() -> Connections:
    return Connections()


@pytest.fixture
def pool(connections: Connections) -> NativePool:
    return NativePool(connections.make, pool_size=2, max_overflow=1, timeout=0.0)


def test_so_many_are_in_use_and_so_many_kept_open(pool, connections):
    taken = [pool.connect() for _ in range(3)]
    with pytest.raises(sa.exc.TimeoutError, match="all 3 connections were in use"):
        pool.connect()
    for one in taken:
        one.close()
    assert len(connections.open) == 2
    again = [pool.connect() for _ in range(2)]
    assert len(connections.open) == 2, "those that were kept"
    for one in again:
        one.close()


def test_one_that_cannot_be_made_takes_no_place(pool, connections):
    connections.fails = True
    for _ in range(4):
        with pytest.raises(OSError, match="planted"):
            pool.connect()
    connections.fails = False
    assert [pool.connect() for _ in range(3)]


def test_who_waits_gets_the_next_one_that_is_returned(connections):
    pool = NativePool(connections.make, pool_size=1, max_overflow=0, timeout=PATIENCE)
    first = pool.connect()
    got: list[Any] = []
    waiting = threading.Thread(target=lambda: got.append(pool.connect()))
    waiting.start()
    first.close()
    waiting.join(PATIENCE)
    assert len(got) == 1
    assert len(connections.open) == 1


def test_what_is_returned_to_a_pool_that_was_given_up_is_closed(pool, connections):
    used, idle = pool.connect(), pool.connect()
    idle.close()
    pool.dispose()
    assert len(connections.open) == 1
    used.close()
    assert connections.open == set()
    anew = pool.recreate()
    taken = [anew.connect() for _ in range(3)]
    with pytest.raises(sa.exc.TimeoutError):
        anew.connect()
    assert len(taken) == 3
