"""A conversation that several workers write to, as one of them knows it."""

from __future__ import annotations

from ..conversation.conversation import Conversation
from ..conversation.rows import ConversationRow
from ..desk.port import Role
from ..participants import Channel, ChannelEntries


class SharedConversation(Conversation):
    """A conversation that other workers may write to.

    *behind*: what is stored of it is not known here.
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
        "sure",
        "told",
        "under_way",
        "waiting",
    )  # fmt: skip

    def __init__(self, row: ConversationRow, *, behind: bool) -> None:
        super().__init__(row)
        #: how often it was found that more may be stored than is known here, and up to which
        #: of these doubts it was looked up
        self.doubts = int(behind)
        self.known = 0
        #: nothing of it has been delivered here
        self.fresh = behind
        #: the highest number that is known to be stored
        self.end = row.last_seq
        self.channels: dict[int, Channel] = {}
        #: what is numbered so and below was not delivered here; not known while it is `fresh`
        self.began = row.last_seq
        #: of a side without a socket here, which had one last: up to which number it was told
        self.told: dict[Role, int] = {}
        #: of a side that other workers speak for and that is away: what was delivered here then
        self.away: dict[Role, int] = {}
        #: by the side that said it: the lowest number of a letter that came when it was delivered
        self.offered: dict[int, int] = {}
        #: sayings that the writer has and has not told of, in order, with their numbers
        self.under_way: dict[ChannelEntries, int] = {}
        #: how many the writer was ever given
        self.begun = 0
        #: numbers of the desk's decisions of which other workers have written the event
        self.decisions: set[int] = set()
        #: what is missing before the first number was stored by others, once all sayings up to
        #: the second are told
        self.sure = 0, 0
        #: what cannot be delivered before a gap is filled; None: there is none
        self.waiting: list[ChannelEntries] | None = None

    @property
    def in_doubt(self) -> bool:
        """What is stored of it is to be looked up before anybody new is told."""
        return self.known < self.doubts

    @property
    def behind(self) -> bool:
        """More may be stored than is delivered here: `Order.catch_up` brings it."""
        return self.in_doubt or self.last_seq < self.end

    @behind.setter
    def behind(self, doubted: bool) -> None:
        if doubted:  # again, though it is being looked up: that may have begun too early
            self.doubts += 1
        else:
            self.known = self.doubts

    def begin(self, entries: ChannelEntries) -> None:
        """The writer is given *spoken*."""
        self.begun += 1
        self.under_way[entries] = self.begun

    def is_told_to(self, number: int) -> bool:
        """Whether the writer has told of all that it was given up to this *number*."""
        return next(iter(self.under_way.values()), number + 1) > number

    def is_foreign(self, before: int) -> bool:
        """Whether what is missing before the number *before* was stored by other workers.

        It may be this worker's own, as long as something is under way that was
        said before the gap was noticed: what is said later gets later numbers.
        """
        if self.sure[0] != before:
            self.sure = before, self.begun
        return self.is_told_to(self.sure[1])

    def record_stored(self, seq: int) -> None:
        self.end = max(self.end, seq)

    def take_back(self) -> None:
        self.given = self.end
        self.last_dated = min(self.last_dated, self.given)

    def begin_at(self, found: ConversationRow) -> None:
        """What is stored of it is known now, and its own sayings up to there are told."""
        row = self.row
        row.page = row.page or found.page
        row.department = row.department or found.department
        row.user_read = max(row.user_read, found.user_read)
        row.waiter_read = max(row.waiter_read, found.waiter_read)
        if self.fresh:
            # What is on its way here is still to be delivered.
            begin = min([found.last_seq, *(o.first - 1 for o in self.waiting or () if o.seqs)])
            self.last_seq = self.began = begin
            self.told = dict.fromkeys(self.told, begin)
            self.fresh = False
        self.record_stored(found.last_seq)
        self.record_date(found.last_seq, found.last_date)
        self.given = max(self.given, self.end)

    def is_left_by(self, role: Role) -> None:
        """That side has no socket here any more: it was told all that was delivered until now."""
        self.told[role] = self.last_seq  # or, while nothing was, where it begins: `begin_at`

    def deliver_to(self, seq: int) -> None:
        """Everything up to *seq* is delivered here."""
        self.last_seq = max(self.last_seq, seq)
        self.end = max(self.end, seq)
        self.given = max(self.given, seq)
