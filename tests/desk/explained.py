"""What `services.desk.port` promises of `Desk.explain`, for every desk.

Each reason has a test of its own: it is named, and what ends it ends the wait. The random
lives (`stateful.py`) try all of them together.
"""

from __future__ import annotations

import pytest

from services.desk.port import (
    MOST_EXPLAINED,
    Department,
    Desk,
    Explanation,
    Hindered,
    Matched,
    Obstacle,
    Role,
)

from .departments import asks, joins, serves, they_are_departments
from .helpers import Clock, assert_events, forget_events, returns, time_passes, users_connect


def reasons(desk: Desk, user: str) -> dict[str, Obstacle]:
    """Why each waiter does not serve *user*, by its name."""
    return {one.name: one.reason for one in desk.explain(user).waiters}


class ExplainConformance:
    """Mixed into the suite of a desk, which has the fixtures `desk`, `small_desk` and `clock`."""

    @pytest.fixture
    def shop(self, small_desk: Desk) -> Desk:
        """The departments `care` and `sales`; every waiter serves one user at a time."""
        they_are_departments(small_desk, Department("care"), Department("sales"))
        return small_desk

    # ---- one test for each reason --------------------------------------

    def test_a_waiter_that_serves_as_many_as_it_may_is_full(self, small_desk: Desk) -> None:
        serves(small_desk, "Wanda")
        users_connect(small_desk, "Ann", "Bob", "Cid")
        assert small_desk.explain("Cid") == Explanation(
            department="",
            priority=0,
            position=1,
            is_here=True,
            waiters=[Hindered("Wanda", "Wanda", "", Obstacle.FULL, 1, 1)],
            reasons={Obstacle.FULL: 1},
        )
        forget_events(small_desk)
        small_desk.ready("Wanda", 2)
        assert_events(small_desk, Matched("Bob", "Wanda"))

    def test_a_waiter_that_takes_no_users_is_not_ready(self, desk: Desk) -> None:
        joins(desk, "Wanda")
        users_connect(desk, "Ann")
        assert reasons(desk, "Ann") == {"Wanda": Obstacle.NOT_READY}
        forget_events(desk)
        desk.ready("Wanda")
        assert_events(desk, Matched("Ann", "Wanda"))

    def test_a_waiter_whose_pages_stand_still_is_frozen(self, desk: Desk) -> None:
        serves(desk, "Wanda")
        desk.freeze("Wanda", True)
        users_connect(desk, "Ann")
        assert reasons(desk, "Ann") == {"Wanda": Obstacle.FROZEN}
        forget_events(desk)
        desk.freeze("Wanda", False)
        assert_events(desk, Matched("Ann", "Wanda"))

    def test_a_waiter_without_a_connection_is_away(self, desk: Desk, clock: Clock) -> None:
        serves(desk, "Wanda")
        desk.drop("Wanda")
        users_connect(desk, "Ann")
        assert reasons(desk, "Ann") == {"Wanda": Obstacle.AWAY}
        forget_events(desk)
        returns(desk, Role.WAITER, "Wanda")
        assert_events(desk, Matched("Ann", "Wanda"))

    def test_a_waiter_that_has_gone_is_not_named(self, desk: Desk, clock: Clock) -> None:
        serves(desk, "Wanda")
        serves(desk, "Will")
        desk.drop("Wanda")
        desk.leave("Will")
        users_connect(desk, "Ann")
        time_passes(desk, clock, 20.0)
        assert desk.explain("Ann").waiters == []
        assert desk.explain("Ann").reasons == {}

    def test_a_waiter_does_not_get_back_whom_it_has_handed_over(self, desk: Desk) -> None:
        they_are_departments(desk, Department("care"))
        serves(desk, "Wanda", "care")
        asks(desk, "Ann", "care")
        assert desk.transfer("Ann", "Wanda", department="care")
        assert reasons(desk, "Ann") == {"Wanda": Obstacle.HANDED_OVER}
        forget_events(desk)
        assert desk.take("Ann", "Wanda")
        assert_events(desk, Matched("Ann", "Wanda", department="care"))

    def test_those_of_a_department_to_which_a_user_moves_later_serve_it_then(
        self, small_desk: Desk, clock: Clock
    ) -> None:
        they_are_departments(
            small_desk, Department("care", overflow_to="sales", overflow_after=60),
            Department("sales"),
        )  # fmt: skip
        serves(small_desk, "Wanda", "sales")
        joins(small_desk, "Will", "sales", "care")
        asks(small_desk, "Ann", "care")
        clock.passes(10)
        found = small_desk.explain("Ann")
        assert [(one.name, one.department, one.reason) for one in found.waiters] == [
            ("Will", "care", Obstacle.NOT_READY),
            ("Wanda", "sales", Obstacle.OTHER_DEPARTMENT),
        ]
        assert (found.moves_to, found.moves_at) == ("sales", round((clock() + 50) * 1000))
        forget_events(small_desk)
        time_passes(small_desk, clock, 50)
        assert_events(small_desk, Matched("Ann", "Wanda", department="sales"))

    def test_those_of_a_closed_department_serve_a_user_when_it_opens(
        self, small_desk: Desk, clock: Clock
    ) -> None:
        care = Department("care", overflow_to="sales", overflow_after=60)
        they_are_departments(small_desk, care, Department("sales", is_open=False))
        serves(small_desk, "Wanda", "sales")
        asks(small_desk, "Ann", "care")
        found = small_desk.explain("Ann")
        assert reasons(small_desk, "Ann") == {"Wanda": Obstacle.CLOSED}
        assert (found.moves_to, found.moves_at) == (None, None)
        forget_events(small_desk)
        they_are_departments(small_desk, care, Department("sales"), number=2)
        assert reasons(small_desk, "Ann") == {"Wanda": Obstacle.OTHER_DEPARTMENT}
        time_passes(small_desk, clock, 60)
        assert_events(small_desk, Matched("Ann", "Wanda", department="sales"))

    def test_a_user_without_a_connection_is_served_when_it_is_back(self, desk: Desk) -> None:
        users_connect(desk, "Ann")
        desk.drop("Ann")
        serves(desk, "Wanda")
        joins(desk, "Will")
        assert reasons(desk, "Ann") == {"Wanda": Obstacle.USER_AWAY, "Will": Obstacle.NOT_READY}
        assert not desk.explain("Ann").is_here
        forget_events(desk)
        returns(desk, Role.USER, "Ann")
        assert_events(desk, Matched("Ann", "Wanda"))

    # ---- who is named --------------------------------------------------

    def test_waiters_of_other_departments_are_not_named(self, shop: Desk) -> None:
        serves(shop, "Wanda", "sales")
        joins(shop, "Will", "care")
        joins(shop, "Wim")
        asks(shop, "Ann", "care", priority=3)
        found = shop.explain("Ann")
        assert (found.department, found.priority) == ("care", 3)
        assert reasons(shop, "Ann") == {"Will": Obstacle.NOT_READY}

    def test_departments_may_lead_in_a_circle(self, small_desk: Desk) -> None:
        they_are_departments(
            small_desk, Department("care", overflow_to="sales", overflow_after=60),
            Department("sales", overflow_to="care", overflow_after=60),
        )  # fmt: skip
        serves(small_desk, "Wanda", "sales")
        asks(small_desk, "Ann", "care")
        assert reasons(small_desk, "Ann") == {"Wanda": Obstacle.OTHER_DEPARTMENT}

    def test_a_hundred_are_named_and_all_are_counted(self, desk: Desk) -> None:
        for number in range(MOST_EXPLAINED + 20):
            joins(desk, f"Wanda {number:03}")
        serves(desk, "Zoe")
        desk.freeze("Zoe", True)
        users_connect(desk, "Ann")
        desk.unready("Zoe")
        found = desk.explain("Ann")
        assert len(found.waiters) == MOST_EXPLAINED
        assert found.waiters[0].name == "Wanda 000"
        assert found.reasons == {Obstacle.NOT_READY: MOST_EXPLAINED + 21}
        assert found.is_complete
        desk.ready("Zoe")
        found = desk.explain("Ann")
        assert found.reasons == {
            Obstacle.NOT_READY: MOST_EXPLAINED + 20, Obstacle.FROZEN: 1,
        }  # fmt: skip

    def test_nobody_is_explained_who_does_not_wait(self, desk: Desk) -> None:
        serves(desk, "Wanda")
        users_connect(desk, "Ann")
        for one in ("Ann", "Wanda", "nobody"):
            with pytest.raises(KeyError):
                desk.explain(one)
