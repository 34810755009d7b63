"""Letters to other workers. Those of one round of the loop travel together."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from functools import partial

from ..runtime import Runtime
from .letters import Letter, Post, encode


class Outgoing:
    """Collects letters for each worker until the round of the loop is over. Never waits."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._post: Post | None = None
        #: by the worker that they are for
        self._letters: dict[str, list[Letter]] = {}
        self._lock = threading.Lock()

    def connect(self, post: Post) -> None:
        """From now on *post* carries the letters."""
        self._post = post

    def send(self, workers: Iterable[str], letter: Letter) -> None:
        """Let each of *workers* have *letter*."""
        for worker in workers:
            with self._lock:
                letters = self._letters.setdefault(worker, [])
                letters.append(letter)
                is_first = len(letters) == 1
            if is_first:
                self._runtime.call_soon(partial(self.send_off, worker))

    def send_off(self, worker: str) -> None:
        """Post what was collected for *worker*."""
        with self._lock:
            letters = self._letters.pop(worker, None)
        if letters and self._post is not None:
            self._post.post(worker, encode(letters))
