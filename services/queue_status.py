"""How long the queue is, as waiters are shown."""

from __future__ import annotations

import time
from functools import partial

from .channels import sealed
from .desk.port import Figures, Role
from .participants import Feed, Participant, each
from .roster import Roster

#: s by which the beginning of a wait may seem to move, and is still that of the same visitor
SAME_FIRST = 0.5


class QueueStatus:
    """Sends the waiters on *roster* how long the queue is, and since when the first user waits."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        #: how many wait, and since when the first one does, as waiters were sent
        self._last_sent = (0, 0.0)

    def update(self, figures: Figures) -> None:
        """Send it to all waiters, if anything has changed."""
        now = figures.queue_length, time.monotonic() - figures.longest_wait
        before, self._last_sent = self._last_sent, now
        if now[0] == before[0] and (not now[0] or now[1] - before[1] < SAME_FIRST):
            return
        for participant in list(self._roster.participants.values()):
            if participant.role is Role.WAITER:
                each(participant.connections, partial(self.send, participant, figures))

    def send(self, waiter: Participant, figures: Figures, connection: Feed) -> None:
        """Send it to one connection of *waiter*."""
        frame = connection.dialect.queue_status(
            waiter.uuid, figures.queue_length, figures.longest_wait
        )
        if frame is not None:
            connection.put(sealed(frame))
