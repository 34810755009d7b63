"""What waiters are sent."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import UNSET, Struct, UnsetType

from .base import ConversationPayload, ServerFrame, ServerFrame2, UuidPayload
from .to_both import (
    BothHear2,
    Disconnected,
    Error,
    Initialize,
    PeerPayload,
    StoredMessagePayload,
    Text,
)


class NewConnection(ServerFrame, tag="new_connection"):
    payload: UuidPayload


ToWaiter = Initialize | NewConnection | Disconnected | Error | Text

# ---- version 2 ---------------------------------------------------------------


class VisitorPayload(PeerPayload, gc=False):
    """What a waiter is shown of a user."""

    sub: str
    page: str
    opened: str
    #: what it has filled in before it asked
    fields: Mapping[str, str | bool] | UnsetType = UNSET
    #: where the visitor is served
    department: str | UnsetType = UNSET


class NewConnection2(ServerFrame2, tag="new_connection"):
    payload: VisitorPayload


class SessionItem(Struct, omit_defaults=True, gc=False):
    conversation: str
    name: str
    sub: str
    state: str
    opened: str
    last_seq: int
    read: int
    ended: str | UnsetType = UNSET
    page: str = ""
    avatar: str = ""
    fields: Mapping[str, str | bool] | UnsetType = UNSET


class SessionsFound(Struct):
    sessions: list[SessionItem]
    complete: bool


class SessionHistory(ServerFrame2, tag="session_history"):
    payload: SessionsFound


class CapacityPayload(Struct, gc=False):
    capacity: int


class ReadySuccess(ServerFrame2, tag="ready"):
    payload: CapacityPayload


class UnreadySuccess(ServerFrame2, tag="unready"):
    payload: CapacityPayload


class Probe(ServerFrame2, tag="probe"):
    """To a waiter, whose page answers `alive` unless it stands still."""


class QueueStatusPayload(Struct, gc=False):
    length: int
    #: s that the first in the queue has waited
    longest_wait: float


class QueueStatus(ServerFrame2, tag="queue_status"):
    payload: QueueStatusPayload


class WaitingVisitor(Struct, gc=False):
    """Somebody in the queue, as waiters see it; `since`: when it joined."""

    uuid: str
    sub: str
    name: str
    avatar: str
    question: str
    page: str
    since: str
    fields: Mapping[str, str | bool] | UnsetType = UNSET
    #: where it waits
    department: str | UnsetType = UNSET


class QueuePayload(Struct):
    #: all who wait, also those who are away for a moment
    length: int
    #: the first ones who are here, in order
    visitors: list[WaitingVisitor]


class QueueSeen(ServerFrame2, tag="queue"):
    payload: QueuePayload


class HinderedWaiter(Struct, omit_defaults=True, gc=False):
    """A waiter who might serve a visitor, and why it does not do so now."""

    uuid: str
    name: str
    reason: str
    #: how many visitors it serves, and how many at most
    load: int
    capacity: int
    #: through which it might serve the visitor; left out for `""`
    department: str = ""


class ExplanationPayload(Struct, omit_defaults=True):
    """Why a visitor waits."""

    uuid: str
    #: visitors ahead in its department
    location: int
    waiters: list[HinderedWaiter]
    #: how many waiters have each reason, those that are not named included
    reasons: dict[str, int]
    department: str = ""
    priority: int = 0
    #: the visitor is away
    away: bool = False
    #: the department to which it moves, and when
    moves_to: str | UnsetType = UNSET
    moves_at: str | UnsetType = UNSET
    #: its department takes no visitors now, and when it opens
    closed: bool = False
    opens: str | UnsetType = UNSET
    #: there are more waiters than were looked at
    more: bool = False


class Explanation(ServerFrame2, tag="explanation"):
    payload: ExplanationPayload


class TakeSuccess(ServerFrame2, tag="take_success"):
    """The visitor is the waiter's, who is introduced to it by `new_connection`."""

    payload: UuidPayload


class TransferSuccess(ServerFrame2, tag="transfer_success"):
    """The visitor is another waiter's, or waits for one."""

    payload: UuidPayload


class WaiterItem(Struct, gc=False):
    """A waiter who is here, as other waiters see it."""

    uuid: str
    name: str
    #: the keys of its departments; `""`: that of visitors who ask for none
    departments: tuple[str, ...]
    ready: bool
    #: how many visitors it serves, and how many at most
    load: int
    capacity: int


class WaitersSeen(ServerFrame2, tag="waiters"):
    payload: list[WaiterItem]


class InviteSuccess(ServerFrame2, tag="rate_success"):
    """The invitation has been passed on."""

    payload: UuidPayload


class AnswerMessageSuccess(ServerFrame2, tag="answer_message_success"):
    payload: StoredMessagePayload


class InboxClaim(Struct, gc=False):
    name: str
    #: the receiver has claimed it
    own: bool


class InboxAnswer(Struct, gc=False):
    #: the waiter's
    name: str
    message: str
    date: str


class InboxItem(Struct, omit_defaults=True):
    """A message that was left, as waiters see it."""

    conversation: str
    name: str
    email: str
    message: str
    date: str
    #: `open`, `claimed`, `answered` or `put_away`
    state: str
    department: str = ""
    page: str = ""
    claimed_by: InboxClaim | UnsetType = UNSET
    answers: list[InboxAnswer] | UnsetType = UNSET
    #: an answer is mailed, too
    mail: bool = False


class InboxPayload(Struct):
    #: open ones, in all departments of the waiter
    waiting: int
    messages: list[InboxItem]
    #: there are no more in that direction
    complete: bool


class Inbox(ServerFrame2, tag="inbox"):
    payload: InboxPayload


class InboxChangedPayload(Struct, gc=False):
    waiting: int


class InboxChanged(ServerFrame2, tag="inbox_changed"):
    """To waiters, when a message in their departments is new or has changed."""

    payload: InboxChangedPayload


class ClaimMessageSuccess(ServerFrame2, tag="claim_message_success"):
    payload: ConversationPayload


class ReleaseMessageSuccess(ServerFrame2, tag="release_message_success"):
    payload: ConversationPayload


class PutAwayMessageSuccess(ServerFrame2, tag="put_away_message_success"):
    payload: ConversationPayload


ToWaiter2 = (
    Initialize | BothHear2 | NewConnection2 | SessionHistory | ReadySuccess | UnreadySuccess
    | QueueStatus | QueueSeen | TakeSuccess | TransferSuccess | WaitersSeen | InviteSuccess | Probe
    | Inbox | InboxChanged | ClaimMessageSuccess | ReleaseMessageSuccess | PutAwayMessageSuccess
    | AnswerMessageSuccess | Explanation
)  # fmt: skip
