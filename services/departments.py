"""The departments of the site, as this worker knows them.

1. They are read once before the first connection is let in. Every 2 s one row is
   looked at, a number that grows with each change; everything is read only where it
   is another one.
2. While the store cannot be read, what is known stays.
3. What was read is one object that nobody changes: who asks twice, without waiting in
   between, gets answers that go together.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from .desk.departments import Department, Member, Rules
from .errors import CSAppError
from .history import departments as history
from .history.departments import DepartmentRow, canonical_tag
from .identity import Identity
from .loops import Loops
from .runtime import Runtime
from .seldom import Seldom

log = logging.getLogger("csapp")

LOOK = 2.0  # s between two looks: every worker knows a change within 5 s


class Source(Protocol):
    """What is asked of the store; `DepartmentTables` answers."""

    def number(self) -> int:
        """Grows with each change. Raises `StoreError`."""

    def read(self) -> history.Departments:
        """Everything. Raises `StoreError`."""


@dataclass(frozen=True, slots=True)
class SiteDepartment:
    """One department of the site, for those who show it."""

    key: str
    #: by language tag
    names: Mapping[str, str]
    #: visitors may ask for it
    is_enabled: bool
    #: what the desk is told of it
    rules: Department

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

    rules: Rules = field(default_factory=Rules)
    departments: Mapping[str, SiteDepartment] = field(default_factory=dict)
    #: by the subjects of waiters
    members: Mapping[str, tuple[Member, ...]] = field(default_factory=dict)


class Departments:
    """The departments of the site; without a *source* it has none, for ever."""

    def __init__(self, source: Source | None = None, runtime: Runtime | None = None) -> None:
        self._source = source
        self._runtime = runtime
        self._site = _Site()
        self._changed: Callable[[], None] = _nothing
        self._is_failing = False
        #: a change was read, and `changed` has not been called with success since
        self._is_news = False
        self._say = Seldom(log)

    # ---- what is known -------------------------------------------------

    @property
    def rules(self) -> Rules:
        """What the desk is told."""
        return self._site.rules

    def __bool__(self) -> bool:
        """Whether there is any but `""`."""
        return any(self._site.departments)

    def leads(self, key: str, to: str) -> bool:
        """Whether users who ask for *key* may come to *to*: it is that, or overflows lead there."""
        for _ in range(len(self._site.departments) + 1):
            if key == to:
                return True
            one = self._site.rules.departments.get(key)
            if one is None or one.overflow_to is None:
                return False
            key = one.overflow_to
        return False

    def get(self, key: str) -> SiteDepartment | None:
        """The department with this *key*; None: there is none. `""` is there always."""
        found = self._site.departments.get(key)
        return _ANY if found is None and not key else found

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
            self._site = self._runtime.blocking(_read, self._source)

    def start(self, loops: Loops, changed: Callable[[], None]) -> None:
        """Look again every 2 s. *changed* is called in the loop after a change was read.

        Where *changed* raises an error, it is called again at the next look.
        """
        self._changed = changed
        if self._source is not None:
            loops.every(LOOK, "the look at departments", self.look)

    def look(self) -> None:
        """Read what has changed, and say so. Waits."""
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
        if self._is_news:
            with contextlib.suppress(CSAppError):  # the desk has logged it
                self._changed()
                self._is_news = False

    def _read_news(self) -> None:
        if self._source is None or self._runtime is None:
            return
        number = self._runtime.blocking(self._source.number)
        if number != self._site.rules.number:
            self._site = self._runtime.blocking(_read, self._source)
            self._is_news = True


#: the department of visitors who ask for none, where nothing is said of it
_ANY = SiteDepartment("", {}, True, Department(""))


def _nothing() -> None:
    """Stands where nobody has to know of changes."""


def _read(source: Source) -> _Site:
    """All that *source* knows. Blocks: ten thousand waiters take some hundredths of a second."""
    found = source.read()
    departments = {one.key: _shown(one) for one in found.departments}
    rules = {key: one.rules for key, one in departments.items()}
    members: dict[str, tuple[Member, ...]] = {}
    for waiter, key, priority in found.memberships:
        if key in departments or not key:
            members[waiter] = (*members.get(waiter, ()), Member(key, priority))
    return _Site(Rules(found.number, rules), departments, members)


def _shown(row: DepartmentRow) -> SiteDepartment:
    rules = Department(
        row.key, row.max_queue, row.overflow.to, row.overflow.after, is_open=row.enabled
    )
    return SiteDepartment(row.key, row.names, row.enabled, rules)
