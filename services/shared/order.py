"""The order of what is said, on a worker that learns of it in any order.

What is stored is delivered in the order of `seq`; what is there already is
dropped; what is missing is read from the history before anything behind it
goes on. A letter of another worker is a hint, the history is the truth.

Receipts are part of it: a receipt goes out when its text is delivered, and that
of a repeat, which another worker may have stored, when that text has been.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Protocol

from ..conversation.kinds import UNKNOWN, Kind, Side, kind_of
from ..history.port import Message, Store, StoreError
from ..history.writer import RETRY
from ..participants import Ids, Line, Socket, Spoken, answer
from ..runtime import Runtime
from .letters import Said, decision_of
from .talk import SharedTalk

log = logging.getLogger("csapp.desk")

#: s between two looks for what another worker is just about to store
SOON = 0.01

#: messages read at once to fill a gap, and conversations looked up at once
PIECE = 500
CHECKED = 1000


#: bytes that may wait here for what comes before them, about; the rest is read from the history
MOST_HELD = 8 << 20


class Speak(Protocol):
    """Makes a `Spoken`."""

    def __call__(
        self, line: Line, sock: Socket | None, texts: list[str], ids: Ids,
        kind: Kind, data: str | None, /,
    ) -> Spoken:  # fmt: skip
        """Entries under way on *line*."""


class Order:
    """All conversations that this worker knows.

    *tell* delivers to the sockets that are here.
    """

    def __init__(
        self,
        store: Store,
        runtime: Runtime,
        tell: Callable[[Spoken], None],
        speak: Speak,
    ) -> None:
        self._store = store
        self._runtime = runtime
        self._tell = tell
        self._speak = speak
        #: by their keys
        self.talks: dict[int, SharedTalk] = {}
        self._unchecked: set[int] = set()
        #: bytes of what waits for something that comes before it, about
        self.held = 0

    # ---- what is heard -------------------------------------------------

    def put(self, talk: SharedTalk, spoken: Spoken) -> None:
        """*spoken* is stored: deliver it when its turn has come."""
        if talk.waiting is not None:
            self._hold(talk.waiting, spoken)
        elif not self.deliver(talk, spoken):
            talk.waiting = []
            self._hold(talk.waiting, spoken)
            self._runtime.spawn(self._mend, talk)

    def _hold(self, waiting: list[Spoken], spoken: Spoken) -> None:
        """Let *spoken* wait, unless too much waits that the history has as well.

        The first one always waits: it says where a talk begins here of which
        nothing is known yet.
        """
        if spoken.sock is None and waiting and self.held > MOST_HELD:
            spoken.talk.stored_to(spoken.seqs[-1])
        else:
            waiting.append(spoken)
            self.held += spoken.weight

    def hear(self, said: Said) -> None:
        """Another worker has stored texts."""
        talk = self.talks.get(said.talk)
        if talk is None or said.side not in talk.lines:
            return
        if not talk.fresh and said.first <= talk.last_seq:
            talk.offered[said.side] = min(said.first, talk.offered.get(said.side, said.first))
        self.put(talk, self._heard_of(talk, said))

    def reach(self, talk: SharedTalk, seq: int) -> None:
        """So much is stored: what is not here yet is read."""
        talk.stored_to(seq)
        if not talk.in_doubt:
            self._begin_to_mend(talk)

    def deliver(self, talk: SharedTalk, spoken: Spoken) -> bool:
        """Deliver what is new of *spoken*; False, and nothing, if a number before it is missing."""
        known = talk.last_seq
        if talk.in_doubt or spoken.first > known + 1:
            return False
        if spoken.seqs and spoken.seqs[-1] > known:
            talk.deliver_to(spoken.seqs[-1])
            talk.dated(spoken.seqs[-1], spoken.date)
            self._tell(spoken if spoken.seqs[0] > known else spoken.beyond(known))
        if spoken.sock is not None:
            answer(spoken.sock, spoken)
        return True

    def _heard_of(self, talk: SharedTalk, said: Said) -> Spoken:
        """What was said elsewhere, as if it had been said here."""
        line, kind = talk.lines[said.side], kind_of(said.kind)
        data = "{}" if kind is UNKNOWN else said.data  # of a later version: it is no text
        if said.side == Side.SERVER:
            talk.decisions.update(map(decision_of, said.ids or ()))
        spoken = self._speak(line, None, said.texts, said.ids, kind, data)
        spoken.side, spoken.author = said.side, said.author
        spoken.date, spoken.stored = said.date, True
        spoken.seqs = range(said.first, said.first + len(said.texts))
        return spoken

    # ---- what is missing -----------------------------------------------

    def _begin_to_mend(self, talk: SharedTalk) -> None:
        if talk.last_seq < talk.end and talk.waiting is None:
            talk.waiting = []
            self._runtime.spawn(self._mend, talk)

    def _mend(self, talk: SharedTalk) -> None:
        """Deliver what waits, and what is missing up to what is known to be stored."""
        while talk.waiting or talk.last_seq < talk.end or talk.in_doubt:
            try:
                self._go_on(talk)
            except Exception:  # what waits must not be lost with it
                log.exception("what is stored could not be delivered")
                self._runtime.sleep(RETRY)
        talk.waiting = None

    def _go_on(self, talk: SharedTalk) -> None:
        """One step of it."""
        waiting = talk.waiting = sorted(talk.waiting or (), key=attrgetter("first"))
        if talk.in_doubt:
            self._look_up(talk)
        elif self._deliver_first(talk, waiting):
            pass  # there may be more by now
        elif not talk.is_foreign(before := waiting[0].first if waiting else talk.end + 1):
            self._runtime.sleep(SOON)
        elif talk.lines:
            self._fill(talk, before)
        else:  # nobody hears: a user in line
            talk.deliver_to(before - 1)

    def _deliver_first(self, talk: SharedTalk, waiting: list[Spoken]) -> bool:
        """Deliver the first ones of *waiting* whose turn has come; whether there were any."""
        done = 0
        try:
            while done < len(waiting) and self.deliver(talk, waiting[done]):
                done += 1
        finally:
            self.held = max(0, self.held - sum(one.weight for one in waiting[:done]))
            del waiting[:done]
        return done > 0

    def _fill(self, talk: SharedTalk, before: int) -> None:
        """Deliver from the history what comes before the number *before*."""
        found = self._read(talk, talk.last_seq, before)
        for some in _runs(found):
            first = some[0]
            texts, ids = [row.body for row in some], [row.client_id for row in some]
            said = Said(
                talk.record.key, first.side, first.author, first.date, first.seq, texts,
                ids=ids, kind=first.kind, data=first.data,
            )  # fmt: skip
            talk.deliver_to(said.first - 1)  # what is not there was stored, and is erased
            if not self.deliver(talk, self._heard_of(talk, said)):
                return
        if not found:
            talk.deliver_to(before - 1)

    def _read(self, talk: SharedTalk, after: int, before: int) -> list[Message]:
        """The first ones between these numbers. Waits for the store."""
        read = partial(self._store.messages, talk.record.key, limit=PIECE, newest=False)
        while True:
            try:
                found: list[Message] = self._runtime.blocking(
                    partial(read, after=after, before=before)
                )
            except StoreError:
                self._runtime.sleep(RETRY)
            else:
                return found

    def read(self, talk: SharedTalk, after: int, last: int) -> Iterator[Message]:
        """What is stored from above *after* to *last*, in order. Waits for the store."""
        while after < last and (found := self._read(talk, after, last + 1)):
            yield from found
            after = found[-1].seq

    def _look_up(self, talk: SharedTalk) -> None:
        """Find out what is stored of *talk*. Waits for the store."""
        while talk.in_doubt:
            doubts = talk.doubts
            try:
                found = self._runtime.blocking(self._store.chat, talk.record.key)
            except StoreError:
                self._runtime.sleep(RETRY)
                continue
            is_open = talk.record.ended is None and self.talks.get(talk.record.key) is talk
            if found is None and is_open:
                self._runtime.sleep(SOON)  # this worker, too, is about to store it
                continue
            begun = talk.begun
            while not talk.is_told_to(begun):  # of what was found, some may be this worker's own
                self._runtime.sleep(SOON)
            talk.known = max(talk.known, doubts)
            talk.begin_at(found or talk.record)

    def catch_up(self, talk: SharedTalk) -> None:
        """Return when all that is stored of *talk* by now is delivered. Waits for the store."""
        self._look_up(talk)
        end = talk.end
        while talk.last_seq < end:
            self._begin_to_mend(talk)
            self._runtime.sleep(SOON)

    # ---- what may be missing -------------------------------------------

    def check_all(self) -> None:
        """Letters may have been lost: look up every conversation. Waits for the store."""
        self._unchecked.update(self.talks)
        self._check_them()

    def check(self, talk: SharedTalk) -> None:
        """Soon look up *talk*, and all of which the same is asked until then."""
        if not self._unchecked:
            self._runtime.spawn(self._check_them)
        self._unchecked.add(talk.record.key)

    def _check_them(self) -> None:
        keys, self._unchecked = list(self._unchecked), set()
        for key, end in self._ends(keys):
            if talk := self.talks.get(key):
                talk.stored_to(end)
                self._begin_to_mend(talk)

    def _ends(self, keys: list[int]) -> Iterator[tuple[int, int]]:
        for start in range(0, len(keys), CHECKED):
            some = keys[start : start + CHECKED]
            while True:
                try:
                    yield from self._runtime.blocking(partial(self._store.ends, some)).items()
                    break
                except StoreError:
                    self._runtime.sleep(RETRY)


def _runs(rows: Iterable[Message]) -> Iterator[list[Message]]:
    """*rows* as they were written at once: texts of one author, any other entry by itself."""
    for _, some in groupby(rows, lambda row: (row.side, row.author, row.date, row.data is None)):
        run = list(some)
        if run[0].data is None:
            yield run
        else:
            yield from ([row] for row in run)
