"""Full-text search over what was said, newest first.

**SQLite.** Most texts are in an index (`word_index.py`), which is filled in the
background. A search looks at the newest texts first, which may not be in it:
at most `MAX_NEW` of them, and `Found.next` says where to go on. So what was
just said is found at once, however far the index is behind.

**PostgreSQL.** A GIN index on `to_tsvector`, which it keeps up to date itself.

What somebody looks for is never syntax: every word is quoted.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from ..conversation.kinds import Side
from . import tables
from .slices import reading
from .sql import SQLStore
from .tables import MAX_INDEXED, UNSPACED
from .word_index import Unindexed, spaced, unindexed

#: characters of a query that count; the rest is cut off
MAX_QUERY = 200

#: words of a query that count
MAX_WORDS = 10

#: hits that one search tries against its filter before it says "go on from here"
MAX_TRIED = 20_000

#: texts that are not in SQLite's index yet, at which one search looks: half a second of work
MAX_NEW = 100_000

#: characters of a snippet, and of those the ones before the word that was found
SNIPPET, BEFORE = 160, 40

#: ms that PostgreSQL may think about a search
PATIENCE = 10_000

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
    """The visitor of a conversation."""

    name: str
    subject: str
    #: when the conversation ended; None: it goes on
    ended: int | None
    avatar: str


def words(query: str) -> list[str]:
    """The words of *query* that can be looked for, each one or more tokens in a row."""
    clean = _SENSELESS.sub(" ", query[:MAX_QUERY])
    return [spaced(word).strip() for word in clean.split() if _LETTER.search(word)][:MAX_WORDS]


# ---- searching -------------------------------------------------------------


def search(
    store: SQLStore,
    query: str,
    *,
    served_by: str | None = None,
    readable_by: str | None = None,
    before: int | None = None,
    limit: int = 50,
    beginnings: bool = False,
) -> Found:
    """Messages that hold every word of *query*, newest first, with numbers below *before*.

    With *served_by*, a waiter's subject, only of conversations that this waiter serves,
    served, or wrote in; with *readable_by*, of all conversations of the users whom that
    waiter serves or served. With *beginnings*, words of the message may go on where
    those of *query* end: "plate" finds "plates" (a number is whole: 3 is not 30).
    At most *limit* (1 to 200) hits, `MAX_TRIED` tries and `MAX_NEW` texts that are not in
    the index: `Found.next` says where to go on. Raises `StoreError`.
    """
    wanted = words(query)
    if not wanted:
        return Found([], None)
    only = _SERVED if served_by is not None else _READABLE if readable_by is not None else ""
    look = _Look(
        wanted,
        only,
        served_by if readable_by is None else readable_by,
        max(1, min(limit, 200)),
        2**63 - 1 if before is None else before,
        (_postgres if store.name == "postgresql" else _sqlite)(
            [(word, beginnings and not word.isdecimal()) for word in wanted]
        ),
    )
    if store.name == "postgresql":
        with reading(store) as connection:
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {PATIENCE}")
            return look.at(connection, _FIND_POSTGRES)
    with unindexed(store) as (connection, new):
        if (found := look.at_new(connection, new)) is not None:
            return found
        return look.at(connection, _FIND_SQLITE)


class _Look:
    """One search under way: what it has found, and *before* which number it goes on."""

    def __init__(
        self, wanted: list[str], only: str, subject: str | None, limit: int, before: int,
        expression: str,
    ) -> None:  # fmt: skip
        self._wanted = wanted
        self._expression = expression
        self._only = only
        self._subject = subject
        self._limit = limit
        self._before = before
        self._hits: list[Hit] = []

    def at_new(self, connection: sa.Connection, new: Unindexed) -> Found | None:
        """Look at what is not in the index; None where there is room for more from there."""
        seen = 0
        for first, count in new.pieces(self._before):
            self._find(connection, _FIND_NEW)
            if len(self._hits) == self._limit:
                return Found(self._hits, self._hits[-1].n)
            self._before = first
            seen += count
            if seen >= MAX_NEW:
                return Found(self._hits, first)
        self._before = min(self._before, new.done + 1)
        return None

    def at(self, connection: sa.Connection, find: str) -> Found:
        """Look at what is in the index."""
        self._find(connection, find)
        if len(self._hits) == self._limit:
            return Found(self._hits, self._hits[-1].n)
        # All that were tried are used up: were those all there are?
        last = sa.text(_LAST_TRIED.format(find=find))
        tried = connection.execute(last, self._values()).one()
        return Found(self._hits, tried[1] if tried[0] == MAX_TRIED else None)

    def _find(self, connection: sa.Connection, find: str) -> None:
        statement = sa.text(_SEARCH.format(find=find, only=self._only))
        for row in connection.execute(statement, self._values()):
            self._hits.append(Hit._make((*row[:6], snippet(row[6], self._wanted))))

    def _values(self) -> dict[str, Any]:
        return {
            "words": self._expression,
            "before": self._before,
            "tried": MAX_TRIED,
            "limit": self._limit - len(self._hits),
            "subject": self._subject,
        }


def visitors(store: SQLStore, chats: Collection[int]) -> dict[int, Visitor]:
    """The visitor of each of these conversations, by its key. Raises `StoreError`."""
    chat = tables.chat.c
    query = sa.select(chat.key, chat.user_name, chat.user_subject, chat.ended, chat.user_avatar)
    with reading(store) as connection:
        rows = connection.execute(query.where(chat.key.in_(chats)))
        return {row[0]: Visitor(*row[1:]) for row in rows}


def _sqlite(wanted: Sequence[tuple[str, bool]]) -> str:
    """An expression of FTS5: quoted words, the last token of which may go on where it says so."""
    return " ".join(f'"{word}"{"*" if goes_on else ""}' for word, goes_on in wanted)


def _postgres(wanted: Sequence[tuple[str, bool]]) -> str:
    """The same for `to_tsquery`, in whose quotes a backslash and a quote are doubled."""
    quoted = [(word.replace("\\", "\\\\").replace("'", "''"), on) for word, on in wanted]
    return " & ".join(f"'{word}'{':*' if on else ''}" for word, on in quoted)


_FIND_SQLITE = (
    "SELECT rowid AS n FROM message_words WHERE message_words MATCH :words "
    "AND rowid < :before ORDER BY rowid DESC LIMIT :tried"
)
_FIND_NEW = (
    f"SELECT rowid AS n FROM {Unindexed.TABLE} WHERE piece MATCH :words "
    "AND rowid < :before ORDER BY rowid DESC LIMIT :tried"
)
_FIND_POSTGRES = (
    f"SELECT n FROM message WHERE {tables.WORDS} @@ to_tsquery('simple', :words) "
    "AND n < :before ORDER BY n DESC LIMIT :tried"
)
_SEARCH = (
    "WITH found AS MATERIALIZED ({find}) "
    "SELECT m.n, m.chat, m.seq, m.date, m.side, m.author, m.body "
    f"FROM found JOIN message m ON m.n = found.n AND m.side <> {int(Side.SERVER)} "
    "{only} ORDER BY m.n DESC LIMIT :limit"
)
# Each conversation is checked once, not once for each of its entries that was found.
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
