"""How a waiter hands a visitor over, and who is there to take it."""

from __future__ import annotations

from msgspec import UNSET

from ..conversation.kinds import NOTE, NotePayload
from ..conversation.rows import StaffRow
from ..desk.port import DeskNotReady, WaiterFull
from ..participants import Participant
from ..wire import codec, frames
from ..wire.codes import ErrorCode, Refusal
from .caller import Caller
from .conversations import body_of

#: waiters whom a waiter is shown
MOST_WAITERS = 200

#: s that a waiter's words on its other connections have to be stored before it hands a visitor over
LAST_WORDS = 2.0


def get_waiters(caller: Caller, frame: frames.GetWaiters, me: Participant) -> None:
    """A waiter sees who else is here, of all departments and on all workers."""
    found = caller.house.switchboard.desk.colleagues(MOST_WAITERS)
    seen = frames.WaitersSeen(
        id=codec.new_id(), to=me.uuid, payload=[frames.WaiterItem(*one) for one in found]
    )
    caller.feed.reply(frame, seen)


def transfer(caller: Caller, frame: frames.Transfer, me: Participant) -> None:
    """A waiter hands its visitor to another waiter, or to a department.

    The note is stored before, so that it cannot be lost, and removed where the desk refuses.
    """
    asked, user = frame.payload, frame.payload.uuid
    _check(caller, frame, me)
    for connection in me.connections:  # what was said before comes before
        connection.settle(LAST_WORDS)
    note = _store_note(caller, frame, me) if asked.note.strip() else None
    try:
        _hand_over(caller, frame, me)
    except (Refusal, DeskNotReady):
        if note is not None and note[1]:
            caller.feed.take_back_for_staff(note[0])
        raise
    success = frames.TransferSuccess(
        id=codec.new_id(), to=me.uuid, payload=frames.UuidPayload(user)
    )
    caller.feed.reply(frame, success)
    switchboard = caller.house.switchboard
    switchboard.carry_out()
    if note is not None:
        switchboard.show_to_staff(_new_waiter(caller, frame), note[0], me, None)


def _check(caller: Caller, frame: frames.Transfer, me: Participant) -> None:
    """Raise `Refusal` for what is wrong with *frame*, whoever is free."""
    asked = frame.payload
    if (asked.to_waiter is UNSET) == (asked.department is UNSET):
        what = "payload.to_waiter: either it or payload.department is required"
        raise Refusal(ErrorCode.INVALID_MESSAGE, what, frame.reply_id)
    if asked.uuid not in me.channels:
        raise _not_yours(frame)
    if asked.to_waiter == me.uuid:
        what = "payload.to_waiter: you serve the visitor already"
        raise Refusal(ErrorCode.INVALID_MESSAGE, what, frame.reply_id)
    if isinstance(asked.department, str):
        found = caller.house.departments.get(asked.department)
        if found is None or not found.is_enabled:
            what = f"payload.department: {asked.department} takes no visitors"
            raise Refusal(ErrorCode.INVALID_MESSAGE, what, frame.reply_id)


def _hand_over(caller: Caller, frame: frames.Transfer, me: Participant) -> None:
    """Let the desk decide. Raises `Refusal`: nothing has changed."""
    asked = frame.payload
    to_waiter = asked.to_waiter if isinstance(asked.to_waiter, str) else None
    department = asked.department if isinstance(asked.department, str) else None
    desk = caller.house.switchboard.desk
    try:
        is_done = desk.transfer(asked.uuid, me.uuid, to_waiter, department)
    except WaiterFull:
        what = "payload.to_waiter: this waiter serves as many visitors as it may"
        raise Refusal(ErrorCode.FULL, what, frame.reply_id) from None
    if is_done:
        return
    caller.house.switchboard.carry_out()
    if asked.uuid not in me.channels:
        raise _not_yours(frame)
    if to_waiter is not None:
        what = "payload.to_waiter: no such waiter is here"
        raise Refusal(ErrorCode.NO_SUCH_USER, what, frame.reply_id)
    what = "payload.department: the desk does not know it yet; try again"
    raise Refusal(ErrorCode.UNAVAILABLE, what, frame.reply_id)


def _not_yours(frame: frames.Transfer) -> Refusal:
    """One sentence for another waiter's visitor and for nobody, so that a waiter learns nothing."""
    what = "payload.uuid: no such user is connected"
    return Refusal(ErrorCode.NO_SUCH_USER, what, frame.reply_id)


def _store_note(
    caller: Caller, frame: frames.Transfer, me: Participant
) -> tuple[StaffRow, bool] | None:
    """The note as it is stored, and whether it is new. Raises `Refusal`. Waits for the store."""
    body = body_of(caller, NOTE, frame, NotePayload(frame.payload.note), "note")
    channel = me.channels.get(frame.payload.uuid)
    if channel is None:  # it has left while the words before were stored
        raise _not_yours(frame)
    return caller.feed.store_for_staff(frame, channel.conversation.id, NOTE, body, me)


def _new_waiter(caller: Caller, frame: frames.Transfer) -> str | None:
    """The UUID of who serves the visitor now, as far as this worker knows.

    Who gets it later, or on another worker, reads the note in the history.
    """
    if isinstance(frame.payload.to_waiter, str):
        return frame.payload.to_waiter
    user = caller.house.switchboard.delivery.roster.participants.get(frame.payload.uuid)
    return user.channel.to.uuid if user is not None and user.channel is not None else None
