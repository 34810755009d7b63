"""Visits that nobody ends, and waiters who are forgotten in them. Everything here blocks."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ..clock import KEY_BITS
from . import slices
from .queries import FOUND_AT_ONCE
from .slices import PAUSE, Pause, reading, writing
from .sql import SQLStore
from .tables import chat, visit
from .visits import Outcome, complete

#: the highest key that a table can hold
MOST_KEY = (1 << 63) - 1


def settle(store: SQLStore, now: int, before: int | None = None) -> int:
    """End the visits that nobody serves any more, at *now* (ms); returns how many.

    Those are the visits without an open conversation; of those who have asked from *before* on,
    none. A visitor who has waited for longer and is served later takes its visit up again
    (`visits.MERGE`). Raises `StoreError`.
    """
    with reading(store) as connection:
        if connection.scalar(_left_open(before).limit(1)) is None:
            return 0
    table = visit.c
    ended, reason = (
        sa.select(column).where(chat.c.key == table.key).correlate(visit).scalar_subquery()
        for column in (chat.c.ended, chat.c.reason)
    )
    latest = sa.case((table.asked > now, table.asked), else_=now)
    change = sa.update(visit).values(
        ended=sa.func.coalesce(ended, latest),
        outcome=sa.func.coalesce(sa.func.nullif(reason, ""), Outcome.UNKNOWN.value),
    )

    def work(connection: sa.Connection) -> int:
        found = list(connection.scalars(_left_open(before)))
        for start in range(0, len(found), FOUND_AT_ONCE):
            some = found[start : start + FOUND_AT_ONCE]
            connection.execute(change.where(table.key.in_(some)))
        complete(connection, found)
        return len(found)

    return store.transact(work)


def _left_open(before: int | None) -> sa.Select[Any]:
    table = visit.c
    goes_on = sa.exists().where(chat.c.key == table.key, chat.c.ended.is_(None))
    query = sa.select(table.key).where(table.ended.is_(None), ~goes_on).order_by(table.key)
    return query if before is None else query.where(table.asked < before)


def forget_waiter(store: SQLStore, subject: str, pseudonym: str, pause: Pause) -> int:
    """Replace *subject* by *pseudonym* in all visits; returns how many named it."""
    table = visit.c
    named = sa.or_(table.waiter == subject, table.answered_by == subject)
    change = sa.update(visit).values({
        column.name: sa.case((column == subject, pseudonym), else_=column)
        for column in (table.waiter, table.answered_by)
    })  # fmt: skip
    return _change(store, change, named, MOST_KEY, pause)


def forget_old(store: SQLStore, before: int, pause: Pause) -> int:
    """Forget the waiters of all visits that ended *before* that (ms); returns how many had one."""
    table = visit.c
    named = sa.or_(table.waiter != "", table.answered_by != "") & (table.ended < before)
    change = sa.update(visit).values(waiter="", answered_by="")
    return _change(store, change, named, min(before << KEY_BITS, MOST_KEY), pause)


def _change(
    store: SQLStore, change: sa.Update, which: sa.ColumnElement[bool], until: int, pause: Pause
) -> int:
    """*change* the visits *which* have keys up to *until*, in slices; returns how many."""
    table, last, changed = visit.c, -1, 0
    while True:
        behind = sa.select(table.key).where(table.key > last, table.key <= until)
        with reading(store) as connection:
            keys = list(connection.scalars(behind.order_by(table.key).limit(slices.WINDOW)))
            if not keys:
                return changed
            here = table.key.between(keys[0], keys[-1])
            is_there = connection.scalar(sa.select(sa.exists().where(here, which)))
        if is_there:
            with writing(store) as connection:
                changed += connection.execute(change.where(here, which)).rowcount
            pause(PAUSE)
        last = keys[-1]
