"""What a visitor thinks of a conversation, and a waiter who asks for it."""

from __future__ import annotations

from typing import Any

from ..conversation.kinds import RATING
from ..participants import Participant
from ..wire import codec, frames
from ..wire.codes import ErrorCode, Refusal
from . import conversations
from .caller import Caller, channel_of


def rate(caller: Caller, frame: Any, me: Participant) -> None:
    """A user rates, during the conversation or after its end, or changes its rating."""
    _refuse_unless_on(caller, frame)
    channel = conversations.channel_after_end(caller, frame, me)
    conversations.body_of(caller, RATING, frame, frame.payload)
    caller.feed.check_rating(frame, channel.conversation)
    conversations.write_on(caller, frame, channel)


def invite(caller: Caller, frame: frames.InviteToRate, me: Participant) -> None:
    """A waiter asks what the visitor thinks of the conversation."""
    _refuse_unless_on(caller, frame)
    channel = channel_of(frame, me)
    if channel.to.is_away:
        what = "the visitor is away and cannot be asked; try again later"
        raise Refusal(ErrorCode.UNAVAILABLE, what, frame.reply_id)
    if channel.to.plain and not channel.to.elsewhere:
        what = "to: the visitor's page speaks version 1, and knows no ratings"
        raise Refusal(ErrorCode.FORBIDDEN, what, frame.reply_id)
    caller.house.switchboard.signal(channel, "rate")
    success = frames.InviteSuccess(
        id=codec.new_id(), to=me.uuid, payload=frames.UuidPayload(channel.to.uuid)
    )
    caller.feed.reply(frame, success)


def _refuse_unless_on(caller: Caller, frame: frames.ClientFrame) -> None:
    if not caller.house.settings.ratings:
        what = "this site takes no ratings (CSAPP_RATINGS)"
        raise Refusal(ErrorCode.FORBIDDEN, what, frame.reply_id)
