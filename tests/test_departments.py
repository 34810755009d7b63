"""What one worker knows of the site's departments: a change is seen, an outage changes nothing."""

from __future__ import annotations

import logging

import pytest

from services import departments as registry
from services.departments import LOOK, Departments, SiteDepartment
from services.desk.departments import Department, Member, Rules
from services.history.departments import Change, DepartmentTables, Overflow
from services.history.opening import open_store
from services.history.port import StoreError
from services.identity import Identity, TokenRole
from services.loops import Loops
from services.seldom import PAUSE, Seldom


class Hand:
    """A runtime that does everything at once, but no loop: `turn` is a round of all."""

    def __init__(self) -> None:
        self.off_the_loop: list[str] = []
        self.is_in_the_loop = True
        self.loops = Loops(self)

    def spawn(self, function, *args) -> None:
        pass

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here sleeps")

    def blocking(self, function, *args):
        self.off_the_loop.append(function.__name__)
        self.is_in_the_loop = False
        try:
            return function(*args)
        finally:
            self.is_in_the_loop = True

    def turn(self) -> None:
        for loop in self.loops.all:
            loop.once()


class Store:
    """The departments in a real store, which can be away; counts what is read."""

    def __init__(self, tables: DepartmentTables) -> None:
        self.tables = tables
        self.down = False
        self.asked: list[str] = []

    def number(self) -> int:
        return self._ask("number")

    def read(self):
        return self._ask("read")

    def _ask(self, what: str):
        if self.down:
            raise StoreError("no line")
        self.asked.append(what)
        return getattr(self.tables, what)()


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def tables(tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/csapp.db")
    store.migrate()
    yield DepartmentTables(store)
    store.close()


@pytest.fixture
def store(tables) -> Store:
    return Store(tables)


def started(hand: Hand, store: Store | None) -> tuple[Departments, list[bool]]:
    """What a worker knows, and for each time that it was told of a change, whether in the loop."""
    made, told = Departments(store, hand), []
    made.read()
    made.start(hand.loops, lambda: told.append(hand.is_in_the_loop))
    return made, told


def waiter(subject: str, *departments: object) -> Identity:
    return Identity(subject, role=TokenRole.WAITER, departments=departments)


def test_a_site_without_departments_has_none(hand, store):
    site, told = started(hand, store)
    assert site.rules == Rules()
    assert (site.get("sales"), site.listed(), site.members_of(waiter("ada"))) == (None, [], ())
    assert site.get("").rules == Department("")
    hand.turn()
    assert told == []


def test_without_a_store_there_are_none_for_ever(hand):
    for site in (started(hand, None)[0], Departments()):
        assert (site.rules, site.listed()) == (Rules(), [])
        site.read()
        site.look()
        assert site.get("").key == ""
    assert (hand.loops.all, hand.off_the_loop) == ([], [])


def test_what_there_is_is_known_before_anybody_comes(hand, store):
    change = Change(names={"de": "Verkauf"}, max_queue=9, overflow=Overflow("", 60),
                    members={"ada": 5})  # fmt: skip
    store.tables.add("sales", change)
    site, told = started(hand, store)
    rules = Department("sales", 9, "", 60)
    assert site.rules == Rules(1, {"sales": rules})
    assert site.get("sales") == SiteDepartment("sales", {"de": "Verkauf"}, True, rules)
    assert site.listed() == [site.get("sales")]
    assert site.members_of(waiter("ada")) == (Member("sales", 5),)
    assert told == [], "whoever starts asks by itself"


def test_a_change_is_seen_at_the_next_look_and_told_in_the_loop(hand, store):
    site, told = started(hand, store)
    store.tables.add("sales", Change(members={"ada": 1}))
    assert site.rules == Rules()
    hand.turn()
    assert (site.rules.number, list(site.rules.departments)) == (1, ["sales"])
    assert site.members_of(waiter("ada")) == (Member("sales", 1),)
    assert told == [True]
    store.tables.change("sales", Change(no_members=["ada"]))
    hand.turn()
    assert site.members_of(waiter("ada")) == ()
    store.tables.remove("sales")
    hand.turn()
    assert site.rules == Rules(3, {})
    assert told == [True] * 3
    assert LOOK + 1 < 5, "s within which every worker knows"


def test_every_process_sees_what_one_has_changed(hand, store, tables):
    here, elsewhere = Hand(), Hand()
    sites = [started(one, Store(tables)) for one in (here, elsewhere)]
    tables.add("sales")
    for one in (here, elsewhere):
        one.turn()
    assert [site.rules.number for site, _ in sites] == [1, 1]
    assert [told for _, told in sites] == [[True], [True]]


def test_one_row_is_read_until_something_has_changed(hand, store):
    started(hand, store)
    for _ in range(5):
        hand.turn()
    assert store.asked == ["read", *["number"] * 5]
    store.tables.add("sales")
    hand.turn()
    hand.turn()
    assert store.asked[6:] == ["number", "read", "number"]
    assert len(hand.off_the_loop) == len(store.asked), "the loop never asks the store itself"


def test_what_is_known_stays_while_the_store_is_away(hand, store, caplog):
    caplog.set_level(logging.INFO, "csapp")
    store.tables.add("sales", Change(members={"ada": 1}))
    site, told = started(hand, store)
    store.tables.add("support")
    store.down = True
    for _ in range(3):
        hand.turn()
    assert (site.rules.number, told) == (1, [])
    assert site.members_of(waiter("ada")) == (Member("sales", 1),)
    store.down = False
    hand.turn()
    hand.turn()
    assert (site.rules.number, told) == (2, [True])
    assert [(one.levelname, one.getMessage()) for one in caplog.records] == [
        ("WARNING", "departments cannot be read: no line"),
        ("INFO", "departments are read again"),
    ]
    assert hand.loops.trouble == ""


def test_no_server_starts_that_cannot_read_them(hand, store):
    store.down = True
    with pytest.raises(StoreError):
        Departments(store, hand).read()


def test_what_could_not_be_told_is_told_at_the_next_look(hand, store):
    calls = []

    def changed() -> None:
        calls.append(len(calls))
        if len(calls) == 1:
            raise OSError("planted")

    site = Departments(store, hand)
    site.read()
    site.start(hand.loops, changed)
    store.tables.add("sales")
    hand.turn()
    store.down = True
    hand.turn()
    hand.turn()
    assert calls == [0, 1], "also while the store is away, and once"
    assert site.rules.number == 1


def test_a_disabled_department_is_there_and_not_open(hand, store):
    store.tables.add("sales", Change(members={"ada": 1}))
    store.tables.change("sales", Change(enabled=False))
    store.tables.add("support")
    site, _ = started(hand, store)
    assert not site.get("sales").is_enabled
    assert not site.rules.departments["sales"].is_open
    assert [one.key for one in site.listed()] == ["support"]
    assert site.members_of(waiter("ada")) == (Member("sales", 1),)


def test_those_who_ask_for_none_have_rules_and_are_not_listed(hand, store):
    store.tables.add("sales")
    store.tables.change("", Change(overflow=Overflow("sales", 30), members={"ada": 2}))
    site, _ = started(hand, store)
    assert site.get("").rules == site.rules.departments[""] == Department("", 0, "sales", 30)
    assert [one.key for one in site.listed()] == ["sales"]
    assert site.members_of(waiter("ada")) == (Member("", 2),)


def test_a_token_that_names_departments_counts(hand, store):
    store.tables.add("sales", Change(members={"ada": 1}))
    store.tables.add("support")
    site, _ = started(hand, store)
    assert site.members_of(waiter("ada", ("support", 7))) == (Member("support", 7),)
    assert site.members_of(waiter("ada", "")) == (Member("", 0),)
    assert site.members_of(waiter("ada")) == (Member("sales", 1),)


def test_departments_that_there_are_not_are_left_out_and_said_once_a_minute(
    hand, store, caplog, monkeypatch
):
    now = [0.0]
    store.tables.add("sales")
    site, _ = started(hand, store)
    monkeypatch.setattr(site, "_say", Seldom(registry.log, lambda: now[0]))
    for _ in range(3):
        named = waiter("ada", "sales", "spares", "", "gone")
        assert site.members_of(named) == (Member("sales"), Member(""))
    said = "a token names departments that there are not: gone, spares"
    assert [one.getMessage() for one in caplog.records] == [said]
    now[0] += PAUSE
    assert site.members_of(waiter("lin", "gone")) == ()
    assert len(caplog.records) == 2


@pytest.mark.parametrize(
    ("locale", "name"),
    [
        ("de", "Verkauf"), ("de-AT", "Verkauf Wien"), ("de_AT", "Verkauf Wien"),
        ("de-CH", "Verkauf"), ("ZH-Hant-TW", "銷售"), ("zh", "Ventes"), ("en", "Ventes"),
        ("", "Ventes"), ("no tag", "Ventes"), ("x" * 50, "Ventes"),
    ],
)  # fmt: skip
def test_a_name_is_that_of_the_language_or_the_first(hand, store, locale, name):
    names = {"fr": "Ventes", "de": "Verkauf", "de-AT": "Verkauf Wien", "zh-Hant": "銷售"}
    store.tables.add("sales", Change(names=names))
    store.tables.add("plain")
    site, _ = started(hand, store)
    assert site.get("sales").name(locale) == name
    assert site.get("plain").name(locale) == "plain"
