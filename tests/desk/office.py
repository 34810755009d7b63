"""A few workers at one desk, each of them driven by hand."""

from __future__ import annotations

import redis

from services.desk.port import Event
from services.desk.redis import RedisDesk

from .conformance import GRACE
from .crew import desk_name, read_mailbox
from .helpers import Clock

PATIENT = 30.0  # s that a worker waits for Redis


class Office:
    """A desk of its own on a Redis, and its workers by name."""

    def __init__(self, url: str, clock: Clock | None = None, **options: float) -> None:
        usual = {"capacity": 5, "max_queue": 100, "grace": GRACE, "timeout": PATIENT}
        self._options = {"url": url, "desk": desk_name(), "now": clock, **(usual | options)}
        self.client = redis.Redis.from_url(url, protocol=2)
        self._desks: list[RedisDesk] = []

    def hire(self, name: str, **options: object) -> RedisDesk:
        """One more worker, who has joined."""
        desk = RedisDesk(worker=name, **(self._options | options))
        desk.figures()
        self._desks.append(desk)
        return desk

    def hears(self, desk: RedisDesk) -> list[Event]:
        """The events that a worker was sent since the last look."""
        read_mailbox(self.client, desk)
        return desk.take_events()

    def close(self) -> None:
        for desk in self._desks:
            desk.close()
        self.client.close()


def they_live(clock: Clock, seconds: float, *desks: RedisDesk) -> None:
    """Time passes, and no lease ends meanwhile."""
    for _ in range(10):
        clock.passes(seconds / 10)
        for desk in desks:
            desk.tick()
