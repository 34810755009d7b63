"""Which users in the queue are sent their positions, and when.

Not locked: the desk's lock is held around every call.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from .port import POSITIONS_A_ROUND, POSITIONS_EVERY
from .user_queue import UserQueue


class Positions:
    """The positions in *queue*. *last_sent* returns the one that a user was last sent."""

    def __init__(self, queue: UserQueue, last_sent: Callable[[str], int]) -> None:
        self._queue = queue
        self._last_sent = last_sent
        #: some positions have changed since positions were last sent
        self.have_changed = False
        self._round_at = 0.0  # when the last round was
        self._turn = 0  # the ticket at which the next round goes on, behind the foremost users

    def next_round(self, now: float) -> list[tuple[str, int]]:
        """Whom to send a position at *now*, and which: those whose position has changed.

        At most once in `POSITIONS_EVERY`, and at most `POSITIONS_A_ROUND` of them: the foremost
        always, the others in turns.
        """
        if not self.have_changed or now - self._round_at < POSITIONS_EVERY:
            return []
        self._round_at = now
        length = len(self._queue)
        foremost = min(POSITIONS_A_ROUND // 2, length)
        turn = min(max(foremost, self._queue.position_of(self._turn)), length)
        found: list[tuple[str, int]] = []
        for first, last in ((0, foremost), (turn, length), (foremost, turn)):
            some = islice(self._queue.everybody(first), last - first)
            for position, uuid in enumerate(some, first):
                if self._last_sent(uuid) == position:
                    continue
                if len(found) == POSITIONS_A_ROUND:
                    self._turn = self._queue.ticket(uuid)
                    return found  # the rest changes next time
                found.append((uuid, position))
        self.have_changed = False
        return found
