"""What the site says to visitors by itself: texts of departments, by language.

Each change makes the number of the departments grow (`numbers.DEPARTMENTS`), by which
workers learn of it. Everything here blocks and is called from native threads only.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

import sqlalchemy as sa

from ..errors import CSAppError
from . import numbers, tables
from .slices import reading, writing
from .sql import SQLStore
from .tags import MAX_TAG, canonical_tag

MOST_TEXTS = 100  # of the whole site: each worker holds them all
LONGEST_WAIT = 3600  # s
USUAL_WAIT = 60  # s

_UNFIT = re.compile("[\x00\ud800-\udfff]")

_words = tables.words


class Occasion(StrEnum):
    """When the site says something."""

    #: the visitor has asked: at once in the queue, and above the conversation
    GREETING = "greeting"
    #: the visitor has waited for a while
    LOOKING = "looking"
    #: the first waiter has come
    FIRST = "first"


class WordsError(CSAppError):
    """A text cannot be stored so; the message names the field."""


class WordsRow(NamedTuple):
    """One text."""

    #: its key; empty: of the whole site
    department: str
    what: str
    #: a language tag
    language: str
    text: str
    #: of `looking`: s in the queue
    after: int = 0


class WordsTable:
    """The texts in *store*. All methods raise `StoreError` while it is down."""

    def __init__(self, store: SQLStore) -> None:
        self._store = store

    def all(self) -> list[WordsRow]:
        """All of them, in the order in which they were first set."""
        with reading(self._store) as connection:
            return read(connection)

    def set(self, row: WordsRow, longest: int) -> WordsRow:
        """Store *row*, with a text of *longest* characters at most, in place of what was there.

        Raises `WordsError`.
        """
        row = _checked(row, longest)
        values = row._asdict()
        with writing(self._store) as connection:
            numbers.grow(connection, numbers.DEPARTMENTS)
            _check_department(connection, row.department)
            changed = sa.update(_words).where(*_which(row)).values(text=row.text, after=row.after)
            if not connection.execute(changed).rowcount:
                count, last = connection.execute(_COUNT).one()
                if count >= MOST_TEXTS:
                    raise WordsError(f"there are {MOST_TEXTS} texts already")
                connection.execute(sa.insert(_words).values(**values, place=(last or 0) + 1))
        return row

    def remove(self, department: str, what: Occasion, language: str = "") -> int:
        """Remove a text, or those of all languages; returns how many.

        Raises `WordsError`: there is none.
        """
        tag = canonical_tag(language)
        if language and not tag:
            raise _no_tag()
        with writing(self._store) as connection:
            numbers.grow(connection, numbers.DEPARTMENTS)
            which = _which(WordsRow(department, what, tag, ""))[: 3 if tag else 2]
            gone = connection.execute(sa.delete(_words).where(*which)).rowcount
            if not gone:
                raise WordsError("there is no such text")
        return gone


def read(connection: sa.Connection) -> list[WordsRow]:
    """All texts, in the order in which they were first set."""
    return [WordsRow(*one) for one in connection.execute(_ALL)]


def forget_department(connection: sa.Connection, key: str) -> None:
    """Remove the texts of a department, in the transaction that removes it."""
    connection.execute(sa.delete(_words).where(_words.c.department == key))


_ALL = sa.select(*(_words.c[name] for name in WordsRow._fields)).order_by(_words.c.place)
_COUNT = sa.select(sa.func.count(), sa.func.max(_words.c.place))


def _which(row: WordsRow) -> list[sa.ColumnElement[bool]]:
    return [_words.c[name] == getattr(row, name) for name in ("department", "what", "language")]


def _check_department(connection: sa.Connection, key: str) -> None:
    known = sa.select(sa.exists().where(tables.department.c.key == key))
    if key and not connection.scalar(known):
        raise WordsError(f"department: there is no department {key}")


def _checked(row: WordsRow, longest: int) -> WordsRow:
    tag, text = canonical_tag(row.language), row.text.strip()
    if not tag:
        raise _no_tag()
    if not 1 <= len(text) <= longest or _UNFIT.search(text):
        raise WordsError(f"text: 1 to {longest:,} characters")
    if row.what != Occasion.LOOKING:
        return row._replace(language=tag, text=text, after=0)
    after = row.after or USUAL_WAIT
    if not 1 <= after <= LONGEST_WAIT:
        raise WordsError(f"after: 1 to {LONGEST_WAIT:,} s")
    return row._replace(language=tag, text=text, after=after)


def _no_tag() -> WordsError:
    what = "a language tag is required, such as de or zh-Hant"
    return WordsError(f"language: {what}, of {MAX_TAG} characters at most")
