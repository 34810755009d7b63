"""Messages that visitors have left when nobody served them, and what waiters do with them.

A left message is a conversation that has ended when it began: a row of `chat` with the reason
`MESSAGE`, whose first entry is the text. So history, search, export and erasure know it as any
other. What else there is to know of it is in `left_message`. It is *open* until it is answered
or put away.

The number `left_messages` (`numbers`) grows with each change, and is the lock of all changes.
`changed` of a row is that number after its last change, so a worker reads what is new to it.

`inbox.py` reads them. Everything here blocks and is called from native threads only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa

from ..conversation.kinds import TEXT, Side
from ..conversation.rows import ConversationRow, EntryRow
from ..errors import CSAppError
from ..seldom import Seldom
from . import inbox, mail, numbers, queries, tables, visits
from .inbox import COUNT, NUMBER, ROWS, Answer, News, Page, Sight, is_claimed
from .port import Conflict, Visit
from .queries import CONVERSATION
from .slices import reading, writing
from .sql import SQLStore

log = logging.getLogger("csapp")
_say = Seldom(log)

#: open messages of one visitor, and of all
MOST_OF_ONE = 5
MOST_OPEN = 10_000

#: answers to one message
MOST_ANSWERS = 10

#: attempts to number an answer while the visitor writes into the same conversation
ATTEMPTS = 20

_left, _chat, _message = tables.left_message.c, tables.chat.c, tables.message.c

T = TypeVar("T")


class LeftMessageError(CSAppError):
    """It is not possible, and nothing has changed."""


class IdTaken(LeftMessageError):
    """The `id` stands for another message, or another answer."""


class TooMany(LeftMessageError):
    """The visitor has left too many that are open."""


class AnsweredOften(LeftMessageError):
    """It has as many answers as it may have."""


class Full(LeftMessageError):
    """Too many are open in all."""


class Unknown(LeftMessageError):
    """There is no such message among those that the waiter may see."""


class Claimed(LeftMessageError):
    """Another waiter has claimed it: *name*; empty: it has none."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"{name or 'Another waiter'} has claimed this message")


class Leaving(NamedTuple):
    """A message that is about to be stored."""

    #: with `opened` = `ended`
    row: ConversationRow
    department: str
    text: str
    client_id: str | None
    name: str = ""
    email: str = ""
    language: str = ""
    #: that ends with the message
    visit: Visit | None = None


class Deed(NamedTuple):
    """What a waiter does with a message: claims, releases, puts away or answers it."""

    key: int
    #: of the waiter: UUID, subject, name and picture
    uuid: str
    subject: str
    name: str
    avatar: str
    #: ms since 1970
    now: int
    #: of an answer
    text: str = ""
    client_id: str | None = None


class Place(NamedTuple):
    """Where a text is stored."""

    key: int
    seq: int
    #: ms since 1970
    date: int


class LeftMessageTable:
    """The messages left in *store*. All methods raise `StoreError` while it is down.

    *wanted*: about what mails are to be sent.
    """

    def __init__(self, store: SQLStore, wanted: mail.Wanted = mail.NONE) -> None:
        self._store = store
        self._wanted = wanted

    # ---- what visitors do ----------------------------------------------

    def find(self, subject: str, client_id: str | None, text: str) -> Place | None:
        """Where the message of *subject* with this *client_id* is stored; None: it is not.

        Raises `IdTaken`.
        """
        if client_id is None:
            return None
        with reading(self._store) as connection:
            return _find(connection, subject, client_id, text)

    def check_room(self, subject: str) -> None:
        """Raise `TooMany` or `Full` where *subject* may leave no message now."""
        with reading(self._store) as connection:
            _check_room(connection, subject)

    def leave(self, message: Leaving) -> Place:
        """Store *message*, unless it is there already.

        Raises `IdTaken`, `TooMany`, `Full`; or `OutcomeUnknown`: send it again.
        """
        return self._change(partial(_leave, message, self._wanted))

    # ---- what waiters do -----------------------------------------------

    def page(
        self, sight: Sight, *, done: bool = False, after: int = 0, before: int | None = None,
        limit: int = 50,
    ) -> Page:  # fmt: skip
        """Open messages, the oldest first; or what is *done*, the newest first."""
        with reading(self._store) as connection:
            return inbox.page(connection, sight, done=done, after=after, before=before, limit=limit)

    def claim(self, sight: Sight, who: Deed) -> None:
        """Let this waiter see to a message. Raises `Claimed`, `Unknown`."""
        self._change(partial(_claim, sight, who))

    def release(self, sight: Sight, who: Deed) -> None:
        """Let others see to it. Raises `Claimed`, `Unknown`."""
        self._change(partial(_release, sight, who))

    def put_away(self, sight: Sight, who: Deed) -> None:
        """It needs no answer. Raises `Claimed`, `Unknown`."""
        self._change(partial(_put_away, sight, who))

    def answer(self, sight: Sight, answer: Deed) -> Place:
        """Store an answer, unless it is there already; the message is claimed by its author.

        Raises `Claimed`, `Unknown`, `IdTaken`, `AnsweredOften`; or `OutcomeUnknown`: send it again.
        """
        return self._change(partial(_answer, sight, answer, self._wanted))

    def _change(self, work: Callable[[sa.Connection, int], T]) -> T:
        """Do *work* in one transaction, in which nobody else changes a left message."""
        for _ in range(ATTEMPTS):
            try:
                return self._store.transact(lambda one: work(one, numbers.grow(one, NUMBER)))
            except Conflict:  # the visitor has taken the number of the entry
                continue
        raise Conflict("others were faster each time")

    # ---- news ----------------------------------------------------------

    def number(self) -> int:
        """Grows with each change; 0: there was none yet. One row is read."""
        with reading(self._store) as connection:
            return inbox.number(connection)

    def news(self, since: int, after: int | None = None) -> News:
        """The first `inbox.MOST_NEWS` of what has changed after the change *since*.

        *after*: of that change itself the conversations after this one as well.
        """
        with reading(self._store) as connection:
            return inbox.news(connection, since, after)

    def waiting(self) -> tuple[int, dict[str, int]]:
        """The number of the last change, and how many are open, by department."""
        with reading(self._store) as connection:
            return inbox.number(connection), inbox.waiting(connection)

    def answers(self, keys: Sequence[int]) -> list[Answer]:
        """All answers to these messages, in order."""
        if not keys:
            return []
        with reading(self._store) as connection:
            return inbox.answers(connection, keys)


# ---- writing -----------------------------------------------------------------

_INSERT = sa.insert(tables.left_message)
_UPDATE = sa.update(tables.left_message)
_conversation_row = attrgetter(*CONVERSATION)


def _find(connection: sa.Connection, subject: str, client_id: str, text: str) -> Place | None:
    is_same = _left.subject == subject, _left.client_id == client_id
    query = sa.select(_left.chat, _left.left, _message.body).where(*is_same)
    first = sa.and_(_message.chat == _left.chat, _message.seq == 1)
    row = connection.execute(query.join(tables.message, first)).one_or_none()
    if row is None:
        return None
    if row.body != text:
        raise IdTaken("it stands for another message")
    return Place(row.chat, 1, row.left)


def _leave(message: Leaving, wanted: mail.Wanted, connection: sa.Connection, number: int) -> Place:
    row, subject = message.row, message.row.user_subject
    if message.client_id is not None:
        found = _find(connection, subject, message.client_id, message.text)
        if found is not None:
            return found
    _check_room(connection, subject)
    values = dict(zip(CONVERSATION, _conversation_row(row), strict=True))
    connection.execute(sa.insert(tables.chat).values(values))
    author = subject, message.client_id, TEXT.number
    _put(connection, EntryRow(row.key, 1, Side.USER, *author, message.text, row.opened))
    connection.execute(
        _INSERT.values(
            chat=row.key, subject=subject, client_id=message.client_id,
            department=message.department, name=message.name, email=message.email,
            language=message.language, left=row.opened, changed=number,
        )
    )  # fmt: skip
    if message.visit is not None:
        visits.merge(connection, message.visit)
    if wanted.left:
        _send(connection, mail.Kind.LEFT, row.key, 1, row.opened)
    return Place(row.key, 1, row.opened)


def _send(connection: sa.Connection, kind: mail.Kind, chat: int, seq: int, now: int) -> None:
    """Have a mail sent about an entry, unless too many wait."""
    if not mail.put(connection, kind, chat, seq, now):
        _say("mail", logging.ERROR, "%d mails wait: there is none about this entry", mail.MOST)


def _check_room(connection: sa.Connection, subject: str) -> None:
    """Raise `TooMany` or `Full`."""
    if (connection.scalar(COUNT.where(_left.subject == subject)) or 0) >= MOST_OF_ONE:
        raise TooMany(f"{MOST_OF_ONE} messages of yours wait for an answer")
    if (connection.scalar(COUNT) or 0) >= MOST_OPEN:
        raise Full("too many messages wait for an answer")


def _put(connection: sa.Connection, entry: EntryRow) -> None:
    """Insert a text."""
    values = dict(zip(queries.ENTRY, entry, strict=True))
    connection.execute(sa.insert(tables.message).values(values))


def _get(connection: sa.Connection, sight: Sight, who: Deed) -> Any:
    """The row of a message that *who* may deal with. Raises `Unknown`, `Claimed`."""
    row = connection.execute(ROWS.where(_left.chat == who.key, sight.where)).one_or_none()
    if row is None:
        raise Unknown("no such message")
    if row.claimed_by != who.subject and is_claimed(row.claimed_by, row.claimed_at, who.now):
        raise Claimed(row.claimed_name)
    return row


def _set(connection: sa.Connection, who: Deed, number: int, **values: Any) -> None:
    which = _left.chat == who.key
    connection.execute(_UPDATE.where(which).values(changed=number, **values))


def _claim(sight: Sight, who: Deed, connection: sa.Connection, number: int) -> None:
    _get(connection, sight, who)
    # The number is a lock, so nobody has claimed it since.
    _set(
        connection, who, number,
        claimed_by=who.subject, claimed_name=who.name, claimed_at=who.now,
    )  # fmt: skip
    served = who.subject, who.key
    there = sa.select(tables.service.c.chat).where(
        tables.service.c.waiter == who.subject, tables.service.c.chat == who.key
    )
    if connection.scalar(there) is None:
        connection.execute(sa.insert(tables.service).values(served))


def _release(sight: Sight, who: Deed, connection: sa.Connection, number: int) -> None:
    if _get(connection, sight, who).claimed_by is not None:
        _set(connection, who, number, claimed_by=None, claimed_name="", claimed_at=None)


def _put_away(sight: Sight, who: Deed, connection: sa.Connection, number: int) -> None:
    row = _get(connection, sight, who)
    if row.answered_at is None and row.put_away_at is None:
        _set(connection, who, number, put_away_at=who.now)


def _answer(
    sight: Sight, who: Deed, wanted: mail.Wanted, connection: sa.Connection, number: int
) -> Place:
    found = _find_answer(connection, who)
    if found is not None:
        return found
    _claim(sight, who, connection, number)
    connection.scalar(queries.that_stay([who.key]))  # nobody erases it before the end of this
    here = _message.chat == who.key
    last = sa.select(sa.func.max(_message.seq), sa.func.max(_message.date)).where(here)
    seq, date = connection.execute(last).one()
    place = Place(who.key, (seq or 0) + 1, max(who.now, date or 0))
    answers = sa.select(sa.func.count()).where(here, _message.side == Side.WAITER)
    if (connection.scalar(answers) or 0) >= MOST_ANSWERS:
        raise AnsweredOften(f"this message has {MOST_ANSWERS} answers")
    author = who.subject, who.client_id, TEXT.number
    _put(connection, EntryRow(who.key, place.seq, Side.WAITER, *author, who.text, place.date))
    serving = {
        "waiter": who.uuid, "waiter_subject": who.subject, "waiter_name": who.name,
        "waiter_avatar": who.avatar,
    }  # fmt: skip
    connection.execute(sa.update(tables.chat).where(_chat.key == who.key).values(serving))
    _set(connection, who, number, answered=number, answered_at=place.date)
    email = sa.select(_left.email).where(_left.chat == who.key)
    if wanted.answers and connection.scalar(email):
        _send(connection, mail.Kind.ANSWER, who.key, place.seq, who.now)
    return place


def _find_answer(connection: sa.Connection, who: Deed) -> Place | None:
    """Where the answer with this `id` is stored; None: it is not. Raises `IdTaken`."""
    if who.client_id is None:
        return None
    query = queries.entries_of_sender(who.key, Side.WAITER, who.subject)
    row = connection.execute(query.where(_message.client_id == who.client_id)).one_or_none()
    if row is None:
        return None
    if row.body != who.text:
        raise IdTaken("it stands for another answer")
    return Place(who.key, row.seq, row.date)


# ---- forgetting --------------------------------------------------------------


def forget(connection: sa.Connection, keys: Collection[int]) -> None:
    """Delete these messages, but not their conversations, in the transaction of *connection*."""
    which = _left.chat.in_(keys)
    if connection.scalar(sa.select(sa.exists().where(which))):
        numbers.grow(connection, NUMBER)
        connection.execute(sa.delete(tables.left_message).where(which))


def forget_waiter(store: SQLStore, subject: str) -> None:
    """Release all messages that *subject* has claimed. Raises `StoreError`."""
    theirs = _left.claimed_by == subject
    with reading(store) as connection:
        if not connection.scalar(sa.select(sa.exists().where(theirs))):
            return
    nobody = {"claimed_by": None, "claimed_name": "", "claimed_at": None}
    with writing(store) as connection:
        number = numbers.grow(connection, NUMBER)
        connection.execute(_UPDATE.where(theirs).values(changed=number, **nobody))
