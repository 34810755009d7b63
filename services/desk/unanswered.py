"""Which users wait for the first word of their waiters, and until when.

A user who is away needs no answer: its time stands still. Not locked: the desk's lock is held
around every call.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator


class Unanswered:
    """*within*: s in which a waiter has to write something if nothing else is said; 0: never."""

    def __init__(self, within: float) -> None:
        self._within = within
        #: user → µs at which its time is up; and what is left to those who are away
        self._due: dict[str, int] = {}
        self._left: dict[str, int] = {}
        #: the same, soonest first; what `_due` does not say any more counts no more
        self._heap: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._due) + len(self._left)

    def begin(self, user: str, now: float, within: float | None, *, is_here: bool) -> None:
        """*user* has just got a waiter, who has *within* s; None: as usual."""
        most = self._within if within is None else within
        if most:
            self._left[user] = round(most * 1e6)
            if is_here:
                self.resume(user, now)

    def resume(self, user: str, now: float) -> None:
        """*user* is here again."""
        left = self._left.pop(user, None)
        if left is not None:
            self._due[user] = due = round(now * 1e6) + left
            heapq.heappush(self._heap, (due, user))

    def pause(self, user: str, now: float) -> None:
        """*user* is away."""
        due = self._due.pop(user, None)
        if due is not None:
            self._left[user] = max(0, due - round(now * 1e6))

    def end(self, user: str) -> None:
        """*user* was answered, or is served no more."""
        self._due.pop(user, None)
        self._left.pop(user, None)

    def late(self, now: float) -> Iterator[str]:
        """Whose time is up, in that order; they do not count any more."""
        while self._heap and self._heap[0][0] <= now * 1e6:
            due, user = heapq.heappop(self._heap)
            if self._due.get(user) == due:
                del self._due[user]
                yield user
