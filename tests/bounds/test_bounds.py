"""What may be held and spent, with a clock of its own."""

from __future__ import annotations

import pytest

from services.bounds import (
    FILES_OF_ADDRESS,
    FILES_OF_ONE,
    HANDSHAKES,
    HISTORY,
    PLACES,
    REQUESTS,
    RESUME,
    TOKENS,
    UPLOADS,
    Allowance,
    Bounds,
    share,
)
from services.limits import KeyedCounts


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize(
    ("connections", "places"), [(0, 0), (1, 1), (3, 3), (50, 50), (100, 50), (1000, 500)]
)
def test_an_address_may_hold_as_much_as_its_connections_say(connections, places):
    assert share(PLACES, connections) == Bounds(connections).places == places


def test_an_office_of_fifty_gets_what_it_needs(clock):
    bounds = Bounds(100, clock)
    assert PLACES >= 50
    assert REQUESTS >= 50
    for _ in range(2):
        assert [bounds.let_in("192.0.2.1") for _ in range(101)] == [""] * 100 + ["address"]
        for _ in range(100):  # all of them come back
            bounds.connections.enter_expected("192.0.2.1")
            bounds.leave("192.0.2.1")
    for _ in range(50):  # and each of them has a token within a minute
        clock.now += 60 / 50
        assert bounds.allow_token("192.0.2.1")


def test_each_address_has_bounds_of_its_own(clock):
    bounds = Bounds(100, clock)

    def opens(address: str) -> bool:
        if bounds.let_in(address):
            return False
        bounds.connections.enter_expected(address)
        bounds.leave(address)
        return True

    for take, rate in ((opens, HANDSHAKES), (bounds.allow_token, TOKENS)):
        assert sum(take("192.0.2.1") for _ in range(1000)) == rate.at_once
        assert take("192.0.2.2")
        clock.now += 1
        assert sum(take("192.0.2.1") for _ in range(1000)) == rate.a_second


@pytest.mark.parametrize(("connections", "address"), [(0, "192.0.2.1"), (100, "")])
def test_no_bound_by_address_where_it_is_lifted_or_unknown(clock, connections, address):
    bounds = Bounds(connections, clock)
    assert all(bounds.let_in(address) == "" for _ in range(1000))
    assert all(bounds.allow_token(address) for _ in range(1000))
    assert all(bounds.requests.enter(address) for _ in range(1000))


def test_room_that_was_kept_for_nobody_is_given_up():
    bounds = Bounds(2)
    for _ in range(10):
        assert bounds.let_in("192.0.2.1") == ""
        expected = bounds.expected("192.0.2.1")
        del expected  # the host has answered something else
    assert bounds.let_in("192.0.2.1") == ""
    expected = bounds.expected("192.0.2.1")
    expected.taken()
    del expected
    bounds.connections.enter_expected("192.0.2.1")
    assert [bounds.let_in("192.0.2.1") for _ in range(2)] == ["", "address"]
    assert bounds.held() == {"connections:192.0.2.1": 2}


def test_what_is_held_is_counted_in_and_out():
    counts = KeyedCounts(2)
    assert [counts.enter("a"), counts.enter("a"), counts.enter("a")] == [True, True, False]
    assert counts.enter("b")
    counts.leave("a")
    assert counts.enter("a")
    for key in ("a", "a", "b"):
        counts.leave(key)
    assert counts._held == {}


# ---- the past ------------------------------------------------------------


def test_one_auth_is_answered_with_so_much_of_the_past(clock):
    allowance = Allowance(Bounds(0, clock), "user:ann")
    sent = 0
    for _ in range(100):  # conversations
        rows = allowance.rows(1000)
        count = allowance.fit([4000] * rows)
        sent += count * (4000 + Allowance.ROW)
    assert RESUME / 2 < sent <= RESUME + 4000 + Allowance.ROW
    assert (allowance.rows(1000), allowance.fit([1])) == (0, 0)


def test_a_message_is_sent_however_long_it_is(clock):
    allowance = Allowance(Bounds(0, clock), "user:ann")
    assert allowance.fit([2 * RESUME, 1]) == 1
    assert allowance.fit([1]) == 0


def test_however_many_connections_ask_the_budget_is_the_participants(clock):
    bounds = Bounds(0, clock)
    sent = 0
    for _ in range(60):  # tabs
        allowance = Allowance(bounds, "user:ann")
        while rows := allowance.rows(1000):
            sent += allowance.fit([1000] * rows) * (1000 + Allowance.ROW)
    assert sent <= HISTORY.at_once + 1000 + Allowance.ROW
    assert Allowance(bounds, "user:bob").rows(1000) == 1000
    clock.now += 1
    assert Allowance(bounds, "user:ann").rows(1000) > 0


MOST = 1_000_000  # bytes of the largest file


def sends(bounds: Bounds, whose: str, address: str, size: int = MOST) -> bool:
    return not bounds.file_pause(whose, address, size)


def test_a_participant_sends_some_of_the_largest_files_in_an_hour(clock):
    bounds = Bounds(100, clock, max_file=MOST)
    for _ in range(FILES_OF_ONE):
        assert sends(bounds, "user:ann", "192.0.2.1")
    assert not sends(bounds, "user:ann", "192.0.2.1")
    assert sends(bounds, "user:ben", "192.0.2.1")
    pause = bounds.file_pause("user:ann", "192.0.2.2", MOST)
    assert 0 < pause <= 3600 / FILES_OF_ONE
    clock.now += pause
    assert sends(bounds, "user:ann", "192.0.2.2")


def test_so_does_an_address_whoever_asks(clock):
    bounds = Bounds(100, clock, max_file=MOST)
    sent = [sends(bounds, f"user:{number}", "192.0.2.1") for number in range(FILES_OF_ADDRESS + 1)]
    assert sent == [True] * FILES_OF_ADDRESS + [False]
    assert sends(bounds, "user:ann", "192.0.2.2")
    assert sends(bounds, "user:ann", ""), "nobody names an address"
    free = Bounds(0, clock, max_file=MOST)
    assert all(sends(free, f"user:{number}", "192.0.2.1") for number in range(2 * FILES_OF_ADDRESS))


def test_small_files_count_as_what_they_are(clock):
    bounds = Bounds(0, clock, max_file=MOST)
    assert all(sends(bounds, "user:ann", "", 1000) for _ in range(FILES_OF_ONE * 900))


def test_files_are_begun_at_a_rate(clock):
    bounds = Bounds(0, clock)
    begun = [bounds.allow_upload("user:ann") for _ in range(int(UPLOADS.at_once) + 1)]
    assert begun == [True] * int(UPLOADS.at_once) + [False]
    clock.now += 1 / UPLOADS.a_second
    assert bounds.allow_upload("user:ann")


def test_with_a_ledger_bytes_cost_what_they_are():
    """A question that costs so many units has so many times the interval, and the same room."""
    asked: list[tuple[str, float, float]] = []

    class Ledger:
        def spend(self, key: str, a_second: float, at_once: float) -> bool:
            asked.append((key, 1 / a_second, at_once / a_second))
            return True

    bounds = Bounds(100, max_file=MOST)
    bounds.share(Ledger())
    assert sends(bounds, "user:ann", "192.0.2.1", 10 * 1024)
    assert sends(bounds, "user:ann", "192.0.2.1", 1)
    assert [key for key, *_ in asked] == ["files:user:ann", "address_files:192.0.2.1"] * 2
    (_, ten, room), (_, one, same) = asked[0], asked[2]
    assert (ten, room) == (pytest.approx(10 * one), pytest.approx(same))
