"""SQLite's index of the words of texts: filled later, in slices.

`message_words` is an FTS5 table without content (the texts are in `message`).
Tokenising within a message's commit would cost more than the commit, so
`index_slice` puts texts into it afterwards, the oldest first, in short
transactions (`indexer.py` calls it in the background). `message_words_done` has
the number of the last row that is in. `search.py` looks at what is not in yet
by itself (`Unindexed`).

Neither database finds a word in a script that is written without spaces: to
both, a Chinese sentence is one long word. So every character of such a script
counts as a word of its own (`spaced`), when it is indexed and when it is looked
for. SQLite's `trigram` tokenizer would need at least three characters and
several times the room.

What deletes rows calls `delete_messages`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from . import slices, tables
from .slices import PAUSE, Pause, reading, writing
from .sql import SQLStore
from .tables import MAX_INDEXED, UNSPACED

#: texts, and characters of them, in one slice of the background: 1 to 10 ms
SMALL, SMALL_CHARACTERS = 100, 200_000

#: texts, and characters of them, that `Unindexed` takes at once: some 10 ms
PIECE, PIECE_CHARACTERS = 1000, 2_000_000

#: pages of the index that one transaction of a merge writes: some 2 MB
MERGE = 500

_UNSPACED = re.compile(f"([{UNSPACED}])")


def spaced(text: str) -> str:
    """*text* as it is indexed: each character of a script without spaces by itself."""
    return _UNSPACED.sub(r" \1 ", text[:MAX_INDEXED])


# ---- filling it ------------------------------------------------------------


class Slice(NamedTuple):
    """What one call of `index_slice` has done."""

    #: texts that it has put into the index
    added: int
    #: the number of the last text that was in before, and is in now
    begun: int
    done: int


def index_slice(
    store: SQLStore,
    expected: int | None = None,
    most: int = SMALL,
    characters: int = SMALL_CHARACTERS,
) -> Slice:
    """Put some of the oldest texts that are not in the index into it, in one transaction.

    While another process writes into the database, nothing is done but raising `Busy`. Where
    the index does not end at the number *expected*, another process fills it: nothing is
    done. Raises `StoreError`.
    """
    with reading(store) as connection:  # most calls find nothing: no lock for that
        begun = connection.exec_driver_sql(_DONE).scalar_one()
        if expected not in (None, begun) or not connection.exec_driver_sql(_ANY_NEW).scalar():
            return Slice(0, begun, begun)
    with writing(store, wait=False, durable=False) as connection:
        found = connection.exec_driver_sql(_DONE).scalar_one()
        added, last = connection.exec_driver_sql(_NEXT, (most, characters)).one()
        if found != begun or not added:
            return Slice(0, found, found)
        _teach(connection)
        connection.exec_driver_sql(_ADD, (last,))
        connection.exec_driver_sql("UPDATE message_words_done SET n = ?", (last,))
    return Slice(added, begun, last)


def count_missing(store: SQLStore) -> int:
    """How many texts are not in the index yet. Raises `StoreError`."""
    with reading(store) as connection:
        return int(connection.exec_driver_sql(_COUNT_NEW).scalar_one())


_DONE = "SELECT n FROM message_words_done"
_ANY_NEW = f"SELECT EXISTS (SELECT 1 FROM message WHERE n > ({_DONE}))"
_COUNT_NEW = f"SELECT count(*) FROM message WHERE n > ({_DONE})"
#: what counts of a text; most need no help of Python's to be split into words
_LENGTH = f"min(length(body), {MAX_INDEXED})"
_WORDS = f"CASE WHEN body GLOB '*[^ -~]*' THEN spaced(body) ELSE substr(body, 1, {MAX_INDEXED}) END"
_NEXT = (
    "SELECT count(*), max(n) FROM ("
    f"SELECT n, {_LENGTH} AS own, sum({_LENGTH}) OVER (ORDER BY n) AS total FROM ("
    f"SELECT n, body FROM message WHERE n > ({_DONE}) ORDER BY n LIMIT ?)) "
    "WHERE total <= ? OR total = own"
)
_ADD = (
    f"INSERT INTO message_words (rowid, body) SELECT n, {_WORDS} FROM message "
    f"WHERE n > ({_DONE}) AND n <= ?"
)


def _teach(connection: sa.Connection) -> None:
    """SQLite's statements on *connection* may call `spaced`."""
    driver: Any = connection.connection.driver_connection
    driver.create_function("spaced", 1, spaced, deterministic=True)


# ---- what is not in it -----------------------------------------------------


class Unindexed:
    """The texts that are not in the index yet, searchable in pieces, the newest first.

    A piece is an FTS5 table like the index itself, in memory, so that it finds
    the same words: 3 µs for a short text. Nothing is written and no lock taken.
    """

    #: the table that holds the words of the piece at hand
    TABLE = "unindexed.piece"

    def __init__(self, connection: sa.Connection) -> None:
        self._run = connection.exec_driver_sql
        #: the number of the last text that is in the index
        self.done: int = self._run(_DONE).scalar_one()
        _teach(connection)

    def pieces(self, before: int) -> Iterator[tuple[int, int]]:
        """`(first, count)` of each piece of the texts numbered below *before*."""
        while True:
            values = (self.done, before, PIECE, PIECE_CHARACTERS)
            count, first = self._run(_LAST, values).one()
            if not count:
                return
            self._run(_FORGET_PIECE)
            self._run(_ADD_PIECE, (first, before))
            yield first, count
            before = first


@contextlib.contextmanager
def unindexed(store: SQLStore) -> Iterator[tuple[sa.Connection, Unindexed]]:
    """A connection to search with, and what the index of SQLite does not know yet."""
    with reading(store) as connection:
        run = connection.exec_driver_sql
        run("ATTACH DATABASE ':memory:' AS unindexed")
        try:
            run(_PIECE)
            yield connection, Unindexed(connection)
        finally:
            run("DETACH DATABASE unindexed")


_FTS = "fts5(body, content='', columnsize=0, tokenize='unicode61')"
_PIECE = f"CREATE VIRTUAL TABLE {Unindexed.TABLE} USING {_FTS}"
_FORGET_PIECE = f"INSERT INTO {Unindexed.TABLE} (piece) VALUES ('delete-all')"
_LAST = (
    "SELECT count(*), min(n) FROM ("
    f"SELECT n, {_LENGTH} AS own, sum({_LENGTH}) OVER (ORDER BY n DESC) AS total FROM ("
    "SELECT n, body FROM message WHERE n > ? AND n < ? ORDER BY n DESC LIMIT ?)) "
    "WHERE total <= ? OR total = own"
)
_ADD_PIECE = (
    f"INSERT INTO {Unindexed.TABLE} (rowid, body) SELECT n, {_WORDS} FROM message "
    "WHERE n >= ? AND n < ?"
)


# ---- forgetting ------------------------------------------------------------


def delete_messages(connection: sa.Connection, numbers: Sequence[int]) -> None:
    """Delete these rows of `message` and what the index knows of them, in this transaction."""
    sqlite = connection.dialect.name == "sqlite"
    if sqlite:
        _teach(connection)
        connection.execute(_FORGET, {"numbers": list(numbers)})
    connection.execute(sa.delete(tables.message).where(tables.message.c.n.in_(numbers)))
    if sqlite:
        connection.exec_driver_sql(_STEP_BACK)


# The index must be given the text that it was given at first, and only of rows that it has.
_FORGET = sa.text(
    "INSERT INTO message_words (message_words, rowid, body) "
    "SELECT 'delete', n, spaced(body) FROM message "
    f"WHERE n IN :numbers AND n <= ({_DONE})"
).bindparams(sa.bindparam("numbers", expanding=True))
# The next message takes the number after the highest that is there.
_STEP_BACK = "UPDATE message_words_done SET n = min(n, (SELECT coalesce(max(n), 0) FROM message))"


def merge(store: SQLStore, *, pause: Pause = slices.sleep) -> None:
    """Write SQLite's index anew, piece by piece: words that were deleted leave it for good."""
    pages = -MERGE  # the first time: all of its parts into one
    while store.name == "sqlite":
        with writing(store) as connection:
            driver: Any = connection.connection.driver_connection
            before = driver.total_changes
            connection.exec_driver_sql(
                "INSERT INTO message_words (message_words, rank) VALUES ('merge', ?)", (pages,)
            )
            if driver.total_changes - before < 2:
                break
        pages = MERGE
        pause(PAUSE)
