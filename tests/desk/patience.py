"""What `services.desk.port` promises so that time forgets nobody, for every desk.

A phone that sleeps comes back into its conversation. `DeskConformance` is the rest of the suite.
"""

from __future__ import annotations

import pytest

from services.desk.port import (
    Absence,
    Departed,
    Department,
    Desk,
    Matched,
    OnDuty,
    Parted,
    Queued,
    Reason,
    Role,
    Rules,
    Standing,
)

from .helpers import (
    Clock,
    assert_events,
    assert_silent,
    forget_events,
    returns,
    time_passes,
    users_connect,
    waiters_arrive,
    waiters_get_ready,
)

GRACE = 20.0
AWAY = 600.0
WITHIN = 60.0


class PatienceConformance:
    """The promises of every desk to those who are away, or wait for a word."""

    @pytest.fixture
    def patient(self, clock: Clock) -> Desk:
        """Wanda serves Ann, who may be away for minutes."""
        desk: Desk = self.open(clock, away=AWAY)
        waiters_get_ready(desk, "Wanda")
        users_connect(desk, "Ann")
        forget_events(desk)
        return desk

    # ---- away ----------------------------------------------------------

    def test_a_phone_that_has_slept_for_minutes_is_served_on(
        self, patient: Desk, clock: Clock
    ) -> None:
        patient.drop("Ann", Absence.SPOKEN, may_sleep=True)
        time_passes(patient, clock, AWAY - 1)
        assert_silent(patient)
        returns(patient, Role.USER, "Ann")
        time_passes(patient, clock, AWAY)
        assert_silent(patient)
        assert patient.part("Ann", "Wanda", "Wanda")

    def test_a_phone_that_sleeps_on_is_lost(self, patient: Desk, clock: Clock) -> None:
        patient.drop("Ann", Absence.SPOKEN, may_sleep=True)
        time_passes(patient, clock, AWAY - 1)
        time_passes(patient, clock, 1)
        assert_events(patient, Parted("Ann", "Wanda", "Ann", Reason.LOST), Departed("Ann"))

    def test_who_may_not_sleep_has_the_usual_grace_period(
        self, patient: Desk, clock: Clock
    ) -> None:
        patient.drop("Ann", Absence.SPOKEN)
        time_passes(patient, clock, GRACE)
        assert_events(patient, Parted("Ann", "Wanda", "Ann", Reason.LOST), Departed("Ann"))

    def test_away_for_less_than_the_grace_period_is_for_as_long_as_that(self, clock: Clock) -> None:
        desk = self.open(clock, away=1.0)
        waiters_get_ready(desk, "Wanda")
        users_connect(desk, "Ann")
        forget_events(desk)
        desk.drop("Ann", Absence.SPOKEN, may_sleep=True)
        time_passes(desk, clock, GRACE - 1)
        assert_silent(desk)

    def test_in_the_queue_nobody_sleeps(self, clock: Clock) -> None:
        desk = self.open(clock, away=AWAY)
        users_connect(desk, "Ann")
        forget_events(desk)
        desk.drop("Ann", Absence.SPOKEN, may_sleep=True)
        time_passes(desk, clock, GRACE)
        assert_events(desk, Departed("Ann"))

    def test_a_waiter_never_sleeps(self, patient: Desk, clock: Clock) -> None:
        patient.drop("Wanda", may_sleep=True)
        time_passes(patient, clock, GRACE)
        assert_events(
            patient,
            Parted("Ann", "Wanda", "Wanda", Reason.LOST),
            Queued("Ann", 0),
            Departed("Wanda"),
        )

    def test_who_has_returned_and_drops_again_sleeps_only_if_it_may(
        self, patient: Desk, clock: Clock
    ) -> None:
        patient.drop("Ann", Absence.SPOKEN, may_sleep=True)
        returns(patient, Role.USER, "Ann")
        patient.drop("Ann", Absence.SPOKEN)
        time_passes(patient, clock, GRACE)
        assert_events(patient, Parted("Ann", "Wanda", "Ann", Reason.LOST), Departed("Ann"))

    def test_its_waiter_may_end_it(self, patient: Desk, clock: Clock) -> None:
        patient.drop("Ann", Absence.SPOKEN, may_sleep=True)
        time_passes(patient, clock, 2 * GRACE)
        assert patient.part("Ann", "Wanda", "Wanda")
        assert_events(patient, Parted("Ann", "Wanda", "Wanda"))

    def test_whose_conversation_has_ended_has_the_usual_grace_period_from_then_on(
        self, patient: Desk, clock: Clock
    ) -> None:
        patient.drop("Ann", Absence.SPOKEN, may_sleep=True)
        time_passes(patient, clock, 2 * GRACE)
        assert patient.part("Ann", "Wanda", "Wanda")
        forget_events(patient)
        time_passes(patient, clock, GRACE - 1)
        assert_silent(patient)
        time_passes(patient, clock, 1)
        assert_events(patient, Departed("Ann"))

    def test_whose_waiter_is_lost_waits_as_all_in_the_queue_from_then_on(
        self, patient: Desk, clock: Clock
    ) -> None:
        patient.drop("Ann", Absence.SPOKEN, may_sleep=True)
        patient.drop("Wanda")
        time_passes(patient, clock, GRACE)
        assert_events(
            patient,
            Parted("Ann", "Wanda", "Wanda", Reason.LOST),
            Queued("Ann", 0),
            Departed("Wanda"),
        )
        time_passes(patient, clock, GRACE - 1)
        assert_silent(patient)
        time_passes(patient, clock, 1)
        assert_events(patient, Departed("Ann"))

    def test_whose_waiter_has_left_is_gone_after_the_usual_grace_period(
        self, patient: Desk, clock: Clock
    ) -> None:
        patient.drop("Ann", Absence.SPOKEN, may_sleep=True)
        patient.leave("Wanda")
        forget_events(patient)
        time_passes(patient, clock, GRACE)
        assert_events(patient, Departed("Ann"))

    def test_who_was_requeued_in_its_sleep_is_served_again_on_its_return(
        self, patient: Desk, clock: Clock
    ) -> None:
        patient.drop("Ann", Absence.SPOKEN, may_sleep=True)
        patient.drop("Wanda")
        time_passes(patient, clock, GRACE)
        returns(patient, Role.USER, "Ann")
        forget_events(patient)
        waiters_get_ready(patient, "Wim")
        assert_events(patient, Matched("Ann", "Wim"))

    def test_who_is_handed_to_another_waiter_sleeps_on(self, patient: Desk, clock: Clock) -> None:
        patient.configure(Rules())
        waiters_arrive(patient, "Wim")
        patient.drop("Ann", Absence.SPOKEN, may_sleep=True)
        clock.passes(GRACE)
        assert patient.transfer("Ann", "Wanda", "Wim")
        forget_events(patient)
        time_passes(patient, clock, AWAY - GRACE - 1)
        assert_silent(patient)
        time_passes(patient, clock, 1)
        assert_events(patient, Parted("Ann", "Wim", "Ann", Reason.LOST), Departed("Ann"))

    def test_who_is_handed_to_a_department_waits_as_all_in_the_queue(
        self, patient: Desk, clock: Clock
    ) -> None:
        patient.configure(Rules())
        patient.drop("Ann", Absence.SPOKEN, may_sleep=True)
        clock.passes(2 * GRACE)
        assert patient.transfer("Ann", "Wanda", department="")
        forget_events(patient)
        time_passes(patient, clock, GRACE)
        assert_events(patient, Departed("Ann"))

    def test_a_silent_sleeper_makes_room_for_others(self, clock: Clock) -> None:
        desk = self.open(clock, away=AWAY, capacity=2)
        waiters_get_ready(desk, "Wanda")
        users_connect(desk, "Ann", "Bob")
        for name in ("Ann", "Bob"):
            desk.drop(name, Absence.SILENT, may_sleep=True)
        forget_events(desk)
        users_connect(desk, "Cid")
        assert_events(
            desk,
            Parted("Ann", "Wanda", "Wanda", Reason.LOST),
            Queued("Ann", 0),
            Matched("Cid", "Wanda"),
        )
        time_passes(desk, clock, GRACE)
        assert_events(desk, Departed("Ann"))

    def test_a_sleeper_who_has_written_keeps_its_seat(self, clock: Clock) -> None:
        desk = self.open(clock, away=AWAY, capacity=2)
        waiters_get_ready(desk, "Wanda")
        users_connect(desk, "Ann", "Bob")
        for name in ("Ann", "Bob"):
            desk.drop(name, Absence.SPOKEN, may_sleep=True)
        forget_events(desk)
        users_connect(desk, "Cid")
        time_passes(desk, clock, AWAY - 1)
        assert_events(desk, Queued("Cid", 0))

    def test_who_goes_at_the_same_moment_goes_before_a_sleeper(
        self, patient: Desk, clock: Clock
    ) -> None:
        users_connect(patient, "Bob")
        patient.drop("Ann", Absence.SPOKEN, may_sleep=True)
        clock.passes(AWAY - GRACE)
        patient.drop("Bob", Absence.SPOKEN)
        forget_events(patient)
        time_passes(patient, clock, GRACE)
        assert [one for one in patient.take_events() if isinstance(one, Departed)] == [
            Departed("Bob"),
            Departed("Ann"),
        ]

    def test_after_a_restart_sleepers_are_waited_for_as_long(self, clock: Clock) -> None:
        desk = self.open(clock, away=AWAY)
        waiter = Standing(Role.WAITER, "subject of Wanda", "Wanda", ready=True)
        users = [
            Standing(
                Role.USER, f"subject of {name}", name, conversation=number, waiter=served,
                may_sleep=sleeps,
            )
            for number, (name, served, sleeps) in enumerate(
                [("Ann", "Wanda", True), ("Bob", "Wanda", False), ("Cid", None, True)], 1
            )
        ]  # fmt: skip
        desk.restore([waiter, *users])
        returns(desk, Role.WAITER, "Wanda")
        forget_events(desk)
        time_passes(desk, clock, GRACE)
        assert {one.participant for one in desk.take_events() if isinstance(one, Departed)} == {
            "Bob",
            "Cid",
        }
        time_passes(desk, clock, AWAY - GRACE - 1)
        assert_silent(desk)
        time_passes(desk, clock, 1)
        assert_events(desk, Parted("Ann", "Wanda", "Ann", Reason.LOST), Departed("Ann"))

    # ---- unanswered ----------------------------------------------------

    @pytest.fixture
    def asking(self, clock: Clock) -> Desk:
        """Wanda has just got Ann, and has to write something."""
        desk: Desk = self.open(clock, answer_within=WITHIN, grace=2 * WITHIN)
        desk.configure(Rules())
        waiters_get_ready(desk, "Wanda")
        users_connect(desk, "Ann")
        forget_events(desk)
        return desk

    def test_a_waiter_who_writes_nothing_loses_the_user_and_gets_no_others(
        self, asking: Desk, clock: Clock
    ) -> None:
        time_passes(asking, clock, WITHIN - 1)
        assert_silent(asking)
        time_passes(asking, clock, 1)
        assert_events(
            asking,
            Parted("Ann", "Wanda", "Wanda", Reason.UNANSWERED),
            OnDuty("Wanda", False, 5),
            Queued("Ann", 0),
        )
        users_connect(asking, "Bob")
        assert_events(asking, Queued("Bob", 1))
        assert asking.figures().waiters_ready == 0

    def test_the_next_waiter_gets_the_user_before_all_who_wait(
        self, asking: Desk, clock: Clock
    ) -> None:
        time_passes(asking, clock, WITHIN)
        users_connect(asking, "Bob")
        forget_events(asking)
        waiters_arrive(asking, "Wim")
        asking.ready("Wim", 1)
        assert asking.take_events()[0] == Matched("Ann", "Wim")

    def test_one_entry_is_enough(self, asking: Desk, clock: Clock) -> None:
        asking.answered("Ann")
        time_passes(asking, clock, 10 * WITHIN)
        assert_silent(asking)

    def test_each_waiter_has_to_write_something(self, asking: Desk, clock: Clock) -> None:
        asking.answered("Ann")
        waiters_arrive(asking, "Wim")
        assert asking.transfer("Ann", "Wanda", "Wim")
        forget_events(asking)
        time_passes(asking, clock, WITHIN)
        assert_events(
            asking, Parted("Ann", "Wim", "Wim", Reason.UNANSWERED), Matched("Ann", "Wanda")
        )

    def test_a_waiter_who_is_ready_again_gets_it_back(self, asking: Desk, clock: Clock) -> None:
        time_passes(asking, clock, WITHIN)
        forget_events(asking)
        asking.ready("Wanda")
        assert_events(asking, Matched("Ann", "Wanda"))

    def test_the_time_of_a_user_who_is_away_stands_still(self, asking: Desk, clock: Clock) -> None:
        time_passes(asking, clock, WITHIN - 2)
        asking.drop("Ann", Absence.SPOKEN)
        time_passes(asking, clock, WITHIN)
        assert_silent(asking)
        returns(asking, Role.USER, "Ann")
        time_passes(asking, clock, 1)
        assert_silent(asking)
        time_passes(asking, clock, 1)
        assert asking.take_events()[0] == Parted("Ann", "Wanda", "Wanda", Reason.UNANSWERED)

    def test_who_has_parted_waits_for_no_answer(self, asking: Desk, clock: Clock) -> None:
        assert asking.part("Ann", "Wanda", "Wanda")
        forget_events(asking)
        time_passes(asking, clock, WITHIN)
        assert_silent(asking)
        asking.answered("Ann")
        asking.answered("nobody")
        assert_silent(asking)

    @pytest.mark.parametrize(
        ("usual", "own", "within"), [(0.0, 30, 30), (WITHIN, 30, 30), (WITHIN, None, WITHIN)]
    )
    def test_a_department_may_have_its_own_time(
        self, clock: Clock, usual: float, own: int | None, within: float
    ) -> None:
        desk = self.open(clock, answer_within=usual)
        desk.configure(Rules(1, {"": Department("", answer_within=own)}))
        waiters_get_ready(desk, "Wanda")
        users_connect(desk, "Ann", "Bob")
        desk.answered("Bob")
        forget_events(desk)
        time_passes(desk, clock, within - 1)
        assert_silent(desk)
        time_passes(desk, clock, 1)
        (parted, *_) = desk.take_events()
        assert parted == Parted("Ann", "Wanda", "Wanda", Reason.UNANSWERED)

    def test_a_department_may_have_none(self, clock: Clock) -> None:
        desk = self.open(clock, answer_within=WITHIN)
        desk.configure(Rules(1, {"": Department("", answer_within=0)}))
        waiters_get_ready(desk, "Wanda")
        users_connect(desk, "Ann")
        forget_events(desk)
        time_passes(desk, clock, 10 * WITHIN)
        assert_silent(desk)

    def test_without_such_a_time_nobody_is_moved(self, patient: Desk, clock: Clock) -> None:
        time_passes(patient, clock, 100_000)
        assert_silent(patient)

    def test_after_a_restart_only_those_wait_for_an_answer_who_had_none(self, clock: Clock) -> None:
        desk = self.open(clock, answer_within=WITHIN)
        desk.configure(Rules())
        waiter = Standing(Role.WAITER, "subject of Wanda", "Wanda")
        users = [
            Standing(
                Role.USER, f"subject of {name}", name, conversation=number, waiter="Wanda",
                answered=is_answered,
            )
            for number, (name, is_answered) in enumerate([("Ann", False), ("Bob", True)], 1)
        ]  # fmt: skip
        desk.restore([waiter, *users])
        returns(desk, Role.WAITER, "Wanda")
        time_passes(desk, clock, 1)
        returns(desk, Role.USER, "Ann")
        returns(desk, Role.USER, "Bob")
        forget_events(desk)
        time_passes(desk, clock, WITHIN)
        assert_events(desk, Parted("Ann", "Wanda", "Wanda", Reason.UNANSWERED), Queued("Ann", 0))

    # ---- idle ----------------------------------------------------------

    def test_who_is_parted_for_silence_is_parted_for_that_reason(self, patient: Desk) -> None:
        patient.configure(Rules())
        users_connect(patient, "Bob")
        forget_events(patient)
        assert patient.part("Ann", "Wanda", "Ann", Reason.IDLE)
        assert_events(patient, Parted("Ann", "Wanda", "Ann", Reason.IDLE))
        assert not patient.part("Ann", "Wanda", "Ann", Reason.IDLE)

    # ---- frozen --------------------------------------------------------

    def test_a_waiter_whose_pages_stand_still_gets_nobody(self, patient: Desk) -> None:
        patient.freeze("Wanda", True)
        assert patient.figures().waiters_ready == 0
        assert [one.ready for one in patient.colleagues(9)] == [False]
        users_connect(patient, "Bob")
        assert_events(patient, Queued("Bob", 0))
        patient.freeze("Wanda", False)
        assert_events(patient, Matched("Bob", "Wanda"))
        assert patient.figures().waiters_ready == 1

    def test_its_users_stay_and_it_may_take_one(self, patient: Desk) -> None:
        patient.freeze("Wanda", True)
        users_connect(patient, "Bob")
        forget_events(patient)
        assert patient.take("Bob", "Wanda")
        assert patient.part("Ann", "Wanda", "Wanda")

    def test_it_is_not_frozen_any_more_when_it_comes_back(self, patient: Desk) -> None:
        patient.freeze("Wanda", True)
        patient.drop("Wanda")
        patient.freeze("Wanda", True)  # too late
        returns(patient, Role.WAITER, "Wanda")
        forget_events(patient)
        users_connect(patient, "Bob")
        assert_events(patient, Matched("Bob", "Wanda"))

    def test_nobody_but_waiters_who_are_here_is_frozen(self, patient: Desk) -> None:
        for name in ("Ann", "nobody"):
            patient.freeze(name, True)
        assert_silent(patient)
