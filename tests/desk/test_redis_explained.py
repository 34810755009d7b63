"""Why a user waits at a desk of several workers: what those of one process never meet."""

from __future__ import annotations

from services.desk.port import Absence, Matched, Obstacle, Role
from testkit.redis import RedisServer

from .departments import joins, serves
from .explained import reasons
from .helpers import Clock, users_connect
from .office import Office, they_live


def test_a_desk_that_has_lost_everything_is_settling(own_server: RedisServer, clock: Clock) -> None:
    office = Office(own_server.url, clock)
    a, b = office.hire("a"), office.hire("b")
    serves(a, "Wanda")
    a.ready("Wanda", 1)
    users_connect(b, "Ann", "Bob")
    office.hears(a)
    office.hears(b)
    assert reasons(a, "Bob") == {"Wanda": Obstacle.FULL}
    own_server.flush()
    b.tick()
    a.tick()
    a.ready("Wanda", 2)
    assert reasons(a, "Bob") == {"Wanda": Obstacle.SETTLING}
    they_live(clock, 2.0, a, b)
    assert Matched("Bob", "Wanda") in office.hears(a)
    office.close()


def test_a_waiter_is_frozen_where_all_its_workers_say_so(office: Office) -> None:
    a, b = office.hire("a"), office.hire("b")
    joins(a, "Wanda")
    b.arrive(Role.WAITER, "subject of Wanda", "another", "Wanda")
    users_connect(b, "Ann")
    b.freeze("Wanda", True)
    a.ready("Wanda", 1)
    users_connect(b, "Bob")
    assert reasons(b, "Bob") == {"Wanda": Obstacle.FULL}
    a.freeze("Wanda", True)
    assert reasons(b, "Bob") == {"Wanda": Obstacle.FROZEN}
    a.drop("Wanda")
    assert reasons(b, "Bob") == {"Wanda": Obstacle.FROZEN}
    b.drop("Wanda")
    assert reasons(b, "Bob") == {"Wanda": Obstacle.AWAY}


def test_users_who_are_away_are_no_waiters(office: Office) -> None:
    desk = office.hire("one")
    joins(desk, "Wanda")
    users_connect(desk, "Ann", "Bob")
    desk.drop("Wanda")
    desk.drop("Bob", Absence.FULL)
    found = desk.explain("Ann")
    assert (reasons(desk, "Ann"), found.reasons) == (
        {"Wanda": Obstacle.AWAY},
        {Obstacle.AWAY: 1},
    )


def test_it_says_so_where_there_are_more_waiters_than_it_looks_at(office: Office) -> None:
    desk = office.hire("one")
    joins(desk, "Wanda")
    users_connect(desk, "Ann")
    assert desk.explain("Ann").is_complete
    gone = {f"somebody {number} who has gone": 0 for number in range(4000)}
    office.client.zadd(f"{desk.prefix}here", gone)
    found = desk.explain("Ann")
    assert (found.is_complete, found.reasons) == (False, {Obstacle.NOT_READY: 1})
