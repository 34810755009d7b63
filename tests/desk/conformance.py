"""What `services.desk.port` promises, as one suite that every desk passes.

A desk's own test module subclasses `DeskConformance` and says in `make` how
such a desk is opened. Time is a `Clock` that the tests set; nothing sleeps.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from services.bounds import ANONYMOUS_GRACE
from services.desk.port import (
    POSITIONS_A_ROUND,
    Absence,
    AddressFull,
    Arrival,
    Departed,
    Desk,
    Face,
    Figures,
    Matched,
    Parted,
    Queue,
    Queued,
    QueueFull,
    Reason,
    Role,
    Standing,
    WaiterFull,
    Waiting,
    Withdrawn,
)

from .crowd import Crowd
from .helpers import (
    Clock,
    Ledger,
    arrives,
    assert_events,
    assert_silent,
    forget_events,
    places,
    returns,
    time_passes,
    users_arrive,
    users_connect,
    waiters_arrive,
    waiters_get_ready,
)

GRACE = 20.0
USUAL = {"capacity": 5, "max_queue": 100, "grace": GRACE}


class DeskConformance:
    """The promises of a desk. Subclass it and say how to make one."""

    #: what each thread does in the threads test; a desk with a longer way may do less
    rush_visits = 10_000

    def make(self, clock: Clock, **settings: float) -> Desk:
        """An empty desk that reads its time off *clock*."""
        raise NotImplementedError

    def open(self, clock: Clock, **settings: float) -> Desk:
        """A desk with the usual settings, but for those that are named."""
        return self.make(clock, **(USUAL | settings))

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def desk(self, clock: Clock) -> Desk:
        return self.open(clock)

    @pytest.fixture
    def small_desk(self, clock: Clock) -> Desk:
        """Every waiter serves one user at a time."""
        return self.open(clock, capacity=1)

    # ---- matching ------------------------------------------------------

    def test_a_user_is_matched_at_once_when_a_waiter_is_free(self, desk: Desk) -> None:
        waiters_get_ready(desk, "Wanda")
        users_connect(desk, "Ann")
        assert_events(desk, Matched("Ann", "Wanda"))

    def test_arriving_is_not_asking(self, desk: Desk) -> None:
        waiters_get_ready(desk, "Wanda")
        users_arrive(desk, "Ann")
        assert_silent(desk)

    def test_a_waiter_who_is_not_ready_gets_nobody(self, desk: Desk) -> None:
        waiters_arrive(desk, "Wanda")
        users_connect(desk, "Ann")
        assert_events(desk, Queued("Ann", 0))

    def test_a_waiter_who_gets_ready_takes_all_it_can_in_the_order_of_the_queue(
        self, clock: Clock
    ) -> None:
        desk = self.open(clock, capacity=2)
        users_connect(desk, "Ann", "Bob", "Cid")
        forget_events(desk)
        waiters_get_ready(desk, "Wanda")
        assert_events(desk, Matched("Ann", "Wanda"), Matched("Bob", "Wanda"))

    def test_a_waiter_never_serves_more_than_its_capacity(self, clock: Clock) -> None:
        desk = self.open(clock, capacity=2)
        waiters_get_ready(desk, "Wanda")
        users_connect(desk, "Ann", "Bob", "Cid")
        assert_events(desk, Matched("Ann", "Wanda"), Matched("Bob", "Wanda"), Queued("Cid", 0))

    def test_the_capacity_that_a_waiter_names_is_the_one_that_counts(self, desk: Desk) -> None:
        waiters_arrive(desk, "Wanda")
        desk.ready("Wanda", 1)
        users_connect(desk, "Ann", "Bob")
        assert_events(desk, Matched("Ann", "Wanda"), Queued("Bob", 0))

    def test_ready_without_a_capacity_keeps_the_one_named_before(self, small_desk: Desk) -> None:
        waiters_arrive(small_desk, "Wanda")
        small_desk.ready("Wanda", 2)
        small_desk.ready("Wanda")
        users_connect(small_desk, "Ann", "Bob", "Cid")
        assert_events(
            small_desk, Matched("Ann", "Wanda"), Matched("Bob", "Wanda"), Queued("Cid", 0)
        )

    def test_a_waiter_who_raises_its_capacity_takes_more_at_once(self, small_desk: Desk) -> None:
        waiters_get_ready(small_desk, "Wanda")
        users_connect(small_desk, "Ann", "Bob", "Cid")
        forget_events(small_desk)
        small_desk.ready("Wanda", 3)
        assert_events(small_desk, Matched("Bob", "Wanda"), Matched("Cid", "Wanda"))

    def test_a_waiter_who_lowers_its_capacity_keeps_its_users_and_gets_no_more(
        self, desk: Desk
    ) -> None:
        waiters_get_ready(desk, "Wanda")
        users_connect(desk, "Ann", "Bob")
        desk.ready("Wanda", 1)
        forget_events(desk)
        users_connect(desk, "Cid")
        assert_events(desk, Queued("Cid", 0))
        desk.part("Ann", "Wanda", "Ann")
        assert_events(desk, Parted("Ann", "Wanda", "Ann"))
        desk.part("Bob", "Wanda", "Bob")
        assert_events(desk, Parted("Bob", "Wanda", "Bob"), Matched("Cid", "Wanda"))

    def test_connect_while_served_or_queued_is_harmless(self, small_desk: Desk) -> None:
        waiters_get_ready(small_desk, "Wanda")
        users_connect(small_desk, "Ann", "Bob", "Cid")
        forget_events(small_desk)
        for user in ("Ann", "Bob", "Cid"):
            small_desk.connect(user)
        assert_silent(small_desk)
        small_desk.part("Ann", "Wanda", "Wanda")
        assert_events(small_desk, Parted("Ann", "Wanda", "Wanda"), Matched("Bob", "Wanda"))

    def test_ready_twice_is_harmless(self, desk: Desk) -> None:
        waiters_get_ready(desk, "Wanda", "Will")
        desk.ready("Wanda")
        users_connect(desk, "Ann")
        desk.ready("Wanda")
        assert_events(desk, Matched("Ann", "Wanda"))

    # ---- whose turn it is ----------------------------------------------

    def test_the_least_loaded_waiter_is_next(self, desk: Desk) -> None:
        waiters_get_ready(desk, "Wanda")
        users_connect(desk, "Ann", "Bob")
        forget_events(desk)
        waiters_get_ready(desk, "Will")
        users_connect(desk, "Cid")
        assert_events(desk, Matched("Cid", "Will"))

    def test_of_equals_the_longest_idle_is_next(self, desk: Desk) -> None:
        waiters_get_ready(desk, "Wanda", "Will", "Wu")
        users_connect(desk, "Ann", "Bob", "Cid", "Dee")
        assert_events(
            desk,
            Matched("Ann", "Wanda"),
            Matched("Bob", "Will"),
            Matched("Cid", "Wu"),
            Matched("Dee", "Wanda"),
        )

    def test_who_has_just_ended_a_conversation_is_behind_its_equals(self, desk: Desk) -> None:
        waiters_get_ready(desk, "Wanda", "Will")
        users_connect(desk, "Ann")
        desk.part("Ann", "Wanda", "Ann")
        forget_events(desk)
        users_connect(desk, "Bob", "Cid")
        assert_events(desk, Matched("Bob", "Will"), Matched("Cid", "Wanda"))

    def test_least_load_and_longest_idle_over_a_day(self, clock: Clock) -> None:
        desk = self.open(clock, capacity=2)
        waiters_get_ready(desk, "Wanda", "Will", "Wu")
        users_connect(desk, "Ann", "Bob", "Cid")  # one each
        desk.part("Bob", "Will", "Will")  # Will has none
        desk.part("Ann", "Wanda", "Ann")  # Wanda has none, and less long than Will
        forget_events(desk)
        users_connect(desk, "Dee", "Eve", "Fay", "Gus", "Hal", "Ida")
        assert_events(
            desk,
            Matched("Dee", "Will"),
            Matched("Eve", "Wanda"),
            Matched("Fay", "Wu"),  # one each again, Wu's the oldest
            Matched("Gus", "Will"),
            Matched("Hal", "Wanda"),
            Queued("Ida", 0),  # all have two
        )
        desk.part("Hal", "Wanda", "Hal")
        assert_events(desk, Parted("Hal", "Wanda", "Hal"), Matched("Ida", "Wanda"))

    # ---- the queue -----------------------------------------------------

    def test_the_position_in_the_queue_is_the_number_of_users_ahead(self, desk: Desk) -> None:
        users_connect(desk, "Ann", "Bob", "Cid")
        assert_events(desk, Queued("Ann", 0), Queued("Bob", 1), Queued("Cid", 2))
        assert [desk.location(user) for user in ("Ann", "Bob", "Cid")] == [0, 1, 2]

    def test_changed_places_are_told_when_time_passes(self, desk: Desk, clock: Clock) -> None:
        users_connect(desk, "Ann", "Bob", "Cid")
        forget_events(desk)
        desk.withdraw("Ann")
        assert_events(desk, Withdrawn("Ann"))
        assert desk.location("Cid") == 2  # as last sent
        time_passes(desk, clock, 1.0)
        assert_events(desk, Queued("Bob", 0), Queued("Cid", 1))
        assert desk.location("Cid") == 1

    def test_only_changed_places_are_sent(self, desk: Desk, clock: Clock) -> None:
        users_connect(desk, "Ann", "Bob", "Cid", "Dee")
        forget_events(desk)
        desk.withdraw("Cid")
        time_passes(desk, clock, 1.0)
        assert_events(desk, Withdrawn("Cid"), Queued("Dee", 2))
        desk.withdraw("Dee")
        time_passes(desk, clock, 1.0)
        assert_events(desk, Withdrawn("Dee"))

    def test_places_are_told_at_most_once_a_second(self, desk: Desk, clock: Clock) -> None:
        users_connect(desk, "Ann", "Bob", "Cid", "Dee")
        desk.withdraw("Ann")
        time_passes(desk, clock, 1.0)
        forget_events(desk)
        desk.withdraw("Bob")
        time_passes(desk, clock, 0.5)
        desk.withdraw("Cid")
        time_passes(desk, clock, 0.25)
        assert_events(desk, Withdrawn("Bob"), Withdrawn("Cid"))
        time_passes(desk, clock, 0.25)
        assert_events(desk, Queued("Dee", 0))

    def test_positions_are_sent_when_the_first_in_the_queue_is_served(
        self, small_desk: Desk, clock: Clock
    ) -> None:
        users_connect(small_desk, "Ann", "Bob", "Cid")
        forget_events(small_desk)
        waiters_get_ready(small_desk, "Wanda")
        time_passes(small_desk, clock, 1.0)
        assert_events(small_desk, Matched("Ann", "Wanda"), Queued("Bob", 0), Queued("Cid", 1))

    def test_time_alone_changes_nothing(self, desk: Desk, clock: Clock) -> None:
        users_connect(desk, "Ann", "Bob")
        forget_events(desk)
        for _ in range(10):
            time_passes(desk, clock, GRACE)
        assert_silent(desk)

    def test_a_full_queue_refuses_and_nothing_has_changed(self, clock: Clock) -> None:
        desk = self.open(clock, max_queue=2)
        users_connect(desk, "Ann", "Bob")
        users_arrive(desk, "Cid")
        forget_events(desk)
        for _ in range(2):
            with pytest.raises(QueueFull):
                desk.connect("Cid")
        assert_silent(desk)
        assert desk.figures().queue_length == 2
        desk.connect("Ann")  # who is in the queue is in the queue
        desk.withdraw("Ann")
        desk.connect("Cid")
        assert_events(desk, Withdrawn("Ann"), Queued("Cid", 1))

    def test_without_a_queue_a_user_is_served_at_once_or_refused(self, clock: Clock) -> None:
        desk = self.open(clock, capacity=1, max_queue=0)
        users_arrive(desk, "Ann", "Bob")
        with pytest.raises(QueueFull):
            desk.connect("Ann")
        waiters_get_ready(desk, "Wanda")
        assert_silent(desk)
        desk.connect("Ann")
        assert_events(desk, Matched("Ann", "Wanda"))
        with pytest.raises(QueueFull):
            desk.connect("Bob")

    def test_who_is_away_holds_its_position_in_a_full_queue(self, clock: Clock) -> None:
        desk = self.open(clock, capacity=1, max_queue=1)
        users_connect(desk, "Ann")
        users_arrive(desk, "Bob")
        desk.drop("Ann")
        with pytest.raises(QueueFull):
            desk.connect("Bob")
        waiters_get_ready(desk, "Wanda")
        forget_events(desk)
        desk.connect("Bob")  # needs no place in the queue
        assert_events(desk, Matched("Bob", "Wanda"))

    # ---- a long queue --------------------------------------------------

    def test_a_long_queue_is_informed_in_turns_and_the_foremost_always(self, clock: Clock) -> None:
        desk = self.open(clock, capacity=1, max_queue=10_000)
        queue = [f"user {number}" for number in range(3_000)]
        users_connect(desk, *queue)
        knows = places(desk.take_events())
        for _ in range(6):
            desk.leave(queue.pop(0))
            time_passes(desk, clock, 1.0)
            news = places(desk.take_events())
            assert len(news) <= POSITIONS_A_ROUND
            knows |= news
            foremost = queue[: POSITIONS_A_ROUND // 2]
            assert [knows[user] for user in foremost] == [*range(len(foremost))]
        for _ in range(6):  # nothing happens any more, and the news reaches everybody
            time_passes(desk, clock, 1.0)
            knows |= places(desk.take_events())
        assert [knows[user] for user in queue] == [*range(len(queue))]
        time_passes(desk, clock, 1.0)
        assert_silent(desk)

    def test_nobody_is_forgotten_while_a_long_queue_moves_on(self, clock: Clock) -> None:
        desk = self.open(clock, capacity=1, max_queue=10_000)
        queue = [f"user {number}" for number in range(3_000)]
        users_connect(desk, *queue)
        forget_events(desk)
        sent: set[str] = set()
        for _ in range(6):
            desk.leave(queue.pop(0))
            time_passes(desk, clock, 1.0)
            sent |= places(desk.take_events()).keys()
        assert sent.issuperset(queue)

    # ---- tickets and talks ---------------------------------------------

    def test_a_ticket_takes_the_position_in_the_queue_again(self, desk: Desk, clock: Clock) -> None:
        users_connect(desk, "Ann", "Bob")
        ticket = desk.ticket("Ann")
        queued = [event for event in desk.take_events() if isinstance(event, Queued)]
        assert queued[0].ticket == ticket < queued[1].ticket
        desk.drop("Ann")
        time_passes(desk, clock, GRACE)
        users_connect(desk, "Cid")
        forget_events(desk)
        users_arrive(desk, "Ann")
        desk.connect("Ann", ticket)
        assert_events(desk, Queued("Ann", 0))
        assert desk.ticket("Ann") == ticket
        time_passes(desk, clock, 1.0)
        assert_events(desk, Queued("Bob", 1), Queued("Cid", 2))

    @pytest.mark.parametrize("how", ["served", "withdrawn", "left", "served at once"])
    def test_a_ticket_is_void_once_it_was_used_or_given_up(
        self, small_desk: Desk, clock: Clock, how: str
    ) -> None:
        users_connect(small_desk, "Ann", "Bob", "Cid")
        ticket = small_desk.ticket("Ann")
        if how == "withdrawn":
            small_desk.withdraw("Ann")
        elif how == "left":
            small_desk.leave("Ann")
            users_arrive(small_desk, "Ann")
        else:
            if how == "served at once":  # it has come back without its ticket
                for name in ("Ann", "Bob", "Cid"):
                    small_desk.drop(name)
                time_passes(small_desk, clock, GRACE)
                waiters_get_ready(small_desk, "Wanda")
                users_connect(small_desk, "Ann", "Bob", "Cid")
            else:
                waiters_get_ready(small_desk, "Wanda")
            small_desk.part("Ann", "Wanda", "Ann")
        forget_events(small_desk)
        behind = small_desk.figures().queue_length
        small_desk.connect("Ann", ticket)
        assert places(small_desk.take_events())["Ann"] == behind
        assert small_desk.ticket("Ann") > ticket

    def test_the_ticket_of_a_new_place_is_good_again(self, small_desk: Desk, clock: Clock) -> None:
        for _ in range(3):  # in the same moment
            users_connect(small_desk, "Ann")
            small_desk.leave("Ann")
        users_connect(small_desk, "Ann", "Bob")
        ticket = small_desk.ticket("Ann")
        small_desk.drop("Ann")
        time_passes(small_desk, clock, GRACE)
        users_arrive(small_desk, "Ann")
        forget_events(small_desk)
        small_desk.connect("Ann", ticket)
        assert_events(small_desk, Queued("Ann", 0))

    def test_a_ticket_of_the_front_is_good_once(self, small_desk: Desk, clock: Clock) -> None:
        waiters_get_ready(small_desk, "Wanda")
        users_connect(small_desk, "Ann", "Bob")
        small_desk.drop("Wanda")
        time_passes(small_desk, clock, GRACE)
        ticket = small_desk.ticket("Ann")
        for place in (0, 1):
            small_desk.drop("Ann")
            time_passes(small_desk, clock, GRACE)
            users_arrive(small_desk, "Ann")
            forget_events(small_desk)
            small_desk.connect("Ann", ticket)
            assert_events(small_desk, Queued("Ann", place))
            small_desk.withdraw("Ann")
            small_desk.connect("Ann")

    def test_tickets_are_microseconds_and_negative_at_the_front(
        self, small_desk: Desk, clock: Clock
    ) -> None:
        waiters_get_ready(small_desk, "Wanda")
        users_connect(small_desk, "Ann", "Bob", "Cid")
        assert small_desk.ticket("Bob") > 0
        small_desk.drop("Wanda")
        time_passes(small_desk, clock, GRACE)
        assert small_desk.ticket("Ann") < 0 < small_desk.ticket("Bob") < small_desk.ticket("Cid")

    def test_a_ticket_from_the_future_is_worth_a_place_at_the_back(
        self, desk: Desk, clock: Clock
    ) -> None:
        users_connect(desk, "Ann")
        clock.passes(1.0)
        users_arrive(desk, "Bob")
        desk.connect("Bob", 1 << 52)
        users_connect(desk, "Cid")
        assert_events(desk, Queued("Ann", 0), Queued("Bob", 1), Queued("Cid", 2))
        assert desk.ticket("Bob") < desk.ticket("Cid") < 1 << 52

    def test_a_conversation_goes_on_while_its_user_is_queued_again(
        self, small_desk: Desk, clock: Clock
    ) -> None:
        conversation = (1 << 62) + 1  # more than a float holds
        waiters_get_ready(small_desk, "Wanda")
        users_arrive(small_desk, "Ann")
        small_desk.connect("Ann", conversation=conversation)
        small_desk.drop("Wanda")
        time_passes(small_desk, clock, GRACE)
        waiters_get_ready(small_desk, "Will")
        small_desk.part("Ann", "Will", "Ann")
        small_desk.connect("Ann", conversation=7)
        assert [
            (type(event), event.conversation)
            for event in small_desk.take_events()
            if isinstance(event, Matched | Parted)
        ] == [
            (Matched, conversation),
            (Parted, conversation),
            (Matched, conversation),
            (Parted, conversation),
            (Matched, 7),
        ]

    # ---- what becomes of who asks -----------------------------------------

    def test_who_asks_gets_the_number_that_all_events_name(self, small_desk: Desk) -> None:
        conversation = (1 << 62) + 1  # more than a float holds
        users_arrive(small_desk, "Ann", "Bob", "Cid")
        numbers = [
            small_desk.connect(name, conversation=conversation + n)
            for n, name in enumerate(("Ann", "Bob", "Cid"))
        ]
        assert numbers == [conversation, conversation + 1, conversation + 2]
        assert small_desk.connect("Ann", conversation=conversation + 9) == 0  # it waits
        small_desk.withdraw("Ann")
        small_desk.leave("Bob")
        waiters_get_ready(small_desk, "Wanda")
        assert small_desk.connect("Cid", conversation=conversation + 9) == 0  # it is served
        named = [
            getattr(event, "asked", 0) or event.conversation
            for event in small_desk.take_events()
            if isinstance(event, Withdrawn | Departed | Matched)
        ]
        assert named == numbers

    def test_who_was_served_has_asked_for_nothing_more(self, small_desk: Desk) -> None:
        waiters_get_ready(small_desk, "Wanda")
        users_arrive(small_desk, "Ann", "Bob")
        assert small_desk.connect("Ann", conversation=7) == 7
        small_desk.leave("Ann")
        small_desk.leave("Bob")  # has never asked
        asked = [one.asked for one in small_desk.take_events() if isinstance(one, Departed)]
        assert asked == [0, 0]

    # ---- who is away and has said nothing --------------------------------

    def test_an_anonymous_visitor_who_has_said_nothing_is_waited_for_briefly(
        self, desk: Desk, clock: Clock
    ) -> None:
        waiters_get_ready(desk, "Wanda")
        users_connect(desk, "Ann", "Bob", "Cid")
        desk.drop("Bob", Absence.SILENT)
        desk.drop("Ann", Absence.ANONYMOUS)
        desk.drop("Cid", Absence.SPOKEN)
        forget_events(desk)
        time_passes(desk, clock, ANONYMOUS_GRACE - 0.5)
        assert_silent(desk)
        time_passes(desk, clock, 0.5)
        assert_events(desk, Parted("Ann", "Wanda", "Ann", Reason.LOST), Departed("Ann"))
        time_passes(desk, clock, GRACE - ANONYMOUS_GRACE)
        assert_events(
            desk,
            Parted("Bob", "Wanda", "Bob", Reason.LOST),
            Departed("Bob"),
            Parted("Cid", "Wanda", "Cid", Reason.LOST),
            Departed("Cid"),
        )

    def test_an_anonymous_visitor_who_is_back_in_time_stands_where_it_stood(
        self, small_desk: Desk, clock: Clock
    ) -> None:
        waiters_get_ready(small_desk, "Wanda")
        users_connect(small_desk, "Ann", "Bob", "Cid")
        for name in ("Ann", "Bob"):
            small_desk.drop(name, Absence.ANONYMOUS)
        time_passes(small_desk, clock, ANONYMOUS_GRACE - 0.5)
        for name in ("Ann", "Bob"):
            returns(small_desk, Role.USER, name)
        time_passes(small_desk, clock, GRACE)
        forget_events(small_desk)
        assert small_desk.part("Ann", "Wanda", "Ann")
        assert_events(small_desk, Parted("Ann", "Wanda", "Ann"), Matched("Bob", "Wanda"))

    def test_a_grace_period_is_never_longer_for_an_anonymous_visitor(self, clock: Clock) -> None:
        desk = self.open(clock, grace=2.0)
        users_connect(desk, "Ann")
        desk.drop("Ann", Absence.ANONYMOUS)
        forget_events(desk)
        time_passes(desk, clock, 2.0)
        assert_events(desk, Departed("Ann"))

    def test_who_has_said_something_keeps_its_whole_grace_for_the_conversation(
        self, desk: Desk, clock: Clock
    ) -> None:
        waiters_get_ready(desk, "Wanda")
        users_connect(desk, "Ann")
        desk.drop("Ann", Absence.SPOKEN)
        returns(desk, Role.USER, "Ann")
        desk.drop("Ann", Absence.ANONYMOUS)  # by a worker that has heard nothing from it
        forget_events(desk)
        time_passes(desk, clock, GRACE - 0.5)
        assert_silent(desk)
        returns(desk, Role.USER, "Ann")
        desk.part("Ann", "Wanda", "Ann")
        desk.connect("Ann")
        desk.drop("Ann", Absence.ANONYMOUS)
        forget_events(desk)
        time_passes(desk, clock, ANONYMOUS_GRACE)
        assert_events(desk, Parted("Ann", "Wanda", "Ann", Reason.LOST), Departed("Ann"))

    def test_the_seats_of_the_absent_are_for_those_who_are_here(self, clock: Clock) -> None:
        desk = self.open(clock, capacity=2)
        waiters_get_ready(desk, "Wanda", "Will")
        users_connect(desk, "Ann", "Bob", "Cid", "Dee")
        desk.drop("Bob", Absence.SILENT)
        desk.drop("Ann", Absence.ANONYMOUS)
        desk.drop("Dee", Absence.FULL)
        forget_events(desk)
        users_connect(desk, "Eve")  # Ann's seat is kept: of ten one is
        front = desk.ticket("Bob")
        assert_events(
            desk,
            Parted("Bob", "Will", "Will", Reason.LOST, requeued=True),
            Queued("Bob", 0),
            Matched("Eve", "Will"),
        )
        users_connect(desk, "Fay")
        assert_events(desk, Queued("Fay", 1))
        returns(desk, Role.USER, "Bob")
        assert desk.ticket("Bob") == front < 0
        desk.part("Eve", "Will", "Eve")
        assert_events(desk, Parted("Eve", "Will", "Eve"), Matched("Bob", "Will"))

    def test_a_seat_is_given_when_its_user_drops(self, clock: Clock) -> None:
        desk = self.open(clock, capacity=2)
        waiters_get_ready(desk, "Wanda")
        users_connect(desk, "Ann", "Bob", "Cid")
        desk.drop("Ann", Absence.ANONYMOUS)
        forget_events(desk)
        desk.drop("Bob", Absence.ANONYMOUS)
        assert_events(
            desk,
            Parted("Ann", "Wanda", "Wanda", Reason.LOST, requeued=True),
            Queued("Ann", 0),
            Matched("Cid", "Wanda"),
        )

    def test_no_seat_is_given_that_nobody_could_take(self, clock: Clock) -> None:
        desk = self.open(clock, capacity=2)
        waiters_get_ready(desk, "Wanda", "Will")
        users_connect(desk, "Ann", "Bob", "Cid", "Dee")
        for waiter in ("Wanda", "Will"):
            desk.unready(waiter)
        for user in ("Ann", "Bob", "Cid"):
            desk.drop(user, Absence.ANONYMOUS)
        forget_events(desk)
        users_connect(desk, "Eve")
        assert_events(desk, Queued("Eve", 0))

    def test_sixty_who_ask_and_go_hold_up_nobody(self, clock: Clock) -> None:
        desk = self.open(clock, max_queue=30)
        waiters_get_ready(desk, "Wanda", "Will", "Wu", "Wim")
        for number in range(60):
            users_connect(desk, f"nobody {number}")
            desk.drop(f"nobody {number}", Absence.ANONYMOUS)
        forget_events(desk)
        users_connect(desk, *(f"user {number}" for number in range(18)))
        matched = [one.user for one in desk.take_events() if isinstance(one, Matched)]
        assert matched == [f"user {number}" for number in range(18)]

    def test_in_a_full_queue_the_absent_make_room(self, clock: Clock) -> None:
        desk = self.open(clock, max_queue=3)
        users_connect(desk, "Ann", "Bob", "Cid")
        users_arrive(desk, "Dee", "Eve")
        desk.drop("Cid", Absence.SILENT)
        desk.drop("Bob", Absence.ANONYMOUS)
        desk.drop("Ann", Absence.FULL)
        forget_events(desk)
        desk.connect("Dee")
        assert_events(desk, Departed("Cid"), Queued("Dee", 2))
        desk.connect("Eve")
        assert_events(desk, Departed("Bob"), Queued("Eve", 2))
        users_arrive(desk, "Fay")
        with pytest.raises(QueueFull):
            desk.connect("Fay")

    # ---- many from one address -------------------------------------------

    def test_the_users_of_one_address_hold_so_many_places(self, clock: Clock) -> None:
        desk = self.open(clock, capacity=1, places=3)
        waiters_get_ready(desk, "Wanda")
        for name in ("Ann", "Bob", "Cid", "Dee"):
            desk.arrive(Role.USER, name, name, "", "192.0.2.1")
        for name in ("Ann", "Bob", "Cid"):
            desk.connect(name)
        forget_events(desk)
        desk.drop("Bob")  # the absent count
        for _ in range(2):
            with pytest.raises(AddressFull):
                desk.connect("Dee")
        assert_silent(desk)
        desk.connect("Ann")  # who has a place has it
        desk.arrive(Role.USER, "Eve", "Eve", "", "192.0.2.2")
        desk.connect("Eve")
        users_connect(desk, "Fay", "Gus", "Hal", "Ida")  # from nobody knows where
        assert desk.figures().queue_length == 7

    @pytest.mark.parametrize("how", ["withdraws", "leaves", "ends", "is left", "is lost"])
    def test_who_goes_makes_room_at_its_address(self, clock: Clock, how: str) -> None:
        desk = self.open(clock, places=1)
        for name in ("Ann", "Bob"):
            desk.arrive(Role.USER, name, name, "", "192.0.2.1")
        if how in ("ends", "is left"):
            waiters_get_ready(desk, "Wanda")
        desk.connect("Ann")
        with pytest.raises(AddressFull):
            desk.connect("Bob")
        if how == "withdraws":
            desk.withdraw("Ann")
        elif how == "leaves":
            desk.leave("Ann")
        elif how == "ends":
            desk.part("Ann", "Wanda", "Ann")
        elif how == "is left":
            desk.leave("Wanda")
        else:
            desk.drop("Ann")
            time_passes(desk, clock, GRACE)
        desk.connect("Bob")

    def test_at_a_full_address_the_silent_make_room(self, clock: Clock) -> None:
        desk = self.open(clock, capacity=2, places=3)
        waiters_get_ready(desk, "Wanda")
        for name in ("Ann", "Bob", "Cid", "Dee", "Eve"):
            desk.arrive(Role.USER, name, name, "", "192.0.2.1")
        for name in ("Ann", "Bob", "Cid"):
            desk.connect(name)
        desk.drop("Cid", Absence.ANONYMOUS)
        desk.drop("Bob", Absence.ANONYMOUS)
        forget_events(desk)
        desk.connect("Dee")
        assert_events(desk, Departed("Cid"), Queued("Dee", 0))
        desk.connect("Eve")
        assert_events(
            desk,
            Parted("Bob", "Wanda", "Bob", Reason.LOST),
            Departed("Bob"),
            Matched("Dee", "Wanda"),
            Queued("Eve", 0),
        )

    def test_a_user_who_is_queued_again_holds_one_place(self, clock: Clock) -> None:
        desk = self.open(clock, capacity=1, places=2)
        waiters_get_ready(desk, "Wanda")
        for name in ("Ann", "Bob"):
            desk.arrive(Role.USER, name, name, "", "192.0.2.1")
        desk.connect("Ann")
        desk.drop("Wanda")
        time_passes(desk, clock, GRACE)
        waiters_get_ready(desk, "Will")
        desk.connect("Bob")
        desk.part("Ann", "Will", "Will")
        desk.connect("Ann")
        assert desk.figures().users_served + desk.figures().queue_length == 2

    # ---- a restart -----------------------------------------------------

    def test_what_stood_before_a_restart_stands_again(self, small_desk: Desk, clock: Clock) -> None:
        small_desk.restore(
            [
                Standing(Role.WAITER, "subject of Wanda", "Wanda", ready=True, capacity=2),
                Standing(Role.USER, "subject of Ann", "Ann", waiter="Wanda", conversation=7),
                Standing(Role.USER, "subject of Bob", "Bob", waiter="nobody"),
            ]
        )
        assert_silent(small_desk)
        assert small_desk.figures() == Figures(1, 0, 1, 1, 0.0)
        users_connect(small_desk, "Cid")
        returns(small_desk, Role.WAITER, "Wanda")
        assert_events(small_desk, Queued("Cid", 1), Matched("Cid", "Wanda"))
        returns(small_desk, Role.USER, "Ann")
        assert small_desk.part("Ann", "Wanda", "Ann")
        assert_events(small_desk, Parted("Ann", "Wanda", "Ann"))
        time_passes(small_desk, clock, GRACE)
        assert_events(small_desk, Departed("Bob"))

    def test_a_waiter_who_does_not_come_back_after_a_restart_is_lost(
        self, desk: Desk, clock: Clock
    ) -> None:
        desk.restore(
            [
                Standing(Role.WAITER, "subject of Wanda", "Wanda", ready=True),
                Standing(Role.USER, "subject of Ann", "Ann", waiter="Wanda"),
            ]
        )
        returns(desk, Role.USER, "Ann")
        time_passes(desk, clock, GRACE)
        assert_events(
            desk, Parted("Ann", "Wanda", "Wanda", Reason.LOST), Queued("Ann", 0), Departed("Wanda")
        )

    # ---- parting -------------------------------------------------------

    @pytest.mark.parametrize("gone", ["Ann", "Wanda"])
    def test_either_side_ends_a_conversation_and_the_user_is_not_queued_again(
        self, desk: Desk, gone: str
    ) -> None:
        waiters_get_ready(desk, "Wanda")
        users_connect(desk, "Ann")
        forget_events(desk)
        assert desk.part("Ann", "Wanda", gone)
        assert_events(desk, Parted("Ann", "Wanda", gone))
        assert desk.figures().queue_length == 0
        desk.connect("Ann")
        assert_events(desk, Matched("Ann", "Wanda"))

    def test_a_freed_waiter_takes_the_next_in_the_queue(self, small_desk: Desk) -> None:
        waiters_get_ready(small_desk, "Wanda")
        users_connect(small_desk, "Ann", "Bob", "Cid")
        forget_events(small_desk)
        small_desk.part("Ann", "Wanda", "Wanda")
        assert_events(small_desk, Parted("Ann", "Wanda", "Wanda"), Matched("Bob", "Wanda"))

    def test_who_does_not_talk_cannot_part(self, desk: Desk) -> None:
        waiters_arrive(desk, "Will")
        waiters_get_ready(desk, "Wanda")
        users_connect(desk, "Ann")
        users_arrive(desk, "Bob")
        forget_events(desk)
        assert not desk.part("Ann", "Will", "Will")
        assert not desk.part("Bob", "Wanda", "Wanda")
        assert not desk.part("nobody", "Wanda", "Wanda")
        assert not desk.part("Ann", "nobody", "Ann")
        assert_silent(desk)
        assert desk.part("Ann", "Wanda", "Ann")
        assert not desk.part("Ann", "Wanda", "Ann")
        assert_events(desk, Parted("Ann", "Wanda", "Ann"))

    def test_a_user_withdraws_and_is_at_the_back_when_it_comes_again(self, desk: Desk) -> None:
        users_connect(desk, "Ann", "Bob")
        forget_events(desk)
        assert desk.withdraw("Ann")
        assert_events(desk, Withdrawn("Ann"))
        desk.connect("Ann")
        assert_events(desk, Queued("Ann", 1))
        waiters_get_ready(desk, "Wanda")
        assert_events(desk, Matched("Bob", "Wanda"), Matched("Ann", "Wanda"))

    def test_who_withdraws_leaves_in_the_order_of_decisions(self, desk: Desk, clock: Clock) -> None:
        users_connect(desk, "Ann", "Bob")
        desk.leave("Ann")
        forget_events(desk)
        time_passes(desk, clock, 1.0)
        desk.withdraw("Bob")
        desk.connect("Bob")
        assert_events(desk, Queued("Bob", 0), Withdrawn("Bob"), Queued("Bob", 0))

    def test_the_conversation_of_who_was_to_be_served_again_ends_with_the_withdrawal(
        self, desk: Desk, clock: Clock
    ) -> None:
        waiters_get_ready(desk, "Wanda")
        users_arrive(desk, "Ann")
        desk.connect("Ann", conversation=7)
        desk.drop("Wanda")
        time_passes(desk, clock, GRACE)
        forget_events(desk)
        desk.withdraw("Ann")
        (left,) = desk.take_events()
        assert (left, left.conversation) == (Withdrawn("Ann"), 7)  # type: ignore[union-attr]
        desk.connect("Ann", conversation=9)
        forget_events(desk)
        waiters_get_ready(desk, "Will")
        (matched,) = desk.take_events()
        assert (matched, matched.conversation) == (Matched("Ann", "Will"), 9)  # type: ignore[union-attr]

    def test_who_does_not_wait_cannot_withdraw(self, desk: Desk) -> None:
        waiters_get_ready(desk, "Wanda")
        users_connect(desk, "Ann")
        users_arrive(desk, "Bob")
        forget_events(desk)
        assert not desk.withdraw("Ann")
        assert not desk.withdraw("Bob")
        assert not desk.withdraw("nobody")
        assert_silent(desk)
        assert desk.figures().users_served == 1

    # ---- leaving on purpose --------------------------------------------

    def test_a_user_who_leaves_a_conversation_makes_room_for_the_next(
        self, small_desk: Desk
    ) -> None:
        waiters_get_ready(small_desk, "Wanda")
        users_connect(small_desk, "Ann", "Bob")
        forget_events(small_desk)
        small_desk.leave("Ann")
        assert_events(
            small_desk, Parted("Ann", "Wanda", "Ann"), Departed("Ann"), Matched("Bob", "Wanda")
        )

    def test_a_user_who_leaves_the_queue_is_in_nobodys_way(self, desk: Desk, clock: Clock) -> None:
        users_connect(desk, "Ann", "Bob")
        forget_events(desk)
        desk.leave("Ann")
        assert_events(desk, Departed("Ann"))
        time_passes(desk, clock, 1.0)
        assert_events(desk, Queued("Bob", 0))
        waiters_get_ready(desk, "Wanda")
        assert_events(desk, Matched("Bob", "Wanda"))

    def test_users_of_a_waiter_who_leaves_are_told_and_not_queued_again(self, desk: Desk) -> None:
        waiters_get_ready(desk, "Wanda")
        users_connect(desk, "Ann", "Bob")
        waiters_get_ready(desk, "Will")
        forget_events(desk)
        desk.leave("Wanda")
        assert_events(
            desk,
            Parted("Ann", "Wanda", "Wanda"),
            Parted("Bob", "Wanda", "Wanda"),
            Departed("Wanda"),
        )
        assert desk.figures() == Figures(1, 1, 0, 0, 0.0)
        desk.connect("Bob")
        assert_events(desk, Matched("Bob", "Will"))

    def test_a_waiter_who_has_left_gets_nobody(self, desk: Desk) -> None:
        waiters_get_ready(desk, "Wanda")
        desk.leave("Wanda")
        users_connect(desk, "Ann")
        assert_events(desk, Departed("Wanda"), Queued("Ann", 0))

    def test_who_is_no_more_can_do_no_harm(self, desk: Desk, clock: Clock) -> None:
        waiters_get_ready(desk, "Wanda")
        users_connect(desk, "Ann")
        desk.leave("Ann")
        desk.leave("Wanda")
        forget_events(desk)
        for gone in ("Ann", "Wanda", "nobody"):
            desk.leave(gone)
            desk.drop(gone)
        time_passes(desk, clock, GRACE)
        assert_silent(desk)

    # ---- away for a while ----------------------------------------------

    def test_nobody_hears_of_a_drop_that_is_mended_in_time(self, desk: Desk, clock: Clock) -> None:
        waiters_get_ready(desk, "Wanda")
        users_connect(desk, "Ann")
        forget_events(desk)
        for role, name in ((Role.USER, "Ann"), (Role.WAITER, "Wanda")):
            desk.drop(name)
            time_passes(desk, clock, GRACE - 0.25)
            returns(desk, role, name)
        time_passes(desk, clock, GRACE)
        assert_silent(desk)
        assert desk.part("Ann", "Wanda", "Ann")

    def test_every_drop_has_a_whole_grace_period(self, desk: Desk, clock: Clock) -> None:
        users_arrive(desk, "Ann")
        desk.drop("Ann")
        time_passes(desk, clock, GRACE - 1.0)
        returns(desk, Role.USER, "Ann")
        desk.drop("Ann")
        time_passes(desk, clock, GRACE - 1.0)
        assert_silent(desk)
        time_passes(desk, clock, 1.0)
        assert_events(desk, Departed("Ann"))

    def test_dropping_twice_does_not_prolong_the_grace_period(
        self, desk: Desk, clock: Clock
    ) -> None:
        users_arrive(desk, "Ann")
        desk.drop("Ann")
        time_passes(desk, clock, GRACE / 2)
        desk.drop("Ann")
        time_passes(desk, clock, GRACE / 2)
        assert_events(desk, Departed("Ann"))

    def test_grace_periods_end_in_the_order_in_which_they_began(
        self, desk: Desk, clock: Clock
    ) -> None:
        users_arrive(desk, "Ann", "Bob", "Cid")
        for user in ("Bob", "Cid", "Ann"):
            desk.drop(user)
            clock.passes(1.0)
        time_passes(desk, clock, GRACE - 2.0)
        assert_events(desk, Departed("Bob"), Departed("Cid"))
        time_passes(desk, clock, 1.0)
        assert_events(desk, Departed("Ann"))

    def test_leaving_while_away_ends_the_grace_period(self, desk: Desk, clock: Clock) -> None:
        waiters_get_ready(desk, "Wanda")
        users_connect(desk, "Ann")
        desk.drop("Ann")
        forget_events(desk)
        desk.leave("Ann")
        assert_events(desk, Parted("Ann", "Wanda", "Ann"), Departed("Ann"))
        time_passes(desk, clock, GRACE)
        assert_silent(desk)

    def test_a_user_lost_in_a_conversation_makes_room_for_the_next(
        self, small_desk: Desk, clock: Clock
    ) -> None:
        waiters_get_ready(small_desk, "Wanda")
        users_connect(small_desk, "Ann", "Bob")
        forget_events(small_desk)
        small_desk.drop("Ann")
        time_passes(small_desk, clock, GRACE - 0.25)
        assert_silent(small_desk)
        time_passes(small_desk, clock, 0.25)
        assert_events(
            small_desk,
            Parted("Ann", "Wanda", "Ann", Reason.LOST),
            Departed("Ann"),
            Matched("Bob", "Wanda"),
        )

    def test_a_user_lost_in_the_queue_is_struck_off(self, desk: Desk, clock: Clock) -> None:
        users_connect(desk, "Ann", "Bob")
        forget_events(desk)
        desk.drop("Ann")
        time_passes(desk, clock, GRACE)
        assert_events(desk, Departed("Ann"), Queued("Bob", 0))
        assert desk.figures().queue_length == 1

    def test_who_is_away_can_still_be_parted_from(self, desk: Desk, clock: Clock) -> None:
        waiters_get_ready(desk, "Wanda")
        users_connect(desk, "Ann")
        desk.drop("Ann")
        forget_events(desk)
        assert desk.part("Ann", "Wanda", "Wanda")
        assert_events(desk, Parted("Ann", "Wanda", "Wanda"))
        time_passes(desk, clock, GRACE)
        assert_events(desk, Departed("Ann"))

    # ---- users away in the queue ---------------------------------------

    def test_a_user_away_in_the_queue_is_passed_over(self, small_desk: Desk) -> None:
        users_connect(small_desk, "Ann", "Bob")
        small_desk.drop("Ann")
        forget_events(small_desk)
        waiters_get_ready(small_desk, "Wanda", "Will")
        assert_events(small_desk, Matched("Bob", "Wanda"))

    def test_a_user_back_in_the_queue_has_its_old_position(self, small_desk: Desk) -> None:
        users_connect(small_desk, "Ann", "Bob", "Cid")
        small_desk.drop("Ann")
        waiters_get_ready(small_desk, "Wanda")  # takes Bob
        forget_events(small_desk)
        returns(small_desk, Role.USER, "Ann")
        assert_silent(small_desk)
        small_desk.part("Bob", "Wanda", "Bob")
        assert_events(small_desk, Parted("Bob", "Wanda", "Bob"), Matched("Ann", "Wanda"))

    def test_a_user_back_in_the_queue_is_matched_when_a_waiter_is_free(self, desk: Desk) -> None:
        users_connect(desk, "Ann")
        desk.drop("Ann")
        waiters_get_ready(desk, "Wanda")
        forget_events(desk)
        returns(desk, Role.USER, "Ann")
        assert_events(desk, Matched("Ann", "Wanda"))

    def test_a_user_away_in_the_queue_counts_for_the_positions_of_others(
        self, small_desk: Desk, clock: Clock
    ) -> None:
        users_connect(small_desk, "Ann", "Bob", "Cid")
        small_desk.drop("Ann")
        forget_events(small_desk)
        waiters_get_ready(small_desk, "Wanda")
        time_passes(small_desk, clock, 1.0)
        assert_events(small_desk, Matched("Bob", "Wanda"), Queued("Cid", 1))

    # ---- a waiter away -------------------------------------------------

    def test_an_absent_waiter_keeps_its_users_and_gets_no_more(self, desk: Desk) -> None:
        waiters_get_ready(desk, "Wanda")
        users_connect(desk, "Ann")
        desk.drop("Wanda")
        forget_events(desk)
        users_connect(desk, "Bob")
        assert_events(desk, Queued("Bob", 0))
        desk.part("Ann", "Wanda", "Ann")
        assert_events(desk, Parted("Ann", "Wanda", "Ann"))

    def test_a_waiter_who_returns_takes_those_who_wait(self, desk: Desk) -> None:
        waiters_get_ready(desk, "Wanda")
        users_connect(desk, "Ann")
        desk.drop("Wanda")
        users_connect(desk, "Bob")
        forget_events(desk)
        returns(desk, Role.WAITER, "Wanda")
        assert_events(desk, Matched("Bob", "Wanda"))

    def test_a_waiter_who_was_not_ready_is_not_ready_on_return(self, desk: Desk) -> None:
        waiters_arrive(desk, "Wanda")
        desk.drop("Wanda")
        returns(desk, Role.WAITER, "Wanda")
        users_connect(desk, "Ann")
        assert_events(desk, Queued("Ann", 0))

    def test_a_waiter_who_returns_is_behind_its_equals(self, desk: Desk) -> None:
        waiters_get_ready(desk, "Wanda", "Will")
        desk.drop("Wanda")
        returns(desk, Role.WAITER, "Wanda")
        users_connect(desk, "Ann", "Bob")
        assert_events(desk, Matched("Ann", "Will"), Matched("Bob", "Wanda"))

    def test_users_of_a_lost_waiter_are_queued_first_in_the_order_of_service(
        self, clock: Clock
    ) -> None:
        desk = self.open(clock, capacity=3)
        waiters_get_ready(desk, "Wanda")
        users_connect(desk, "Cid", "Ann", "Bob", "Zoe")
        desk.part("Cid", "Wanda", "Cid")  # Zoe is served, after Ann and Bob
        users_connect(desk, "Dee", "Eve")
        time_passes(desk, clock, 1.0)  # nothing is left to be sent
        forget_events(desk)
        desk.drop("Wanda")
        time_passes(desk, clock, GRACE)
        assert_events(
            desk,
            Parted("Ann", "Wanda", "Wanda", Reason.LOST),
            Parted("Bob", "Wanda", "Wanda", Reason.LOST),
            Parted("Zoe", "Wanda", "Wanda", Reason.LOST),
            Queued("Ann", 0),
            Queued("Bob", 1),
            Queued("Zoe", 2),
            Departed("Wanda"),
            Queued("Dee", 3),
            Queued("Eve", 4),
        )
        waiters_get_ready(desk, "Will")
        assert_events(desk, *(Matched(user, "Will") for user in ("Ann", "Bob", "Zoe")))

    def test_users_of_a_lost_waiter_who_find_another_are_told_that_instead(
        self, clock: Clock
    ) -> None:
        desk = self.open(clock, capacity=2)
        waiters_get_ready(desk, "Wanda")
        users_connect(desk, "Ann", "Bob")
        waiters_arrive(desk, "Will")
        desk.ready("Will", 1)
        forget_events(desk)
        desk.drop("Wanda")
        time_passes(desk, clock, GRACE)
        assert_events(
            desk,
            Parted("Ann", "Wanda", "Wanda", Reason.LOST),
            Parted("Bob", "Wanda", "Wanda", Reason.LOST),
            Matched("Ann", "Will"),
            Queued("Bob", 0),
            Departed("Wanda"),
        )

    def test_a_full_queue_turns_no_user_of_a_lost_waiter_away(self, clock: Clock) -> None:
        desk = self.open(clock, capacity=1, max_queue=1)
        waiters_get_ready(desk, "Wanda")
        users_connect(desk, "Ann", "Bob")
        desk.drop("Wanda")
        time_passes(desk, clock, GRACE)
        assert desk.figures().queue_length == 2
        forget_events(desk)
        waiters_get_ready(desk, "Will")
        assert_events(desk, Matched("Ann", "Will"))

    def test_an_absent_user_of_a_lost_waiter_waits_but_is_passed_over(
        self, small_desk: Desk, clock: Clock
    ) -> None:
        waiters_get_ready(small_desk, "Wanda")
        users_connect(small_desk, "Ann", "Bob")
        small_desk.drop("Wanda")
        clock.passes(1.0)
        small_desk.drop("Ann")
        forget_events(small_desk)
        time_passes(small_desk, clock, GRACE - 1.0)
        assert_events(
            small_desk,
            Parted("Ann", "Wanda", "Wanda", Reason.LOST),
            Queued("Ann", 0),
            Departed("Wanda"),
            Queued("Bob", 1),
        )
        waiters_get_ready(small_desk, "Will")
        assert_events(small_desk, Matched("Bob", "Will"))
        returns(small_desk, Role.USER, "Ann")
        small_desk.part("Bob", "Will", "Bob")
        assert_events(small_desk, Parted("Bob", "Will", "Bob"), Matched("Ann", "Will"))

    # ---- standing ------------------------------------------------------

    def test_a_subject_has_one_uuid_for_as_long_as_it_is_here(self, desk: Desk) -> None:
        assert desk.arrive(Role.USER, "sub", "first") == Arrival("first", False)
        assert desk.arrive(Role.USER, "sub", "second") == Arrival("first", True)
        desk.drop("first")
        assert desk.arrive(Role.USER, "sub", "third") == Arrival("first", True)

    def test_one_subject_may_be_a_user_and_a_waiter(self, desk: Desk) -> None:
        assert desk.arrive(Role.USER, "sub", "Ann") == Arrival("Ann", False)
        assert desk.arrive(Role.WAITER, "sub", "Wanda") == Arrival("Wanda", False)
        desk.leave("Ann")
        assert desk.arrive(Role.WAITER, "sub", "other") == Arrival("Wanda", True)
        assert desk.arrive(Role.USER, "sub", "other") == Arrival("other", False)

    @pytest.mark.parametrize("role", Role)
    def test_who_has_left_comes_back_as_somebody_new(self, desk: Desk, role: Role) -> None:
        desk.arrive(role, "sub", "first")
        desk.leave("first")
        assert desk.arrive(role, "sub", "second") == Arrival("second", False)

    @pytest.mark.parametrize("role", Role)
    def test_who_returns_too_late_comes_back_as_somebody_new(
        self, desk: Desk, clock: Clock, role: Role
    ) -> None:
        desk.arrive(role, "sub", "first")
        desk.drop("first")
        time_passes(desk, clock, GRACE)
        assert_events(desk, Departed("first"))
        assert desk.arrive(role, "sub", "second") == Arrival("second", False)
        assert_silent(desk)

    def test_a_waiter_who_comes_back_as_somebody_new_is_not_ready(self, desk: Desk) -> None:
        waiters_get_ready(desk, "Wanda")
        desk.leave("Wanda")
        arrives(desk, Role.WAITER, "Wanda")
        users_connect(desk, "Ann")
        assert_events(desk, Departed("Wanda"), Queued("Ann", 0))

    # ---- events and figures --------------------------------------------

    def test_events_are_handed_over_once(self, desk: Desk) -> None:
        users_connect(desk, "Ann")
        assert_events(desk, Queued("Ann", 0))
        assert_silent(desk)

    def test_events_come_in_the_order_of_the_decisions(self, small_desk: Desk) -> None:
        users_connect(small_desk, "Ann", "Bob")
        waiters_get_ready(small_desk, "Wanda")
        small_desk.part("Ann", "Wanda", "Ann")
        small_desk.connect("Ann")
        small_desk.leave("Bob")
        assert_events(
            small_desk,
            Queued("Ann", 0),
            Queued("Bob", 1),
            Matched("Ann", "Wanda"),
            Parted("Ann", "Wanda", "Ann"),
            Matched("Bob", "Wanda"),
            Queued("Ann", 0),
            Parted("Bob", "Wanda", "Bob"),
            Departed("Bob"),
            Matched("Ann", "Wanda"),
        )

    def test_the_figures_of_an_empty_desk(self, desk: Desk) -> None:
        assert desk.figures() == Figures(0, 0, 0, 0, 0.0)

    def test_the_figures_of_a_busy_desk(self, clock: Clock) -> None:
        desk = self.open(clock, capacity=1)
        waiters_arrive(desk, "Walt")
        waiters_get_ready(desk, "Wanda", "Will")
        desk.drop("Will")
        users_connect(desk, "Ann", "Bob")
        clock.passes(3.0)
        users_connect(desk, "Cid")
        clock.passes(2.0)
        assert desk.figures() == Figures(
            waiters=3, waiters_ready=1, users_served=1, queue_length=2, longest_wait=5.0
        )
        desk.part("Ann", "Wanda", "Ann")
        assert desk.figures() == Figures(3, 1, 1, 1, 2.0)

    def test_the_team_is_who_is_here_and_ready(self, small_desk: Desk, clock: Clock) -> None:
        desk = small_desk
        assert desk.team(4) == []
        for name in ("Ada", "Bea", "Cy", "Di", "Ed", "Flo"):
            desk.arrive(Role.WAITER, name, name, f"{name} L.", avatar=f"/{name}.png")
        desk.arrive(Role.WAITER, "nameless", "nameless")
        for name in ("nameless", "Ada", "Bea", "Cy", "Di"):
            desk.ready(name)
        users_connect(desk, "Ann")  # whoever serves her is full, and as ready as before
        faces = {name: Face(f"{name} L.", f"/{name}.png") for name in ("Ada", "Bea", "Cy", "Di")}
        assert {*desk.team(4)} == {*faces.values()}
        assert len(desk.team(3)) == 3
        desk.unready("Ada")
        desk.drop("Bea")
        desk.leave("Cy")
        assert desk.team(4) == [faces["Di"]]
        desk.arrive(Role.WAITER, "Bea", "another", "Beatrice", avatar="")
        assert {*desk.team(4)} == {faces["Di"], Face("Beatrice", "")}
        desk.drop("Bea")
        time_passes(desk, clock, GRACE)
        desk.ready("Ada")
        assert {*desk.team(4)} == {faces["Di"], faces["Ada"]}

    # ---- out of turn ---------------------------------------------------

    def test_waiters_see_who_waits_and_what_for(self, desk: Desk, clock: Clock) -> None:
        assert desk.waiting(50) == Queue(0, [])
        desk.arrive(Role.USER, "ann", "Ann", "Ann A.", avatar="/ann.png")
        desk.connect("Ann", question="Where is my lamp?", page="/lamps")
        clock.passes(2.0)
        users_connect(desk, "Bob", "Cid")
        ann = Waiting("Ann", "Ann A.", "/ann.png", "Where is my lamp?", "/lamps", 1_000_000, "ann")
        bob, cid = (
            Waiting(one, "", "", "", "", 1_002_000, f"subject of {one}") for one in ("Bob", "Cid")
        )
        assert desk.waiting(50) == Queue(3, [ann, bob, cid])
        assert desk.waiting(2) == Queue(3, [ann, bob])
        desk.drop("Bob")
        assert desk.waiting(50) == Queue(3, [ann, cid]), "who is away cannot be taken"
        returns(desk, Role.USER, "Bob")
        assert desk.waiting(50) == Queue(3, [ann, bob, cid])

    def test_a_question_is_changed_in_the_queue_and_forgotten_behind_it(
        self, small_desk: Desk
    ) -> None:
        def asked(user: str) -> tuple[str, str]:
            return next(one[3:5] for one in small_desk.waiting(9).users if one.uuid == user)

        users_arrive(small_desk, "Ann", "Bob")
        small_desk.connect("Ann", question="why?", page="/a")
        small_desk.connect("Bob", question="when?")
        small_desk.connect("Ann", question="why not?")
        assert asked("Ann") == ("why not?", "/a")
        small_desk.connect("Ann", page="/b")
        assert asked("Ann") == ("why not?", "/b")
        small_desk.connect("Ann", question="")
        assert asked("Ann") == ("", "/b")
        small_desk.connect("Ann", question="why?")
        small_desk.withdraw("Ann")
        small_desk.connect("Ann")
        assert asked("Ann") == ("", "")
        waiters_get_ready(small_desk, "Wanda")
        small_desk.connect("Bob", question="not while it is served")
        small_desk.part("Bob", "Wanda", "Wanda")
        small_desk.connect("Bob")
        assert asked("Bob") == ("", "")

    def test_a_question_is_not_asked_again_of_the_next_waiter(
        self, small_desk: Desk, clock: Clock
    ) -> None:
        waiters_arrive(small_desk, "Wanda")
        users_arrive(small_desk, "Ann")
        small_desk.connect("Ann", question="why?")
        small_desk.ready("Wanda")
        small_desk.drop("Wanda")
        time_passes(small_desk, clock, GRACE)
        assert [one.question for one in small_desk.waiting(9).users] == [""]

    def test_what_a_user_has_filled_in_is_known_while_it_waits_and_when_it_is_matched(
        self, small_desk: Desk
    ) -> None:
        users_arrive(small_desk, "Ann")
        small_desk.connect("Ann", page="/shop", fields='{"name":"Ann"}')
        small_desk.connect("Ann")
        assert small_desk.waiting(1).users[0].fields == '{"name":"Ann"}'
        small_desk.connect("Ann", fields='{"name":"Anna"}')
        assert small_desk.waiting(1).users[0].fields == '{"name":"Anna"}'
        forget_events(small_desk)
        waiters_get_ready(small_desk, "Wanda")
        (matched,) = small_desk.take_events()
        assert isinstance(matched, Matched)
        assert (matched.page, matched.fields) == ("/shop", '{"name":"Anna"}')
        small_desk.part("Ann", "Wanda", "Ann")
        small_desk.drop("Wanda")
        small_desk.connect("Ann")
        assert small_desk.waiting(1).users[0].fields == ""

    def test_where_a_user_asks_from_is_known_when_it_waits_for_another_waiter(
        self, small_desk: Desk, clock: Clock
    ) -> None:
        waiters_get_ready(small_desk, "Wanda")
        users_arrive(small_desk, "Ann")
        small_desk.connect("Ann", question="why?", page="/a")  # served at once
        small_desk.drop("Wanda")
        time_passes(small_desk, clock, GRACE)
        assert [one[3:5] for one in small_desk.waiting(9).users] == [("", "/a")]

    def test_who_is_away_may_take_as_many_as_it_says_now(self, small_desk: Desk) -> None:
        desk = small_desk
        desk.arrive(Role.WAITER, "Wanda", "Wanda")
        desk.ready("Wanda", 1)
        users_connect(desk, "Ann", "Bob", "Cid")
        desk.unready("Wanda", 2)
        assert desk.capacity("Wanda") == 2
        assert desk.waiting(9).length == 2, "nobody is sent to who is away"
        assert desk.take("Bob", "Wanda")
        desk.unready("Wanda")
        assert desk.capacity("Wanda") == 2
        with pytest.raises(WaiterFull):
            desk.take("Cid", "Wanda")

    def test_a_waiter_takes_a_user_out_of_turn_and_the_others_keep_theirs(
        self, small_desk: Desk, clock: Clock
    ) -> None:
        waiters_arrive(small_desk, "Wanda", "Will")
        users_connect(small_desk, "Ann", "Bob", "Cid", "Dee")
        ticket = small_desk.ticket("Cid")
        clock.passes(3.0)
        forget_events(small_desk)
        assert small_desk.take("Cid", "Wanda")  # ready or not
        (matched,) = small_desk.take_events()
        assert (matched, matched.waited) == (Matched("Cid", "Wanda"), 3.0)
        time_passes(small_desk, clock, 1.0)
        assert_events(small_desk, Queued("Dee", 2))
        small_desk.ready("Will")
        assert_events(small_desk, Matched("Ann", "Will"))
        small_desk.part("Cid", "Wanda", "Cid")
        small_desk.connect("Cid", ticket)
        assert [one.uuid for one in small_desk.waiting(9).users] == ["Bob", "Dee", "Cid"]

    def test_of_two_who_take_one_user_one_gets_it(self, desk: Desk) -> None:
        waiters_arrive(desk, "Wanda", "Will")
        users_connect(desk, "Ann")
        forget_events(desk)
        assert desk.take("Ann", "Will")
        assert not desk.take("Ann", "Wanda")
        assert not desk.take("Ann", "Will")
        assert_events(desk, Matched("Ann", "Will"))

    def test_a_waiter_takes_nobody_beyond_its_capacity(self, small_desk: Desk) -> None:
        waiters_get_ready(small_desk, "Wanda")
        users_connect(small_desk, "Ann", "Bob")
        forget_events(small_desk)
        with pytest.raises(WaiterFull):
            small_desk.take("Bob", "Wanda")
        assert_silent(small_desk)
        assert small_desk.waiting(9).length == 1
        small_desk.unready("Wanda")
        small_desk.part("Ann", "Wanda", "Ann")
        assert small_desk.take("Bob", "Wanda")
        assert_events(small_desk, Parted("Ann", "Wanda", "Ann"), Matched("Bob", "Wanda"))

    def test_who_is_taken_counts_in_the_load_of_its_waiter(self, clock: Clock) -> None:
        desk = self.open(clock, capacity=2)
        waiters_get_ready(desk, "Wanda")
        users_connect(desk, "Ann", "Bob", "Cid")
        waiters_arrive(desk, "Will")
        assert desk.take("Cid", "Will")
        desk.ready("Will")
        forget_events(desk)
        users_connect(desk, "Dee", "Eve")
        assert_events(desk, Matched("Dee", "Will"), Queued("Eve", 0))

    def test_nobody_takes_who_does_not_wait_or_is_away(self, desk: Desk, clock: Clock) -> None:
        waiters_arrive(desk, "Wanda", "Will")
        users_arrive(desk, "Ann")
        users_connect(desk, "Bob", "Cid")
        desk.drop("Cid")
        assert desk.take("Bob", "Will")
        forget_events(desk)
        for user in ("Ann", "Bob", "Cid", "Wanda", "nobody", ""):
            assert not desk.take(user, "Wanda"), user
        assert_silent(desk)
        returns(desk, Role.USER, "Cid")
        assert desk.take("Cid", "Wanda")
        assert_events(desk, Matched("Cid", "Wanda"))
        desk.drop("Cid")
        time_passes(desk, clock, GRACE)
        assert not desk.take("Cid", "Will")

    def test_the_longest_wait_is_that_of_the_first_in_the_queue_away_or_not(
        self, small_desk: Desk, clock: Clock
    ) -> None:
        for user in ("Ann", "Bob", "Cid", "Dee"):
            users_connect(small_desk, user)
            clock.passes(1.0)
        small_desk.drop("Ann")
        small_desk.drop("Bob")
        waiters_get_ready(small_desk, "Wanda")  # passes Ann and Bob over, takes Cid
        assert small_desk.figures().longest_wait == 4.0
        returns(small_desk, Role.USER, "Ann")
        returns(small_desk, Role.USER, "Bob")
        assert small_desk.figures().longest_wait == 4.0
        small_desk.withdraw("Ann")
        assert small_desk.figures().longest_wait == 3.0
        small_desk.withdraw("Bob")
        assert small_desk.figures().longest_wait == 1.0

    def test_a_match_says_how_long_the_user_has_waited(
        self, small_desk: Desk, clock: Clock
    ) -> None:
        users_connect(small_desk, "Ann")
        clock.passes(3.0)
        waiters_get_ready(small_desk, "Wanda", "Will")
        users_connect(small_desk, "Bob")
        small_desk.drop("Wanda")
        time_passes(small_desk, clock, GRACE)  # Ann waits again, from now on
        clock.passes(2.0)
        small_desk.leave("Bob")
        matches = [event for event in small_desk.take_events() if isinstance(event, Matched)]
        assert [(match.user, match.waited) for match in matches] == [
            ("Ann", 3.0),
            ("Bob", 0.0),
            ("Ann", 2.0),
        ]

    def test_who_is_queued_again_begins_to_wait_again(self, small_desk: Desk, clock: Clock) -> None:
        waiters_get_ready(small_desk, "Wanda")
        users_connect(small_desk, "Ann")
        small_desk.drop("Wanda")
        time_passes(small_desk, clock, GRACE)
        clock.passes(2.0)
        assert small_desk.figures().longest_wait == 2.0

    # ---- many threads --------------------------------------------------

    @pytest.mark.usefixtures("hasty_threads")
    def test_many_threads_at_one_desk(self, clock: Clock) -> None:
        desk = self.open(clock, capacity=2)
        crowd = Crowd(desk, users=6, waiters=2)
        crowd.rush(threads=4, visits=self.rush_visits)
        ledger = Ledger(lambda waiter: 2)
        ledger.record(desk.take_events())

        crowd.all_ask()
        ledger.record(desk.take_events())
        assert desk.figures() == Figures(2, 2, users_served=4, queue_length=2, longest_wait=0.0)
        assert len(ledger.chats) == 4

        served = set()
        for _ in range(6):  # nobody was lost: every one of them gets its turn
            user, waiter = next(iter(ledger.chats.items()))
            served.add(user)
            assert desk.part(user, waiter, waiter)
            ledger.record(desk.take_events())
        assert served == crowd.users()
        assert desk.figures() == Figures(2, 2, 0, 0, 0.0)

    @pytest.fixture
    def hasty_threads(self) -> Iterator[None]:
        """Threads take turns thousands of times more often than they would."""
        usual = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        yield
        sys.setswitchinterval(usual)
