"""What a newer connection of a participant is told first: what the older ones have missed.

Each older one is asked (`unconfirmed.py`), and until it has answered, or time is up, whatever
is meant for the newer one waits.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence

from .participants import Kept, Question


class Room:
    """Is kept, among what a connection is given, for what the older ones turn out to have missed.

    It comes before all that is given later, though that is known earlier. The
    connection may end meanwhile, and a still newer one ask for all of it.
    """

    __slots__ = ("_found", "_lock", "_questions", "is_told")

    def __init__(self, questions: Sequence[Question], found: Iterable[Kept] = ()) -> None:
        self._questions = deque(questions)
        self._found = [list(found)]
        self._lock = threading.Lock()
        #: all of it was put into the connection, while that was open
        self.is_told = not questions

    def fill(self) -> list[Kept]:
        """What the older ones have missed, in order. Waits for all of their verdicts."""
        with self._lock:
            while self._questions:
                verdict = self._questions[0].verdict()
                self._found.append(verdict)
                if self._questions:  # it was not given up meanwhile
                    self._questions.popleft()
        return self.kept

    @property
    def kept(self) -> list[Kept]:
        """What is known of it by now."""
        return merged(self._found)

    def give_up(self) -> list[Kept]:
        """The connection has ended: what was found, or left behind. Other ones have the rest."""
        left = [question.withdraw() for question in tuple(self._questions)]
        self._questions.clear()
        return merged([*self._found, *left])


def merged(lists: Iterable[Sequence[Kept]]) -> list[Kept]:
    """All of *lists*, each thing once, in order; each is a part of one sequence."""
    result: list[Kept] = []
    for one in lists:
        places = {_key(kept): place for place, kept in enumerate(result)}
        woven: list[Kept] = []
        new: list[Kept] = []
        taken = 0
        for kept in one:
            place = places.get(_key(kept))
            if place is None:
                new.append(kept)
            elif place >= taken:
                woven += [*result[taken:place], *new, result[place]]
                taken, new = place + 1, []
        result = [*woven, *result[taken:], *new]
    return result


def _key(kept: Kept) -> tuple[int, int] | bytes:
    """What is the same thing, to whichever connection it was told."""
    return (kept.talk, kept.first) if kept.talk else kept.plain
