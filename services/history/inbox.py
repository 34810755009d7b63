"""What is read of messages that visitors have left: pages of them, what is new, their answers.

Everything here is a part of a transaction, and blocks. `left_messages.py` says what a left
message is, and changes it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from ..conversation.kinds import TEXT, Side
from ..conversation.rows import EntryRow
from . import numbers, queries, tables

#: the row of `csapp_meta`
NUMBER = "left_messages"

#: ms after which a claim counts no more: who goes home with one does not hold it for ever
CLAIM_LASTS = 4 * 3_600_000

#: rows that one look at the news reads
MOST_NEWS = 1000

#: bytes of the texts of one page, as they are sent, about
PAGE = 200_000

_left, _chat, _message = tables.left_message.c, tables.chat.c, tables.message.c

IS_OPEN = _left.answered_at.is_(None) & _left.put_away_at.is_(None)

#: how many are open
COUNT = sa.select(sa.func.count()).select_from(tables.left_message).where(IS_OPEN)

#: a left message, and what its conversation says of it
ROWS = sa.select(
    *(column for column in tables.left_message.columns),
    _chat.page, _chat.waiter_subject, _chat.waiter_name,
).join(tables.chat, _chat.key == _left.chat)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sight:
    """Which messages a waiter sees: those of its departments, and of departments that are gone."""

    mine: Collection[str]
    #: the keys of all departments of the site
    known: Collection[str]

    def covers(self, department: str) -> bool:
        """Whether messages of *department* are among them."""
        is_gone = bool(department) and department not in self.known
        return is_gone or department in self.mine

    @property
    def where(self) -> sa.ColumnElement[bool]:
        """The same in SQL."""
        return _left.department.in_([*self.mine]) | _left.department.not_in(["", *self.known])


class Answer(NamedTuple):
    """One answer, as it is shown."""

    key: int
    seq: int
    name: str
    text: str
    date: int


def is_claimed(by: str | None, at: int | None, now: int) -> bool:
    """Whether a claim of the waiter *by*, made *at* that time, still counts; times in ms."""
    return by is not None and (at or 0) >= now - CLAIM_LASTS


@dataclass(frozen=True, slots=True)
class LeftMessage:
    """A message that was left."""

    key: int
    department: str
    name: str
    email: str
    left: int
    claimed_by: str | None
    claimed_name: str
    claimed_at: int | None
    answered_at: int | None
    put_away_at: int | None
    page: str
    text: str = ""
    answers: tuple[Answer, ...] = ()

    def is_claimed(self, now: int) -> bool:
        """Whether a waiter sees to it, *now* in ms."""
        return is_claimed(self.claimed_by, self.claimed_at, now)


class Page(NamedTuple):
    """Some messages, in order."""

    messages: list[LeftMessage]
    #: there are no more in that direction
    complete: bool
    #: how many are open of those that the waiter sees
    waiting: int


class Changed(NamedTuple):
    """A message that is new, or has changed."""

    key: int
    subject: str
    department: str
    #: it has a new answer
    is_answered: bool


class News(NamedTuple):
    """What has changed since a worker has looked."""

    #: up to which change it has read
    number: int
    #: open messages, by department
    waiting: dict[str, int]
    changed: list[Changed]
    #: the last conversation that was read of that change; None: the change was read whole
    after: int | None = None


# ---- pages -------------------------------------------------------------------


def page(
    connection: sa.Connection, sight: Sight, *, done: bool, after: int, before: int | None,
    limit: int,
) -> Page:  # fmt: skip
    """Open messages, the oldest first; or what is *done*, the newest first."""
    which = sight.where & (~IS_OPEN if done else IS_OPEN) & (_left.chat > after)
    if before is not None:
        which &= _left.chat < before
    order = _left.chat.desc() if done else _left.chat
    rows = connection.execute(ROWS.where(which).order_by(order).limit(limit + 1)).all()
    found = _with_texts(connection, rows[:limit])
    shown = _that_fit(found)
    waiting = connection.scalar(COUNT.where(sight.where)) or 0
    return Page(shown, len(rows) <= limit and len(shown) == len(found), waiting)


def answers(connection: sa.Connection, keys: Sequence[int]) -> list[Answer]:
    """All answers to these messages, in order."""
    rows = connection.execute(ROWS.where(_left.chat.in_(keys))).all()
    return [answer for one in _with_texts(connection, rows) for answer in one.answers]


def _with_texts(connection: sa.Connection, rows: Sequence[Any]) -> list[LeftMessage]:
    texts = _texts(connection, [row.chat for row in rows])
    return [_message_of(row, texts.get(row.chat, [])) for row in rows]


def _texts(connection: sa.Connection, keys: Sequence[int]) -> dict[int, list[EntryRow]]:
    """What people have written in these conversations, in order."""
    people = _message.kind == TEXT.number, _message.side != Side.SERVER
    query = queries.entries().where(_message.chat.in_(keys), *people)
    found: dict[int, list[EntryRow]] = {}
    for row in connection.execute(query.order_by(_message.chat, _message.seq)):
        found.setdefault(row.chat, []).append(EntryRow(*row))
    return found


def _message_of(row: Any, entries: Iterable[EntryRow]) -> LeftMessage:
    texts = [one for one in entries if one.side == Side.USER]
    answers = tuple(
        Answer(row.chat, one.seq, _author(row, one.author), one.body, one.date)
        for one in entries
        if one.side == Side.WAITER
    )
    return LeftMessage(
        row.chat, row.department, row.name, row.email, row.left, row.claimed_by, row.claimed_name,
        row.claimed_at, row.answered_at, row.put_away_at, row.page,
        texts[0].body if texts else "", answers,
    )  # fmt: skip


def _author(row: Any, subject: str) -> str:
    """The name of the waiter who has answered; of one that another has followed nobody knows it."""
    return row.waiter_name if subject == row.waiter_subject else ""


def _that_fit(found: list[LeftMessage]) -> list[LeftMessage]:
    """The first ones of *found* that are no more than a page; one at least."""
    room = PAGE
    for count, one in enumerate(found):
        texts = [one.text, *(answer.text for answer in one.answers)]
        room -= sum(len(msgspec.json.encode(text)) for text in texts)
        if room < 0 and count:
            return found[:count]
    return found


# ---- news --------------------------------------------------------------------


def number(connection: sa.Connection) -> int:
    """Grows with each change; 0: there was none yet. One row is read."""
    return numbers.read(connection, NUMBER)


def news(connection: sa.Connection, since: int, after: int | None) -> News:
    """The first `MOST_NEWS` of what has changed after the change *since*.

    *after*: of that change itself the conversations after this one as well.
    """
    later = _left.changed > since
    if after is not None:
        later |= (_left.changed == since) & (_left.chat > after)
    query = (
        sa.select(_left.chat, _left.subject, _left.department, _left.answered, _left.changed)
        .where(later)
        .order_by(_left.changed, _left.chat)
        .limit(MOST_NEWS)
    )
    last_change, last = number(connection), None
    rows = connection.execute(query).all()
    open_ones = waiting(connection)
    if len(rows) == MOST_NEWS:
        last_change, last = rows[-1].changed, rows[-1].chat
    changed = [Changed(row.chat, row.subject, row.department, row.answered > since) for row in rows]
    return News(last_change, open_ones, changed, last)


def waiting(connection: sa.Connection) -> dict[str, int]:
    """How many are open, by department."""
    query = sa.select(_left.department, sa.func.count()).where(IS_OPEN)
    rows = connection.execute(query.group_by(_left.department))
    return {row[0]: row[1] for row in rows}
