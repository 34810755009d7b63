"""Full-text search over what was said, newest first.

**Words.** Neither database finds a word in a script that is written without
spaces: to both, a Chinese sentence is one long word. So every character of such
a script counts as a word of its own (`spaced`), when it is indexed and when it
is looked for, and several of them in a row as a phrase. SQLite's `trigram`
tokenizer would need at least three characters and several times the room.

**SQLite.** `message_words` is an FTS5 table without content (the texts are in
`message`) that is filled later, in slices, by `index_more`: tokenising within a
message's commit would cost more than the commit. `message_words_done` has the
number of the last row that is in. Who deletes rows calls `forget` in the same
transaction, because numbers that become free at the end are used again.

**PostgreSQL.** A GIN index on `to_tsvector`, which it keeps up to date itself.

What somebody looks for is never syntax: every word is quoted.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from . import slices, tables
from .port import Side
from .slices import PAUSE, SLICE, Pause, reading, writing
from .sql import SQLStore
from .tables import MAX_INDEXED, UNSPACED

#: characters of a query that count; the rest is cut off
MAX_QUERY = 200

#: words of a query that count
MAX_WORDS = 10

#: hits that one search tries against its filter before it says "go on from here"
MAX_TRIED = 20_000

#: rows that a search brings into the index first
CATCH_UP = 20_000

#: characters of a snippet, and of those the ones before the word that was found
SNIPPET, BEFORE = 160, 40

#: pages of the index that one transaction of a merge writes: some 2 MB
MERGE = 500

#: ms that PostgreSQL may think about a search
PATIENCE = 10_000

_UNSPACED = re.compile(f"([{UNSPACED}])")
_LETTER = re.compile(r"[^\W_]")
_SENSELESS = re.compile('["\x00\ud800-\udfff]')


class Hit(NamedTuple):
    """A message that was found."""

    #: its number: `before` of the next search
    n: int
    chat: int
    seq: int
    date: int
    side: int
    author: str
    #: the words around the one that was found, on one line
    snippet: str


class Found(NamedTuple):
    """What a search brought."""

    hits: list[Hit]
    #: `before` of the search that goes on from here; None: that was all
    next: int | None


class Visitor(NamedTuple):
    """With whom a chat was."""

    name: str
    subject: str
    #: when the chat ended; None: it goes on
    ended: int | None


def spaced(text: str) -> str:
    """*text* as it is indexed: each character of a script without spaces by itself."""
    return _UNSPACED.sub(r" \1 ", text[:MAX_INDEXED])


def words(query: str) -> list[str]:
    """The words of *query* that can be looked for, each one or more tokens in a row."""
    clean = _SENSELESS.sub(" ", query[:MAX_QUERY])
    return [spaced(word).strip() for word in clean.split() if _LETTER.search(word)][:MAX_WORDS]


# ---- the index of SQLite ---------------------------------------------------


def index_more(store: SQLStore, limit: int = CATCH_UP, *, pause: Pause = slices.sleep) -> int:
    """Bring up to *limit* more messages into the index; returns how many. Raises `StoreError`.

    Called in the background, and by `search` before it looks. In PostgreSQL
    there is nothing to do.
    """
    done = 0
    while store.name == "sqlite" and done < limit:
        wanted = min(SLICE, limit - done)
        with reading(store) as connection:  # most calls find nothing: no lock for that
            if not connection.exec_driver_sql(_ANY_NEW).scalar():
                break
        with writing(store) as connection:
            some = _index_slice(connection, wanted)
        done += some
        if some < wanted:
            break
        pause(PAUSE)
    return done


_ANY_NEW = "SELECT EXISTS (SELECT 1 FROM message WHERE n > (SELECT n FROM message_words_done))"
_NEXT = (
    "SELECT count(*), max(n) FROM (SELECT n FROM message "
    "WHERE n > (SELECT n FROM message_words_done) ORDER BY n LIMIT ?)"
)
_ADD = (
    "INSERT INTO message_words (rowid, body) SELECT n, spaced(body) FROM message "
    "WHERE n > (SELECT n FROM message_words_done) AND n <= ?"
)


def _index_slice(connection: sa.Connection, wanted: int) -> int:
    count, last = connection.exec_driver_sql(_NEXT, (wanted,)).one()
    if count:
        _teach(connection)
        connection.exec_driver_sql(_ADD, (last,))
        connection.exec_driver_sql("UPDATE message_words_done SET n = ?", (last,))
    return int(count)


def _teach(connection: sa.Connection) -> None:
    """SQLite's statements on *connection* may call `spaced`."""
    driver: Any = connection.connection.driver_connection
    driver.create_function("spaced", 1, spaced, deterministic=True)


def delete_messages(connection: sa.Connection, numbers: Sequence[int]) -> None:
    """Delete these rows of `message` and what the index knows of them, in this transaction."""
    sqlite = connection.dialect.name == "sqlite"
    if sqlite:
        _teach(connection)
        connection.execute(_FORGET, {"numbers": list(numbers)})
    connection.execute(sa.delete(tables.message).where(tables.message.c.n.in_(numbers)))
    if sqlite:
        connection.exec_driver_sql(_STEP_BACK)


# The index must be told what it was told when it learned the row, and only of rows it knows.
_FORGET = sa.text(
    "INSERT INTO message_words (message_words, rowid, body) "
    "SELECT 'delete', n, spaced(body) FROM message "
    "WHERE n IN :numbers AND n <= (SELECT n FROM message_words_done)"
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


# ---- searching -------------------------------------------------------------


def search(
    store: SQLStore,
    query: str,
    *,
    served_by: str | None = None,
    readable_by: str | None = None,
    before: int | None = None,
    limit: int = 50,
    pause: Pause = slices.sleep,
) -> Found:
    """Messages that hold every word of *query*, newest first, with numbers below *before*.

    With *served_by*, a waiter's subject, only of chats which that waiter serves,
    served, or wrote in; with *readable_by*, of all chats of the users whom that
    waiter serves or served. At most *limit* (1 to 200) hits and `MAX_TRIED` tries:
    `Found.next` says where to go on. What has arrived last may be missing while
    the index has more than `CATCH_UP` messages to catch up with. Raises
    `StoreError`.
    """
    wanted = words(query)
    if not wanted:
        return Found([], None)
    index_more(store, pause=pause)
    limit = max(1, min(limit, 200))
    values = {
        "words": " ".join(f'"{word}"' for word in wanted),
        "before": before if before is not None else 2**63 - 1,
        "tried": MAX_TRIED,
        "limit": limit,
        "subject": served_by if readable_by is None else readable_by,
    }
    only = _SERVED if served_by is not None else _READABLE if readable_by is not None else ""
    find = _FIND_SQLITE if store.name == "sqlite" else _FIND_POSTGRES
    with reading(store) as connection:
        if store.name == "postgresql":
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {PATIENCE}")
        rows = connection.execute(sa.text(_SEARCH.format(find=find, only=only)), values)
        hits = [Hit._make((*row[:6], snippet(row[6], wanted))) for row in rows]
        if len(hits) == limit:
            return Found(hits, hits[-1].n)
        # All that were tried are used up: were those all there are?
        tried = connection.execute(sa.text(_LAST_TRIED.format(find=find)), values).one()
    return Found(hits, tried[1] if tried[0] == MAX_TRIED else None)


def visitors(store: SQLStore, chats: Collection[int]) -> dict[int, Visitor]:
    """With whom each of *chats*, those of some hits, was or is. Raises `StoreError`."""
    chat = tables.chat.c
    query = sa.select(chat.key, chat.user_name, chat.user_subject, chat.ended)
    with reading(store) as connection:
        rows = connection.execute(query.where(chat.key.in_(chats)))
        return {row[0]: Visitor(*row[1:]) for row in rows}


_FIND_SQLITE = (
    "SELECT rowid AS n FROM message_words WHERE message_words MATCH :words "
    "AND rowid < :before ORDER BY rowid DESC LIMIT :tried"
)
_FIND_POSTGRES = (
    f"SELECT n FROM message WHERE {tables.WORDS} @@ websearch_to_tsquery('simple', :words) "
    "AND n < :before ORDER BY n DESC LIMIT :tried"
)
_SEARCH = (
    "WITH found AS MATERIALIZED ({find}) "
    "SELECT m.n, m.chat, m.seq, m.date, m.side, m.author, m.body "
    "FROM found JOIN message m ON m.n = found.n {only} ORDER BY m.n DESC LIMIT :limit"
)
# Each chat is looked through once, not once for each of its messages that was found.
_ONLY = (
    "WHERE m.chat IN (SELECT c.key FROM chat c WHERE c.key IN ("
    "SELECT f.chat FROM message f JOIN found ON found.n = f.n) AND ({}))"
)
_SERVED = _ONLY.format(
    "c.waiter_subject = :subject OR EXISTS (SELECT 1 FROM message w "
    f"WHERE w.chat = c.key AND w.author = :subject AND w.side = {int(Side.WAITER)})"
)
_READABLE = _ONLY.format(
    "EXISTS (SELECT 1 FROM chat o JOIN service s ON s.chat = o.key "
    "WHERE o.user_subject = c.user_subject AND s.waiter = :subject)"
)
_LAST_TRIED = "SELECT count(*), min(n) FROM ({find}) AS found"


def snippet(body: str, wanted: Sequence[str]) -> str:
    """The part of *body* around the first of the words, on one line."""
    text = " ".join(body[:MAX_INDEXED].split())
    folded = _folded(text)
    places = [
        place
        for word in wanted
        if (place := folded.find(_folded(re.sub(f" *([{UNSPACED}]) *", r"\1", word)))) >= 0
    ]
    start = max(0, min(places, default=0) - BEFORE)
    if len(text) <= SNIPPET:
        start = 0
    part = text[start : start + SNIPPET]
    return ("…" if start else "") + part + ("…" if start + SNIPPET < len(text) else "")


def _folded(text: str) -> str:
    """*text* without case and accents, character for character."""
    return "".join(_fold(character) for character in text)


def _fold(character: str) -> str:
    if character < "\x80":
        return character.lower()
    return unicodedata.normalize("NFD", character)[0].lower()[0]
