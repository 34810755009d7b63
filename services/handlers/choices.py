"""Choices: a waiter offers some, and the visitor takes one of them, once."""

from __future__ import annotations

from typing import Any

from ..choice_turns import LONGEST
from ..conversation.kinds import CHOICE, TEXT
from ..conversation.offers import find, offer_of
from ..participants import Participant
from ..wire import frames
from ..wire.codes import ErrorCode, Refusal
from . import conversations
from .caller import Caller, channel_of


def offer(caller: Caller, frame: Any, me: Participant) -> None:
    """A waiter offers choices. Raises `Refusal` where they cannot be told from each other."""
    choices = frame.payload.choices
    if len({one.id for one in choices}) < len(choices):
        raise _unfit(frame, "each needs an id of its own")
    if not all(one.text.strip() for one in choices):
        raise _unfit(frame, "each needs a text")
    _, data = CHOICE.body(frame.payload)
    caller.feed.record_offer(channel_of(frame, me).conversation, offer_of(data or ""))
    conversations.write(caller, frame, me)


def _unfit(frame: frames.ClientFrame, why: str) -> Refusal:
    return Refusal(ErrorCode.INVALID_MESSAGE, f"payload.choices: {why}", frame.reply_id)


def choose(caller: Caller, frame: frames.ChosenText, me: Participant) -> None:
    """A user takes one of the choices that it was offered. Waits for the history."""
    conversation = channel_of(frame, me).conversation
    words, data = conversations.body_of(caller, TEXT, frame, frame.payload)
    with caller.house.choice_turns.turn(conversation.row.key):
        found = find(caller.feed.offers(conversation), str(frame.payload.choice))
        if found is None:
            raise _refused(frame, "no such choice was offered here")
        is_repeat = frame.reply_id is not None and found.answer == frame.reply_id
        if found.is_answered and not is_repeat:
            raise _refused(frame, "the question is answered already")
        channel = channel_of(frame, me)  # the user may have got another waiter meanwhile
        if channel.conversation.id != conversation.id:
            raise _refused(frame, "no such choice was offered here")
        if not caller.relay(channel, [words], [frame.reply_id], TEXT, data):
            raise caller.feed.not_stored(frame.reply_id)
        found.take(frame.reply_id)
        caller.feed.settle(LONGEST)  # so that whoever is next finds it in the history


def _refused(frame: frames.ChosenText, why: str) -> Refusal:
    """The choice of *frame* does not count; that is no fault of its client."""
    what = f"payload.choice: {why}"
    return Refusal(ErrorCode.INVALID_MESSAGE, what, frame.reply_id, is_bad=False)
