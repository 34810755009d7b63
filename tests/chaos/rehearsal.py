"""`Manners` and `Model` against each other in one thread: connections that hold frames back.

Nothing moves by itself: each step says who speaks, what arrives, what becomes
durable, whose connection drops, and when the server crashes.
"""

from __future__ import annotations

import json
from collections import deque

from testkit.checker import Conversation, Truth
from testkit.eager import EagerManners
from testkit.journal import Item, Journal
from testkit.v2 import Manners

from .model import Bug, Connection, Frame, Model

#: two users, one of them with two devices, and their waiter; two of them in a hurry
CAST = [
    ("waiter", "wim", "1", EagerManners),
    ("user", "ann", "1", EagerManners),
    ("user", "ann", "2", Manners),
    ("user", "bob", "1", Manners),
]


class Player:
    """A client, and the frames on their way to it and from it."""

    def __init__(
        self,
        model: Model,
        journal: Journal,
        role: str,
        sub: str,
        device: str,
        manners: type[Manners],
    ) -> None:
        self.model = model
        self.manners = manners(role, sub, "token", journal, device=device, clock=lambda: 0.0)
        self.up: deque[Frame] = deque()
        self.down: deque[Frame] = deque()
        self.connection: Connection | None = None

    def back(self) -> None:
        """Open a connection if there is none."""
        if self.connection is None:
            self.up.clear()
            self.down.clear()
            self.up.extend(self.manners.opened())
            self.connection = self.model.open(
                self.manners.role, lambda frame: self.down.append(json.loads(json.dumps(frame)))
            )

    def drop(self) -> None:
        """Lose the connection, and all that is on it."""
        if self.connection is not None:
            self.model.lose(self.connection)
            self.connection = None
            self.manners.closed(1006)

    def speak(self, text: str) -> None:
        """Say it, if there is anybody to say it to."""
        if self.manners.conversations:
            names = list(self.manners.conversations)
            self.up.extend(self.manners.say(text, names[len(text) % len(names)]))

    def arrive(self) -> bool:
        """The server gets one frame. False: there is none."""
        if self.connection is None or not self.up:
            return False
        self.model.receive(self.connection, self.up.popleft(), self.manners.sub)
        return True

    def receive(self) -> bool:
        """The client gets one frame. False: there is none."""
        if self.connection is None or not self.down:
            return False
        self.up.extend(self.manners.received(self.down.popleft()))
        return True


class Rehearsal:
    """All players, and one server."""

    def __init__(self, *bugs: Bug) -> None:
        self.journal = Journal()
        self.model = Model(frozenset(bugs))
        self.players = [Player(self.model, self.journal, *who) for who in CAST]
        self._said = 0
        for player in self.players:
            player.back()
            self.settle()

    def step(self, what: str, who: int = 0) -> None:
        """One thing happens; *who* is taken modulo the players."""
        player = self.players[who % len(self.players)]
        if what == "say":
            self._said += 1
            player.speak(f"{player.manners.name} says {self._said}")
        elif what == "commit":
            self.model.commit()
        elif what == "crash":
            self.crash()
        else:
            getattr(player, what)()

    def crash(self) -> None:
        """The server loses all that is not durable, and everybody's connection."""
        self.model.crash()
        for player in self.players:
            player.drop()

    def settle(self) -> None:
        """Whatever is on its way arrives."""
        moving = True
        while moving:
            moving = False
            for player in self.players:
                while player.arrive() or player.receive():
                    moving = True
            if self.model.pending:
                self.model.commit()
                moving = True

    def recover(self) -> None:
        """Everybody comes back, and all is quiet."""
        for player in self.players:
            player.back()
        self.settle()

    @property
    def truth(self) -> Truth:
        """What the model has kept."""
        return {
            conversation.name: Conversation(
                frozenset({conversation.user, conversation.waiter}),
                [
                    Item(row.seq, row.sender, row.text, row.client_id, row.date)
                    for row in conversation.rows
                ],
            )
            for conversation in self.model.conversations.values()
        }
