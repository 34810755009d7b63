"""What becomes of visitors who ask: one row each, whoever writes it, and reports of many."""

from __future__ import annotations

import itertools
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from services.clock import KEY_BITS
from services.conversation.kinds import TEXT, Side
from services.conversation.rows import EntryRow
from services.history import care, report, slices, tables, visit_care, visits
from services.history.port import Batch, Visit
from services.history.report import By, Span, span
from services.history.sql import SQLStore
from services.history.visits import Outcome

from .conftest import chat
from .people import no_pause

UTC_ZONE = ZoneInfo("UTC")
TEN = round(datetime(2026, 6, 1, 10, tzinfo=UTC).timestamp() * 1000)


def key_at(ms: int, number: int = 0) -> int:
    return ms << KEY_BITS | number


def note(store: SQLStore, *some: Visit) -> None:
    store.commit(Batch(visits=[*some]))


def found(store: SQLStore) -> dict[int, dict[str, object]]:
    """All visits by their keys, without the columns that say nothing."""
    with store.engine.connect() as connection:
        rows = connection.execute(sa.select(tables.visit)).mappings().all()
    return {
        row["key"]: {
            name: row[name] for name in row if name != "key" and row[name] not in (None, "")
        }
        for row in rows
    }


# ---- one visit -------------------------------------------------------------


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
def test_whoever_writes_first_a_visit_is_the_same(store: SQLStore, order: tuple[int, ...]) -> None:
    said = [
        Visit(1, 100, department="sales"),
        Visit(1, 100, matched=200, waiter="bob"),
        Visit(1, 100, ended=300, outcome="left"),
    ]
    for place in order:
        note(store, said[place])
    note(
        store,
        Visit(1, 100, matched=250, waiter="ada"),
    )  # a worker that is late
    note(store, Visit(1, 100, ended=350, outcome="lost"))
    assert found(store) == {
        1: {
            "asked": 100, "department": "sales", "matched": 200, "waiter": "bob", "ended": 300,
            "outcome": "left",
        }
    }  # fmt: skip


def test_a_message_takes_the_place_of_what_became_of_a_visitor_who_was_not_served(
    store: SQLStore,
) -> None:
    note(
        store, Visit(1, 100, "sales", ended=100, outcome="closed"),
        Visit(2, 100, ended=300, outcome="abandoned"),
        Visit(3, 100, matched=200, waiter="bob", ended=300, outcome="left"),
    )  # fmt: skip
    for key in (1, 2, 3, 4):
        note(store, Visit(key, 100, "sales", ended=400, outcome="message"))
    note(store, Visit(1, 100, ended=500, outcome="closed"))
    ends = {key: (row["ended"], row["outcome"]) for key, row in found(store).items()}
    assert ends == {1: (400, "message"), 2: (400, "message"), 3: (300, "left"), 4: (400, "message")}


def test_what_waits_for_its_commit_merges_as_what_is_stored() -> None:
    one = Visit(1, 100)
    for more in (
        Visit(1, 100, department="sales"), Visit(1, 100, ended=200, outcome="abandoned"),
        Visit(1, 100, ended=300, outcome="left"), Visit(1, 100, ended=400, outcome="message"),
        Visit(1, 100, matched=150, waiter="bob"), Visit(1, 100, ended=500, outcome="message"),
    ):  # fmt: skip
        one.add(more)
    assert one == Visit(1, 100, "sales", 150, "bob", 400, "message")


#: what one worker may know of a visit
KNOWN = [
    Visit(1, 100), Visit(1, 100, "sales"), Visit(1, 100, matched=200, waiter="bob"),
    Visit(1, 100, "care", matched=250, waiter="ada"),
    *(Visit(1, 100, ended=300 + n, outcome=one)
      for n, one in enumerate(("left", "abandoned", "closed", "message", "unknown"))),
    Visit(1, 100, "sales", 200, "bob", 400, "left"),
    Visit(1, 100, "sales", 200, "bob", 400, "unknown"),
    Visit(1, 100, "sales", ended=500, outcome="message"),
]  # fmt: skip


def test_what_waits_and_what_is_stored_merge_by_one_rule(store: SQLStore) -> None:
    pairs = [*enumerate(itertools.product(KNOWN, KNOWN), 1)]
    for place in (0, 1):
        note(store, *(replace(pair[place], key=key) for key, pair in pairs))
    stored = found(store)
    for key, (earlier, later) in pairs:
        one = replace(earlier, key=key)
        one.add(later)
        known = {name: value for name, value in asdict(one).items() if value not in (None, "")}
        assert stored[known.pop("key")] == known, (earlier, later)


def test_at_the_end_it_is_looked_up_who_has_answered_first(store: SQLStore) -> None:
    row = chat(1, waiter="cid", waited=40)
    row.opened = 100
    entries = [
        EntryRow(1, 1, Side.SERVER, "ann", None, TEXT.number, "welcome", 200),
        EntryRow(1, 2, Side.USER, "ann", None, TEXT.number, "hi", 210),
        EntryRow(1, 3, Side.WAITER, "bob", None, TEXT.number, "hello", 230),
        EntryRow(1, 4, Side.WAITER, "cid", None, TEXT.number, "I go on", 260),
    ]
    store.commit(Batch([row], entries=entries, visits=[Visit(1, 100)]))
    assert found(store)[1] == {"asked": 100}
    note(store, Visit(1, 100, ended=300, outcome="ended"), Visit(2, 100, ended=9, outcome="full"))
    assert found(store) == {
        # nobody has written that it was matched: its conversation says so
        1: {
            "asked": 100, "matched": 140, "waiter": "bob", "answered": 230, "answered_by": "bob",
            "ended": 300, "outcome": "ended",
        },
        2: {"asked": 100, "ended": 9, "outcome": "full"},
    }  # fmt: skip


def test_an_answer_of_the_same_commit_counts(store: SQLStore) -> None:
    entry = EntryRow(1, 1, Side.WAITER, "bob", None, TEXT.number, "bye", 230)
    end = Visit(1, 100, matched=200, waiter="bob", ended=300, outcome="ended")
    store.commit(Batch([chat(1)], entries=[entry], visits=[end]))
    assert found(store)[1]["answered"] == 230


def test_a_visit_stays_when_its_conversation_is_erased_and_without_a_waiter_when_that_is_swept(
    store: SQLStore,
) -> None:
    for key, user in ((1, "ann"), (2, "eve")):
        entry = EntryRow(key, 1, Side.WAITER, "bob", None, TEXT.number, "hello", 230)
        end = Visit(key, 100, "sales", 200, "bob", 300, "ended")
        store.commit(Batch([chat(key, user, ended=300)], entries=[entry], visits=[end]))
    before = found(store)
    assert care.erase(store, "ann", pause=no_pause).chats == 1
    assert found(store) == before
    note(store, Visit(1, 100, ended=300, outcome="ended"))  # a worker that is late
    assert found(store) == before
    assert care.sweep(store, 0, 400, pause=no_pause).chats == 1
    assert found(store) == {
        key: {name: row[name] for name in row if name not in ("waiter", "answered_by")}
        for key, row in before.items()
    }


def test_a_sweep_forgets_the_waiters_of_visits_that_are_too_old(
    store: SQLStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "WINDOW", 3)
    visits_there = [
        *(Visit(key_at(n), n, "sales", n + 1, "bob", n + 5, "left") for n in range(1, 20)),
        Visit(key_at(3, 1), 3, "sales", 4, "bob"),  # it goes on
    ]
    note(store, *visits_there)
    assert care.sweep(store, 10, 20, pause=no_pause).visits == 4  # ended before 10
    named = {key >> KEY_BITS for key, row in found(store).items() if "waiter" in row}
    assert named == {3, *range(5, 20)}
    assert found(store)[key_at(1)] == {
        "asked": 1, "department": "sales", "matched": 2, "ended": 6, "outcome": "left",
    }  # fmt: skip
    assert not care.sweep(store, 10, 20, pause=no_pause).anything


def test_an_erased_waiter_is_forgotten_in_its_visits(
    store: SQLStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "WINDOW", 3)
    for key in range(1, 20):
        note(store, Visit(key, 100, matched=200, waiter="pat" if key % 5 == 0 else "bob"))
    erased = care.erase(store, "pat", pause=no_pause)
    assert erased.visits == 3
    names = {str(row["waiter"]) for row in found(store).values()}
    assert {name.split("-")[0] for name in names} == {"bob", "erased"}
    assert len(names) == 2
    note(store, Visit(5, 100, matched=200, waiter="pat"))  # a worker that is late
    assert "pat" not in str(found(store))


# ---- what a killed server leaves -----------------------------------------------


def test_what_a_killed_server_has_left_open_is_settled(store: SQLStore) -> None:
    entry = EntryRow(2, 1, Side.WAITER, "bob", None, TEXT.number, "hello", 230)
    store.commit(Batch(
        [chat(1), chat(2, ended=500, reason="lost"), chat(3, ended=600)], entries=[entry],
        visits=[Visit(key, 100, matched=200, waiter="bob") for key in (1, 2, 3, 4)] + [
            Visit(5, 100), Visit(6, 1000), Visit(7, 100, ended=120, outcome="abandoned"),
        ],
    ))  # fmt: skip
    assert visit_care.settle(store, 900, before=900) == 4
    ends = {key: (row.get("ended"), row.get("outcome")) for key, row in found(store).items()}
    assert ends == {
        1: (None, None),  # its conversation goes on
        2: (500, "lost"), 3: (600, "unknown"),
        4: (900, "unknown"), 5: (900, "unknown"),
        6: (None, None),  # it has asked just now
        7: (120, "abandoned"),
    }  # fmt: skip
    assert found(store)[2]["answered"] == 230
    assert visit_care.settle(store, 900, before=900) == 0
    assert visit_care.settle(store, 900) == 1
    assert found(store)[6]["ended"] == 1000  # not before it has asked


def test_who_has_waited_for_so_long_is_served_all_the_same(store: SQLStore) -> None:
    note(store, Visit(1, 100, "sales"), Visit(2, 100), Visit(3, 100))
    assert visit_care.settle(store, 5000, before=900) == 3
    note(store, Visit(1, 100, matched=6000, waiter="bob"))
    note(store, Visit(2, 100, ended=7000, outcome="abandoned"))
    assert found(store) == {
        1: {"asked": 100, "department": "sales", "matched": 6000, "waiter": "bob"},
        2: {"asked": 100, "ended": 7000, "outcome": "abandoned"},
        3: {"asked": 100, "ended": 5000, "outcome": "unknown"},
    }
    note(store, Visit(1, 100, ended=8000, outcome="left"))
    assert (found(store)[1]["ended"], found(store)[1]["outcome"]) == (8000, "left")


# ---- reports ---------------------------------------------------------------------


def asked(at: int, number: int = 0, **more: object) -> Visit:
    """A visit that was asked *at* s after ten o'clock."""
    ms = TEN + at * 1000
    return Visit(key_at(ms, number), ms, **more)  # type: ignore[arg-type]


def served(at: int, waited: int, lasted: int, waiter: str = "bob", **more: object) -> Visit:
    begun = TEN + (at + waited) * 1000
    return asked(
        at, matched=begun, waiter=waiter, ended=begun + lasted * 1000, outcome="left", **more
    )


def counts(line: report.Line) -> tuple[int, ...]:
    return line.asked, line.served, line.abandoned, line.offline, line.full, line.messages


def test_a_report_counts_each_outcome_once(store: SQLStore) -> None:
    note(
        store, served(0, 10, 100), asked(1), asked(2, ended=TEN, outcome=Outcome.ABANDONED),
        asked(3, ended=TEN, outcome=Outcome.CLOSED), asked(4, ended=TEN, outcome=Outcome.NOBODY),
        asked(5, ended=TEN, outcome=Outcome.FULL), asked(6, ended=TEN, outcome="message"),
        asked(7, ended=TEN, outcome=Outcome.UNKNOWN),  # it has asked again
    )  # fmt: skip
    day = date(2026, 6, 1)
    found = report.report(store, day, day, By.DAY, UTC_ZONE)
    assert counts(found.total) == (7, 1, 1, 2, 1, 1)
    assert {name: counts(line) for name, line in found.lines.items()} == {
        "2026-06-01": (7, 1, 1, 2, 1, 1)
    }


def test_durations_are_the_middle_ones_and_those_that_95_of_100_do_not_exceed(
    store: SQLStore,
) -> None:
    note(store, *(served(n, waited=n, lasted=2 * n) for n in range(1, 101)))
    day = date(2026, 6, 1)
    total = report.report(store, day, day, By.HOUR, UTC_ZONE).total
    assert span(total.waited) == Span(50.0, 95.0)
    assert span(total.lasted) == Span(100.0, 190.0)
    assert span(total.answer) == Span(None, None)


def test_the_first_answer_counts_also_while_the_conversation_goes_on(store: SQLStore) -> None:
    going, over = asked(0, matched=TEN + 5000, waiter="bob"), served(1, 1, 60)
    entries = [
        EntryRow(one.key, 1, Side.WAITER, "bob", None, TEXT.number, "hello", TEN + 9000)
        for one in (going, over)
    ]
    store.commit(Batch([chat(going.key), chat(over.key)], entries=entries, visits=[going, over]))
    day = date(2026, 6, 1)
    total = report.report(store, day, day, By.DAY, UTC_ZONE).total
    assert span(total.answer) == Span(4.0, 7.0)
    assert (total.served, span(total.lasted)) == (2, Span(60.0, 60.0))


def test_days_are_those_of_the_zone_and_empty_ones_are_shown(store: SQLStore) -> None:
    hour = 3600
    note(store, asked(-11 * hour), asked(-10 * hour), asked(13 * hour), asked(14 * hour))
    first, last = date(2026, 5, 31), date(2026, 6, 2)

    def by_day(zone: str, since: date = first) -> dict[str, int]:
        lines = report.report(store, since, last, By.DAY, ZoneInfo(zone)).lines
        return {name[5:]: line.asked for name, line in lines.items()}

    assert by_day("UTC") == {"05-31": 1, "06-01": 2, "06-02": 1}
    assert by_day("Europe/Berlin") == {"05-31": 0, "06-01": 2, "06-02": 2}
    assert by_day("Asia/Kathmandu", date(2026, 6, 1)) == {"06-01": 2, "06-02": 2}


def test_a_day_on_which_the_clock_is_set_back_has_25_hours(store: SQLStore) -> None:
    berlin, day = ZoneInfo("Europe/Berlin"), date(2026, 10, 25)
    begin = datetime(2026, 10, 25, tzinfo=berlin).timestamp()
    times = [round(begin + hour * 3600) * 1000 for hour in range(-1, 26)]
    note(store, *(Visit(key_at(ms), ms) for ms in times))
    assert report.report(store, day, day, By.DAY, berlin).total.asked == 25
    hours = report.report(store, day, day, By.HOUR, berlin).lines
    assert {name: line.asked for name, line in hours.items() if line.asked != 1} == {"02:00": 2}
    assert len(hours) == 24


def test_visits_are_found_also_after_a_clock_was_a_day_ahead_and_was_set_back(
    store: SQLStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "AT_ONCE", 2)
    day_ahead = TEN + 86_400_000
    note(store, *(Visit(key_at(day_ahead, n), TEN + n // 2) for n in range(5)))
    note(store, asked(-86_400), asked(86_400, 1000))
    day = date(2026, 6, 1)
    assert report.report(store, day, day, By.DAY, UTC_ZONE).total.asked == 5


def test_departments_and_waiters(store: SQLStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "AT_ONCE", 2)
    note(
        store, served(0, 1, 1, "bob", department="sales"), served(1, 1, 1, "ada"),
        served(2, 1, 1, "ada", department="sales"),
        asked(3, department="care", ended=TEN, outcome=Outcome.CLOSED),
    )  # fmt: skip
    day = date(2026, 6, 1)
    departments = report.report(store, day, day, By.DEPARTMENT, UTC_ZONE)
    assert {name: line.asked for name, line in departments.lines.items()} == {
        "": 1, "care": 1, "sales": 2,
    }  # fmt: skip
    waiters = report.report(store, day, day, By.WAITER, UTC_ZONE)
    assert {name: line.served for name, line in waiters.lines.items()} == {"ada": 2, "bob": 1}
    assert waiters.total.asked == 4


def test_no_row_names_the_visitor() -> None:
    assert {column.name for column in tables.visit.columns} == {
        "key", "asked", "department", "matched", "waiter", "answered", "answered_by", "ended",
        "outcome",
    }  # fmt: skip
    assert not visits.TURNED_AWAY & {Outcome.ABANDONED, Outcome.UNKNOWN}
