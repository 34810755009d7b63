"""The departments of a site, and which waiters are members of them.

The row `departments` of `csapp_meta` holds a number that grows with each change of
either table, in the transaction of the change, and is its lock (`numbers`).

Everything here blocks and is called from native threads only.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import sqlalchemy as sa

from ..desk.departments import MOST_PRIORITY
from ..errors import CSAppError
from ..identity import MAX_SUBJECT
from ..keys import DEPARTMENT
from ..memberships import KEY_RULE
from ..opening_hours import (
    ALWAYS,
    Hours,
    HoursError,
    hours,
    is_zone,
    stored_hours,
    written_dates,
    written_week,
)
from . import canned_past, numbers, tables, words
from .slices import reading, writing
from .sql import SQLStore
from .tags import canonical_tag

log = logging.getLogger("csapp")

MAX_NAME = 100  # characters
MOST_QUEUE = 1_000_000  # users
LONGEST_OVERFLOW = 86_400  # s: a day
LONGEST_ANSWER = 86_400  # s
AS_THE_SITE = -1

#: the row of `csapp_meta`
NUMBER = numbers.DEPARTMENTS

_department, _membership = tables.department, tables.membership


class DepartmentError(CSAppError):
    """A department cannot be made or changed so; the message names the field."""


class Overflow(NamedTuple):
    """Where users of a department go who have waited too long."""

    #: the key of another department; None: nowhere
    to: str | None = None
    #: s
    after: int = 0


NO_OVERFLOW = Overflow()


class Membership(NamedTuple):
    """That a waiter, by its subject, is a member of a department."""

    waiter: str
    department: str
    priority: int = 0


@dataclass(frozen=True, slots=True)
class DepartmentRow:
    """One department; with the key `""` the rules for users who ask for none."""

    key: str
    #: by language tag, in the order in which they were given
    names: Mapping[str, str] = field(default_factory=dict)
    enabled: bool = True
    #: users in its queue; 0: as many as in the queue of the site
    max_queue: int = 0
    overflow: Overflow = NO_OVERFLOW
    hours: Hours = ALWAYS
    #: s in which a waiter has to write something; 0: never; None: as on the whole site
    answer_within: int | None = None


class Departments(NamedTuple):
    """All that the store knows of departments."""

    #: grows with each change
    number: int
    #: by key
    departments: tuple[DepartmentRow, ...]
    memberships: tuple[Membership, ...]
    #: what the site says by itself, in the order in which it was first set
    words: tuple[words.WordsRow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What becomes different in a department; what is None or empty stays as it is."""

    #: by language tag; an empty name takes the one of that language away
    names: Mapping[str, str] = field(default_factory=dict)
    enabled: bool | None = None
    max_queue: int | None = None
    overflow: Overflow | None = None
    #: s; `AS_THE_SITE` takes the one of the department away
    answer_within: int | None = None
    #: of a week, as `opening_hours.hours` reads them; empty: open on all days
    hours: str | None = None
    #: the IANA time zone of the hours
    zone: str | None = None
    #: the hours of dates that differ, by `2026-12-25`
    dates: Mapping[str, str] = field(default_factory=dict)
    #: dates that differ no more
    no_dates: Collection[str] = ()
    #: priorities by the subjects of waiters who are members from now on
    members: Mapping[str, int] = field(default_factory=dict)
    #: the subjects of waiters who are members no more
    no_members: Collection[str] = ()


class DepartmentTables:
    """The departments in *store*. All methods raise `StoreError` while it is down."""

    def __init__(self, store: SQLStore) -> None:
        self._store = store

    # ---- reading -------------------------------------------------------

    def number(self) -> int:
        """Grows with each change; 0: there was none yet. One row is read."""
        with reading(self._store) as connection:
            return _number(connection)

    def read(self) -> Departments:
        """Everything, as it was at one moment."""
        with reading(self._store) as connection:
            number = _number(connection)
            while True:  # a transaction of PostgreSQL sees what others commit meanwhile
                found = Departments(
                    number,
                    tuple(_row(one) for one in connection.execute(_ALL)),
                    tuple(Membership(*one) for one in connection.execute(_MEMBERSHIPS)),
                    tuple(words.read(connection)),
                )
                number = _number(connection)
                if number == found.number:
                    return found

    def get(self, key: str) -> DepartmentRow | None:
        """One department, or None."""
        with reading(self._store) as connection:
            return _get(connection, key)

    def free_accounts(self) -> int:
        """How many accounts may sign in and are members of no department."""
        account = tables.account.c
        is_member = sa.exists().where(_membership.c.waiter == account.name)
        free = sa.select(sa.func.count()).where(~account.disabled, ~is_member)
        with reading(self._store) as connection:
            return connection.scalar(free) or 0

    def check(self, keys: Collection[str]) -> None:
        """Raise `DepartmentError` unless there are departments with all these *keys*."""
        with reading(self._store) as connection:
            _check_known(connection, "department", keys)

    # ---- changing ------------------------------------------------------

    def grow(self) -> int:
        """Count a change though nothing is different; returns the number."""
        with writing(self._store) as connection:
            return _grow(connection)

    def add(self, key: str, change: Change | None = None) -> DepartmentRow:
        """Make a department, otherwise than usual where *change* says so.

        Raises `DepartmentError`: there is one with this *key*, or something is unfit.
        """
        if not DEPARTMENT.fullmatch(key):
            raise DepartmentError(f"key: {KEY_RULE}")
        change = _checked(change or Change())
        with writing(self._store) as connection:
            _grow(connection)
            if _get(connection, key) is not None:
                raise DepartmentError(f"key: there is a department {key} already")
            return _apply(connection, DepartmentRow(key), change, is_new=True)

    def change(self, key: str, change: Change) -> DepartmentRow:
        """Change a department. Raises `DepartmentError`: it is unknown, or something is unfit."""
        if not key and change.enabled is False:
            raise DepartmentError("enabled: users who ask for no department are always let in")
        change = _checked(change)
        with writing(self._store) as connection:
            _grow(connection)
            found = _get(connection, key)
            if found is None and key:
                raise _unknown("key", key)
            row = found or DepartmentRow(key)
            return _apply(connection, row, change, is_new=found is None)

    def remove(self, key: str) -> None:
        """Remove a department, its memberships, its words, and the overflows to it.

        What its waiters share is among the deleted canned replies of all waiters.

        Raises `DepartmentError`: it is unknown.
        """
        with writing(self._store) as connection:
            _grow(connection)
            if not key or _get(connection, key) is None:
                raise _unknown("key", key)
            connection.execute(sa.delete(_department).where(_department.c.key == key))
            connection.execute(sa.delete(_membership).where(_membership.c.department == key))
            words.forget_department(connection, key)
            canned_past.forget_department(connection, key, int(time.time() * 1000))
            overflows = sa.update(_department).where(_department.c.overflow_to == key)
            connection.execute(overflows.values(overflow_to=None, overflow_after=0))

    def assign(self, waiter: str, priorities: Mapping[str, int]) -> None:
        """Let *waiter* be a member of these departments only, with these *priorities*.

        Raises `DepartmentError`: a department is unknown, or something is unfit.
        """
        for priority in priorities.values():
            _check_member(waiter, priority)
        with writing(self._store) as connection:
            _grow(connection)
            _check_known(connection, "department", priorities)
            connection.execute(sa.delete(_membership).where(_membership.c.waiter == waiter))
            _join(connection, [Membership(waiter, *one) for one in priorities.items()])


def forget_waiter(store: SQLStore, subject: str) -> int:
    """Remove the memberships of *subject*; how many there were. Raises `StoreError`."""
    theirs = _membership.c.waiter == subject
    with reading(store) as connection:
        if connection.scalar(sa.select(sa.exists().where(theirs))) is not True:
            return 0
    with writing(store) as connection:
        _grow(connection)
        return connection.execute(sa.delete(_membership).where(theirs)).rowcount


# ---- what is stored ----------------------------------------------------------

#: the same as `ALWAYS`, for departments whose hours cannot be read
_UNREADABLE = Hours()

_ALL = sa.select(_department).order_by(_department.c.key)
_MEMBERSHIPS = sa.select(_membership).order_by(_membership.c.waiter, _membership.c.department)


def _number(connection: sa.Connection) -> int:
    return numbers.read(connection, NUMBER)


def _grow(connection: sa.Connection) -> int:
    return numbers.grow(connection, NUMBER)


def _get(connection: sa.Connection, key: str) -> DepartmentRow | None:
    row = connection.execute(_ALL.where(_department.c.key == key)).one_or_none()
    return None if row is None else _row(row)


def _row(row: Any) -> DepartmentRow:
    return DepartmentRow(
        row.key, json.loads(row.names), bool(row.enabled), row.max_queue,
        Overflow(row.overflow_to, row.overflow_after),
        _hours(row), row.answer_within,
    )  # fmt: skip


def _hours(row: Any) -> Hours:
    """The hours of *row*. Those that cannot be read are always open, as in an unknown time zone.

    So one row costs the others nothing; and visitors who wait are seen by waiters, while
    nobody would notice those who are sent away.
    """
    try:
        return stored_hours(row.hours, row.zone, json.loads(row.dates))
    except (HoursError, ValueError, TypeError, AttributeError) as error:
        what = "department %s: its hours cannot be read, so always open: %s"
        log.error(what, row.key or "''", error)
        return _UNREADABLE


def _apply(
    connection: sa.Connection, row: DepartmentRow, change: Change, *, is_new: bool
) -> DepartmentRow:
    """*row* with *change*, stored."""
    names = {**row.names, **change.names}
    made = DepartmentRow(
        row.key,
        {tag: name for tag, name in names.items() if name},
        row.enabled if change.enabled is None else change.enabled,
        row.max_queue if change.max_queue is None else change.max_queue,
        row.overflow if change.overflow is None else change.overflow,
        _changed_hours(row.hours, change),
        _changed_answer(row.answer_within, change.answer_within),
    )
    if change.overflow is not None and change.overflow.to is not None:
        _check_overflow(connection, row.key, change.overflow.to)
    values: dict[str, object] = {
        "names": json.dumps(made.names, ensure_ascii=False), "enabled": made.enabled,
        "max_queue": made.max_queue, "overflow_to": made.overflow.to,
        "overflow_after": made.overflow.after, "answer_within": made.answer_within,
    }  # fmt: skip
    if made.hours is not row.hours:  # what cannot be read stays until it is said anew
        values |= {
            "hours": written_week(made.hours), "zone": made.hours.zone,
            "dates": json.dumps(written_dates(made.hours)),
        }  # fmt: skip
    if is_new:
        connection.execute(sa.insert(_department).values(key=row.key, **values))
    else:
        here = _department.c.key == row.key
        connection.execute(sa.update(_department).where(here).values(values))
    _let_go(connection, row.key, change)
    _join(connection, [Membership(who, row.key, most) for who, most in change.members.items()])
    return made


def _changed_answer(before: int | None, said: int | None) -> int | None:
    if said is None:
        return before
    return None if said == AS_THE_SITE else said


def _changed_hours(before: Hours, change: Change) -> Hours:
    """*before* with *change*. Raises `DepartmentError`."""
    if change.hours is None and change.zone is None and not change.dates and not change.no_dates:
        return before
    if before is _UNREADABLE and change.hours is None:
        raise DepartmentError("hours: those that are stored cannot be read; say them anew")
    dates = written_dates(before)
    for day in change.no_dates:
        if dates.pop(day, None) is None:
            raise DepartmentError(f"dates: {day} is none")
    week = written_week(before) if change.hours is None else change.hours
    dates |= change.dates
    zone = before.zone if change.zone is None else change.zone
    if not week.strip() and not dates and change.zone is None and not is_zone(zone):
        zone = ""  # nothing needs one
    try:
        return hours(week, zone, dates)
    except HoursError as error:
        raise DepartmentError(str(error)) from None


def _let_go(connection: sa.Connection, key: str, change: Change) -> None:
    """Remove the memberships of *key* that *change* ends or replaces."""
    here = _membership.c.department == key
    if change.no_members:
        found = set(connection.scalars(sa.select(_membership.c.waiter).where(here)))
        for waiter in change.no_members:
            if waiter not in found:
                raise DepartmentError(f"members: {waiter} is none")
    gone = [*change.no_members, *change.members]
    connection.execute(sa.delete(_membership).where(here, _membership.c.waiter.in_(gone)))


def _join(connection: sa.Connection, memberships: Collection[Membership]) -> None:
    if memberships:
        connection.execute(sa.insert(_membership), [one._asdict() for one in memberships])


# ---- what is refused ---------------------------------------------------------


def _checked(change: Change) -> Change:
    """*change*, with language tags as RFC 5646 writes them. Raises `DepartmentError`."""
    names: dict[str, str] = {}
    for given, name in change.names.items():
        if not (tag := canonical_tag(given)):
            raise DepartmentError("names: a language tag is required, such as de or zh-Hant")
        names[tag] = name.strip()
        if len(names[tag]) > MAX_NAME or not names[tag].isprintable():
            raise DepartmentError(f"names: 1 to {MAX_NAME} characters that can be printed")
    _check_range("max_queue", change.max_queue or 0, MOST_QUEUE)
    if change.answer_within != AS_THE_SITE:
        _check_range("answer_within", change.answer_within or 0, LONGEST_ANSWER)
    _check_range("overflow", change.overflow.after if change.overflow else 0, LONGEST_OVERFLOW)
    for waiter, priority in change.members.items():
        _check_member(waiter, priority)
    if both := sorted(set(change.members) & set(change.no_members)):
        raise DepartmentError(f"members: {both[0]} cannot come and go at once")
    return replace(change, names=names)


def _check_range(name: str, value: int, most: int) -> None:
    if not 0 <= value <= most:
        raise DepartmentError(f"{name}: 0 to {most:,}")


def _check_member(waiter: str, priority: int) -> None:
    if not 1 <= len(waiter) <= MAX_SUBJECT or not waiter.isprintable():
        what = f"the id of a waiter, 1 to {MAX_SUBJECT} characters that can be printed"
        raise DepartmentError(f"members: {what}")
    _check_range("priority", priority, MOST_PRIORITY)


def _check_known(connection: sa.Connection, what: str, keys: Collection[str]) -> None:
    """Raise `DepartmentError` of the field *what* unless there are departments with *keys*."""
    known = {"", *connection.scalars(sa.select(_department.c.key))}
    for key in keys:
        if key not in known:
            raise _unknown(what, key)


def _check_overflow(connection: sa.Connection, key: str, to: str) -> None:
    """Raise `DepartmentError` where users of *key* cannot go on to *to*."""
    _check_known(connection, "overflow", [to])
    pairs = sa.select(_department.c.key, _department.c.overflow_to)
    overflows = {row[0]: row[1] for row in connection.execute(pairs)} | {key: to}
    way = [key]
    while (following := overflows.get(way[-1])) is not None and way.count(way[-1]) == 1:
        way.append(following)
    if way.count(way[-1]) > 1:
        shown = " → ".join(one or '""' for one in way)
        raise DepartmentError(f"overflow: visitors would go round for ever: {shown}")


def _unknown(what: str, key: str) -> DepartmentError:
    if not key:
        return DepartmentError(f'{what}: "" is there always, and cannot be removed')
    if not DEPARTMENT.fullmatch(key):
        return DepartmentError(f"{what}: {KEY_RULE}")
    return DepartmentError(f"{what}: there is no department {key}")
