"""Which waiter of a department is next: least load first, then longest idle.

Every operation is O(1).

Waiters that can take a user stand in buckets by load; a bucket holds them in
the order in which they came into it, so its first is the longest idle. (An
`OrderedDict`: the first of a `dict` is found by walking over all that were
deleted before it.) An integer's bits say which buckets hold anybody.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from .departments import NOWHERE, Member
from .explaining import Obstacle

_FULL = Obstacle.FULL  # each match asks for it, and looking a member up takes Python time


@dataclass(slots=True, eq=False)
class Waiter:
    """A waiter as the desk knows it."""

    uuid: str
    subject: str
    #: users at once
    capacity: int
    #: users served, in the order in which they were matched
    users: dict[str, None] = field(default_factory=dict)
    ready: bool = False
    #: has a connection; an absent waiter still has its users and gets no others
    present: bool = True
    #: its pages stand still
    frozen: bool = False
    #: since when it is on duty, on the desk's clock; None: it is not
    on_duty_since: float | None = None
    #: what users know it by
    name: str = ""
    avatar: str = ""
    #: the departments that it was given, and those of them that there are
    given: tuple[Member, ...] = ()
    departments: tuple[Member, ...] = NOWHERE

    @property
    def obstacle(self) -> Obstacle | None:
        """Why it cannot get one more user now, whoever that is; None: it is free."""
        if not self.present:
            return Obstacle.AWAY
        if not self.ready:
            return Obstacle.NOT_READY
        if self.frozen:
            return Obstacle.FROZEN
        return _FULL if len(self.users) >= self.capacity else None

    @property
    def on_duty(self) -> bool:
        """It is ready, and here: it is free, or serves as many as it may."""
        found = self.obstacle
        return found is None or found is _FULL

    @property
    def free(self) -> bool:
        """Can take one more user now."""
        return self.obstacle is None


def _none(waiter: str) -> None:
    """Nothing stands between *waiter* and anybody."""


class WaiterPool:
    """The free waiters of one department. Not locked: the desk's lock is held around every call."""

    def __init__(self) -> None:
        self._buckets: list[OrderedDict[str, Waiter]] = []
        self._occupied = 0  # bit n: bucket n holds somebody
        self._load: dict[str, int] = {}  # the bucket each free waiter stands in

    def __len__(self) -> int:
        return len(self._load)

    def __contains__(self, waiter: str) -> bool:
        return waiter in self._load

    def refresh(self, waiter: Waiter) -> None:
        """Put *waiter* where it belongs now; behind its equals if its load has changed."""
        load = len(waiter.users) if waiter.obstacle is None else None
        standing = self._load.get(waiter.uuid)
        if load == standing:
            return
        if standing is not None:
            self.remove(waiter)
        if load is not None:
            while len(self._buckets) <= load:
                self._buckets.append(OrderedDict())
            self._buckets[load][waiter.uuid] = waiter
            self._load[waiter.uuid] = load
            self._occupied |= 1 << load

    def remove(self, waiter: Waiter) -> None:
        """Take *waiter* out, if it is in."""
        load = self._load.pop(waiter.uuid, None)
        if load is None:
            return
        bucket = self._buckets[load]
        del bucket[waiter.uuid]
        if not bucket:
            self._occupied &= ~(1 << load)

    def next(self, obstacle_to: Callable[[str], Obstacle | None] = _none) -> Waiter | None:
        """The waiter whose turn it is, of those to whom there is no obstacle; it stays here."""
        occupied = self._occupied
        while occupied:
            lowest = (occupied & -occupied).bit_length() - 1
            for waiter in self._buckets[lowest].values():
                if obstacle_to(waiter.uuid) is None:
                    return waiter
            occupied &= occupied - 1
        return None
