"""What a user asks for: a waiter, and the end."""

from __future__ import annotations

from ..desk.port import AddressFull, QueueFull
from ..origin import shown_page
from ..participants import Participant, Phase
from ..prechat import QUESTION, Unfit, checked, filled_in
from ..wire import frames
from ..wire.codes import ErrorCode, Refusal
from .caller import Caller

#: characters that waiters see of what somebody in the queue wants to ask
MAX_QUESTION = 300

#: times that one `connect` asks the desk, while other connections of the user leave the queue
ATTEMPTS = 3


def connect(caller: Caller, frame: frames.Connect | frames.Connect2, me: Participant) -> None:
    """A user asks for a waiter."""
    ticket = question = None
    if isinstance(frame, frames.Connect2) and frame.payload is not None:
        asked = frame.payload
        fields = _fields(caller, frame, asked)
        if fields is not None:
            me.fields = fields
        elif me.phase is Phase.IDLE:
            me.fields = ""  # of the wish before
        me.page = asked.department, shown_page(asked.page, caller.house.settings.page)
        if isinstance(asked.ticket, str):
            ticket = caller.house.tokens.read_ticket(asked.ticket, me.identity.subject)
        words = asked.question if isinstance(asked.question, str) else _question(me)
        question = words[:MAX_QUESTION] if words is not None else None
    for _ in range(ATTEMPTS):
        caller.feed.pending = frame
        _ask_for_waiter(caller, frame, me, ticket, question)
        if caller.feed.pop_pending_request(type(frame)) is None or _send_state(caller, frame, me):
            return
    what = "another connection of yours leaves the queue; try again"
    raise Refusal(ErrorCode.UNAVAILABLE, what, frame.reply_id)


def _question(me: Participant) -> str | None:
    """The question that was filled in; None: there is none."""
    found = filled_in(me.fields).get(QUESTION)
    return found if isinstance(found, str) else None


def _fields(caller: Caller, frame: frames.ClientFrame, asked: frames.ConnectPayload) -> str | None:
    """What the visitor has filled in, as it is stored; None: its client has no form.

    Where the site declares no fields, clients may send what they like. Raises `Refusal`.
    """
    declared = caller.house.settings.fields
    if not declared or not isinstance(asked.fields, dict):
        return None
    try:
        return checked(declared, asked.fields, asked.department)
    except Unfit as error:
        raise Refusal(ErrorCode.INVALID_MESSAGE, str(error), frame.reply_id) from None


def _ask_for_waiter(
    caller: Caller, frame: frames.ClientFrame, me: Participant, ticket: int | None,
    question: str | None,
) -> None:  # fmt: skip
    switchboard = caller.house.switchboard
    key = switchboard.clock.new_key()
    try:
        switchboard.desk.connect(me.uuid, ticket, key, question=question, page=me.page[1])
    except QueueFull as full:
        caller.feed.pending = None
        who = "visitors of your address" if isinstance(full, AddressFull) else "visitors"
        what = f"too many {who} are waiting; try later"
        raise Refusal(ErrorCode.QUEUE_FULL, what, frame.reply_id) from None
    switchboard.carry_out()


def _send_state(caller: Caller, frame: frames.ClientFrame, me: Participant) -> bool:
    """Answer *frame*, on which nothing was decided. False: *me* has left the queue just now."""
    switchboard, channel = caller.house.switchboard, me.channel
    if channel is not None:
        answer = switchboard.introduce(me, channel, True, caller.feed.dialect)
        answer.reply_id = frame.id
        caller.feed.open_conversation(channel, answer)
        return True
    desk = switchboard.desk
    try:
        place = desk.location(me.uuid), desk.ticket(me.uuid)
    except KeyError:
        return False
    caller.feed.reply(frame, switchboard.place(me, *place, caller.feed.dialect))
    return True


def leave(caller: Caller, frame: frames.Disconnect, me: Participant) -> None:
    """A user ends its conversation, or leaves the queue; it may `connect` again."""
    switchboard = caller.house.switchboard
    caller.feed.pending = frame
    if me.channel is not None or not switchboard.desk.withdraw(me.uuid):
        switchboard.carry_out()  # another thread may have matched it just now
        channel = me.channel
        if channel is not None and not switchboard.desk.part(me.uuid, channel.to.uuid, me.uuid):
            switchboard.desk.withdraw(me.uuid)  # its waiter was lost just now
    switchboard.carry_out()
    caller.feed.pending = None
