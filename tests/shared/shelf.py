"""A store in memory for simulations: two workers may write to it, and it is the referee."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from services.conversation.kinds import Side
from services.conversation.rows import ConversationRow, EntryRow, StaffRow
from services.history.port import Batch, Conflict, Duty


class Shelf:
    """What `Writer`, `Order` and transcripts ask of a store; nothing here waits."""

    name = "shelf"

    def __init__(self) -> None:
        self.rows: dict[int, list[EntryRow]] = {}
        self.conversations: dict[int, ConversationRow] = {}
        self._ids: dict[tuple[int, int, str, str], EntryRow] = {}

    def check(self) -> None:
        """It is always there."""

    def commit(self, batch: Batch) -> None:
        """All of it, or `Conflict`."""
        new = [EntryRow(*row) for row in batch.entries]
        numbers = {(one.conversation, one.seq) for one in new}
        ids = {_identity(one) for one in new if one.client_id is not None}
        taken = any(one.seq <= len(self.rows.get(one.conversation, ())) for one in new)
        named = [one for one in new if one.client_id is not None]
        if taken or len(numbers) < len(new) or len(ids) < len(named) or ids & self._ids.keys():
            raise Conflict("a number or an id is there already")
        for one in new:
            rows = self.rows.setdefault(one.conversation, [])
            assert one.seq == len(rows) + 1, f"{one} leaves a gap after {len(rows)}"
            rows.append(one)
            if one.client_id is not None:
                self._ids[_identity(one)] = one
        for amendment in batch.amendments:
            self.conversations.setdefault(amendment.row.key, replace(amendment.row))

    def find(self, chat: int, side: int, author: str, client_ids: Sequence[str]) -> list[EntryRow]:
        """By their client ids."""
        found = [self._ids.get((chat, side, author, one)) for one in client_ids]
        return sorted({one for one in found if one is not None}, key=lambda one: one.seq)

    def entries(
        self,
        chat: int,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int = 50,
        newest: bool = True,
    ) -> list[EntryRow]:
        """As `port.Store` says."""
        rows = self.rows.get(chat, [])
        rows = rows[after : None if before is None else max(0, before - 1)]
        return rows[-limit:] if newest else rows[:limit]

    def entries_of(self, chat: int, kinds: Collection[int], **bounds: Any) -> list[EntryRow]:
        """As `port.Store` says; there are few."""
        rows = self.rows.get(chat, ())
        return [one for one in rows if one.kind in kinds and one.data is not None]

    def last_events(self, keys: Sequence[int]) -> dict[int, EntryRow]:
        """As `port.Store` says."""
        rows = (one for key in keys for one in self.rows.get(key, ()))
        return {one.conversation: one for one in rows if one.side == Side.SERVER}

    def last_words(self, keys: Sequence[int]) -> dict[int, EntryRow]:
        """As `port.Store` says."""
        rows = (one for key in keys for one in self.rows.get(key, ()))
        return {one.conversation: one for one in rows if one.side != Side.SERVER}

    def staff_entries(self, chat: int, **between: Any) -> list[StaffRow]:
        """Nobody writes notes."""
        return []

    def conversation(self, key: int) -> ConversationRow | None:
        """One, with its end."""
        found, rows = self.conversations.get(key), self.rows.get(key)
        if found is None or not rows:
            return found
        return replace(found, last_seq=len(rows), last_date=rows[-1].date)

    def ends(self, keys: Sequence[int]) -> dict[int, int]:
        """How many messages each has."""
        return {key: len(self.rows.get(key, ())) for key in keys}

    def knows(self, waiter: str, user: str) -> bool:
        """Everybody knows everybody."""
        return True

    def duties(self) -> list[Duty]:
        """None."""
        return []


def _identity(one: EntryRow) -> tuple[int, int, str, str]:
    return one.conversation, one.side, one.author, one.client_id or ""
