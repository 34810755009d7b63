"""Opening hours: when a department is open, by a clock on its wall.

1. A department is open whenever a clock on its wall, in its time zone, shows a time of its
   hours. So a time that summer time leaves out never comes, and one that comes twice is
   open twice.
2. The hours of a day may go on after midnight (`22:00-2:00`). They belong to the day on
   which they begin: a date that differs changes what begins on it.
3. No week: open at all times, but for dates that differ.

Pure: whoever asks says what time it is, in seconds since 1970.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from .errors import CSAppError

DAYS = ("mo", "tu", "we", "th", "fr", "sa", "su")
CLOSED = "closed"

MAX_TEXT = 1000  # characters of the hours of a week
MOST_DATES = 500

A_DAY = 24 * 60  # minutes
#: s of a search: what does not open in a year never opens
A_YEAR = 366 * 86_400
_CHUNK = 86_400  # s that are searched at once

TIMES = "times such as 9:00-17:30, several with a comma between, or closed"
WEEK = f"days and times such as mo-fr 9:00-17:30; sa 10:00-14:00 (days: {' '.join(DAYS)})"

_SOME_DAYS = r"[a-z]{2}(?:-[a-z]{2})?"
_PART = re.compile(rf"(?P<days>{_SOME_DAYS}(?:\s*,\s*{_SOME_DAYS})*)\s+(?P<times>.+)")
_TIMES = re.compile(r"(\d\d?):(\d\d)\s*[-–]\s*(\d\d?):(\d\d)")


class HoursError(CSAppError):
    """Hours that cannot be read; the message names the field and what is allowed."""


class Interval(NamedTuple):
    """Minutes since the midnight with which a day begins; an *end* after the next one is later."""

    begin: int
    end: int


#: of one day, in order, none touching another
Intervals = tuple[Interval, ...]

WHOLE_DAY: Intervals = (Interval(0, A_DAY),)


class Wall(NamedTuple):
    """What a clock shows, and in which zone."""

    time: datetime
    #: empty: it shows UTC because there is no zone to show
    zone: str = ""

    def __str__(self) -> str:
        return f"{self.time:%Y-%m-%d %H:%M}"


@dataclass(frozen=True, slots=True)
class Hours:
    """When a department is open. Made by `hours`."""

    #: the name of an IANA time zone; empty: there is nothing that would need one
    zone: str = ""
    #: of Monday, Tuesday, … Sunday; empty: open on all days
    week: tuple[Intervals, ...] = ()
    #: of days that differ
    dates: Mapping[date, Intervals] = field(default_factory=dict)

    @property
    def is_always(self) -> bool:
        """Open at all times."""
        return not self.week and not self.dates

    def wall(self, at: float) -> Wall:
        """What the clock on its wall shows *at* this moment, in s since 1970.

        In UTC where it has no time zone, or one that this machine does not know.
        """
        if self.zone and is_zone(self.zone):
            return Wall(datetime.fromtimestamp(at, _zone(self.zone)), self.zone)
        return Wall(datetime.fromtimestamp(at, UTC))

    def is_open(self, at: float) -> bool:
        """Whether it is open *at* this moment, in s since 1970."""
        return self.is_always or self._is_open(at, _zone(self.zone))

    def next_opening(self, at: float) -> int | None:
        """When it opens, in s since 1970: the first change to open after *at*.

        *at* itself, rounded up, where it is open then. None: not within a year.
        """
        if self.is_open(at):
            return math.ceil(at)
        return next((when for when, is_open in self.changes(at) if is_open), None)

    def next_change(self, at: float, within: float = A_YEAR) -> int | None:
        """When it opens or closes after *at*, in s since 1970. None: not *within* so many s."""
        return next((when for when, _ in self.changes(at, within)), None)

    def changes(self, at: float, within: float = A_YEAR) -> Iterator[tuple[int, bool]]:
        """When it opens (True) or closes *within* so many s after *at*, in order."""
        if self.is_always:
            return
        zone = _zone(self.zone)
        if self._is_over(datetime.fromtimestamp(at, zone).date()):
            return
        was_open = self._is_open(at, zone)
        chunk = math.floor(at / _CHUNK) * _CHUNK
        while chunk <= at + within:
            for when in sorted(self._candidates(chunk, zone)):
                if when > at and self._is_open(when, zone) is not was_open:
                    was_open = not was_open
                    yield when, was_open
            chunk += _CHUNK

    def _is_over(self, today: date) -> bool:
        """Closed *today* and for ever: there is no week, and no date ahead."""
        if not self.week or any(self.week):
            return False
        yesterday = today - timedelta(days=1)
        return not any(times and day >= yesterday for day, times in self.dates.items())

    def _is_open(self, at: float, zone: ZoneInfo) -> bool:
        wall = datetime.fromtimestamp(at, zone)
        today, minute = wall.date(), wall.hour * 60 + wall.minute
        return _within(self._of(today), minute) or _within(
            self._of(today - timedelta(days=1)), minute + A_DAY
        )

    def _of(self, day: date) -> Intervals:
        """What begins on *day*."""
        found = self.dates.get(day)
        if found is None:
            return self.week[day.weekday()] if self.week else WHOLE_DAY
        return found

    def _candidates(self, chunk: int, zone: ZoneInfo) -> set[int]:
        """Moments of the *chunk* at which the hours may change: there is no change between two."""
        end = chunk + _CHUNK
        found = set(_transitions(chunk, end, zone))
        day = datetime.fromtimestamp(chunk, zone).date() - timedelta(days=1)
        last = datetime.fromtimestamp(end, zone).date() + timedelta(days=1)
        while day <= last:
            midnight = datetime(day.year, day.month, day.day)
            minutes = {0, *(minute for one in self._of(day) for minute in one)}
            for minute in minutes:
                wall = (midnight + timedelta(minutes=minute)).replace(tzinfo=zone)
                found.update(int(wall.replace(fold=fold).timestamp()) for fold in (0, 1))
            day += timedelta(days=1)
        return {when for when in found if chunk <= when < end}


ALWAYS = Hours()


def _within(intervals: Intervals, minute: int) -> bool:
    return any(begin <= minute < end for begin, end in intervals)


def _transitions(begin: int, end: int, zone: ZoneInfo) -> Iterator[int]:
    """When clocks are changed between *begin* and *end*, in s since 1970; once a day at most."""
    begin -= 1  # the clocks may be changed with its first second
    before = datetime.fromtimestamp(begin, zone).utcoffset()
    if datetime.fromtimestamp(end, zone).utcoffset() == before:
        return
    while end - begin > 1:
        middle = (begin + end) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == before:
            begin = middle
        else:
            end = middle
    yield end


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


# ---- reading -----------------------------------------------------------------


def hours(week: str, zone: str, dates: Mapping[str, str]) -> Hours:
    """What these texts say. Raises `HoursError`, which names `hours`, `zone` or `dates`."""
    if len(week) > MAX_TEXT:
        raise HoursError(f"hours: at most {MAX_TEXT} characters")
    found = stored_hours(week, zone, dates)
    if len(written_week(found)) > MAX_TEXT:  # it may be longer than what was said
        raise HoursError(f"hours: at most {MAX_TEXT} characters, with the times of each day")
    if found.zone or not found.is_always:
        _check_zone(found.zone)
    return found


def stored_hours(week: str, zone: str, dates: Mapping[str, str]) -> Hours:
    """The same of what is stored: its time zone may be unknown on this machine, and its length
    was looked at before. Raises `HoursError`."""
    read = {_date(day): _day_of(text, "dates") for day, text in dates.items()}
    if len(read) > MOST_DATES:
        raise HoursError(f"dates: at most {MOST_DATES} of them")
    return Hours(zone.strip(), _week(week), dict(sorted(read.items())))


def is_zone(name: str) -> bool:
    """Whether this machine knows the time zone *name*."""
    try:
        _zone(name)
    except (ValueError, OSError, KeyError):
        return False
    return True


def _check_zone(zone: str) -> None:
    if not zone:
        raise HoursError("zone: hours need a time zone, such as Europe/Berlin")
    if is_zone(zone):
        return
    known = {one.lower(): one for one in available_timezones()}
    near = difflib.get_close_matches(zone.lower(), known, 1)
    hint = f"; did you mean {known[near[0]]}?" if near else ""
    what = "zone: the name of an IANA time zone is required, such as Europe/Berlin"
    raise HoursError(f"{what}{hint}")


def _date(text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.isoformat() != text:
        raise HoursError("dates: a date such as 2026-12-25 is required")
    return found


def _week(text: str) -> tuple[Intervals, ...]:
    text = text.strip().lower()
    if not text:
        return ()
    found: dict[int, Intervals] = {}
    for part in text.split(";") if text != CLOSED else ():
        if not part.strip():
            continue
        match = _PART.fullmatch(part.strip())
        if match is None:
            raise HoursError(f"hours: {WEEK}")
        intervals = _day_of(match["times"], "hours")
        for day in _days(match["days"]):
            if day in found:
                raise HoursError(f"hours: {DAYS[day]} is named twice; put a comma between times")
            found[day] = intervals
    return tuple(found.get(day, ()) for day in range(len(DAYS)))


def _days(text: str) -> Iterator[int]:
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if first not in DAYS or (last or first) not in DAYS:
            raise HoursError(f"hours: {WEEK}")
        begin = DAYS.index(first)
        for further in range((DAYS.index(last or first) - begin) % len(DAYS) + 1):
            yield (begin + further) % len(DAYS)


def _day_of(text: str, name: str) -> Intervals:
    """The intervals of one day, which a *text* of the field *name* gives."""
    if text.strip().lower() == CLOSED:
        return ()
    return _joined((_interval(one, name) for one in text.split(",")), name)


def _interval(text: str, name: str) -> Interval:
    match = _TIMES.fullmatch(text.strip())
    if match is None:
        raise HoursError(f"{name}: {TIMES}")
    hour, minute, last_hour, last_minute = map(int, match.groups())
    begin, end = hour * 60 + minute, last_hour * 60 + last_minute
    if minute > 59 or last_minute > 59 or begin >= A_DAY or end > A_DAY:
        raise HoursError(f"{name}: times of day are 0:00 to 24:00")
    if begin == end:
        raise HoursError(f"{name}: {_time(begin)} cannot be both ends; a whole day is 0:00-24:00")
    return Interval(begin, end if end > begin else end + A_DAY)


def _joined(intervals: Iterable[Interval], name: str) -> Intervals:
    """In order; those that touch are one."""
    found: list[Interval] = []
    for one in sorted(intervals):
        if found and one.begin <= found[-1].end:
            found[-1] = Interval(found[-1].begin, max(found[-1].end, one.end))
        else:
            found.append(one)
        if found[-1].end - found[-1].begin > A_DAY:
            raise HoursError(f"{name}: what begins on one day is a day long at most")
    return tuple(found)


# ---- writing -----------------------------------------------------------------


def written_week(some: Hours) -> str:
    """The week, as `hours` reads it; empty: open on all days."""
    if not some.week:
        return ""
    parts: list[tuple[int, int, Intervals]] = []  # first and last day, and what holds on them
    for day, intervals in enumerate(some.week):
        if parts and parts[-1][2] == intervals:
            parts[-1] = parts[-1][0], day, intervals
        else:
            parts.append((day, day, intervals))
    shown = [
        f"{DAYS[first]}{'' if first == last else f'-{DAYS[last]}'} {written_day(intervals)}"
        for first, last, intervals in parts
        if intervals
    ]
    return "; ".join(shown) or CLOSED


def written_dates(some: Hours) -> dict[str, str]:
    """The days that differ, as `hours` reads them."""
    return {day.isoformat(): written_day(intervals) for day, intervals in some.dates.items()}


def written_day(intervals: Intervals) -> str:
    """The intervals of one day, as `hours` reads them."""
    parts = (part for one in intervals for part in _parts(one))
    return ", ".join(f"{_time(one.begin)}-{_end(one.end)}" for one in parts) or CLOSED


def _parts(one: Interval) -> tuple[Interval, ...]:
    """*one*; two that touch where it is a day long and begins after midnight.

    `6:00-6:00` would be refused as a slip of whoever writes it. Two are enough: nothing
    that begins in the last minute is a day long.
    """
    if one.end - one.begin < A_DAY or not one.begin:
        return (one,)
    middle = (one.begin + A_DAY) // 2
    return Interval(one.begin, middle), Interval(middle, one.end)


def _time(minutes: int) -> str:
    return f"{minutes // 60}:{minutes % 60:02}"


def _end(minutes: int) -> str:
    return _time(minutes if minutes <= A_DAY else minutes - A_DAY)
