"""What is written into a conversation, shown of it, and read back."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct

from ..channels import Channel
from ..conversation.kinds import KIND_OF, Body, Kind
from ..participants import Participant
from ..wire import frames
from ..wire.codes import ErrorCode, Refusal
from .caller import Caller, channel_of, not_connected


def write(caller: Caller, frame: Any, me: Participant) -> None:
    """An entry for the other side: a user's for its waiter, a waiter's for the user in `to`.

    Of texts those that the fast lane has left, mostly because they must be refused.
    """
    write_on(caller, frame, channel_of(frame, me))


def write_on(caller: Caller, frame: Any, channel: Channel) -> None:
    """An entry on *channel*. Raises `Refusal`."""
    kind = KIND_OF[type(frame)]
    say(caller, channel, frame, kind, body_of(caller, kind, frame, frame.payload))


def say(
    caller: Caller, channel: Channel, frame: frames.ClientFrame, kind: Kind, body: Body
) -> None:
    """Have the entry that *frame* writes delivered on *channel*. Raises `Refusal`."""
    words, data = body
    if caller.relay(channel, [words], [frame.reply_id], kind, data):
        return
    if channel.to.connections or caller.house.switchboard.writer is not None:
        raise caller.feed.not_stored(frame.reply_id)
    raise Refusal(
        ErrorCode.UNAVAILABLE,
        "the other side is away and no more can be kept for it; try again later",
        frame.reply_id,
    )


def channel_after_end(caller: Caller, frame: Any, me: Participant) -> Channel:
    """The channel for what a user may write after the end as well. Raises `Refusal`."""
    named = frame.payload.conversation
    if me.channel is not None and named in (UNSET, me.channel.conversation.id):
        return me.channel
    waiting = me.conversation  # it waits to be served again
    if waiting is not None and named in (UNSET, waiting.id):
        return caller.house.switchboard.channel_to_nobody(me, waiting)
    if named is UNSET and me.former is not None:
        named = me.former.conversation.id
    if named is UNSET:
        raise not_connected(frame)
    return caller.feed.channel_after_end(frame, me, named)


def write_for_staff(caller: Caller, frame: Any, me: Participant) -> None:
    """An entry that only waiters read."""
    kind = KIND_OF[type(frame)]
    body = body_of(caller, kind, frame, frame.payload)
    caller.feed.write_for_staff(frame, frame.payload.conversation, kind, body, me)


def body_of(
    caller: Caller, kind: Kind, frame: frames.ClientFrame, payload: Struct, field: str = ""
) -> Body:
    """The *payload* that *frame* writes, as it is stored. Raises `Refusal`.

    The words stand in *field* of the frame's payload; "": where its kind says.
    """
    body = kind.body(payload)
    if len(body.words) > caller.house.settings.max_text or "\0" in f"{body.words}{frame.reply_id}":
        raise _unfit(caller, frame, f"payload.{field or kind.words}", body.words)
    return body


def _unfit(caller: Caller, frame: frames.ClientFrame, field: str, words: str) -> Refusal:
    """Why an entry with these *words* may not be written."""
    if "\0" in (frame.reply_id or ""):  # some stores cannot keep it
        code, what = ErrorCode.INVALID_MESSAGE, "id: NUL is not allowed"
    elif "\0" in words:
        code, what = ErrorCode.INVALID_MESSAGE, f"{field}: NUL is not allowed"
    else:
        most = caller.house.settings.max_text
        code, what = ErrorCode.TOO_LARGE, f"{field}: at most {most} characters"
    return Refusal(code, what, frame.reply_id)


def refuse_unconnected(caller: Caller, frame: frames.ClientFrame, me: Participant) -> None:
    """An entry of a user who has no waiter."""
    raise not_connected(frame)


def typing(caller: Caller, frame: frames.Typing, me: Participant) -> None:
    """One side types, or has stopped: passed on, never stored."""
    caller.house.switchboard.send_typing(channel_of(frame, me), frame.payload.on)


def read(caller: Caller, frame: frames.Read, me: Participant) -> None:
    """One side has read so far: passed on and stored."""
    channel = channel_of(frame, me)
    seq = min(frame.payload.seq, channel.conversation.last_seq)
    caller.house.switchboard.read_by(channel, seq)
    caller.house.switchboard.send_read(channel, seq)


def get_history(caller: Caller, frame: frames.GetHistory, me: Participant) -> None:
    """Older or newer entries of a conversation."""
    caller.feed.get_history(frame, me)


def get_history_session(caller: Caller, frame: frames.GetHistorySession, me: Participant) -> None:
    """A waiter's past conversations, or a visitor's."""
    caller.feed.get_history_session(frame, me)
