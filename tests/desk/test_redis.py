"""The desk of many workers keeps the promises of every desk, over a real Redis."""

from __future__ import annotations

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from services.desk.redis import RedisDesk
from testkit.redis import RedisServer

from .conformance import DeskConformance
from .crew import Crew, desk_name
from .helpers import Clock
from .model import PlainUser
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
def lives_on(server: RedisServer) -> None:
    """Where the random lives are lived: hypothesis makes its machines by itself."""
    RedisDeskMachine.url = server.url


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

    @invariant()
    def every_worker_remembers_its_own(self) -> None:
        """What it would tell a desk that has lost everything is true."""
        people = {person.uuid: person for person in self.everybody()}
        for worker, desk in self.desk.desks.items():
            here = {uuid for uuid, own in desk._own.items() if own.present}
            assert here == {who for who, held in self.desk.holders.items() if worker in held}
            for uuid, own in desk._own.items():
                person = people[uuid]
                if isinstance(person, PlainUser):
                    chats = {person.waiter.uuid} if person.waiter else set()
                    assert (own.ticket is not None) == (person in self.model.line)
                    assert own.ticket is None or own.location == person.told
                else:
                    chats = {user.uuid for user in person.users}
                    assert (own.ready, own.capacity) == (person.ready, person.capacity)
                assert own.chats.keys() == chats
                assert all(chat.other.uuid == other for other, chat in own.chats.items())


TestRedisDeskLives = RedisDeskMachine.TestCase
TestRedisDeskLives.settings = settings(
    max_examples=60,
    stateful_step_count=50,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking would take minutes
)
