"""What users are sent."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import UNSET, Struct, UnsetType

from .base import EmptyPayload, ServerFrame, ServerFrame2, UuidPayload
from .to_both import (
    BothHear2,
    Disconnected,
    Error,
    Initialize,
    PeerPayload,
    StoredMessagePayload,
    Text,
)


class LocationPayload(Struct, gc=False):
    location: int


class ConnectSuccess(ServerFrame, tag="connect_success"):
    payload: UuidPayload


class ConnectQueue(ServerFrame, tag="connect_queue"):
    """`location` is the number of visitors ahead: 0 is the next one."""

    payload: LocationPayload


ToUser = Initialize | ConnectSuccess | ConnectQueue | Disconnected | Error | Text

# ---- version 2 ---------------------------------------------------------------


class ConnectSuccess2(ServerFrame2, tag="connect_success"):
    payload: PeerPayload


class TicketPayload(Struct, gc=False, omit_defaults=True):
    location: int
    #: the place can be taken again with it
    ticket: str
    #: s that the visitor is likely to wait
    wait: float | UnsetType = UNSET
    #: where the visitor waits
    department: str = ""


class ConnectQueue2(ServerFrame2, tag="connect_queue"):
    payload: TicketPayload


class OfflinePayload(Struct, gc=False, omit_defaults=True):
    #: the department is `closed`, or `nobody` is there
    reason: str
    #: when it opens
    opens: str | UnsetType = UNSET


class Offline(ServerFrame2, tag="offline"):
    """The visitor who has asked does not wait: it cannot be served now."""

    payload: OfflinePayload


class WordsPayload(Struct, gc=False):
    #: `greeting` or `looking`
    what: str
    message: str


class Words(ServerFrame2, tag="words"):
    """To a visitor in the queue: what the site says by itself. No entry, and answered by nobody."""

    payload: WordsPayload


class IdlePayload(Struct, gc=False):
    #: s until the conversation ends, unless the visitor writes something
    seconds: float


class Idle(ServerFrame2, tag="idle"):
    """To a visitor who has not answered for long."""

    payload: IdlePayload


class RateInvitation(ServerFrame2, tag="rate"):
    """The waiter asks what the visitor thinks of the conversation."""

    payload: EmptyPayload


#: What one side lets the other know without a payload, by their types: passed on, never stored.
#: A worker of a later version may know more of them.
SIGNALS: dict[str, Callable[..., ServerFrame2]] = {"rate": RateInvitation}


class LeaveMessageSuccess(ServerFrame2, tag="leave_message_success"):
    payload: StoredMessagePayload


class MessageAnsweredPayload(Struct, gc=False):
    conversation: str
    seq: int
    #: the waiter's
    name: str
    message: str
    date: str


class MessageAnswered(ServerFrame2, tag="message_answered"):
    """To the visitor who has left the message."""

    payload: MessageAnsweredPayload


ToUser2 = (
    Initialize | BothHear2 | ConnectSuccess2 | ConnectQueue2 | Offline | RateInvitation | Idle
    | LeaveMessageSuccess | MessageAnswered | Words
)  # fmt: skip
