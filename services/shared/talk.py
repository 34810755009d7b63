"""A conversation that several workers write to, as one of them knows it."""

from __future__ import annotations

from ..desk.port import Role
from ..history.port import Chat
from ..history.writer import Talk
from ..participants import Kept, Line, Spoken


class SharedTalk(Talk):
    """A conversation that other workers may write to.

    *behind*: what is stored of it is to be looked up before anybody new is told.
    """

    __slots__ = ("behind", "end", "fresh", "kept", "lines", "put", "since", "under_way", "waiting")

    def __init__(self, record: Chat, *, behind: bool) -> None:
        super().__init__(record)
        self.behind = behind
        #: nothing of it has been delivered here
        self.fresh = behind
        #: the highest number that is known to be stored
        self.end = record.last_seq
        self.lines: dict[int, Line] = {}
        #: of those who hear here: what is numbered so and below was told elsewhere, or is kept
        self.since: dict[Role, int] = {}
        #: the highest number that they were told from what was kept for them
        self.put: dict[Role, int] = {}
        #: the highest number that was kept elsewhere, and told before all else
        self.kept = 0
        #: sayings that the writer has and has not told of
        self.under_way = 0
        #: what cannot be delivered before a gap is filled; None: there is none
        self.waiting: list[Spoken] | None = None

    def stored_to(self, seq: int) -> None:
        self.end = max(self.end, seq)

    def take_back(self) -> None:
        self.given = self.end
        self.last_dated = min(self.last_dated, self.given)

    def begin_at(self, found: Chat) -> None:
        """What is stored of it is known now."""
        record = self.record
        record.page = record.page or found.page
        record.department = record.department or found.department
        record.user_read = max(record.user_read, found.user_read)
        record.waiter_read = max(record.waiter_read, found.waiter_read)
        if self.fresh:
            # What is on its way here is still to be delivered, above all in version 1.
            begin = min([found.last_seq, *(first_of(one) - 1 for one in self.waiting or ())])
            self.last_seq = max(begin, self.kept)
            self.since = dict.fromkeys(Role, self.last_seq)
            self.fresh = False
        self.stored_to(found.last_seq)
        self.dated(found.last_seq, found.last_date)
        self.given = max(self.given, self.end)
        self.behind = False

    def needs(self, role: Role, kept: Kept) -> bool:
        """Whether *kept*, texts that were kept elsewhere for the *role*, are told only if put now.

        Otherwise they have been told here, or are when their turn comes; what comes behind
        newer ones is not told any more.
        """
        if kept.last <= self.put.get(role, 0):
            return False
        if self.fresh:
            self.kept = max(self.kept, kept.last)
        elif kept.last > self.since.get(role, 0):
            return False
        self.put[role] = kept.last
        return True

    def deliver_to(self, seq: int) -> None:
        """Everything up to *seq* is delivered here."""
        self.last_seq = max(self.last_seq, seq)
        self.end = max(self.end, seq)
        self.given = max(self.given, seq)


def first_of(spoken: Spoken) -> int:
    """The number of the first of its texts."""
    return spoken.seqs[0]
