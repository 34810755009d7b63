"""The staff track as waiters see it: entries that no user reads (docs/protocol.md, *Entries*).

Each has a number `n` of its own, and stands behind the entry whose `seq` is its
`after`. A client may be shown one both live and in a history, and knows it by its `n`.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from msgspec import UNSET

from .channels import sealed
from .conversation.kinds import Track, kind_of
from .conversation.rows import MOST_SEQ, EntryRow, StaffRow, public_id
from .history.port import OutcomeUnknown, StoreError
from .participants import Participant
from .wire import codec, frames
from .wire.dates import rfc3339
from .wire.entries import pushed

#: staff entries that one history brings; of more, the older ones are left out
MOST = 100

#: s that an entry waits for others to be stored: as long as a statement waits for a lock
TURN_WAIT = 5.0


#: entries of unknown outcome that are remembered until their writers repeat them
MOST_DOUBTFUL = 1000


class StaffTurns:
    """Lets one staff entry at a time be stored in this process.

    Each waits for its commit with a connection and a native thread that readers of histories
    need as well. In a locked database many would leave them none.
    """

    def __init__(self) -> None:
        self._free = threading.BoundedSemaphore(1)
        #: entries whose outcome nobody knows, the oldest first: nobody was shown them
        self._doubtful: dict[tuple[int, str, str | None], None] = {}

    def store(
        self, entry: StaffRow, write: Callable[[StaffRow], tuple[StaffRow, bool] | None]
    ) -> tuple[StaffRow, bool] | None:
        """What *write* answers (`port.Store.write_for_staff`), in its turn.

        True: nobody was shown it yet. So is an entry that was stored before, though the
        database did not say so.
        """
        name = entry.conversation, entry.author, entry.client_id
        with self.turn():
            try:
                written = write(entry)
            except OutcomeUnknown:
                self._doubtful[name] = None
                if len(self._doubtful) > MOST_DOUBTFUL:
                    del self._doubtful[next(iter(self._doubtful))]
                raise
            is_doubtful = name in self._doubtful
            self._doubtful.pop(name, None)
        return written if written is None else (written[0], written[1] or is_doubtful)

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the turn. Raises `StoreError` when it is not free within `TURN_WAIT`."""
        if not self._free.acquire(timeout=TURN_WAIT):
            raise StoreError("other entries wait for the database")
        try:
            yield
        finally:
            self._free.release()


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
    show: Callable[..., frames.ServerFrame2] = kind.pushed
    if kind.track is not Track.STAFF:  # a later version has written it
        show = pushed(kind.name, frames.StaffFrame)
    frame = show(
        id=codec.new_id(), to=reader.uuid, from_=reader.uuid if own else "",
        conversation=public_id(entry.conversation), n=entry.n, after=entry.after,
        author=entry.author, date=rfc3339(entry.date),
        payload=kind.payload_of(entry.body, entry.data),
    )  # fmt: skip
    return sealed(frame)
