"""Whose turn it is among the waiters: least load first, then longest idle."""

from __future__ import annotations

from services.desk.waiter_pool import Waiter, WaiterPool


class Crew:
    """A pool and its waiters, by name."""

    def __init__(self, *names: str, capacity: int = 5) -> None:
        self.pool = WaiterPool()
        self.waiters = {name: Waiter(name, name, capacity, ready=True) for name in names}
        for name in names:
            self.refresh(name)

    def refresh(self, name: str, **changes: object) -> None:
        """*name* changes and is put where it belongs."""
        for key, value in changes.items():
            setattr(self.waiters[name], key, value)
        self.pool.refresh(self.waiters[name])

    def takes(self, name: str, users: int = 1) -> None:
        waiter = self.waiters[name]
        for _ in range(users):
            waiter.users[f"user {len(waiter.users)}"] = None
            self.pool.refresh(waiter)

    def parts(self, name: str, users: int = 1) -> None:
        waiter = self.waiters[name]
        for _ in range(users):
            waiter.users.popitem()
            self.pool.refresh(waiter)


def assert_next(crew: Crew, name: str | None) -> None:
    """It is the turn of *name*, and looking does not change that."""
    for _ in range(2):
        waiter = crew.pool.next()
        assert (waiter and waiter.uuid) == name


def assert_turns(crew: Crew, *names: str | None) -> None:
    """These waiters take the next users, one each; None stands for nobody."""
    for name in names:
        assert_next(crew, name)
        if name is not None:
            crew.takes(name)


def kept(crew: Crew) -> int:
    """How much the pool remembers of whom, all told."""
    return len(crew.pool._load) + sum(len(bucket) for bucket in crew.pool._buckets)


# ---- who is free -------------------------------------------------------


def test_it_is_nobodys_turn_in_an_empty_pool() -> None:
    crew = Crew()
    assert_next(crew, None)
    assert len(crew.pool) == 0


def test_a_waiter_is_free_when_it_is_ready_and_present_and_below_its_capacity() -> None:
    waiter = Waiter("Wanda", "Wanda", capacity=1)
    assert not waiter.free
    waiter.ready = True
    assert waiter.free
    waiter.present = False
    assert not waiter.free
    waiter.present = True
    waiter.users["Ann"] = None
    assert not waiter.free
    waiter.capacity = 2
    assert waiter.free


def test_a_waiter_stays_in_the_pool_until_it_is_full() -> None:
    crew = Crew("Wanda", capacity=2)
    assert_turns(crew, "Wanda", "Wanda", None)
    assert len(crew.pool) == 0


def test_a_full_waiter_who_parts_has_its_turn_again() -> None:
    crew = Crew("Wanda", capacity=1)
    assert_turns(crew, "Wanda", None)
    crew.parts("Wanda")
    assert_turns(crew, "Wanda", None)


def test_an_absent_waiter_has_no_turn() -> None:
    crew = Crew("Wanda", "Will")
    crew.refresh("Wanda", present=False)
    assert_turns(crew, "Will", "Will")
    crew.refresh("Wanda", present=True)
    assert_turns(crew, "Wanda", "Wanda")


def test_a_waiter_who_changes_while_absent_stays_out() -> None:
    crew = Crew("Wanda")
    crew.takes("Wanda")
    crew.refresh("Wanda", present=False)
    crew.parts("Wanda")
    assert_next(crew, None)
    crew.refresh("Wanda", present=True)
    assert_next(crew, "Wanda")


def test_a_waiter_who_is_removed_has_no_turn() -> None:
    crew = Crew("Wanda", "Will")
    crew.pool.remove(crew.waiters["Wanda"])
    crew.pool.remove(crew.waiters["Wanda"])  # twice is harmless
    assert len(crew.pool) == 1
    assert_turns(crew, "Will", "Will")


# ---- least load first --------------------------------------------------


def test_the_least_loaded_is_next() -> None:
    crew = Crew("Wanda", "Will", "Wu")
    crew.takes("Wanda", 2)
    crew.takes("Will", 1)
    crew.takes("Wu", 3)
    assert_turns(crew, "Will", "Wanda", "Will", "Wu", "Wanda", "Will", "Wu", "Wanda", "Will")


def test_load_weighs_more_than_idleness() -> None:
    crew = Crew("Wanda", "Will")
    crew.takes("Will", 2)
    crew.takes("Wanda", 3)
    crew.parts("Wanda", 2)  # idle for a moment only, but with one user less
    assert_next(crew, "Wanda")


def test_load_counts_users_not_free_seats() -> None:
    crew = Crew("Wanda", "Will")
    crew.refresh("Wanda", capacity=2)
    crew.takes("Wanda", 1)
    crew.takes("Will", 2)
    assert_next(crew, "Wanda")


# ---- then longest idle -------------------------------------------------


def test_of_equals_the_longest_idle_is_next() -> None:
    crew = Crew("Wanda", "Will", "Wu")
    assert_turns(crew, "Wanda", "Will", "Wu", "Wanda", "Will", "Wu")


def test_who_comes_to_a_load_last_is_behind_those_who_have_it() -> None:
    crew = Crew("Wanda", "Will", "Wu")
    crew.takes("Wanda")
    crew.parts("Wanda")
    assert_turns(crew, "Will", "Wu", "Wanda")


def test_who_does_not_change_keeps_its_turn() -> None:
    crew = Crew("Wanda", "Will")
    crew.refresh("Wanda")
    crew.refresh("Wanda", capacity=9)
    assert_turns(crew, "Wanda", "Will")


def test_who_was_away_is_behind_its_equals() -> None:
    crew = Crew("Wanda", "Will")
    crew.refresh("Wanda", present=False)
    crew.refresh("Wanda", present=True)
    assert_turns(crew, "Will", "Wanda")


# ---- what it keeps -----------------------------------------------------


def test_a_pool_keeps_nothing_of_waiters_who_have_gone() -> None:
    crew = Crew()
    for number in range(2_000):
        waiter = Waiter(f"waiter {number}", "sub", 3, ready=True)
        for load in range(3):
            crew.pool.refresh(waiter)
            waiter.users[f"user {load}"] = None
        crew.pool.refresh(waiter)
        waiter.users.popitem()
        crew.pool.refresh(waiter)
        crew.pool.remove(waiter)
        assert kept(crew) == 0
        assert_next(crew, None)
    assert len(crew.pool._buckets) <= 3


def test_a_waiter_is_in_one_place_however_it_changes() -> None:
    crew = Crew("Wanda", "Will")
    for _ in range(500):
        crew.takes("Wanda", 5)
        crew.parts("Wanda", 5)
        crew.refresh("Will", present=False)
        crew.refresh("Will", present=True)
    assert len(crew.pool) == 2
    assert kept(crew) == 4
