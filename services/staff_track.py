"""The staff track as waiters see it: entries that no user reads (docs/protocol.md, *Entries*).

Each has a number `n` of its own, and stands behind the entry whose `seq` is its
`after`. A client may be shown one both live and in a history, and knows it by its `n`.
"""

from __future__ import annotations

from msgspec import UNSET

from .channels import sealed
from .conversation.kinds import kind_of
from .conversation.rows import MOST_SEQ, EntryRow, StaffRow, public_id
from .participants import Participant
from .wire import codec, frames
from .wire.dates import rfc3339

#: staff entries that one history brings; of more, the older ones are left out
MOST = 100


def beside(found: list[EntryRow], behind: int, *, to_the_end: bool) -> tuple[int, int] | None:
    """The `after` of staff entries that stand before, between and behind the entries *found*.

    Those were asked for *behind* this `seq`. *to_the_end*: nothing is stored behind them.
    None: no staff entry stands there.
    """
    if found:
        return found[0].seq - 1, MOST_SEQ if to_the_end else found[-1].seq
    return (behind, MOST_SEQ) if to_the_end else None


def item(entry: StaffRow, reader: Participant) -> frames.StaffItem:
    """*entry* in a history."""
    kind, own = kind_of(entry.kind), entry.author == reader.identity.subject
    return frames.StaffItem(
        n=entry.n,
        after=entry.after,
        type=kind.name,
        author=entry.author,
        date=rfc3339(entry.date),
        payload=kind.payload_of(entry.body, entry.data),
        client_id=entry.client_id if own and entry.client_id is not None else UNSET,
    )


def encode(entry: StaffRow, reader: Participant) -> bytes:
    """The frame that shows *reader* the new *entry*, framed."""
    kind, own = kind_of(entry.kind), entry.author == reader.identity.subject
    frame = kind.pushed(
        id=codec.new_id(), to=reader.uuid, from_=reader.uuid if own else "",
        conversation=public_id(entry.conversation), n=entry.n, after=entry.after,
        author=entry.author, date=rfc3339(entry.date),
        payload=kind.payload_of(entry.body, entry.data),
    )  # fmt: skip
    return sealed(frame)
