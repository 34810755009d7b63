"""Finds waiters whose pages stand still, though their browsers answer pings (`CSAPP_FROZEN`).

A waiter's page is asked (`probe`) and answers (`alive`). A client that has never answered says
nothing about itself: it is taken for alive, and so is version 1.
"""

from __future__ import annotations

import contextlib

from .desk.port import DeskUnavailable, Role
from .participants import Feed, Participant, each
from .runtime import Runtime
from .switchboard import Switchboard

#: how often a page is asked in the time after which it is taken for frozen
QUESTIONS = 3


class Liveness:
    """Lets the desk know of waiters none of whose pages here has shown life for *frozen* s."""

    def __init__(self, switchboard: Switchboard, runtime: Runtime, frozen: float) -> None:
        self._switchboard = switchboard
        self._runtime = runtime
        self._limit = frozen
        #: s between two looks
        self.pause = frozen / QUESTIONS
        #: the UUIDs of those of whom the desk knows it
        self._frozen: set[str] = set()

    def look(self) -> None:
        """Ask all waiters who are here, and judge those that have not answered. Waits."""
        now = self._runtime.now()
        here = list(self._switchboard.delivery.roster.participants.values())
        waiters = [one for one in here if one.role is Role.WAITER and one.connections]
        self._frozen.intersection_update({one.uuid for one in waiters})
        for waiter in waiters:
            is_still = all(self._is_still(one, now) for one in waiter.connections)
            if is_still or waiter.uuid in self._frozen:
                self._say(waiter, is_still)
            each(waiter.connections, lambda connection: connection.probe())

    def answer(self, waiter: Participant, connection: Feed) -> None:
        """The page of *connection* shows life."""
        connection.alive_at = self._runtime.now()
        if waiter.uuid in self._frozen:
            self._say(waiter, False)

    def _is_still(self, connection: Feed, now: float) -> bool:
        return connection.alive_at is not None and now - connection.alive_at > self._limit

    def _say(self, waiter: Participant, is_still: bool) -> None:
        """Let the desk know. Said again at each look: it may have lost everything."""
        with contextlib.suppress(DeskUnavailable):
            self._switchboard.desk.freeze(waiter.uuid, is_still)
            (self._frozen.add if is_still else self._frozen.discard)(waiter.uuid)
        self._switchboard.carry_out()
