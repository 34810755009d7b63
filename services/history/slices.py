"""Short turns at the store, for work that goes over much of it.

Whoever reads or changes a million rows does it in slices by key: nothing big is
ever in memory, no transaction holds the write lock for longer than some tens of
milliseconds, and between two of them there is a pause in which the server's
writer gets its turn (SQLite's lock is not fair).
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from .port import StoreError
from .sql import SQLStore
from .transactions import LOCK_WAIT

#: rows that one transaction changes: some 10 ms on a slow disk
SLICE = 500

#: rows that one reading takes: 200 texts of the longest that is usual are 1 MB
BATCH = 200

#: numbers of rows that one reading looks through for a few of them
WINDOW = 5000

#: s between two transactions
PAUSE = 0.01

#: s that it waits for SQLite's write lock: it has more time than a visitor's message
PATIENCE = 60.0

BUSY = 5  # SQLITE_BUSY

#: `time.sleep`, or what stands for it in a test
Pause = Callable[[float], None]
sleep: Pause = time.sleep


@contextlib.contextmanager
def reading(store: SQLStore) -> Iterator[sa.Connection]:
    """A connection to read with, for one short query or two. Raises `StoreError`."""
    try:
        with store.engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise store.failure(error) from None


class Busy(StoreError):
    """Somebody else writes just now."""


@contextlib.contextmanager
def writing(store: SQLStore, *, wait: bool = True, durable: bool = True) -> Iterator[sa.Connection]:
    """One short transaction: all of it or nothing. Raises `StoreError`.

    In SQLite it has the write lock from its beginning, and what it deletes is
    overwritten with zeros. Where it may not *wait* for that lock it raises
    `Busy`. What need not be *durable* does not wait for the disk.
    """
    try:
        if store.name == "sqlite":
            with store.engine.connect() as connection, _immediately(connection, wait, durable):
                yield connection
        else:
            with store.engine.begin() as connection:
                yield connection
    except SQLAlchemyError as error:
        raise store.failure(error) from None


@contextlib.contextmanager
def _immediately(connection: sa.Connection, wait: bool, durable: bool) -> Iterator[None]:
    connection.exec_driver_sql("PRAGMA secure_delete = ON")
    if not durable:
        connection.exec_driver_sql("PRAGMA synchronous = NORMAL")
    try:
        insist(connection, "BEGIN IMMEDIATE", PATIENCE if wait else 0.0)
        try:
            yield
            connection.exec_driver_sql("COMMIT")
        except BaseException:
            with contextlib.suppress(SQLAlchemyError):
                connection.exec_driver_sql("ROLLBACK")
            raise
    finally:
        if not durable:
            connection.exec_driver_sql("PRAGMA synchronous = FULL")


def insist(connection: sa.Connection, statement: str, patience: float = PATIENCE) -> None:
    """Run what takes SQLite's write lock. Raises `Busy` after *patience* seconds.

    Its own waiting looks ten times a second, and a busy server leaves the lock
    alone for less than a millisecond at a time: it would never find it free.
    """
    end = time.monotonic() + patience
    connection.exec_driver_sql("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                connection.exec_driver_sql(statement)
                return
            except OperationalError as error:
                if _code(error) != BUSY:
                    raise
                if time.monotonic() >= end:
                    raise Busy("somebody else writes into the database") from None
            time.sleep(random.uniform(0.0002, 0.002))  # noqa: S311  # not in step with the writer
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {LOCK_WAIT * 1000:.0f}")


def _code(error: OperationalError) -> int:
    return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF


def windows(store: SQLStore, number: sa.ColumnElement[int]) -> Iterator[tuple[int, int]]:
    """`(first, last)` of stretches of a numbered table, which together hold all its rows."""
    with reading(store) as connection:
        row = connection.execute(sa.select(sa.func.min(number), sa.func.max(number))).one()
    if row[0] is not None:
        for first in range(row[0], row[1] + 1, WINDOW):
            yield first, first + WINDOW - 1
