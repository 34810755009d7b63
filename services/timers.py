"""One timer wheel for everything that is counted in seconds.

It counts the time it has *lived*: after a stall of the loop, or a machine put
to sleep, it goes on by one tick rather than by the time that was lost, so that
a stall never ends ten thousand connections at once.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

from .loops import Loop, Loops
from .runtime import Runtime

TICK = 0.1  # s: fine enough that a grace of one second is one second; costs nothing


class Timer:
    """A call that is due; `cancel` takes it back."""

    __slots__ = ("_call", "_due", "_slot", "_wheel")

    def __init__(self, call: Callable[[], None], wheel: Wheel, due: int, slot: set[Timer]) -> None:
        self._call = call
        self._wheel = wheel
        self._due = due
        self._slot = slot
        slot.add(self)

    def cancel(self) -> None:
        self._slot.discard(self)
        if not self._slot:
            self._wheel.drop(self._due, self._slot)
        self._call = _nothing  # whose method it is may hold this timer

    def fire(self) -> None:
        call, self._call = self._call, _nothing
        call()


def _nothing() -> None:
    """Stands where a timer's call was."""


class Wheel:
    """Timers in slots of one tick; starting, stopping and firing one costs O(1)."""

    def __init__(self, runtime: Runtime, loops: Loops | None = None) -> None:
        self._runtime = runtime
        #: where whatever else runs in the background is begun
        self.loops = loops or Loops(runtime)
        self._slots: dict[int, set[Timer]] = {}
        self._every: list[Loop] = []
        #: counts the timers that have failed: each of them concerns one connection, mostly
        self._fired = Loop("a timer", lambda: None, vital=False)
        self._lock = threading.Lock()
        self._running = False
        self._ticks = 0

    def after(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Call once, *seconds* from now or up to two ticks (and any stall) later."""
        with self._lock:
            due = self._ticks + math.ceil(seconds / TICK) + 1
            slot = self._slots.setdefault(due, set())
            timer = Timer(call, self, due, slot)
        self.start()
        return timer

    def drop(self, due: int, slot: set[Timer]) -> None:
        """Let go of a *slot* that nobody is in any more: it may be due in a minute."""
        with self._lock:
            if not slot and self._slots.get(due) is slot:
                del self._slots[due]

    def every_tick(self, call: Callable[[], None], name: str = "a tick") -> None:
        """Call at each tick, after the timers that are due. *name* as in `Loop`."""
        self._every.append(self.loops.add(name, call))

    def start(self) -> None:
        """Begin to tick; at the first connection, so that a fork comes first."""
        if not self._running:
            self._running = True
            self.loops.start("the timers", self._turn)

    def stop(self) -> None:
        """Tick no more."""
        self._running = False

    def lived(self) -> float:
        """Seconds lived since the start."""
        return self._ticks * TICK

    def _turn(self) -> bool:
        self._runtime.sleep(TICK)
        if self._running:
            # What was ready to be read is read before anybody is judged for silence.
            self._runtime.call_soon(self.tick)
        return self._running

    def tick(self) -> None:
        """Live one tick on."""
        with self._lock:
            self._ticks += 1
            due = self._slots.pop(self._ticks, set())
        for timer in tuple(due):
            if timer in due:  # not cancelled by one before it
                self._fired.call(timer.fire)
        due.clear()
        for loop in self._every:
            loop.once()
