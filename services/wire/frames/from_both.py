"""What users and waiters send."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from .base import ClientFrame, ClientStruct, Conversation, OnPayload, Seq, SeqPayload, TextPayload


class TokenPayload(ClientStruct):
    """`version`, `resume` and `locale` make it version 2."""

    token: str
    version: Literal[1, 2] = 1
    #: conversation → the last `seq` seen
    resume: Annotated[dict[str, Seq], Meta(max_length=100)] | UnsetType = UNSET
    locale: Annotated[str, Meta(max_length=35)] | UnsetType = UNSET


class UserPayload(ClientStruct):
    uuid: str | UnsetType = UNSET


class Auth(ClientFrame, tag="auth", kw_only=True):
    payload: TokenPayload


class MessageText(ClientFrame, tag="message_text", kw_only=True):
    payload: TextPayload


class Disconnect(ClientFrame, tag="disconnect"):
    payload: UserPayload | None = None


# ---- version 2 ---------------------------------------------------------------


class Typing(ClientFrame, tag="typing", kw_only=True):
    payload: OnPayload


class Read(ClientFrame, tag="read", kw_only=True):
    payload: SeqPayload


class PagePayload(ClientStruct):
    conversation: Conversation | UnsetType = UNSET
    before: Seq | UnsetType = UNSET
    after: Seq | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class GetHistory(ClientFrame, tag="get_history"):
    payload: PagePayload | None = None
