"""Why a user waits: what stands between it and each waiter who might serve it.

An `Obstacle` is what the desk's own matching asks: a waiter is free when it has none, and a
free waiter gets a user when none stands between them. So `Desk.explain` can name nothing that
the match does not know, and forget nothing that it does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct, field, structs

#: waiters that one explanation names
MOST_EXPLAINED = 100


class Obstacle(StrEnum):
    """Why a waiter does not serve a user now; the first that applies, those near a match first."""

    #: it serves as many users as it may
    FULL = "full"
    #: it takes no users
    NOT_READY = "not_ready"
    #: it is ready, and all its pages stand still
    FROZEN = "frozen"
    #: it has no connection, and the desk waits for it
    AWAY = "away"
    #: it could, and has handed this user over
    HANDED_OVER = "handed_over"
    #: it could, and belongs to a department to which the user moves later
    OTHER_DEPARTMENT = "other_department"
    #: it could, and belongs to a department to which the user would move if that were open
    CLOSED = "closed"
    #: it could, and the user has no connection
    USER_AWAY = "user_away"
    #: nothing: a desk that has lost everything matches nobody until it knows who serves whom
    SETTLING = "settling"


_RANKS = {one: rank for rank, one in enumerate(Obstacle)}


class Hindered(Struct, frozen=True):
    """A waiter who might serve a user, and what it does not do so for."""

    uuid: str
    name: str
    #: through which it might: the user's own, or the first to which that leads
    department: str
    reason: Obstacle
    #: how many users it serves, and how many at most
    load: int
    capacity: int


class Explanation(Struct, frozen=True, kw_only=True):
    """Why a user waits."""

    #: where it waits, and with which priority
    department: str
    priority: int
    #: how many stand before it
    position: int
    #: it has a connection
    is_here: bool
    #: the department to which it moves, and when: ms since 1970; None: to none
    moves_to: str | None = None
    moves_at: int | None = None
    #: at most `MOST_EXPLAINED`: those of the user's own department first, then by their reasons
    waiters: list[Hindered] = field(default_factory=list)
    #: how many have each reason, those that are not named included
    reasons: dict[Obstacle, int] = field(default_factory=dict)
    #: False: there are more waiters than the desk has looked at
    is_complete: bool = True

    def naming(self, waiters: Iterable[Hindered]) -> Explanation:
        """The same with these of all *waiters* whom it is to name, in their order."""
        in_order = sorted(
            waiters,
            key=lambda one: (one.department != self.department, _RANKS[one.reason], one.uuid),
        )
        return structs.replace(self, waiters=in_order[:MOST_EXPLAINED])


def counted(waiters: Iterable[Hindered]) -> dict[Obstacle, int]:
    """How many of *waiters* have each reason."""
    return dict(Counter(one.reason for one in waiters))
