"""How tests name what an entry says, whatever its kind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from services.conversation.kinds import NOTE, Side, kind_of
from services.conversation.rows import EntryRow, StaffRow
from services.wire.dates import rfc3339

from .journal import Item


def said(payload: Mapping[str, Any]) -> str:
    """What the *payload* of an entry says, in one text."""
    if payload.keys() == {"message"}:
        return str(payload["message"])
    return json.dumps(payload, sort_keys=True)


def item(row: EntryRow) -> Item:
    """A stored entry, as clients should see it. What the server writes has no sender."""
    by_server = row.side == Side.SERVER
    payload = kind_of(row.kind).payload_of(row.body, row.data)
    return Item(
        row.seq, "" if by_server else row.author, said(payload),
        None if by_server else row.client_id, rfc3339(row.date),
    )  # fmt: skip


def note(conversation: int, author: str, text: str, date: int = 1) -> StaffRow:
    """A note of *author*, still without its numbers."""
    return StaffRow(conversation, 0, 0, NOTE.number, author, None, text, None, date)
