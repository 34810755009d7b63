"""Canned replies: what waiters say again and again, under a shortcut.

A reply belongs to one waiter, or is shared (`SHARED`): by all waiters, or by those
of one department. Any of them may change a shared one, so it says who did, and what
it was before can be restored (`canned_past`). Everything here blocks and is called
from native threads only.
"""

from __future__ import annotations

import contextlib
import re
import time
import unicodedata
from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa

from ..errors import CSAppError
from . import canned_choices, canned_past
from .canned_past import Version
from .port import Conflict
from .slices import reading, writing
from .sql import SQLStore
from .tables import canned as table

#: the owner of what all waiters share: no subject is empty
SHARED = ""

#: the department of what the waiters of all departments share
EVERYWHERE = ""

#: of one owner, and of one department: a list that a person can still look through
MAX_REPLIES = 200
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
    #: who wrote it as it is, and when (ms since 1970, UTC); nobody and 0 in older ones than that
    author: str = ""
    author_name: str = ""
    changed: int = 0
    #: the texts of what the visitor may answer with one click
    choices: tuple[str, ...] = ()
    #: of a shared one: whose waiters share it
    department: str = EVERYWHERE
    #: how often it was used, and when last (ms; 0: never)
    used: int = 0
    used_at: int = 0


class CannedError(CSAppError):
    """A reply cannot be stored like this; the message names the field."""


class Taken(CannedError):
    """Its owner has this shortcut already."""


class Unknown(CannedError):
    """There is no such reply, or it is somebody else's."""


class CannedReplies:
    """The replies in *store*; a text has at most *max_text* characters. *now* is in s.

    Every method takes the *subject* of the waiter who asks, and where it changes
    something also the *name* by which others know it; *departments* are those of which
    it is a member. Others' own replies, and those of other departments, do not exist for
    it. All raise `StoreError` while the store is down.
    """

    def __init__(
        self,
        store: SQLStore,
        max_text: int,
        now: Callable[[], float] = time.time,
        departments: Collection[str] = (),
    ) -> None:
        self._store = store
        self._max_text = max_text
        self._now = now
        self._departments = {EVERYWHERE, *departments}

    def all(self, subject: str) -> list[Reply]:
        """What *subject* may use: its own and the shared ones, by shortcut, own ones first."""
        query = _REPLY.where(self._within_reach(subject)).order_by(
            table.c.shortcut, table.c.owner.desc(), table.c.department.desc()
        )
        with reading(self._store) as connection:
            return [_reply(row) for row in connection.execute(query)]

    def add(
        self, subject: str, shortcut: str, text: str, *, shared: bool = False, name: str = "",
        choices: Collection[str] = (), department: str = EVERYWHERE,
    ) -> Reply:  # fmt: skip
        """A new reply. Raises `CannedError`."""
        said = self._said(subject, shortcut, text, shared, choices, department)
        with _changing(self._store) as connection:
            return _add(connection, said | self._signed(subject, name))

    def change(
        self, subject: str, n: int, shortcut: str, text: str, *, shared: bool = False,
        name: str = "", choices: Collection[str] = (), department: str = EVERYWHERE,
    ) -> Reply:  # fmt: skip
        """Other words or another owner for reply *n*. Raises `CannedError`."""
        said = self._said(subject, shortcut, text, shared, choices, department)
        values = said | self._signed(subject, name)
        with _changing(self._store) as connection:
            before = self._one(connection, subject, n)
            if all(values[field] == getattr(before, field) for field in _SAID):
                return before
            return self._replace(connection, before, values)

    def remove(self, subject: str, n: int, *, name: str = "") -> None:
        """Delete reply *n*. Raises `Unknown`."""
        with writing(self._store) as connection:
            before = self._one(connection, subject, n)
            self._keep(connection, before, subject, name)
            connection.execute(sa.delete(table).where(table.c.n == n))

    def use(self, subject: str, n: int) -> None:
        """Count that reply *n* was used. Raises `Unknown`."""
        values = {"used": table.c.used + 1, "used_at": self._ms()}
        query = sa.update(table).where(table.c.n == n, self._within_reach(subject))
        with writing(self._store) as connection:
            if not connection.execute(query.values(values)).rowcount:
                raise _unknown()

    # ---- what shared ones were before ----------------------------------

    def versions(self, n: int) -> list[Version]:
        """What the shared reply *n* was before, newest first."""
        with reading(self._store) as connection:
            return canned_past.versions(connection, n, self._departments)

    def removed(self) -> list[Version]:
        """What shared replies that are no more were last, newest first."""
        with reading(self._store) as connection:
            return canned_past.removed(connection, self._departments)

    def restore(self, subject: str, version: int, *, name: str = "") -> Reply:
        """Let a shared reply be again what it was. Raises `CannedError`."""
        with _changing(self._store) as connection:
            former = canned_past.version(connection, version, self._departments)
            if former is None:
                raise Unknown("version: there is no such version")
            values = self._signed(subject, name)
            values |= {"owner": SHARED} | {one: getattr(former, one) for one in _WORDS}
            here = table.c.n == former.reply, table.c.owner == SHARED, self._within_departments()
            row = connection.execute(_REPLY.where(*here).with_for_update()).one_or_none()
            if row is not None:
                return self._replace(connection, _reply(row), values)
            reply = _add(connection, values)
            canned_past.move(connection, former.reply, reply.n, self._departments)
            return reply

    # ---- within a transaction ------------------------------------------

    def _one(self, connection: sa.Connection, subject: str, n: int) -> Reply:
        """The reply *n*, which nobody else changes meanwhile. Raises `Unknown`."""
        query = _REPLY.where(table.c.n == n, self._within_reach(subject)).with_for_update()
        row = connection.execute(query).one_or_none()
        if row is None:
            raise _unknown()
        return _reply(row)

    def _within_reach(self, subject: str) -> sa.ColumnElement[bool]:
        shared = sa.and_(table.c.owner == SHARED, self._within_departments())
        return sa.or_(table.c.owner == subject, shared)

    def _within_departments(self) -> sa.ColumnElement[bool]:
        return table.c.department.in_(self._departments)

    def _replace(self, connection: sa.Connection, before: Reply, values: dict[str, Any]) -> Reply:
        self._keep(connection, before, values["author"], values["author_name"])
        query = sa.update(table).where(table.c.n == before.n)
        connection.execute(query.values(_row(values)))
        return before._replace(**values)

    def _keep(self, connection: sa.Connection, before: Reply, subject: str, name: str) -> None:
        if before.owner == SHARED:
            canned_past.keep(connection, before, subject, name, self._ms())

    def _signed(self, subject: str, name: str) -> dict[str, Any]:
        return {"author": subject, "author_name": name, "changed": self._ms()}

    def _ms(self) -> int:
        return int(self._now() * 1000)

    def _said(
        self, subject: str, shortcut: str, text: str, shared: bool, choices: Collection[str],
        department: str,
    ) -> dict[str, Any]:  # fmt: skip
        """What a waiter says of a reply, by `_SAID`. Raises `CannedError`."""
        shortcut = unicodedata.normalize("NFKC", shortcut).casefold()
        if not _SHORTCUT.fullmatch(shortcut):
            what = f"1 to {MAX_SHORTCUT} letters, digits, - and _"
            raise CannedError(f"shortcut: {what}")
        text = text.strip()
        if not text or len(text) > self._max_text or _UNFIT.search(text):
            raise CannedError(f"text: 1 to {self._max_text} characters")
        choices = canned_choices.clean(choices)
        if fault := canned_choices.fault(choices):
            raise CannedError(fault)
        if department not in self._departments or (department and not shared):
            raise CannedError("department: one of your own, and only of a shared reply")
        owner = SHARED if shared else subject
        return dict(zip(_SAID, (owner, shortcut, text, choices, department), strict=True))


#: the words of a reply, which its versions have as well
_WORDS = ("shortcut", "text", "choices", "department")

#: what a waiter says of a reply
_SAID = ("owner", *_WORDS)

_REPLY = sa.select(*(table.c[name] for name in Reply._fields))


def _reply(row: Any) -> Reply:
    reply = Reply(*row)
    return reply._replace(choices=canned_choices.unpacked(row.choices))


def _row(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, "choices": canned_choices.packed(values["choices"])}


def _unknown() -> Unknown:
    return Unknown("number: there is no such reply")


def _add(connection: sa.Connection, values: dict[str, Any]) -> Reply:
    beside = [table.c[name] == values[name] for name in ("owner", "department")]
    count = connection.execute(sa.select(sa.func.count()).where(*beside)).scalar_one()
    if count >= MAX_REPLIES:
        raise CannedError(f"replies: at most {MAX_REPLIES}; delete one first")
    query = sa.insert(table).values(_row(values)).returning(table.c.n)
    return Reply(connection.execute(query).scalar_one(), **values)


@contextlib.contextmanager
def _changing(store: SQLStore) -> Iterator[sa.Connection]:
    """As `writing`. Raises `Taken` for a shortcut that its owner has already."""
    try:
        with writing(store) as connection:
            yield connection
    except Conflict:
        raise Taken("shortcut: there is a reply with this one already") from None
