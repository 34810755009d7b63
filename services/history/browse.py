"""Conversations without words to look for: by waiter, department, dates and rating."""

from __future__ import annotations

import sqlalchemy as sa

from ..conversation.kinds import TEXT, Side
from .search import PATIENCE, Found, Hit, snippet
from .search_filters import READABLE_BY, Filters
from .slices import reading
from .sql import SQLStore

#: conversations that one look tries against its filters before it says "go on from here"
MAX_TRIED = 20_000

_FIND = (
    "WITH tried AS MATERIALIZED "
    "(SELECT key FROM chat WHERE key < :before ORDER BY key DESC LIMIT :tried) "
    "SELECT c.key FROM chat c JOIN tried ON tried.key = c.key WHERE {} "
    "ORDER BY c.key DESC LIMIT :limit"
)
_LAST_TRIED = (
    "SELECT count(*), min(key) FROM "
    "(SELECT key FROM chat WHERE key < :before ORDER BY key DESC LIMIT :tried) AS tried"
)
#: the first text of a person in each of some conversations
_FIRST = sa.text(
    "SELECT m.chat, m.seq, m.date, m.side, m.author, m.body FROM message m WHERE m.chat = :chat "
    f"AND m.kind = {TEXT.number} AND m.side <> {int(Side.SERVER)} ORDER BY m.seq LIMIT 1"
)


#: waiters of whom a search may ask for the conversations, at most
MOST_WAITERS = 500

# Whoever has served has been on duty; the latest conversation says how it is called.
_WAITERS = sa.text(
    "SELECT d.subject, coalesce((SELECT c.waiter_name FROM chat c WHERE c.key = "
    "(SELECT max(s.chat) FROM service s WHERE s.waiter = d.subject) "
    "AND c.waiter_subject = d.subject), '') FROM duty d ORDER BY d.subject LIMIT :most"
)


def waiters(store: SQLStore) -> list[tuple[str, str]]:
    """Subject and name of everybody who has been on duty as a waiter. Raises `StoreError`."""
    with reading(store) as connection:
        rows = connection.execute(_WAITERS, {"most": MOST_WAITERS})
        return [(row[0], row[1]) for row in rows]


def browse(
    store: SQLStore, filters: Filters, *, readable_by: str, before: int | None = None,
    limit: int = 50,
) -> Found:  # fmt: skip
    """Conversations that *filters* let through, newest first, with keys below *before*.

    Only those of the users whom the waiter *readable_by* serves or served. A conversation is
    of a date when it was under way then. Each hit is the first text of its conversation, and
    its `n` the key of that; `Found.next` says where to go on. Raises `StoreError`.
    """
    dates = []
    if filters.since is not None:
        dates.append("coalesce(c.ended, :since) >= :since")
    if filters.until is not None:
        dates.append("c.opened < :until")
    conditions = [READABLE_BY, *filters.conversations(store.name), *dates]
    values = {
        "before": 2**63 - 1 if before is None else before,
        "tried": MAX_TRIED,
        "limit": limit,
        "subject": readable_by,
        **filters.values(),
    }
    with reading(store) as connection:
        if store.name == "postgresql":
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {PATIENCE}")
        found = sa.text(_FIND.format(" AND ".join(conditions)))
        keys = list(connection.scalars(found, values))
        hits = []
        for key in keys:
            row = connection.execute(_FIRST, {"chat": key}).one_or_none()
            if row is not None:
                hits.append(Hit._make((key, *row[:5], snippet(row[5], []))))
        if len(keys) == limit:
            return Found(hits, keys[-1])
        count, last = connection.execute(sa.text(_LAST_TRIED), values).one()
    return Found(hits, last if count == MAX_TRIED else None)
