"""What becomes of the visitors who ask, in numbers: by day, hour, department or waiter.

Rules of this file:

1. A visit counts where it was asked, by the clock on a wall in the zone of the report.
2. A visit that was never served, and of which nobody knows how it went on (`Outcome.UNKNOWN`),
   is left out: its server has ended, and whoever came back has asked once more.
3. Of all numbers that are sorted, one report holds eight bytes each: a million visits are some
   ten megabytes.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from .slices import reading
from .sql import SQLStore
from .tables import message, visit
from .visits import Outcome, first_answer

#: rows that are read at once
AT_ONCE = 20_000

#: days of one report
MOST_DAYS = 3660

#: what says that the visitor was not let in
OFFLINE = (Outcome.CLOSED, Outcome.NOBODY)


class By(StrEnum):
    """What each row of a report is about."""

    DAY = "day"
    #: of the day, over all days
    HOUR = "hour"
    #: that was asked for
    DEPARTMENT = "department"
    #: who has served first
    WAITER = "waiter"


class Span(NamedTuple):
    """Durations in s: one half were at most *median*, 95 % at most *most*. None: there are none."""

    median: float | None = None
    most: float | None = None


def _no_durations() -> array[int]:
    return array("q")


@dataclass(slots=True)
class Line:
    """One row of a report: the visits of a day, an hour, a department, a waiter, or all.

    Durations are in ms.
    """

    asked: int = 0
    served: int = 0
    #: who left the queue, or was away for too long
    abandoned: int = 0
    #: who was not let in, because the department was closed or nobody was there
    offline: int = 0
    #: … because too many were waiting
    full: int = 0
    #: who has left a message
    messages: int = 0
    waited: array[int] = field(default_factory=_no_durations)
    #: from the first match to the first entry of a waiter
    answer: array[int] = field(default_factory=_no_durations)
    lasted: array[int] = field(default_factory=_no_durations)

    def count(
        self, asked: int, matched: int | None, answered: int | None, ended: int | None, outcome: str
    ) -> None:
        """One more visit. Clocks may differ a little, so no duration is below 0."""
        self.asked += 1
        if matched is not None:
            self.served += 1
            self.waited.append(matched - asked if matched > asked else 0)
            if answered is not None:
                self.answer.append(answered - matched if answered > matched else 0)
            if ended is not None:
                self.lasted.append(ended - matched if ended > matched else 0)
        elif outcome in OFFLINE:
            self.offline += 1
        elif outcome == Outcome.FULL:
            self.full += 1
        elif outcome == Outcome.MESSAGE:
            self.messages += 1
        elif outcome:
            self.abandoned += 1

    def add(self, other: Line) -> None:
        """Count all visits of *other* as well."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


def span(durations: array[int]) -> Span:
    """What *durations*, in ms, come to."""
    if not durations:
        return Span()
    found = sorted(durations)
    return Span(*(found[math.ceil(len(found) * part) - 1] / 1000 for part in (0.5, 0.95)))


class Report(NamedTuple):
    """Rows by what they are called, in their order, and all together."""

    lines: dict[str, Line]
    total: Line


def report(store: SQLStore, first: date, last: date, by: By, zone: ZoneInfo) -> Report:
    """The visits of all days from *first* to *last* in *zone*. Blocks. Raises `StoreError`."""
    begin, end = (_midnight(day, zone) for day in (first, last + timedelta(days=1)))
    lines = {name: Line() for name in _names(by, first, last)}
    name_of = _naming(by, zone)
    for _, asked, department, matched, waiter, answered, ended, outcome in _rows(store, begin, end):
        if matched is None and outcome == Outcome.UNKNOWN:
            continue
        name = name_of(asked, department, waiter)
        if name not in lines:
            lines[name] = Line()
        lines[name].count(asked, matched, answered, ended, outcome)
    total = Line()
    for line in lines.values():
        total.add(line)
    if by is By.WAITER:
        lines.pop("", None)  # whom nobody has served
    return Report(dict(sorted(lines.items())), total)


def _midnight(day: date, zone: ZoneInfo) -> int:
    """When *day* begins in *zone*, in ms since 1970."""
    return round(datetime.combine(day, time(), zone).timestamp() * 1000)


def _names(by: By, first: date, last: date) -> Iterator[str]:
    """The rows that there are in any case."""
    if by is By.HOUR:
        yield from (f"{hour:02}:00" for hour in range(24))
    if by is By.DAY:
        yield from (str(first + timedelta(days=n)) for n in range((last - first).days + 1))


def _naming(by: By, zone: ZoneInfo) -> Callable[[int, str, str], str]:
    """What the row of a visit is called: by when it was asked, its department and its waiter."""
    if by is By.DEPARTMENT:
        return lambda asked, department, waiter: department
    if by is By.WAITER:
        return lambda asked, department, waiter: waiter
    known: dict[int, str] = {}  # by quarters of an hour: no zone begins a day or an hour amid one

    def name(asked: int, department: str, waiter: str) -> str:
        quarter = asked // 900_000
        found = known.get(quarter)
        if found is None:
            wall = datetime.fromtimestamp(quarter * 900, zone)
            found = known[quarter] = str(wall.date()) if by is By.DAY else f"{wall.hour:02}:00"
        return found

    return name


def _rows(store: SQLStore, begin: int, end: int) -> Iterator[Sequence[Any]]:
    """The visits that were asked from *begin* on and before *end* (ms), in that order.

    Their keys do not say when: after a clock was set back they go on from where it was.
    """
    after = begin, -1
    while True:
        with reading(store) as connection:
            some = connection.execute(_query(after, end)).all()
        if not some:
            return
        yield from some
        key, asked = some[-1][:2]
        after = asked, key


def _query(after: tuple[int, int], end: int) -> sa.Select[Any]:
    """The next visits behind *after*, the time and the key of the last one."""
    table = visit.c
    is_under_way = table.ended.is_(None) & table.matched.is_not(None)
    answered = sa.case((is_under_way, first_answer(message.c.date)), else_=table.answered)
    return (
        sa.select(
            table.key, table.asked, table.department, table.matched, table.waiter, answered,
            table.ended, table.outcome,
        )
        .where(sa.tuple_(table.asked, table.key) > sa.tuple_(*after), table.asked < end)
        .order_by(table.asked, table.key)
        .limit(AT_ONCE)
    )  # fmt: skip
