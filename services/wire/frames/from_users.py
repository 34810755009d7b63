"""What users send."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from .base import NO_NUL, ChosenTextPayload, ClientFrame, ClientStruct, EmptyPayload
from .from_both import Auth, Disconnect, GetHistory, MessageText, Read, Typing


class Connect(ClientFrame, tag="connect"):
    payload: EmptyPayload | None = None


FromUser = Auth | Connect | MessageText | Disconnect

# ---- version 2 ---------------------------------------------------------------

#: characters of a ticket: it holds a subject of 200 characters, whatever the script
MAX_TICKET = 2000


class ConnectPayload(ClientStruct):
    ticket: Annotated[str, Meta(max_length=MAX_TICKET)] | UnsetType = UNSET
    department: Annotated[str, Meta(max_length=200, pattern=NO_NUL)] = ""
    page: Annotated[str, Meta(max_length=2000, pattern=NO_NUL)] = ""
    #: what the visitor has filled in: `prechat.checked`
    fields: dict[str, Any] | UnsetType = UNSET
    #: what waiters see of it in the queue; `wishes.MAX_QUESTION` characters of it
    question: Annotated[str, Meta(pattern=NO_NUL)] | UnsetType = UNSET
    #: a language tag: in which the site speaks to the visitor by itself
    language: Annotated[str, Meta(max_length=35)] = ""


class Connect2(ClientFrame, tag="connect"):
    payload: ConnectPayload | None = None


class ChosenText(ClientFrame, tag="message_text", kw_only=True):
    """A text with `choice`: `codec.Decoder` makes it of a `message_text` that has one."""

    payload: ChosenTextPayload


class ContactPayload(Struct, gc=False):
    """How a visitor can be reached: `prechat.checked_contact`."""

    name: str = ""
    email: str = ""


class LeaveMessagePayload(ClientStruct):
    message: str
    contact: ContactPayload | UnsetType = UNSET
    department: Annotated[str, Meta(max_length=200, pattern=NO_NUL)] = ""
    page: Annotated[str, Meta(max_length=2000, pattern=NO_NUL)] = ""
    #: a language tag
    language: Annotated[str, Meta(max_length=35)] = ""


class LeaveMessage(ClientFrame, tag="leave_message", kw_only=True):
    """What a user writes when nobody serves it."""

    payload: LeaveMessagePayload


FromUser2 = (
    Auth | Connect2 | MessageText | Disconnect | Typing | Read | GetHistory | LeaveMessage
)  # fmt: skip
