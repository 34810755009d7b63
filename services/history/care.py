"""What a keeper of people's words owes them: to show them all, and to forget them.

A *person* is a subject: whoever chatted as a visitor under it, and whoever
served or wrote under it as a waiter. Everything goes over the store in slices
(`slices`): neither memory nor the write lock is held for long, however much
there is. All of it blocks: native threads and commands only.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from ..conversation.kinds import Side
from ..conversation.rows import ConversationRow, EntryRow, StaffRow
from ..security_log import Event, security
from . import departments, files, left_messages, slices, staff, tables, visit_care, word_index
from . import erased as erased_keys
from .cleaning import clean
from .queries import CONVERSATION
from .slices import BATCH, PAUSE, SLICE, Pause, reading, windows, writing
from .sql import SQLStore

DAY = 86_400_000  # ms

_chat, _message, _note = tables.chat.c, tables.message.c, tables.note.c
_service = tables.service.c

_CONVERSATIONS = sa.select(*(_chat[name] for name in CONVERSATION))


# ---- reading ---------------------------------------------------------------


def find_conversation(store: SQLStore, key: int) -> Iterator[ConversationRow]:
    """The conversation with this key, or nothing."""
    with reading(store) as connection:
        row = connection.execute(_CONVERSATIONS.where(_chat.key == key)).one_or_none()
    if row is not None:
        yield ConversationRow(*row)


def conversations_of(store: SQLStore, subject: str) -> Iterator[ConversationRow]:
    """Every conversation of *subject*, as a visitor or as a waiter, oldest first.

    A conversation may have had several waiters, and an author has no index (it would
    cost every message something): this looks through the whole store once.
    """
    wrote = sa.exists().where(_message.chat == _chat.key, _message.author == subject)
    noted = sa.exists().where(_note.chat == _chat.key, _note.author == subject)
    served = sa.exists().where(_service.chat == _chat.key, _service.waiter == subject)
    theirs = sa.or_(_chat.user_subject == subject, served, wrote, noted)
    last = -1
    while True:
        with reading(store) as connection:
            keys = connection.scalars(
                sa.select(_chat.key).where(_chat.key > last).order_by(_chat.key).limit(BATCH)
            ).all()
            if not keys:
                return
            query = _CONVERSATIONS.where(_chat.key.between(keys[0], keys[-1]), theirs)
            rows = connection.execute(query.order_by(_chat.key))
            found = [ConversationRow(*row) for row in rows]
        yield from found
        last = keys[-1]


def entries_of(store: SQLStore, conversation: int) -> Iterator[EntryRow]:
    """Every entry of a conversation, in order."""
    last = 0
    while some := store.entries(conversation, after=last, limit=BATCH, newest=False):
        yield from some
        last = some[-1].seq


def staff_entries_of(store: SQLStore, conversation: int) -> Iterator[StaffRow]:
    """Every staff entry of a conversation, in order."""
    last = 0
    while True:
        with reading(store) as connection:
            query = staff.behind(conversation, last, BATCH)
            some = [StaffRow(*row) for row in connection.execute(query)]
        if not some:
            return
        yield from some
        last = some[-1].n


# ---- forgetting ------------------------------------------------------------


@dataclass(slots=True)
class Removed:
    """What is gone: so many rows of each."""

    chats: int = 0
    messages: int = 0
    notes: int = 0
    #: whose content is to be deleted now: `Files.remove_marked`
    files: int = 0
    #: visits in which a waiter was replaced
    visits: int = 0
    #: what is left of it in files, and what to do about that: a sentence each
    left: tuple[str, ...] = ()

    @property
    def anything(self) -> bool:
        """There was something to do: of a conversation that is gone, entries may be left."""
        return any(value for name, value in asdict(self).items() if name != "left")


@dataclass(slots=True)
class Erased(Removed):
    """What an erasure did."""

    #: conversations among `chats` that had not ended: a running server may write those again
    open_conversations: int = 0
    #: conversations of others in which a waiter's name was replaced
    renamed_chats: int = 0
    #: messages and notes whose author was replaced
    renamed_texts: int = 0
    #: a waiter's duty, account and memberships of departments
    accounts: int = 0
    #: revocations whose subject was replaced
    revocations: int = 0


def erase(
    store: SQLStore, subject: str, *, vacuum: bool | None = None, pause: Pause = slices.sleep
) -> Erased:
    """Forget *subject*, for good. Raises `StoreError`; then it may be called again.

    Nobody's is the empty one (`ValueError`): in the tables it stands for all waiters.

    - As a visitor: its conversations go with all that either side wrote in them,
      the notes on them, and their words in the search index.
    - As a waiter: the conversations are their visitors' and stay. Its subject and name
      are replaced there by a pseudonym, a new one for each erasure; so are they
      as the author of messages and notes, in revocations and in visits. Its duty, its
      account, its memberships of departments and its own canned replies go. What it
      *wrote* stays, even where it wrote its own name.

    Then nothing of it is left in the database's files, but for what `Erased.left`
    names; *vacuum* is that of `cleaning.clean`.
    """
    if not subject:
        raise ValueError("subject: nobody has an empty one")
    erased = Erased()
    with writing(store) as connection:
        erased_keys.prune(connection)
    with reading(store) as connection:
        mine = sa.select(sa.func.count()).where(
            _chat.user_subject == subject, _chat.ended.is_(None)
        )
        erased.open_conversations = connection.execute(mine).scalar_one()
    while keys := _some_keys(store, _chat.user_subject == subject):
        _remove(store, keys, erased, pause)
    # What it has written, or the server of it. The texts of a waiter may be of a new conversation
    # whose row another worker is about to store; all others are stored behind that row.
    own = sa.and_(_message.side != Side.WAITER, _message.author == subject)
    for keys in _left_behind(store, own):
        _remove(store, keys, erased, pause)
    _forget_waiter(store, subject, erased, pause)
    if erased.anything:
        erased.left = clean(store, vacuum=vacuum, pause=pause)
    return erased


def sweep(
    store: SQLStore,
    older_than_ms: int,
    now: int,
    *,
    vacuum: bool | None = None,
    pause: Pause = slices.sleep,
) -> Removed:
    """Delete conversations that ended more than *older_than_ms* before *now*. Raises `StoreError`.

    Open conversations stay, however old. Visits that ended before that stay without their waiters.
    What is left in files is named by
    `Removed.left`; *vacuum* is that of `cleaning.clean`.
    """
    removed = Removed()
    while keys := _some_keys(store, _chat.ended < now - older_than_ms):
        _remove(store, keys, removed, pause)
    limit = now - older_than_ms
    for keys in _left_behind(store, _message.date < limit, until=limit):
        _remove(store, keys, removed, pause)
    removed.visits = visit_care.forget_old(store, limit, pause)
    if removed.anything or vacuum:
        removed.left = clean(store, vacuum=vacuum, pause=pause)
    return removed


def daily(
    store: SQLStore, retention_days: int, now: int, *, pause: Pause = slices.sleep
) -> Removed:
    """What a server does once a day, off the loop: sweep, if conversations do not stay for ever.

    SQLite's file is not written anew: others wait for that.
    """
    with writing(store) as connection:
        erased_keys.prune(connection)
    if retention_days <= 0:
        return Removed()
    vacuum = False if store.name == "sqlite" else None
    removed = sweep(store, retention_days * DAY, now, vacuum=vacuum, pause=pause)
    if removed.anything:
        why = f"older than {retention_days} days"
        security.record(
            Event.ERASURE, by="server", reason=why, count=removed.chats, entries=removed.messages
        )
    return removed


def is_engaged(store: SQLStore, subject: str) -> bool:
    """Whether a server may still write of *subject*: a conversation is open, or a waiter on duty.

    Raises `StoreError`.
    """
    side = sa.or_(_chat.user_subject == subject, _chat.waiter_subject == subject)
    is_open = sa.exists().where(_chat.ended.is_(None), side)
    serves = sa.exists().where(tables.duty.c.subject == subject, tables.duty.c.ready)
    with reading(store) as connection:
        return bool(connection.execute(sa.select(sa.or_(is_open, serves))).scalar())


def _some_keys(
    store: SQLStore, which: sa.ColumnElement[bool], key: sa.Column[int] = _chat.key
) -> list[int]:
    query = sa.select(key).where(which).limit(BATCH)
    with reading(store) as connection:
        return list(connection.scalars(query))


def _left_behind(
    store: SQLStore, which: sa.ColumnElement[bool], *, until: int | None = None
) -> Iterator[list[int]]:
    """The keys of conversations that are gone, but for entries *which* are still there.

    A conversation was erased while it was open, and its server has died before it could write
    the row again. Where only its waiter has written since, nothing says whose it was: no erasure
    finds it, only a sweep once the texts are old. Where conversations stay for ever they stay,
    too, but no history, search or export shows them.

    *until*: leave out what was written after the first window in which no entry is older than
    that. Entries lie in the order in which they were written, but a clock may have been ahead.
    """
    is_gone = ~sa.exists().where(_chat.key == _message.chat)
    for first, last in windows(store, _message.n):
        here = _message.n.between(first, last)
        with reading(store) as connection:
            found = sa.select(_message.chat).where(here, which, is_gone).distinct()
            keys = list(connection.scalars(found))
            oldest = sa.select(sa.func.min(_message.date)).where(here)
            date = None if until is None else connection.scalar(oldest)
        if keys:
            yield keys
        if until is not None and date is not None and date >= until:
            return


def _remove(store: SQLStore, keys: list[int], removed: Removed, pause: Pause) -> None:
    """Delete conversations with all that belongs to them; they go last, so that it can resume."""
    some_entries = sa.select(_message.n).where(_message.chat.in_(keys)).limit(SLICE)
    some_notes = sa.select(_note.n).where(_note.chat.in_(keys)).limit(SLICE)
    while True:
        with writing(store) as connection:
            entries = list(connection.scalars(some_entries))
            notes = list(connection.scalars(some_notes.limit(SLICE - len(entries))))
            is_last = len(entries) + len(notes) < SLICE
            if is_last:
                left_messages.forget(connection, keys)
                removed.files += files.forget_conversations(connection, keys)
                _delete(connection, tables.mail, tables.mail.c.chat.in_(keys))
                if isinstance(removed, Erased):  # what was swept and comes back is swept again
                    has_ended = _chat.key.in_(keys), _chat.ended.is_not(None)
                    ended = sa.select(_chat.key).where(*has_ended).with_for_update()
                    erased_keys.note(connection, connection.scalars(ended))
                # Who has locked one of them stores an entry of it just now, which is waited for.
                # From here on nobody stores any: what is found later is all.
                removed.chats += _delete(connection, tables.chat, _chat.key.in_(keys))
                _delete(connection, tables.service, _service.chat.in_(keys))
                entries = list(connection.scalars(some_entries.limit(None)))
                removed.notes += _delete(connection, tables.note, _note.chat.in_(keys))
            elif notes:
                removed.notes += _delete(connection, tables.note, _note.n.in_(notes))
            if entries:
                word_index.delete_messages(connection, entries)
        removed.messages += len(entries)
        pause(PAUSE)
        if is_last:
            return


def _delete(connection: sa.Connection, table: sa.Table, which: sa.ColumnElement[bool]) -> int:
    return connection.execute(sa.delete(table).where(which)).rowcount


def _forget_waiter(store: SQLStore, subject: str, erased: Erased, pause: Pause) -> None:
    pseudonym = f"erased-{secrets.token_hex(4)}"
    somebody = str(UUID(bytes=secrets.token_bytes(16), version=4))
    serves = _chat.waiter_subject == subject
    served = {
        "waiter_subject": sa.case((serves, pseudonym), else_=_chat.waiter_subject),
        "waiter_name": pseudonym,
        "waiter_avatar": "",
        # the UUID of an open conversation is a server's to change
        "waiter": sa.case((_chat.ended.is_(None), _chat.waiter), else_=somebody),
    }
    while keys := _some_keys(store, _service.waiter == subject, _service.chat):
        with writing(store) as connection:
            # Nobody knows whose the name of a conversation is that no waiter serves: maybe its own.
            last = _chat.key.in_(keys), sa.or_(serves, _chat.waiter_subject.is_(None))
            connection.execute(sa.update(tables.chat).where(*last).values(served))
            ever = _service.chat.in_(keys), _service.waiter == subject
            change = sa.update(tables.service).where(*ever).values(waiter=pseudonym)
            erased.renamed_chats += connection.execute(change).rowcount
        pause(PAUSE)
    author = {"author": pseudonym}
    entry = {**author, "data": _without_name(store)}
    erased.renamed_texts += _rename(store, tables.message, "author", subject, entry, pause)
    erased.renamed_texts += _rename(store, tables.note, "author", subject, author, pause)
    erased.revocations += _rename(
        store, tables.revoked, "subject", subject, {"subject": pseudonym}, pause
    )
    for table, column, name in (
        (tables.canned, "author", "author_name"),
        (tables.canned_past, "author", "author_name"),
        (tables.canned_past, "ended_by", "ended_by_name"),
    ):
        _rename(store, table, column, subject, {column: pseudonym, name: ""}, pause)
    left_messages.forget_waiter(store, subject)
    files.forget_author(store, subject, pseudonym)
    erased.visits += visit_care.forget_waiter(store, subject, pseudonym, pause)
    erased.accounts += departments.forget_waiter(store, subject)
    with writing(store) as connection:
        erased.accounts += _delete(connection, tables.duty, tables.duty.c.subject == subject)
        erased.accounts += _delete(connection, tables.account, tables.account.c.name == subject)
        _delete(connection, tables.familiar, tables.familiar.c.name == subject)
        _delete(connection, tables.canned, tables.canned.c.owner == subject)


def _without_name(store: SQLStore) -> sa.Case[Any]:
    """`data` of an entry; of the server's without the name of the side that it is about."""
    nameless: sa.ColumnElement[Any]
    if store.name == "postgresql":
        fields = sa.cast(_message.data, JSONB)
        nameless = sa.cast(fields.op("-", return_type=JSONB)(sa.literal("name", sa.Text)), sa.Text)
    else:
        nameless = sa.func.json_remove(_message.data, "$.name")
    return sa.case((_message.side == Side.SERVER, nameless), else_=_message.data)


def _rename(
    store: SQLStore,
    table: sa.Table,
    column: str,
    subject: str,
    values: dict[str, Any],
    pause: Pause,
) -> int:
    """Replace *subject* in a column without an index, stretch by stretch."""
    renamed = 0
    for first, last in windows(store, table.c.n):
        which = sa.and_(table.c.n.between(first, last), table.c[column] == subject)
        with reading(store) as connection:
            there = connection.execute(sa.select(sa.exists().where(which))).scalar_one()
        if there:
            with writing(store) as connection:
                change = sa.update(table).where(which).values(values)
                renamed += connection.execute(change).rowcount
            pause(PAUSE)
    return renamed
