"""One conversation as this process knows it: its row, its numbers and its dates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .rows import ConversationRow, public_id

if TYPE_CHECKING:
    from .offers import Offer


class Conversation:
    """A conversation as this process knows it."""

    __slots__ = ("given", "id", "last_dated", "last_seq", "lost_waiter", "offers", "row")

    #: the database may hold more than this process has delivered; only where others write as well
    behind = False

    def __init__(self, row: ConversationRow) -> None:
        #: all that is stored of it besides its entries
        self.row = row
        #: its public name
        self.id = public_id(row.key)
        #: the highest number that is stored, and delivered
        self.last_seq = row.last_seq
        #: the highest number given out
        self.given = row.last_seq
        #: entries up to this number are no later than `row.last_date`, or in the batch under way
        self.last_dated = row.last_seq
        #: while its user waits to be served again: the subject of the waiter that was lost
        self.lost_waiter: str | None = None
        #: where nothing is stored: the latest choices that were offered; None: there were none
        self.offers: list[Offer] | None = None

    def record_stored(self, seq: int) -> None:
        """Everything up to *seq* is stored, and is delivered now."""
        self.last_seq = max(self.last_seq, seq)

    def date_after(self, now: int) -> int:
        """The date of an entry that is written *now* (ms).

        A clock that was set back does not make dates fall.
        """
        return max(now, self.row.last_date, self.row.opened)

    def record_date(self, seq: int, date: int) -> None:
        """The entry numbered *seq* is stored with this *date*."""
        self.last_dated = max(self.last_dated, seq)
        self.row.last_date = max(self.row.last_date, date)

    def take_back(self) -> None:
        """No batch is under way: numbers that were given out and not stored are free again."""
        self.given = self.last_seq
        self.last_dated = min(self.last_dated, self.given)
