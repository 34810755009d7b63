"""The words that the desk's tests are written in.

A participant's name in a test is its UUID as well; its subject is derived from
it, so that the same name coming twice is the same participant coming twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from services.desk.port import Arrival, Departed, Desk, Event, Matched, Parted, Queued, Role


class Clock:
    """A clock that goes on when a test says so. It never shows 0: nothing starts at 0."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time

    def passes(self, seconds: float) -> None:
        self.time += seconds


def arrives(desk: Desk, role: Role, name: str) -> Arrival:
    """*name* comes to the desk; its UUID is its name unless it has one already."""
    return desk.arrive(role, f"subject of {name}", name)


def returns(desk: Desk, role: Role, name: str) -> None:
    """*name* is back within its grace period and offers a UUID that is not needed."""
    arrival = desk.arrive(role, f"subject of {name}", f"another {name}")
    assert arrival == Arrival(name, True)


def users_arrive(desk: Desk, *names: str) -> None:
    for name in names:
        assert arrives(desk, Role.USER, name) == Arrival(name, False)


def users_connect(desk: Desk, *names: str) -> None:
    """New users who ask for a waiter at once, one after the other."""
    for name in names:
        users_arrive(desk, name)
        desk.connect(name)


def waiters_arrive(desk: Desk, *names: str) -> None:
    for name in names:
        assert arrives(desk, Role.WAITER, name) == Arrival(name, False)


def waiters_get_ready(desk: Desk, *names: str) -> None:
    """New waiters who take users at once, one after the other."""
    for name in names:
        waiters_arrive(desk, name)
        desk.ready(name)


def time_passes(desk: Desk, clock: Clock, seconds: float) -> None:
    """As a worker lives it: time goes on and the desk is called."""
    clock.passes(seconds)
    desk.tick()


def assert_events(desk: Desk, *expected: Event) -> None:
    """These decisions, in this order, and no others since the last look."""
    assert desk.take_events() == list(expected)


def assert_silent(desk: Desk) -> None:
    """The desk has decided nothing since the last look."""
    assert_events(desk)


def forget_events(desk: Desk) -> None:
    """What has led up to this is not the point of the test."""
    desk.take_events()


def places(events: Iterable[Event]) -> dict[str, int]:
    """The position that each user was sent last."""
    return {event.user: event.location for event in events if isinstance(event, Queued)}


class Ledger:
    """Keeps the books by the events alone and refuses what no desk may ever decide.

    *capacity* says how many users a waiter serves at once.
    """

    def __init__(self, capacity: Callable[[str], int]) -> None:
        self._capacity = capacity
        #: user → waiter
        self.chats: dict[str, str] = {}
        self.departed: set[str] = set()

    def record(self, events: Iterable[Event]) -> None:
        for event in events:
            match event:
                case Matched(user, waiter):
                    self._assert_here(event, user, waiter)
                    assert user not in self.chats, f"{user} has two waiters"
                    self.chats[user] = waiter
                    assert self.load(waiter) <= self._capacity(waiter), f"{waiter} has too many"
                case Queued(user, _):
                    self._assert_here(event, user)
                    assert user not in self.chats, f"{user} waits in a chat"
                case Parted(user, waiter, gone):
                    self._assert_here(event, user, waiter)
                    assert gone in (user, waiter)
                    assert self.chats.pop(user, None) == waiter, f"{user} was not with {waiter}"
                case Departed(participant):
                    self._assert_here(event, participant)
                    assert participant not in self.chats, f"{participant} went without parting"
                    assert participant not in self.chats.values()
                    self.departed.add(participant)

    def load(self, waiter: str) -> int:
        return list(self.chats.values()).count(waiter)

    def _assert_here(self, event: Event, *participants: str) -> None:
        assert self.departed.isdisjoint(participants), f"{event} comes after the end"
