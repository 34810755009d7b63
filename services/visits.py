"""What becomes of each time that a visitor asks for a waiter: rows for reports.

The server decides nothing by them. What is not stored while the database is away waits in the
`Writer`, up to a bound.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from .clock import Clock
from .conversation.rows import ConversationRow
from .history.port import Visit
from .history.visits import Outcome
from .history.writer import Writer

#: s in which whoever was turned away and asks for the same department again goes on with its visit
SAME_VISIT = 60.0

#: of so many each worker remembers that
MOST_REFUSED = 10_000


class Visits:
    """Lets *writer* store visits; None: nothing is stored."""

    def __init__(
        self, writer: Writer | None, clock: Clock, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._writer = writer
        self._clock = clock
        self._now = now
        #: by subject and department, the oldest first: who was turned away lately, in which visit
        #: and when that began
        self._refused: dict[tuple[str, str], tuple[int, float]] = {}

    def asked(self, key: int, department: str) -> None:
        """A visitor has asked for *department*; its conversation will have this *key*."""
        self._note(key, department=department)

    def turned_away(self, subject: str, department: str, why: Outcome) -> int:
        """*subject* has asked for *department*, and was not let in; the key of the visit.

        Within `SAME_VISIT` s it is the visit of the first time: a client that asks again and
        again leaves one row a minute.
        """
        now, whose = self._now(), (subject, department)
        key, began = self._refused.get(whose, (0, 0.0))
        if key and now - began < SAME_VISIT:
            return key
        key = self._clock.new_key()
        self._refused.pop(whose, None)
        self._refused[whose] = key, now
        self._forget(now)
        self._note(key, department=department, ended=self._clock.ms(), outcome=why)
        return key

    def of_message(self, key: int, department: str) -> Visit:
        """What is stored with a message for *department* that ends the visit of this *key*."""
        now = self._clock.ms()
        asked = self._clock.opened(key)
        return Visit(key, asked, department, ended=now, outcome=Outcome.MESSAGE)

    def message_left(self, key: int) -> None:
        """The visit of this *key* has ended with a message: whoever asks again begins another."""
        self._refused = {whose: one for whose, one in self._refused.items() if one[0] != key}

    def matched(self, key: int, waiter: str) -> None:
        """The *waiter* of this subject serves the visitor, and is the first one who does."""
        self._note(key, matched=self._clock.ms(), waiter=waiter)

    def abandoned(self, key: int) -> None:
        """The visitor waits no more, and nobody has served it."""
        self._note(key, ended=self._clock.ms(), outcome=Outcome.ABANDONED)

    def ended(self, row: ConversationRow) -> None:
        """The conversation of *row* has ended."""
        self._note(row.key, ended=row.ended, outcome=row.reason or Outcome.UNKNOWN)

    def _forget(self, now: float) -> None:
        """Forget who was turned away a minute ago, and the oldest where there are too many."""
        while self._refused:
            oldest = next(iter(self._refused))
            if len(self._refused) <= MOST_REFUSED and now - self._refused[oldest][1] < SAME_VISIT:
                return
            del self._refused[oldest]

    def _note(
        self, key: int, *, department: str = "", matched: int | None = None, waiter: str = "",
        ended: int | None = None, outcome: str = "",
    ) -> None:  # fmt: skip
        if self._writer is not None and key:
            self._writer.note_visit(
                Visit(
                    key, self._clock.opened(key), department, matched, waiter, ended, str(outcome)
                )
            )
