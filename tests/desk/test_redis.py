"""The desk of many workers keeps the promises of every desk, over a real Redis."""

from __future__ import annotations

import ast
import contextlib
import re
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
import redis
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from services.bounds import TICKET_LIFETIME
from services.desk.mailbox import Mailbox
from services.desk.port import (
    READS,
    Arrival,
    Departed,
    DeskUnavailable,
    Figures,
    Known,
    Matched,
    Moved,
    OpenConversation,
    Parted,
    Place,
    Queued,
    Reason,
    Role,
    Standing,
)
from services.desk.redis import LEASE, RedisDesk
from services.desk.scripts import SCRIPTS
from services.desk.vocabulary import FRESH_MATCH
from services.shared.figures import LatestFigures
from testkit.proxy import TO_CLIENT, FaultProxy
from testkit.redis import RedisServer

from .conformance import GRACE, DeskConformance
from .crew import Crew, desk_name
from .departments import DepartmentConformance
from .explained import ExplainConformance
from .helpers import Clock, time_passes, users_arrive, users_connect, waiters_get_ready
from .model import PlainUser
from .office import PATIENT, Office, they_live
from .patience import PatienceConformance
from .stateful import DAY, DeskMachine, picked, picks, some
from .transfers import TransferConformance

IMPATIENT = 0.5  # s that a worker waits for a Redis that will not answer


class TestRedisDesk(
    ExplainConformance,
    PatienceConformance,
    TransferConformance,
    DepartmentConformance,
    DeskConformance,
):
    """The suite of all desks, by one worker."""

    rush_visits = 300  # each is a way to Redis and back

    @pytest.fixture(autouse=True)
    def on(self, redis_server: RedisServer) -> None:
        self.url = redis_server.url

    def make(self, clock: Clock, **settings: float) -> RedisDesk:
        name = desk_name()
        return RedisDesk(self.url, desk=name, worker="w", now=clock, timeout=PATIENT, **settings)


@pytest.fixture(scope="module", autouse=True)
def lives_on(redis_server: RedisServer) -> None:
    """Where the random lives are lived: hypothesis makes its machines by itself."""
    RedisDeskMachine.url = redis_server.url


class RedisDeskMachine(DeskMachine):
    """Random lives of all desks, by several workers of whom some die."""

    url = ""
    desk: Crew

    @initialize(workers=st.integers(1, 4), seed=st.integers(0, 1 << 32), **DAY)
    def open(self, workers: int, seed: int, **day: int) -> None:
        self.workers, self.seed = workers, seed
        super().open(**day)

    def make(self, clock: Clock, **settings: float) -> Crew:
        self.desk = Crew(self.url, clock, self.workers, self.seed, **settings)
        return self.desk

    def teardown(self) -> None:
        self.desk.close()

    def held_by_several(self) -> list[str]:
        return sorted(who for who, held in self.desk.holders.items() if len(held) > 1)

    @some("held_by_several")
    @rule(pick=picks)
    def loses_one_of_several_connections(self, pick: int) -> None:
        """It is here all the same."""
        self.desk.lose_one_socket(picked(self.held_by_several(), pick))
        self.agree()

    @some("everybody")
    @rule(pick=picks, many=st.integers(1, 4))
    def comes_with_more_connections(self, pick: int, many: int) -> None:
        """On the same worker or on others."""
        participant = picked(self.everybody(), pick)
        for _ in range(many):
            self.arrive_again(participant)

    @precondition(lambda machine: len(machine.desk.desks) > 1)
    @rule()
    def a_worker_dies(self) -> None:
        """Whoever had sockets only there is waited for; nobody else notices."""
        people = {participant.uuid: participant for participant in self.everybody()}
        for uuid in self.desk.kill():
            self.model.drop(people[uuid])
        self.model.tick()
        self.agree(after_tick=True)

    @rule()
    def a_worker_loses_its_connection_to_redis(self) -> None:
        """It joins again with what it remembers, which changes nothing."""
        self.desk.lose_line()
        self.agree()

    @precondition(lambda machine: len(machine.desk.desks) < 4)
    @rule()
    def a_worker_begins(self) -> None:
        self.desk.hire()
        self.agree()

    @invariant()
    def every_worker_remembers_its_own(self) -> None:
        """What it would tell a desk that has lost everything is true."""
        people = {participant.uuid: participant for participant in self.everybody()}
        for worker, desk in self.desk.desks.items():
            here = {uuid for uuid, own in desk._own.items() if own.present}
            assert here == {who for who, held in self.desk.holders.items() if worker in held}
            for uuid, own in desk._own.items():
                participant = people[uuid]
                if isinstance(participant, PlainUser):
                    chats = {participant.waiter.uuid} if participant.waiter else set()
                    assert (own.ticket is not None) == (participant in self.model.queue)
                    assert own.ticket is None or own.location == participant.last_sent
                    assert own.ticket is None or own.department == participant.department
                else:
                    chats = {user.uuid for user in participant.users}
                    assert (own.ready, own.capacity) == (participant.ready, participant.capacity)
                assert own.conversations.keys() == chats
                assert all(chat.other.uuid == other for other, chat in own.conversations.items())


TestRedisDeskLives = RedisDeskMachine.TestCase
TestRedisDeskLives.settings = settings(
    max_examples=60,
    stateful_step_count=50,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking would take minutes
)


# ---- several workers, by hand -------------------------------------------


def test_whoever_comes_to_another_worker_is_introduced_to_it(office: Office) -> None:
    a, b, c = (office.hire(name) for name in "abc")
    a.arrive(Role.WAITER, "wanda", "Wanda", "Wanda W.", avatar="/wanda.png")
    a.ready("Wanda", 3)
    b.arrive(Role.USER, "ann", "Ann", "Ann A.", avatar="/young.png")
    b.connect("Ann", conversation=7)
    (matched,) = (one for one in office.hears(a) if isinstance(one, Matched))
    office.hears(b)

    arrival = c.arrive(Role.USER, "ann", "another", "Ann A.", avatar="/ann.png")
    wanda = Known("Wanda", Role.WAITER, "wanda", "Wanda W.", ("a",), "/wanda.png")
    assert arrival == Arrival("Ann", True)
    assert arrival.elsewhere == ("b",)
    assert arrival.place == Place(
        conversations=(OpenConversation(wanda, 7, matched.number),),
        conversation=7,
        begun=True,
        last_waiter="wanda",
        number=matched.number,
    )
    for desk in (a, b):
        (moved,) = office.hears(desk)
        assert moved == Moved("Ann")
        assert moved.people == (Known("Ann", Role.USER, "ann", "Ann A.", ("b", "c"), "/ann.png"),)
    assert office.hears(c) == []

    place = b.arrive(Role.WAITER, "wanda", "another", "Wanda W.").place
    assert place is not None
    assert (place.ready, place.capacity) == (True, 3)
    assert [
        (chat.other.uuid, chat.other.workers, chat.conversation) for chat in place.conversations
    ] == [("Ann", ("b", "c"), 7)]
    assert b.arrive(Role.USER, "ann", "another", "Ann A.").place is None, "it knows her"


@pytest.mark.parametrize("is_fresh", [True, False])
def test_who_comes_after_a_match_is_told_its_number_if_nobody_may_have_written_it_yet(
    office: Office, clock: Clock, is_fresh: bool
) -> None:
    a, b = (office.hire(name) for name in "ab")
    a.arrive(Role.WAITER, "wanda", "Wanda")
    a.ready("Wanda", 3)
    a.arrive(Role.USER, "ann", "Ann")
    a.connect("Ann", conversation=7)
    (matched,) = (one for one in office.hears(a) if isinstance(one, Matched))
    they_live(clock, FRESH_MATCH - 1 if is_fresh else FRESH_MATCH, a, b)
    for role, subject in ((Role.USER, "ann"), (Role.WAITER, "wanda")):
        place = b.arrive(role, subject, "another").place
        assert place is not None
        (chat,) = place.conversations
        assert chat.decided == (matched.number if is_fresh else 0)


def test_whoever_comes_back_elsewhere_was_last_at_a_worker_that_is_told(office: Office) -> None:
    """That one knows what it missed, unless it is no more."""
    a, b, c = (office.hire(name) for name in "abc")
    assert a.arrive(Role.USER, "ann", "Ann").home == ""
    a.drop("Ann")
    assert a.arrive(Role.USER, "ann", "another").home == "", "this worker knows her"
    a.drop("Ann")
    back = b.arrive(Role.USER, "ann", "another")
    assert (back.home, back.elsewhere) == ("a", ())
    (moved,) = office.hears(a)
    assert [one.workers for one in moved.people] == [("b",)]
    there = c.arrive(Role.USER, "ann", "another")
    assert (there.home, there.elsewhere) == ("", ("b",))
    for desk in (b, c):
        desk.drop("Ann")
    c.close()
    assert a.arrive(Role.USER, "ann", "another").home == ""


def test_arrivals_are_numbered_whatever_is_lost(own_server: RedisServer, clock: Clock) -> None:
    """Of two logins of a waiter all workers take the same for the newer one."""
    office = Office(own_server.url, clock)
    a, b = office.hire("a"), office.hire("b")
    came = [desk.arrive(Role.WAITER, "wanda", "Wanda").came for desk in (a, b, a, b)]
    clock.passes(1.0)
    own_server.flush()
    came += [desk.arrive(Role.WAITER, "wanda", "Wanda").came for desk in (b, a)]
    assert came == sorted({*came})
    office.close()


def test_a_position_in_the_queue_is_known_on_another_worker(office: Office) -> None:
    a, b = office.hire("a"), office.hire("b")
    users_connect(a, "Ann", "Bob")
    place = b.arrive(Role.USER, "subject of Bob", "another").place
    assert place is not None
    assert (place.ticket, place.location) == (a.ticket("Bob"), 1)
    assert (b.ticket("Bob"), b.location("Bob")) == (a.ticket("Bob"), 1)


def test_who_was_here_last_hears_of_the_absent(office: Office, clock: Clock) -> None:
    a, b = office.hire("a"), office.hire("b")
    users_connect(a, "Ann")
    office.hears(a)
    a.drop("Ann")
    they_live(clock, GRACE, b, a)
    assert office.hears(a) == [Departed("Ann")]
    assert office.hears(b) == []


def test_a_worker_hears_what_others_decided_before_what_it_decides(office: Office) -> None:
    a, b = office.hire("a"), office.hire("b")
    waiters_get_ready(a, "Wanda")
    users_connect(b, "Ann")
    b.part("Ann", "Wanda", "Ann")
    users_connect(a, "Bob")  # a has not looked into its mailbox
    assert a.take_events() == [
        Matched("Ann", "Wanda"),
        Parted("Ann", "Wanda", "Ann"),
        Matched("Bob", "Wanda"),
    ]
    assert office.hears(a) == [], "and not again"
    assert a.joins == 1


# ---- leases -------------------------------------------------------------


def test_the_people_of_a_dead_worker_are_waited_for_and_then_gone(
    office: Office, clock: Clock
) -> None:
    a, b = office.hire("a"), office.hire("b")
    waiters_get_ready(a, "Wanda")
    users_connect(b, "Ann", "Bob")
    a.arrive(Role.USER, "subject of Bob", "another")
    for desk in (a, b):
        office.hears(desk)
    for _ in range(4):  # b ticks no more
        time_passes(a, clock, LEASE / 4)
    moved = [event.people[0] for event in office.hears(a)]
    assert {one.uuid: one.workers for one in moved} == {"Ann": (), "Bob": ("a",)}
    assert not office.client.exists(f"{a.prefix}box:b")
    they_live(clock, GRACE, a)
    assert office.hears(a) == [Parted("Ann", "Wanda", "Ann", Reason.LOST), Departed("Ann")]
    assert a.figures().users_served == 1


def test_all_workers_learn_that_one_was_killed(office: Office, clock: Clock) -> None:
    """It may have stored something last, and told nobody: they look it up."""
    a, b, c = (office.hire(name) for name in "abc")
    looks = [LatestFigures(desk) for desk in (a, c)]
    assert [one.look() for one in looks] == [False, False]
    c.close()
    assert not looks[0].look(), "it has sent all before it went"
    for _ in range(4):  # b ticks no more
        time_passes(a, clock, LEASE / 4)
    assert [looks[0].look() for _ in range(2)] == [True, False]
    b.close()


def test_a_worker_that_was_given_up_changes_nothing_and_joins_again(
    office: Office, clock: Clock
) -> None:
    a, b = office.hire("a"), office.hire("b")
    waiters_get_ready(a, "Wanda")
    users_connect(b, "Ann")
    b.arrive(Role.USER, "idle", "Ida")
    for desk in (a, b):
        office.hears(desk)
    for _ in range(4):
        time_passes(a, clock, LEASE / 4)
    office.hears(a)
    users_connect(b, "Bob")  # b lives after all: it joins first
    assert b.joins == 2
    assert Matched("Bob", "Wanda") in office.hears(b)
    they_live(clock, GRACE, a, b)
    assert not any(isinstance(event, Departed) for event in office.hears(a))
    assert a.figures().users_served == 2


def test_a_worker_given_up_for_too_long_learns_what_has_become_of_its_people(
    office: Office, clock: Clock
) -> None:
    a, b = office.hire("a", capacity=1), office.hire("b", capacity=1)
    waiters_get_ready(a, "Will")
    users_connect(a, "Bob")
    waiters_get_ready(b, "Wanda")
    users_connect(b, "Ann")
    users_connect(a, "Cid")
    for desk in (a, b):
        office.hears(desk)
    they_live(clock, GRACE + 2 * LEASE, a)
    office.hears(a)
    b.tick()
    assert b.joins == 2
    events = office.hears(b)
    assert Parted("Ann", "Wanda", "Wanda", Reason.UNKNOWN) in events, "their conversation is over"
    assert Matched("Cid", "Wanda") in events, "but Wanda is ready, and Cid was in the queue"
    assert b.figures() == Figures(2, 2, 2, 0, 0.0)


def test_many_at_once_reap_once(office: Office, clock: Clock) -> None:
    workers = [office.hire(f"w{number}") for number in range(6)]
    dead = office.hire("dead")
    users_arrive(dead, *(f"user {number}" for number in range(50)))
    for part in (LEASE / 2, LEASE / 2, GRACE):
        clock.passes(part)
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(RedisDesk.tick, workers))
    departures = [event for desk in workers for event in office.hears(desk)]
    assert sorted(event.participant for event in departures) == sorted(
        f"user {number}" for number in range(50)
    )


def test_who_goes_in_order_gives_its_people_back_at_once(office: Office) -> None:
    a, b = office.hire("a"), office.hire("b")
    waiters_get_ready(b, "Wanda")
    b.close()
    a.tick()
    assert a.figures().waiters_ready == 0
    assert a.figures().waiters == 1
    b.tick()
    b.drop("Wanda")
    assert b.joins == 1, "and stays away"
    assert not office.client.exists(f"{b.prefix}box:b")


def test_several_workers_restore_at_once_and_it_is_done_once(office: Office) -> None:
    standings = [
        Standing(Role.WAITER, "subject of Wanda", "Wanda", "Wanda W.", ready=True, capacity=2),
        Standing(Role.USER, "subject of Ann", "Ann", "Ann A.", 7, "Wanda"),
        Standing(Role.USER, "subject of Bob", "Bob", "Bob B.", 8),
    ]
    workers = [office.hire(f"w{number}") for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda desk: desk.restore(standings), workers))
    assert workers[0].figures() == Figures(1, 0, 1, 1, 0.0)
    place = workers[1].arrive(Role.USER, "subject of Ann", "x").place
    assert place is not None
    assert [(chat.other.name, chat.conversation) for chat in place.conversations] == [
        ("Wanda W.", 7)
    ]
    place = workers[2].arrive(Role.USER, "subject of Bob", "x").place
    assert place is not None
    assert place.conversation == 8
    assert place.ticket is not None
    workers[3].arrive(Role.WAITER, "subject of Wanda", "x")
    (match,) = workers[3].take_events()
    assert (match, match.conversation) == (Matched("Bob", "Wanda"), 8)
    workers[1].leave("Ann")
    workers[2].restore(standings)  # as the history had it a moment ago
    assert workers[0].figures().users_served == 1, "who has gone is not brought back"


# ---- Redis's own clock ---------------------------------------------------


def test_on_redis_own_clock_a_match_says_how_long_it_took(redis_server: RedisServer) -> None:
    office = Office(redis_server.url)
    desk = office.hire("a")
    users_connect(desk, "Ann")
    ticket = desk.ticket("Ann")
    assert abs(ticket / 1e6 - time.time()) < 60
    waiters_get_ready(desk, "Wanda")
    match = desk.take_events()[-1]
    assert 0 < match.waited < 60
    office.close()


def test_the_desk_lives_on_when_the_clock_jumps(redis_server: RedisServer) -> None:
    """An hour ahead or back, or half a minute in which Redis stood still: nobody is given up."""
    office = Office(redis_server.url)
    a, b = office.hire("a"), office.hire("b")
    users_connect(b, "Ann")
    b.drop("Ann")
    for seconds in (3600, -3600, 30):
        seen = int(office.client.hget(f"{a.prefix}desk", "seen"))
        office.client.hset(f"{a.prefix}desk", "seen", seen - seconds * 1_000_000)
        a.tick()
        b.tick()
    assert a.joins == b.joins == 1
    assert a.figures().queue_length == 1
    assert not any(isinstance(event, Departed) for event in office.hears(b))
    office.close()


# ---- Redis fails ---------------------------------------------------------


def busy(office: Office) -> tuple[RedisDesk, RedisDesk, Figures]:
    """Wanda (full) and Will on *a* serve Ann on *b* and Bob on *a*; Cid and Dee wait, on both."""
    a, b = office.hire("a"), office.hire("b")
    a.arrive(Role.WAITER, "wanda", "Wanda", "Wanda W.")
    a.ready("Wanda", 1)
    a.arrive(Role.WAITER, "will", "Will", "Will W.")
    a.ready("Will", 1)
    b.arrive(Role.USER, "ann", "Ann", "Ann A.")
    b.connect("Ann", conversation=1)
    a.arrive(Role.USER, "bob", "Bob", "Bob B.")
    a.connect("Bob", conversation=2)
    users_connect(a, "Cid")
    users_connect(b, "Dee")
    for desk in (a, b):
        office.hears(desk)
    return a, b, a.figures()


@pytest.mark.parametrize("first", ["a", "b"])
def test_after_a_flush_the_workers_tell_the_desk_what_it_was(
    own_server: RedisServer, clock: Clock, first: str
) -> None:
    office = Office(own_server.url, clock)
    a, b, before = busy(office)
    tickets = [desk.ticket(user) for desk, user in ((a, "Cid"), (b, "Dee"))]
    own_server.flush()
    for desk in (a, b) if first == "a" else (b, a):
        desk.tick()
    assert a.figures() == before
    assert (a.joins, b.joins) == (2, 2)
    for desk in (a, b):
        assert {type(event) for event in office.hears(desk)} <= {Queued, Moved}
    assert [a.ticket("Cid"), b.ticket("Dee")] == tickets
    clock.passes(1.0)  # matching begins again
    a.tick()
    assert b.part("Ann", "Wanda", "Ann")
    events = [*office.hears(b), *office.hears(a)]
    assert Matched("Cid", "Wanda") in events
    assert [event.conversation for event in events if isinstance(event, Parted)] == [1, 1]
    office.close()


def test_after_a_flush_who_is_not_there_any_more_is_waited_for(
    own_server: RedisServer, clock: Clock
) -> None:
    office = Office(own_server.url, clock)
    a, _, before = busy(office)
    own_server.flush()  # and b with it
    a.tick()
    assert a.figures().users_served == before.users_served
    they_live(clock, LEASE + GRACE, a)
    events = office.hears(a)
    assert Parted("Ann", "Wanda", "Ann", Reason.LOST) in events
    assert Matched("Cid", "Wanda") in events
    office.close()


def test_after_a_flush_a_waiter_of_whom_only_users_know_takes_users_again(
    own_server: RedisServer, clock: Clock
) -> None:
    office = Office(own_server.url, clock)
    a, b = office.hire("a"), office.hire("b")
    waiters_get_ready(b, "Wanda")
    users_connect(a, "Ann")
    own_server.flush()  # and b with it
    a.tick()
    assert a.arrive(Role.WAITER, "subject of Wanda", "another").uuid == "Wanda"
    a.ready("Wanda")
    assert a.capacity("Wanda") == 5
    office.close()


def test_before_anybody_comes_to_an_empty_desk_the_history_is_asked(
    own_server: RedisServer, clock: Clock
) -> None:
    office = Office(own_server.url, clock)
    a = office.hire("a")
    a.remember_by(lambda: [Standing(Role.USER, "zoe", "Zoe", "Zoe Z.", 9)])
    own_server.flush()
    arrival = a.arrive(Role.USER, "zoe", "another")
    assert arrival == Arrival("Zoe", True)
    assert arrival.place is not None
    assert arrival.place.begun
    assert a.figures().queue_length == 1
    office.close()


def test_after_a_flush_nobody_is_matched_before_all_have_joined(
    own_server: RedisServer, clock: Clock
) -> None:
    office = Office(own_server.url, clock)
    a, b = office.hire("a"), office.hire("b")
    waiters_get_ready(a, "Wanda")
    users_connect(b, "Ann")
    for desk in (a, b):
        office.hears(desk)
    a.unready("Wanda")
    users_connect(b, "Bob")
    clock.passes(5.0)
    users_connect(a, "Cid")
    own_server.flush()
    a.ready("Wanda")
    assert not any(isinstance(event, Matched) for event in office.hears(a))
    b.tick()
    time_passes(a, clock, 1.0)
    matches = [event for event in office.hears(a) if isinstance(event, Matched)]
    assert matches == [Matched("Bob", "Wanda"), Matched("Cid", "Wanda")]
    office.close()


def test_a_redis_that_comes_back_as_it_was_some_time_ago_is_not_believed(
    clock: Clock, tmp_path: Path
) -> None:
    with RedisServer(keep=True) as server:
        office = Office(server.url, clock)
        data, then = server.directory / "appendonlydir", tmp_path / "then"
        a, b = office.hire("a"), office.hire("b")
        waiters_get_ready(a, "Wanda")
        users_arrive(b, "Ann", "Bob")
        server.stop()
        shutil.copytree(data, then)
        server.start()
        for desk in (a, b):
            desk.tick()
        clock.passes(1.0)  # matching begins again
        b.connect("Ann")
        a.unready("Wanda")
        b.connect("Bob")
        b.leave("Bob")
        before = a.figures()
        for desk in (a, b):
            office.hears(desk)

        server.kill()
        shutil.rmtree(data)
        shutil.copytree(then, data)
        server.start()
        for desk in (a, b):
            desk.tick()
        assert a.figures() == before
        for desk in (a, b):
            assert {type(event) for event in office.hears(desk)} <= {Queued, Moved}
            assert desk.joins == 3
        assert b.part("Ann", "Wanda", "Ann")
        office.close()


def test_while_redis_is_away_calls_fail_at_once_and_it_comes_back_by_itself(
    own_server: RedisServer, clock: Clock
) -> None:
    office = Office(own_server.url, clock)
    a, b, before = busy(office)
    own_server.kill()
    for _ in range(100):  # 100 timeouts would be a minute
        with pytest.raises(DeskUnavailable):
            a.connect("Cid")
    with pytest.raises(DeskUnavailable):
        a.figures()
    a.drop("Cid")  # the connection is gone, whether the desk can be reached or not
    a.leave("Bob")
    a.tick()
    own_server.start()
    with pytest.raises(DeskUnavailable):
        a.figures()
    a.tick()
    b.tick()
    after = a.figures()
    assert (after.users_served, after.queue_length) == (1 + 0, 2)
    assert Departed("Bob") in office.hears(a)
    they_live(clock, GRACE, a, b)
    assert Departed("Cid") in office.hears(a)
    assert before.queue_length == 2
    office.close()


def test_an_answer_that_is_lost_is_made_up_for(redis_server: RedisServer, clock: Clock) -> None:
    around = SimpleNamespace(
        port=redis_server.port, tls=None, url=redis_server.url, ws_url="", token=None
    )
    with FaultProxy(around) as proxy:
        office = Office(redis_server.url, clock)
        b = office.hire("b")
        a = office.hire("a", url=proxy.url, timeout=IMPATIENT)
        waiters_get_ready(b, "Wanda")
        users_arrive(a, "Ann")
        for desk in (a, b):
            office.hears(desk)
        office.client.script_load(SCRIPTS["connect"])  # or Redis would have to ask for it
        proxy.black_hole(TO_CLIENT)
        with pytest.raises(DeskUnavailable):
            a.connect("Ann", conversation=7)
        assert office.hears(b) == [Matched("Ann", "Wanda")], "it has happened"
        proxy.heal()
        proxy.reset()
        a.tick()
        events = office.hears(a)
        assert events == [Matched("Ann", "Wanda"), Moved("Wanda")], "and where Wanda is now"
        assert events[0].conversation == 7
        office.close()


def test_an_answer_that_nobody_got_is_missed_at_the_next_call(office: Office, clock: Clock) -> None:
    """As when Redis carries a call out after its worker has given it up and joined again."""
    a = office.hire("a")
    waiters_get_ready(a, "Wanda")
    users_arrive(a, "Ann")
    office.hears(a)
    script = office.client.register_script(SCRIPTS["connect"])
    head = ("a", a._received.number, a.mailbox_read, int(clock() * 1e6), 20_000, 5, 100, 0)
    script(keys=[f"{a.prefix}desk"], args=[*head, "Ann", "", "7", 0, "", "", "", ""])
    a.tick()
    a.tick()
    assert office.hears(a) == [Matched("Ann", "Wanda")]
    assert a.joins == 2


def test_a_call_that_is_carried_out_late_is_made_up_for(
    own_server: RedisServer, clock: Clock
) -> None:
    """Redis stands still, the call is given up, and Redis does it after all."""
    office = Office(own_server.url, clock)
    a = office.hire("a", timeout=IMPATIENT)
    waiters_get_ready(a, "Wanda")
    users_connect(a, "Bob")  # Redis knows the script now
    a.leave("Bob")
    users_arrive(a, "Ann")
    office.hears(a)
    with own_server.paused(), pytest.raises(DeskUnavailable):
        a.connect("Ann", conversation=7)
    for _ in range(2):  # whether it joins before or after that
        a.tick()
    assert a.figures().users_served == 1
    assert office.hears(a) == [Matched("Ann", "Wanda")]
    assert [*a._own["Ann"].conversations] == ["Wanda"]
    office.close()


# ---- one slot of a cluster ----------------------------------------------


@pytest.fixture
def cluster() -> Iterator[RedisServer]:
    """A node of a Redis Cluster, which refuses a script that touches two slots."""
    with RedisServer(cluster=True) as server:
        yield server


def test_a_waiter_is_frozen_where_its_pages_stand_still_at_all_workers(office: Office) -> None:
    a, b = office.hire("a"), office.hire("b")
    waiters_get_ready(a, "Wanda")
    b.arrive(Role.WAITER, "subject of Wanda", "another")
    a.freeze("Wanda", True)
    assert a.figures().waiters_ready == 1, "there is life at b"
    b.freeze("Wanda", True)
    assert a.figures().waiters_ready == 0
    a.drop("Wanda")
    users_connect(b, "Ann")
    assert not any(isinstance(event, Matched) for event in office.hears(b))
    a.arrive(Role.WAITER, "subject of Wanda", "another")  # a new page
    a.tick()
    events = [*office.hears(a), *office.hears(b)]
    assert Matched("Ann", "Wanda") in events


def test_all_keys_of_a_desk_are_in_one_slot(cluster: RedisServer, clock: Clock) -> None:
    """Redis is asked for the keys of every command that the scripts have run."""
    watcher = cluster.client()
    office = Office(cluster.url, clock)
    with watcher.monitor() as monitor:
        a, b, _ = busy(office)
        mailbox = Mailbox(a, lambda *_: None, lambda: None, lambda: None)
        mailbox.post("b", b"hello")
        mailbox.settle()
        mailbox.read(None)
        b.restore([])
        a.unready("Will")
        a.withdraw("Cid")
        b.drop("Ann")
        a.leave("Wanda")
        b.close()
        time_passes(a, clock, GRACE)
        a.location("nobody")
        office.client.echo("the end")
        commands = []
        while b'"the end"' not in (line := monitor.connection.read_response()):
            if b" lua]" in line:
                words = re.findall(rb'"(?:[^"\\]|\\.)*"', line)
                commands.append([ast.literal_eval(f"b{word.decode()}") for word in words])
    keys: set[str] = set()
    for words in commands:
        with contextlib.suppress(redis.ResponseError):  # commands without keys
            keys.update(office.client.execute_command("COMMAND GETKEYS", *words))
    assert len(commands) > 100
    names = {key.removeprefix(a.prefix).split(":")[0] for key in keys}
    assert names >= {"desk", "p", "users", "of", "box", "line", "grace", "workers", "dying"}
    assert all(key.startswith(a.prefix) for key in keys)
    assert len({cluster.execute("CLUSTER", "KEYSLOT", key) for key in keys}) == 1
    watcher.close()
    office.close()


# ---- what it keeps ------------------------------------------------------


def keys(office: Office, desk: RedisDesk) -> set[str]:
    found = office.client.keys(f"{desk.prefix}*")
    return {key.decode().removeprefix(desk.prefix) for key in found}


def test_nothing_is_kept_of_those_who_have_gone(office: Office, clock: Clock) -> None:
    desk = office.hire("a")
    for day in range(20):
        waiters_get_ready(desk, f"Wanda {day}")
        users_connect(desk, *(f"{name} {day}" for name in ("Ann", "Bob", "Cid", "Dee")))
        desk.part(f"Ann {day}", f"Wanda {day}", f"Ann {day}")
        for name in ("Wanda", "Dee"):
            desk.drop(f"{name} {day}")
        desk.withdraw(f"Cid {day}")
        time_passes(desk, clock, GRACE)
        for name in ("Ann", "Bob", "Cid"):
            desk.leave(f"{name} {day}")
        time_passes(desk, clock, GRACE)
        desk.take_events()
        assert keys(office, desk) == {"desk", "workers", "box:a", "void"}
        assert len(desk._own) == 0
    time_passes(desk, clock, TICKET_LIFETIME + GRACE)
    assert keys(office, desk) == {"desk", "workers", "box:a"}
    assert office.client.hlen(f"{desk.prefix}desk") < 30


def test_figures_tell_what_every_worker_can_read(office: Office, clock: Clock) -> None:
    new, old = office.hire("new"), office.hire("old")
    assert new.figures().reads == READS
    office.client.hdel(f"{old.prefix}desk", "reads:old")  # workers before it do not say it
    assert new.figures().reads == 1
    clock.passes(LEASE / 2)
    new.tick()
    clock.passes(LEASE / 2 + 1)
    new.tick()
    assert new.figures().reads == READS


def test_a_desk_that_was_lost_gives_no_number_again(office: Office, clock: Clock) -> None:
    worker = office.hire("a")
    users_connect(worker, "Ann")
    for _ in range(20):
        worker.withdraw("Ann")
        worker.connect("Ann")
    before = office.hears(worker)[-1]
    office.client.delete(*office.client.scan_iter(f"{worker.prefix}*"))
    clock.passes(1.0)
    worker.tick()
    worker.tick()
    worker.withdraw("Ann")
    users_connect(worker, "Bob")
    (after,) = [one for one in office.hears(worker) if one.user == "Bob"]
    assert after.number > before.number
