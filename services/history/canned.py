"""Canned replies: what waiters say again and again, under a shortcut.

A reply belongs to one waiter, or to all of them (`SHARED`). Everything here
blocks and is called from native threads only.
"""

from __future__ import annotations

import contextlib
import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

import sqlalchemy as sa

from ..errors import CSAppError
from .port import Conflict
from .slices import reading, writing
from .sql import SQLStore
from .tables import canned as table

#: the owner of what all waiters share: no subject is empty
SHARED = ""

MAX_REPLIES = 200  # of one owner: a list that a person can still look through
MAX_SHORTCUT = 32  # characters

_SHORTCUT = re.compile(rf"[\w-]{{1,{MAX_SHORTCUT}}}")
_UNFIT = re.compile("[\x00\ud800-\udfff]")


class Reply(NamedTuple):
    """One canned reply."""

    n: int
    owner: str
    #: what is typed behind the slash; one owner has it once
    shortcut: str
    text: str


class CannedError(CSAppError):
    """A reply cannot be kept like this; the message names the field."""


class Taken(CannedError):
    """Its owner has this shortcut already."""


class Unknown(CannedError):
    """There is no such reply, or it is somebody else's."""


class CannedReplies:
    """The replies in *store*; a text has at most *max_text* characters.

    Every method takes the *subject* of the waiter who asks: others' own replies
    do not exist for it. All raise `StoreError` while the store is down.
    """

    def __init__(self, store: SQLStore, max_text: int) -> None:
        self._store = store
        self._max_text = max_text

    def all(self, subject: str) -> list[Reply]:
        """What *subject* may use: its own and the shared ones, by shortcut, own ones first."""
        query = (
            sa.select(*(table.c[name] for name in Reply._fields))
            .where(_within_reach(subject))
            .order_by(table.c.shortcut, table.c.owner.desc())
        )
        with reading(self._store) as connection:
            return [Reply(*row) for row in connection.execute(query)]

    def add(self, subject: str, shortcut: str, text: str, *, shared: bool = False) -> Reply:
        """A new reply. Raises `CannedError`."""
        values = self._values(subject, shortcut, text, shared)
        with _changing(self._store) as connection:
            mine = table.c.owner == values["owner"]
            count = connection.execute(sa.select(sa.func.count()).where(mine)).scalar_one()
            if count >= MAX_REPLIES:
                raise CannedError(f"replies: at most {MAX_REPLIES}; delete one first")
            added = sa.insert(table).values(values).returning(table.c.n)
            number = connection.execute(added).scalar_one()
        return Reply(number, **values)

    def change(
        self, subject: str, n: int, shortcut: str, text: str, *, shared: bool = False
    ) -> Reply:
        """Another shortcut, text or owner for reply *n*. Raises `CannedError`."""
        values = self._values(subject, shortcut, text, shared)
        query = sa.update(table).where(table.c.n == n, _within_reach(subject))
        with _changing(self._store) as connection:
            changed = query.values(values).returning(table.c.n)
            number = connection.execute(changed).scalar_one_or_none()
        if number is None:
            raise Unknown("number: there is no such reply")
        return Reply(number, **values)

    def remove(self, subject: str, n: int) -> None:
        """Delete reply *n*. Raises `Unknown`."""
        query = sa.delete(table).where(table.c.n == n, _within_reach(subject))
        with writing(self._store) as connection:
            removed = connection.execute(query).rowcount
        if not removed:
            raise Unknown("number: there is no such reply")

    def _values(self, subject: str, shortcut: str, text: str, shared: bool) -> dict[str, str]:
        shortcut = unicodedata.normalize("NFKC", shortcut).casefold()
        if not _SHORTCUT.fullmatch(shortcut):
            what = f"1 to {MAX_SHORTCUT} letters, digits, - and _"
            raise CannedError(f"shortcut: {what}")
        text = text.strip()
        if not text or len(text) > self._max_text or _UNFIT.search(text):
            raise CannedError(f"text: 1 to {self._max_text} characters")
        return {"owner": SHARED if shared else subject, "shortcut": shortcut, "text": text}


def _within_reach(subject: str) -> sa.ColumnElement[bool]:
    return table.c.owner.in_((SHARED, subject))


@contextlib.contextmanager
def _changing(store: SQLStore) -> Iterator[sa.Connection]:
    """As `writing`. Raises `Taken` for a shortcut that its owner has already."""
    try:
        with writing(store) as connection:
            yield connection
    except Conflict:
        raise Taken("shortcut: there is a reply with this one already") from None
