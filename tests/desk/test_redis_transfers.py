"""Users who are handed over at a desk of several workers: who may read it, who is told."""

from __future__ import annotations

import pytest

from services.desk.port import (
    Colleague,
    Department,
    DeskNotReady,
    Matched,
    Queued,
    Role,
    Rules,
)

from .departments import asks, joins, serves
from .office import Office
from .test_redis_departments import is_older
from .transfers import handed_over


def test_nobody_is_handed_over_while_a_worker_cannot_read_it(office: Office) -> None:
    old, new = office.hire("old"), office.hire("new")
    is_older(office, old)
    assert not new.configure(Rules())
    serves(new, "Wanda")
    asks(new, "Ann")
    joins(new, "Will")
    with pytest.raises(DeskNotReady):
        new.transfer("Ann", "Wanda", "Will")
    with pytest.raises(DeskNotReady):
        new.transfer("Ann", "Wanda", department="")
    old.close()
    new.tick()
    assert new.transfer("Ann", "Wanda", "Will")


def test_each_worker_is_told_what_concerns_its_own(office: Office) -> None:
    of_ann, of_wanda, of_will = office.hire("ann"), office.hire("wanda"), office.hire("will")
    assert of_ann.configure(Rules(1, {"sales": Department("sales")}))
    serves(of_wanda, "Wanda")
    asks(of_ann, "Ann")
    joins(of_will, "Will", "sales")
    for one in (of_ann, of_wanda, of_will):
        office.hears(one)

    assert of_wanda.transfer("Ann", "Wanda", "Will")
    parted, matched = handed_over("Ann", "Wanda"), Matched("Ann", "Will")
    assert office.hears(of_ann) == [parted, matched]
    assert office.hears(of_wanda) == [parted]
    assert office.hears(of_will) == [matched]
    assert not of_wanda.transfer("Ann", "Wanda", department="sales")

    of_will.ready("Will")
    assert of_ann.transfer("Ann", "Will", department="sales"), "by any worker"
    parted, queued = handed_over("Ann", "Will"), Queued("Ann", 0, department="sales")
    assert office.hears(of_ann) == [parted, queued]
    assert office.hears(of_will) == [parted]
    assert office.hears(of_wanda) == []


def test_waiters_of_all_workers_see_each_other(office: Office) -> None:
    one, other = office.hire("one"), office.hire("other")
    assert one.configure(Rules(1, {"sales": Department("sales")}))
    serves(one, "Wanda", "sales", "gone")
    joins(other, "Will")
    asks(other, "Ann", "sales")
    seen = [
        Colleague("Wanda", "Wanda", ("sales",), True, 1, 5),
        Colleague("Will", "Will", ("",), False, 0, 5),
    ]
    assert one.colleagues(9) == other.colleagues(9) == seen
    other.arrive(Role.WAITER, "subject of Wanda", "another", "Wanda")
    one.drop("Wanda")
    assert [each.uuid for each in one.colleagues(9)] == ["Wanda", "Will"], "it is at the other one"
    other.leave("Wanda")
    one.drop("Will")
    assert [each.uuid for each in one.colleagues(9)] == ["Will"], "it is not there"
    other.close()
    one.tick()
    assert one.colleagues(9) == []


def test_an_entry_that_an_earlier_worker_has_left_behind_is_passed_by(office: Office) -> None:
    desk = office.hire("one")
    joins(desk, "Wanda")
    office.client.zadd(f"{desk.prefix}here", {"somebody who has gone": 0})
    assert [one.uuid for one in desk.colleagues(9)] == ["Wanda"]
