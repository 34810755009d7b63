"""`Start`: makes something at first use that needs the database or Redis.

Rules of this file:

1. While it cannot be made, `get` raises `Unavailable` at once, with the reason.
2. The next call of `get` tries again, at most once in `START_AGAIN` seconds. Calls in
   other threads do not wait for that attempt.
3. Each call raises a new error: the traceback of one that is raised again grows each time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from .errors import Unavailable
from .seldom import Seldom

log = logging.getLogger("csapp")

#: s between a failed start and the next attempt
START_AGAIN = 1.0

T = TypeVar("T")


class Start(Generic[T]):
    """Makes one thing with *make*, at first use. While *make* raises `Unavailable`, so does `get`.

    *now* counts seconds, monotonic.
    """

    def __init__(self, make: Callable[[], T], now: Callable[[], float] = time.monotonic) -> None:
        self._make = make
        self._now = now
        self._lock = threading.Lock()
        self._made: T | None = None
        #: when the last attempt failed, and why
        self._failure: tuple[float, Unavailable] | None = None
        self._say = Seldom(log, now)

    def get(self) -> T:
        """What *make* has made. Waits for an attempt. Raises `Unavailable`."""
        if self._made is not None:
            return self._made
        failure = self._failure
        if not self._lock.acquire(blocking=failure is None):  # another thread tries just now
            assert failure is not None  # noqa: S101  # without a failure the call has waited for the lock
            raise _like(failure[1])
        try:
            if self._made is None:
                self._made = self._try()
            return self._made
        finally:
            self._lock.release()

    def _try(self) -> T:
        if self._failure is not None and self._now() < self._failure[0] + START_AGAIN:
            raise _like(self._failure[1])
        try:
            made = self._make()
        except Unavailable as error:
            self._failure = self._now(), _like(error)
            self._say("start", logging.ERROR, "no chat is possible: %s", error)
            raise
        if self._failure is not None:
            log.warning("chats are possible again")
        return made


def _like(error: Unavailable) -> Unavailable:
    """A new error like *error*, without its traceback."""
    return type(error)(*error.args)
