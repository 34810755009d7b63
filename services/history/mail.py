"""Mails that wait to be sent: of messages that were left, and of answers to them.

A row names the entry that the mail is about; what it says and to whom it goes is read when it is
sent. So nobody's words or address are here. A row is inserted in the transaction of the entry,
and deleted when the mail was sent or is given up.

Of several workers the one sends a mail that has leased its row. If it dies, another one sends it
when the lease has run out: a mail is sent at least once.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import sqlalchemy as sa

from . import tables
from .slices import reading
from .sql import SQLStore

#: mails that wait; with more, entries get none
MOST = 10_000

#: ms that a worker has for one mail: a dozen answers of the server
LEASE = 300_000

_mail, _left, _chat = tables.mail.c, tables.left_message.c, tables.chat.c


class Kind(IntEnum):
    """What a mail says, as it is stored."""

    #: to the site: a visitor has left a message
    LEFT = 1
    #: to the visitor: a waiter has answered
    ANSWER = 2


class Wanted(NamedTuple):
    """Which mails there are to be."""

    left: bool = False
    answers: bool = False


#: where there is no mail server
NONE = Wanted()


class Mail(NamedTuple):
    """One mail that is to be sent now."""

    n: int
    kind: int
    chat: int
    #: ms since 1970
    queued: int
    #: how often it was tried before
    tries: int
    #: the entry that it is about, and what the visitor has written
    text: str
    asked: str
    left: int
    #: the visitor's
    name: str
    email: str
    language: str
    department: str
    page: str
    #: the waiter's who has answered
    waiter: str


class MailTable:
    """The mails that wait in *store*. All methods raise `StoreError` while it is down."""

    def __init__(self, store: SQLStore) -> None:
        self._store = store

    def take(self, now: int) -> Mail | None:
        """Lease the mail that is due first, *now* in ms; None: none is, or others send it."""
        with reading(self._store) as connection:
            if connection.scalar(_due(now)) is None:
                return None
        return self._store.transact(lambda connection: _take(connection, now))

    def remove(self, n: int) -> None:
        """It was sent, or is given up."""
        self._store.transact(
            lambda connection: connection.execute(sa.delete(tables.mail).where(_mail.n == n))
        )

    def postpone(self, n: int, due: int) -> None:
        """It is tried again at *due*, in ms."""
        later = sa.update(tables.mail).where(_mail.n == n)
        values = {"due": due, "leased_until": 0, "tries": _mail.tries + 1}
        self._store.transact(lambda connection: connection.execute(later.values(values)))

    def waiting(self) -> int:
        """How many wait."""
        with reading(self._store) as connection:
            return _count(connection)


def put(connection: sa.Connection, kind: Kind, chat: int, seq: int, now: int) -> bool:
    """Have a mail sent about an entry, in the transaction of the entry. False: too many wait."""
    if _count(connection) >= MOST:
        return False
    row = {"chat": chat, "seq": seq, "kind": int(kind), "queued": now, "due": now}
    connection.execute(sa.insert(tables.mail).values(row))
    return True


def _count(connection: sa.Connection) -> int:
    return connection.scalar(sa.select(sa.func.count()).select_from(tables.mail)) or 0


def _due(now: int) -> sa.Select[tuple[int]]:
    """The number of the mail that is due first and that nobody sends."""
    is_due = _mail.due <= now, _mail.leased_until < now
    return sa.select(_mail.n).where(*is_due).order_by(_mail.due, _mail.n).limit(1)


def _take(connection: sa.Connection, now: int) -> Mail | None:
    n = connection.scalar(_due(now))
    lease = sa.update(tables.mail).where(_mail.n == n, _mail.leased_until < now)
    if n is None or not connection.execute(lease.values(leased_until=now + LEASE)).rowcount:
        return None
    entry, first = tables.message.alias(), tables.message.alias()
    query = (
        sa.select(
            _mail.n, _mail.kind, _mail.chat, _mail.queued, _mail.tries, entry.c.body,
            first.c.body, _left.left, _left.name, _left.email, _left.language, _left.department,
            _chat.page, _chat.waiter_name,
        )
        .join(tables.left_message, _left.chat == _mail.chat)
        .join(tables.chat, _chat.key == _mail.chat)
        .join(entry, (entry.c.chat == _mail.chat) & (entry.c.seq == _mail.seq))
        .join(first, (first.c.chat == _mail.chat) & (first.c.seq == 1))
        .where(_mail.n == n)
    )  # fmt: skip
    row = connection.execute(query).one_or_none()
    if row is None:  # what it is about is gone
        connection.execute(sa.delete(tables.mail).where(_mail.n == n))
        return None
    return Mail._make(row)
