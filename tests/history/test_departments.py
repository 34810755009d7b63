"""Departments and their members in the store: what may be, and that each change is counted."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from services.history import care, tables
from services.history.departments import (
    AS_THE_SITE,
    Change,
    DepartmentError,
    DepartmentRow,
    DepartmentTables,
    Membership,
    Overflow,
    canonical_tag,
)
from services.history.port import StoreError
from services.history.sql import SQLStore
from services.opening_hours import Hours, hours

from .people import no_pause


@pytest.fixture
def departments(store: SQLStore) -> DepartmentTables:
    return DepartmentTables(store)


def keys(departments: DepartmentTables) -> list[str]:
    return [one.key for one in departments.read().departments]


def test_a_site_without_departments_has_none(departments):
    assert departments.number() == 0
    assert departments.read() == (0, (), (), ())
    assert departments.get("sales") is None


def test_a_department_is_what_was_said_of_it(departments):
    departments.add("support")
    change = Change(
        names={"de": " Verkauf ", "EN": "Sales", "zh_hant": "銷售"},
        max_queue=20,
        overflow=Overflow("support", 60),
        members={"lin": 0, "ada": 9},
    )
    made = departments.add("sales", change)
    names = {"de": "Verkauf", "en": "Sales", "zh-Hant": "銷售"}
    assert made == DepartmentRow("sales", names, True, 20, Overflow("support", 60))
    assert departments.get("sales") == made
    assert list(departments.get("sales").names) == ["de", "en", "zh-Hant"], "in the order given"
    assert departments.read() == (
        2,
        (made, DepartmentRow("support")),
        (Membership("ada", "sales", 9), Membership("lin", "sales", 0)),
        (),
    )


def test_what_a_change_does_not_name_stays(departments):
    departments.add("support")
    first = departments.add(
        "sales",
        Change(names={"de": "Verkauf", "en": "Sales"}, max_queue=3, overflow=Overflow("support", 9),
               members={"ada": 1, "lin": 2}),
    )  # fmt: skip
    assert departments.change("sales", Change()) == first
    changed = departments.change("sales", Change(names={"de": "", "fr": "Ventes"}, enabled=False))
    assert changed == DepartmentRow(
        "sales", {"en": "Sales", "fr": "Ventes"}, False, 3, Overflow("support", 9)
    )
    departments.change("sales", Change(members={"ada": 5, "mia": 0}, no_members=["lin"]))
    assert departments.read().memberships == (
        Membership("ada", "sales", 5), Membership("mia", "sales", 0),
    )  # fmt: skip
    changed = departments.change("sales", Change(enabled=True, max_queue=0, overflow=Overflow()))
    assert changed == DepartmentRow("sales", {"en": "Sales", "fr": "Ventes"})
    assert departments.get("sales") == changed


def test_hours_are_stored_and_changed_by_themselves(departments):
    week, zone = "mo-fr 9:00-17:30", "Europe/Berlin"
    dates = {"2026-12-24": "9:00-12:00", "2026-12-25": "closed"}
    made = departments.add("sales", Change(hours=week, zone=zone, dates=dates, max_queue=3))
    assert made.hours == hours(week, zone, dates)
    assert departments.get("sales") == made
    changed = departments.change("sales", Change(dates={"2026-12-25": "10:00-11:00"}))
    assert changed.hours == hours(week, zone, dates | {"2026-12-25": "10:00-11:00"})
    changed = departments.change("sales", Change(zone="Asia/Tokyo", no_dates=[*dates]))
    assert (changed.hours, changed.max_queue) == (hours(week, "Asia/Tokyo", {}), 3)
    changed = departments.change("sales", Change(hours=""))
    assert changed.hours == Hours("Asia/Tokyo"), "the next hours may be in it"
    assert changed.hours.is_always
    assert departments.get("sales") == changed


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (Change(hours="mo 9-17", zone="UTC"), "hours: times such as"),
        (Change(hours="mo 9:00-17:00"), "zone: hours need a time zone"),
        (Change(zone="Nowhere/Town"), "zone: the name of an IANA time zone"),
        (Change(zone="UTC", dates={"x": "closed"}), "dates: a date such as"),
        (Change(no_dates=["2026-12-25"]), "dates: 2026-12-25 is none"),
    ],
)
def test_unfit_hours_are_named(departments, change, what):
    departments.add("sales")
    with pytest.raises(DepartmentError, match=f"^{what}"):
        departments.change("sales", change)
    assert departments.number() == 1


def test_shifts_around_the_clock_are_read_again(departments):
    week = "mo-su 6:00-14:00, 14:00-22:00, 22:00-6:00"
    made = departments.add("sales", Change(hours=week, zone="Europe/Berlin"))
    assert made.hours == hours(week, "Europe/Berlin", {})
    assert departments.read().departments == (made,)
    assert departments.change("sales", Change(dates={"2026-12-25": "closed"})).hours.week


UNREADABLE = [("hours", "mo 6:00-6:00"), ("dates", '{"2026-12-32": "closed"}'), ("dates", "{"),
              ("dates", "[]"), ("dates", '{"2026-12-24": 9}')]  # fmt: skip


@pytest.mark.parametrize(("column", "text"), UNREADABLE)
def test_hours_that_cannot_be_read_cost_the_others_nothing(
    departments, store, caplog, column, text
):
    kept = departments.add("kept", Change(hours="closed", zone="UTC"))
    departments.add("sales", Change(hours="mo 9:00-10:00", zone="UTC", max_queue=3))
    row = sa.update(tables.department).where(tables.department.c.key == "sales")
    with store.engine.begin() as connection:
        connection.execute(row.values({column: text}))
    assert departments.read().departments == (kept, DepartmentRow("sales", max_queue=3))
    assert "department sales: its hours cannot be read, so always open: " in caplog.text
    departments.change("sales", Change(max_queue=4))
    with store.engine.connect() as connection:
        stored = sa.select(tables.department.c[column]).where(tables.department.c.key == "sales")
        assert connection.scalar(stored) == text, "it stays until it is said anew"
    with pytest.raises(DepartmentError, match=r"^hours: those that are stored cannot"):
        departments.change("sales", Change(dates={"2026-12-25": "closed"}))
    departments.change("sales", Change(hours=""))
    caplog.clear()
    assert departments.get("sales") == DepartmentRow("sales", max_queue=4)
    assert caplog.text == ""
    departments.remove("sales")


def test_always_open_needs_no_zone_that_this_machine_knows(departments, store):
    departments.add("sales", Change(hours="mo 9:00-10:00", zone="UTC"))
    with store.engine.begin() as connection:
        connection.execute(sa.update(tables.department).values(zone="Mars/Olympus"))
    with pytest.raises(DepartmentError, match=r"^zone: "):
        departments.change("sales", Change(hours="", dates={"2026-12-25": "closed"}))
    assert departments.change("sales", Change(hours="")).hours == Hours()


def test_each_change_of_either_table_is_counted(departments, store):
    changes = [
        lambda: departments.add("sales"),
        lambda: departments.add("support", Change(members={"ada": 0})),
        lambda: departments.change("sales", Change(enabled=False)),
        lambda: departments.change("", Change(overflow=Overflow("sales"))),
        lambda: departments.change("support", Change(members={"lin": 3})),
        lambda: departments.change("support", Change(no_members=["lin"])),
        lambda: departments.assign("mia", {"sales": 0}),
        lambda: care.erase(store, "mia", pause=no_pause),
        lambda: departments.remove("support"),
    ]
    for number, change in enumerate(changes, 1):
        change()
        assert departments.number() == departments.read().number == number


def test_what_is_refused_is_not_counted(departments):
    departments.add("sales")
    for refused in (
        lambda: departments.add("sales"),
        lambda: departments.change("nowhere", Change()),
        lambda: departments.remove("nowhere"),
        lambda: departments.assign("ada", {"nowhere": 1}),
        lambda: departments.change("sales", Change(overflow=Overflow("nowhere"))),
    ):
        with pytest.raises(DepartmentError, match=r"sales|nowhere"):
            refused()
    assert departments.number() == 1
    assert departments.read().memberships == ()


def test_those_who_ask_for_none_have_rules_and_no_end(departments):
    departments.add("sales")
    with pytest.raises(DepartmentError, match=r"^key: "):
        departments.add("")
    with pytest.raises(DepartmentError, match=r'^key: "" is there always'):
        departments.remove("")
    with pytest.raises(DepartmentError, match=r"^enabled: "):
        departments.change("", Change(enabled=False))
    made = departments.change("", Change(overflow=Overflow("sales", 30), max_queue=5))
    assert made == DepartmentRow("", max_queue=5, overflow=Overflow("sales", 30))
    departments.change("", Change(members={"ada": 2}))
    assert departments.get("") == made
    assert departments.read().memberships == (Membership("ada", "", 2),)


@pytest.mark.parametrize("key", ["Sales", "a b", "a_b", "é", "a" * 41, "a\n", "", "\x1b"])
def test_an_unfit_key_is_named(departments, key):
    with pytest.raises(DepartmentError, match=r"^key: 1 to 40 characters"):
        departments.add(key)


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("names", Change(names={"": "Sales"})),
        ("names", Change(names={"e": "Sales"})),
        ("names", Change(names={"en us": "Sales"})),
        ("names", Change(names={"en-": "Sales"})),
        ("names", Change(names={"en-" + "abcdefgh-" * 4: "Sales"})),
        ("names", Change(names={"en": "x" * 101})),
        ("names", Change(names={"en": "a\x00b"})),
        ("names", Change(names={"en": "a\nb"})),
        ("max_queue", Change(max_queue=-1)),
        ("max_queue", Change(max_queue=1_000_001)),
        ("answer_within", Change(answer_within=-2)),
        ("answer_within", Change(answer_within=86_401)),
        ("overflow", Change(overflow=Overflow("support", -1))),
        ("overflow", Change(overflow=Overflow("support", 86_401))),
        ("overflow", Change(overflow=Overflow("nowhere", 1))),
        ("overflow", Change(overflow=Overflow("No Key", 1))),
        ("overflow", Change(overflow=Overflow("sales", 1))),
        ("priority", Change(members={"ada": 10})),
        ("priority", Change(members={"ada": -1})),
        ("members", Change(members={"": 0})),
        ("members", Change(members={"x" * 201: 0})),
        ("members", Change(members={"a\x00": 0})),
        ("members", Change(no_members=["ada"])),
        ("members", Change(members={"ada": 0}, no_members=["ada"])),
    ],
)
def test_an_unfit_value_is_named_and_changes_nothing(departments, field, change):
    departments.add("sales")
    departments.add("support")
    before = departments.read()
    with pytest.raises(DepartmentError, match=rf"^{field}: "):
        departments.change("sales", change)
    assert departments.read() == before


@pytest.mark.parametrize(
    "change",
    [
        Change(names={"tlh-x-tag": "y" * 100}),
        Change(max_queue=1_000_000, overflow=Overflow("support", 86_400)),
        Change(overflow=Overflow("", 0), members={"x" * 200: 9}),
    ],
)
def test_the_greatest_values_are_taken(departments, change):
    departments.add("support")
    assert departments.add("sales", change) == departments.get("sales")


def test_a_department_has_its_own_time_for_answers_or_that_of_the_site(departments):
    assert departments.add("sales").answer_within is None
    for said, stored in ((60, 60), (None, 60), (0, 0), (AS_THE_SITE, None)):
        departments.change("sales", Change(answer_within=said, max_queue=3))
        assert departments.get("sales").answer_within == stored


def test_nobody_is_sent_round_for_ever(departments):
    for key in ("a", "b", "c"):
        departments.add(key)
    departments.change("a", Change(overflow=Overflow("b", 5)))
    departments.change("b", Change(overflow=Overflow("", 5)))
    departments.change("", Change(overflow=Overflow("c", 5)))
    with pytest.raises(DepartmentError, match=r'^overflow: .*c → a → b → "" → c$'):
        departments.change("c", Change(overflow=Overflow("a", 5)))
    departments.change("b", Change(overflow=Overflow()))
    departments.change("c", Change(overflow=Overflow("a", 5)))


def test_what_led_to_a_removed_department_goes_with_it(departments):
    departments.add("sales", Change(members={"ada": 1, "lin": 1}))
    departments.add("support", Change(members={"ada": 2}, overflow=Overflow("sales", 60)))
    departments.change("", Change(overflow=Overflow("sales", 60)))
    departments.remove("sales")
    assert keys(departments) == ["", "support"]
    assert departments.read().memberships == (Membership("ada", "support", 2),)
    assert [one.overflow for one in departments.read().departments] == [Overflow(), Overflow()]
    departments.add("sales")
    assert departments.read().memberships == (Membership("ada", "support", 2),)


def test_where_a_waiter_belongs_is_replaced_as_a_whole(departments):
    departments.add("sales")
    departments.add("support")
    departments.assign("ada", {"sales": 3, "": 1})
    departments.assign("lin", {"sales": 0})
    departments.assign("ada", {"support": 9})
    assert departments.read().memberships == (
        Membership("ada", "support", 9), Membership("lin", "sales", 0),
    )  # fmt: skip
    with pytest.raises(DepartmentError, match=r"^department: there is no department nowhere$"):
        departments.assign("ada", {"sales": 1, "nowhere": 1})
    with pytest.raises(DepartmentError, match=r"^priority: "):
        departments.assign("ada", {"sales": 10})
    departments.assign("ada", {})
    assert departments.read().memberships == (Membership("lin", "sales", 0),)


def test_who_is_erased_is_a_member_of_nothing(departments, store):
    departments.add("sales", Change(members={"ada": 1, "lin": 1}))
    assert care.erase(store, "ada", pause=no_pause).accounts == 1
    assert departments.read().memberships == (Membership("lin", "sales", 1),)
    assert departments.number() == 2
    assert not care.erase(store, "ada", pause=no_pause).anything
    assert departments.number() == 2, "nothing has changed"


# ---- several processes -----------------------------------------------------


def test_changes_at_the_same_time_are_all_counted(departments, opened):
    def work(n: int) -> None:
        mine = DepartmentTables(opened(lock_wait=60.0))
        for m in range(10):
            mine.add(f"d-{n}-{m}", Change(members={f"w-{n}": 0}))

    crowd = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    found = departments.read()
    assert found.number == 40
    assert (len(found.departments), len(found.memberships)) == (40, 40)


def test_two_changes_at_the_same_time_make_no_round(departments, opened):
    """Each of them alone is right; the second one has to see the first."""
    departments.add("a")
    departments.add("b")
    other = DepartmentTables(opened(lock_wait=60.0))
    refused: list[str] = []

    def second() -> None:
        try:
            other.change("b", Change(overflow=Overflow("a", 5)))
        except DepartmentError as error:
            refused.append(str(error))

    later = threading.Thread(target=second)
    waits = threading.Event()

    @sa.event.listens_for(other._store.engine, "before_cursor_execute")
    def note_that_it_waits(_connection, _cursor, statement, *_rest):
        if "BEGIN IMMEDIATE" in statement or "ON CONFLICT" in statement:
            waits.set()

    @sa.event.listens_for(departments._store.engine, "after_cursor_execute")
    def begin_the_second(_connection, _cursor, statement, *_rest):
        if "ON CONFLICT" in statement and later.ident is None:
            later.start()
            waits.wait(60)

    departments.change("a", Change(overflow=Overflow("b", 5)))
    later.join()
    assert refused == ["overflow: visitors would go round for ever: b → a → b"]
    assert departments.number() == 3


def test_what_is_read_is_of_one_moment(departments, opened):
    departments.add("sales", Change(members={"ada": 1}))
    other = DepartmentTables(opened(lock_wait=60.0))
    meanwhile = [lambda: other.remove("sales"), lambda: other.add("support")]

    @sa.event.listens_for(departments._store.engine, "after_cursor_execute")
    def change_in_between(_connection, _cursor, statement, *_rest):
        if "FROM department" in statement and meanwhile:
            meanwhile.pop(0)()

    assert departments.read() == (3, (DepartmentRow("support"),), (), ())


# ---- tags, and a store that is away ----------------------------------------


@pytest.mark.parametrize(
    ("tag", "canonical"),
    [
        ("de", "de"), ("DE", "de"), ("de_at", "de-AT"), ("ZH-hant-tw", "zh-Hant-TW"),
        ("es-419", "es-419"), ("", ""), ("d", ""), ("de--at", ""), ("de at", ""), ("de\n", ""),
    ],
)  # fmt: skip
def test_a_language_tag_is_written_in_one_way(tag, canonical):
    assert canonical_tag(tag) == canonical


def test_a_store_that_is_down_is_said_to_be(opened):
    departments = DepartmentTables(opened())  # its tables are missing
    for call in (
        departments.number,
        departments.read,
        lambda: departments.get("sales"),
        lambda: departments.add("sales"),
        lambda: departments.assign("ada", {}),
    ):
        with pytest.raises(StoreError):
            call()


def test_departments_come_to_an_older_database(opened, monkeypatch):
    store = opened()
    with monkeypatch.context() as patch:
        patch.setattr("services.history.schema._TARGET", "0012")
        store.migrate()
    with store.engine.begin() as connection:
        names = sa.inspect(connection).get_table_names()
        connection.execute(sa.insert(tables.meta).values(name="application", value="shop"))
    assert not {"department", "membership"} & set(names)
    store.migrate()
    departments = DepartmentTables(store)
    assert departments.read() == (0, (), (), ())
    departments.add("sales", Change(members={"ada": 1}))
    assert departments.number() == 1
    with store.engine.connect() as connection:
        found = dict(connection.execute(sa.select(tables.meta.c.name, tables.meta.c.value)).all())
    assert found == {"application": "shop", "departments": "1"}
