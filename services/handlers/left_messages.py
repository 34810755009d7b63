"""What visitors leave when nobody serves them, and what waiters do with it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec import UNSET

from ..conversation.kinds import TEXT
from ..conversation.rows import MESSAGE, ConversationRow, key_of, public_id
from ..conversation_rows import user_name
from ..history import left_messages as stored
from ..history.inbox import LeftMessage
from ..history.left_messages import Deed, Leaving, LeftMessageTable, Place
from ..history.tags import canonical_tag
from ..origin import shown_page
from ..participants import Participant, Phase
from ..prechat import UnfitField, checked_contact
from ..wire import codec, frames
from ..wire.codes import ErrorCode, Refusal
from ..wire.dates import rfc3339
from .caller import Caller, count_question
from .conversations import body_of
from .wishes import department_of

#: what is refused, by what the table raises; `FORBIDDEN` where nothing is said here
_CODES: dict[type[Exception], ErrorCode] = {
    stored.IdTaken: ErrorCode.ID_CONFLICT,
    stored.TooMany: ErrorCode.RATE_LIMITED,
    stored.Full: ErrorCode.UNAVAILABLE,
    stored.AnsweredOften: ErrorCode.FORBIDDEN,
    stored.Claimed: ErrorCode.CLAIMED,
}


# ---- visitors ----------------------------------------------------------------


def leave(caller: Caller, frame: frames.LeaveMessage, me: Participant) -> None:
    """A user who is neither served nor waits leaves a message. Waits for the store."""
    table = _table(caller, frame)
    text = _text(caller, frame, frame.payload.message)
    subject = me.identity.subject
    place = _do(caller, frame, table.find, subject, frame.reply_id, text)
    if place is None:
        if me.phase is not Phase.IDLE:
            what = "you wait or are served: write there, or leave before"
            raise Refusal(ErrorCode.FORBIDDEN, what, frame.reply_id)
        message = _leaving(caller, frame, me, text)
        _do(caller, frame, table.check_room, subject)  # what is refused is not counted
        _count(caller, frame)
        place = _do(caller, frame, table.leave, message)
        _end_visit(caller, me, message)
    success = frames.LeaveMessageSuccess(id=codec.new_id(), to=me.uuid, payload=_place(place))
    caller.feed.reply(frame, success)
    caller.house.left_messages.look()


def _count(caller: Caller, frame: frames.LeaveMessage) -> None:
    """Count one more message of this address. Raises `Refusal`."""
    bounds, address = caller.house.bounds, caller.feed.connection.address
    if not bounds.allow_message(address):
        what = "too many messages from your address; try again later"
        details = {"retry_after": max(1.0, math.ceil(bounds.message_pause(address)))}
        raise Refusal(ErrorCode.RATE_LIMITED, what, frame.reply_id, details=details)


def _end_visit(caller: Caller, me: Participant, message: Leaving) -> None:
    """The visit that is stored with *message* has ended."""
    if message.visit is None:
        return
    if me.visit == message.visit.key:  # not one that has begun meanwhile
        me.visit = 0
    caller.house.switchboard.visits.message_left(message.visit.key)


def _department(caller: Caller, frame: frames.LeaveMessage, me: Participant) -> str:
    """The key of the department that *frame* is for. Raises `Refusal`."""
    named = frame.payload.department if caller.house.departments.are_there else ""
    return department_of(caller, frame, me, named)


def _leaving(caller: Caller, frame: frames.LeaveMessage, me: Participant, text: str) -> Leaving:
    """The message as it is stored. Raises `Refusal`."""
    house, asked = caller.house, frame.payload
    contact = asked.contact if isinstance(asked.contact, frames.ContactPayload) else _NO_CONTACT
    try:
        name, email = checked_contact(contact.name, contact.email)
    except UnfitField as error:
        raise Refusal(ErrorCode.INVALID_MESSAGE, str(error), frame.reply_id, is_bad=False) from None
    has_departments = house.departments.are_there
    department = _department(caller, frame, me)
    fields = {key: value for key, value in (("name", name), ("email", email)) if value}
    written = json.dumps(fields, ensure_ascii=False) if fields else ""
    clock = house.switchboard.clock
    key = clock.new_key()
    now = clock.opened(key)
    row = ConversationRow(
        key, me.uuid, me.identity.subject, user_name(me, written), opened=now, ended=now,
        department=department if has_departments else asked.department,
        page=shown_page(asked.page, house.settings.page), reason=MESSAGE,
        user_avatar=me.identity.avatar, fields=written,
    )  # fmt: skip
    language = canonical_tag(asked.language)
    named = name or me.identity.name
    visit = house.switchboard.visits.of_message(me.visit or key, department)
    return Leaving(row, department, text, frame.reply_id, named, email, language, visit)


_NO_CONTACT = frames.ContactPayload()


# ---- waiters -----------------------------------------------------------------


def get_inbox(caller: Caller, frame: frames.GetInbox, me: Participant) -> None:
    """A waiter sees what was left for its departments. Waits for the store."""
    table, left = _table(caller, frame), caller.house.left_messages
    count_question(caller, frame, me)
    asked = frame.payload or frames.GetInboxPayload()
    after = _named(frame, "after", asked.after)
    before = _named(frame, "before", asked.before)
    read = partial(
        table.page, left.sight(me), done=asked.state == "done", after=after or 0, before=before,
        limit=asked.limit,
    )  # fmt: skip
    page = _do(caller, frame, read)
    now = caller.house.switchboard.clock.ms()
    mails = bool(caller.house.settings.smtp_url)
    items = [_item(one, me, now, mails) for one in page.messages]
    payload = frames.InboxPayload(page.waiting, items, page.complete)
    caller.feed.reply(frame, frames.Inbox(id=codec.new_id(), to=me.uuid, payload=payload))


def _item(one: LeftMessage, me: Participant, now: int, mails: bool) -> frames.InboxItem:
    claim: Any = UNSET
    if one.is_claimed(now):
        claim = frames.InboxClaim(one.claimed_name, one.claimed_by == me.identity.subject)
    answers = [frames.InboxAnswer(it.name, it.text, rfc3339(it.date)) for it in one.answers]
    return frames.InboxItem(
        public_id(one.key), one.name, one.email, one.text, rfc3339(one.left), _state(one, now),
        department=one.department, page=one.page, claimed_by=claim, answers=answers or UNSET,
        mail=mails and bool(one.email),
    )  # fmt: skip


def _state(one: LeftMessage, now: int) -> str:
    if one.answered_at is not None:
        return "answered"
    if one.put_away_at is not None:
        return "put_away"
    return "claimed" if one.is_claimed(now) else "open"


def claim(caller: Caller, frame: frames.ClaimMessage, me: Participant) -> None:
    """A waiter sees to a message from now on."""
    _change(caller, frame, me, LeftMessageTable.claim, frames.ClaimMessageSuccess)


def release(caller: Caller, frame: frames.ReleaseMessage, me: Participant) -> None:
    """A waiter leaves a message to others."""
    _change(caller, frame, me, LeftMessageTable.release, frames.ReleaseMessageSuccess)


def put_away(caller: Caller, frame: frames.PutAwayMessage, me: Participant) -> None:
    """A waiter finds that a message needs no answer."""
    _change(caller, frame, me, LeftMessageTable.put_away, frames.PutAwayMessageSuccess)


def _change(
    caller: Caller, frame: frames.ClaimMessage | frames.ReleaseMessage | frames.PutAwayMessage,
    me: Participant, change: Callable[..., None], success: Callable[..., frames.ServerFrame2],
) -> None:  # fmt: skip
    """Do *change* of the table, and answer with *success*. Waits for the store."""
    table, left = _table(caller, frame), caller.house.left_messages
    count_question(caller, frame, me)
    who = _deed(caller, frame, me)
    _do(caller, frame, change, table, left.sight(me), who)
    payload = frames.ConversationPayload(public_id(who.key))
    caller.feed.reply(frame, success(id=codec.new_id(), to=me.uuid, payload=payload))
    left.look()


def answer(caller: Caller, frame: frames.AnswerMessage, me: Participant) -> None:
    """A waiter answers a message, and with that sees to it. Waits for the store."""
    table, left = _table(caller, frame), caller.house.left_messages
    count_question(caller, frame, me)
    text = _text(caller, frame, frame.payload.message)
    who = _deed(caller, frame, me)._replace(text=text, client_id=frame.reply_id)
    place = _do(caller, frame, table.answer, left.sight(me), who)
    success = frames.AnswerMessageSuccess(id=codec.new_id(), to=me.uuid, payload=_place(place))
    caller.feed.reply(frame, success)
    left.look()


def _deed(caller: Caller, frame: Any, me: Participant) -> Deed:
    """What *me* is about to do with the message that *frame* names. Raises `Refusal`."""
    key = key_of(frame.payload.conversation)
    if key is None:
        raise _unknown(frame)
    identity = me.identity
    return Deed(
        key, me.uuid, identity.subject, identity.name, identity.avatar,
        caller.house.switchboard.clock.ms(),
    )  # fmt: skip


# ---- what both need ----------------------------------------------------------


def _table(caller: Caller, frame: frames.ClientFrame) -> LeftMessageTable:
    table = caller.house.left_messages.table
    if table is None:
        raise Refusal(ErrorCode.FORBIDDEN, "this server stores nothing", frame.reply_id)
    return table


def _text(caller: Caller, frame: frames.ClientFrame, message: str) -> str:
    """What people write in *frame*. Raises `Refusal`."""
    text = body_of(caller, TEXT, frame, frames.TextPayload(message)).words
    if not text.strip():
        what = "payload.message: is required"
        raise Refusal(ErrorCode.INVALID_MESSAGE, what, frame.reply_id, is_bad=False)
    return text


def _do(caller: Caller, frame: frames.ClientFrame, work: Callable[..., Any], *args: Any) -> Any:
    """What *work* of the table returns, or a `Refusal` that says what it raises."""
    try:
        return caller.house.runtime.blocking(work, *args)
    except stored.Unknown:
        raise _unknown(frame) from None
    except stored.LeftMessageError as error:
        code = _CODES.get(type(error), ErrorCode.FORBIDDEN)
        is_bad = code is not ErrorCode.CLAIMED
        what = f"id: {error}" if isinstance(error, stored.IdTaken) else str(error)
        details = _details(error)
        raise Refusal(code, what, frame.reply_id, is_bad=is_bad, details=details) from None


def _details(error: stored.LeftMessageError) -> dict[str, Any]:
    """What a client is told of *error* beside its sentence."""
    if isinstance(error, stored.Claimed):
        return {"claimed_by": error.name}
    if isinstance(error, stored.TooMany | stored.Full):  # until a waiter has answered one
        return {"retry_after": UNSET}
    return {}


def _unknown(frame: frames.ClientFrame) -> Refusal:
    """One sentence for what others see and for nothing, so that nobody learns which it is."""
    what = "payload.conversation: no such message was left for you"
    return Refusal(ErrorCode.FORBIDDEN, what, frame.reply_id)


def _named(frame: frames.ClientFrame, name: str, conversation: object) -> int | None:
    """The key of the *conversation* that the field *name* names; None: there is none."""
    if not isinstance(conversation, str):
        return None
    key = key_of(conversation)
    if key is None:
        what = f"payload.{name}: no conversation has such an id"
        raise Refusal(ErrorCode.INVALID_MESSAGE, what, frame.reply_id)
    return key


def _place(place: Place) -> frames.StoredMessagePayload:
    return frames.StoredMessagePayload(public_id(place.key), place.seq, rfc3339(place.date))
