"""Which users in the queue are told their positions, and when.

Not locked: the desk's lock is held around every call.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from .port import PLACES_A_ROUND, TELL_PLACES
from .user_queue import UserQueue


class Positions:
    """The positions in *queue*. *told* names the one that a user was last told."""

    def __init__(self, queue: UserQueue, told: Callable[[str], int]) -> None:
        self._queue = queue
        self._told = told
        #: some positions have changed since users were last told
        self.have_changed = False
        self._round_at = 0.0  # when the last round was
        self._turn = 0  # the ticket at which the next round goes on, behind the foremost users

    def next_round(self, now: float) -> list[tuple[str, int]]:
        """Whom to tell at *now*, and which position: those whose position has changed.

        At most once in `TELL_PLACES`, and at most `PLACES_A_ROUND` of them: the foremost
        always, the others in turns.
        """
        if not self.have_changed or now - self._round_at < TELL_PLACES:
            return []
        self._round_at = now
        length = len(self._queue)
        foremost = min(PLACES_A_ROUND // 2, length)
        turn = min(max(foremost, self._queue.position_of(self._turn)), length)
        found: list[tuple[str, int]] = []
        for first, last in ((0, foremost), (turn, length), (foremost, turn)):
            some = islice(self._queue.everybody(first), last - first)
            for position, uuid in enumerate(some, first):
                if self._told(uuid) == position:
                    continue
                if len(found) == PLACES_A_ROUND:
                    self._turn = self._queue.ticket(uuid)
                    return found  # the rest changes next time
                found.append((uuid, position))
        self.have_changed = False
        return found
