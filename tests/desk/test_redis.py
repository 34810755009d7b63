"""The desk of many workers keeps the promises of every desk, over a real Redis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from services.desk.redis import RedisDesk
from testkit.redis import RedisServer

from .conformance import DeskConformance
from .crew import Crew, desk_name
from .helpers import Clock
from .stateful import DAY, DeskMachine, picked, picks, some


class TestRedisDesk(DeskConformance):
    """The suite of all desks, by one worker."""

    rush_visits = 300  # each is a way to Redis and back

    @pytest.fixture(autouse=True)
    def on(self, server: RedisServer) -> None:
        self.url = server.url

    def make(self, clock: Clock, **settings: float) -> RedisDesk:
        return RedisDesk(self.url, desk=desk_name(), worker="w", now=clock, **settings)


@pytest.fixture(scope="module", autouse=True)
def lives_on(server: RedisServer) -> Iterator[None]:
    """Where the random lives are lived: hypothesis makes its machines by itself."""
    RedisDeskMachine.url = server.url
    yield


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
    def loses_one_of_several_sockets(self, pick: int) -> None:
        """It is here all the same."""
        self.desk.lose_one_socket(picked(self.held_by_several(), pick))
        self.agree()

    @some("everybody")
    @rule(pick=picks, many=st.integers(1, 4))
    def comes_with_more_sockets(self, pick: int, many: int) -> None:
        """On the same worker or on others."""
        person = picked(self.everybody(), pick)
        for _ in range(many):
            self.arrive_again(person)

    @precondition(lambda machine: len(machine.desk.desks) > 1)
    @rule()
    def a_worker_dies(self) -> None:
        """Whoever had sockets only there is waited for; nobody else notices."""
        people = {person.uuid: person for person in self.everybody()}
        for uuid in self.desk.kill():
            self.model.drop(people[uuid])
        self.model.tick()
        self.agree(after_tick=True)

    @precondition(lambda machine: len(machine.desk.desks) < 4)
    @rule()
    def a_worker_begins(self) -> None:
        self.desk.hire()
        self.agree()


TestRedisDeskLives = RedisDeskMachine.TestCase
TestRedisDeskLives.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
