"""The line of users: first come, first served, and everything that bends it."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from services.desk.user_queue import UserQueue


def line(*users: str) -> UserQueue:
    """A line in which *users* have queued, the first foremost."""
    queue = UserQueue()
    for user in users:
        queue.join(user)
    return queue


def assert_line(queue: UserQueue, *users: str) -> None:
    """These users wait, in this order."""
    assert list(queue.everybody()) == list(users)
    assert len(queue) == len(users)
    assert all(user in queue for user in users)
    assert next(queue.firsts(), None) == (users[0] if users else None)


def take(queue: UserQueue) -> str | None:
    """The foremost user who is not away leaves the queue."""
    entry = queue.next()
    if entry is not None:
        assert queue.leave(entry[1])
    return entry[1] if entry is not None else None


def assert_taken(queue: UserQueue, *users: str | None) -> None:
    """These users are taken, one after the other; None stands for nobody."""
    assert [take(queue) for _ in users] == list(users)


def entries(queue: UserQueue) -> int:
    """How much the queue remembers of whom, all told."""
    kept = (queue._all, queue._present, queue._orders, queue._absent)
    return sum(len(one) for one in kept)


# ---- first come, first served ------------------------------------------


def test_nobody_waits_in_an_empty_queue() -> None:
    queue = UserQueue()
    assert_line(queue)
    assert_taken(queue, None)
    assert "Ann" not in queue


def test_who_joins_learns_how_many_are_ahead() -> None:
    queue = UserQueue()
    assert [queue.join(user) for user in ("Ann", "Bob", "Cid")] == [0, 1, 2]
    queue.leave("Ann")
    assert queue.join("Dee") == 2


def test_first_come_first_served() -> None:
    queue = line("Ann", "Bob", "Cid")
    assert_line(queue, "Ann", "Bob", "Cid")
    assert_taken(queue, "Ann", "Bob", "Cid", None)
    assert_line(queue)


def test_who_is_taken_waits_no_more() -> None:
    queue = line("Ann", "Bob")
    assert_taken(queue, "Ann")
    assert "Ann" not in queue
    assert not queue.leave("Ann")
    assert_line(queue, "Bob")


# ---- leaving -----------------------------------------------------------


def test_who_has_left_is_passed_over() -> None:
    queue = line("Ann", "Bob", "Cid", "Dee")
    assert queue.leave("Ann")
    assert queue.leave("Cid")
    assert_line(queue, "Bob", "Dee")
    assert_taken(queue, "Bob", "Dee", None)


def test_who_does_not_wait_cannot_leave() -> None:
    queue = line("Ann")
    assert not queue.leave("Bob")
    assert queue.leave("Ann")
    assert not queue.leave("Ann")


def test_who_leaves_and_joins_again_is_at_the_back() -> None:
    queue = line("Ann", "Bob")
    queue.leave("Ann")
    queue.join("Ann")
    assert_line(queue, "Bob", "Ann")
    assert_taken(queue, "Bob", "Ann", None)


# ---- at the front ------------------------------------------------------


def test_who_is_queued_again_stands_before_everybody_in_the_order_given() -> None:
    queue = line("Cid", "Dee")
    queue.join_front(iter(["Ann", "Bob"]))
    assert_line(queue, "Ann", "Bob", "Cid", "Dee")
    assert_taken(queue, "Ann", "Bob", "Cid", "Dee", None)


def test_the_latest_at_the_front_stand_before_the_earlier_ones() -> None:
    queue = line("Eve")
    queue.join_front(["Cid", "Dee"])
    queue.join_front(["Ann", "Bob"])
    assert_taken(queue, "Ann", "Bob", "Cid", "Dee", "Eve")


def test_who_is_at_the_front_may_leave_too() -> None:
    queue = line("Cid")
    queue.join_front(["Ann", "Bob"])
    queue.leave("Ann")
    assert_taken(queue, "Bob", "Cid", None)


# ---- away and back -----------------------------------------------------


def test_who_is_away_keeps_its_place_and_is_not_taken() -> None:
    queue = line("Ann", "Bob", "Cid")
    queue.away("Ann")
    assert_line(queue, "Ann", "Bob", "Cid")
    assert_taken(queue, "Bob")
    assert_line(queue, "Ann", "Cid")
    assert_taken(queue, "Cid", None)
    assert_line(queue, "Ann")


def test_who_is_back_before_its_turn_has_lost_nothing() -> None:
    queue = line("Ann", "Bob")
    queue.away("Ann")
    queue.back("Ann")
    assert_taken(queue, "Ann", "Bob", None)


def test_who_is_back_after_its_turn_is_next() -> None:
    queue = line("Ann", "Bob", "Cid")
    queue.away("Ann")
    assert_taken(queue, "Bob")
    queue.back("Ann")
    assert_line(queue, "Ann", "Cid")
    assert_taken(queue, "Ann", "Cid", None)


def test_those_who_are_back_stand_by_ticket_not_by_return() -> None:
    queue = line("Ann", "Bob", "Cid", "Dee")
    for user in ("Ann", "Bob", "Cid"):
        queue.away(user)
    assert_taken(queue, "Dee", None)
    for user in ("Cid", "Ann", "Bob"):
        queue.back(user)
    assert_line(queue, "Ann", "Bob", "Cid")
    assert_taken(queue, "Ann", "Bob", "Cid", None)


def test_who_is_back_stands_behind_those_queued_again_at_the_front() -> None:
    queue = line("Bob", "Cid")
    queue.away("Bob")
    assert_taken(queue, "Cid")
    queue.back("Bob")
    queue.join_front(["Ann"])
    assert_taken(queue, "Ann", "Bob", None)


def test_who_goes_away_again_is_passed_over_again() -> None:
    queue = line("Ann", "Bob", "Cid")
    queue.away("Ann")
    assert_taken(queue, "Bob")
    queue.back("Ann")
    queue.away("Ann")
    assert_taken(queue, "Cid", None)
    queue.back("Ann")
    assert_taken(queue, "Ann", None)


def test_who_leaves_while_away_does_not_come_back() -> None:
    queue = line("Ann", "Bob", "Cid")
    queue.away("Ann")
    queue.away("Cid")
    assert_taken(queue, "Bob", None)
    assert queue.leave("Ann")
    assert queue.leave("Cid")
    queue.back("Ann")
    queue.back("Cid")
    assert_line(queue)
    assert_taken(queue, None)


def test_who_was_away_when_it_left_is_not_away_when_it_joins_again() -> None:
    queue = line("Ann")
    queue.away("Ann")
    queue.leave("Ann")
    queue.join("Ann")
    assert_taken(queue, "Ann")


def test_who_does_not_wait_is_not_away_from_the_queue() -> None:
    queue = line("Ann")
    queue.away("Bob")
    queue.back("Cid")
    queue.join("Bob")
    assert_taken(queue, "Ann", "Bob", None)


def test_who_left_after_its_return_hides_nobody() -> None:
    queue = line("Ann", "Bob", "Cid", "Dee")
    for user in ("Ann", "Bob"):
        queue.away(user)
    assert_taken(queue, "Cid")
    for user in ("Ann", "Bob"):
        queue.back(user)
    queue.leave("Ann")
    assert_line(queue, "Bob", "Dee")
    assert_taken(queue, "Bob", "Dee", None)


# ---- what it keeps -----------------------------------------------------


def test_a_queue_behind_a_patient_user_does_not_grow_with_those_who_gave_up() -> None:
    queue = line("Ann")
    for number in range(10_000):
        queue.join(f"user {number}")
        queue.leave(f"user {number}")
        assert entries(queue) < 100
    assert_taken(queue, "Ann", None)


def test_a_queue_that_all_have_left_is_small_again() -> None:
    users = [f"user {number}" for number in range(5_000)]
    queue = line(*users)
    for user in users:
        queue.leave(user)
    assert entries(queue) < 100


def test_a_queue_does_not_grow_with_those_who_come_and_go_at_the_front() -> None:
    queue = line("Zoe")
    queue.away("Zoe")
    for _ in range(1_000):
        queue.join_front(["Ann", "Bob"])
        queue.leave("Ann")
        assert_taken(queue, "Bob")
    assert entries(queue) < 100


def test_a_queue_does_not_grow_with_those_who_are_away_and_back() -> None:
    queue = line("Ann")
    for number in range(1_000):
        queue.join(f"user {number}")
        queue.away("Ann")
        queue.away(f"user {number}")
        assert_taken(queue, None)
        queue.back(f"user {number}")
        queue.back("Ann")
        queue.leave(f"user {number}")
    assert_taken(queue, "Ann", None)
    assert entries(queue) == 0


def test_a_queue_in_use_is_not_much_longer_than_those_who_wait() -> None:
    queue = UserQueue()
    for number in range(10_000):
        queue.join(f"user {number}")
        if number % 2:
            queue.leave(f"user {number}")
        if number % 2 and len(queue) > 1_000:
            take(queue)
    assert len(queue) == len(queue._all) == len(queue._present) == 1_000


# ---- coming back with a ticket ------------------------------------------


class Counted(int):
    """A ticket that counts how often it is compared."""

    compared = 0

    def __lt__(self, other: int) -> bool:
        Counted.compared += 1
        return int(self) < int(other)

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return int(self) == other

    __hash__ = int.__hash__


def steps_to_return(many: int) -> float:
    """Looks at other tickets, and at blocks of them, for each of *many* who return."""
    queue = UserQueue()
    queue.join("last", many)
    tickets = list(range(many))
    random.Random(1).shuffle(tickets)
    Counted.compared, blocks = 0, 0
    for ticket in tickets:
        queue.rejoin(f"user {ticket}", Counted(ticket))
        blocks += len(queue._all._blocks)
    assert list(queue.everybody()) == [*(f"user {number}" for number in range(many)), "last"]
    return (Counted.compared + blocks) / many


def test_who_returns_among_many_does_not_walk_along_the_whole_queue() -> None:
    assert steps_to_return(1_000) < 100
    assert steps_to_return(20_000) < 150


def test_who_returns_learns_how_many_are_ahead() -> None:
    queue = UserQueue()
    queue.join("Zoe", 100)
    assert [queue.rejoin(f"user {ticket}", ticket) for ticket in (50, 10, 70, 60)] == [0, 0, 2, 2]
    assert queue.rejoin("of the same moment", 60) in (2, 3)
    assert queue.rejoin("from the future", 200) == 6


def test_the_position_of_a_ticket_is_found_in_a_long_queue() -> None:
    queue = UserQueue()
    for number in range(5_000):
        queue.join(f"user {number}")
    for number in range(0, 5_000, 2):
        queue.leave(f"user {number}")
    assert [queue.position_of(ticket) for ticket in (0, 1, 3, 2_001, 9_999)] == [
        0,
        0,
        1,
        1000,
        2500,
    ]
    assert next(queue.everybody(1_000)) == "user 2001"
    assert list(queue.everybody(2_499)) == ["user 4999"]
    assert list(queue.everybody(2_500)) == []


# ---- any life of a line ------------------------------------------------

doings = st.lists(
    st.tuples(
        st.sampled_from(["join", "rejoin", "front", "leave", "away", "back", "take"]),
        st.integers(0, 5),
    ),
    max_size=60,
)


@given(doings)
def test_a_queue_is_a_list(doings: list[tuple[str, int]]) -> None:
    """Whatever is done, the line is what a plain list would be."""
    queue, plain, away = UserQueue(), [], set()
    for doing, number in doings:
        user = f"user {number}"
        match doing:
            case "join" if user not in plain:
                assert queue.join(user) == len(plain)
                plain.append(user)
            case "rejoin" if user not in plain:
                ticket = -number
                ahead = sum(queue.ticket(one) < ticket for one in plain)
                behind = [one for one in plain if (queue.ticket(one), one) > (ticket, user)]
                assert queue.rejoin(user, ticket) == ahead
                plain.insert(len(plain) - len(behind), user)
            case "front" if user not in plain:
                queue.join_front([user])
                plain.insert(0, user)
            case "leave":
                assert queue.leave(user) == (user in plain)
                plain = [one for one in plain if one != user]
                away.discard(user)
            case "away":
                queue.away(user)
                away |= {user} & {*plain}
            case "back":
                queue.back(user)
                away.discard(user)
            case "take":
                taken = next((one for one in plain if one not in away), None)
                assert_taken(queue, taken)
                plain = [one for one in plain if one != taken]
        assert_line(queue, *plain)
