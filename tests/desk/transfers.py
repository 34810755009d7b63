"""What `services.desk.port` promises of users whom waiters hand over, for every desk.

`DepartmentConformance` and `DeskConformance` are the rest of the suite.
"""

from __future__ import annotations

import threading

import pytest

from services.desk.port import (
    Absence,
    Colleague,
    Departed,
    Department,
    Desk,
    Matched,
    Parted,
    Queued,
    Reason,
    Role,
    Route,
    Rules,
    WaiterFull,
    Withdrawn,
)

from .departments import GRACE, asks, joins, serves, they_are_departments
from .helpers import (
    Clock,
    assert_events,
    assert_silent,
    forget_events,
    returns,
    time_passes,
    users_connect,
)


def handed_over(user: str, waiter: str) -> Parted:
    """*waiter* has handed *user* over."""
    return Parted(user, waiter, waiter, Reason.TRANSFERRED)


class TransferConformance:
    """Mixed into the suite of a desk, which has the fixtures `desk`, `small_desk` and `clock`."""

    @pytest.fixture
    def pair(self, small_desk: Desk) -> Desk:
        """Wanda serves Ann, and nobody else is there; every waiter serves one user at a time."""
        assert small_desk.configure(Rules())
        serves(small_desk, "Wanda")
        users_connect(small_desk, "Ann")
        forget_events(small_desk)
        return small_desk

    @pytest.fixture
    def office(self, small_desk: Desk) -> Desk:
        """Wanda, of `care` and `sales`, serves Ann, who has asked for `care`."""
        they_are_departments(small_desk, Department("care"), Department("sales"))
        serves(small_desk, "Wanda", "care", "sales")
        asks(small_desk, "Ann", "care")
        forget_events(small_desk)
        return small_desk

    # ---- to a waiter ---------------------------------------------------

    def test_a_user_is_handed_to_another_waiter(self, pair: Desk) -> None:
        serves(pair, "Will")
        assert pair.transfer("Ann", "Wanda", "Will")
        assert_events(pair, handed_over("Ann", "Wanda"), Matched("Ann", "Will"))

    def test_the_waiter_need_not_be_ready(self, pair: Desk) -> None:
        joins(pair, "Will")
        assert pair.transfer("Ann", "Wanda", "Will")
        assert_events(pair, handed_over("Ann", "Wanda"), Matched("Ann", "Will"))

    def test_the_waiter_need_not_belong_to_the_department(self, office: Desk) -> None:
        serves(office, "Will", "sales")
        assert office.transfer("Ann", "Wanda", "Will")
        assert_events(
            office, handed_over("Ann", "Wanda"), Matched("Ann", "Will", department="care")
        )

    def test_a_full_waiter_gets_nobody(self, pair: Desk) -> None:
        serves(pair, "Will")
        users_connect(pair, "Bob")
        forget_events(pair)
        with pytest.raises(WaiterFull):
            pair.transfer("Ann", "Wanda", "Will")
        assert_silent(pair)
        assert pair.part("Ann", "Wanda", "Ann")  # nothing has changed

    def test_an_absent_waiter_gets_nobody(self, pair: Desk, clock: Clock) -> None:
        serves(pair, "Will")
        pair.drop("Will")
        assert not pair.transfer("Ann", "Wanda", "Will")
        time_passes(pair, clock, GRACE)
        forget_events(pair)
        assert not pair.transfer("Ann", "Wanda", "Will")
        assert not pair.transfer("Ann", "Wanda", "nobody")
        assert_silent(pair)

    def test_a_waiter_hands_nobody_to_itself(self, pair: Desk) -> None:
        assert not pair.transfer("Ann", "Wanda", "Wanda")
        assert_silent(pair)

    def test_only_who_serves_a_user_hands_it_over(self, pair: Desk) -> None:
        serves(pair, "Will")
        assert not pair.transfer("Ann", "Will", "Wanda")
        assert not pair.transfer("Ann", "nobody", "Will")
        assert not pair.transfer("nobody", "Wanda", "Will")
        assert not pair.transfer("Ann", "Will", department="")
        assert_silent(pair)
        assert pair.transfer("Ann", "Wanda", "Will")
        assert not pair.transfer("Ann", "Wanda", "Will")

    def test_a_freed_waiter_takes_the_next_one(self, pair: Desk) -> None:
        joins(pair, "Will")
        users_connect(pair, "Bob")
        forget_events(pair)
        assert pair.transfer("Ann", "Wanda", "Will")
        assert_events(
            pair, handed_over("Ann", "Wanda"), Matched("Ann", "Will"), Matched("Bob", "Wanda")
        )

    def test_the_conversation_goes_on(self, pair: Desk, clock: Clock) -> None:
        joins(pair, "Will")
        pair.part("Ann", "Wanda", "Ann")
        pair.connect("Ann", None, 7)
        forget_events(pair)
        assert pair.transfer("Ann", "Wanda", "Will")
        parted, matched = pair.take_events()
        assert (parted.conversation, parted.requeued, matched.conversation) == (7, True, 7)
        assert pair.transfer("Ann", "Will", department="")
        parted, matched = pair.take_events()
        assert (parted.conversation, parted.requeued, matched.conversation) == (7, True, 7)

    def test_an_absent_user_is_handed_over(self, pair: Desk, clock: Clock) -> None:
        joins(pair, "Will")
        pair.drop("Ann")
        assert pair.transfer("Ann", "Wanda", "Will")
        assert_events(pair, handed_over("Ann", "Wanda"), Matched("Ann", "Will"))
        time_passes(pair, clock, GRACE - 1)
        returns(pair, Role.USER, "Ann")
        assert_silent(pair)
        assert pair.part("Ann", "Will", "Ann")

    def test_an_absent_user_who_has_said_nothing_makes_room_at_its_new_waiter(
        self, pair: Desk
    ) -> None:
        serves(pair, "Will")
        pair.drop("Ann", Absence.SILENT)
        assert pair.transfer("Ann", "Wanda", "Will")
        users_connect(pair, "Bob")  # Wanda is free
        pair.drop("Bob", Absence.SILENT)
        forget_events(pair)
        users_connect(pair, "Cid")
        assert Matched("Cid", "Will") in pair.take_events()

    def test_the_users_of_a_lost_waiter_are_those_it_has_now(
        self, pair: Desk, clock: Clock
    ) -> None:
        joins(pair, "Will")
        pair.transfer("Ann", "Wanda", "Will")
        forget_events(pair)
        pair.drop("Wanda")
        time_passes(pair, clock, GRACE)
        assert not [one for one in pair.take_events() if isinstance(one, Parted)]
        pair.drop("Will")
        time_passes(pair, clock, GRACE)
        assert Parted("Ann", "Will", "Will", Reason.LOST) in pair.take_events()

    def test_no_capacity_is_exceeded_by_a_race(self, clock: Clock) -> None:
        desk = self.open(clock, capacity=12)
        assert desk.configure(Rules())
        serves(desk, "Wanda")
        users = [f"user {number}" for number in range(12)]
        users_connect(desk, *users)
        joins(desk, "Will")
        desk.unready("Will", 5)
        outcomes: list[bool] = []
        barrier = threading.Barrier(len(users))

        def hand_over(user: str) -> None:
            barrier.wait()
            try:
                outcomes.append(desk.transfer(user, "Wanda", "Will"))
            except WaiterFull:
                outcomes.append(False)

        threads = [threading.Thread(target=hand_over, args=(user,)) for user in users]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (outcomes.count(True), outcomes.count(False)) == (5, 7)
        assert [(one.uuid, one.load) for one in desk.colleagues(9)] == [("Wanda", 7), ("Will", 5)]

    # ---- to a department -----------------------------------------------

    def test_a_user_is_handed_to_a_department(self, office: Desk) -> None:
        serves(office, "Will", "sales")
        assert office.transfer("Ann", "Wanda", department="sales")
        assert_events(
            office, handed_over("Ann", "Wanda"), Matched("Ann", "Will", department="sales")
        )

    def test_it_waits_in_front_where_nobody_is_free(self, office: Desk) -> None:
        asks(office, "Bob", "sales")
        asks(office, "Cid", "sales", priority=3)
        forget_events(office)
        office.unready("Wanda")
        assert office.transfer("Ann", "Wanda", department="sales")
        assert_events(office, handed_over("Ann", "Wanda"), Queued("Ann", 1, department="sales"))
        assert office.department("Ann") == "sales"
        serves(office, "Will", "sales")
        assert Matched("Cid", "Will", department="sales") in office.take_events()
        office.part("Cid", "Will", "Cid")
        assert Matched("Ann", "Will", department="sales") in office.take_events()

    def test_it_does_not_get_the_same_waiter_back(self, office: Desk) -> None:
        assert office.transfer("Ann", "Wanda", department="sales")
        assert_events(office, handed_over("Ann", "Wanda"), Queued("Ann", 0, department="sales"))
        serves(office, "Will", "sales")
        assert_events(office, Matched("Ann", "Will", department="sales"))

    def test_the_same_waiter_takes_those_behind_it(self, office: Desk) -> None:
        asks(office, "Bob", "sales")
        asks(office, "Cid", "care")
        forget_events(office)
        assert office.transfer("Ann", "Wanda", department="sales")
        assert_events(
            office,
            handed_over("Ann", "Wanda"),
            Matched("Bob", "Wanda", department="sales"),
            Queued("Ann", 0, department="sales"),
        )
        office.part("Bob", "Wanda", "Bob")
        assert Matched("Cid", "Wanda", department="care") in office.take_events()

    def test_the_department_may_be_that_of_those_who_ask_for_none(self, pair: Desk) -> None:
        assert pair.transfer("Ann", "Wanda", department="")
        assert_events(pair, handed_over("Ann", "Wanda"), Queued("Ann", 0))
        users_connect(pair, "Bob")
        assert_events(pair, Matched("Bob", "Wanda"))
        serves(pair, "Will")
        assert_events(pair, Matched("Ann", "Will"))

    def test_two_waiters_may_hand_users_to_each_other(self, small_desk: Desk) -> None:
        assert small_desk.configure(Rules())
        serves(small_desk, "Wanda")
        serves(small_desk, "Will")
        users_connect(small_desk, "Ann", "Bob")
        assert small_desk.transfer("Ann", "Wanda", department="")
        forget_events(small_desk)
        assert small_desk.transfer("Bob", "Will", department="")
        assert_events(
            small_desk,
            handed_over("Bob", "Will"),
            Matched("Bob", "Wanda"),
            Matched("Ann", "Will"),
        )

    def test_the_same_waiter_may_take_it_by_hand(self, pair: Desk) -> None:
        pair.transfer("Ann", "Wanda", department="")
        forget_events(pair)
        assert pair.take("Ann", "Wanda")
        assert_events(pair, Matched("Ann", "Wanda"))

    def test_it_may_get_the_same_waiter_after_another_one(self, pair: Desk, clock: Clock) -> None:
        pair.transfer("Ann", "Wanda", department="")
        serves(pair, "Will")
        pair.drop("Will")
        time_passes(pair, clock, GRACE)
        assert pair.take_events()[-2:] == [Matched("Ann", "Wanda"), Departed("Will")]

    def test_it_may_get_the_same_waiter_when_it_asks_for_another_department(
        self, office: Desk
    ) -> None:
        office.transfer("Ann", "Wanda", department="sales")
        forget_events(office)
        office.connect("Ann", route=Route("care"))  # again: that is no other one
        assert_silent(office)
        office.connect("Ann", route=Route(""))
        assert_events(office, Queued("Ann", 0))
        office.assign("Wanda", ())
        assert_events(office, Matched("Ann", "Wanda"))

    def test_who_moves_on_by_itself_does_not_get_the_same_waiter(
        self, office: Desk, clock: Clock
    ) -> None:
        sales = Department("sales", overflow_to="care", overflow_after=5)
        they_are_departments(office, Department("care"), sales, number=2)
        office.transfer("Ann", "Wanda", department="sales")
        forget_events(office)
        time_passes(office, clock, 5)
        assert_events(office, Queued("Ann", 0, department="care"))
        they_are_departments(office, number=3)
        assert_events(office, Queued("Ann", 0))
        serves(office, "Will")
        assert_events(office, Matched("Ann", "Will"))

    def test_a_department_that_passes_on_at_once(self, office: Desk) -> None:
        they_are_departments(
            office, Department("care"), Department("sales", overflow_to="care"), number=2
        )
        serves(office, "Will", "care")
        assert office.transfer("Ann", "Wanda", department="sales")
        assert_events(
            office, handed_over("Ann", "Wanda"), Matched("Ann", "Will", department="care")
        )

    def test_an_unknown_department_gets_nobody(self, office: Desk) -> None:
        assert not office.transfer("Ann", "Wanda", department="gone")
        assert_silent(office)
        assert office.part("Ann", "Wanda", "Ann")

    def test_a_full_queue_takes_it_all_the_same(self, clock: Clock) -> None:
        desk = self.open(clock, capacity=1, max_queue=1)
        they_are_departments(desk, Department("sales", max_queue=1))
        serves(desk, "Wanda")
        asks(desk, "Ann")
        asks(desk, "Bob", "sales")
        forget_events(desk)
        assert desk.transfer("Ann", "Wanda", department="sales")
        assert_events(desk, handed_over("Ann", "Wanda"), Queued("Ann", 0, department="sales"))

    def test_an_absent_user_waits_in_front(self, office: Desk) -> None:
        serves(office, "Will", "sales")
        office.drop("Ann")
        assert office.transfer("Ann", "Wanda", department="sales")
        assert_events(office, handed_over("Ann", "Wanda"), Queued("Ann", 0, department="sales"))
        returns(office, Role.USER, "Ann")
        assert_events(office, Matched("Ann", "Will", department="sales"))

    def test_who_waits_by_it_may_leave_the_queue(self, pair: Desk) -> None:
        pair.transfer("Ann", "Wanda", department="")
        forget_events(pair)
        assert pair.withdraw("Ann")
        assert_events(pair, Withdrawn("Ann"))
        pair.connect("Ann")
        assert_events(pair, Matched("Ann", "Wanda"))

    def test_its_position_is_kept_over_a_drop(self, pair: Desk, clock: Clock) -> None:
        pair.transfer("Ann", "Wanda", department="")
        pair.drop("Ann")
        time_passes(pair, clock, GRACE - 1)
        forget_events(pair)
        returns(pair, Role.USER, "Ann")
        assert_silent(pair)
        assert pair.location("Ann") == 0

    # ---- who is there --------------------------------------------------

    def test_waiters_see_each_other(self, office: Desk, clock: Clock) -> None:
        clock.passes(1)
        joins(office, "Will", "sales")
        joins(office, "Adam")
        clock.passes(1)
        serves(office, "Walt")
        wanda = Colleague("Wanda", "Wanda", ("care", "sales"), True, 1, 1)
        walt = Colleague("Walt", "Walt", ("",), True, 0, 1)
        assert office.colleagues(9) == [
            wanda, walt,
            Colleague("Adam", "Adam", ("",), False, 0, 1),
            Colleague("Will", "Will", ("sales",), False, 0, 1),
        ]  # fmt: skip
        assert office.colleagues(1) == [wanda]
        assert [one.uuid for one in office.colleagues(3)] == ["Wanda", "Walt", "Adam"]
        office.unready("Wanda")
        office.drop("Walt")
        office.leave("Adam")
        assert [one.uuid for one in office.colleagues(9)] == ["Wanda", "Will"]
        assert office.colleagues(0) == []
