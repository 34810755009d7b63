"""Which users in the queue of one department are sent their positions next.

Not locked: the desk's lock is held around every call.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from .port import POSITIONS_A_ROUND
from .user_queue import UserQueue


class Positions:
    """The positions in *queue*. *last_sent* returns the one that a user was last sent."""

    __slots__ = ("_last_sent", "_queue", "_turn", "have_changed")

    def __init__(self, queue: UserQueue, last_sent: Callable[[str], int]) -> None:
        self._queue = queue
        self._last_sent = last_sent
        #: some positions have changed since positions were last sent
        self.have_changed = False
        self._turn = 0  # the order at which the next round goes on, behind the foremost users

    def next_round(self, most: int) -> list[tuple[str, int]]:
        """Whom to send a position, and which: those whose position has changed, at most *most*.

        The foremost always, the others in turns. Positions that are left over still
        `have_changed`.
        """
        length = len(self._queue)
        foremost = min(POSITIONS_A_ROUND // 2, length)
        turn = min(max(foremost, self._queue.position_of(self._turn)), length)
        found: list[tuple[str, int]] = []
        for first, last in ((0, foremost), (turn, length), (foremost, turn)):
            some = islice(self._queue.everybody(first), last - first)
            for position, uuid in enumerate(some, first):
                if self._last_sent(uuid) == position:
                    continue
                if len(found) == most:
                    if position >= foremost:
                        self._turn = self._queue.order(uuid)
                    return found  # the rest changes next time
                found.append((uuid, position))
        self.have_changed = False
        return found
