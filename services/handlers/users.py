"""What a user asks for: a waiter, and the end."""

from __future__ import annotations

from ..desk.port import AddressFull, QueueFull
from ..origin import shown_page
from ..participants import Participant
from ..wire import frames
from ..wire.codes import ErrorCode, Refusal
from .caller import Caller

#: characters that waiters see of what somebody in the queue wants to ask
MAX_QUESTION = 300


def connect(caller: Caller, frame: frames.Connect | frames.Connect2, me: Participant) -> None:
    """A user asks for a waiter."""
    switchboard = caller.house.switchboard
    ticket = question = None
    if isinstance(frame, frames.Connect2) and frame.payload is not None:
        asked = frame.payload
        me.page = asked.department, shown_page(asked.page, caller.house.settings.page)
        if isinstance(asked.ticket, str):
            ticket = caller.house.tokens.read_ticket(asked.ticket, me.identity.subject)
        if isinstance(asked.question, str):
            question = asked.question[:MAX_QUESTION]
    caller.feed.pending = frame
    try:
        switchboard.desk.connect(
            me.uuid, ticket, switchboard.clock.new_key(), question=question, page=me.page[1]
        )
    except QueueFull as full:
        caller.feed.pending = None
        who = "visitors of your address" if isinstance(full, AddressFull) else "visitors"
        what = f"too many {who} are waiting; try later"
        raise Refusal(ErrorCode.QUEUE_FULL, what, frame.reply_id) from None
    switchboard.carry_out()
    if caller.feed.pop_pending_request() is not None:  # nothing was decided: it stands as it stood
        _tell_state(caller, frame, me)


def _tell_state(caller: Caller, frame: frames.ClientFrame, me: Participant) -> None:
    switchboard, channel = caller.house.switchboard, me.channel
    if channel is not None:
        answer = switchboard.introduce(me, channel, True, caller.feed.dialect)
        answer.reply_id = frame.id
        caller.feed.open_conversation(channel, answer)
    else:
        desk = switchboard.desk
        place = desk.location(me.uuid), desk.ticket(me.uuid)
        answer = switchboard.place(me, *place, caller.feed.dialect)
        caller.feed.reply(frame, answer)


def leave(caller: Caller, frame: frames.Disconnect, me: Participant) -> None:
    """A user ends its conversation, or leaves the queue; it may `connect` again."""
    switchboard = caller.house.switchboard
    caller.feed.pending = frame
    if me.channel is None:
        switchboard.withdraw(me, caller.feed)
    switchboard.carry_out()
    channel = me.channel  # or another thread has matched it just now
    if channel is not None:
        parted = switchboard.desk.part(me.uuid, channel.to.uuid, me.uuid)
        switchboard.carry_out()
        if not parted:  # its waiter was lost just now
            switchboard.withdraw(me, caller.feed)
    caller.feed.pending = None
