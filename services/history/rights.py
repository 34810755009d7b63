"""Who may read and write in a conversation, by its row."""

from __future__ import annotations

from ..conversation.kinds import Side
from ..conversation.rows import ConversationRow
from .port import Store


def may_read(store: Store, row: ConversationRow, side: Side, subject: str) -> bool:
    """A user reads its own conversations; a waiter, all of users whom it has served. Blocks."""
    if side is Side.USER:
        return row.user_subject == subject
    return store.knows(subject, row.user_subject)


def may_write(row: ConversationRow, side: Side, subject: str) -> bool:
    """Both sides of a conversation that is open: its user, and the waiter who serves it."""
    writer = row.user_subject if side is Side.USER else row.waiter_subject
    return row.ended is None and writer == subject
