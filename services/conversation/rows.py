"""A conversation and its entries as they are stored, and what a conversation is called outside.

Times are whole milliseconds since 1970, UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

#: no entry has a higher `seq` or `n`; PostgreSQL compares with none
MOST_SEQ = (1 << 31) - 1

#: the `reason` of a conversation that nobody has served: the visitor has left a message
MESSAGE = "message"


def public_id(conversation: int) -> str:
    """How the conversation with this key is called outside."""
    return f"{conversation:x}"


def key_of(conversation: str) -> int | None:
    """The key of the conversation that is called *conversation* outside; None: there can be none.

    Only the spelling of `public_id` is a name: other spellings would give one conversation
    many names.
    """
    try:
        key = int(conversation, 16)
    except ValueError:
        return None
    return key if 0 < key < 1 << 63 and public_id(key) == conversation else None


class EntryRow(NamedTuple):
    """One stored entry of a conversation."""

    conversation: int
    seq: int
    side: int
    #: the subject that wrote it: a conversation may have had several waiters
    author: str
    #: the `id` of the frame, in version 2; None: never taken for a repeat
    client_id: str | None
    #: its number: `kinds.Kind`
    kind: int
    #: what people wrote: `kinds.Body.words`
    body: str
    date: int
    #: all else of its payload: `kinds.Body.data`
    data: str | None = None


class StaffRow(NamedTuple):
    """One stored entry of a conversation's staff track: what waiters write for each other."""

    conversation: int
    #: counts the staff entries of one conversation: 1, 2, 3 …
    n: int
    #: the highest `seq` of the conversation when this was stored
    after: int
    #: its number: `kinds.Kind`
    kind: int
    #: the subject of the waiter who wrote it
    author: str
    #: the `id` of the frame; None: never taken for a repeat
    client_id: str | None
    #: what people wrote: `kinds.Body.words`
    body: str
    #: all else of its payload: `kinds.Body.data`
    data: str | None
    #: ms since 1970
    date: int


#: an `EntryRow`, or the tuple of its values, which costs less; without `data` where it has none
Row = (
    tuple[int, int, int, str, str | None, int, str, int]
    | tuple[int, int, int, str, str | None, int, str, int, str]
)


@dataclass(slots=True)
class ConversationRow:
    """A stored conversation and its two sides."""

    #: 63 bits, growing with time, so that new rows stand together
    key: int
    user: str  # the participant's UUID
    user_subject: str
    user_name: str = ""
    #: None: the user waits to be served again
    waiter: str | None = None
    waiter_subject: str | None = None
    waiter_name: str = ""
    opened: int = 0
    #: None: it is open
    ended: int | None = None
    department: str = ""
    #: where the visitor was when it asked
    page: str = ""
    #: the last `seq` that each side has read
    user_read: int = 0
    waiter_read: int = 0
    #: why it has ended (`desk.port.Reason`, or `MESSAGE`); empty: it is open, or nobody knows
    reason: str = ""
    #: addresses of pictures of the two sides
    user_avatar: str = ""
    waiter_avatar: str = ""
    #: ms that the user waited before it was first served
    waited: int = 0
    #: what the visitor has filled in before it asked: JSON, name → value; empty: nothing
    fields: str = ""
    #: the highest `seq` of its entries, and the date of that entry; never written
    last_seq: int = 0
    last_date: int = 0
