"""Group commit: what came in while the last commit ran is committed together.

Rules of this file:

1. Nothing here waits. One native thread commits; the loop collects meanwhile.
2. One batch is under way at a time, so `seq` is given out when a batch is made
   and taken back when it has failed: numbers have no gaps.
3. Whoever said something is told exactly once, on the loop: stored, or not.
4. The usual batch is one attempt. What was said lately is not stored again
   (`repeats.py`). Only what the store calls a `Conflict` is looked at text by
   text: a repeat finds its first receipt, a number taken by another worker is
   given up for the next one.
5. While the store is down everything is refused at once, and what was refused
   is forgotten: memory stays bounded. Of a commit whose outcome is not known
   nobody is told anything until it is.
"""

from __future__ import annotations

import dataclasses
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, repeat

from ..conversation.kinds import TEXT, Kind
from ..errors import CSAppError, named
from ..runtime import Runtime
from .port import (
    Amendment,
    Batch,
    Conflict,
    ConversationRow,
    Duty,
    EntryRow,
    OutcomeUnknown,
    Row,
    Store,
    StoreError,
    Unfit,
    public_id,
)
from .repeats import NOTHING, First, Known, Repeats, Sender, join, mark, split

log = logging.getLogger("csapp.history")

#: texts in one commit
MOST = 2048

#: texts that may wait for their commit; more are refused
WAITING = 50_000

#: their characters: of long texts fewer may wait
WAITING_CHARACTERS = 32 << 20

RETRY = 0.5  # s between two looks at a store that is down
ATTEMPTS = 20  # at a batch that meets other workers' numbers


class Conversation:
    """A conversation as this process knows it."""

    __slots__ = ("given", "id", "last_dated", "last_seq", "lost_waiter", "row")

    #: more may be stored than is delivered here; only where others write to it, too
    behind = False

    def __init__(self, row: ConversationRow) -> None:
        #: what is stored of it besides the messages
        self.row = row
        #: its public name
        self.id = public_id(row.key)
        #: the highest number that is stored, and delivered
        self.last_seq = row.last_seq
        #: the highest number given out
        self.given = row.last_seq
        #: texts up to this number are no later than `record.last_date`, or in the batch under way
        self.last_dated = row.last_seq
        #: while its user waits to be served again: the subject of the waiter that was lost
        self.lost_waiter: str | None = None

    def stored_to(self, seq: int) -> None:
        """Everything up to *seq* is stored, and is delivered now."""
        self.last_seq = max(self.last_seq, seq)

    def date_after(self, now: int) -> int:
        """The date of what is said *now* (ms): no clock that was set back makes it fall."""
        return max(now, self.row.last_date, self.row.opened)

    def dated(self, seq: int, date: int) -> None:
        """The text numbered *seq* is stored with this *date*."""
        self.last_dated = max(self.last_dated, seq)
        self.row.last_date = max(self.row.last_date, date)

    def take_back(self) -> None:
        """No batch is under way: what was given out and is not stored may be given again."""
        self.given = self.last_seq
        self.last_dated = min(self.last_dated, self.given)


class _Outrun(StoreError):
    """Other workers gave out the numbers first, again and again."""


class Entries:
    """Entries that one side of a talk wrote at once; *client_ids* in version 2.

    Their words are *texts*. Only texts come several at once; an entry with *data* (see
    `kinds.Body`) comes alone.
    """

    __slots__ = (
        "author",
        "client_ids",
        "conversation",
        "data",
        "date",
        "is_unfit",
        "kind",
        "refused",
        "repeats",
        "seqs",
        "side",
        "stored",
        "texts",
        "told",
    )  # fmt: skip

    def __init__(
        self,
        conversation: Conversation,
        side: int,
        author: str,
        texts: list[str],
        client_ids: Sequence[str | None] | None,
        told: Callable[[Entries], None],
        kind: Kind = TEXT,
        data: str | None = None,
    ) -> None:
        self.conversation = conversation
        self.side = side
        self.author = author
        #: new ones only, once it is stored
        self.texts = texts
        self.kind = kind
        self.data = data
        self.client_ids = client_ids
        #: called on the loop when it is stored, or will not be
        self.told = told
        self.date = 0
        self.seqs: Sequence[int] = ()
        self.stored = False
        #: the database takes none like it
        self.is_unfit = False
        #: it is not stored, though others of its batch are
        self.refused = False
        #: client ids that were there before, with their messages; None: it said something else
        self.repeats: list[tuple[str, First | None]] = []

    @property
    def sender(self) -> tuple[int, int, str]:
        """Who has said it: chat, side and author. With a client id it names one message."""
        return self.conversation.row.key, self.side, self.author

    def rows(self) -> Iterator[Row]:
        """What is to be stored."""
        columns = (
            repeat(self.conversation.row.key),
            self.seqs,
            repeat(self.side),
            repeat(self.author),
            repeat(None) if self.client_ids is None else self.client_ids,
            repeat(self.kind.number),
            self.texts,
            repeat(self.date),
        )
        if self.data is None:
            return zip(*columns, strict=False)
        return zip(*columns, repeat(self.data), strict=False)


def _parts(batch: Batch) -> Iterator[Batch]:
    """Each chat, amendment and duty by itself."""
    for row in batch.conversations:
        yield Batch(conversations=[row])
    for amendment in batch.amendments:
        yield Batch(amendments=[amendment])
    for duty in batch.duties:
        yield Batch(duties=[duty])


def _put_into(batch: Batch, groups: Sequence[Entries]) -> None:
    """Put the rows of *sayings* into *batch*."""
    batch.entries = list(chain.from_iterable(map(Entries.rows, groups)))
    batch.has_data = any(one.data is not None for one in groups)


def _repeats_itself(ids: Sequence[str | None] | None) -> bool:
    if ids is None or len(ids) < 2:  # mostly
        return False
    named = [one for one in ids if one is not None]
    return len(set(named)) < len(named)


def _characters(entries: Entries) -> int:
    return sum(map(len, entries.texts))


class Writer:
    """Stores what is said. *now* is the wall clock in seconds."""

    def __init__(self, store: Store, runtime: Runtime, now: Callable[[], float]) -> None:
        self._store = store
        self._runtime = runtime
        self._now = now
        self._run = runtime.native()
        self._pending: deque[Entries] = deque()
        self._waiting = 0  # texts in `_pending`
        self._characters = 0  # of these
        self._chats: dict[int, ConversationRow] = {}
        self._amendments: dict[int, Amendment] = {}
        self._duties: dict[str, Duty] = {}
        self._repeats = Repeats()
        self._scheduled = False
        self._busy = False
        self._unsure: tuple[list[Entries], Batch] | None = None
        #: of the batch: talks of which the date of the last text is not known here
        self._undated: set[Conversation] = set()
        #: the last commit succeeded
        self.available = True
        #: commits, and texts in them
        self.commits = 0
        self.stored = 0

    # ---- what is asked of it -------------------------------------------

    def say(self, entries: Entries) -> bool:
        """Store *saying*; False, and nothing happens, while that is not possible.

        Nor is it for one that names a client id twice: its texts have to come one by one.
        """
        if not self.available or self._is_full or _repeats_itself(entries.client_ids):
            return False
        self._pending.append(entries)
        self._waiting += len(entries.texts)
        self._characters += _characters(entries)
        self._schedule()
        return True

    @property
    def _is_full(self) -> bool:
        return self._waiting >= WAITING or self._characters >= WAITING_CHARACTERS

    def save(self, row: ConversationRow) -> None:
        """Store *chat* as it will be when the next batch is made."""
        self._chats[row.key] = row
        self._schedule()

    def amend(self, row: ConversationRow, *, served: bool = False) -> None:
        """Merge *chat*, as it will be when the next batch is made, into what others write of it.

        *served*: as in `Amendment`.
        """
        served = served or (row.key in self._amendments and self._amendments[row.key].served)
        self._amendments[row.key] = Amendment(row, served)
        self._schedule()

    def save_duty(self, duty: Duty) -> None:
        """Store a waiter's readiness."""
        self._duties[duty.subject] = duty
        self._schedule()

    @property
    def figures(self) -> tuple[int, int, int]:
        """Commits, texts in them, and texts that wait."""
        return self.commits, self.stored, self._waiting

    @property
    def idle(self) -> bool:
        """Everything is stored."""
        waiting = self._pending or self._chats or self._amendments or self._duties
        return not (self._busy or waiting)

    # ---- the loop's side -----------------------------------------------

    def _schedule(self) -> None:
        if not self._scheduled and not self._busy and self.available:
            self._scheduled = True
            self._runtime.call_soon(self._start)

    def _start(self) -> None:
        self._scheduled = False
        if self._busy or not self.available:
            return
        groups: list[Entries] = []
        batch = Batch()
        try:
            self._fill(batch)
            self._take(groups)
            if groups or batch.conversations or batch.amendments or batch.duties:
                self._busy = True
                done = partial(self._done, groups, batch)
                self._run(partial(self._commit, groups, batch), done)
        except Exception as error:  # whoever said something is told nevertheless
            log.exception("a batch could not be made")
            for entries in self._pending:
                entries.conversation.take_back()
            self._done(groups, batch, error)

    def _fill(self, batch: Batch) -> None:
        """What is known of chats and waiters, as it is now."""
        batch.conversations = [dataclasses.replace(one) for one in self._chats.values()]
        batch.amendments = [
            Amendment(dataclasses.replace(one.row), one.served) for one in self._amendments.values()
        ]
        batch.duties = list(self._duties.values())
        self._chats, self._amendments, self._duties = {}, {}, {}

    def _take(self, groups: list[Entries]) -> None:
        """Put into *sayings*, numbered, what is to be committed next."""
        date = int(self._now() * 1000)
        self._undated = set()
        taken, looked_at = 0, 0
        ids: dict[Sender, set[str]] = {}  # under way in this batch
        later: dict[
            Conversation, list[Entries]
        ] = {}  # repeats of these, and what was said after them
        try:
            while self._pending and looked_at < MOST:
                entries = self._pending[0]
                conversation, count = entries.conversation, len(entries.texts)
                characters = _characters(entries)
                looked_at += count
                waits = conversation in later or (
                    entries.client_ids is not None and not self._is_new(entries, ids)
                )
                if waits:
                    later.setdefault(conversation, []).append(self._pending.popleft())
                    continue
                self._number(entries, date)
                groups.append(self._pending.popleft())
                taken += count
                self._characters -= characters
        finally:
            self._pending.extendleft(reversed([*chain.from_iterable(later.values())]))
            self._waiting -= taken

    def _number(self, entries: Entries, date: int) -> None:
        conversation = entries.conversation
        first = conversation.given + 1
        if conversation.given > conversation.last_dated:
            self._undated.add(conversation)
        conversation.given += len(entries.texts)
        conversation.last_dated = conversation.given
        entries.seqs = range(first, conversation.given + 1)
        entries.date = conversation.date_after(date)

    def _is_new(self, entries: Entries, ids: dict[Sender, set[str]]) -> bool:
        """Leave of *saying* what is not known to be stored; its client ids are added to *ids*.

        False, and nothing happens: one of them is under way by *ids* already.
        """
        sender, own = entries.sender, entries.client_ids or ()
        found = self._repeats.find(sender, own)
        new = {one for one in own if one is not None and one not in found}
        under_way = ids.get(sender)
        if under_way is None:
            ids[sender] = new
        elif under_way.isdisjoint(new):
            under_way |= new
        else:
            return False
        if found:
            split(entries, found)
        return True

    def _done(self, groups: list[Entries], batch: Batch, error: BaseException | None) -> None:
        self._busy = False
        if error is None:
            self._unsure = None
            if not self.available:
                log.warning("the history is stored again")
            self.available = True
            self.commits += 1
            self._tell(groups, stored=True)
            for entries in groups:  # a repeat has given its number back
                entries.conversation.take_back()
            if not self.idle:
                self._schedule()
            return
        if self.available:
            log.error("the history cannot be stored: %s", named(error))
        self.available = False
        if isinstance(error, OutcomeUnknown):
            self._unsure = groups, batch
        elif self._unsure is None or not isinstance(error, StoreError):
            self._unsure = None  # what cannot be looked up is given up, not tried for ever
            self._keep(batch)
            self._tell(groups, stored=False)
            for entries in groups:
                entries.conversation.take_back()
        refused, self._pending = list(self._pending), deque()
        self._waiting = self._characters = 0
        self._tell(refused, stored=False)
        self._runtime.spawn(self._try_again)

    def _keep(self, batch: Batch) -> None:
        """Chats and duties are written later, unless they have changed meanwhile."""
        for row in batch.conversations:
            self._chats.setdefault(row.key, row)
        for amendment in batch.amendments:
            newer = self._amendments.setdefault(amendment.row.key, amendment)
            newer.served |= amendment.served
        for duty in batch.duties:
            self._duties.setdefault(duty.subject, duty)

    def _tell(self, groups: list[Entries], *, stored: bool) -> None:
        join(one for one in groups if not stored or one.refused)
        for entries in groups:
            conversation = entries.conversation
            entries.stored = stored and not entries.refused
            if entries.stored:
                self.stored += len(entries.texts)
                self._repeats.remember(entries)
                if entries.seqs:
                    conversation.stored_to(entries.seqs[-1])
                    conversation.dated(entries.seqs[-1], entries.date)
            try:
                entries.told(entries)
            except Exception:
                log.exception("a stored message could not be delivered")

    def _try_again(self) -> None:
        self._runtime.sleep(RETRY)
        self._busy = True
        if self._unsure is not None:
            groups, batch = self._unsure
            self._run(partial(self._settle, groups, batch), partial(self._done, groups, batch))
        else:
            empty = Batch()
            self._run(self._store.check, partial(self._done, [], empty))

    # ---- the native thread's side --------------------------------------

    def _commit(self, groups: list[Entries], batch: Batch) -> None:
        if self._undated:
            self._look_up_dates(groups)
        _put_into(batch, groups)
        if not (batch.entries or batch.conversations or batch.amendments or batch.duties):
            return  # all are repeats
        try:
            try:
                self._store.commit(batch)
            except Conflict:
                self._commit_carefully(groups, batch)
        except (Unfit, _Outrun):
            self._commit_singly(groups, batch)

    def _look_up_dates(self, groups: list[Entries]) -> None:
        """Others have stored what comes before some of it, and their clocks may be ahead."""
        floors = {
            conversation: self._end(conversation.row.key)[1] for conversation in self._undated
        }
        for entries in groups:
            entries.date = max(entries.date, floors.get(entries.conversation, 0))

    def _commit_singly(self, groups: list[Entries], batch: Batch) -> None:
        """Something cannot be kept, or not with all of it at once: one must not stop everybody."""
        for part in _parts(batch):
            try:
                self._store.commit(part)
            except Unfit as error:
                log.error("what is known of a chat or a waiter cannot be kept: %s", error)
        for number, entries in enumerate(groups):
            try:
                self._commit_carefully([entries], Batch())
            except Unfit as error:
                log.error("a message cannot be kept: %s", error)
                entries.refused = entries.is_unfit = True
            except CSAppError as error:  # those before it are stored
                log.error("the history cannot be stored: %s", error)
                for rest in groups[number:]:
                    rest.refused = True
                return

    def _settle(self, groups: list[Entries], batch: Batch) -> None:
        """Find out whether *batch* is stored, and store it if not."""
        if batch.entries:  # none where all were repeats
            first = EntryRow(*batch.entries[0])
            found = self._store.entries(
                first.conversation, after=first.seq - 1, before=first.seq + 1
            )
            if found == [first]:
                return
        self._commit(groups, batch)

    def _commit_carefully(self, groups: list[Entries], batch: Batch) -> None:
        for _ in range(ATTEMPTS):
            ends: dict[int, tuple[int, int]] = {}
            known = self._find(groups)
            for entries in groups:
                self._look(entries, ends, known)
            _put_into(batch, groups)
            try:
                self._store.commit(batch)
            except Conflict:
                continue  # another worker was faster once more
            return
        raise _Outrun("other workers were faster each time")

    def _find(self, groups: list[Entries]) -> dict[Sender, Known]:
        """What is stored already: one question for each sender, however much it has said."""
        asked: dict[Sender, list[str]] = {}
        for entries in groups:
            ids = [one for one in entries.client_ids or () if one is not None]
            if ids:
                asked.setdefault(entries.sender, []).extend(ids)
        return {
            sender: {
                one.client_id: First(one.seq, one.date, mark(one.kind, one.body, one.data))
                for one in self._store.find(*sender, ids)
                if one.client_id is not None
            }
            for sender, ids in asked.items()
        }

    def _look(
        self, entries: Entries, ends: dict[int, tuple[int, int]], known: dict[Sender, Known]
    ) -> None:
        """Leave of *saying* what is not *known*, and number and date it behind what is stored."""
        key = entries.conversation.row.key
        if key not in ends:
            ends[key] = self._end(key)
        if entries.client_ids is not None:
            split(entries, known.get(entries.sender, NOTHING))
        last, date = ends[key]
        entries.seqs = range(last + 1, last + 1 + len(entries.texts))
        entries.date = max(entries.date, date)
        ends[key] = last + len(entries.texts), entries.date

    def _end(self, row: int) -> tuple[int, int]:
        """The number and the date of the last text that is stored of a chat."""
        last = self._store.entries(row, limit=1)
        return (last[0].seq, last[0].date) if last else (0, 0)
