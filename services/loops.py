"""The background loops of one server: each survives what it did not expect, and says so.

Rules of this file:

1. Whatever runs for as long as the process does is a `Loop`. What one round of
   it raises ends that round and nothing else: the next one follows after a
   pause, which grows while the rounds go on failing.
2. A loop writes one log line a minute about that, however often it fails.
3. While the last round of a `vital` loop has failed, or the loop has ended,
   `Loops.trouble` says which one, and `/readyz` is red with that reason.

What a loop expects (the database or Redis away) it handles itself.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any, Protocol

from .seldom import PAUSE

log = logging.getLogger("csapp")

FIRST_PAUSE = 0.25  # s after a round that has failed
LONGEST_PAUSE = 5.0  # s: the pause doubles up to this
LONGEST_REST = 3600.0  # s: or, for what is done once a day, up to this


class Starts(Protocol):
    """Of a runtime, what is needed here."""

    def spawn(self, function: Callable[..., Any], *args: Any) -> None:
        """Run in a greenlet or thread of its own."""

    def sleep(self, seconds: float) -> None:
        """Let others run."""


class Loop:
    """One loop: *turn* is a round of it, *name* stands in the log and in `/readyz`."""

    __slots__ = (
        "_logged", "_now", "_said", "_unlogged", "ended", "error", "failures", "name", "rest",
        "turn", "vital",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        turn: Callable[[], Any],
        *,
        vital: bool = True,
        rest: float = 0.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.turn = turn
        #: s between two rounds that go well
        self.rest = rest
        #: without this loop the worker cannot serve
        self.vital = vital
        #: rounds in a row that have failed
        self.failures = 0
        #: the kind of the last failure
        self.error = ""
        #: the loop runs no more, though nobody has asked it to end
        self.ended = False
        self._now = now
        self._logged: float | None = None
        self._unlogged = 0
        self._said = False  # the log says that this loop fails

    def once(self) -> Any:
        """One round; its result, or None when it has failed. Raises no `Exception`."""
        return self.call(self.turn)

    def call(self, function: Callable[[], Any]) -> Any:
        """As `once`, with *function* as the round."""
        try:
            result = function()
        except Exception as error:
            self.failed(error)
            return None
        if self.failures:
            self.failures = 0
            if self._said:
                self._said = False
                with contextlib.suppress(Exception):
                    log.warning("%s goes on", self.name)
        return result

    def failed(self, error: Exception) -> None:
        """Note that a round has raised *error*, and log it unless the log has just said so."""
        self.failures += 1
        self.error = type(error).__name__
        self._unlogged += 1
        now = self._now()
        if self._logged is None or now - self._logged >= PAUSE:
            count, self._unlogged = self._unlogged, 0
            self._logged, self._said = now, True
            with contextlib.suppress(Exception):  # a host's handler of log records may fail, too
                log.error("%s failed (%d)", self.name, count, exc_info=error)

    @property
    def pause(self) -> float:
        """s until the next round begins."""
        if not self.failures:
            return self.rest
        longest = max(LONGEST_PAUSE, min(self.rest, LONGEST_REST))
        return float(min(FIRST_PAUSE * 2 ** min(self.failures - 1, 20), longest))

    @property
    def trouble(self) -> str:
        """What is wrong with this loop; `""` while its rounds go well."""
        if self.ended:
            return f"{self.name} has ended"
        return f"{self.name} fails: {self.error}" if self.failures else ""


class Loops:
    """All loops of one server."""

    def __init__(self, runtime: Starts) -> None:
        self._runtime = runtime
        #: every loop that was ever begun
        self.all: list[Loop] = []

    def start(self, name: str, turn: Callable[[], Any], *, vital: bool = True) -> Loop:
        """Call *turn* again and again in a greenlet or thread of its own, until it returns False.

        *turn* waits for what it has to do; what it raises is noted.
        """
        return self._begin(Loop(name, turn, vital=vital))

    def every(
        self, seconds: float, name: str, turn: Callable[[], Any], *, vital: bool = False
    ) -> Loop:
        """The same, with *seconds* of rest before the first call and after each."""
        return self._begin(Loop(name, turn, vital=vital, rest=seconds))

    def add(self, name: str, turn: Callable[[], Any], *, vital: bool = True) -> Loop:
        """A loop whose rounds somebody else begins, by `Loop.once`."""
        loop = Loop(name, turn, vital=vital)
        self.all.append(loop)
        return loop

    def _begin(self, loop: Loop) -> Loop:
        self.all.append(loop)
        self._runtime.spawn(self._run, loop)
        return loop

    def _run(self, loop: Loop) -> None:
        try:
            while True:
                if pause := loop.pause:
                    self._runtime.sleep(pause)
                if loop.once() is False:
                    return
        except BaseException:  # its greenlet is killed
            loop.ended = True
            raise

    @property
    def trouble(self) -> str:
        """Why this worker cannot serve; `""` while it can."""
        return "; ".join(loop.trouble for loop in self.all if loop.vital and loop.trouble)
