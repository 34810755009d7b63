"""What a handler may use of the session that calls it, and what several handlers refuse.

A handler gets the session, the frame and the participant; it decides and returns. It
raises `Refusal` for what it refuses. Only those wait that use the database: for
histories, staff entries, and what is written after the end.
"""

from __future__ import annotations

from typing import Protocol

from ..channels import Channel
from ..conversation.kinds import TEXT, Kind
from ..desk.port import Role
from ..feeds.base import BaseFeed
from ..house import House
from ..participants import Participant
from ..wire import frames
from ..wire.codes import ErrorCode, Refusal


class Caller(Protocol):
    """The session of a connection that has shown who it is."""

    house: House

    @property
    def feed(self) -> BaseFeed:
        """The feed of its connection."""

    def relay(
        self, channel: Channel, texts: list[str], ids: list[str | None], kind: Kind = TEXT,
        data: str | None = None,
    ) -> bool:  # fmt: skip
        """Have entries delivered on *channel*. False, for all: not possible now."""


def channel_of(frame: frames.ClientFrame, me: Participant) -> Channel:
    """The channel that *frame* is for: a user's only one, or a waiter's to the user in `to`.

    Raises `Refusal`.
    """
    if me.role is Role.USER:
        if me.channel is None:
            raise not_connected(frame)
        return me.channel
    channel = me.channels.get(frame.to or "")
    if channel is None:
        raise no_such_user(frame)
    return channel


def count_question(caller: Caller, frame: frames.ClientFrame, me: Participant) -> None:
    """Count a question of *me* to the store or the desk. Raises `Refusal` for too many.

    All connections of *me* at all workers count together, also with those for histories.
    """
    if not caller.house.bounds.questions.take(f"{me.role}:{me.identity.subject}"):
        what = "too many questions in too short a time"
        raise Refusal(ErrorCode.RATE_LIMITED, what, frame.reply_id)


def not_connected(frame: frames.ClientFrame) -> Refusal:
    """A user without a waiter has sent *frame*, which is for one."""
    return Refusal(
        ErrorCode.NOT_CONNECTED, "no waiter is connected; send connect first", frame.reply_id
    )


def no_such_user(frame: frames.ClientFrame) -> Refusal:
    """A waiter has sent *frame*, which names a user that it does not serve.

    One sentence for another waiter's user and for nobody, so that a waiter learns nothing.
    """
    return Refusal(ErrorCode.NO_SUCH_USER, "to: no such user is connected", frame.reply_id)
