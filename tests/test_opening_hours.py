"""Opening hours: what may be said, and when it is open, also where clocks are changed."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.opening_hours import (
    A_DAY,
    A_YEAR,
    ALWAYS,
    DAYS,
    MAX_TEXT,
    Hours,
    HoursError,
    hours,
    stored_hours,
    written_dates,
    written_week,
)

SHOP = "mo-fr 9:00-17:30; sa 10:00-14:00"


def at(text: str, zone: str = "Europe/Berlin", fold: int = 0) -> float:
    """The moment at which a clock in *zone* shows *text*."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def shop(week: str = SHOP, zone: str = "Europe/Berlin", **dates: str) -> Hours:
    return hours(
        week, zone, {day.strip("_").replace("_", "-"): text for day, text in dates.items()}
    )


# ---- when it is open -------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "is_open"),
    [
        ("2026-11-27T08:59:59", False),  # a Friday
        ("2026-11-27T09:00:00", True),
        ("2026-11-27T17:29:59", True),
        ("2026-11-27T17:30:00", False),
        ("2026-11-28T13:59:59", True),
        ("2026-11-29T12:00:00", False),
    ],
)
def test_a_week(when: str, is_open: bool) -> None:
    assert shop().is_open(at(when)) is is_open


def test_when_it_opens_next() -> None:
    assert shop().next_opening(at("2026-11-28T14:00")) == at("2026-11-30T09:00")
    assert shop().next_opening(at("2026-11-27T12:00:00.5")) == at("2026-11-27T12:00:01"), "open"
    assert shop().next_change(at("2026-11-27T12:00")) == at("2026-11-27T17:30")
    assert shop().next_change(at("2026-11-28T14:00"), within=86_400) is None


def test_dates_that_differ() -> None:
    some = shop(_2026_12_25="closed", _2026_12_24="9:00-12:00", _2026_12_27="11:00-12:00")
    assert not some.is_open(at("2026-12-24T12:00"))
    assert not some.is_open(at("2026-12-25T12:00"))
    assert some.next_opening(at("2026-12-24T12:00")) == at("2026-12-26T10:00")
    assert some.is_open(at("2026-12-27T11:30")), "a Sunday"


def test_what_begins_before_midnight_goes_on_after_it() -> None:
    bar = shop("fr 22:00-2:00", _2026_11_28="closed")
    assert bar.is_open(at("2026-11-28T01:59")), "of Friday, though Saturday differs"
    assert not bar.is_open(at("2026-11-28T02:00"))
    assert not bar.is_open(at("2026-11-27T01:00"))


def test_nothing_said_is_always() -> None:
    assert hours("", "", {}) == ALWAYS
    assert ALWAYS.is_open(0)
    assert ALWAYS.next_change(0) is None
    holiday = shop("", _2026_12_25="closed")
    assert holiday.next_change(at("2026-12-01T00:00")) == at("2026-12-25T00:00")
    assert holiday.next_opening(at("2026-12-25T10:00")) == at("2026-12-26T00:00")


def test_what_never_opens_has_no_next_opening() -> None:
    closed = shop("closed")
    assert not closed.is_open(0)
    assert closed.next_opening(at("2026-01-01T00:00")) is None
    once = shop("closed", _2026_12_24="9:00-12:00")
    assert once.next_opening(at("2025-12-24T10:00")) == at("2026-12-24T09:00")
    assert once.next_opening(at("2026-12-24T12:00")) is None
    far = shop("closed", _2030_12_24="9:00-12:00")
    assert far.next_opening(at("2026-12-24T12:00")) is None


def test_nothing_is_searched_where_there_is_no_week_and_no_date_ahead(monkeypatch) -> None:
    past = shop("closed", _2025_12_24="22:00-2:00", _2026_12_25="closed")
    assert past.next_change(at("2025-12-25T01:00")) == at("2025-12-25T02:00")
    assert past.next_opening(at("2025-12-24T12:00")) == at("2025-12-24T22:00")
    monkeypatch.setattr(Hours, "_candidates", lambda *_: pytest.fail("a day is searched"))
    assert past.next_opening(at("2025-12-26T00:00")) is None
    assert past.next_change(at("2026-06-01T00:00")) is None


def test_a_time_that_summer_time_leaves_out_never_comes() -> None:
    early = shop("su 2:30-5:00")
    assert early.next_opening(at("2026-03-28T12:00")) == at("2026-03-29T03:00")
    hidden = shop("su 2:15-2:45")
    assert hidden.next_opening(at("2026-03-28T12:00")) == at("2026-04-05T02:15")


def test_a_time_that_comes_twice_is_open_twice() -> None:
    late = shop("su 2:15-2:45")
    first, second = (at("2026-10-25T02:15", fold=fold) for fold in (0, 1))
    assert second - first == 3600
    assert late.next_opening(at("2026-10-25T01:00")) == first
    assert late.next_change(first) == first + 1800
    assert late.next_opening(first + 1800) == second


class SlowModel:
    """Knows the minutes that a clock on the wall shows while it is open, and looks at it."""

    def __init__(self, some: Hours, year: int) -> None:
        self._zone = ZoneInfo(some.zone)
        self._open: set[int] = set()  # minutes of the calendar, whatever clocks are changed
        first = date(year, 1, 1) - timedelta(days=3)
        for number in range(first.toordinal(), first.toordinal() + 375):
            day = date.fromordinal(number)
            usual = some.week[day.weekday()] if some.week else [(0, A_DAY)]
            for begin, end in some.dates.get(day, usual):
                self._open.update(range(number * A_DAY + begin, number * A_DAY + end))

    def is_open(self, when: int) -> bool:
        wall = datetime.fromtimestamp(when, self._zone)
        return wall.toordinal() * A_DAY + wall.hour * 60 + wall.minute in self._open


ZONES = {
    "Europe/Berlin": 2026,
    "America/New_York": 2026,
    "Australia/Lord_Howe": 2026,  # half an hour of summer time
    "Asia/Kathmandu": 2026,  # a quarter of an hour beside the others
    "America/Sao_Paulo": 2018,  # summer time began and ended at midnight
    "America/Havana": 2026,  # it begins at midnight
    "Africa/Casablanca": 2026,  # four changes a year
    "Pacific/Apia": 2011,  # a day was left out
    "UTC": 2026,
}


def random_day(chance: random.Random) -> str:
    if chance.random() < 0.2:
        return "closed"
    begin, length = chance.randrange(A_DAY), chance.choice([1, 30, 90, 480, 1439])
    end = (begin + length) % A_DAY
    return f"{begin // 60}:{begin % 60:02}-{end // 60}:{end % 60:02}"


def random_hours(chance: random.Random, zone: str, year: int) -> Hours:
    days = ("mo", "tu", "we", "th", "fr", "sa", "su")
    week = "; ".join(f"{day} {random_day(chance)}" for day in days)
    first = date(year, 1, 1)
    dates = {
        (first + timedelta(days=chance.randrange(366))).isoformat(): random_day(chance)
        for _ in range(chance.randrange(20))
    }
    return hours(chance.choice([week, week, week, ""]), zone, dates)


@pytest.mark.parametrize("zone", ZONES)
def test_it_is_as_a_clock_on_the_wall_says_in_each_minute_of_a_year(zone: str) -> None:
    chance = random.Random(zone)
    some = random_hours(chance, zone, ZONES[zone])
    model = SlowModel(some, ZONES[zone])
    begin = int(datetime(ZONES[zone], 1, 1, tzinfo=UTC).timestamp())
    states = [model.is_open(when) for when in range(begin, begin + A_YEAR, 60)]
    changes = [
        begin + 60 * number
        for number in range(1, len(states))
        if states[number] is not states[number - 1]
    ]
    assert [some.is_open(begin + 60 * number) for number in range(0, len(states), 29)] == states[
        ::29
    ]
    found, when = [], float(begin)
    while (when := some.next_change(when)) is not None and when < begin + A_YEAR:
        found.append(when)
    assert found == changes
    for _ in range(50):
        number = chance.randrange(len(states) // 2)
        opens = states.index(True, number)
        assert some.next_opening(begin + 60 * number) == begin + 60 * opens


# ---- what may be said ------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "written"),
    [
        (SHOP, SHOP),
        (" MO-FR 09:00–17:30 ;sa 10:00 - 14:00; ", SHOP),
        ("mo,we 9:00-12:00, 13:00-17:00", "mo 9:00-12:00, 13:00-17:00; we 9:00-12:00, 13:00-17:00"),
        ("sa-mo 0:00-24:00", "mo 0:00-24:00; sa-su 0:00-24:00"),
        ("mo 9:00-12:00, 11:00-13:00; tu closed", "mo 9:00-13:00"),
        ("fr 22:00-2:00; sa 20:00-0:00", "fr 22:00-2:00; sa 20:00-24:00"),
        ("tu 6:00-14:00, 14:00-22:00, 22:00-6:00", "tu 6:00-15:00, 15:00-6:00"),
        ("mo 23:58-23:59, 23:59-23:58", "mo 23:58-23:59, 23:59-23:58"),
        ("mo 0:00-12:00, 12:00-0:00", "mo 0:00-24:00"),
        ("closed", "closed"),
        ("mo closed", "closed"),
        ("", ""),
    ],
)  # fmt: skip
def test_hours_are_written_as_they_can_be_read(said: str, written: str) -> None:
    some = shop(said, _2026_12_25="closed", _2026_12_24="9:00-12:00")
    assert written_week(some) == written
    assert written_dates(some) == {"2026-12-24": "9:00-12:00", "2026-12-25": "closed"}
    assert hours(written_week(some), some.zone, written_dates(some)) == some


def random_times(chance: random.Random) -> str:
    """What one day may say, in any order: some touch, or are a day long together."""
    if chance.random() < 0.1:
        return "closed"
    marks = chance.sample(range(0, A_DAY, chance.choice([1, 15, 60])), chance.randrange(2, 12))
    marks.sort()
    pairs = list(zip(marks, [*marks[1:], chance.choice([marks[0], A_DAY])], strict=True))
    if chance.random() < 0.7:
        pairs = chance.sample(pairs, chance.randrange(1, len(pairs) + 1))
    chance.shuffle(pairs)
    times = [f"{one // 60}:{one % 60:02}-{end // 60}:{end % 60:02}" for one, end in pairs]
    return ", ".join(times)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_taken_is_read_back_as_it_was(seed: int) -> None:
    chance, taken = random.Random(seed), 0
    for _ in range(100):
        days = chance.sample(DAYS, chance.randrange(1, 8))
        parts = [",".join(days[place::3]) for place in range(min(3, len(days)))]
        week = "; ".join(f"{part} {random_times(chance)}" for part in parts)
        dates = {f"2026-12-{day:02}": random_times(chance) for day in range(1, 5)}
        try:
            some = hours(week, "Europe/Berlin", dates)
        except HoursError as error:
            assert str(error).startswith("hours: at most 1000 characters"), week  # noqa: PT017
            continue
        taken += 1
        stored = written_week(some), some.zone, written_dates(some)
        assert hours(*stored) == stored_hours(*stored) == some, week
    assert taken > 50


def test_a_week_is_as_long_as_it_is_stored() -> None:
    times = ", ".join(
        f"{hour}:{minute}-{hour}:{minute + 15}" for hour in range(10, 21) for minute in (10, 40)
    )
    said = f"mo,we,fr,su {times}"
    assert len(said) < MAX_TEXT
    with pytest.raises(HoursError, match="at most 1000 characters, with the times of each day"):
        hours(said, "UTC", {})
    assert len(written_week(stored_hours(said, "UTC", {}))) > MAX_TEXT
    longer = written_week(stored_hours(said, "UTC", {}))
    assert written_week(stored_hours(longer, "UTC", {})) == longer, "what is stored is read"


@pytest.mark.parametrize(
    ("week", "zone", "dates", "message"),
    [
        ("always", "UTC", {}, "hours: days and times such as mo-fr 9:00-17:30; sa 10:00-14:00"),
        ("xx 9:00-10:00", "UTC", {}, "hours: days and times"),
        ("mo 9-17", "UTC", {}, "hours: times such as 9:00-17:30, several with a comma between"),
        ("mo 9:60-10:00", "UTC", {}, "hours: times of day are 0:00 to 24:00"),
        ("mo 9:00-24:30", "UTC", {}, "hours: times of day are 0:00 to 24:00"),
        ("mo 9:00-9:00", "UTC", {}, "hours: 9:00 cannot be both ends; a whole day is 0:00-24:00"),
        ("mo 9:00-5:00, 4:00-12:00", "UTC", {}, "hours: what begins on one day is a day long"),
        ("mo-we 9:00-10:00; tu 9:00-10:00", "UTC", {}, "hours: tu is named twice"),
        ("mo 9:00-10:00" + " " * 1000, "UTC", {}, "hours: at most 1000 characters"),
        (SHOP, "", {}, "zone: hours need a time zone, such as Europe/Berlin"),
        (SHOP, "Europe/Berlinn", {}, "such as Europe/Berlin; did you mean Europe/Berlin?"),
        (SHOP, "europe/berlin", {}, "did you mean Europe/Berlin?"),
        (SHOP, "Europe", {}, "zone: the name of an IANA time zone is required"),
        (SHOP, "../../etc/passwd", {}, "zone: the name of an IANA time zone is required"),
        ("", "UTC", {"25.12.2026": "closed"}, "dates: a date such as 2026-12-25 is required"),
        ("", "UTC", {"20261225": "closed"}, "dates: a date such as 2026-12-25 is required"),
        ("", "UTC", {"2026-12-25": "shut"}, "dates: times such as 9:00-17:30"),
    ],
)
def test_what_cannot_be_read_is_named(week, zone, dates, message) -> None:
    with pytest.raises(HoursError) as error:
        hours(week, zone, dates)
    assert message in str(error.value)
