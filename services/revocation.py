"""Who is signed out before the token runs out.

A login (`sid`) is revoked for good, a subject's tokens until a moment. The store
tells every process, a slice at a time; what it said is held in memory, so that
asking mostly waits for nothing.

1. Memory holds a week. The row of a login is dated a week before the last of its
   tokens runs out (`date`), so that it is forgotten, and removed from the store,
   when it is worth nothing. The row of a subject is the last word about it.
2. A token older than what memory holds has an unusual lifetime, and is looked up in
   the store; so is every token until all has been read. `is_revoked` waits then.
3. What is news closes connections: at most one pass over them for each slice.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

from .errors import CSAppError
from .history.port import Store
from .identity import Identity
from .runtime import Runtime
from .settings import MAX_LIFETIME
from .timers import Timer, Wheel

log = logging.getLogger("csapp")

LOOK = 2.0  # s between two looks: live sockets are closed within 5 s
HOUR = 3_600_000  # ms by which clocks of machines may differ before a row is removed too early
WEEK = 7 * 86_400_000  # ms that memory goes back
FORGET = 300  # looks between two times of forgetting: ten minutes …
FIRST = 30  # … and before the first
ANONYMOUS_LOGINS = 10_000  # logins of anonymous visitors that are remembered: 2 MiB
SLICE = 2000  # rows read at once: 2 ms of the loop
PAUSE = 0.05  # s between two slices that are removed: others write in between
FORGOTTEN = 10_000  # rows looked at between two pauses of forgetting

#: looks that go by until a number counts as the last: PostgreSQL gives numbers
#: before it commits, so that a lower one may appear later
OVERLAP = 15
BEHIND = 100  # and numbers, at the first look

#: number, sid, subject, when: what `Store.revoked` returns
Row = tuple[int, str, str, int]

#: sid, subject, when; one of the first two is empty
News = tuple[str, str, int]


def date(expires: int) -> int:
    """When (ms) to say that a login is revoked, the last of whose tokens runs out at *expires*."""
    return expires + HOUR - WEEK


class Revocations:
    """What is revoked, here and now.

    `close(news)` is called in the loop with what is new: connections of a login,
    or of a subject by a token signed until then (ms), are to be closed. It must
    not wait. *store* is None where there is none: then this process alone remembers.
    """

    def __init__(
        self,
        store: Store | None,
        runtime: Runtime,
        wheel: Wheel,
        close: Callable[[Sequence[News]], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._runtime = runtime
        self._wheel = wheel
        self._close = close
        self._now = now
        self._lock = threading.Lock()
        self._sids: dict[str, int] = {}
        self._subjects: dict[str, int] = {}
        #: the highest number at each of the last looks
        self._read: deque[int] = deque([0], maxlen=OVERLAP)
        #: logins of anonymous visitors, in the order in which they were signed out
        self._shut: deque[str] = deque(maxlen=ANONYMOUS_LOGINS)
        self._looks = 0
        self._timer: Timer | None = None
        self._stopped = False
        self._looking = wheel.loops.add("the look at revocations", self._turn)
        self._forgetting = wheel.loops.add("forgetting revocations", self._forget, vital=False)
        #: revocations that `close` was not called with yet
        self._news: list[News] = []
        #: whether all that the store knew has been read once
        self.loaded = store is None

    def start(self) -> None:
        """Begin to read what there is, then look again every 2 s. Does not wait.

        Called once, before the first connection is let in.
        """
        self._due()

    def stop(self) -> None:
        """Look no more."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def is_revoked(self, identity: Identity, signed: int) -> bool:
        """Whether a token of *identity* signed then (ms) is worth nothing any more.

        Waits for the store while not all has been read, and for a token of an
        unusual age. Raises `StoreError` then.
        """
        if self.is_known(identity, signed):
            return True
        store = self._store
        if store is None or (self.loaded and signed >= self._oldest() + HOUR):
            return False
        found: bool = self._runtime.blocking(
            store.is_revoked, identity.sid, identity.subject, signed
        )
        return found

    def is_known(self, identity: Identity, signed: int) -> bool:
        """The same as far as memory knows, without waiting.

        Whoever has waited asks once more when its connection can be found: what was
        revoked meanwhile closed only those that could be.
        """
        return identity.sid in self._sids or (
            self._subjects.get(identity.subject, signed - 1) >= signed
        )

    def revoke(self, *, sid: str = "", subject: str = "", at: int) -> None:
        """Revoke a login, or what a subject was given until *at*; here at once. Waits.

        Raises `StoreError` when no other process will learn it.
        """
        self._take([(0, sid, subject, at)])
        store = self._store
        if store is not None:
            self._runtime.blocking(lambda: store.revoke(sid=sid, subject=subject, now=at))

    def shut(self, sid: str, at: int) -> None:
        """Revoke a login in the memory of this process only: that of an anonymous visitor.

        Anybody may be any number of anonymous visitors, who therefore must not fill
        the store; of `ANONYMOUS_LOGINS` and more the first is forgotten. Does not wait.
        """
        with self._lock:
            if len(self._shut) == self._shut.maxlen:
                self._sids.pop(self._shut[0], None)
            self._shut.append(sid)
        self._take([(0, sid, "", at)])

    def _oldest(self) -> int:
        """What is older (ms) is not held in memory."""
        return int(self._now() * 1000) - WEEK

    # ---- looking -------------------------------------------------------

    def _look(self) -> None:
        try:
            self._looking.once()
        finally:
            if not self._stopped:
                self._timer = self._wheel.after(LOOK, self._due)

    def _turn(self) -> None:
        try:
            if self._store is None:
                self._looks += 1
            else:
                self._read_on(self._store)
            if self._looks % FORGET == FIRST:  # beside the looking: it may take minutes
                self._runtime.spawn(self._forgetting.once)
        except CSAppError as error:
            if self._looks >= 0:
                log.warning("revocations cannot be read: %s", error)
            self._looks = -1

    def _due(self) -> None:
        self._runtime.spawn(self._look)

    def _read_on(self, store: Store) -> None:
        """Take what has come since the looks that are remembered, a slice at a time."""
        last, highest = self._read[0], self._read[-1]
        while True:
            rows = self._runtime.blocking(store.revoked, last, self._oldest(), SLICE)
            self._take(rows)
            if rows:
                last = rows[-1][0]
                highest = max(highest, last)
            if len(rows) < SLICE:
                break
        if self._looks < 0:
            log.info("revocations are read again")
        self._looks = max(self._looks, 0) + 1
        if not self.loaded:  # not all of it fifteen times
            self._read = deque([max(0, highest - BEHIND)], maxlen=OVERLAP)
        self._read.append(highest)
        self.loaded = True

    def _take(self, rows: Sequence[Row]) -> None:
        oldest = self._oldest()
        with self._lock:
            for _, sid, subject, at in rows:
                if at < oldest:
                    continue
                if sid and sid not in self._sids:
                    self._sids[sid] = at
                    self._news.append((sid, "", at))
                if subject and at > self._subjects.get(subject, -1):
                    self._subjects[subject] = at
                    self._news.append(("", subject, at))
            news, self._news = self._news, []
        try:
            if news:
                self._close(news)
        except BaseException:
            with self._lock:
                self._news = [*news, *self._news]  # the next look returns them again
            raise

    # ---- forgetting ----------------------------------------------------

    def _forget(self) -> None:
        """Let go of what is worth nothing, here and in the store; some at a time."""
        oldest = self._oldest()
        store = self._store
        # a subject that is looked up nowhere else is remembered here
        for held in (self._sids, self._subjects) if store is not None else (self._sids,):
            keys = iter(list(held))
            while some := list(islice(keys, FORGOTTEN)):
                with self._lock:
                    for key in some:
                        if held.get(key, oldest) < oldest:
                            del held[key]
                self._runtime.sleep(0)
        if store is None:
            return
        longest = oldest + WEEK - MAX_LIFETIME * 1000
        try:
            while self._runtime.blocking(self._prune, store, oldest, longest):
                self._runtime.sleep(PAUSE)
        except CSAppError as error:
            log.warning("old revocations cannot be removed: %s", error)

    @staticmethod
    def _prune(store: Store, sids: int, subjects: int) -> bool:
        return store.prune_revoked(sids=sids, subjects=subjects)
