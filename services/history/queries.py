"""The queries of conversations and entries, once for both databases.

Rows come with the columns of `ENTRY` or of `CONVERSATION`, which are the fields of `EntryRow`
and `ConversationRow`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from ..conversation.kinds import EVENT, Side
from ..conversation.rows import MESSAGE, MOST_SEQ, ConversationRow, EntryRow
from . import tables

#: client ids or keys in one query: SQLite takes 32,766 values, PostgreSQL 65,535
FOUND_AT_ONCE = 1000

#: the columns of an entry
ENTRY = "chat", *EntryRow._fields[1:]

#: the columns of a conversation; its `last_seq` and `last_date` are looked up with it
CONVERSATION = tuple(field.name for field in dataclasses.fields(ConversationRow))[:-2]


def entries() -> sa.Select[Any]:
    """All entries."""
    return sa.select(*(tables.message.c[name] for name in ENTRY))


def entries_between(
    chat: int, after: int = 0, before: int | None = None, limit: int = 50, newest: bool = True
) -> sa.Select[Any]:
    """See `port.Store.entries`; the newest come first where they are asked for."""
    table = tables.message.c
    query = entries().where(table.chat == chat, table.seq > min(after, MOST_SEQ)).limit(limit)
    if before is not None:
        query = query.where(table.seq < min(before, MOST_SEQ))
    return query.order_by(table.seq.desc() if newest else table.seq)


def entries_of(
    chat: int, kinds: Collection[int], limit: int, newest: bool = True
) -> sa.Select[Any]:
    """See `port.Store.entries_of`; the newest come first where they are asked for."""
    table = tables.message.c
    query = entries_between(chat, limit=limit, newest=newest)
    return query.where(table.kind.in_(kinds), table.data.is_not(None))


def entries_of_sender(chat: int, side: int, author: str) -> sa.Select[Any]:
    """All that *author* has written on this *side* of a conversation."""
    table = tables.message.c
    return entries().where(table.chat == chat, table.side == side, table.author == author)


def last_entries(keys: Sequence[int], *, by_server: bool) -> sa.Select[Any]:
    """See `port.Store.last_events`, and `last_words` for those that people have written."""
    table = tables.message.c
    whose = _event() if by_server else table.side != Side.SERVER
    last = (
        sa.select(table.chat, sa.func.max(table.seq).label("seq"))
        .where(table.chat.in_(keys), whose)
        .group_by(table.chat)
        .subquery()
    )
    return entries().join_from(
        last, tables.message, (table.chat == last.c.chat) & (table.seq == last.c.seq)
    )


def answered(keys: Sequence[int]) -> sa.Select[Any]:
    """See `port.Store.answered`."""
    table = tables.message.c

    def last(which: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
        return sa.func.max(sa.case((which, table.seq), else_=0))

    return (
        sa.select(table.chat)
        .where(table.chat.in_(keys))
        .group_by(table.chat)
        .having(last(table.side == Side.WAITER) > last(_event()))
    )


def _event() -> sa.ColumnElement[bool]:
    """It is an event; the server's other entries are what the site says by itself."""
    table = tables.message.c
    return (table.side == Side.SERVER) & (table.kind == EVENT.number)


def that_stay(keys: Sequence[int]) -> sa.Select[Any]:
    """Which of these conversations are stored; nobody erases them before the transaction ends.

    In SQLite nobody else writes meanwhile anyway.
    """
    key = tables.chat.c.key
    there = sa.select(key).where(key.in_(keys)).order_by(key)
    return there.with_for_update(read=True, key_share=True)


def last_seqs() -> sa.Select[Any]:
    """The key and the highest `seq` of each conversation that has entries."""
    table = tables.message.c
    return sa.select(table.chat, sa.func.max(table.seq)).group_by(table.chat)


def conversations() -> sa.Select[Any]:
    """All conversations, with the number and the date of their last entry."""
    table = tables.message.c
    is_its_own = table.chat == tables.chat.c.key
    last = (
        sa.func.coalesce(
            sa.select(column)
            .where(is_its_own)
            .order_by(table.seq.desc())
            .limit(1)
            .scalar_subquery(),
            0,
        )
        for column in (table.seq, table.date)
    )
    return sa.select(*(tables.chat.c[name] for name in CONVERSATION), *last)


def conversations_of(
    side: int, subject: str, before: int | None = None, limit: int = 50
) -> sa.Select[Any]:
    """See `port.Store.conversations_of`."""
    query, key = conversations(), tables.chat.c.key
    if side == Side.USER:
        query = query.where(tables.chat.c.user_subject == subject)
    else:
        key = tables.service.c.chat
        served = tables.chat.c.key == key
        query = query.join_from(tables.chat, tables.service, served)
        query = query.where(tables.service.c.waiter == subject)
    if before is not None:
        query = query.where(key < before)
    return query.order_by(key.desc()).limit(limit)


def open_conversations() -> sa.Select[Any]:
    """See `port.Store.open_conversations`."""
    return conversations().where(tables.chat.c.ended.is_(None)).order_by(tables.chat.c.key)


def latest_of_users(after: int) -> sa.Select[Any]:
    """By the subjects of users: the latest of their conversations with keys above *after*.

    Messages that they have left are none of these: nobody has served them.
    """
    rows = tables.chat.c
    query = sa.select(rows.user_subject, sa.func.max(rows.key)).where(rows.key > after, _SERVED)
    return query.group_by(rows.user_subject)


def served_by(waiter: str, user: str) -> sa.Select[Any]:
    """The keys of conversations in which *waiter* has served *user*, both by their subjects."""
    served, rows = tables.service.c, tables.chat.c
    return sa.select(rows.key).where(rows.user_subject == user).where(
        sa.exists().where(served.chat == rows.key, served.waiter == waiter)
    )  # fmt: skip


def last_waiter(user: str) -> sa.Select[Any]:
    """The subject of the waiter who has served *user*, a subject, last."""
    served, rows = tables.service, tables.chat
    query = sa.select(served.c.waiter).join(rows, served.c.chat == rows.c.key)
    return query.where(rows.c.user_subject == user).order_by(rows.c.key.desc()).limit(1)


def first_answers(after: int, limit: int) -> sa.Select[Any]:
    """Of the latest conversations: `opened`, `waited`, the dates of either side's first entry.

    See `port.Store.reply_times`.
    """
    latest = _latest_keys(after, limit)
    table, rows = tables.message.c, tables.chat.c

    def first(side: Side) -> sa.ScalarSelect[Any]:
        dates = sa.select(table.date).where(table.chat == rows.key, table.side == side)
        return dates.order_by(table.seq).limit(1).scalar_subquery()

    answered = first(Side.WAITER).label("answered")
    query = sa.select(rows.opened, rows.waited, first(Side.USER).label("asked"), answered)
    found = query.where(rows.key.in_(latest)).subquery()
    return sa.select(found).where(found.c.answered.is_not(None))


def ended(after: int, limit: int) -> sa.Select[Any]:
    """Of the latest conversations that have ended: department, `opened`, `waited`, `ended`."""
    rows = tables.chat.c
    query = sa.select(rows.department, rows.opened, rows.waited, rows.ended)
    return query.where(rows.key.in_(_latest_keys(after, limit)), rows.ended.is_not(None))


#: a waiter has served the user in the conversation: it is no message that was left
_SERVED = tables.chat.c.reason != MESSAGE


def _latest_keys(after: int, limit: int) -> sa.Select[Any]:
    key = tables.chat.c.key
    return sa.select(key).where(key > after, _SERVED).order_by(key.desc()).limit(limit)
