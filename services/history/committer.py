"""What the native thread does with a batch: it commits the batch, whatever others have stored.

Rules of this file:

1. The usual batch is one attempt. What was written lately is not in it again
   (`repeats.py`). Only when the store raises `Conflict` are the entries looked at
   one by one: a repeat finds its first receipt, and an entry whose number another
   worker has taken gets the next one.
2. One entry that the database does not accept stops no other: then each is
   committed by itself.
3. A commit whose outcome is not known is looked up before it is done again.
4. An entry that may be written after the end (every one that is no text, and a text whose
   conversation has ended meanwhile) is stored only while its conversation is: somebody may
   have erased it (`_needs_its_conversation`). Texts of open conversations, of which there are
   many, are not checked, nor refused where another entry of their batch is: the server
   writes the row of such a conversation again at its end. Only where that row comes in the same
   batch and the conversation was erased after its end, they are refused as well.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from itertools import chain

from ..conversation.conversation import Conversation
from ..conversation.entries import Entries, First, Sender
from ..conversation.rows import EntryRow
from ..errors import CSAppError
from .port import Batch, Conflict, Gone, Store, StoreError, Unfit
from .repeats import NOTHING, Known, fingerprint, set_apart

log = logging.getLogger("csapp.history")

#: commits of a batch that meets other workers' numbers each time: then it goes entry by entry
ATTEMPTS = 20


class _Outrun(StoreError):
    """Other workers gave out the numbers first, again and again."""


class Committer:
    """Commits batches of *entries* and whatever else `Batch` holds. Everything here blocks.

    Where the result is not simply "stored", it stands in the entries: `seqs` and `date` may
    be others than before, `repeats` has what was there already, `refused` what is not stored.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def commit(
        self, groups: list[Entries], batch: Batch, undated: Collection[Conversation]
    ) -> None:
        """Commit *groups* and *batch*. Raises `StoreError` or `OutcomeUnknown`.

        *undated*: the conversations of which this process does not know the last date.
        """
        if undated:
            self._look_up_dates(groups, undated)
        _put_into(batch, groups)
        if batch.is_empty:
            return  # all are repeats
        try:
            try:
                self._commit(groups, batch)
            except Conflict:
                self._commit_carefully(_not_refused(groups), batch)
        except (Unfit, _Outrun):
            self._commit_singly(_not_refused(groups), batch)

    def _commit(self, groups: list[Entries], batch: Batch) -> None:
        """Commit *batch*, which has the rows of *groups*, but nothing of erased conversations."""
        while True:
            try:
                self._store.commit(batch)
            except Gone as gone:
                groups = _without_gone(groups, gone)
                _put_into(batch, groups)
            else:
                return

    def settle(
        self, groups: list[Entries], batch: Batch, undated: Collection[Conversation]
    ) -> None:
        """Find out whether *batch* is stored, and `commit` it if not."""
        if batch.entries:  # none where all were repeats
            first = EntryRow(*batch.entries[0])
            found = self._store.entries(
                first.conversation, after=first.seq - 1, before=first.seq + 1
            )
            if found == [first]:
                return
        self.commit(_not_refused(groups), batch, undated)

    def _look_up_dates(self, groups: list[Entries], undated: Collection[Conversation]) -> None:
        """Other workers have stored entries before these, and their clocks may be ahead."""
        floors = {conversation: self._end(conversation.row.key)[1] for conversation in undated}
        for entries in groups:
            entries.date = max(entries.date, floors.get(entries.conversation, 0))

    def _commit_singly(self, groups: list[Entries], batch: Batch) -> None:
        """The database does not accept one of them, or not all at once: commit one by one."""
        for part in _parts(batch):
            try:
                self._store.commit(part)
            except Unfit as error:
                log.error("the row of a conversation or a waiter cannot be stored: %s", error)
        for number, entries in enumerate(groups):
            try:
                self._commit_carefully([entries], Batch())
            except Unfit as error:
                log.error("an entry cannot be stored: %s", error)
                entries.refused = entries.is_unfit = True
            except CSAppError as error:  # those before it are stored
                log.error("the history cannot be stored: %s", error)
                for rest in groups[number:]:
                    rest.refused = True
                return

    def _commit_carefully(self, groups: list[Entries], batch: Batch) -> None:
        for _ in range(ATTEMPTS):
            ends: dict[int, tuple[int, int]] = {}
            known = self._find(groups)
            for entries in groups:
                self._put_behind(entries, ends, known)
            _put_into(batch, groups)
            try:
                self._commit(groups, batch)
            except Conflict:
                continue  # another worker was faster once more
            return
        raise _Outrun("other workers were faster each time")

    def _find(self, groups: list[Entries]) -> dict[Sender, Known]:
        """Which of them are stored already: one query for each sender, however much it wrote."""
        asked: dict[Sender, list[str]] = {}
        for entries in groups:
            ids = [one for one in entries.client_ids or () if one is not None]
            if ids:
                asked.setdefault(entries.sender, []).extend(ids)
        return {
            sender: {
                one.client_id: First(one.seq, one.date, fingerprint(one.kind, one.body, one.data))
                for one in self._store.find(*sender, ids)
                if one.client_id is not None
            }
            for sender, ids in asked.items()
        }

    def _put_behind(
        self, entries: Entries, ends: dict[int, tuple[int, int]], known: dict[Sender, Known]
    ) -> None:
        """Leave of *entries* what is not *known*; number and date it behind what is stored.

        *ends*: by the keys of conversations, the number and the date of their last entry.
        """
        key = entries.conversation.row.key
        if key not in ends:
            ends[key] = self._end(key)
        if entries.client_ids is not None:
            set_apart(entries, known.get(entries.sender, NOTHING))
        last, date = ends[key]
        entries.seqs = range(last + 1, last + 1 + len(entries.texts))
        entries.date = max(entries.date, date)
        ends[key] = last + len(entries.texts), entries.date

    def _end(self, row: int) -> tuple[int, int]:
        """The number and the date of the last entry that is stored of a conversation."""
        last = self._store.entries(row, limit=1)
        return (last[0].seq, last[0].date) if last else (0, 0)


def _put_into(batch: Batch, groups: Sequence[Entries]) -> None:
    """Make the rows of *groups* the entries of *batch*."""
    batch.entries = list(chain.from_iterable(map(Entries.rows, groups)))
    batch.has_data = any(one.data is not None for one in groups)
    batch.needed = {one.conversation.row.key for one in groups if _needs_its_conversation(one)}


def _needs_its_conversation(entries: Entries) -> bool:
    """Whether *entries* are stored only while their conversation is (rule 4)."""
    return entries.data is not None or entries.conversation.row.ended is not None


def _without_gone(groups: Sequence[Entries], gone: Gone) -> list[Entries]:
    """Refuse those of *groups* that need one of the conversations that are *gone*; the others.

    Texts behind a refused entry get the numbers that it leaves: numbers have no gaps.
    """
    rest: list[Entries] = []
    free: dict[int, int] = {}
    for entries in groups:
        key = entries.conversation.row.key
        if key in gone.keys and (gone.for_good or _needs_its_conversation(entries)):
            entries.refused = entries.is_unfit = True
            free[key] = free.get(key, 0) + len(entries.texts)
        else:
            if key in free:
                entries.seqs = [seq - free[key] for seq in entries.seqs]
            rest.append(entries)
    return rest


def _not_refused(groups: Sequence[Entries]) -> list[Entries]:
    return [one for one in groups if not one.refused]


def _parts(batch: Batch) -> Iterator[Batch]:
    """Each conversation, amendment, duty and visit of *batch* by itself."""
    for row in batch.conversations:
        yield Batch(conversations=[row])
    for amendment in batch.amendments:
        yield Batch(amendments=[amendment])
    for duty in batch.duties:
        yield Batch(duties=[duty])
    for visit in batch.visits:
        yield Batch(visits=[visit])
