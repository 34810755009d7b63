"""What one worker knows of the site's departments: a change is seen, an outage changes nothing."""

from __future__ import annotations

import logging

import pytest

from services import departments as registry
from services.departments import LOOK, MINUTES, SLACK, Departments, Opening, SiteDepartment
from services.desk.departments import Department, Member, Rules
from services.history.departments import Change, DepartmentTables, Overflow
from services.history.opening import open_store
from services.history.port import StoreError
from services.identity import Identity, TokenRole
from services.loops import Loops
from services.opening_hours import Hours
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

    def grow(self) -> int:
        return self._ask("grow")

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
    assert site.rules == Rules(1 * MINUTES, {"sales": rules})
    assert site.get("sales") == SiteDepartment("sales", {"de": "Verkauf"}, True, rules)
    assert site.listed() == [site.get("sales")]
    assert site.members_of(waiter("ada")) == (Member("sales", 5),)
    assert told == [], "whoever starts asks by itself"


def test_a_change_is_seen_at_the_next_look_and_told_in_the_loop(hand, store):
    site, told = started(hand, store)
    store.tables.add("sales", Change(members={"ada": 1}))
    assert site.rules == Rules()
    hand.turn()
    assert (site.rules.number, list(site.rules.departments)) == (MINUTES, ["sales"])
    assert site.members_of(waiter("ada")) == (Member("sales", 1),)
    assert told == [True]
    store.tables.change("sales", Change(no_members=["ada"]))
    hand.turn()
    assert site.members_of(waiter("ada")) == ()
    store.tables.remove("sales")
    hand.turn()
    assert site.rules == Rules(3 * MINUTES, {})
    assert told == [True] * 3
    assert LOOK + 1 < 5, "s within which every worker knows"


def test_every_process_sees_what_one_has_changed(hand, store, tables):
    here, elsewhere = Hand(), Hand()
    sites = [started(one, Store(tables)) for one in (here, elsewhere)]
    tables.add("sales")
    for one in (here, elsewhere):
        one.turn()
    assert [site.rules.number for site, _ in sites] == [MINUTES] * 2
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
    assert (site.rules.number, told) == (MINUTES, [])
    assert site.members_of(waiter("ada")) == (Member("sales", 1),)
    store.down = False
    hand.turn()
    hand.turn()
    assert (site.rules.number, told) == (2 * MINUTES, [True])
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
    assert site.rules.number == MINUTES


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


# ---- hours -----------------------------------------------------------------

MONDAY = 1_780_272_000  # 2026-06-01T00:00:00Z
HOUR = 3600


class Worker:
    """What one worker knows, with a clock that the test sets: *ahead* s before the others."""

    def __init__(self, tables: DepartmentTables, clock: list[float], ahead: float = 0.0) -> None:
        self.hand, self.store, self.ahead = Hand(), Store(tables), ahead
        self.site = Departments(self.store, self.hand, lambda: clock[0] + self.ahead)
        self.site.read()
        self.told: list[Rules] = [self.site.rules]  # as at the start
        self.site.start(self.hand.loops, lambda: self.told.append(self.site.rules))

    def is_open(self, key: str = "shop") -> bool:
        """What the desk is told, and what visitors are."""
        told = self.site.rules.departments[key].is_open
        assert self.site.opening(key).is_open is told
        return told


class Desk:
    """Keeps the latest rules, as desks do."""

    def __init__(self) -> None:
        self.rules = Rules()
        self.seen: list[bool] = []

    def configure(self, workers: list[Worker]) -> None:
        for worker in workers:
            for rules in worker.told:
                if rules.number > self.rules.number:
                    self.rules = rules
                    self.seen.append(rules.departments["shop"].is_open)
            worker.told.clear()


@pytest.fixture
def clock() -> list[float]:
    return [MONDAY]


@pytest.fixture
def shop(tables) -> DepartmentTables:
    """A site with a department that is open from nine to five."""
    tables.add("shop", Change(hours="mo-fr 9:00-17:00", zone="UTC"))
    tables.add("always")
    return tables


def test_a_department_opens_and_closes_by_itself(shop, clock):
    worker = Worker(shop, clock)
    assert not worker.is_open()
    assert worker.site.opening("shop") == Opening(False, MONDAY + 9 * HOUR)
    assert worker.is_open("always")
    for hour, is_open, news in (
        (8.9, False, 0), (9, True, 1), (12, True, 0), (17, False, 1), (33, True, 1), (34, True, 0)
    ):  # fmt: skip
        worker.told.clear()
        clock[0] = MONDAY + hour * HOUR
        worker.hand.turn()
        assert worker.is_open() is is_open, hour
        assert len(worker.told) == news, hour
    assert worker.site.get("shop").rules.is_open, "as it is stored"


def test_the_look_comes_when_it_opens(shop, clock):
    worker = Worker(shop, clock)
    (loop,) = worker.hand.loops.all
    worker.hand.turn()
    assert loop.rest == LOOK
    clock[0] = MONDAY + 9 * HOUR - 0.5
    worker.hand.turn()
    assert loop.rest == 0.5


def test_it_opens_also_while_the_store_is_away(shop, clock):
    worker = Worker(shop, clock)
    worker.store.down = True
    clock[0] += 9 * HOUR
    worker.hand.turn()
    assert worker.is_open()
    assert len(worker.told) == 2


def test_a_change_counts_more_than_any_minute(shop, clock):
    worker, desk = Worker(shop, clock), Desk()
    clock[0] += 9 * HOUR
    worker.hand.turn()
    shop.change("shop", Change(hours=""))
    worker.hand.turn()
    shop.change("shop", Change(hours="closed"))
    worker.hand.turn()
    desk.configure([worker])
    assert desk.seen == [False, True, True, False]


def test_two_clocks_that_differ_make_the_desk_change_its_mind_once(shop, clock):
    clock[0] += 9 * HOUR - 30
    workers, desk = [Worker(shop, clock), Worker(shop, clock, ahead=20)], Desk()
    for _ in range(60):
        clock[0] += 1
        for worker in workers:
            worker.hand.turn()
        workers.append(Worker(shop, clock, ahead=-10))  # one starts, with rules of before
        desk.configure(workers)
        workers.pop()
    assert desk.seen == [False, True]
    assert [one.is_open() for one in workers] == [True, True]


def test_a_clock_that_is_set_back_a_little_changes_nothing(shop, clock):
    clock[0] += 9 * HOUR + 10
    worker = Worker(shop, clock)
    worker.told.clear()
    clock[0] -= 60
    worker.hand.turn()
    assert worker.is_open()
    assert worker.told == []
    assert shop.number() == 2


def test_after_a_clock_was_far_ahead_all_judge_anew(shop, clock):
    workers, desk = [Worker(shop, clock), Worker(shop, clock, ahead=400 * 24 * HOUR)], Desk()
    workers[1].ahead += 10 * HOUR
    workers[1].hand.turn()
    desk.configure(workers)
    assert desk.rules.departments["shop"].is_open
    workers[1].ahead = 0
    assert workers[1].site.opening("shop").opens == MONDAY + 9 * HOUR, "visitors hear the truth"
    for _ in range(2):
        for worker in workers:
            worker.hand.turn()
    desk.configure(workers)
    assert not desk.rules.departments["shop"].is_open
    assert shop.number() == 3, "one of them has made it grow, once"
    assert SLACK < HOUR


def test_a_closed_department_may_pass_its_visitors_on(shop, clock):
    shop.change("shop", Change(overflow=Overflow("always", 0)))
    shop.add("late", Change(hours="mo-fr 20:00-22:00", zone="UTC", overflow=Overflow("shop", 0)))
    shop.add("slow", Change(hours="closed", zone="UTC", overflow=Overflow("always", 1)))
    site = Worker(shop, clock).site
    assert site.opening("shop") == Opening(True)
    assert site.opening("late") == Opening(False, MONDAY + 20 * HOUR), "the shop is closed as well"
    assert site.opening("slow") == Opening(False)
    assert site.way("late") == ["late", "shop", "always"]
    assert site.way("nowhere") == ["nowhere"]


def test_a_department_without_hours_that_passes_visitors_on_is_open_with_the_next_one(shop, clock):
    shop.change("", Change(overflow=Overflow("shop", 0)))
    shop.add("own", Change(hours="mo-su 0:00-24:00", zone="UTC", overflow=Overflow("shop", 0)))
    shop.add("slow", Change(overflow=Overflow("shop", 1)))
    site = Worker(shop, clock).site
    assert site.opening("") == site.opening("shop") == Opening(False, MONDAY + 9 * HOUR)
    assert site.opening("own") == Opening(True), "its own members serve"
    assert site.opening("slow") == Opening(True)
    clock[0] += 9 * HOUR
    assert site.opening("") == Opening(True)


def test_a_disabled_department_passes_nobody_on(shop, clock):
    shop.change("shop", Change(overflow=Overflow("always", 0), enabled=False))
    shop.add("plain", Change(overflow=Overflow("always", 0), enabled=False))
    site = Worker(shop, clock).site
    assert (site.opening("shop"), site.opening("plain")) == (Opening(False), Opening(False))


def test_when_departments_open_is_found_off_the_loop_and_once(shop, clock, monkeypatch):
    shop.add("never", Change(hours="closed", zone="UTC", dates={"2030-12-24": "9:00-12:00"}))
    searches, search = [], Hours.next_opening

    def next_opening(some: Hours, at: float) -> int | None:
        searches.append(worker.hand.is_in_the_loop)
        return search(some, at)

    def seen() -> list[bool]:
        opens = worker.site.opening("shop").opens, worker.site.opening("never").opens
        assert opens == (MONDAY + 9 * HOUR, None)
        made = searches[:]
        searches.clear()
        return made

    worker = Worker(shop, clock)
    monkeypatch.setattr(Hours, "next_opening", next_opening)
    assert seen() == [], "at the start"
    shop.change("shop", Change(names={"en": "Shop"}))
    worker.hand.turn()
    assert worker.site.get("shop").name() == "Shop"
    assert seen() == [], "its hours are the same"
    clock[0] += HOUR
    shop.change("always", Change(hours="mo-fr 1:00-2:00", zone="UTC"))
    worker.hand.turn()
    assert seen() == [], "the hours of another are"
    shop.change("shop", Change(enabled=False))
    worker.hand.turn()
    shop.change("shop", Change(enabled=True))
    worker.hand.turn()
    assert seen() == [False], "off the loop"
    for _ in range(9):  # the look comes at least every two days
        clock[0] += 47 * HOUR
        worker.hand.turn()
        worker.site.opening("never")
    assert not any(searches)


def test_those_who_ask_for_none_may_be_closed_out_too(shop, clock):
    shop.change("", Change(hours="tu 0:00-24:00", zone="UTC"))
    worker = Worker(shop, clock)
    assert worker.site.opening("") == Opening(False, MONDAY + 24 * HOUR)
    shop.change("always", Change(enabled=False))
    worker.hand.turn()
    assert worker.site.opening("always") == Opening(False)


def test_a_time_zone_that_this_machine_does_not_know_is_said(shop, clock, monkeypatch, caplog):
    monkeypatch.setattr(registry, "is_zone", lambda name: False)
    assert Worker(shop, clock).is_open()
    assert "department shop: no such time zone here, so always open: UTC" in caplog.text
