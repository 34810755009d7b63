"""How busy a shared desk is, without asking it each time."""

from __future__ import annotations

from ..desk.port import Desk, Figures

#: what workers can read (`desk.port.READS`) that know entries of other kinds than texts
READS_ENTRIES = 2


class LatestFigures:
    """The figures of *desk* as they were when it was asked last, about a second ago."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._latest = Figures(0, 0, 0, 0, 0.0, reads=1)  # until the desk was asked

    def look(self) -> bool:
        """Ask the desk. Waits for it. Raises `DeskUnavailable`.

        True: a worker was killed since the last look.
        """
        before, self._latest = self._latest, self._desk.figures()
        return before.deaths != self._latest.deaths

    def __call__(self) -> Figures:
        return self._latest

    @property
    def can_read_entries(self) -> bool:
        """Whether all workers can read entries of other kinds than texts."""
        return self._latest.reads >= READS_ENTRIES
