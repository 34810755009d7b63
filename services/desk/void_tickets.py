"""Tickets that were used or given up, so that they bring no position back.

The numbers of tickets grow, so one number for each subject is enough: up to
there its tickets are void. Not locked: the desk's lock is held around every call.
"""

from __future__ import annotations

from collections import OrderedDict

from ..bounds import MOST_VOID, TICKET_LIFETIME


class VoidTickets:
    """Subject → up to which number (µs since 1970) its tickets are void; the oldest first."""

    def __init__(self) -> None:
        self._void: OrderedDict[str, int] = OrderedDict()

    def add(self, subject: str, number: int) -> None:
        """The tickets of *subject* are void up to *number*."""
        self._void[subject] = number
        self._void.move_to_end(subject)
        if len(self._void) > MOST_VOID:
            self._void.popitem(last=False)

    def holds(self, subject: str, ticket: int) -> bool:
        """Whether *ticket* is void. One of the front is negative: its distance from 0 counts."""
        return abs(ticket) <= self._void.get(subject, 0)

    def forget(self, now: int) -> None:
        """What has run out by itself until *now* (µs since 1970)."""
        oldest = now - round(TICKET_LIFETIME * 1e6)
        while self._void and self._void[next(iter(self._void))] < oldest:
            self._void.popitem(last=False)
