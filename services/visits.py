"""What becomes of each time that a visitor asks for a waiter: rows for reports.

The server never reads them. What is not stored while the database is away waits in the
`Writer`, up to a bound.
"""

from __future__ import annotations

from .clock import Clock
from .conversation.rows import ConversationRow
from .history.port import Visit
from .history.visits import Outcome
from .history.writer import Writer


class Visits:
    """Lets *writer* store visits; None: nothing is stored."""

    def __init__(self, writer: Writer | None, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock

    def asked(self, key: int, department: str) -> None:
        """A visitor has asked for *department*; its conversation will have this *key*."""
        self._note(key, department=department)

    def turned_away(self, department: str, why: Outcome) -> int:
        """A visitor has asked for *department*, and was not let in; the key of the visit."""
        key = self._clock.new_key()
        self._note(key, department=department, ended=self._clock.ms(), outcome=why)
        return key

    def message_left(self, key: int, department: str) -> None:
        """A visitor has left a message for *department*, in its visit of this *key*."""
        self._note(key, department=department, ended=self._clock.ms(), outcome=Outcome.MESSAGE)

    def matched(self, key: int, waiter: str) -> None:
        """The *waiter* of this subject serves the visitor, and is the first one who does."""
        self._note(key, matched=self._clock.ms(), waiter=waiter)

    def abandoned(self, key: int) -> None:
        """The visitor waits no more, and nobody has served it."""
        self._note(key, ended=self._clock.ms(), outcome=Outcome.ABANDONED)

    def ended(self, row: ConversationRow) -> None:
        """The conversation of *row* has ended."""
        self._note(row.key, ended=row.ended, outcome=row.reason or Outcome.UNKNOWN)

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
