"""One answer at a time to what was offered in a conversation."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from .history.port import StoreError

#: s that an answer waits for another one to be stored, which came first
LONGEST = 10.0


class ChoiceTurns:
    """Lets one answer in a conversation be stored at a time, in this process.

    So of two tabs that answer at once the second one finds the answer of the first.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        #: by conversation: its lock, and how many hold it or wait for it
        self._turns: dict[int, tuple[threading.Lock, int]] = {}

    @contextlib.contextmanager
    def turn(self, conversation: int) -> Iterator[None]:
        """Hold the turn. Raises `StoreError` when it is not free within `LONGEST`."""
        with self._guard:
            lock, count = self._turns.get(conversation, (threading.Lock(), 0))
            self._turns[conversation] = lock, count + 1
        try:
            if not lock.acquire(timeout=LONGEST):
                raise StoreError("another answer waits for the database")
            try:
                yield
            finally:
                lock.release()
        finally:
            with self._guard:
                _, count = self._turns.pop(conversation)
                if count > 1:
                    self._turns[conversation] = lock, count - 1
