"""Which conversations were erased lately, so that no worker writes their rows again.

Each worker that carries out the end of a conversation writes its row, and inserts it where it
is missing. A worker that stood still, or that did not reach the database, does so after the
erasure. So an erasure leaves the key of each conversation that had ended: a number that names
nobody. A conversation that is open leaves none: its visitor has come back and goes on, and
what is said from then on is stored.

Transactions of SQLite come one after the other. In PostgreSQL a worker may look before an
erasure and write behind it: `chat erase` looks once more for what was written meanwhile.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable

import sqlalchemy as sa

from .tables import message, meta

#: ms that a key stays: no worker that lives is without its database for so long
KEPT = 7 * 86_400_000

#: what the names of such rows begin with
_OURS = "erased:"

_NOTE = sa.text(
    f"INSERT INTO {meta.name} (name, value) VALUES (:name, :date) "  # noqa: S608  # our own name
    "ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)


#: by database: written out, because each commit with rows of conversations asks it
_AMONG = {
    dialect: f"SELECT name FROM {meta.name} WHERE name IN (SELECT value FROM {names})"  # noqa: S608
    for dialect, names in (
        ("sqlite", "json_each(?)"),
        ("postgresql", "json_array_elements_text(%s::json)"),
    )
}


def note(connection: sa.Connection, keys: Iterable[int]) -> None:
    """These conversations are erased, in the transaction of *connection*."""
    date = str(_now())
    rows = [{"name": f"{_OURS}{key}", "date": date} for key in keys]
    if rows:
        connection.execute(_NOTE, rows)


def among(connection: sa.Connection, keys: Iterable[int]) -> set[int]:
    """Which of these conversations were erased."""
    names = json.dumps([f"{_OURS}{key}" for key in keys])
    found = connection.exec_driver_sql(_AMONG[connection.dialect.name], (names,))
    return {int(name.removeprefix(_OURS)) for (name,) in found}


def forget_entries(connection: sa.Connection, keys: Collection[int]) -> None:
    """Delete what a worker has stored of erased conversations, before it knew of the erasure."""
    from . import word_index  # it reads a store, which commits by this

    numbers = list(connection.scalars(sa.select(message.c.n).where(message.c.chat.in_(keys))))
    if numbers:
        word_index.delete_messages(connection, numbers)


def prune(connection: sa.Connection) -> None:
    """Forget the keys of what was erased a week ago."""
    # Dates have 13 digits until the year 2286: their order is that of their digits.
    is_old = meta.c.name.startswith(_OURS, autoescape=True) & (meta.c.value < str(_now() - KEPT))
    connection.execute(sa.delete(meta).where(is_old))


def _now() -> int:
    return int(time.time() * 1000)
