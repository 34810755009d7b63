"""Messages that show a file which their sender has uploaded before."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from ..conversation.kinds import IMAGE, KIND_OF
from ..feeds.base import no_such_file
from ..participants import Participant
from ..wire.codes import ErrorCode, Refusal
from .caller import Caller, channel_of
from .conversations import say


def write(caller: Caller, frame: Any, me: Participant) -> None:
    """An image or another file for the other side. Waits for the store.

    The frame names the file; what else the entry says of it, the server knows.
    """
    kind, channel = KIND_OF[type(frame)], channel_of(frame, me)
    if "\0" in (frame.reply_id or ""):  # some stores cannot keep it
        raise Refusal(ErrorCode.INVALID_MESSAGE, "id: NUL is not allowed", frame.reply_id)
    payload = caller.feed.name_file(frame, channel)
    if kind is IMAGE and payload.width is UNSET:
        what = "payload.file: it is no image; send it as message_file"
        raise Refusal(ErrorCode.INVALID_MESSAGE, what, frame.reply_id, is_bad=False)
    now = channel_of(frame, me)  # the user may have got another waiter meanwhile
    if now.conversation.row.key != channel.conversation.row.key:
        raise no_such_file(frame)
    say(caller, now, frame, kind, kind.body(payload))
