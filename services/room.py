"""What a newer connection of a participant is given first: what its older ones have missed.

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

Item = TypeVar("Item", bound=Owed)


class Room:
    """The place, in what a connection is given, of what the older connections have missed.

    What they have missed is known later than what follows it, and goes out before that. The
    connection may end meanwhile; then a still newer connection asks for all of it.
    """

    __slots__ = ("_found", "_lasting", "_lock", "_questions", "is_delivered", "sent")

    def __init__(self, questions: Sequence[Question], found: Iterable[ParkedFrames] = ()) -> None:
        self._questions = deque(questions)
        self._found = [list(found)]
        self._lock = threading.Lock()
        #: all of it was put into the connection while the connection was open
        self.is_delivered = not questions
        #: by conversation: the highest `seq` that other workers have sent, as the answers say
        self.sent: dict[int, int] = {}
        #: the answered questions that can be asked again
        self._lasting: list[Question] = []

    def fill(self) -> list[ParkedFrames]:
        """What the older connections have missed, in order. Waits for all answers."""
        with self._lock:
            while self._questions:
                question = self._questions[0]
                self._found.append(question.answer())
                farthest(self.sent, question.sent)
                if question.stays:
                    self._lasting.append(question)
                if self._questions:  # `give_up` was not called meanwhile
                    self._questions.popleft()
        return self.found

    @property
    def found(self) -> list[ParkedFrames]:
        """What is known by now; the entries of each conversation in order of `seq`."""
        return in_order(merged(self._found))

    def give_up(self) -> list[Owed]:
        """The connection has ended: what was found or is left; older connections hold the rest."""
        left = [question.withdraw() for question in tuple(self._questions)]
        self._questions.clear()
        lists: list[Sequence[Owed]] = [*self._found, *left, self._lasting]
        owed = merged(lists)
        # An answer covers what this worker has delivered, not what its own connections missed.
        return sorted(owed, key=lambda item: not isinstance(item, ParkedFrames))


def farthest(seqs: dict[int, int], more: Mapping[int, int]) -> None:
    """Raise each of *seqs*, a `seq` by conversation, to what *more* says."""
    for conversation, seq in more.items():
        seqs[conversation] = max(seq, seqs.get(conversation, 0))


def merged(lists: Iterable[Sequence[Item]]) -> list[Item]:
    """All items of *lists*, each item once. Each list is in order, and so is the result."""
    result: list[Item] = []
    for items in lists:
        indexes = {key(item): index for index, item in enumerate(result)}
        woven: list[Item] = []
        new: list[Item] = []
        taken = 0
        for item in items:
            index = indexes.get(key(item))
            if index is None:
                new.append(item)
            elif index >= taken:
                woven += [*result[taken:index], *new, result[index]]
                taken, new = index + 1, []
        result = [*woven, *result[taken:], *new]
    return result


def in_order(found: list[ParkedFrames]) -> list[ParkedFrames]:
    """*found*, where the entries of each conversation change places so that `seq` rises."""
    entries: dict[int, list[ParkedFrames]] = {}
    for item in found:
        if item.conversation:
            entries.setdefault(item.conversation, []).append(item)
    ordered = {
        conversation: iter(sorted(some, key=lambda item: item.first))
        for conversation, some in entries.items()
    }
    return [next(ordered[item.conversation]) if item.conversation else item for item in found]


def key(owed: Owed) -> tuple[int, int] | bytes | Question:
    """Equal for equal items, whichever connection they were given to."""
    if not isinstance(owed, ParkedFrames):
        return owed
    return (owed.conversation, owed.first) if owed.conversation else owed.plain
