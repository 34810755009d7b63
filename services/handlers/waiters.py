"""What a waiter asks for: users, who waits, the end of a conversation."""

from __future__ import annotations

from msgspec import UNSET

from ..desk.port import NOWHERE, WaiterFull, Waiting
from ..identity import name_text
from ..participants import Participant, Phase
from ..prechat import filled_in, name_in
from ..wire import codec, frames
from ..wire.codes import ErrorCode, Refusal
from ..wire.dates import rfc3339
from .caller import Caller, no_such_user

#: visitors in the queue that waiters are shown
MOST_SHOWN = 50


def ready(caller: Caller, frame: frames.Ready | frames.Ready2, me: Participant) -> None:
    """A waiter takes users from now on; twice is harmless."""
    switchboard = caller.house.switchboard
    switchboard.desk.ready(me.uuid, _capacity(frame.payload))
    me.phase = Phase.ON_DUTY
    switchboard.store_duty(me, ready=True, capacity=switchboard.desk.capacity(me.uuid))
    caller.feed.send_duty(True, frame)
    switchboard.carry_out()
    if me.phase is not Phase.ON_DUTY:  # `carry_out` has carried out what was decided before
        me.phase = Phase.ON_DUTY
        switchboard.store_duty(me, ready=True, capacity=switchboard.desk.capacity(me.uuid))
        caller.feed.send_duty(True)


def unready(caller: Caller, frame: frames.Unready, me: Participant) -> None:
    """A waiter keeps its users and gets no more, but those whom it takes out of turn."""
    switchboard = caller.house.switchboard
    switchboard.desk.unready(me.uuid, _capacity(frame.payload))
    switchboard.carry_out()
    me.phase = Phase.OFF_DUTY
    switchboard.store_duty(me, ready=False, capacity=switchboard.desk.capacity(me.uuid))
    caller.feed.send_duty(False, frame)


def alive(caller: Caller, frame: frames.Alive, me: Participant) -> None:
    """The page of a waiter shows life. There is no answer."""
    caller.house.liveness.answer(me, caller.feed)


def get_queue(caller: Caller, frame: frames.GetQueue, me: Participant) -> None:
    """A waiter sees who waits in its departments."""
    departments = [key for key, _ in me.departments or NOWHERE]
    length, users = caller.house.switchboard.desk.waiting(MOST_SHOWN, departments)
    visitors = [_shown(one) for one in users]
    payload = frames.QueuePayload(length, visitors)
    seen = frames.QueueSeen(id=codec.new_id(), to=me.uuid, payload=payload)
    caller.feed.reply(frame, seen)


def _shown(one: Waiting) -> frames.WaitingVisitor:
    return frames.WaitingVisitor(
        one.uuid, one.subject, one.name or name_text(name_in(one.fields)), one.avatar,
        one.question, one.page, rfc3339(one.since), filled_in(one.fields) or UNSET,
        one.department or UNSET,
    )  # fmt: skip


def take(caller: Caller, frame: frames.Take, me: Participant) -> None:
    """A waiter takes a visitor out of turn."""
    if not caller.house.settings.take:
        what = "on this site visitors are served in their order"
        raise Refusal(ErrorCode.FORBIDDEN, what, frame.reply_id)
    switchboard, user = caller.house.switchboard, frame.payload.uuid
    try:
        taken = switchboard.desk.take(user, me.uuid)
    except WaiterFull:
        what = "you serve as many visitors as you may"
        raise Refusal(ErrorCode.FULL, what, frame.reply_id) from None
    if not taken:
        what = "payload.uuid: no such visitor waits"
        raise Refusal(ErrorCode.NO_SUCH_USER, what, frame.reply_id)
    success = frames.TakeSuccess(id=codec.new_id(), to=me.uuid, payload=frames.UuidPayload(user))
    caller.feed.reply(frame, success)
    switchboard.carry_out()


def end_conversation(caller: Caller, frame: frames.Disconnect, me: Participant) -> None:
    """A waiter ends the conversation with one user, who is not queued again."""
    switchboard = caller.house.switchboard
    named = frame.payload.uuid if frame.payload is not None else UNSET
    user = named if isinstance(named, str) else frame.to
    if user is None:
        raise Refusal(ErrorCode.INVALID_MESSAGE, "payload.uuid: is required", frame.reply_id)
    parted = True  # what is decided answers the frame
    with caller.feed.awaiting_decision(frame):
        parted = switchboard.desk.part(user, me.uuid, me.uuid)
        switchboard.carry_out()
    caller.feed.pending = None
    if not parted:
        raise no_such_user(frame)


def _capacity(payload: frames.DutyPayload | object) -> int | None:
    """How many conversations at once a waiter asks for; None: as many as before."""
    asked = payload.capacity if isinstance(payload, frames.DutyPayload) else UNSET
    return asked if isinstance(asked, int) else None
