"""Departments of a desk of several workers: who may read them, who moves, what outlives a flush."""

from __future__ import annotations

import pytest

from services.desk import membership
from services.desk.port import (
    READS,
    Department,
    Desk,
    Load,
    Matched,
    Member,
    Queued,
    Role,
    Route,
    Rules,
    Standing,
)
from services.desk.redis import RedisDesk
from testkit.redis import RedisServer

from .conformance import GRACE
from .departments import asks, serves
from .helpers import Clock, places, returns, time_passes
from .office import Office, they_live

CARE, SALES = Department("care"), Department("sales")


def rules(*departments: Department, number: int = 1) -> Rules:
    return Rules(number, {one.key: one for one in departments})


def knows(*desks: RedisDesk, number: int = 1, departments: tuple[Department, ...] = (CARE, SALES)):
    """Each of these workers learns of the departments, and the desk takes them."""
    for desk in desks:
        assert desk.configure(rules(*departments, number=number))


def is_older(office: Office, desk: RedisDesk) -> None:
    """*desk* says what workers of the release before say."""
    office.client.hset(f"{desk.prefix}desk", f"reads:{desk.worker}", READS - 1)


def waiting(desk: Desk, *departments: str) -> list[str]:
    return [user.uuid for user in desk.waiting(100, departments or ("",)).users]


# ---- while older workers share the desk -----------------------------------------


def test_no_department_counts_while_a_worker_cannot_read_them(office: Office, clock: Clock) -> None:
    old, new = office.hire("old"), office.hire("new")
    is_older(office, old)
    assert not new.configure(rules(CARE, SALES))
    serves(new, "Wanda", "care")
    asks(new, "Ann", "sales", priority=9)
    assert office.hears(new) == [Matched("Ann", "Wanda")]
    new.unready("Wanda")
    asks(new, "Bob", "sales", priority=9)
    asks(new, "Cid")
    assert office.client.zcard(f"{new.prefix}line") == 2, "where the older worker looks"
    assert waiting(old) == ["Bob", "Cid"]
    clock.passes(1)
    new.tick()
    assert waiting(new) == ["Bob", "Cid"], "still"

    old.close()
    new.tick()
    assert (waiting(new), waiting(new, "sales")) == (["Cid"], ["Bob"])
    assert Queued("Bob", 0, department="sales") in office.hears(new)
    serves(new, "Will", "sales")
    assert new.take_events() == [Matched("Bob", "Will", department="sales")]
    new.ready("Wanda", 5)
    assert office.hears(new) == [], "Wanda is a member of care"


def test_the_rules_are_taken_by_the_first_tick_that_can(office: Office) -> None:
    old, new = office.hire("old"), office.hire("new")
    is_older(office, old)
    assert not new.configure(rules(CARE))
    assert not new.configure(rules(CARE, number=1)), "and it is asked again"
    office.client.hset(f"{old.prefix}desk", "reads:old", READS)  # it has begun anew
    new.tick()
    assert new.figures().departments.keys() == {"", "care"}
    assert new.configure(rules(CARE))


def test_a_site_without_departments_has_priorities(office: Office) -> None:
    a, b = office.hire("a"), office.hire("b")
    asks(a, "Ann", priority=3)
    assert waiting(b) == ["Ann"]
    assert a.configure(Rules())
    asks(a, "Bob")
    asks(b, "Cid", priority=3)
    assert waiting(a) == ["Cid", "Ann", "Bob"], "priorities count since then"


def test_a_site_without_departments_stores_nothing_of_them(office: Office) -> None:
    """Keys and fields are those that workers of the release before know, and who served whom."""
    a = office.hire("a")
    a.configure(Rules())
    serves(a, "Wanda")
    asks(a, "Ann")
    a.unready("Wanda")
    asks(a, "Bob")
    keys = {key.decode().removeprefix(a.prefix) for key in office.client.keys(f"{a.prefix}*")}
    known = {"desk", "standing", "workers", "line", "takeable", "told", "duty", "void", "here"}
    assert keys - known == {"of:a", "box:a", "users:Wanda", "p:Wanda", "p:Ann", "p:Bob"}
    for uuid in ("Wanda", "Ann", "Bob"):
        assert not office.client.hexists(f"{a.prefix}p:{uuid}", "route")


# ---- several workers ---------------------------------------------------------------


def test_a_waiter_on_one_worker_serves_the_departments_of_users_on_others(office: Office) -> None:
    a, b, c = (office.hire(name) for name in "abc")
    knows(a, b, c)
    asks(b, "Bob", "sales")
    asks(c, "Cid", "care")
    asks(c, "Dee", "sales")
    serves(a, "Wanda", ("care", 1), ("sales", 5))
    assert office.hears(a) == [
        Matched("Bob", "Wanda", department="sales"),
        Matched("Dee", "Wanda", department="sales"),
        Matched("Cid", "Wanda", department="care"),
    ]
    assert office.hears(b)[-1] == Matched("Bob", "Wanda", department="sales")
    assert c.figures().departments == {
        "": Load(0, 0, 0.0), "care": Load(1, 0, 0.0), "sales": Load(1, 0, 0.0)
    }  # fmt: skip


def test_a_worker_that_has_not_looked_yet_serves_by_the_rules_of_the_others(office: Office) -> None:
    a, b = office.hire("a"), office.hire("b")
    knows(a)
    asks(b, "Bob", "sales")
    assert waiting(a, "sales") == ["Bob"]
    assert b.configure(Rules(0)), "what it has read before is older"
    assert a.figures().departments.keys() == {"", "care", "sales"}


def test_a_waiter_is_assigned_by_a_worker_that_does_not_know_it(office: Office) -> None:
    a, b = office.hire("a"), office.hire("b")
    knows(a, b)
    serves(a, "Wanda", "care")
    asks(a, "Ann", "sales")
    b.assign("Wanda", (Member("sales"),))
    assert office.hears(a)[-1] == Matched("Ann", "Wanda", department="sales")
    b.assign("nobody", (Member("sales"),))
    assert not b.take("nobody at all", "Wanda")


def test_a_user_that_moves_between_workers_keeps_its_department_and_its_ticket(
    office: Office,
) -> None:
    a, b = office.hire("a"), office.hire("b")
    knows(a, b)
    asks(a, "Ann", "care")
    asks(a, "Bob", "care", asked="sales", priority=2, last_waiter="wanda")
    ticket = a.ticket("Bob")
    assert (b.ticket("Bob"), b.department("Bob")) == (ticket, "care"), "it does not know Bob"
    place = b.arrive(Role.USER, "subject of Bob", "another").place
    assert place is not None
    assert (place.department, place.asked, place.priority) == ("care", "sales", 2)
    assert (place.last_waiter, place.ticket, place.location) == ("wanda", ticket, 0)
    assert (b.ticket("Bob"), b.department("Bob"), b.location("Bob")) == (ticket, "care", 0)
    a.drop("Bob")
    assert waiting(b, "care") == ["Bob", "Ann"]


@pytest.mark.parametrize("workers", [1, 3])
def test_who_has_waited_too_long_moves_once_however_many_workers_tick(
    office: Office, clock: Clock, workers: int
) -> None:
    desks = [office.hire(f"w{number}") for number in range(workers)]
    knows(*desks, departments=(Department("care", overflow_to="sales", overflow_after=3), SALES))
    for number in range(5):
        asks(desks[number % workers], f"user {number}", "care")
        clock.passes(0.5)
    heard = [event for desk in desks for event in office.hears(desk)]
    assert {event.department for event in heard} == {"care"}
    they_live(clock, 6, *desks)
    moved = [one for desk in desks for one in office.hears(desk) if isinstance(one, Queued)]
    entered = [one.user for one in moved if one.department == "sales"]
    assert sorted({*entered}) == [f"user {number}" for number in range(5)]
    assert len(entered) == len({*entered}), "each is sent its position there, which stays"
    assert waiting(desks[0], "sales") == [f"user {number}" for number in range(5)]
    assert desks[0].figures().queue_length == 5


def test_one_of_several_free_waiters_gets_the_user_whatever_its_department(office: Office) -> None:
    a, b = office.hire("a"), office.hire("b")
    knows(a, b)
    serves(a, "Wanda", "care")
    serves(b, "Will", "sales")
    asks(a, "Ann", "sales")
    a.part("Ann", "Will", "Ann")
    b.assign("Wanda", (Member("care"), Member("sales")))
    a.connect("Ann", route=Route("sales"))
    assert office.hears(b)[-1] == Matched("Ann", "Will", department="sales"), "who served her last"


# ---- what a flush leaves -----------------------------------------------------------


@pytest.fixture(params=[1, membership.RECALLED], ids=lambda many: f"by {many}")
def recalled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many participants a worker hands over at a time."""
    monkeypatch.setattr(membership, "RECALLED", request.param)


@pytest.fixture
def lost(own_server: RedisServer, clock: Clock):
    """A desk on a Redis that loses everything: its office, and what does that."""
    office = Office(own_server.url, clock, capacity=1)

    def loses_everything(*desks: RedisDesk) -> None:
        clock.passes(1.0)
        own_server.flush()
        for desk in desks:
            desk.tick()
        they_live(clock, 3, *desks)

    yield office, loses_everything
    office.close()


@pytest.mark.usefixtures("recalled")
def test_the_rules_and_the_queues_outlive_the_loss_of_everything(lost) -> None:
    office, loses_everything = lost
    a, b = office.hire("a"), office.hire("b")
    knows(a, b)
    for number, desk in enumerate((a, b) * 3):
        asks(desk, f"care {number}", "care", priority=number % 3)
        asks(desk, f"sales {number}", "sales")
        asks(desk, f"none {number}")
    queues = [waiting(a, key) for key in ("care", "sales", "")]
    tickets = [a.ticket(user) for queue in queues for user in queue]
    for desk in (a, b):
        office.hears(desk)
    loses_everything(b, a)
    assert [waiting(a, key) for key in ("care", "sales", "")] == queues
    assert [b.ticket(user) for queue in queues for user in queue] == tickets
    for key, queue in zip(("care", "sales", ""), queues, strict=True):
        assert [a.department(user) for user in queue] == [key] * 6
        assert [b.location(user) for user in queue] == [*range(6)]
    assert a.figures().departments["care"].queue_length == 6


@pytest.mark.usefixtures("recalled")
def test_waiters_and_whom_they_serve_outlive_the_loss_of_everything(lost) -> None:
    office, loses_everything = lost
    a, b = office.hire("a"), office.hire("b")
    knows(a, b)
    serves(a, "Wanda", "sales")
    asks(b, "Ann", "sales", priority=4)
    asks(b, "Bob", "sales")
    asks(b, "Cid", "care")
    for desk in (a, b):
        office.hears(desk)
    loses_everything(a, b)
    assert [*a._own["Wanda"].conversations] == ["Ann"]
    for desk in (a, b):
        office.hears(desk)
    b.part("Ann", "Wanda", "Ann")
    assert office.hears(a)[-1] == Matched("Bob", "Wanda", department="sales")
    b.connect("Ann", route=Route("sales", priority=4))
    b.part("Bob", "Wanda", "Bob")
    assert office.hears(a)[-1] == Matched("Ann", "Wanda", department="sales")
    a.leave("Wanda")
    serves(b, "Will", "care")
    assert b.take_events()[-1] == Matched("Cid", "Will", department="care")


@pytest.mark.parametrize("first", ["the waiter's worker", "the user's worker"])
def test_who_was_served_stands_in_front_of_its_department_after_the_loss(
    lost, clock: Clock, first: str
) -> None:
    """Whichever worker hands it over first: one of them knows it as the other side only."""
    office, loses_everything = lost
    a, b = office.hire("a"), office.hire("b")
    knows(a, b)
    serves(a, "Wanda", "sales")
    asks(b, "Ann", "sales", priority=1)
    asks(b, "Bob", "sales", priority=1)
    asks(b, "Cid", "sales")
    office.hears(a)
    loses_everything(*((a, b) if first == "the waiter's worker" else (b, a)))
    b.withdraw("Bob")
    asks(b, "Dee", "sales", priority=1)
    assert waiting(a, "sales") == ["Dee", "Cid"], "Wanda serves Ann"
    a.drop("Wanda")
    they_live(clock, GRACE + 1, a, b)
    assert waiting(b, "sales") == ["Ann", "Dee", "Cid"]
    assert b.location("Ann") == 0


def test_who_asks_while_the_desk_hands_over_is_matched_afterwards(
    own_server: RedisServer, clock: Clock
) -> None:
    """Nobody is matched for a second; then every department is looked at."""
    office = Office(own_server.url, clock)
    a = office.hire("a")
    knows(a)
    serves(a, "Wanda", "sales")
    serves(a, "Will", "care")
    clock.passes(1.0)
    own_server.flush()
    a.tick()
    for user, department in (("Ann", "sales"), ("Bob", "care")):
        asks(a, user, department)
    assert a.take_events() == [
        Queued("Ann", 0, department="sales"),
        Queued("Bob", 0, department="care"),
    ]
    they_live(clock, 3, a)
    assert a.take_events() == [
        Matched("Bob", "Will", department="care"),
        Matched("Ann", "Wanda", department="sales"),
    ]
    office.close()


def test_a_department_that_is_gone_meanwhile_loses_nobody(lost) -> None:
    office, loses_everything = lost
    a = office.hire("a")
    knows(a)
    asks(a, "Ann", "care")
    a._membership.rules = rules(SALES, number=2)  # read while Redis was empty
    loses_everything(a)
    assert (waiting(a), a.department("Ann")) == (["Ann"], "")
    knows(a, number=3)
    assert (waiting(a, "care"), a.department("Ann")) == (["Ann"], "care")


def test_what_was_decided_while_redis_was_away_is_made_up_for(
    own_server: RedisServer, clock: Clock
) -> None:
    office = Office(own_server.url, clock, timeout=0.5)
    a = office.hire("a")
    knows(a)
    serves(a, "Wanda", "care")
    asks(a, "Ann", "sales")
    with own_server.paused():
        a.tick()
        a.assign("Wanda", (Member("sales"),))
        assert not a.configure(rules(CARE, SALES, Department("tea"), number=2))
    a.tick()
    assert Matched("Ann", "Wanda", department="sales") in office.hears(a)
    assert "tea" in a.figures().departments
    office.close()


def test_nothing_of_departments_is_left_of_a_desk_that_came_back(
    own_server: RedisServer, clock: Clock
) -> None:
    """Redis says that it is another one than before: it knows what was true some time ago."""
    office = Office(own_server.url, clock)
    a = office.hire("a")
    knows(a, departments=(Department("care", overflow_to="sales", overflow_after=60), SALES))
    serves(a, "Wanda", "sales")
    for number in range(12):
        asks(a, f"user {number}", "care", priority=number % 10)
    keys = {key for key in office.client.keys("*") if b"care" in key or b"sales" in key}
    assert len(keys) > 20
    for number in range(12):
        a.leave(f"user {number}")
    a.leave("Wanda")
    a._membership.rules = Rules(2)
    office.client.zadd(f"{a.prefix}line:3:care", {"nobody": 1})
    office.client.hset(f"{a.prefix}desk", "run", "another")
    a._calls.client.connection_pool.disconnect()
    a.tick()
    assert not [key for key in office.client.keys("*") if b"care" in key or b"sales" in key]
    assert not office.client.exists(*(f"{a.prefix}{name}" for name in ("rules", "wanted", "moves")))
    office.close()


# ---- after a restart ---------------------------------------------------------------


def test_who_was_queued_before_a_restart_stands_in_front_of_its_department(office: Office) -> None:
    a, b = office.hire("a"), office.hire("b")
    standings = [
        Standing(Role.USER, f"subject of {name}", name, name, department=department)
        for name, department in (("Ann", "care"), ("Bob", "sales"), ("Cid", "care"), ("Dee", ""))
    ]
    a.restore(standings)
    assert a.figures().queue_length == 4
    knows(a, b)
    asks(b, "Eve", "care")
    for user in ("Dee", "Cid", "Bob", "Ann"):
        returns(b, Role.USER, user)
    found = [waiting(b, key) for key in ("care", "sales", "")]
    assert found == [["Ann", "Cid", "Eve"], ["Bob"], ["Dee"]]


# ---- positions ---------------------------------------------------------------------


def test_positions_of_all_departments_share_one_budget(office: Office, clock: Clock) -> None:
    """The foremost of each are sent theirs first, and everybody is in the end."""
    a = office.hire("a", max_queue=10_000)
    many = [Department(f"d{number}") for number in range(40)]
    knows(a, departments=tuple(many))
    for number in range(50):
        for one in many:
            asks(a, f"{one.key} {number}", one.key)
    for one in many:
        a.withdraw(f"{one.key} 0")
    a.take_events()
    sent: dict[str, int] = {}
    time_passes(a, clock, 1)
    first = places(a.take_events())
    assert len(first) <= 1000
    assert all(first[f"{one.key} 1"] == 0 for one in many)
    sent |= first
    for _ in range(4):
        time_passes(a, clock, 1)
        sent |= places(a.take_events())
    assert sent == {f"{one.key} {n}": n - 1 for one in many for n in range(1, 50)}
    time_passes(a, clock, 1)
    assert a.take_events() == []


def test_a_department_in_which_nothing_has_changed_is_not_looked_at(
    office: Office, clock: Clock
) -> None:
    a = office.hire("a")
    knows(a)
    asks(a, "Ann", "care")
    asks(a, "Bob", "sales")
    asks(a, "Cid", "sales")
    time_passes(a, clock, 2)
    office.client.zadd(f"{a.prefix}line:0:care", {"nobody": 1})  # Ann is behind somebody now
    a.withdraw("Bob")
    a.take_events()
    time_passes(a, clock, 2)
    assert a.take_events() == [Queued("Cid", 0, department="sales")]


# ---- who is on duty ----------------------------------------------------------------


def test_the_team_of_a_department_follows_the_rules(office: Office) -> None:
    a, b = office.hire("a"), office.hire("b")

    def team(department: str) -> list[str]:
        return [face.name for face in b.team(5, department)]

    serves(a, "Wanda", "care")
    serves(a, "Will")
    assert (team(""), team("care")) == (["Wanda", "Will"], []), "there are no departments yet"
    knows(a, b)
    assert (team(""), team("care"), team("sales")) == (["Will"], ["Wanda"], [])
    b.assign("Wanda", (Member("sales"), Member("")))
    assert (team(""), team("care"), team("sales")) == (["Wanda", "Will"], [], ["Wanda"])
    a.unready("Wanda")
    assert (team(""), team("sales")) == (["Will"], [])
    a.ready("Wanda")
    knows(a, b, number=2, departments=())
    assert (team(""), team("sales")) == (["Wanda", "Will"], [])
    assert b.figures().departments == {}


# ---- what a failed script or a restart leaves ------------------------------------


def test_a_user_of_before_a_restart_waits_and_time_goes_on(office: Office, clock: Clock) -> None:
    """Nobody has had a connection of it yet: it is in the queue, and is sent no position."""
    desk = office.hire("a")
    desk.restore([Standing(Role.USER, "subject of Ann", "Ann", conversation=7)])
    for _ in range(3):
        time_passes(desk, clock, 1)
    assert desk.figures().queue_length == 1
    time_passes(desk, clock, GRACE)
    assert desk.figures().queue_length == 0


def test_who_stands_where_it_does_not_wait_is_not_matched_again_and_again(
    office: Office, clock: Clock
) -> None:
    desk = office.hire("a")
    knows(desk)
    asks(desk, "Ann", "care")
    office.client.zadd(f"{desk.prefix}line:0:sales", {"Ann": 7})
    office.client.zadd(f"{desk.prefix}takeable:0:sales", {"Ann": 7})
    office.client.hincrby(f"{desk.prefix}wanted", "sales", 1)
    serves(desk, "Will", "sales")
    serves(desk, "Wanda", "care")
    assert desk.figures().users_served == 1
    asks(desk, "Bob", "sales")
    assert desk.figures().users_served == 2
    assert Matched("Bob", "Will", department="sales") in desk.take_events()
