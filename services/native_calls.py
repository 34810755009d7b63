"""Calls that a greenlet or a native thread makes one after the other."""

from __future__ import annotations

import contextlib
import logging
import threading
from _queue import SimpleQueue
from collections import deque
from collections.abc import Callable
from typing import Any

from .runtime import Done

log = logging.getLogger("csapp")


def report(what: str) -> None:
    """Log the exception that is handled now; whatever the log itself raises goes no further.

    Whoever calls this must go on: a host's handler of log records may fail as well.
    """
    with contextlib.suppress(Exception):
        log.exception(what)


class Calls:
    """Calls that one greenlet or thread makes one after the other."""

    def __init__(self) -> None:
        self._calls: deque[Callable[[], Any]] = deque()
        self._called = threading.Event()

    def append(self, call: Callable[[], Any]) -> None:
        """Have *call* made soon."""
        self._calls.append(call)
        self._called.set()

    def run(self) -> None:
        """Make the calls, for ever."""
        while True:
            self._called.wait()
            self._called.clear()
            while self._calls:
                try:
                    self._calls.popleft()()
                except Exception:
                    report("a call of the loop failed")


class NativeThread:
    """Makes calls in a thread that no event loop runs in; *wake* makes the loop `deliver`."""

    def __init__(self, wake: Callable[[], None]) -> None:
        # The C one, which gevent leaves alone: it waits without a loop.
        self._jobs: SimpleQueue[tuple[Callable[[], Any], Done]] = SimpleQueue()
        self._results: deque[tuple[Done, BaseException | None]] = deque()
        self._wake = wake

    def run(self, function: Callable[[], Any], done: Done) -> None:
        self._jobs.put((function, done))

    def work(self) -> None:
        while True:
            function, done = self._jobs.get()
            error: BaseException | None = None
            try:
                function()
            except BaseException as raised:  # whatever it is, somebody waits for the answer
                error = raised
            self._results.append((done, error))
            del function, done, error  # what people have said: not until the next job comes
            self._wake()

    def deliver(self) -> None:
        while self._results:
            done, error = self._results.popleft()
            try:
                done(error)
            except Exception:
                report("an answer of a native thread could not be used")
