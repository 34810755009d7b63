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
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from ..conversation.kinds import Side
from ..endings import beginnings
from . import tables
from .search_filters import READABLE_BY, SERVED_BY, SLACK, Filters, first_number, rated
from .slices import reading
from .sql import SQLStore
from .tables import MAX_INDEXED, UNSPACED
from .word_index import Unindexed, spaced, unindexed

#: characters of a query that count; the rest is cut off
MAX_QUERY = 200

#: words of a query that count
MAX_WORDS = 10

#: hits that one search tries against its filters before it says "go on from here": some 100 ms
MAX_TRIED = 2000

#: texts that are not in SQLite's index yet, at which one search looks: half a second of work
MAX_NEW = 100_000

#: characters of a snippet, and of those the ones before the word that was found
SNIPPET, BEFORE = 160, 40

#: ms that PostgreSQL may think about a search
PATIENCE = 10_000

_LETTER = re.compile(r"[^\W_]")
_SENSELESS = re.compile('["\x00\ud800-\udfff]')


#: filters that let everything through
EVERYTHING = Filters()


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
    #: what the words that were found begin with, or are
    beginnings: Sequence[str] = ()


class Visitor(NamedTuple):
    """The visitor of a conversation."""

    name: str
    subject: str
    #: when the conversation ended; None: it goes on
    ended: int | None
    avatar: str
    department: str
    #: the stars of its last rating; None: there is none
    rating: int | None


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
    endings: Iterable[str] | None = None,
    filters: Filters = EVERYTHING,
) -> Found:
    """Messages that hold every word of *query*, newest first, with numbers below *before*.

    With *served_by*, a waiter's subject, only of conversations that this waiter serves,
    served, or wrote in; with *readable_by*, of all conversations of the users whom that
    waiter serves or served; and only those that *filters* let through. With *endings*, words
    of the message may go on where those of *query* end ("plate" finds "plates"; a number is
    whole: 3 is not 30), and the inflected endings of those languages (`endings.LANGUAGES`)
    count as one.
    At most *limit* (1 to 200) hits, `MAX_TRIED` tries and `MAX_NEW` texts that are not in
    the index: `Found.next` says where to go on. Raises `StoreError`.
    """
    wanted = _wanted(query, endings)
    if not wanted:
        return Found([], None)
    reader = SERVED_BY if served_by is not None else READABLE_BY if readable_by is not None else ""
    look = _Look(
        wanted,
        _only(store.name, reader, filters),
        {"subject": served_by if readable_by is None else readable_by, **filters.values()},
        max(1, min(limit, 200)),
        2**63 - 1 if before is None else before,
        (_postgres if store.name == "postgresql" else _sqlite)(wanted),
    )
    if store.name == "postgresql":
        with reading(store) as connection:
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {PATIENCE}")
            look.narrow(connection, filters)
            return look.at(connection, _FIND_POSTGRES)
    with unindexed(store) as (connection, new):
        look.narrow(connection, filters)
        if (found := look.at_new(connection, new)) is not None:
            return found
        return look.at(connection, _FIND_SQLITE)


class Wanted(NamedTuple):
    """A word that is looked for."""

    #: what is found instead of it: one of these
    beginnings: list[str]
    #: words of a message may go on behind the beginning
    goes_on: bool


def _wanted(query: str, endings: Iterable[str] | None) -> list[Wanted]:
    if endings is None:
        return [Wanted([word], False) for word in words(query)]
    languages = tuple(endings)
    return [Wanted(beginnings(word, languages), not word.isdecimal()) for word in words(query)]


class _Look:
    """One search under way: what it has found, and *before* which number it goes on."""

    def __init__(
        self, wanted: list[Wanted], only: str, values: dict[str, Any], limit: int, before: int,
        expression: str,
    ) -> None:  # fmt: skip
        self._wanted = [one for word in wanted for one in word.beginnings]
        self._expression = expression
        self._only = only
        self._filters = values
        self._limit = limit
        self._before = before
        self._from = 0
        self._hits: list[Hit] = []

    def narrow(self, connection: sa.Connection, filters: Filters) -> None:
        """Look only at the numbers that the dates of *filters* leave."""
        if filters.since is not None:
            self._from = first_number(connection, filters.since - SLACK)
        if filters.until is not None:
            self._before = min(self._before, first_number(connection, filters.until + SLACK))

    def at_new(self, connection: sa.Connection, new: Unindexed) -> Found | None:
        """Look at what is not in the index; None where there is room for more from there."""
        seen = 0
        for first, count in new.pieces(self._before):
            self._find(connection, _FIND_NEW)
            if len(self._hits) == self._limit:
                return self._found(self._hits[-1].n)
            self._before = first
            seen += count
            if first <= self._from:
                return self._found(None)
            if seen >= MAX_NEW:
                return self._found(first)
        self._before = min(self._before, new.done + 1)
        return None

    def at(self, connection: sa.Connection, find: str) -> Found:
        """Look at what is in the index."""
        tried = self._find(connection, find)
        if len(self._hits) == self._limit:
            return self._found(self._hits[-1].n)
        # All that were tried are used up: were those all there are?
        if tried is None:
            last = sa.text(_LAST_TRIED.format(find=find))
            tried = connection.execute(last, self._values()).one()
        return self._found(tried[1] if tried[0] == MAX_TRIED else None)

    def _found(self, following: int | None) -> Found:
        return Found(self._hits, following, [*map(_unspaced, self._wanted)])

    def _find(self, connection: sa.Connection, find: str) -> Sequence[Any] | None:
        """Take the hits that *find* brings.

        Returns how many it has tried, and the last of them; None where there are no hits.
        """
        statement = sa.text(_SEARCH.format(find=find, only=self._only))
        tried = None
        for row in connection.execute(statement, self._values()):
            self._hits.append(Hit._make((*row[:6], snippet(row[6], self._wanted))))
            tried = row[7:]
        return tried

    def _values(self) -> dict[str, Any]:
        return {
            "words": self._expression,
            "before": self._before,
            "from": self._from,
            "tried": MAX_TRIED,
            "limit": self._limit - len(self._hits),
            **self._filters,
        }


def visitors(store: SQLStore, chats: Collection[int]) -> dict[int, Visitor]:
    """The visitor of each of these conversations, by its key. Raises `StoreError`."""
    chat = tables.chat.alias("c").c
    query = sa.select(
        chat.key, chat.user_name, chat.user_subject, chat.ended, chat.user_avatar,
        chat.department, sa.literal_column(rated(store.name)),
    )  # fmt: skip
    with reading(store) as connection:
        rows = connection.execute(query.where(chat.key.in_(chats)))
        return {row[0]: Visitor(*row[1:]) for row in rows}


def _sqlite(wanted: Sequence[Wanted]) -> str:
    """An expression of FTS5: quoted words, the last token of which may go on where it says so."""
    return " AND ".join(
        "(" + " OR ".join(f'"{one}"{"*" if goes_on else ""}' for one in found) + ")"
        for found, goes_on in wanted
    )


def _postgres(wanted: Sequence[Wanted]) -> str:
    """The same for `to_tsquery`, in whose quotes a backslash and a quote are doubled."""

    def quoted(one: str) -> str:
        return one.replace("\\", "\\\\").replace("'", "''")

    return " & ".join(
        "(" + " | ".join(f"'{quoted(one)}'{':*' if goes_on else ''}" for one in found) + ")"
        for found, goes_on in wanted
    )


_FIND_SQLITE = (
    "SELECT rowid AS n FROM message_words WHERE message_words MATCH :words "
    "AND rowid < :before AND rowid >= :from ORDER BY rowid DESC LIMIT :tried"
)
_FIND_NEW = (
    f"SELECT rowid AS n FROM {Unindexed.TABLE} WHERE piece MATCH :words "
    "AND rowid < :before AND rowid >= :from ORDER BY rowid DESC LIMIT :tried"
)
_FIND_POSTGRES = (
    f"SELECT n FROM message WHERE {tables.WORDS} @@ to_tsquery('simple', :words) "
    "AND n < :before AND n >= :from ORDER BY n DESC LIMIT :tried"
)
# With an outer join each search would have one row at least, but SQLite would read all entries.
_SEARCH = (
    "WITH found AS MATERIALIZED ({find}) "
    "SELECT m.n, m.chat, m.seq, m.date, m.side, m.author, m.body, "
    "(SELECT count(*) FROM found), (SELECT min(n) FROM found) "
    f"FROM found JOIN message m ON m.n = found.n AND m.side <> {int(Side.SERVER)} "
    "{only} ORDER BY m.n DESC LIMIT :limit"
)
_LAST_TRIED = "SELECT count(*), min(n) FROM ({find}) AS found"

# Each conversation is checked once, not once for each of its entries that was found.
_ONLY = (
    "m.chat IN (SELECT c.key FROM chat c WHERE c.key IN ("
    "SELECT f.chat FROM message f JOIN found ON found.n = f.n) AND {})"
)


def _only(dialect: str, reader: str, filters: Filters) -> str:
    """The conditions on what was found: for whom, and which *filters*."""
    wanted = [*filter(None, [reader]), *filters.conversations(dialect)]
    some = [_ONLY.format(" AND ".join(wanted))] if wanted else []
    some += filters.dates("m.date")
    return f"WHERE {' AND '.join(some)}" if some else ""


def snippet(body: str, wanted: Sequence[str]) -> str:
    """The part of *body* around the first of the words, on one line."""
    text = " ".join(body[:MAX_INDEXED].split())
    folded = _folded(text)
    places = [place for word in wanted if (place := folded.find(_folded(_unspaced(word)))) >= 0]
    start = max(0, min(places, default=0) - BEFORE)
    if len(text) <= SNIPPET:
        start = 0
    part = text[start : start + SNIPPET]
    return ("…" if start else "") + part + ("…" if start + SNIPPET < len(text) else "")


def _unspaced(word: str) -> str:
    """*word* as people write it, without the spaces of `spaced`."""
    return re.sub(f" *([{UNSPACED}]) *", r"\1", word)


def _folded(text: str) -> str:
    """*text* without case and accents, character for character."""
    return "".join(_fold(character) for character in text)


def _fold(character: str) -> str:
    if character < "\x80":
        return character.lower()
    return unicodedata.normalize("NFD", character)[0].lower()[0]
