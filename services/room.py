"""What a newer connection of a participant is given first: what the older ones have missed.

Each older connection is asked (`unconfirmed.py`), and so are other workers
(`shared/handover.py`). Until all have answered, or time is up, whatever is meant for the
newer connection waits.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from .channels import ParkedFrames
from .participants import Owed, Question

One = TypeVar("One", bound=Owed)


class Room:
    """Stands, in what a connection is given, for what the older ones have missed.

    That comes before all that is given later, although that is known earlier. The
    connection may end meanwhile; then a still newer one asks for all of it.
    """

    __slots__ = ("_found", "_lock", "_questions", "_words", "is_told", "told")

    def __init__(self, questions: Sequence[Question], found: Iterable[ParkedFrames] = ()) -> None:
        self._questions = deque(questions)
        self._found = [list(found)]
        self._lock = threading.Lock()
        #: all of it was put into the connection, while that was open
        self.is_told = not questions
        #: by conversation, up to which `seq` the answers say that all is delivered
        self.told: dict[int, int] = {}
        #: those whose verdict is known, and stays
        self._words: list[Question] = []

    def fill(self) -> list[ParkedFrames]:
        """What the older ones have missed, in order. Waits for all of their verdicts."""
        with self._lock:
            while self._questions:
                question = self._questions[0]
                self._found.append(question.verdict())
                farthest(self.told, question.told)
                if question.stays:
                    self._words.append(question)
                if self._questions:  # it was not given up meanwhile
                    self._questions.popleft()
        return self.kept

    @property
    def kept(self) -> list[ParkedFrames]:
        """What is known by now; the entries of each conversation in their order."""
        return in_order(merged(self._found))

    def give_up(self) -> list[Owed]:
        """The connection has ended: what was found, or left behind. Other ones have the rest."""
        left = [question.withdraw() for question in tuple(self._questions)]
        self._questions.clear()
        lists: list[Sequence[Owed]] = [*self._found, *left, self._words]
        owed = merged(lists)
        # An answer says how far this worker has delivered, not what its own connections missed.
        return sorted(owed, key=lambda one: not isinstance(one, ParkedFrames))


def farthest(told: dict[int, int], more: Mapping[int, int]) -> None:
    """Let *told*, a `seq` by conversation, go as far as *more*."""
    for conversation, seq in more.items():
        told[conversation] = max(seq, told.get(conversation, 0))


def merged(lists: Iterable[Sequence[One]]) -> list[One]:
    """All of *lists*, each thing once, in order; each is a part of one sequence."""
    result: list[One] = []
    for one in lists:
        places = {key(kept): place for place, kept in enumerate(result)}
        woven: list[One] = []
        new: list[One] = []
        taken = 0
        for kept in one:
            place = places.get(key(kept))
            if place is None:
                new.append(kept)
            elif place >= taken:
                woven += [*result[taken:place], *new, result[place]]
                taken, new = place + 1, []
        result = [*woven, *result[taken:], *new]
    return result


def in_order(found: list[ParkedFrames]) -> list[ParkedFrames]:
    """*found*, where the entries of each conversation change places so that `seq` rises."""
    texts: dict[int, list[ParkedFrames]] = {}
    for one in found:
        if one.conversation:
            texts.setdefault(one.conversation, []).append(one)
    ordered = {
        conversation: iter(sorted(some, key=_number)) for conversation, some in texts.items()
    }
    return [next(ordered[one.conversation]) if one.conversation else one for one in found]


def _number(kept: ParkedFrames) -> int:
    return kept.first


def key(owed: Owed) -> tuple[int, int] | bytes | Question:
    """The same for the same thing, whichever connection it was given to."""
    if not isinstance(owed, ParkedFrames):
        return owed
    return (owed.conversation, owed.first) if owed.conversation else owed.plain
