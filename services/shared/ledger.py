"""What addresses and participants hold and spend at all workers together.

One call at a time asks Redis, and carries all questions that have come meanwhile: ten
thousand participants who return at once cost a few calls and not ten thousand. While Redis
cannot be reached, each worker goes by its own counts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from ..desk.port import DeskUnavailable
from ..desk.questions import Hold, HoldAll, Question, Release, Spend

#: what a question adds to what is held
CHANGES: dict[type[Question], int] = {Hold: 1, Release: -1}


class SharedDesk(Protocol):
    """The part of `RedisDesk` that is needed here."""

    @property
    def joins(self) -> int:
        """How often it has joined; more than once: what Redis knows of this worker may be lost."""

    def count(self, asked: Sequence[Question]) -> list[int]:
        """1 for each question, or 0 for what is refused. Raises `DeskUnavailable`."""


class _Asked:
    """A question, and its answer once it is there."""

    __slots__ = ("answer", "question")

    def __init__(self, question: Question) -> None:
        self.question = question
        self.answer: bool | None = None


class Ledger:
    """The questions of one worker. *held* returns all that it holds, by the keys used here.

    *spawn* runs a function soon, in a greenlet or thread of its own.
    """

    def __init__(
        self,
        desk: SharedDesk,
        held: Callable[[], dict[str, int]],
        spawn: Callable[[Callable[[], None]], None],
    ) -> None:
        self._desk = desk
        self._held = held
        self._spawn = spawn
        self._joins = 0
        self._turn = threading.Lock()  # one call at a time
        self._lock = threading.Lock()  # of what follows; never held while anything is waited for
        self._waiting: list[_Asked] = []

    def hold(self, key: str, most: int) -> bool:
        """Hold one more of *key*, unless all workers hold *most* of it. Waits."""
        return self._ask(Hold(key, most))

    def release(self, key: str) -> None:
        """Hold one less. Does not wait."""
        with self._lock:
            is_first = not self._waiting
            self._waiting.append(_Asked(Release(key)))
        if is_first:
            self._spawn(self._flush)

    def spend(self, key: str, a_second: float, at_once: float) -> bool:
        """Whether one more of *key* is within the rate that all workers have together. Waits."""
        return self._ask(Spend(key, round(1_000_000 / a_second), at_once))

    def _ask(self, question: Question) -> bool:
        asked = _Asked(question)
        with self._lock:
            self._waiting.append(asked)
        with self._turn:
            if asked.answer is None:
                self._send()
        return asked.answer is not False

    def _flush(self) -> None:
        with self._turn:
            self._send()

    def _send(self) -> None:
        """Ask all questions that wait; `_turn` is held."""
        with self._lock:
            batch, self._waiting = self._waiting, []
        if not batch:
            return
        try:
            answers = self._desk.count([one.question for one in batch])
            joins = self._desk.joins
            if joins != self._joins:  # what Redis knew of this worker may be lost, or be wrong
                self._desk.count([HoldAll(self._counts())])
                self._joins = joins
        except DeskUnavailable:
            answers = [1] * len(batch)
        for asked, answer in zip(batch, answers, strict=True):
            asked.answer = bool(answer)

    def _counts(self) -> dict[str, int]:
        """What Redis should hold: all that is held here, but for the questions that still wait."""
        with self._lock:
            held = self._held()
            for question in (one.question for one in self._waiting):
                if isinstance(question, Hold | Release):
                    held[question.key] = held.get(question.key, 0) - CHANGES[type(question)]
        return {key: count for key, count in held.items() if count > 0}
