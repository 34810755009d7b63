"""What visitors are shown before they ask: who is there, and how soon they are answered.

Everybody who opens a page may ask for it. So `Welcome` asks the desk and the history seldom,
and gives what it has found to all who ask within some seconds.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from statistics import median
from typing import Generic, TypeVar

from .clock import KEY_BITS, Clock
from .departments import Departments, SiteDepartment
from .desk.port import Desk, DeskUnavailable, Face, Figures
from .history.port import Store, StoreError
from .offline import Offline, offline
from .runtime import Runtime
from .settings import OfflineWhen, Settings, TeamShown
from .timers import Wheel

#: the most waiters that are shown
TEAM = 4

#: s for which an answer of the desk, and one of the history, is given out again
TEAM_FRESH = 2.0
REPLY_FRESH = 60.0

#: of the usual time of a reply: how far back it looks, in s and conversations, and how many of
#: them must have been answered, or there is nothing to go by
LATELY = 30 * 86_400
LATEST = 200
ENOUGH = 5

T = TypeVar("T")


class _Lately(Generic[T]):
    """What *find* has found, for *fresh* s. Others do not wait while it looks again."""

    def __init__(self, find: Callable[[], T], fresh: float, runtime: Runtime) -> None:
        self._find = find
        self._fresh = fresh
        self._runtime = runtime
        self._lock = threading.Lock()
        self._found: tuple[float, T] | None = None  # until when, and what

    def forget(self) -> None:
        """What was found is nobody's business any more."""
        self._found = None

    def get(self) -> T:
        """What was found, now or a moment ago."""
        known = self._found
        if known is not None and self._runtime.now() < known[0]:
            return known[1]
        if not self._lock.acquire(blocking=known is None):
            assert known is not None  # noqa: S101
            return known[1]
        try:
            newer = self._found
            if newer is None or self._runtime.now() >= newer[0]:
                found = self._find()
                newer = self._found = self._runtime.now() + self._fresh, found
            return newer[1]
        finally:
            self._lock.release()


class Welcome:
    """Asks *desk* and *store*, which is None without a database.

    What is remembered is bounded by what the site has, whatever visitors ask for.
    """

    def __init__(
        self,
        settings: Settings,
        desk: Desk,
        store: Store | None,
        runtime: Runtime,
        wheel: Wheel,
        clock: Clock,
        departments: Departments | None = None,
    ) -> None:
        self._departments = Departments() if departments is None else departments
        self._wheel = wheel
        self._desk = desk
        self._store = store
        self._runtime = runtime
        self._clock = clock
        self._shows_team = settings.team is TeamShown.READY
        #: by department; "": of all
        self._teams: dict[str, _Lately[list[Face]]] = {}
        self._reply = _Lately(self._find_reply, REPLY_FRESH, runtime)
        self._offline = settings.offline
        self._figures = _Lately(self._find_figures, TEAM_FRESH, runtime)

    def is_told(self, department: str) -> bool:
        """Whether visitors are told if they are let in where they ask for *department*.

        They are not where nobody is ever sent away, or the site has no such department.
        """
        may_be_closed = self._offline is OfflineWhen.NOBODY or self._departments.rules.departments
        return bool(may_be_closed) and self._departments.get(department) is not None

    def offline(self, department: str = "", figures: Figures | None = None) -> Offline | None:
        """Why a visitor that asks for *department* now is not let in; None: it is.

        *figures* are those of the desk, where they are at hand.
        """
        ask = self._figures.get if figures is None else lambda: figures
        with contextlib.suppress(DeskUnavailable):
            return offline(self._offline, self._departments, department, ask)
        return None

    def departments(self) -> list[SiteDepartment]:
        """Those that visitors may ask for."""
        return self._departments.listed()

    def team(self, department: str = "") -> list[Face]:
        """Up to `TEAM` waiters who are ready now; none while the desk is out of reach.

        Of *department*, if visitors may ask for it; else of all.
        """
        if not self._shows_team:
            return []
        open_ones = {one.key for one in self.departments()}
        return self._team_of(department if department in open_ones else "", open_ones).get()

    def _team_of(self, key: str, open_ones: set[str]) -> _Lately[list[Face]]:
        found = self._teams.get(key)
        if found is None:
            for gone in self._teams.keys() - open_ones - {""}:
                self._teams.pop(gone, None)
            new = _Lately(lambda: self._find_team(key), TEAM_FRESH, self._runtime)
            found = self._teams.setdefault(key, new)
        return found

    def reply(self) -> int | None:
        """s that visitors have usually waited for an answer lately.

        None: too few were answered to say, or the history cannot be read.
        """
        return self._reply.get() if self._store is not None else None

    def _find_figures(self) -> Figures:
        return self._desk.figures()

    def _find_team(self, department: str) -> list[Face]:
        if known := self._teams.get(department):
            self._wheel.after(TEAM_FRESH, known.forget)  # one of them may be erased by then
        try:
            return self._desk.team(TEAM, department) if department else self._desk.team(TEAM)
        except DeskUnavailable:
            return []

    def _find_reply(self) -> int | None:
        assert self._store is not None  # noqa: S101
        store, after = self._store, (self._clock.ms() - LATELY * 1000) << KEY_BITS
        try:
            found = self._runtime.blocking(lambda: store.reply_times(after, LATEST))
        except StoreError:
            return None
        return max(1, round(median(found) / 1000)) if len(found) >= ENOUGH else None
