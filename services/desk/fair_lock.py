"""A lock that goes to whoever has waited longest."""

from __future__ import annotations

import threading
from collections import deque


class FairLock:
    """First come, first served: whoever releases it hands it to the first that waits.

    The locks of Python and of gevent go to whoever asks at the right moment, so
    that of a hundred visitors who ask Redis for a waiter a later one may
    overtake the others. Not to be taken twice by the same greenlet or thread.
    """

    def __init__(self) -> None:
        self._inner = threading.Lock()  # of what follows; never held while anything is waited for
        self._held = False
        self._gates: deque[threading.Lock] = deque()

    def __enter__(self) -> None:
        with self._inner:
            if not self._held:
                self._held = True
                return
            gate = threading.Lock()
            gate.acquire()
            self._gates.append(gate)
        try:
            gate.acquire()
        except BaseException:  # killed while it waited
            self._forget(gate)
            raise

    def _forget(self, gate: threading.Lock) -> None:
        with self._inner:
            if gate in self._gates:
                self._gates.remove(gate)
                return
        self.__exit__()  # it was handed over in the same moment

    def __exit__(self, *error: object) -> None:
        with self._inner:
            if self._gates:
                self._gates.popleft().release()
            else:
                self._held = False

    @property
    def waiting(self) -> int:
        """How many wait for the lock."""
        return len(self._gates)
