"""The table `visit`: one row for each time that a visitor asks for a waiter.

Rules of this file:

1. A row has the key that `connect` draws for the conversation. It says nothing about the
   visitor, so it stays when the conversation is erased or swept away.
2. Any worker writes what it knows, in any order, and more than once: what is there first stays
   (`MERGE`; `Visit.add` is the same rule for what waits to be written). Only what was guessed
   (`UNKNOWN`) gives way to what somebody knows, and whatever became of a visitor who was not
   served to the message that it has left then.
3. Who has answered first is looked up in the history when the visit ends (`complete`), so a
   message costs nothing.
4. A server that was killed leaves rows open. `visit_care.settle` ends them.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import sqlalchemy as sa

from ..conversation.kinds import Side
from .port import UNKNOWN_END, Visit
from .queries import FOUND_AT_ONCE
from .tables import chat, message, service, visit


class Outcome(StrEnum):
    """How a visit ends that does not become a conversation. Others end with a `desk.port.Reason`.

    Without any outcome a visit is under way.
    """

    #: the visitor has left the queue, or was away from it for too long
    ABANDONED = "abandoned"
    #: the department was closed
    CLOSED = "closed"
    #: no waiter was ready, and the site lets nobody wait then
    NOBODY = "nobody"
    #: the queue was full, or the places of the visitor's address were
    FULL = "full"
    #: the visitor has left a message, in place of waiting or after that
    MESSAGE = "message"
    #: a server has ended, and nobody knows how the visit went on
    UNKNOWN = UNKNOWN_END


#: outcomes that say that the visitor was not let in
TURNED_AWAY = frozenset((Outcome.CLOSED, Outcome.NOBODY, Outcome.FULL))

_UNSERVED = TURNED_AWAY | {Outcome.MESSAGE}

_IS_UNSURE = (
    f"(\"visit\".\"outcome\" IN ('', '{Outcome.UNKNOWN}') OR "
    f'excluded."outcome" = \'{Outcome.MESSAGE}\' AND "visit"."matched" IS NULL)'
)
_IS_NEWS = '(excluded."outcome" <> \'\' OR excluded."matched" IS NOT NULL)'

#: what remains where the row that is there and the new one differ
MERGE = (
    ' ON CONFLICT ("key") DO UPDATE SET '
    '"matched" = coalesce("visit"."matched", excluded."matched")'
    + "".join(
        f', "{name}" = CASE WHEN "visit"."{name}" = \'\' '
        f'THEN excluded."{name}" ELSE "visit"."{name}" END'
        for name in ("department", "waiter")
    )
    + "".join(
        f', "{name}" = CASE WHEN {_IS_UNSURE} AND {_IS_NEWS} '
        f'THEN excluded."{name}" ELSE "visit"."{name}" END'
        for name in ("ended", "outcome")
    )
)


def row_of(one: Visit) -> tuple[object, ...]:
    """The columns of *one*, in their order."""
    return (
        one.key, one.asked, one.department, one.matched, one.waiter, None, "", one.ended,
        one.outcome,
    )  # fmt: skip


def merge(connection: sa.Connection, one: Visit) -> None:
    """Write *one*, in the transaction of *connection*."""
    columns = visit.columns.keys()
    names = ", ".join(f'"{name}"' for name in columns)
    gaps = ", ".join(f":{name}" for name in columns)
    insert = sa.text(f'INSERT INTO "visit" ({names}) VALUES ({gaps}){MERGE}')  # noqa: S608
    connection.execute(insert, dict(zip(columns, row_of(one), strict=True)))


def first_answer(column: sa.Column[object]) -> sa.ScalarSelect[object]:
    """*column* of the first entry that a waiter has written in the conversation of a visit."""
    entry = message.c
    query = sa.select(column).where(entry.chat == visit.c.key, entry.side == Side.WAITER)
    return query.order_by(entry.seq).limit(1).correlate(visit).scalar_subquery()


def complete(connection: sa.Connection, keys: Sequence[int]) -> None:
    """Look up who has answered first in these visits, and when; and when they were served.

    Where nobody has written whom a visit was matched with, that is who has answered first, or
    one of those who have served it: the history does not say in which order they did.

    In the transaction of *connection*, which has written their ends.
    """
    table = visit.c
    served = (
        sa.select(service.c.waiter).where(service.c.chat == table.key)
        .limit(1).correlate(visit).scalar_subquery()
    )  # fmt: skip
    began = (
        sa.select(chat.c.opened + chat.c.waited)
        .where(chat.c.key == table.key, served.is_not(None))
        .correlate(visit).scalar_subquery()
    )  # fmt: skip
    by = first_answer(message.c.author)
    change = sa.update(visit).values(
        matched=sa.func.coalesce(table.matched, began),
        waiter=_unless_known(table.waiter, sa.func.coalesce(by, served, "")),
        answered=sa.func.coalesce(table.answered, first_answer(message.c.date)),
        answered_by=_unless_known(table.answered_by, sa.func.coalesce(by, "")),
    )
    for start in range(0, len(keys), FOUND_AT_ONCE):
        connection.execute(change.where(table.key.in_(keys[start : start + FOUND_AT_ONCE])))


def _unless_known(
    column: sa.Column[str], otherwise: sa.ColumnElement[str]
) -> sa.ColumnElement[str]:
    return sa.case((column != "", column), else_=otherwise)


def completed_by(visits: Sequence[Visit]) -> list[int]:
    """The keys of those of *visits* that end, and may have been conversations."""
    return sorted(one.key for one in visits if one.outcome and one.outcome not in _UNSERVED)
