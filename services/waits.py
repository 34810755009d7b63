"""How long a user in the queue is likely to wait, by department.

A seat becomes free whenever a conversation ends. So *n* users ahead, *s* seats and
conversations that last *d* seconds make about `(n + 1) * d / s` seconds. How long conversations
have lasted lately is in the history; the desk says how many seats there are for the users of
a department (`Figures.seats`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from statistics import fmean

from .desk.port import Figures

#: conversations of a department that must have ended before anything is said
ENOUGH = 20

#: the latest conversations of the site that are looked at, and how far back, in s
LATEST = 500
LATELY = 7 * 86_400


class Waits:
    """Estimates waits. It says nothing of a department before there is enough to go by."""

    def __init__(self) -> None:
        #: s that conversations of a department lasted lately
        self._lasted: dict[str, float] = {}

    def learn(self, lasted: Iterable[tuple[str, float]], departments: Collection[str]) -> None:
        """Conversations have *lasted* so long lately: department and s. *departments*: the site's.

        One of a department that there is not counts for `""`.
        """
        found: defaultdict[str, list[float]] = defaultdict(list)
        for department, seconds in lasted:
            found[department if department in departments else ""].append(seconds)
        self._lasted = {key: fmean(some) for key, some in found.items() if len(some) >= ENOUGH}

    def estimate(self, department: str, location: int, figures: Figures) -> float | None:
        """s that a user with *location* users ahead in *department* is likely to wait.

        None: there is too little to go by, or nobody is there who could serve it.
        """
        lasted, seats = self._lasted.get(department), figures.seats.get(department, 0.0)
        if lasted is None or not seats:
            return None
        return (location + 1) * lasted / seats
