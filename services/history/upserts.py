"""What one commit writes: rows that are inserted, or that change the row which is there.

Rows of a table go in sorted by their keys, so that two workers never wait for each other in
a circle.
"""

from __future__ import annotations

import itertools
from operator import attrgetter, itemgetter
from typing import Any

import sqlalchemy as sa

from . import tables, visits
from .port import Batch
from .queries import CONVERSATION

#: rows of one table, and what follows their INSERT: ON CONFLICT …
Upsert = tuple[sa.Table, list[tuple[Any, ...]], str]

_DUTY = tuple(column.name for column in tables.duty.columns)

#: columns of a conversation that some of several workers may not know: empty changes nothing
_MAY_BE_UNKNOWN = (
    "user_name", "waiter_name", "department", "page", "reason", "user_avatar", "waiter_avatar",
    "fields",
)  # fmt: skip

_conversation_row = attrgetter(*CONVERSATION)
_duty_row = attrgetter(*_DUTY)


def upserts(batch: Batch) -> list[Upsert]:
    """Table by table, the rows of *batch* in the order of their keys; of two states the later."""
    conversations = {one.key: _conversation_row(one) for one in batch.conversations}
    duties = {one.subject: _duty_row(one) for one in batch.duties}
    amended = sorted(batch.amendments, key=lambda one: one.row.key)
    served = {
        (one.waiter_subject, one.key)
        for one in [*batch.conversations, *(amendment.row for amendment in amended)]
        if one.waiter_subject
    }
    rows: list[Upsert] = [
        (tables.service, sorted(served), " ON CONFLICT DO NOTHING"),
        (tables.chat, [conversations[key] for key in sorted(conversations)], _update(CONVERSATION)),
        # one after the other where they differ: in the order of their keys no two workers
        # wait for each other
        *(
            (
                tables.chat,
                [_conversation_row(one.row) for one in some],
                _MERGE + (_SERVE if is_news else ""),
            )
            for is_news, some in itertools.groupby(amended, attrgetter("served"))
        ),
        (tables.duty, [duties[key] for key in sorted(duties)], _update(_DUTY)),
        (
            tables.visit,
            [visits.row_of(one) for one in sorted(batch.visits, key=attrgetter("key"))],
            visits.MERGE,
        ),
    ]
    entries = sorted(batch.entries, key=itemgetter(0, 1))
    if batch.has_data:
        rows += [(tables.message, [*some], "") for _, some in itertools.groupby(entries, len)]
    else:
        rows.append((tables.message, entries, ""))
    return [one for one in rows if one[1]]


#: what remains where the row that is there and the new one differ
_MERGE = (
    ' ON CONFLICT ("key") DO UPDATE SET "ended" = coalesce("chat"."ended", excluded."ended")'
    + "".join(
        f', "{name}" = CASE WHEN {is_news} THEN excluded."{name}" ELSE "chat"."{name}" END'
        for name, is_news in (
            ("user_read", 'excluded."user_read" > "chat"."user_read"'),
            ("waiter_read", 'excluded."waiter_read" > "chat"."waiter_read"'),
            ("waited", 'excluded."waited" > "chat"."waited"'),
            *((name, f"excluded.\"{name}\" <> ''") for name in _MAY_BE_UNKNOWN),
        )
    )
)
_SERVE = ', "waiter" = excluded."waiter", "waiter_subject" = excluded."waiter_subject"'


def _update(names: tuple[str, ...]) -> str:
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in names[1:])
    return f' ON CONFLICT ("{names[0]}") DO UPDATE SET {changes}'


def written(table: sa.Table) -> list[sa.Column[Any]]:
    """The columns of *table* that a row has: all that are used and not counted by the database."""
    return [
        column
        for column in table.columns
        if column.autoincrement is not True and column.info != tables.UNUSED
    ]


def into(table: sa.Table, width: int) -> str:
    """The beginning of an INSERT of such rows; the first *width* columns of them."""
    names = ", ".join(f'"{column.name}"' for column in written(table)[:width])
    return f'INSERT INTO "{table.name}" ({names}) '
