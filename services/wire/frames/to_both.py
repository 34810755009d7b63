"""What users and waiters are sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

from .base import OnPayload, SeqPayload, ServerFrame, ServerFrame2, TextPayload


class Initialize(ServerFrame, tag="initialize"):
    """Carries the receiver's UUID in `to`; the newest one wins."""


class Disconnected(ServerFrame, tag="disconnected"):
    """`from` is the side that is gone."""


class Error(ServerFrame, tag="error"):
    payload: TextPayload


class Text(ServerFrame, tag="message_text"):
    payload: TextPayload


# ---- version 2 ---------------------------------------------------------------


class FilesPayload(Struct, gc=False):
    """What files one may send."""

    #: bytes of the largest one
    max: int
    #: MIME types; some are patterns such as `audio/*`
    types: tuple[str, ...]


class SelfPayload(Struct, gc=False, omit_defaults=True):
    uuid: str
    sub: str
    name: str
    avatar: str
    role: str
    #: s until the token that was shown last runs out, and the connection with it
    expires_in: float
    #: characters of the longest text that one may say, counted as Python's `len`
    max_text: int
    #: of a waiter: it may `take` visitors out of turn
    take: bool = False
    #: conversations are rated here
    ratings: bool = False
    #: left out where this server takes no files
    files: FilesPayload | UnsetType = UNSET


class AuthSuccess(ServerFrame2, tag="auth_success"):
    """Who one is; `date` is now, because clients' clocks may be hours off."""

    payload: SelfPayload


class PeerPayload(Struct, gc=False):
    uuid: str
    name: str
    avatar: str
    conversation: str
    last_seq: int
    #: this conversation was there before: a return, or another waiter
    resumed: bool
    #: the last `seq` that one has read oneself, and that the other side has
    read: int
    peer_read: int


class ErrorPayload(Struct, gc=False, omit_defaults=True):
    message: str
    code: str
    #: s after which the same may be asked again
    retry_after: float | UnsetType = UNSET
    #: with the code `claimed`: the name of the waiter who has claimed it
    claimed_by: str | UnsetType = UNSET


class Error2(ServerFrame2, tag="error"):
    payload: ErrorPayload


class Text2(ServerFrame2, tag="message_text"):
    """To the other side, and to the sender's own other sockets."""

    payload: TextPayload


class ReceiptPayload(Struct, gc=False):
    seq: int
    date: str


class StaffReceiptPayload(Struct, gc=False):
    n: int
    date: str


class Item(Struct, omit_defaults=True):
    """An entry of the past; `client_id` is its sender's `id`, on one's own."""

    seq: int
    type: str
    from_: str = field(name="from")
    date: str
    payload: Mapping[str, Any]
    client_id: str | UnsetType = UNSET
    #: to waiters: the subject of the colleague who wrote it
    author: str | UnsetType = UNSET


class StaffItem(Struct, omit_defaults=True):
    """A staff entry of the past; `client_id` is its author's `id`, on one's own."""

    n: int
    after: int
    type: str
    #: the subject of the waiter who wrote it
    author: str
    date: str
    payload: Mapping[str, Any]
    client_id: str | UnsetType = UNSET


class HistoryPayload(Struct, omit_defaults=True):
    conversation: str
    messages: list[Item]
    #: nothing is left out between these messages and what was asked for
    complete: bool
    state: str
    last_seq: int
    #: why it has ended, where that is known: as in `disconnected`
    reason: str = ""
    #: of a message that was left: the waiter who has answered it
    name: str = ""
    #: to waiters: the staff entries that stand before, between and behind these messages
    staff: list[StaffItem] | UnsetType = UNSET
    #: there are older ones in that place
    staff_left_out: bool = False


class MessageHistory(ServerFrame2, tag="message_history"):
    payload: HistoryPayload


class TypingOn(ServerFrame2, tag="typing"):
    payload: OnPayload


class ReadTo(ServerFrame2, tag="read"):
    payload: SeqPayload


class PresencePayload(Struct, gc=False):
    state: str


class Presence(ServerFrame2, tag="presence"):
    """The other side is `online` or `away`."""

    payload: PresencePayload


class ReasonPayload(Struct, gc=False, omit_defaults=True):
    #: why: the visitor has `left`, the waiter has `ended` it, a side was `lost`, or the waiter has
    #: `transferred` the visitor
    reason: str = ""


class Disconnected2(ServerFrame2, tag="disconnected"):
    """`from` is the side that is gone; the receiver itself: it has left the queue."""

    payload: ReasonPayload


class Kickout(ServerFrame2, tag="kickout"):
    """A newer login takes this one's place; the close (4409) follows."""


class StoredMessagePayload(Struct, gc=False):
    """Where a message that was left is stored, or an answer to it."""

    conversation: str
    seq: int
    date: str


BothHear2 = (
    AuthSuccess | Error2 | Text2 | MessageHistory | TypingOn | ReadTo | Presence
    | Disconnected2 | Kickout
)  # fmt: skip
