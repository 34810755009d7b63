"""A simulated world with a visitor of version 1, who moves between the workers.

Connections end in good order there, and what was put into one before its end has
arrived; or they die, and what was put into one before was confirmed. So version 1
must get each text exactly once, and in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from services.conversation.kinds import Side
from services.desk.port import Role
from testkit.eager import EagerManners
from testkit.v1 import PlainManners

from . import simulation
from .simulation import Client, SimulatedConnection, World


class PlainConnection(SimulatedConnection):
    """Remembers what it is given, as a `Connection` does for version 1."""

    #: notified of the end
    watch: Any = None
    #: nothing arrives at the client any more, and the server does not know it
    is_silent = False
    unsent = 0

    def remember(self, add: Callable[[bytes], None], tidy: Callable[[], int]) -> None:
        """Remember what it is given from now on."""

        def put_and_remember(data: bytes) -> None:
            add(data)
            self.put(data)

        self.put_and_remember = put_and_remember  # type: ignore[method-assign]

    def prove(self) -> None:
        """The pong comes at once, unless this connection is a dead one."""
        if self.watch is not None and not self.is_silent:
            self.watch.ponged()

    def confirm(self) -> None:
        """All that was sent has arrived, and the server knows it."""
        if self.watch is not None:
            self.watch.pinged()
            self.watch.ponged()

    def _end(self, code: int, by: str) -> None:
        is_new = self.code is None
        super()._end(code, by)
        if is_new and self.watch is not None:
            self.watch.ended()


class Mover(Client):
    """A visitor of version 1."""

    def __init__(self, world: World, sub: str) -> None:
        super().__init__(world, Role.USER, sub, PlainManners)
        self.got: list[str] = []

    def lose(self) -> None:
        """Receive what was sent, and leave: it will come back anywhere."""
        connection = self.connection
        if connection is None or connection.code is not None:
            return
        self.receive_all()
        connection.worker._run(connection.notice)
        connection.up.clear()
        self.connection = None
        self.manners.closed(1006)

    def die(self) -> None:
        """The same, but the server does not notice for a while: what follows is lost."""
        connection = self.connection
        if not isinstance(connection, PlainConnection) or connection.code is not None:
            return
        self.receive_all()
        connection.worker._run(connection.confirm)
        connection.is_silent = True
        connection.up.clear()
        super().lose()

    def receive_all(self) -> None:
        """All that was sent."""
        while self.connection is not None and self.connection.down:
            frame = self.connection.down.popleft()
            if frame["type"] == "message_text":
                self.got.append(frame["payload"]["message"])
            self.do(self.manners.received(frame))

    def receive(self) -> bool:
        """All that was sent, or the end."""
        if self.connection is None or not self.connection.down:
            return super().receive()
        self.receive_all()
        return True


class PlainWorld(World):
    """Nothing is lost here: clients come and go. *deadly*: connections may die unnoticed."""

    def __init__(self, seed: int, *, deadly: bool = True) -> None:
        super().__init__(seed, users=1)
        self.deadly = deadly
        self.mover = Mover(self, "ben")
        self.clients = [Client(self, Role.WAITER, "ada", EagerManners), self.clients[1], self.mover]

    def disturb(self) -> None:
        """A client writes or moves."""
        dice = self.random.random()
        client = self.random.choice(self.clients)
        if dice < 0.5:
            for _ in range(self.random.randint(1, 5)):
                client.say(f"{client.manners.name} {next(self._said)}")
        elif dice < 0.75:
            self.mover.lose()
        elif dice < 0.9:
            (self.mover.die if self.deadly else self.mover.lose)()
        else:
            client.lose()

    def judge(self) -> list[str]:
        """Where what the mover got is not all that was written to it, in order."""
        said = [
            row.body
            for key, rows in self.shelf.rows.items()
            if self.shelf.conversations[key].user_subject == "ben"
            for row in rows
            if row.side == Side.WAITER and row.author == "ada"
        ]
        problems = [*self.log_of_failures]
        if self.mover.got != said:
            lost = [one for one in said if one not in self.mover.got]
            twice = [one for one in self.mover.got if self.mover.got.count(one) > 1]
            problems.append(f"lost {lost}, twice {twice}, or not in order: {self.mover.got}")
        return problems


@contextmanager
def simulated_plainly(seed: int, **options: Any) -> Iterator[PlainWorld]:
    """Such a world."""
    with (
        mock.patch.object(simulation, "SimulatedConnection", PlainConnection),
        mock.patch.object(simulation, "World", PlainWorld),
        simulation.simulated(seed, **options) as world,
    ):
        assert isinstance(world, PlainWorld)
        yield world
