"""The staff track of a conversation: entries that waiters write for each other, and no user reads.

They stand in the table `note`, whose first and only kind they were once.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from ..conversation.rows import StaffRow
from . import queries, tables
from .port import Conflict

if TYPE_CHECKING:
    from .sql import SQLStore

#: attempts to number an entry while other workers write into the same conversation
ATTEMPTS = 20

_note, _message = tables.note.c, tables.message.c
#: in the order of `StaffRow`
_COLUMNS = (
    _note.chat, _note.ordinal, _note.after, _note.kind, _note.author, _note.client_id,
    _note.text, _note.data, _note.date,
)  # fmt: skip
_SELECTED = sa.select(*_COLUMNS)
_INSERT = sa.insert(tables.note)


def write(store: SQLStore, entry: StaffRow) -> tuple[StaffRow, bool] | None:
    """See `port.Store.write_for_staff`."""
    for _ in range(ATTEMPTS):
        try:
            return store.transact(partial(_write, entry))
        except Conflict:  # another worker has taken the number, or has stored the same entry
            continue
    raise Conflict("other workers were faster each time")


def _write(entry: StaffRow, connection: sa.Connection) -> tuple[StaffRow, bool] | None:
    if connection.scalar(queries.that_stay([entry.conversation])) is None:
        return None
    if entry.client_id is not None:
        same = (
            _note.chat == entry.conversation, _note.author == entry.author,
            _note.client_id == entry.client_id,
        )  # fmt: skip
        first = connection.execute(_SELECTED.where(*same)).one_or_none()
        if first is not None:
            return StaffRow(*first), False
    last = sa.select(sa.func.max(_note.ordinal)).where(_note.chat == entry.conversation)
    end = sa.select(sa.func.max(_message.seq)).where(_message.chat == entry.conversation)
    n, after = (connection.scalar(one) or 0 for one in (last, end))
    numbered = entry._replace(n=n + 1, after=after)
    values = dict(zip((column.name for column in _COLUMNS), numbered, strict=True))
    connection.execute(_INSERT.values(values))
    return numbered, True


def take_back(store: SQLStore, entry: StaffRow) -> None:
    """See `port.Store.take_back_for_staff`."""
    same = (
        _note.chat == entry.conversation, _note.ordinal == entry.n, _note.author == entry.author,
        _note.date == entry.date,
    )  # fmt: skip
    store.transact(lambda connection: connection.execute(sa.delete(tables.note).where(*same)))


def behind(conversation: int, n: int, limit: int) -> sa.Select[Any]:
    """The first *limit* entries with greater numbers than *n*, in order."""
    where = _note.chat == conversation, _note.ordinal > n
    return _SELECTED.where(*where).order_by(_note.ordinal).limit(limit)


def latest(conversation: int, first: int, last: int, limit: int) -> sa.Select[Any]:
    """What `port.Store.staff_entries` promises, the newest first."""
    place = _note.chat == conversation, _note.after.between(first, last)
    return _SELECTED.where(*place).order_by(_note.ordinal.desc()).limit(limit)
