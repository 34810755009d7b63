"""The queries of revocations: see `port.Store.revoke`, `revoked`, `is_revoked`, `prune_revoked`."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from .tables import revoked as table

_c = table.c


def adding(sid: str, subject: str, at: int) -> tuple[sa.Executable, ...]:
    """Statements that keep one row of a login, and one of a subject: the last word."""
    newer = sa.insert(table).values(sid=sid, subject=subject, at=at)
    same = _login(sid) if sid else _subject(subject)
    return sa.delete(table).where(same, _c.at <= at), newer


def slice_of(after: int, since: int, limit: int) -> sa.Select[Any]:
    """Rows numbered above *after*, of *since* or later, in order."""
    query = sa.select(_c.n, _c.sid, _c.subject, _c.at).where(_c.n > after, _c.at >= since)
    return query.order_by(_c.n).limit(limit)


def naming(sid: str, subject: str, signed: int) -> sa.CompoundSelect[Any]:
    """A row that speaks against a token."""
    one = sa.select(sa.literal(1))
    return sa.union_all(
        one.where(_login(sid)),
        one.where(_subject(subject), _c.at >= signed),
    )


def pruning(column: str, before: int, limit: int) -> sa.Executable:
    """Removes some rows with a *column* (`sid`, `subject`) that are of before *before*."""
    old = sa.select(_c.n).where(_c[column] != "", _c.at < before).limit(limit)
    return sa.delete(table).where(_c.n.in_(old))


def old(column: str, before: int) -> sa.Select[Any]:
    """One of the rows that `pruning` removes."""
    return sa.select(_c.n).where(_c[column] != "", _c.at < before).limit(1)


def _login(sid: str) -> sa.ColumnElement[bool]:
    return sa.and_(_c.sid != "", _c.sid == sid)


def _subject(subject: str) -> sa.ColumnElement[bool]:
    return sa.and_(_c.subject != "", _c.subject == subject)
