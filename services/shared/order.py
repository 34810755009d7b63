"""Delivers entries in order of `seq`, on a worker that receives them in any order.

Stored entries are delivered in order of `seq`. What is delivered already is dropped; what is
missing is read from the history before anything behind it goes on. A letter of another worker
is a hint, the history is the truth.

Receipts are part of the order: a receipt goes out when its entry is delivered. The receipt of a
repeat, which another worker may have stored, goes out when that entry has been delivered.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import groupby
from operator import attrgetter

from ..channels import ChannelEntries
from ..conversation.kinds import UNKNOWN, Side, kind_of
from ..conversation.rows import EntryRow
from ..entries_here import channel_of_author, new_entries
from ..history.port import Store, StoreError
from ..history.writer import RETRY
from ..participants import answer
from ..runtime import Runtime
from .conversation import SharedConversation
from .letters import Said

log = logging.getLogger("csapp.desk")

#: s between two looks at what this worker or another one is just about to store
SOON = 0.01

#: entries read at once to fill a gap, and conversations looked up at once
PIECE = 500
CHECKED = 1000


#: bytes that may wait here for what comes before them, about; the rest is read from the history
MOST_HELD = 8 << 20


def _is_stored(entries: ChannelEntries) -> None:
    """No feed waits for *entries*: another worker has stored them."""


class Order:
    """All conversations that this worker knows.

    *hand_out* puts entries, whose turn has come, into the connections that are here.
    """

    def __init__(
        self, store: Store, runtime: Runtime, hand_out: Callable[[ChannelEntries], None]
    ) -> None:
        self._store = store
        self._runtime = runtime
        self._hand_out = hand_out
        #: by their keys
        self.conversations: dict[int, SharedConversation] = {}
        self._unchecked: set[int] = set()
        #: bytes of what waits for something that comes before it, about
        self.held = 0

    # ---- what is stored ------------------------------------------------

    def put(self, conversation: SharedConversation, entries: ChannelEntries) -> None:
        """*entries* are stored: deliver them as soon as it is their turn."""
        if conversation.waiting is not None:
            self._hold(conversation.waiting, entries)
        elif not self.deliver(conversation, entries):
            conversation.waiting = []
            self._hold(conversation.waiting, entries)
            self._runtime.spawn(self._mend, conversation)

    def _hold(self, waiting: list[ChannelEntries], entries: ChannelEntries) -> None:
        """Let *entries* wait, unless too much waits that the history has as well.

        The first ones always wait: they say where a conversation begins here of which nothing
        is known yet.
        """
        if entries.connection is None and waiting and self.held > MOST_HELD:
            entries.conversation.record_stored(entries.seqs[-1])
        else:
            waiting.append(entries)
            self.held += entries.weight

    def take(self, said: Said) -> SharedConversation | None:
        """Another worker has stored entries; of which conversation, if that is known here."""
        conversation = self.conversations.get(said.conversation)
        if conversation is None or said.side not in conversation.channels:
            return None
        if not conversation.fresh and said.first <= conversation.last_seq:
            conversation.offered[said.side] = min(
                said.first, conversation.offered.get(said.side, said.first)
            )
        self.put(conversation, self._entries_of(conversation, said))
        return conversation

    def reach(self, conversation: SharedConversation, seq: int) -> None:
        """It is stored up to *seq*: read what is not here yet."""
        conversation.record_stored(seq)
        if not conversation.in_doubt:
            self._begin_to_mend(conversation)

    def deliver(self, conversation: SharedConversation, entries: ChannelEntries) -> bool:
        """Deliver what is new of *entries*; False, and nothing, if a number before is missing."""
        known = conversation.last_seq
        if conversation.in_doubt or entries.first > known + 1:
            return False
        if entries.seqs and entries.seqs[-1] > known:
            conversation.deliver_to(entries.seqs[-1])
            conversation.record_date(entries.seqs[-1], entries.date)
            self._hand_out(entries if entries.seqs[0] > known else entries.beyond(known))
        if entries.connection is not None:
            answer(entries.connection, entries)
        return True

    def _entries_of(self, conversation: SharedConversation, said: Said) -> ChannelEntries:
        """The entries of another worker, as if they had been written here."""
        kind = kind_of(said.kind)
        channel = channel_of_author(conversation.channels[said.side], said.side, said.author)
        data = "{}" if kind is UNKNOWN else said.data  # a later version declares it: it is no text
        if said.side == Side.SERVER:
            conversation.decisions.update(said.ids or ())
        entries = new_entries(channel, None, said.texts, said.ids, _is_stored, kind, data)
        entries.side, entries.author = said.side, said.author
        entries.date, entries.stored = said.date, True
        entries.seqs = range(said.first, said.first + len(said.texts))
        return entries

    # ---- what is missing -----------------------------------------------

    def _begin_to_mend(self, conversation: SharedConversation) -> None:
        if conversation.last_seq < conversation.end and conversation.waiting is None:
            conversation.waiting = []
            self._runtime.spawn(self._mend, conversation)

    def _mend(self, conversation: SharedConversation) -> None:
        """Deliver what waits, and read what is missing of all that is known to be stored."""
        while (
            conversation.waiting
            or conversation.last_seq < conversation.end
            or conversation.in_doubt
        ):
            try:
                self._go_on(conversation)
            except Exception:  # what waits must not be lost
                log.exception("what is stored could not be delivered")
                self._runtime.sleep(RETRY)
        conversation.waiting = None

    def _go_on(self, conversation: SharedConversation) -> None:
        """Do one step of `_mend`."""
        waiting = conversation.waiting = sorted(conversation.waiting or (), key=attrgetter("first"))
        if conversation.in_doubt:
            self._look_up(conversation)
        elif self._deliver_first(conversation, waiting):
            pass  # there may be more by now
        elif not conversation.is_foreign(
            before := waiting[0].first if waiting else conversation.end + 1
        ):
            self._runtime.sleep(SOON)
        elif conversation.channels:
            self._fill(conversation, before)
        else:  # it has no receiver: its user is in the queue
            conversation.deliver_to(before - 1)

    def _deliver_first(
        self, conversation: SharedConversation, waiting: list[ChannelEntries]
    ) -> bool:
        """Deliver those of *waiting* whose turn it is; False: there are none."""
        done = 0
        try:
            while done < len(waiting) and self.deliver(conversation, waiting[done]):
                done += 1
        finally:
            self.held = max(0, self.held - sum(one.weight for one in waiting[:done]))
            del waiting[:done]
        return done > 0

    def _fill(self, conversation: SharedConversation, before: int) -> None:
        """Deliver from the history what comes before the number *before*."""
        found = self._read(conversation, conversation.last_seq, before)
        for some in _batches(found):
            first = some[0]
            texts, ids = [row.body for row in some], [row.client_id for row in some]
            said = Said(
                conversation.row.key, first.side, first.author, first.date, first.seq, texts,
                ids=ids, kind=first.kind, data=first.data,
            )  # fmt: skip
            conversation.deliver_to(said.first - 1)  # what the history does not have was erased
            if not self.deliver(conversation, self._entries_of(conversation, said)):
                return
        if not found:
            conversation.deliver_to(before - 1)

    def _read(self, conversation: SharedConversation, after: int, before: int) -> list[EntryRow]:
        """The first entries between these numbers. Waits for the store."""
        read = partial(self._store.entries, conversation.row.key, limit=PIECE, newest=False)
        while True:
            try:
                found: list[EntryRow] = self._runtime.blocking(
                    partial(read, after=after, before=before)
                )
            except StoreError:
                self._runtime.sleep(RETRY)
            else:
                return found

    def read(self, conversation: SharedConversation, after: int, last: int) -> Iterator[EntryRow]:
        """What is stored from above *after* to *last*, in order. Waits for the store."""
        while after < last and (found := self._read(conversation, after, last + 1)):
            yield from found
            after = found[-1].seq

    def _look_up(self, conversation: SharedConversation) -> None:
        """Find out how far *conversation* is stored. Waits for the store."""
        while conversation.in_doubt:
            doubts = conversation.doubts
            try:
                found = self._runtime.blocking(self._store.conversation, conversation.row.key)
            except StoreError:
                self._runtime.sleep(RETRY)
                continue
            is_open = (
                conversation.row.ended is None
                and self.conversations.get(conversation.row.key) is conversation
            )
            if found is None and is_open:
                self._runtime.sleep(SOON)  # a worker, perhaps this one, is about to store it
                continue
            begun = conversation.begun
            while not conversation.is_settled_to(begun):  # some of it may be this worker's own
                self._runtime.sleep(SOON)
            conversation.known = max(conversation.known, doubts)
            conversation.begin_at(found or conversation.row)

    def catch_up(self, conversation: SharedConversation) -> None:
        """Return when all that is stored of it by now is delivered here. Waits for the store."""
        self._look_up(conversation)
        end = conversation.end
        while conversation.last_seq < end:
            self._begin_to_mend(conversation)
            self._runtime.sleep(SOON)

    # ---- what may be missing -------------------------------------------

    def check_all(self) -> None:
        """Letters may have been lost: look up every conversation. Waits for the store."""
        self._unchecked.update(self.conversations)
        self._check_them()

    def check(self, conversation: SharedConversation) -> None:
        """Look up *conversation* soon, together with others for which this is called until then."""
        if not self._unchecked:
            self._runtime.spawn(self._check_them)
        self._unchecked.add(conversation.row.key)

    def _check_them(self) -> None:
        keys, self._unchecked = list(self._unchecked), set()
        for key, end in self._ends(keys):
            if conversation := self.conversations.get(key):
                conversation.record_stored(end)
                self._begin_to_mend(conversation)

    def _ends(self, keys: list[int]) -> Iterator[tuple[int, int]]:
        for start in range(0, len(keys), CHECKED):
            some = keys[start : start + CHECKED]
            while True:
                try:
                    yield from self._runtime.blocking(partial(self._store.ends, some)).items()
                    break
                except StoreError:
                    self._runtime.sleep(RETRY)


def _batches(rows: Iterable[EntryRow]) -> Iterator[list[EntryRow]]:
    """*rows* as they were written together: texts of one author; any other entry by itself."""
    for _, some in groupby(rows, lambda row: (row.side, row.author, row.date, row.data is None)):
        batch = list(some)
        if batch[0].data is None:
            yield batch
        else:
            yield from ([row] for row in batch)
