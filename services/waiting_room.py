"""A bound on the requests that run or wait for their turn."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from .wire.codes import HTTPRefusal


class WaitingRoom:
    """Holds *most* requests, at work or waiting. One more is refused with a 503 and *full*."""

    def __init__(self, most: int, full: str) -> None:
        self._free = threading.BoundedSemaphore(most)
        self._full = full

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """Hold one place; nobody waits for a free one. Raises `HTTPRefusal`."""
        if not self._free.acquire(blocking=False):
            raise HTTPRefusal.not_now(self._full)
        try:
            yield
        finally:
            self._free.release()
