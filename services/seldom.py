"""Log lines that would come with each request, once a minute."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

#: s between two lines of one kind: an outage of an hour is sixty lines, whoever asks meanwhile
PAUSE = 60.0


class Seldom:
    """Writes to *log*: of each *kind* at most one line in `PAUSE` seconds.

    A kind is one of a few words of ours, never a client's. *now* counts
    seconds, monotonic.
    """

    def __init__(self, log: logging.Logger, now: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._now = now
        self._lock = threading.Lock()
        self._next: dict[str, float] = {}

    def __call__(self, kind: str, level: int, message: str, *args: object) -> None:
        """Log *message* unless a line of this *kind* was written less than a minute ago."""
        with self._lock:
            now = self._now()
            if now < self._next.get(kind, now):
                return
            self._next[kind] = now + PAUSE
        self._log.log(level, message, *args)
