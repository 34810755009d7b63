"""Who is signed out before the token runs out.

A login (`sid`) is revoked for good, a subject's tokens until a moment. The store
tells every process; what it said is held in memory, so that asking waits for
nothing.

A revoked login is forgotten a week after its date, not after the lifetime of
the settings: a token may have a longer one. `date` puts the date of one that
lives longer off, so that it is forgotten when the token has run out. Subjects
are never forgotten: there is one entry for each.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from .errors import CSAppError
from .history.port import Store
from .identity import Identity
from .runtime import Runtime
from .timers import Timer, Wheel

log = logging.getLogger("csapp")

LOOK = 2.0  # s between two looks: live sockets are closed within 5 s
WEEK = 7 * 86_400_000  # ms that a revoked login is kept beyond its date
FORGET = 300  # looks between two times of forgetting: ten minutes

#: looks that go by until a number counts as the last: PostgreSQL gives numbers
#: before it commits, so that a lower one may appear later
OVERLAP = 15
BEHIND = 100  # and numbers, at the first look

#: number, sid, subject, when: what `Store.revoked` tells
Row = tuple[int, str, str, int]


def date(now: int, expires: int) -> int:
    """When (ms) to say that a login is revoked whose token runs out at *expires*."""
    return max(now, expires - WEEK)


class Revocations:
    """What is revoked, here and now.

    `close(sid, subject, at)` is called in the loop for each piece of news, one
    of *sid* and *subject* being empty: connections of that login, or of that
    subject by a token signed until *at* (ms), are to be closed. It must not wait.
    *store* is None where there is none: then this process alone remembers.
    """

    def __init__(
        self,
        store: Store | None,
        runtime: Runtime,
        wheel: Wheel,
        close: Callable[[str, str, int], None],
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
        self._looks = 0
        self._timer: Timer | None = None
        self._stopped = False
        #: whether the store has answered at least once: before, nobody is known to be revoked
        self.loaded = store is None

    def start(self) -> None:
        """Read what there is, then look again every 2 s. Waits, but not for a store that is down.

        Called once, before the first connection is let in.
        """
        self._look()

    def stop(self) -> None:
        """Look no more."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def is_revoked(self, identity: Identity, signed_at_ms: int) -> bool:
        """Whether a token of *identity* signed then is worth nothing any more. Never waits."""
        return (
            identity.sid in self._sids
            or self._subjects.get(identity.subject, signed_at_ms - 1) >= signed_at_ms
        )

    def revoke(self, *, sid: str = "", subject: str = "", at: int) -> None:
        """Revoke a login, or what a subject was given until *at*; here at once. Waits.

        Raises `StoreError` when no other process will hear of it.
        """
        self._take([(0, sid, subject, at)])
        store = self._store
        if store is not None:
            self._runtime.blocking(lambda: store.revoke(sid=sid, subject=subject, now=at))

    # ---- looking -------------------------------------------------------

    def _look(self) -> None:
        store = self._store
        if store is None:
            return
        try:
            rows = self._runtime.blocking(lambda: list(store.revoked(self._read[0])))
        except CSAppError as error:
            if self._looks >= 0:
                log.warning("revocations cannot be read: %s", error)
            self._looks = -1
        except Exception:
            log.exception("revocations cannot be read")
        else:
            if self._looks < 0:
                log.info("revocations are read again")
            self._looks = max(self._looks, 0) + 1
            self._take(rows)
            highest = max((row[0] for row in rows), default=self._read[-1])
            if not self.loaded:  # not all of it fifteen times
                self._read = deque([max(0, highest - BEHIND)], maxlen=OVERLAP)
            self._read.append(highest)
            self.loaded = True
            if self._looks % FORGET == 0:
                self._forget()
        finally:
            if not self._stopped:
                self._timer = self._wheel.after(LOOK, self._due)

    def _due(self) -> None:
        self._runtime.spawn(self._look)

    def _take(self, rows: Iterable[Row]) -> None:
        news: list[tuple[str, str, int]] = []
        old = int(self._now() * 1000) - WEEK
        with self._lock:
            for _, sid, subject, at in rows:
                if sid and sid not in self._sids and at >= old:
                    self._sids[sid] = at
                    news.append((sid, "", at))
                if subject and at > self._subjects.get(subject, -1):
                    self._subjects[subject] = at
                    news.append(("", subject, at))
        for sid, subject, at in news:
            self._close(sid, subject, at)

    def _forget(self) -> None:
        old = int(self._now() * 1000) - WEEK
        with self._lock:
            self._sids = {sid: at for sid, at in self._sids.items() if at >= old}
