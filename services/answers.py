"""Lets the desk know of the first entry that a waiter writes to each user that it serves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .channels import Channel
from .departments import Departments
from .desk.port import Desk, DeskUnavailable

#: runs a function soon, in a greenlet or thread of its own
Spawn = Callable[..., Any]


def asks_for_answers(usual: float, departments: Departments) -> bool:
    """Waiters have to write something in time: within *usual* s on the site, or in a department."""
    return bool(usual) or departments.asks_for_answers


class Answers:
    """Calls `Desk.answered` if waiters have to write something in time, as *asks* says.

    With *spawn* the desk is elsewhere: it must not be waited for on the loop, where entries
    come from, and *carry_out* carries out what it has decided meanwhile.
    """

    def __init__(
        self, desk: Desk, carry_out: Callable[[], None], asks: Callable[[], bool],
        spawn: Spawn | None,
    ) -> None:  # fmt: skip
        self._desk = desk
        self._carry_out = carry_out
        self._asks = asks
        self._spawn = spawn

    def begin(self, channel: Channel) -> None:
        """The sender of *channel*, a waiter, has just written its first entry on it."""
        channel.is_unanswered = False
        if not self._asks():
            return
        if self._spawn is None:
            self._tell(channel)
        else:
            self._spawn(self._tell_elsewhere, channel)

    def _tell(self, channel: Channel) -> None:
        user = channel.to.uuid
        if channel.sender.channels.get(user) is channel:  # another waiter may serve it by now
            self._desk.answered(user)

    def _tell_elsewhere(self, channel: Channel) -> None:
        try:
            self._tell(channel)
        except DeskUnavailable:
            channel.is_unanswered = True  # the next entry tells it
            return
        self._carry_out()
