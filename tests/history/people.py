"""Chats to keep: who said what, in few words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.conversation.kinds import TEXT, Side
from services.conversation.rows import ConversationRow, EntryRow
from services.history import slices
from services.history.port import Batch, Duty
from services.history.sql import SQLStore
from services.history.word_index import PIECE_CHARACTERS, index_slice
from testkit.entries import note

#: 2026-01-02T03:04:05Z
BEGAN = 1_767_323_045_000


def no_pause(_: float) -> None:
    """Instead of `time.sleep`."""


def index_all(store: SQLStore, most: int | None = None) -> int:
    """Put all texts into SQLite's index of words, *most* at once; how many there were."""
    added = 0
    while store.name == "sqlite":
        some = index_slice(store, most=most or slices.SLICE, characters=PIECE_CHARACTERS).added
        if not some:
            break
        added += some
    return added


def keep(
    store: SQLStore,
    key: int,
    texts: Sequence[str] = ("Hello", "Good day"),
    *,
    user: str = "ada",
    waiter: str | None = "wim",
    authors: Sequence[str] = (),
    ended: int | None = BEGAN + 60_000,
    notes: Sequence[str] = (),
    **more: Any,
) -> ConversationRow:
    """A chat in which both sides speak in turn, the visitor first."""
    chat = ConversationRow(
        key=key,
        user=f"uuid-of-{user}",
        user_subject=user,
        user_name=more.pop("user_name", user.title()),
        waiter=f"uuid-of-{waiter}",
        waiter_subject=waiter,
        waiter_name=more.pop("waiter_name", (waiter or "").title()),
        opened=more.pop("opened", BEGAN),
        ended=ended,
        **more,
    )
    messages = []
    for seq, text in enumerate(texts, 1):
        side = Side.USER if seq % 2 else Side.WAITER
        speaker = user if side == Side.USER else (waiter or "")
        author = authors[seq - 1] if authors else speaker
        date = BEGAN + seq * 1000
        messages.append(
            EntryRow(key, seq, side, author, f"id-{key}-{seq}", TEXT.number, text, date)
        )
    store.commit(Batch(conversations=[chat], entries=messages))
    for text in notes:
        store.write_for_staff(note(key, waiter or "", text, BEGAN))
    return chat


def duty(store: SQLStore, subject: str, *, ready: bool = True) -> None:
    """*subject* has been on duty."""
    store.commit(Batch(duties=[Duty(subject, f"uuid-of-{subject}", ready, 5)]))
