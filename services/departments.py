"""The departments of the site, as this worker knows them.

1. They are read once before the first connection is let in. Every 2 s one row is
   looked at, a number that grows with each change; everything is read only where it
   is another one.
2. While the store cannot be read, what is known stays.
3. What was read is one object that nobody changes: who asks twice, without waiting in
   between, gets answers that go together.
4. The desk is told which departments are open, and again when that changes. Its rules
   are those of the tables at the beginning of one minute, and their number is made of the
   number of the tables and, below it, that minute (`_judge`). So workers need not agree
   on anything: the same number means the same rules, whichever worker has sent them, and
   of two workers the one whose clock is behind says nothing new when it opens or closes.
5. A clock that was set back a little stands still here until it is as late as before. One
   that was set back further makes the number of the tables grow: all workers judge anew.
"""

from __future__ import annotations

import contextlib
import heapq
import logging
import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from msgspec import structs

from .desk.departments import Department, Member, Rules
from .errors import CSAppError
from .history import departments as history
from .history.departments import DepartmentRow
from .history.tags import canonical_tag
from .identity import Identity
from .loops import Loop, Loops
from .opening_hours import ALWAYS, Hours, Wall, is_zone
from .runtime import Runtime
from .seldom import Seldom
from .site_words import SiteWords

log = logging.getLogger("csapp")

LOOK = 2.0  # s between two looks: every worker knows a change within 5 s
SHORTEST = 0.05  # s until the look at which a department opens or closes
AHEAD = 2 * 86_400  # s: so far ahead it is known when departments open and close
SLACK = 300.0  # s by which a clock may be set back, and nothing is judged anew
#: the beginning of a minute, in minutes since 1970, is below this until 2097
MINUTES = 1 << 26


class Source(Protocol):
    """What is asked of the store; `DepartmentTables` answers."""

    def number(self) -> int:
        """Grows with each change. Raises `StoreError`."""

    def read(self) -> history.Departments:
        """Everything. Raises `StoreError`."""

    def grow(self) -> int:
        """Count a change though nothing is different. Raises `StoreError`."""


class Opening(NamedTuple):
    """Whether a department lets visitors in."""

    is_open: bool
    #: when it opens, in s since 1970; None: it is open, or nobody can say
    opens: int | None = None


@dataclass(frozen=True, slots=True)
class SiteDepartment:
    """One department of the site, for those who show it."""

    key: str
    #: by language tag
    names: Mapping[str, str]
    #: visitors may ask for it
    is_enabled: bool
    #: what the desk is told of it, while it is open as long as it is enabled
    rules: Department
    hours: Hours = ALWAYS

    def opening(self, at: float) -> Opening:
        """Whether it is open *at* this moment, in s since 1970, or when it opens next."""
        if self.is_enabled and self.hours.is_open(at):
            return Opening(True)
        return Opening(False, self.hours.next_opening(at) if self.is_enabled else None)

    def name(self, locale: str = "") -> str:
        """Its name in the language of *locale*; else the first one that it has, or its key."""
        tag = canonical_tag(locale)
        while tag:
            if tag in self.names:
                return self.names[tag]
            tag = tag.rpartition("-")[0]
        return next(iter(self.names.values()), self.key)


@dataclass(frozen=True, slots=True)
class _Site:
    """What was read at one time."""

    #: of the tables
    number: int = 0
    departments: Mapping[str, SiteDepartment] = field(default_factory=dict)
    #: by the subjects of waiters
    members: Mapping[str, tuple[Member, ...]] = field(default_factory=dict)
    #: what the site says by itself
    words: SiteWords = field(default_factory=SiteWords)


class _Closed(NamedTuple):
    """What was found out of a closed department, and from when until when it is true."""

    of: SiteDepartment
    since: float
    until: float
    opening: Opening

    def is_true(self, at: float) -> bool:
        """Whether it still counts *at* this moment, in s since 1970."""
        return self.since <= at < self.until

    def goes_on(self, one: SiteDepartment, at: float) -> bool:
        """Whether it is true of *one* from *at* until it opens, or for `AHEAD`."""
        is_same = self.of.is_enabled == one.is_enabled and self.of.hours == one.hours
        is_known = self.opening.opens is not None or self.is_true(at + AHEAD)
        return is_same and is_known and self.is_true(at)


@dataclass(frozen=True, slots=True)
class _Judged:
    """Which departments are open."""

    rules: Rules = field(default_factory=Rules)
    #: s since 1970: the minute of which the rules are; 0: they are of all times
    at: float = 0.0
    #: when to judge again
    until: float = math.inf
    #: what was found out about departments that are closed, by key
    closed: dict[str, _Closed] = field(default_factory=dict)


class Departments:
    """The departments of the site; without a *source* it has none, for ever.

    *now* is the wall clock, in s since 1970.
    """

    def __init__(
        self,
        source: Source | None = None,
        runtime: Runtime | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._source = source
        self._runtime = runtime
        self._now = now
        self._site = _Site()
        self._judged = _Judged()
        self._loop: Loop | None = None
        self._changed: Callable[[], None] = _nothing
        self._is_failing = False
        #: a change was read, and `changed` has not been called with success since
        self._is_news = False
        self._say = Seldom(log)

    # ---- what is known -------------------------------------------------

    @property
    def rules(self) -> Rules:
        """What the desk is told."""
        return self._judged.rules

    @property
    def are_there(self) -> bool:
        """The site has departments: any but `""`."""
        return any(self._site.departments)

    @property
    def asks_for_answers(self) -> bool:
        """Waiters of some department have to write something in time."""
        return any(one.answer_within for one in self.rules.departments.values())

    def leads(self, key: str, to: str) -> bool:
        """Whether users who ask for *key* may come to *to*: it is that, or overflows lead there."""
        return to in self.way(key)

    def way(self, key: str) -> list[str]:
        """The department of *key*, and those to which overflows lead from there, in order."""
        way = [key]
        while (one := self._site.departments.get(way[-1])) is not None:
            to = one.rules.overflow_to
            if to is None or to in way:
                break
            way.append(to)
        return way

    def opening(self, key: str) -> Opening:
        """Whether users who ask for *key* are let in now, or when they are.

        A department that passes them on at once, and has no hours of its own, is open when the
        next one is; a closed one lets them in where the next one is open. One that is disabled
        passes nobody on.
        """
        return self._opening_along(self.way(key), self._opening)

    def next_change(self, key: str, at: float) -> int | None:
        """When users who ask for *key* begin or cease to be let in after *at*, in s since 1970.

        None: not within a year.
        """
        way = self.way(key)
        hours = [one.hours for one in map(self.get, way) if one is not None]

        def is_open(at: float) -> bool:
            return self._opening_along(way, lambda one: self._at(one, at)).is_open

        was_open = is_open(at)
        changes = heapq.merge(*(one.changes(at) for one in hours))
        return next((when for when, _ in changes if is_open(when) is not was_open), None)

    def _at(self, key: str, at: float) -> Opening:
        """Whether *key* itself is open *at* this moment; not when it opens."""
        one = self.get(key)
        return Opening(one is None or (one.is_enabled and one.hours.is_open(at)))

    def _opening_along(self, way: list[str], opening: Callable[[str], Opening]) -> Opening:
        """That of the first one of *way*; *opening* is that of each by itself."""
        found, one = opening(way[0]), self._site.departments.get(way[0])
        if one is None or not one.is_enabled or one.rules.overflow_after or not way[1:]:
            return found
        if self.get(way[1]) is None or (found.is_open and not one.hours.is_always):
            return found
        there = self._opening_along(way[1:], opening) if found.is_open else opening(way[1])
        return there if found.is_open or there.is_open else found

    def _opening(self, key: str) -> Opening:
        one, at = self.get(key), self._time
        if one is None:
            return Opening(True)
        closed = self._judged.closed
        known = closed.get(key)
        if known is not None and known.of is one and known.is_true(at):
            return known.opening
        found = one.opening(at)
        if not found.is_open:  # it has closed since it was judged, or has no hours
            closed[key] = _closed(one, at, found)
        return found

    def wall(self, key: str, at: float) -> Wall:
        """What the clock on the wall of *key* shows *at* this moment: so its times are shown.

        In UTC where there is no such department any more.
        """
        one = self.get(key)
        return (ALWAYS if one is None else one.hours).wall(at)

    def get(self, key: str) -> SiteDepartment | None:
        """The department with this *key*; None: there is none. `""` is there always."""
        found = self._site.departments.get(key)
        return _ANY if found is None and not key else found

    @property
    def words(self) -> SiteWords:
        """What the site says to visitors by itself."""
        return self._site.words

    def name(self, key: str, locale: str) -> str:
        """The name of a department in the language of *locale*; empty: it has none."""
        one = self.get(key)
        return key if one is None else one.name(locale)

    def leading_to(self) -> dict[str, set[str]]:
        """By key: the departments from which overflows lead there, and itself."""
        found: dict[str, set[str]] = {}
        for key in {"", *self._site.departments}:
            for one in self.way(key):
                found.setdefault(one, set()).add(key)
        return found

    @property
    def keys(self) -> Collection[str]:
        """Those of all departments; `""` is among them where something is said of it."""
        return self._site.departments.keys()

    def listed(self) -> list[SiteDepartment]:
        """Those that visitors may ask for, by key."""
        return [one for one in self._site.departments.values() if one.key and one.is_enabled]

    def members_of(self, identity: Identity) -> tuple[Member, ...]:
        """Where the waiter *identity* belongs; empty: nowhere, which is `""` to the desk.

        What its token says counts, else what the site says of its subject. Departments that the
        site does not have are left out.
        """
        site = self._site
        if not identity.departments:
            return site.members.get(identity.subject, ())
        known = tuple(
            one for one in identity.departments
            if one.department in site.departments or not one.department
        )  # fmt: skip
        if len(known) < len(identity.departments):
            unknown = {one.department for one in identity.departments} - set(site.departments)
            what = "a token names departments that there are not: %s"
            self._say("unknown", logging.WARNING, what, ", ".join(sorted(unknown - {""})))
        return known

    # ---- reading -------------------------------------------------------

    def read(self) -> None:
        """Read everything. Waits; raises `StoreError`. Called before anybody asks anything."""
        if self._source is not None and self._runtime is not None:
            self._judge(self._runtime.blocking(_read, self._source))

    def start(self, loops: Loops, changed: Callable[[], None]) -> None:
        """Look again every 2 s, and when one opens or closes.

        *changed* is called in the loop after a change was read, or one has opened or closed.
        Where *changed* raises an error, it is called again at the next look.
        """
        self._changed = changed
        if self._source is not None:
            self._loop = loops.every(LOOK, "the look at departments", self.look)

    def look(self) -> None:
        """Read what has changed, find out what has opened or closed, and say so. Waits."""
        try:
            self._read_news()
        except CSAppError as error:
            if not self._is_failing:
                log.warning("departments cannot be read: %s", error)
            self._is_failing = True
        else:
            if self._is_failing:
                log.info("departments are read again")
            self._is_failing = False
        if self._time >= self._judged.until:
            before = self.rules
            self._judge(self._site)
            self._is_news |= self.rules.departments != before.departments
        if self._is_news:
            with contextlib.suppress(CSAppError):  # the desk has logged it
                self._changed()
                self._is_news = False
        if self._loop is not None:
            self._loop.rest = min(LOOK, max(SHORTEST, self._judged.until - self._time))

    def _read_news(self) -> None:
        if self._source is None or self._runtime is None:
            return
        number = self._runtime.blocking(self._source.number)
        if number == self._site.number and self._is_set_back:
            log.warning("the clock was set back: it is found out anew which departments are open")
            number = self._runtime.blocking(self._source.grow)
        if number != self._site.number:
            self._judge(self._runtime.blocking(_read, self._source))
            self._is_news = True

    # ---- time ----------------------------------------------------------

    @property
    def _time(self) -> float:
        """What time it is, in s since 1970."""
        now = self._now()
        return now if self._is_set_back else max(now, self._judged.at)

    @property
    def _is_set_back(self) -> bool:
        """The clock was set back since it was last found out what is open, and not for a moment."""
        return self._judged.at - self._now() > SLACK

    def _judge(self, site: _Site) -> None:
        """Know *site*, and which of its departments are open now, both at once."""
        at, closed = self._time, self._judged.closed
        if all(one.hours.is_always for one in site.departments.values()):
            judged = _judge(site, at, closed)
        else:
            assert self._runtime is not None  # noqa: S101  # it has read the hours
            judged = self._runtime.blocking(_judge, site, at, closed)
        self._site, self._judged = site, judged


#: the department of visitors who ask for none, where nothing is said of it
_ANY = SiteDepartment("", {}, True, Department(""))


def _nothing() -> None:
    """Stands where nobody has to know of changes."""


def _read(source: Source) -> _Site:
    """All that *source* knows. Blocks: ten thousand waiters take some hundredths of a second."""
    found = source.read()
    departments = {one.key: _shown(one) for one in found.departments}
    members: dict[str, tuple[Member, ...]] = {}
    for waiter, key, priority in found.memberships:
        if key in departments or not key:
            members[waiter] = (*members.get(waiter, ()), Member(key, priority))
    return _Site(found.number, departments, members, SiteWords(found.words))


def _shown(row: DepartmentRow) -> SiteDepartment:
    rules = Department(
        row.key, row.max_queue, row.overflow.to, row.overflow.after, is_open=row.enabled,
        answer_within=row.answer_within,
    )  # fmt: skip
    hours = row.hours
    if not hours.is_always and not is_zone(hours.zone):
        log.error("department %s: no such time zone here, so always open: %s", row.key, hours.zone)
        hours = ALWAYS
    return SiteDepartment(row.key, row.names, row.enabled, rules, hours)


def _closed(one: SiteDepartment, at: float, found: Opening) -> _Closed:
    """What was *found* of *one*, which is closed *at* this moment."""
    return _Closed(one, at, at + 2 * AHEAD if found.opens is None else found.opens, found)


def _judge(site: _Site, now: float, closed: Mapping[str, _Closed]) -> _Judged:
    """What the desk is told *now*, in s since 1970, and when departments open that are closed.

    With many hours it takes a while; so what is known of the *closed* ones, and is still true,
    is not found out again.
    """
    all_hours = [one.hours for one in site.departments.values() if not one.hours.is_always]
    if not all_hours:
        rules = {key: one.rules for key, one in site.departments.items()}
        return _Judged(Rules(site.number * MINUTES, rules))
    minute = math.floor(now / 60)
    at = minute * 60
    found: dict[str, _Closed] = {}
    for key, one in site.departments.items():
        known = closed.get(key)
        if known is not None and known.goes_on(one, at):
            found[key] = known._replace(of=one)
        elif not (opening := one.opening(at)).is_open:
            found[key] = _closed(one, at, opening)
    rules = {
        key: structs.replace(one.rules, is_open=key not in found)
        for key, one in site.departments.items()
    }
    changes = (hours.next_change(at, AHEAD) or at + AHEAD for hours in all_hours)
    return _Judged(Rules(site.number * MINUTES + minute, rules), at, min(changes), found)
