"""How long the queue is, as waiters are shown: that of the departments of each."""

from __future__ import annotations

import time
from functools import partial
from typing import NamedTuple

from .channels import sealed
from .desk.port import NOWHERE, Figures, Role
from .participants import Feed, Participant, each
from .roster import Roster

#: s by which the beginning of a wait may seem to move, and is still that of the same visitor
SAME_FIRST = 0.5

#: the departments of a waiter, by their keys
Keys = frozenset[str]


class _Queue(NamedTuple):
    """How long a queue is, and since when the first user waits, on the monotonic clock."""

    length: int
    since: float

    def is_news(self, before: _Queue) -> bool:
        """Whether waiters who were sent *before* are to be sent this."""
        is_same_first = not self.length or self.since - before.since < SAME_FIRST
        return self.length != before.length or not is_same_first


class QueueStatus:
    """Sends the waiters on *roster* how long their queue is, and how long the first has waited."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        #: what was sent to the waiters of these departments
        self._sent: dict[Keys, _Queue] = {}

    def update(self, figures: Figures) -> None:
        """Send it to the waiters for whom anything has changed."""
        now = time.monotonic()
        waiters = [one for one in list(self._roster.participants.values()) if _is_waiter(one)]
        before, self._sent = self._sent, {}
        news: set[Keys] = set()
        for keys in {_keys(one) for one in waiters}:
            length, longest_wait = _queue_of(figures, keys)
            self._sent[keys] = _Queue(length, now - longest_wait)
            if self._sent[keys].is_news(before.get(keys, _Queue(0, 0.0))):
                news.add(keys)
        for waiter in waiters if news else ():
            if _keys(waiter) in news:
                each(waiter.connections, partial(self.send, waiter, figures))

    def send(self, waiter: Participant, figures: Figures, connection: Feed) -> None:
        """Send it to one connection of *waiter*."""
        queue = _queue_of(figures, _keys(waiter))
        frame = connection.dialect.queue_status(waiter.uuid, *queue)
        if frame is not None:
            connection.put(sealed(frame))


def _is_waiter(participant: Participant) -> bool:
    return participant.role is Role.WAITER


def _keys(waiter: Participant) -> Keys:
    return frozenset(key for key, _ in waiter.departments or NOWHERE)


def _queue_of(figures: Figures, keys: Keys) -> tuple[int, float]:
    """How many wait in these departments, and how many s the first has waited."""
    if not figures.departments:
        return figures.queue_length, figures.longest_wait
    loads = [load for key, load in figures.departments.items() if key in keys]
    length = sum(load.queue_length for load in loads)
    return length, max((load.longest_wait for load in loads), default=0.0)
