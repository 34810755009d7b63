"""Which waiters the desk is told of whose pages stand still; time passes when a test says so."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from services.desk.port import DeskUnavailable, Role
from services.identity import Identity
from services.liveness import Liveness
from services.participants import Participant

FROZEN = 60.0


class Page:
    """A connection that counts how often it is asked, or *breaks* when it is."""

    def __init__(self, *, breaks: bool = False) -> None:
        self.dialect = SimpleNamespace(version=2)
        self.alive_at: float | None = None
        self.breaks, self.asked, self.failed = breaks, 0, False

    def probe(self) -> None:
        self.asked += 1
        if self.breaks:
            raise RuntimeError("planted in a connection")

    def fail(self) -> None:
        self.failed = True


class Site:
    """Waiters, and what the desk was told of them."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.told: list[tuple[str, bool]] = []
        self.is_there = True
        self.people: dict[str, Participant] = {}
        switchboard: Any = SimpleNamespace(
            delivery=SimpleNamespace(roster=SimpleNamespace(participants=self.people)),
            desk=SimpleNamespace(freeze=self.freeze), carry_out=lambda: None,
        )  # fmt: skip
        runtime: Any = SimpleNamespace(now=lambda: self.time)
        self.liveness = Liveness(switchboard, runtime, FROZEN)

    def freeze(self, waiter: str, is_frozen: bool) -> None:
        if not self.is_there:
            raise DeskUnavailable("no Redis")
        self.told.append((waiter, is_frozen))

    def come(self, name: str, *pages: Any, role: Role = Role.WAITER) -> Participant:
        one = self.people[name] = Participant(name, role, Identity(name))
        one.hold(pages)
        return one

    def passes(self, seconds: float) -> None:
        self.time += seconds
        self.liveness.look()


@pytest.fixture
def site() -> Site:
    return Site()


def test_a_page_that_stands_still_is_told_until_it_shows_life(site):
    page = Page()
    ada = site.come("ada", page)
    site.liveness.answer(ada, page)
    site.passes(FROZEN)
    assert site.told == []
    site.passes(1)
    site.passes(1)  # said again: a desk may have lost everything
    assert site.told == [("ada", True)] * 2
    site.liveness.answer(ada, page)
    assert site.told[2:] == [("ada", False)]
    site.passes(1)
    assert len(site.told) == 3


def test_who_never_answers_counts_as_alive_and_so_does_one_of_several_pages(site):
    old, new = Page(), Page()
    ada, _ = site.come("ada", old, new), site.come("bob", Page())
    site.liveness.answer(ada, old)
    site.passes(10 * FROZEN)
    assert site.told == []
    site.liveness.answer(ada, new)
    site.passes(FROZEN)
    assert site.told == []
    site.passes(1)
    assert site.told == [("ada", True)]


def test_a_connection_that_breaks_costs_the_waiters_behind_it_nothing(site):
    broken, page, other = Page(breaks=True), Page(), Page()
    site.come("ada", broken, other)
    bob = site.come("bob", page)
    site.liveness.answer(bob, page)
    site.passes(FROZEN + 1)
    assert site.told == [("bob", True)]
    assert (other.asked, page.asked, broken.failed) == (1, 1, True)


def test_visitors_are_not_asked(site):
    page = Page()
    site.come("ann", page, role=Role.USER)
    site.passes(1)
    assert page.asked == 0


def test_a_desk_that_was_away_is_told_at_the_next_look(site):
    page = Page()
    ada = site.come("ada", page)
    site.liveness.answer(ada, page)
    site.is_there = False
    site.passes(FROZEN + 1)
    site.is_there = True
    site.passes(1)
    assert site.told == [("ada", True)]


def test_who_has_gone_and_comes_back_is_judged_anew(site):
    page = Page()
    ada = site.come("ada", page)
    site.liveness.answer(ada, page)
    site.passes(FROZEN + 1)
    ada.hold(())
    site.passes(1)
    ada.hold((Page(),))
    site.passes(1)
    assert site.told == [("ada", True)]
