"""What waiters send."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from .base import NO_NUL, ClientFrame, ClientStruct, Conversation, ConversationPayload, EmptyPayload
from .from_both import Auth, Disconnect, GetHistory, MessageText, Read, Typing


class Ready(ClientFrame, tag="ready"):
    payload: EmptyPayload | None = None


FromWaiter = Auth | Ready | MessageText | Disconnect

# ---- version 2 ---------------------------------------------------------------


class DutyPayload(ClientStruct):
    capacity: Annotated[int, Meta(ge=1, le=1000)] | UnsetType = UNSET


class Ready2(ClientFrame, tag="ready"):
    payload: DutyPayload | None = None


class Unready(ClientFrame, tag="unready"):
    payload: DutyPayload | None = None


class SessionsPayload(ClientStruct):
    before: Conversation | UnsetType = UNSET
    #: a visitor's, instead of one's own
    sub: Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL)] | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class GetHistorySession(ClientFrame, tag="get_history_session"):
    payload: SessionsPayload | None = None


class GetQueue(ClientFrame, tag="get_queue"):
    payload: EmptyPayload | None = None


class TakePayload(ClientStruct):
    uuid: str


class Take(ClientFrame, tag="take", kw_only=True):
    payload: TakePayload


class Explain(ClientFrame, tag="explain", kw_only=True):
    """Why does this visitor wait?"""

    payload: TakePayload


class TransferPayload(ClientStruct):
    """Of `to_waiter`, a UUID, and `department`, a key, one is named."""

    uuid: str
    to_waiter: str | UnsetType = UNSET
    department: str | UnsetType = UNSET
    #: for whoever gets the visitor
    note: str = ""


class Transfer(ClientFrame, tag="transfer", kw_only=True):
    payload: TransferPayload


class GetWaiters(ClientFrame, tag="get_waiters"):
    payload: EmptyPayload | None = None


class Alive(ClientFrame, tag="alive"):
    """A waiter's page shows life, asked (`probe`) or not."""

    payload: EmptyPayload | None = None


class InviteToRate(ClientFrame, tag="rate", kw_only=True):
    """From a waiter, who names the visitor in `to`: what it thinks of the conversation."""

    to: str
    payload: EmptyPayload | None = None


class GetInboxPayload(ClientStruct):
    state: Literal["open", "done"] = "open"
    after: Conversation | UnsetType = UNSET
    before: Conversation | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=100)] = 50


class GetInbox(ClientFrame, tag="get_inbox"):
    payload: GetInboxPayload | None = None


class ClaimMessage(ClientFrame, tag="claim_message", kw_only=True):
    payload: ConversationPayload


class ReleaseMessage(ClientFrame, tag="release_message", kw_only=True):
    payload: ConversationPayload


class PutAwayMessage(ClientFrame, tag="put_away_message", kw_only=True):
    payload: ConversationPayload


class AnswerMessagePayload(ClientStruct):
    conversation: Conversation
    message: str


class AnswerMessage(ClientFrame, tag="answer_message", kw_only=True):
    payload: AnswerMessagePayload


FromWaiter2 = (
    Auth | Ready2 | Unready | MessageText | Disconnect | Typing | Read | GetHistory
    | GetHistorySession | GetQueue | Take | Transfer | GetWaiters | InviteToRate | Alive
    | GetInbox | ClaimMessage | ReleaseMessage | PutAwayMessage | AnswerMessage | Explain
)  # fmt: skip
