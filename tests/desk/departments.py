"""What `services.desk.port` promises of departments, for every desk.

A department has a queue of its own, and waiters are members of some. `DeskConformance` is
the rest of the suite.
"""

from __future__ import annotations

import pytest

from services.desk.port import (
    POSITIONS_A_ROUND,
    Absence,
    Department,
    Desk,
    Face,
    Figures,
    Load,
    Matched,
    Member,
    Parted,
    Queued,
    QueueFull,
    Reason,
    Role,
    Route,
    Rules,
    WaiterFull,
)

from .helpers import (
    Clock,
    assert_events,
    assert_silent,
    forget_events,
    places,
    time_passes,
    users_arrive,
)

GRACE = 20.0


def they_are_departments(desk: Desk, *departments: Department, number: int = 1) -> None:
    """These are all departments of the site from now on."""
    assert desk.configure(Rules(number, {one.key: one for one in departments}))


def joins(desk: Desk, name: str, *departments: str | tuple[str, int]) -> None:
    """*name* comes as a waiter of these departments."""
    given = [(one, 0) if isinstance(one, str) else one for one in departments]
    arrival = desk.arrive(
        Role.WAITER,
        f"subject of {name}",
        name,
        name,
        departments=tuple(Member(*one) for one in given),
    )
    assert arrival.uuid == name


def serves(desk: Desk, name: str, *departments: str | tuple[str, int]) -> None:
    """The same, and takes users at once."""
    joins(desk, name, *departments)
    desk.ready(name)


def asks(desk: Desk, user: str, department: str = "", **route: object) -> None:
    """A new user who asks for this department."""
    users_arrive(desk, user)
    desk.connect(user, route=Route(department, **route))


class DepartmentConformance:
    """Mixed into the suite of a desk, which has the fixtures `desk`, `small_desk` and `clock`."""

    @pytest.fixture
    def shop(self, small_desk: Desk) -> Desk:
        """The departments `care` and `sales`; every waiter serves one user at a time."""
        they_are_departments(small_desk, Department("care"), Department("sales"))
        return small_desk

    # ---- who serves whom -----------------------------------------------

    def test_a_waiter_serves_the_users_of_its_departments_only(self, shop: Desk) -> None:
        serves(shop, "Wanda", "sales")
        asks(shop, "Ann", "care")
        asks(shop, "Bob", "sales")
        assert_events(
            shop,
            Queued("Ann", 0, department="care"),
            Matched("Bob", "Wanda", department="sales"),
        )

    def test_a_waiter_of_no_department_serves_those_who_ask_for_none(self, shop: Desk) -> None:
        serves(shop, "Wanda")
        asks(shop, "Ann", "care")
        asks(shop, "Bob")
        assert_events(shop, Queued("Ann", 0, department="care"), Matched("Bob", "Wanda"))

    def test_a_member_does_not_serve_those_who_ask_for_none_unless_it_is_named(
        self, shop: Desk
    ) -> None:
        serves(shop, "Wanda", "sales")
        asks(shop, "Ann")
        assert_events(shop, Queued("Ann", 0))
        serves(shop, "Will", "sales", "")
        assert_events(shop, Matched("Ann", "Will"))

    def test_the_longest_waiting_user_of_several_departments_is_next(self, shop: Desk) -> None:
        for user, department in (("Ann", "sales"), ("Bob", "care"), ("Cid", "sales")):
            asks(shop, user, department)
        forget_events(shop)
        serves(shop, "Wanda", "care", "sales")
        assert_events(shop, Matched("Ann", "Wanda", department="sales"))
        shop.part("Ann", "Wanda", "Ann")
        shop.part("Bob", "Wanda", "Bob")
        events = [one for one in shop.take_events() if isinstance(one, Matched)]
        assert [one.user for one in events] == ["Bob", "Cid"]

    def test_the_department_of_the_highest_priority_comes_first(self, shop: Desk) -> None:
        asks(shop, "Ann", "sales")
        asks(shop, "Bob", "care")
        forget_events(shop)
        serves(shop, "Wanda", ("sales", 1), ("care", 7))
        assert_events(shop, Matched("Bob", "Wanda", department="care"))

    def test_a_department_that_is_named_twice_counts_by_its_highest_priority(
        self, shop: Desk
    ) -> None:
        asks(shop, "Ann", "sales")
        asks(shop, "Bob", "care")
        forget_events(shop)
        serves(shop, "Wanda", ("care", 9), ("care", 0), ("sales", 5))
        assert_events(shop, Matched("Bob", "Wanda", department="care"))

    def test_a_waiter_has_one_load_in_all_its_departments(self, desk: Desk) -> None:
        they_are_departments(desk, Department("care"), Department("sales"))
        serves(desk, "Wanda", "care", "sales")
        serves(desk, "Will", "sales")
        asks(desk, "Ann", "care")
        asks(desk, "Bob", "sales")
        asks(desk, "Cid", "sales")
        assert_events(
            desk,
            Matched("Ann", "Wanda", department="care"),
            Matched("Bob", "Will", department="sales"),
            Matched("Cid", "Wanda", department="sales"),
        )

    def test_capacity_counts_over_all_departments(self, clock: Clock) -> None:
        desk = self.open(clock, capacity=2)
        they_are_departments(desk, Department("care"), Department("sales"))
        serves(desk, "Wanda", "care", "sales")
        for user, department in (("Ann", "care"), ("Bob", "sales"), ("Cid", "care")):
            asks(desk, user, department)
        assert desk.take_events()[-1] == Queued("Cid", 0, department="care")

    def test_a_user_goes_to_the_waiter_who_served_it_last(self, desk: Desk) -> None:
        serves(desk, "Wanda")
        asks(desk, "Ann")
        asks(desk, "Bob")
        serves(desk, "Will")
        desk.part("Ann", "Wanda", "Ann")
        forget_events(desk)
        desk.connect("Ann")  # Will has nobody, Wanda has Bob
        assert_events(desk, Matched("Ann", "Wanda"))

    def test_the_history_may_know_who_served_a_user_last(self, desk: Desk) -> None:
        serves(desk, "Wanda")
        serves(desk, "Will")
        asks(desk, "Ann", last_waiter="subject of Will")
        asks(desk, "Bob", last_waiter="nobody any more")
        assert_events(desk, Matched("Ann", "Will"), Matched("Bob", "Wanda"))

    def test_the_last_waiter_is_not_waited_for(self, small_desk: Desk) -> None:
        serves(small_desk, "Wanda")
        asks(small_desk, "Ann")
        serves(small_desk, "Will")
        asks(small_desk, "Bob", last_waiter="subject of Wanda")
        forget_events(small_desk)
        asks(small_desk, "Cid", last_waiter="subject of Will")
        small_desk.part("Ann", "Wanda", "Ann")
        assert Matched("Cid", "Wanda") in small_desk.take_events()

    def test_the_last_waiter_counts_in_its_departments_only(self, shop: Desk) -> None:
        serves(shop, "Wanda", "care")
        serves(shop, "Will", "sales")
        asks(shop, "Ann", "sales", last_waiter="subject of Wanda")
        assert_events(shop, Matched("Ann", "Will", department="sales"))

    # ---- priorities of visitors ----------------------------------------

    def test_users_of_a_higher_priority_are_served_first(self, small_desk: Desk) -> None:
        they_are_departments(small_desk)
        asks(small_desk, "Ann")
        asks(small_desk, "Bob", priority=3)
        asks(small_desk, "Cid", priority=9)
        asks(small_desk, "Dee", priority=3)
        assert places(small_desk.take_events()) == {"Ann": 0, "Bob": 0, "Cid": 0, "Dee": 2}
        for number, user in enumerate(("Cid", "Bob", "Dee", "Ann")):
            serves(small_desk, f"waiter {number}")
            assert_events(small_desk, Matched(user, f"waiter {number}"))

    def test_those_behind_a_user_of_a_higher_priority_are_sent_so(
        self, desk: Desk, clock: Clock
    ) -> None:
        they_are_departments(desk)
        asks(desk, "Ann")
        forget_events(desk)
        asks(desk, "Bob", priority=1)
        assert_events(desk, Queued("Bob", 0))
        time_passes(desk, clock, 1)
        assert_events(desk, Queued("Ann", 1))

    def test_the_front_is_that_of_the_own_priority(self, small_desk: Desk, clock: Clock) -> None:
        they_are_departments(small_desk)
        serves(small_desk, "Wanda")
        asks(small_desk, "Ann")
        asks(small_desk, "Bob", priority=5)
        asks(small_desk, "Cid")
        small_desk.drop("Wanda")
        forget_events(small_desk)
        time_passes(small_desk, clock, GRACE)
        assert Queued("Ann", 1) in small_desk.take_events()
        serves(small_desk, "Will")
        assert_events(small_desk, Matched("Bob", "Will"))

    def test_a_ticket_brings_the_position_within_the_priority_back(
        self, small_desk: Desk, clock: Clock
    ) -> None:
        they_are_departments(small_desk)
        for user, priority in (("Ann", 0), ("Bob", 2), ("Cid", 2), ("Dee", 0)):
            asks(small_desk, user, priority=priority)
        tickets = {user: small_desk.ticket(user) for user in ("Bob", "Cid", "Dee")}
        for user in tickets:
            small_desk.drop(user)
        time_passes(small_desk, clock, GRACE)
        for user, priority in (("Dee", 0), ("Cid", 2), ("Bob", 2)):
            users_arrive(small_desk, f"{user} again")
            small_desk.connect(f"{user} again", tickets[user], route=Route(priority=priority))
        assert [one.uuid for one in small_desk.waiting(4).users] == [
            "Bob again", "Cid again", "Ann", "Dee again",
        ]  # fmt: skip

    # ---- positions -----------------------------------------------------

    def test_a_position_counts_those_ahead_in_the_department(
        self, shop: Desk, clock: Clock
    ) -> None:
        for user, department in (("Ann", "care"), ("Bob", "sales"), ("Cid", "care"), ("Dee", "")):
            asks(shop, user, department)
        assert_events(
            shop,
            Queued("Ann", 0, department="care"),
            Queued("Bob", 0, department="sales"),
            Queued("Cid", 1, department="care"),
            Queued("Dee", 0),
        )
        shop.withdraw("Ann")
        forget_events(shop)
        time_passes(shop, clock, 1)
        assert_events(shop, Queued("Cid", 0, department="care"))

    def test_departments_take_turns_where_too_many_positions_have_changed(
        self, clock: Clock
    ) -> None:
        desk = self.open(clock, max_queue=10_000)
        they_are_departments(desk, Department("care"), Department("sales"))
        most = POSITIONS_A_ROUND // 2 + 100
        for number in range(most):
            asks(desk, f"care {number}", "care")
            asks(desk, f"sales {number}", "sales")
        desk.withdraw("care 0")
        desk.withdraw("sales 0")
        forget_events(desk)
        sent: list[str] = []
        for _ in range(3):
            time_passes(desk, clock, 1)
            events = desk.take_events()
            assert len(events) <= POSITIONS_A_ROUND
            sent += [one.user for one in events if isinstance(one, Queued)]
        assert len(sent) == len(set(sent)) == 2 * (most - 1)

    def test_the_department_of_a_queued_user_is_known(self, shop: Desk) -> None:
        asks(shop, "Ann", "care")
        asks(shop, "Bob")
        assert [shop.department(user) for user in ("Ann", "Bob")] == ["care", ""]

    # ---- asking elsewhere ----------------------------------------------

    def test_who_asks_for_another_department_goes_to_its_back(
        self, shop: Desk, clock: Clock
    ) -> None:
        asks(shop, "Ann", "care")
        asks(shop, "Bob", "sales")
        asks(shop, "Cid", "care")
        forget_events(shop)
        shop.connect("Ann", route=Route("sales"))
        assert_events(shop, Queued("Ann", 1, department="sales"))
        time_passes(shop, clock, 1)
        assert_events(shop, Queued("Cid", 0, department="care"))

    def test_a_ticket_of_the_department_that_a_user_has_left_is_void(
        self, shop: Desk, clock: Clock
    ) -> None:
        asks(shop, "Ann", "care")
        ticket = shop.ticket("Ann")
        asks(shop, "Bob", "care")
        shop.connect("Ann", route=Route("sales"))
        assert shop.is_void("Ann", ticket)
        assert not shop.is_void("Ann", shop.ticket("Ann"))
        shop.connect("Ann", ticket, route=Route("care"))
        assert shop.location("Ann") == 1

    def test_who_asks_for_the_same_department_again_stays(self, shop: Desk) -> None:
        asks(shop, "Ann", "care")
        asks(shop, "Bob", "care")
        forget_events(shop)
        shop.connect("Ann", route=Route("care"))
        assert_silent(shop)
        assert shop.location("Ann") == 0

    def test_who_names_no_department_stays(self, shop: Desk) -> None:
        asks(shop, "Ann", "care")
        asks(shop, "Bob", "care")
        forget_events(shop)
        shop.connect("Ann", route=Route("sales", stays=True))
        assert_silent(shop)
        asks(shop, "Cid", "sales", stays=True)
        assert_events(shop, Queued("Cid", 0, department="sales"))

    def test_who_asks_for_what_leads_to_the_same_department_stays(self, small_desk: Desk) -> None:
        they_are_departments(small_desk, Department("care", overflow_to=""), Department("sales"))
        asks(small_desk, "Ann")
        asks(small_desk, "Bob")
        forget_events(small_desk)
        small_desk.connect("Ann", route=Route("care"))
        assert_silent(small_desk)
        small_desk.connect("Ann")
        assert_silent(small_desk)
        small_desk.connect("Ann", route=Route("sales"))
        assert_events(small_desk, Queued("Ann", 0, department="sales"))

    def test_who_asks_elsewhere_is_matched_where_a_waiter_is_free(self, shop: Desk) -> None:
        serves(shop, "Wanda", "sales")
        asks(shop, "Ann", "care")
        forget_events(shop)
        shop.connect("Ann", route=Route("sales"))
        assert_events(shop, Matched("Ann", "Wanda", department="sales"))

    def test_who_asks_for_a_full_department_keeps_its_place(self, small_desk: Desk) -> None:
        they_are_departments(small_desk, Department("care"), Department("sales", max_queue=1))
        asks(small_desk, "Ann", "sales")
        asks(small_desk, "Bob", "care")
        ticket = small_desk.ticket("Bob")
        forget_events(small_desk)
        with pytest.raises(QueueFull):
            small_desk.connect("Bob", route=Route("sales"))
        assert_silent(small_desk)
        assert (small_desk.department("Bob"), small_desk.ticket("Bob")) == ("care", ticket)

    def test_a_new_wait_begins_where_a_user_asks_elsewhere(self, shop: Desk, clock: Clock) -> None:
        asks(shop, "Ann", "care")
        clock.passes(30)
        shop.connect("Ann", route=Route("sales"))
        clock.passes(5)
        forget_events(shop)
        serves(shop, "Wanda", "sales")
        (matched,) = shop.take_events()
        assert isinstance(matched, Matched)
        assert matched.waited == 5

    # ---- bounds --------------------------------------------------------

    def test_a_department_refuses_when_its_queue_is_full(self, small_desk: Desk) -> None:
        they_are_departments(small_desk, Department("care", max_queue=1), Department("sales"))
        asks(small_desk, "Ann", "care")
        users_arrive(small_desk, "Bob")
        forget_events(small_desk)
        with pytest.raises(QueueFull):
            small_desk.connect("Bob", route=Route("care"))
        assert_silent(small_desk)
        small_desk.connect("Bob", route=Route("sales"))
        assert_events(small_desk, Queued("Bob", 0, department="sales"))

    def test_a_full_department_serves_at_once_where_a_waiter_is_free(
        self, small_desk: Desk
    ) -> None:
        they_are_departments(small_desk, Department("care", max_queue=1))
        asks(small_desk, "Ann", "care")
        small_desk.drop("Ann")
        serves(small_desk, "Wanda", "care")
        forget_events(small_desk)
        asks(small_desk, "Bob", "care")
        assert_events(small_desk, Matched("Bob", "Wanda", department="care"))

    def test_in_a_full_department_its_own_absent_users_make_room(self, small_desk: Desk) -> None:
        they_are_departments(small_desk, Department("care", max_queue=1), Department("sales"))
        asks(small_desk, "Ann", "sales")
        small_desk.drop("Ann", Absence.SILENT)
        asks(small_desk, "Bob", "care")
        users_arrive(small_desk, "Cid")
        with pytest.raises(QueueFull):
            small_desk.connect("Cid", route=Route("care"))
        small_desk.drop("Bob", Absence.SILENT)
        small_desk.connect("Cid", route=Route("care"))
        assert small_desk.waiting(9, ("care", "sales")).length == 2

    def test_the_bound_of_the_site_counts_all_departments(self, clock: Clock) -> None:
        desk = self.open(clock, max_queue=2)
        they_are_departments(desk, Department("care"), Department("sales"))
        asks(desk, "Ann", "care")
        asks(desk, "Bob", "sales")
        users_arrive(desk, "Cid")
        with pytest.raises(QueueFull):
            desk.connect("Cid")

    # ---- overflow ------------------------------------------------------

    def test_who_has_waited_too_long_moves_to_another_department(
        self, small_desk: Desk, clock: Clock
    ) -> None:
        they_are_departments(
            small_desk,
            Department("care", overflow_to="sales", overflow_after=30),
            Department("sales"),
        )
        asks(small_desk, "Ann", "care")
        clock.passes(2)
        asks(small_desk, "Bob", "sales")
        asks(small_desk, "Cid", "care")
        forget_events(small_desk)
        time_passes(small_desk, clock, 27.5)
        assert_silent(small_desk)
        time_passes(small_desk, clock, 0.5)
        assert_events(
            small_desk,
            Queued("Ann", 0, department="sales"),  # by its ticket it is before Bob
            Queued("Cid", 0, department="care"),
            Queued("Bob", 1, department="sales"),
        )

    def test_who_moves_on_is_matched_and_has_waited_all_the_time(
        self, small_desk: Desk, clock: Clock
    ) -> None:
        they_are_departments(
            small_desk,
            Department("care", overflow_to="", overflow_after=10),
        )
        serves(small_desk, "Wanda")
        asks(small_desk, "Ann", "care")
        forget_events(small_desk)
        time_passes(small_desk, clock, 10)
        (matched,) = small_desk.take_events()
        assert matched == Matched("Ann", "Wanda")
        assert isinstance(matched, Matched)
        assert matched.waited == 10

    def test_an_overflow_at_once_leads_through(self, small_desk: Desk) -> None:
        they_are_departments(
            small_desk,
            Department("", overflow_to="care"),
            Department("care", overflow_to="sales"),
            Department("sales"),
        )
        asks(small_desk, "Ann")
        assert_events(small_desk, Queued("Ann", 0, department="sales"))

    def test_nobody_goes_round_in_circles(self, small_desk: Desk, clock: Clock) -> None:
        they_are_departments(
            small_desk,
            Department("care", overflow_to="sales"),
            Department("sales", overflow_to="care"),
        )
        asks(small_desk, "Ann", "care")
        forget_events(small_desk)
        for _ in range(3):
            time_passes(small_desk, clock, 5)
        assert_silent(small_desk)
        assert small_desk.waiting(9, ("care", "sales")).length == 1
        they_are_departments(
            small_desk,
            Department("care", overflow_to="sales"),
            Department("sales"),
            number=2,
        )
        time_passes(small_desk, clock, 1)
        assert small_desk.department("Ann") == "sales", "the circle is open now"

    def test_nobody_moves_to_a_closed_department(self, small_desk: Desk, clock: Clock) -> None:
        they_are_departments(
            small_desk,
            Department("care", overflow_to="sales", overflow_after=5),
            Department("sales", is_open=False),
        )
        asks(small_desk, "Ann", "care")
        forget_events(small_desk)
        time_passes(small_desk, clock, 60)
        assert_silent(small_desk)

    def test_who_is_away_moves_on_as_well(self, small_desk: Desk, clock: Clock) -> None:
        they_are_departments(
            small_desk,
            Department("care", overflow_to="sales", overflow_after=5),
            Department("sales"),
        )
        asks(small_desk, "Ann", "care")
        small_desk.drop("Ann")
        forget_events(small_desk)
        serves(small_desk, "Wanda", "sales")
        time_passes(small_desk, clock, 5)
        assert_events(small_desk, Queued("Ann", 0, department="sales"))
        small_desk.arrive(Role.USER, "subject of Ann", "another")
        assert_events(small_desk, Matched("Ann", "Wanda", department="sales"))

    def test_who_was_served_or_has_left_does_not_move(self, small_desk: Desk, clock: Clock) -> None:
        they_are_departments(
            small_desk,
            Department("care", overflow_to="sales", overflow_after=5),
            Department("sales"),
        )
        asks(small_desk, "Ann", "care")
        asks(small_desk, "Bob", "care")
        serves(small_desk, "Wanda", "care")
        small_desk.withdraw("Bob")
        forget_events(small_desk)
        time_passes(small_desk, clock, 60)
        assert_silent(small_desk)

    def test_asking_for_the_first_department_again_does_not_lead_back(
        self, small_desk: Desk, clock: Clock
    ) -> None:
        they_are_departments(
            small_desk,
            Department("care", overflow_to="sales", overflow_after=5),
            Department("sales"),
        )
        asks(small_desk, "Ann", "care")
        time_passes(small_desk, clock, 5)
        forget_events(small_desk)
        small_desk.connect("Ann", route=Route("care"))
        assert_silent(small_desk)
        assert small_desk.department("Ann") == "sales"

    # ---- a waiter is lost ----------------------------------------------

    def test_users_of_a_lost_waiter_stand_in_front_of_their_departments(
        self, desk: Desk, clock: Clock
    ) -> None:
        they_are_departments(desk, Department("care"), Department("sales"))
        serves(desk, "Wanda", "care", "sales")
        asks(desk, "Ann", "care")
        asks(desk, "Bob", "sales")
        desk.unready("Wanda")
        asks(desk, "Cid", "care")
        desk.drop("Wanda")
        forget_events(desk)
        time_passes(desk, clock, GRACE)
        events = desk.take_events()
        assert events[:4] == [
            Parted("Ann", "Wanda", "Wanda", Reason.LOST),
            Parted("Bob", "Wanda", "Wanda", Reason.LOST),
            Queued("Ann", 0, department="care"),
            Queued("Bob", 0, department="sales"),
        ]
        assert Queued("Cid", 1, department="care") in events

    def test_the_seats_of_the_absent_are_for_users_of_the_waiters_departments(
        self, clock: Clock
    ) -> None:
        desk = self.open(clock, capacity=2)
        they_are_departments(desk, Department("care"), Department("sales"))
        serves(desk, "Wanda", "sales")
        for user in ("Ann", "Bob"):
            asks(desk, user, "sales")
            desk.drop(user, Absence.SILENT)
        forget_events(desk)
        asks(desk, "Cid", "care")
        assert_events(desk, Queued("Cid", 0, department="care"))
        asks(desk, "Dee", "sales")
        assert_events(
            desk,
            Parted("Ann", "Wanda", "Wanda", Reason.LOST),
            Queued("Ann", 0, department="sales"),
            Matched("Dee", "Wanda", department="sales"),
        )

    # ---- changes -------------------------------------------------------

    def test_an_unknown_department_is_that_of_those_who_ask_for_none(self, desk: Desk) -> None:
        serves(desk, "Wanda")
        asks(desk, "Ann", "sales")
        assert_events(desk, Matched("Ann", "Wanda"))

    def test_a_waiter_of_unknown_departments_belongs_to_none(self, desk: Desk) -> None:
        they_are_departments(desk, Department("care"))
        serves(desk, "Wanda", "sales")
        asks(desk, "Ann")
        assert_events(desk, Matched("Ann", "Wanda"))

    def test_a_new_department_takes_those_who_have_asked_for_it(self, small_desk: Desk) -> None:
        asks(small_desk, "Ann")
        asks(small_desk, "Bob", "sales")
        joins(small_desk, "Wanda", "sales")
        forget_events(small_desk)
        they_are_departments(small_desk, Department("sales"))
        assert_events(small_desk, Queued("Bob", 0, department="sales"))
        small_desk.ready("Wanda")
        assert_events(small_desk, Matched("Bob", "Wanda", department="sales"))

    def test_a_ready_waiter_belongs_to_its_new_department_at_once(self, small_desk: Desk) -> None:
        serves(small_desk, "Wanda", "sales")
        they_are_departments(small_desk, Department("sales"))
        asks(small_desk, "Ann")
        asks(small_desk, "Bob", "sales")
        assert_events(small_desk, Queued("Ann", 0), Matched("Bob", "Wanda", department="sales"))

    def test_nobody_is_lost_with_a_department(self, shop: Desk, clock: Clock) -> None:
        asks(shop, "Ann", "care")
        asks(shop, "Bob")
        asks(shop, "Cid", "sales")
        asks(shop, "Dee", "care")
        forget_events(shop)
        they_are_departments(shop, Department("sales"), number=2)
        assert_events(shop, Queued("Ann", 0), Queued("Dee", 2))
        time_passes(shop, clock, 1)
        assert_events(shop, Queued("Bob", 1))
        serves(shop, "Wanda")
        assert_events(shop, Matched("Ann", "Wanda"))

    def test_who_is_served_stays_so_when_its_department_is_gone(
        self, shop: Desk, clock: Clock
    ) -> None:
        serves(shop, "Wanda", "care")
        asks(shop, "Ann", "care")
        forget_events(shop)
        they_are_departments(shop, number=2)
        assert_silent(shop)
        shop.drop("Wanda")
        time_passes(shop, clock, GRACE)
        assert Queued("Ann", 0) in shop.take_events()

    def test_a_waiter_whose_department_is_gone_serves_those_who_ask_for_none(
        self, shop: Desk
    ) -> None:
        serves(shop, "Wanda", "care")
        asks(shop, "Ann")
        forget_events(shop)
        they_are_departments(shop, number=2)
        assert_events(shop, Matched("Ann", "Wanda"))

    def test_an_older_change_changes_nothing(self, shop: Desk) -> None:
        asks(shop, "Ann", "care")
        forget_events(shop)
        assert shop.configure(Rules(1, {}))
        assert_silent(shop)
        assert shop.department("Ann") == "care"

    def test_a_waiter_is_assigned_while_it_is_here(self, shop: Desk) -> None:
        serves(shop, "Wanda", "care")
        asks(shop, "Ann", "sales")
        asks(shop, "Bob", "care")
        forget_events(shop)
        shop.assign("Wanda", (Member("sales"),))
        assert_silent(shop)  # it serves Bob on
        shop.part("Bob", "Wanda", "Bob")
        assert Matched("Ann", "Wanda", department="sales") in shop.take_events()

    def test_who_is_assigned_to_a_department_takes_who_waits_there(self, shop: Desk) -> None:
        serves(shop, "Wanda")
        asks(shop, "Ann", "sales")
        forget_events(shop)
        shop.assign("Wanda", (Member("sales"),))
        assert_events(shop, Matched("Ann", "Wanda", department="sales"))
        shop.assign("nobody", (Member("sales"),))
        assert_silent(shop)

    def test_a_waiter_comes_back_to_other_departments(self, shop: Desk) -> None:
        serves(shop, "Wanda", "care")
        shop.drop("Wanda")
        asks(shop, "Ann", "sales")
        forget_events(shop)
        joins(shop, "Wanda", "sales")
        assert_events(shop, Matched("Ann", "Wanda", department="sales"))

    def test_a_waiter_who_is_here_signs_in_with_other_departments(self, shop: Desk) -> None:
        serves(shop, "Wanda", "care")
        asks(shop, "Ann", "sales")
        forget_events(shop)
        joins(shop, "Wanda", "sales")
        assert_events(shop, Matched("Ann", "Wanda", department="sales"))

    # ---- what others see -----------------------------------------------

    def test_a_waiter_takes_out_of_turn_from_its_departments_only(self, shop: Desk) -> None:
        joins(shop, "Wanda", "sales")
        for user, department in (("Ann", "sales"), ("Bob", "sales"), ("Cid", "care")):
            asks(shop, user, department)
        forget_events(shop)
        assert not shop.take("Cid", "Wanda")
        assert shop.take("Bob", "Wanda")
        assert_events(shop, Matched("Bob", "Wanda", department="sales"))
        with pytest.raises(WaiterFull):
            shop.take("Ann", "Wanda")

    def test_waiters_see_who_waits_in_their_departments(self, shop: Desk) -> None:
        for user, department, priority in (
            ("Ann", "care", 0), ("Bob", "sales", 0), ("Cid", "", 0), ("Dee", "sales", 4),
        ):  # fmt: skip
            asks(shop, user, department, priority=priority)
        shop.drop("Ann")
        length, users = shop.waiting(9, ("sales", "care"))
        assert length == 3
        assert [(one.uuid, one.department) for one in users] == [
            ("Dee", "sales"), ("Bob", "sales"),
        ]  # fmt: skip
        assert [one.uuid for one in shop.waiting(1, ("sales", "", "unknown")).users] == ["Dee"]
        assert [one.uuid for one in shop.waiting(9).users] == ["Cid"]

    def test_the_team_of_a_department(self, shop: Desk) -> None:
        serves(shop, "Wanda", "sales")
        serves(shop, "Will", "care", "sales")
        serves(shop, "Walt")
        assert shop.team(9, "sales") == [Face("Wanda", ""), Face("Will", "")]
        assert shop.team(9, "care") == [Face("Will", "")]
        assert shop.team(9, "") == [Face("Walt", "")]
        assert len(shop.team(9)) == 3

    def test_the_longest_wait_is_not_that_of_who_has_come_first_by_priority(
        self, small_desk: Desk, clock: Clock
    ) -> None:
        they_are_departments(small_desk)
        asks(small_desk, "Ann")
        clock.passes(30)
        asks(small_desk, "Bob", priority=9)
        clock.passes(1)
        assert small_desk.figures().longest_wait == 31

    def test_seats_are_shared_by_the_queues_of_a_waiter(self, desk: Desk, clock: Clock) -> None:
        they_are_departments(desk, Department("care"), Department("sales"))
        serves(desk, "Wanda", "care", "sales")  # five at once
        serves(desk, "Will", "sales")
        joins(desk, "Walt", "care")
        desk.ready("Walt", 3)
        desk.drop("Walt")
        clock.passes(10)
        assert desk.figures().seats == {"care": 5, "sales": 10}
        for number in range(14):
            asks(desk, f"user {number}", "sales")
        asks(desk, "Ann", "care")
        clock.passes(10)
        assert desk.figures().seats == {"care": 1, "sales": 9}

    def test_the_figures_of_departments(self, shop: Desk, clock: Clock) -> None:
        serves(shop, "Wanda", "sales")
        asks(shop, "Ann", "care")
        clock.passes(3)
        asks(shop, "Bob", "sales")
        asks(shop, "Cid", "sales")
        asks(shop, "Dee")
        clock.passes(4)
        assert shop.figures() == Figures(
            1,
            1,
            1,
            3,
            7.0,
            {"": Load(0, 1, 4.0), "care": Load(0, 1, 7.0), "sales": Load(1, 1, 4.0)},
        )
