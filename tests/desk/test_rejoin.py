"""A worker that joins again: the desk is the truth, unless it has lost everything."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice, repeat
from typing import TypeVar

import pytest

from services.desk import membership
from services.desk.own_people import OwnPeople
from services.desk.port import (
    Absence,
    AddressFull,
    Departed,
    DeskUnavailable,
    Event,
    Face,
    Known,
    Matched,
    Moved,
    OnDuty,
    Parted,
    Queued,
    Reason,
    Role,
    Rules,
    Standing,
    Withdrawn,
)
from services.desk.redis import LEASE, RedisDesk
from testkit.redis import RedisServer

from .conformance import GRACE
from .helpers import Clock, arrives, returns, users_arrive, users_connect, waiters_get_ready
from .office import Office, they_live


def loses_its_line(desk: RedisDesk) -> None:
    """The next call finds the connection gone: what was in the mailbox is lost."""
    desk._calls.client.connection_pool.disconnect()


def stalls(desk: RedisDesk, clock: Clock, seconds: float, *others: RedisDesk) -> None:
    """*desk* stands still for so long, and joins again; the *others* live on."""
    joins, theirs = desk.joins, [other.joins for other in others]
    for _ in range(int(seconds)):
        clock.passes(1.0)
        for other in others:
            other.tick()
    desk.tick()
    assert desk.joins == joins + 1
    assert [other.joins for other in others] == theirs, "Redis has lost what it knew"


def is_heard(desk: RedisDesk, clock: Clock, how: str, *others: RedisDesk) -> None:
    """*desk* joins again, without having received what was done before."""
    if how == "connection lost":
        loses_its_line(desk)
        desk.tick()
    else:
        stalls(desk, clock, LEASE + 1, *others)


E = TypeVar("E", bound=Event)
HOW = pytest.mark.parametrize("how", ["connection lost", "stalled"])


def gets_ready_for(desk: RedisDesk, name: str, capacity: int) -> None:
    arrives(desk, Role.WAITER, name)
    desk.ready(name, capacity)


def they_talk(office: Office) -> tuple[RedisDesk, RedisDesk]:
    """Wanda on one worker and Ann on the other are in conversation 101; the first was sent it."""
    a, b = office.hire("a"), office.hire("b")
    waiters_get_ready(a, "Wanda")
    users_arrive(b, "Ann")
    b.connect("Ann", conversation=101)
    office.hears(a)
    return a, b


def of_kind(events: list[Event], kind: type[E]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


def workers_of(events: list[Event], participant: str) -> tuple[str, ...] | None:
    """Where the connections of *participant* are, as the last of *events* about it says."""
    known: list[Known] = [
        one for event in events for one in event.people if one.uuid == participant
    ]
    return known[-1].workers if known else None


@pytest.fixture(params=[1, 2, membership.RECALLED], ids=lambda many: f"by {many}", autouse=True)
def recalled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Whether a worker tells of its people one by one or of all at once is all the same."""
    monkeypatch.setattr(membership, "RECALLED", request.param)
    return request.param


# ---- who talks to whom ---------------------------------------------------


@HOW
def test_two_who_have_met_again_meanwhile_go_on_in_their_new_conversation(
    office: Office, clock: Clock, how: str
) -> None:
    a, b = they_talk(office)
    b.part("Ann", "Wanda", "Ann")
    b.connect("Ann", conversation=102)
    is_heard(a, clock, how, b)
    events = office.hears(a)
    (parted,), (matched,) = of_kind(events, Parted), of_kind(events, Matched)
    assert (parted.conversation, parted.gone, parted.requeued) == (101, "Ann", False)
    assert matched.conversation == 102
    assert events.index(parted) < events.index(matched)
    assert [chat.conversation for chat in a._own["Wanda"].conversations.values()] == [102]


@pytest.mark.parametrize("served", [True, False], ids=["served by another", "in the queue"])
def test_what_became_of_a_lost_waiters_user_is_written_down_by_who_knows_it(
    office: Office, clock: Clock, served: bool
) -> None:
    """The waiter's worker comes back after lease and grace, and after whoever serves now."""
    a, b = they_talk(office)
    if served:
        waiters_get_ready(b, "Will")
    stalls(a, clock, LEASE + GRACE + 2, b)
    (parted,) = of_kind(office.hears(a), Parted)
    assert (parted.user, parted.conversation, parted.requeued) == ("Ann", 101, True)
    assert parted.is_recorder is not served, "it would write over that Will serves her"
    assert parted.is_confided, "others have written what has happened"


def test_a_conversation_that_others_have_ended_is_not_gone_on_with(
    office: Office, clock: Clock
) -> None:
    """Ann waits to be served again when her worker stalls, and for longer than her grace."""
    a, b = office.hire("a"), office.hire("b")
    waiters_get_ready(b, "Wanda")
    users_arrive(a, "Ann")
    a.connect("Ann", conversation=101)
    b.drop("Wanda")
    they_live(clock, GRACE + 1, b, a)
    for desk in (a, b):
        office.hears(desk)
    stalls(a, clock, LEASE + GRACE + 2, b)
    (departed,) = of_kind(office.hears(b), Departed)
    assert departed.conversation == 101, "it is written down as ended"
    assert of_kind(office.hears(a), Queued), "she is in the queue still"
    waiters_get_ready(b, "Will")
    (matched,) = of_kind(office.hears(a), Matched)
    assert matched.conversation not in (0, 101)


def test_who_has_come_elsewhere_as_somebody_new_leaves_no_conversation_that_never_was(
    office: Office, clock: Clock
) -> None:
    """Ann has never been served when her worker stalls, and for longer than her grace."""
    a, b = office.hire("a"), office.hire("b")
    users_arrive(a, "Ann")
    a.connect("Ann", conversation=101)
    they_live(clock, LEASE, b)
    they_live(clock, GRACE + 1, b)
    b.arrive(Role.USER, "subject of Ann", "another Ann")
    a.tick()
    (departed,) = of_kind(office.hears(a), Departed)
    assert (departed.participant, departed.conversation) == ("Ann", 0)


def test_after_a_flush_conversations_under_way_go_on_over_a_lowered_capacity(
    own_server: RedisServer, clock: Clock
) -> None:
    office = Office(own_server.url, clock)
    a = office.hire("a")
    gets_ready_for(a, "Wanda", 2)
    users_connect(a, "Ann", "Bob")
    a.ready("Wanda", 1)
    users_connect(a, "Cid")
    office.hears(a)
    own_server.flush()
    they_live(clock, 2.0, a)
    events = office.hears(a)
    assert not of_kind(events, Parted)
    assert not of_kind(events, Matched), "and nobody is added to them"
    assert a.figures().users_served == 2
    a.part("Ann", "Wanda", "Ann")
    assert not of_kind(office.hears(a), Matched)
    a.part("Bob", "Wanda", "Bob")
    assert of_kind(office.hears(a), Matched) == [Matched("Cid", "Wanda")]
    office.close()


@pytest.mark.parametrize("goes_on", [True, False])
def test_after_a_flush_a_worker_that_takes_up_what_only_the_history_remembers_learns_of_it(
    office: Office, goes_on: bool
) -> None:
    """All workers that knew of the conversation are gone; one side is here, and then both."""
    history = [
        Standing(Role.WAITER, "wanda", "Wanda", "Wanda", ready=True, capacity=3),
        Standing(Role.USER, "ann", "Ann", "Ann", 101, "Wanda"),
    ]
    a = office.hire("a")
    a.remember_by(lambda: history)
    waiters_get_ready(a, "Wanda")
    if not goes_on:
        users_arrive(a, "Ann")  # another worker has ended it, and has not stored that
    office.hears(a)
    office.client.flushall()
    a.tick()
    met = [(one.user, one.conversation) for one in of_kind(office.hears(a), Matched)]
    assert met == ([("Ann", 101)] if goes_on else [])


def test_after_a_flush_whose_waiter_has_come_as_somebody_new_waits_in_front(
    own_server: RedisServer, clock: Clock
) -> None:
    office = Office(own_server.url, clock)
    a, b, c = (office.hire(name) for name in "abc")
    gets_ready_for(a, "Wanda", 1)
    users_arrive(b, "Ann")
    b.connect("Ann", conversation=101)
    users_connect(b, "Bob")
    for desk in (a, b):
        office.hears(desk)
    own_server.flush()
    c.arrive(Role.WAITER, "subject of Wanda", "another Wanda")
    b.tick()
    events = office.hears(b)
    (parted,) = of_kind(events, Parted)
    assert parted == Parted("Ann", "Wanda", "Wanda", Reason.LOST, requeued=True)
    places = {event.user: event.location for event in of_kind(events, Queued)}
    assert places["Ann"] == 0
    clock.passes(1.0)  # matching begins again
    c.ready("another Wanda", 1)
    (matched,) = of_kind(office.hears(c), Matched)
    assert (matched.user, matched.conversation) == ("Ann", 101)
    office.close()


@pytest.mark.parametrize("was_served", [True, False])
def test_after_a_flush_it_is_known_whether_the_conversation_of_who_waits_has_begun(
    own_server: RedisServer, clock: Clock, was_served: bool
) -> None:
    """Else a worker to which its user comes takes it for a new one, without its history."""
    office = Office(own_server.url, clock)
    a, b, c = (office.hire(name) for name in "abc")
    users_arrive(b, "Ann")
    if was_served:
        gets_ready_for(a, "Wanda", 1)
    b.connect("Ann", conversation=101)
    if was_served:
        a.drop("Wanda")
        they_live(clock, GRACE + 1.0, a, b, c)  # Ann waits for another one
    for desk in (a, b):
        office.hears(desk)
    own_server.flush()
    for desk in (a, b, c):
        desk.tick()
    place = c.arrive(Role.USER, "subject of Ann", "another").place
    assert place is not None
    assert (place.conversation, place.begun) == (101, was_served)
    clock.passes(1.0)  # matching begins again
    gets_ready_for(a, "Will", 1)
    (matched,) = of_kind(office.hears(c), Matched)
    assert (matched.conversation, matched.has_begun) == (101, was_served)
    office.close()


def test_after_a_flush_waiters_see_who_waits_as_before_and_take_nobody_at_once(
    own_server: RedisServer, clock: Clock
) -> None:
    office = Office(own_server.url, clock)
    a, b = office.hire("a"), office.hire("b")
    a.arrive(Role.WAITER, "wanda", "Wanda", "Wanda W.", avatar="/wanda.png")
    a.ready("Wanda", 1)
    b.arrive(Role.USER, "ann", "Ann", "Ann A.", avatar="/ann.png")
    b.connect("Ann", question="served at once", page="/a")
    b.connect("Ann", question="and served")
    b.arrive(Role.USER, "bob", "Bob", "Bob B.", avatar="/bob.png")
    b.connect("Bob", question="why?", page="/b")
    for desk in (a, b):
        office.hears(desk)
    before = a.waiting(9)
    assert before.users[0][:5] == ("Bob", "Bob B.", "/bob.png", "why?", "/b")
    assert b._own["Ann"].question == ""
    own_server.flush()
    b.tick()
    a.tick()
    with pytest.raises(DeskUnavailable):
        a.take("Bob", "Wanda")  # it is not known yet whom all others serve
    they_live(clock, 2.0, a, b)
    assert a.waiting(9).users[0][:5] == before.users[0][:5]
    assert a.team(4) == [Face("Wanda W.", "/wanda.png")]
    a.ready("Wanda", 2)
    assert b._own["Bob"].question == "why?", "not sent yet"
    office.hears(b)
    assert b._own["Bob"].question == ""
    office.close()


# ---- readiness and positions in the queue --------------------------------


@HOW
@pytest.mark.parametrize("ready", [True, False])
def test_readiness_said_elsewhere_counts(
    office: Office, clock: Clock, how: str, ready: bool
) -> None:
    a, b = office.hire("a"), office.hire("b")
    arrives(a, Role.WAITER, "Wanda")
    if not ready:
        a.ready("Wanda", 2)
    returns(b, Role.WAITER, "Wanda")
    if ready:
        b.ready("Wanda", 3)
    else:
        b.unready("Wanda")
    is_heard(a, clock, how, b)
    assert of_kind(office.hears(a), OnDuty) == [OnDuty("Wanda", ready, 3 if ready else 2)]
    assert a._own["Wanda"].ready is ready
    users_connect(b, "Ann")
    assert bool(of_kind(office.hears(b), Matched)) is ready


def test_readiness_said_elsewhere_counts_where_the_waiter_was_before(
    office: Office, clock: Clock
) -> None:
    a, b = office.hire("a"), office.hire("b")
    waiters_get_ready(a, "Wanda")
    a.drop("Wanda")
    returns(b, Role.WAITER, "Wanda")
    b.unready("Wanda")
    is_heard(a, clock, "connection lost")
    users_connect(b, "Ann")
    assert not of_kind(office.hears(b), Matched)
    assert "Wanda" not in a._own, "she is another worker's business"


@pytest.mark.parametrize("first", ["a", "b"])
def test_after_a_flush_all_agree_on_a_readiness_that_not_all_had_heard_of(
    own_server: RedisServer, clock: Clock, first: str
) -> None:
    office = Office(own_server.url, clock)
    a, b = office.hire("a"), office.hire("b")
    waiters_get_ready(a, "Wanda")
    returns(b, Role.WAITER, "Wanda")
    b.unready("Wanda")
    own_server.flush()
    for desk in (a, b) if first == "a" else (b, a):
        desk.tick()
    ready = bool(a.figures().waiters_ready)
    for desk in (a, b):
        office.hears(desk)
        assert desk._own["Wanda"].ready is ready
    office.close()


@HOW
@pytest.mark.parametrize("served", [True, False], ids=["served", "withdrawn"])
def test_who_has_left_the_queue_elsewhere_is_not_in_it_again(
    office: Office, clock: Clock, how: str, served: bool
) -> None:
    a, b = office.hire("a"), office.hire("b")
    users_connect(a, "Ann")
    office.hears(a)
    returns(b, Role.USER, "Ann")
    if served:
        waiters_get_ready(b, "Wanda")
        b.part("Ann", "Wanda", "Ann")
    else:
        b.withdraw("Ann")
    office.hears(b)
    is_heard(a, clock, how, b)
    assert of_kind(office.hears(a), Withdrawn) == [Withdrawn("Ann")]
    assert a._own["Ann"].ticket is None
    waiters_get_ready(b, "Will")
    assert not of_kind(office.hears(b), Matched)


@HOW
def test_a_conversation_that_was_to_go_on_has_ended_with_the_withdrawal(
    office: Office, clock: Clock, how: str
) -> None:
    a, b = office.hire("a"), office.hire("b")
    waiters_get_ready(a, "Wanda")
    users_arrive(a, "Ann")
    a.connect("Ann", conversation=101)
    returns(b, Role.USER, "Ann")
    a.drop("Wanda")
    for _ in range(int(GRACE)):
        clock.passes(1.0)
        a.tick()
        b.tick()
    assert of_kind(office.hears(a), Queued) == [Queued("Ann", 0)]
    b.withdraw("Ann")
    (left,) = of_kind(office.hears(b), Withdrawn)
    assert (left.conversation, left.is_confided, left.is_recorder) == (101, False, False)
    is_heard(a, clock, how, b)
    (left,) = of_kind(office.hears(a), Withdrawn)
    assert (left.conversation, left.is_confided, left.is_recorder) == (101, True, False)
    assert a._own["Ann"].conversation == 0
    b.connect("Ann", conversation=102)
    waiters_get_ready(b, "Will")
    (matched,) = of_kind(office.hears(a), Matched)
    assert matched.conversation == 102


def test_a_position_that_was_decided_before_the_withdrawal_is_read_before_it(
    office: Office, clock: Clock
) -> None:
    """The reply of the call carries the letter that was not read yet."""
    a, b = office.hire("a"), office.hire("b")
    users_connect(b, "Bob")
    users_connect(a, "Ann")
    b.leave("Bob")
    office.hears(a)
    clock.passes(1.0)
    b.tick()
    a.withdraw("Ann")
    assert a.take_events() == [Queued("Ann", 0), Withdrawn("Ann")]


# ---- where people are ----------------------------------------------------


@HOW
def test_a_worker_that_joins_again_hears_where_else_its_people_are(
    office: Office, clock: Clock, how: str
) -> None:
    a, b, c = (office.hire(name) for name in "abc")
    users_arrive(a, "Ann", "Bob")
    returns(b, Role.USER, "Bob")
    office.hears(a)
    returns(b, Role.USER, "Ann")
    b.drop("Bob")
    is_heard(a, clock, how, b, c)
    events = office.hears(a)
    assert {*of_kind(events, Moved)} == {Moved("Ann"), Moved("Bob")}
    assert {*(workers_of(events, "Ann") or ())} == {"a", "b"}
    assert workers_of(events, "Bob") == ("a",)
    loses_its_line(a)
    a.tick()
    assert not office.hears(a), "once is enough"


@pytest.mark.parametrize("first", ["a", "b"])
def test_after_a_flush_workers_hear_where_their_people_are(
    own_server: RedisServer, clock: Clock, first: str
) -> None:
    """Ann's connection to one of two workers is lost while Redis is away."""
    office = Office(own_server.url, clock)
    a, b = office.hire("a"), office.hire("b")
    users_arrive(a, "Ann")
    returns(b, Role.USER, "Ann")
    for desk in (a, b):
        office.hears(desk)
    own_server.kill()
    for desk in (a, b):
        desk.tick()
    a.drop("Ann")
    own_server.start()
    for desk in (a, b) if first == "a" else (b, a):
        desk.tick()
    assert workers_of(office.hears(b), "Ann") == ("b",)
    assert workers_of(office.hears(a), "Ann") == ("b",)
    assert "Ann" not in a._own, "she is another worker's business"
    office.close()


# ---- big workers ---------------------------------------------------------


class Interrupted(OwnPeople):
    """Each time when they are about to be handed over, the next of *doings* happens before."""

    def __init__(self, own: OwnPeople, doings: Iterable[Callable[[], object]]) -> None:
        super().__init__("a")
        self.update(own)
        self._doings = iter(doings)

    def memory(self, uuids: Iterable[str]) -> bytes:
        found = super().memory(uuids)
        for happens in islice(self._doings, 1):
            happens()
        return found


def test_others_are_served_while_a_big_worker_joins(
    office: Office, clock: Clock, recalled: int
) -> None:
    a, b = office.hire("a"), office.hire("b")
    users_arrive(a, *(f"user {number}" for number in range(20)))
    served: list[int] = []
    a._received.own = Interrupted(
        a._received.own, repeat(lambda: served.append(b.figures().users_served))
    )
    is_heard(a, clock, "connection lost")
    assert len(served) == -(-20 // recalled)


@HOW
def test_what_happens_while_a_worker_joins_is_heard_before_it_tells_of_it(
    office: Office, clock: Clock, how: str
) -> None:
    a, b = office.hire("a"), office.hire("b")
    waiters_get_ready(b, "Wanda")
    users_connect(a, "Ann", "Bob", "Cid")
    office.hears(a)
    doings = [partial(b.part, user, "Wanda", "Wanda") for user in ("Cid", "Bob")]
    a._received.own = Interrupted(a._received.own, doings)
    is_heard(a, clock, how, b)
    events = office.hears(a)
    assert of_kind(events, Parted) == [
        Parted("Cid", "Wanda", "Wanda"),
        Parted("Bob", "Wanda", "Wanda"),
    ]
    assert not of_kind(events, Matched)
    assert [*a._own["Ann"].conversations] == ["Wanda"]
    assert a.joins == 2


def test_a_worker_that_is_interrupted_while_it_joins_begins_again(
    own_server: RedisServer, clock: Clock, recalled: int
) -> None:
    """Redis has lost everything; its connection is lost before the worker has handed over all."""
    office = Office(own_server.url, clock)
    a = office.hire("a")
    gets_ready_for(a, "Wanda", 2)
    users_connect(a, "Ann", "Bob")
    users_arrive(a, "Cid")
    a.connect("Cid", conversation=101)
    office.hears(a)
    before = a.figures()
    own_server.flush()
    doings = [lambda: None, lambda: loses_its_line(a)]
    a._received.own = Interrupted(a._received.own, doings if recalled < 3 else doings[1:])
    a.tick()
    assert a.joins == 3
    assert a.figures() == before
    clock.passes(1.0)  # matching begins again
    a.part("Ann", "Wanda", "Ann")
    (matched,) = of_kind(office.hears(a), Matched)
    assert (matched, matched.conversation) == (Matched("Cid", "Wanda"), 101)
    office.close()


def test_places_of_an_address_are_counted_again_after_all_was_lost(
    office: Office, clock: Clock
) -> None:
    a, b = office.hire("a", places=2), office.hire("b", places=2)
    waiters_get_ready(a, "Wanda")
    for desk, name in ((a, "Ann"), (b, "Bob")):
        desk.arrive(Role.USER, name, name, "", "192.0.2.1")
        desk.connect(name)
    office.client.flushall()
    for _ in range(3):
        clock.passes(1.0)
        for desk in (a, b):
            desk.tick()
    for desk, name in ((a, "Cid"), (b, "Dee")):
        desk.arrive(Role.USER, name, name, "", "192.0.2.1")
        with pytest.raises(AddressFull):
            desk.connect(name)
    b.leave("Bob")
    a.connect("Cid")


# ---- those who are away, or wait for a word ----------------------------------


def test_after_a_flush_who_may_sleep_is_waited_for_as_long(office: Office, clock: Clock) -> None:
    a, b = office.hire("a", away=600.0), office.hire("b", away=600.0)
    waiters_get_ready(a, "Wanda")
    users_connect(b, "Ann", "Bob")
    b.drop("Ann", Absence.SPOKEN, may_sleep=True)
    b.drop("Bob", Absence.SPOKEN)
    office.hears(a)
    office.client.flushall()
    for _ in range(10):
        they_live(clock, GRACE, a, b)
    assert [one.participant for one in of_kind(office.hears(a) + office.hears(b), Departed)] == [
        "Bob"
    ]
    assert a.figures().users_served == 1


def test_after_a_flush_those_who_were_answered_stay(office: Office, clock: Clock) -> None:
    a, b = office.hire("a", answer_within=60.0), office.hire("b", answer_within=60.0)
    for desk in (a, b):
        desk.configure(Rules())
    waiters_get_ready(a, "Wanda")
    users_connect(b, "Ann", "Bob")
    office.hears(a)
    a.answered("Ann")
    office.client.flushall()
    they_live(clock, 2.0, a, b)
    office.hears(a), office.hears(b)
    they_live(clock, 60.0, a, b)
    parted = of_kind(office.hears(a), Parted)
    assert parted == [Parted("Bob", "Wanda", "Wanda", Reason.UNANSWERED)]
    assert of_kind(office.hears(b), Parted) == parted
