"""Who is away, how long the desk waits for each, and who makes room for present users.

An anonymous user who has written nothing costs an attacker nothing: it asks and hangs up.
So the desk waits for it as long as a page takes to load again, and gives its place
to another user as soon as one needs it. A phone that sleeps cuts its connections: so the desk
waits for some users who are served for minutes. Not locked: the desk's lock is held around
every call.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

from ..bounds import ANONYMOUS_GRACE, SEATS_KEPT
from .port import Absence

#: absences of the users who make room
YIELDING = (Absence.SILENT, Absence.ANONYMOUS)


class Absent:
    """The absent participants. *grace* is the usual grace period in s, *away* that of sleepers."""

    def __init__(self, grace: float, away: float = 0.0) -> None:
        self._grace = grace
        self._brief = min(grace, ANONYMOUS_GRACE)
        self._away = max(grace, away)
        # participant → when its grace ends, soonest first; ordered, so that the first is at hand
        self._long: OrderedDict[str, float] = OrderedDict()
        self._short: OrderedDict[str, float] = OrderedDict()
        self._asleep: OrderedDict[str, float] = OrderedDict()
        # users who make room, with a number that grows: served ones, and others
        self._seats: OrderedDict[str, int] = OrderedDict()
        self._others: dict[str, int] = {}
        self._yielded = 0

    def __len__(self) -> int:
        return len(self._long) + len(self._short) + len(self._asleep)

    def add(
        self,
        uuid: str,
        now: float,
        absence: Absence,
        *,
        served: bool = False,
        may_sleep: bool = False,
    ) -> None:
        """*uuid* is away from *now* on."""
        if served and may_sleep:
            self._asleep[uuid] = now + self._away
        elif absence is Absence.ANONYMOUS and self._brief < self._grace:
            self._short[uuid] = now + self._brief
        else:
            self._long[uuid] = now + self._grace
        if absence in YIELDING:
            self._yielded += 1
            (self._seats if served else self._others)[uuid] = self._yielded

    def discard(self, uuid: str) -> bool:
        """*uuid* is back, or gone; False when it was not away."""
        self._seats.pop(uuid, None)
        self._others.pop(uuid, None)
        ends = [some.pop(uuid, None) for some in (self._long, self._short, self._asleep)]
        return any(end is not None for end in ends)

    def unseat(self, uuid: str, now: float) -> None:
        """*uuid* is served no more: it makes room where it waits, if it makes room at all.

        If it may have slept on, its usual grace period begins *now*.
        """
        if self._asleep.pop(uuid, None) is not None:
            self._long[uuid] = now + self._grace
        if uuid in self._seats:
            self._others[uuid] = self._seats.pop(uuid)

    def yielding(self, some: Iterable[str]) -> str | None:
        """Which of *some* makes room: the longest absent one."""
        seats, others = self._seats, self._others
        known = ((seats.get(uuid) or others.get(uuid), uuid) for uuid in some)
        return min(((number, uuid) for number, uuid in known if number), default=(0, None))[1]

    def yielding_where(self, waits: Callable[[str], bool]) -> str | None:
        """As `yielding`, of users who are not served and for whom *waits* is true."""
        return self.yielding(filter(waits, self._others))

    def gives_seats(self, served: int) -> bool:
        """Whether there are `seats_to_give`."""
        return len(self._seats) > _seats_left(served)

    def seats_to_give(self, served: int) -> list[str]:
        """Whose seats are free to give while *served* users are served; the first one first.

        A few are not given away: pages of honest visitors may be loading.
        """
        return list(self._seats)[: -_seats_left(served)] if self.gives_seats(served) else []

    def ended(self, now: float) -> str | None:
        """Somebody whose grace period has ended."""
        every = (self._long, self._short, self._asleep)
        heads = [next(iter(some.items())) for some in every if some]
        uuid, end = min(heads, key=lambda head: head[1], default=(None, now + 1))
        return uuid if end <= now else None


def _seats_left(served: int) -> int:
    return max(1, served // SEATS_KEPT)
