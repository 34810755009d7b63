"""A conversation that several workers write to, as one of them knows it."""

from __future__ import annotations

from ..channels import Channel, ChannelEntries
from ..conversation.conversation import Conversation
from ..conversation.rows import ConversationRow
from ..desk.port import Role


class SharedConversation(Conversation):
    """A conversation that other workers may write to.

    *behind*: it is not known here how far it is stored.
    """

    __slots__ = (
        "away",
        "began",
        "begun",
        "channels",
        "decisions",
        "doubts",
        "end",
        "fresh",
        "known",
        "offered",
        "sent",
        "sure",
        "under_way",
        "waiting",
    )  # fmt: skip

    def __init__(self, row: ConversationRow, *, behind: bool) -> None:
        super().__init__(row)
        #: how often it was found that more may be stored than is known here, and up to which
        #: of these doubts it was looked up
        self.doubts = int(behind)
        self.known = 0
        #: nothing of it has been delivered here, nor is known where deliveries begin
        self.fresh = behind
        #: the highest `seq` that is known to be stored
        self.end = row.last_seq
        self.channels: dict[int, Channel] = {}
        #: up to this `seq` nothing was delivered here; unknown while it is `fresh`
        self.began = row.last_seq
        #: by side that has had its last connection here: the highest `seq` that it was sent
        self.sent: dict[Role, int] = {}
        #: by absent side that other workers speak for: the last `seq` delivered here when it went
        self.away: dict[Role, int] = {}
        #: by side that wrote: the lowest `seq` in a letter whose entries had been delivered before
        self.offered: dict[int, int] = {}
        #: entries that the writer has not committed yet, in order, with the count of `begun`
        self.under_way: dict[ChannelEntries, int] = {}
        #: how many times the writer was given entries
        self.begun = 0
        #: client ids of the entries by the server that other workers have written
        self.decisions: set[str | None] = set()
        #: what is missing before the first number was stored by other workers, once all entries
        #: up to the second, a count of `begun`, are committed
        self.sure = 0, 0
        #: entries that cannot be delivered before a gap is filled; None: there is no gap
        self.waiting: list[ChannelEntries] | None = None

    @property
    def in_doubt(self) -> bool:
        """Whether it must be looked up how far it is stored, before anything is delivered."""
        return self.known < self.doubts

    @property
    def behind(self) -> bool:
        """Whether more may be stored than is delivered here; `Order.catch_up` delivers it."""
        return self.in_doubt or self.last_seq < self.end

    @behind.setter
    def behind(self, doubted: bool) -> None:
        if doubted:  # again, though it is being looked up: that may have begun too early
            self.doubts += 1
        else:
            self.known = self.doubts

    def begin(self, entries: ChannelEntries) -> None:
        """The writer is given *entries*."""
        self.begun += 1
        self.under_way[entries] = self.begun

    def is_settled_to(self, number: int) -> bool:
        """Whether the writer is done with all that it was given up to this count of `begun`."""
        return next(iter(self.under_way.values()), number + 1) > number

    def is_foreign(self, before: int) -> bool:
        """Whether what is missing before the number *before* was stored by other workers.

        It may be this worker's own as long as entries are under way that were given to the
        writer before the gap was noticed; what is given later gets higher numbers.
        """
        if self.sure[0] != before:
            self.sure = before, self.begun
        return self.is_settled_to(self.sure[1])

    def record_stored(self, seq: int) -> None:
        self.end = max(self.end, seq)

    def take_back(self) -> None:
        self.given = self.end
        self.last_dated = min(self.last_dated, self.given)

    def begin_at(self, found: ConversationRow) -> None:
        """It is known now how far it is stored; this worker's own entries up to there are done."""
        row = self.row
        row.page = row.page or found.page
        row.department = row.department or found.department
        row.fields = row.fields or found.fields
        row.user_read = max(row.user_read, found.user_read)
        row.waiter_read = max(row.waiter_read, found.waiter_read)
        if self.fresh:
            # What is on its way here is still to be delivered.
            begin = min([found.last_seq, *(o.first - 1 for o in self.waiting or () if o.seqs)])
            self.last_seq = self.began = begin
            self.sent = dict.fromkeys(self.sent, begin)
            self.fresh = False
        self.record_stored(found.last_seq)
        self.record_date(found.last_seq, found.last_date)
        self.given = max(self.given, self.end)

    def is_left_by(self, role: Role) -> None:
        """That side has lost its last connection here: it was sent all that is delivered by now."""
        self.sent[role] = self.last_seq  # or, while nothing was, where it begins: `begin_at`

    def deliver_to(self, seq: int) -> None:
        """Everything up to *seq* counts as delivered here."""
        self.last_seq = max(self.last_seq, seq)
        self.end = max(self.end, seq)
        self.given = max(self.given, seq)
