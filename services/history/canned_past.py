"""What shared canned replies were before: each version with its author and its end.

Any waiter may change what all waiters share, so whoever changes, deletes or
takes away a shared reply leaves its former version here, to be restored. A
waiter's own replies have no past.

Everything here blocks and is called from native threads only, inside a
transaction of `canned`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import sqlalchemy as sa

from . import canned_choices
from .tables import canned, canned_past

#: versions that are kept of one reply, and of all: 5000 of the longest usual texts are 20 MB
MOST_OF_ONE = 50
MOST = 5000

#: deleted replies that are shown
SHOWN = 200


class Version(NamedTuple):
    """One version of a shared reply, which is not the present one."""

    n: int
    #: the number of the reply
    reply: int
    shortcut: str
    text: str
    #: who wrote it, and when (ms since 1970, UTC); of older ones than this table, nobody and 0
    author: str
    author_name: str
    date: int
    #: who changed, deleted or took it away, and when
    ended_by: str
    ended_by_name: str
    ended: int
    choices: tuple[str, ...] = ()
    #: of its waiters; empty: of all
    department: str = ""


_VERSION = sa.select(*(canned_past.c[name] for name in Version._fields))


def keep(connection: sa.Connection, reply: Any, subject: str, name: str, now: int) -> None:
    """Keep *reply*, a row of `canned`, which *subject* is about to end."""
    connection.execute(
        sa.insert(canned_past).values(
            reply=reply.n,
            shortcut=reply.shortcut,
            text=reply.text,
            author=reply.author,
            author_name=reply.author_name,
            date=reply.changed,
            ended_by=subject,
            ended_by_name=name,
            ended=now,
            choices=canned_choices.packed(reply.choices),
            department=reply.department,
        )
    )
    _forget(connection, MOST_OF_ONE, canned_past.c.reply == reply.n)
    _forget(connection, MOST, sa.true())


def _forget(connection: sa.Connection, most: int, which: sa.ColumnElement[bool]) -> None:
    """Leave *most* of them. What its own author ended goes first.

    So nobody makes others' versions go by changing a reply again and again.
    """
    count = connection.execute(sa.select(sa.func.count(canned_past.c.n)).where(which)).scalar_one()
    if count <= most:
        return
    of_others = sa.case((canned_past.c.author == canned_past.c.ended_by, 0), else_=1)
    oldest = sa.select(canned_past.c.n).where(which).order_by(of_others, canned_past.c.n)
    numbers = connection.execute(oldest.limit(count - most)).scalars().all()
    connection.execute(sa.delete(canned_past).where(canned_past.c.n.in_(numbers)))


def versions(connection: sa.Connection, reply: int, departments: Collection[str]) -> list[Version]:
    """The former versions of a reply that these *departments* shared, newest first."""
    here = canned_past.c.reply == reply, canned_past.c.department.in_(departments)
    query = _VERSION.where(*here).order_by(canned_past.c.n.desc())
    return [_version(row) for row in connection.execute(query)]


def removed(connection: sa.Connection, departments: Collection[str]) -> list[Version]:
    """The last version of each reply that these *departments* share no more, newest first."""
    shared = canned_past.c.department.in_(departments)
    last = sa.select(sa.func.max(canned_past.c.n)).where(shared).group_by(canned_past.c.reply)
    there = sa.exists().where(
        canned.c.n == canned_past.c.reply, canned.c.owner == "",
        canned.c.department.in_(departments),
    )  # fmt: skip
    query = _VERSION.where(canned_past.c.n.in_(last), ~there).order_by(canned_past.c.n.desc())
    return [_version(row) for row in connection.execute(query.limit(SHOWN))]


def version(connection: sa.Connection, number: int, departments: Collection[str]) -> Version | None:
    """One version by its own number, if these *departments* shared it."""
    here = canned_past.c.n == number, canned_past.c.department.in_(departments)
    row = connection.execute(_VERSION.where(*here)).one_or_none()
    return None if row is None else _version(row)


def move(connection: sa.Connection, reply: int, to: int, departments: Collection[str]) -> None:
    """The reply of number *reply* is called *to* from now on, as far as these *departments* see."""
    here = canned_past.c.reply == reply, canned_past.c.department.in_(departments)
    connection.execute(sa.update(canned_past).where(*here).values(reply=to))


def forget_department(connection: sa.Connection, key: str, now: int) -> None:
    """Take away what the waiters of a department share, in the transaction that removes it.

    All waiters find it among the deleted replies from then on, and can restore it.
    """
    mine = canned.c.owner == "", canned.c.department == key
    nobody = sa.literal("")
    kept = {
        "reply": canned.c.n, "shortcut": canned.c.shortcut, "text": canned.c.text,
        "author": canned.c.author, "author_name": canned.c.author_name, "date": canned.c.changed,
        "ended_by": nobody, "ended_by_name": nobody, "ended": sa.literal(now, sa.BigInteger),
        "choices": canned.c.choices, "department": canned.c.department,
    }  # fmt: skip
    last = sa.select(*kept.values()).where(*mine).order_by(canned.c.n)
    connection.execute(sa.insert(canned_past).from_select([*kept], last))
    connection.execute(sa.delete(canned).where(*mine))
    past = sa.update(canned_past).where(canned_past.c.department == key)
    connection.execute(past.values(department=""))
    _forget(connection, MOST, sa.true())


def _version(row: Any) -> Version:
    return Version(*row)._replace(choices=canned_choices.unpacked(row.choices))
