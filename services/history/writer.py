"""Group commit: what came in while the last commit ran is committed together.

Rules of this file:

1. Nothing here waits. One native thread commits (`committer.py`); the loop collects
   meanwhile.
2. One batch is under way at a time, so `seq` is given out when a batch is made
   and taken back when it has failed: numbers have no gaps.
3. `Entries.on_committed` is called exactly once, on the loop: they are stored, or not.
4. While the store is down everything is refused at once, and what was refused
   is forgotten: memory stays bounded. While the outcome of a commit
   is not known, nobody gets an answer for it.
"""

from __future__ import annotations

import dataclasses
import logging
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain

from ..conversation.conversation import Conversation
from ..conversation.entries import Entries, Sender
from ..conversation.rows import ConversationRow
from ..errors import named
from ..runtime import Runtime
from .committer import Committer
from .port import Amendment, Batch, Duty, OutcomeUnknown, Store, StoreError, Visit
from .repeats import Repeats, put_back, set_apart

log = logging.getLogger("csapp.history")

#: entries in one commit
MOST = 2048

#: entries that may wait for their commit; more are refused
WAITING = 50_000

#: their characters: of long texts fewer may wait
WAITING_CHARACTERS = 32 << 20

#: visits that may wait for their commit; of more the oldest are not counted
MOST_VISITS = 10_000

RETRY = 0.5  # s between two looks at a store that is down


def _repeats_itself(ids: Sequence[str | None] | None) -> bool:
    if ids is None or len(ids) < 2:  # mostly
        return False
    named = [one for one in ids if one is not None]
    return len(set(named)) < len(named)


def _characters(entries: Entries) -> int:
    return sum(map(len, entries.texts))


class Writer:
    """Stores entries, and the rows of conversations and waiters. *now*: the wall clock in s."""

    def __init__(self, store: Store, runtime: Runtime, now: Callable[[], float]) -> None:
        self._store = store
        self._committer = Committer(store)
        self._runtime = runtime
        self._now = now
        self._run = runtime.native()
        self._pending: deque[Entries] = deque()
        self._waiting = 0  # entries in `_pending`
        self._characters = 0  # of these
        self._rows: dict[int, ConversationRow] = {}
        self._amendments: dict[int, Amendment] = {}
        self._duties: dict[str, Duty] = {}
        self._visits: dict[int, Visit] = {}
        self._repeats = Repeats()
        self._scheduled = False
        self._busy = False
        #: the batch whose outcome is not known
        self._unsure: tuple[list[Entries], Batch] | None = None
        #: of the batch: conversations of which the date of the last entry is not known here
        self._undated: set[Conversation] = set()
        #: the last commit succeeded
        self.available = True
        #: commits, and entries in them
        self.commits = 0
        self.stored = 0
        #: visits that are not counted, because too many have waited
        self.visits_lost = 0

    # ---- what is asked of it -------------------------------------------

    def say(self, entries: Entries) -> bool:
        """Store *entries*; False, and nothing happens, while that is not possible.

        Nor is it for entries that name a client id twice: these have to come one by one.
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
        """Store *row* as it will be when the next batch is made."""
        self._rows[row.key] = row
        self._schedule()

    def amend(self, row: ConversationRow, *, served: bool = False) -> None:
        """Merge *row*, as it will be when the next batch is made, into what others write of it.

        *served*: as in `Amendment`.
        """
        served = served or (row.key in self._amendments and self._amendments[row.key].served)
        self._amendments[row.key] = Amendment(row, served)
        self._schedule()

    def save_duty(self, duty: Duty) -> None:
        """Store a waiter's readiness."""
        self._duties[duty.subject] = duty
        self._schedule()

    def note_visit(self, visit: Visit) -> None:
        """Merge *visit* into what is stored of it."""
        known = self._visits.setdefault(visit.key, visit)
        if known is not visit:
            known.add(visit)
        self._bound_visits()
        self._schedule()

    @property
    def figures(self) -> tuple[int, int, int]:
        """Commits, entries in them, and entries that wait."""
        return self.commits, self.stored, self._waiting

    @property
    def idle(self) -> bool:
        """Everything is stored."""
        rows = self._rows or self._amendments or self._duties or self._visits
        return not (self._busy or self._pending or rows)

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
            if groups or not batch.is_empty:
                self._busy = True
                done = partial(self._done, groups, batch)
                self._run(partial(self._committer.commit, groups, batch, self._undated), done)
        except Exception as error:  # the senders get an answer nevertheless
            log.exception("a batch could not be made")
            for entries in self._pending:
                entries.conversation.take_back()
            self._done(groups, batch, error)

    def _fill(self, batch: Batch) -> None:
        """Put into *batch* the rows of conversations, waiters and visits as they are now."""
        batch.conversations = [dataclasses.replace(one) for one in self._rows.values()]
        batch.amendments = [
            Amendment(dataclasses.replace(one.row), one.served) for one in self._amendments.values()
        ]
        batch.duties = list(self._duties.values())
        batch.visits = list(self._visits.values())
        self._rows, self._amendments, self._duties, self._visits = {}, {}, {}, {}

    def _take(self, groups: list[Entries]) -> None:
        """Put into *groups*, numbered, what is to be committed next."""
        date = int(self._now() * 1000)
        self._undated = set()
        taken, looked_at = 0, 0
        ids: dict[Sender, set[str]] = {}  # under way in this batch
        # repeats of what is under way, and what was written after them
        later: dict[Conversation, list[Entries]] = {}
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
        """Leave of *entries* what is not known to be stored; add their client ids to *ids*.

        False, and nothing happens: *ids* says that one of them is under way already.
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
            set_apart(entries, found)
        return True

    def _done(self, groups: list[Entries], batch: Batch, error: BaseException | None) -> None:
        self._busy = False
        if error is None:
            self._unsure = None
            if not self.available:
                log.warning("the history is stored again")
            self.available = True
            self.commits += 1
            self._answer(groups, stored=True)
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
            self._write_later(batch)
            self._answer(groups, stored=False)
            for entries in groups:
                entries.conversation.take_back()
        refused, self._pending = list(self._pending), deque()
        self._waiting = self._characters = 0
        self._answer(refused, stored=False)
        self._runtime.spawn(self._try_again)

    def _write_later(self, batch: Batch) -> None:
        """Write the rows of *batch* with a later one, unless they have changed meanwhile."""
        for row in batch.conversations:
            self._rows.setdefault(row.key, row)
        for amendment in batch.amendments:
            later = self._amendments.setdefault(amendment.row.key, amendment)
            later.served |= amendment.served
        for duty in batch.duties:
            self._duties.setdefault(duty.subject, duty)
        newer, self._visits = self._visits, {one.key: one for one in batch.visits}
        for key, visit in newer.items():
            if key in self._visits:
                self._visits[key].add(visit)
            else:
                self._visits[key] = visit
        self._bound_visits()

    def _bound_visits(self) -> None:
        """Drop the oldest visits where too many wait: the database is away for long."""
        while len(self._visits) > MOST_VISITS:
            del self._visits[next(iter(self._visits))]
            if not self.visits_lost:
                log.error("more than %d visits wait: the oldest are not counted", MOST_VISITS)
            self.visits_lost += 1

    def _answer(self, groups: list[Entries], *, stored: bool) -> None:
        put_back(one for one in groups if not stored or one.refused)
        for entries in groups:
            conversation = entries.conversation
            entries.stored = stored and not entries.refused
            if entries.stored:
                self.stored += len(entries.texts)
                self._repeats.remember(entries)
                if entries.seqs:
                    conversation.record_stored(entries.seqs[-1])
                    conversation.record_date(entries.seqs[-1], entries.date)
            try:
                entries.on_committed(entries)
            except Exception:
                log.exception("a stored entry could not be delivered")

    def _try_again(self) -> None:
        self._runtime.sleep(RETRY)
        self._busy = True
        if self._unsure is not None:
            groups, batch = self._unsure
            settle = partial(self._committer.settle, groups, batch, self._undated)
            self._run(settle, partial(self._done, groups, batch))
        else:
            empty = Batch()
            self._run(self._store.check, partial(self._done, [], empty))
