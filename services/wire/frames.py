"""Every frame that may travel, typed, for each direction and role.

`wire/` knows nobody: it does not know who is connected or what a frame leads
to. Clients' frames are decoded into the unions at the bottom of each section;
the server's frames are built here and nowhere else. The rule of version 1: what
a client of version 1 is sent carries no type, payload key or field that the
founding document does not list; everything beyond it stands under *Version 2*.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

#: Some databases cannot keep NUL. In texts and ids it is looked for where they are passed on.
_NO_NUL = r"\A[^\x00]*\Z"

#: `id` as a client chooses it
ClientId = Annotated[str, Meta(min_length=1, max_length=64)]


# ---- client → server -------------------------------------------------------


class ClientStruct(Struct, forbid_unknown_fields=True, gc=False):
    """Read in one go when it holds nothing unknown; see `codec` for what happens else.

    Frames hold strings only, so no cycle can run through them and the garbage
    collector need not look at them (`gc=False`).
    """


#: `seq` of a message, or of none yet
Seq = Annotated[int, Meta(ge=0, le=1 << 53)]


class TokenPayload(ClientStruct):
    """`version`, `resume` and `locale` make it version 2."""

    token: str
    version: Literal[1, 2] = 1
    #: conversation → the last `seq` seen
    resume: Annotated[dict[str, Seq], Meta(max_length=100)] | UnsetType = UNSET
    locale: Annotated[str, Meta(max_length=35)] | UnsetType = UNSET


class TextPayload(ClientStruct):
    message: str


class EmptyPayload(ClientStruct):
    """`null`, `{}` or nothing: what is in it is ignored."""


class UserPayload(ClientStruct):
    uuid: str | UnsetType = UNSET


class ClientFrame(ClientStruct, tag_field="type"):
    """What all frames from clients share. `to` is read from waiters only."""

    id: ClientId | UnsetType = UNSET
    to: str | None = None

    @property
    def reply_id(self) -> str | None:
        return None if self.id is UNSET else self.id


class Auth(ClientFrame, tag="auth", kw_only=True):
    payload: TokenPayload


class Connect(ClientFrame, tag="connect"):
    payload: EmptyPayload | None = None


class Ready(ClientFrame, tag="ready"):
    payload: EmptyPayload | None = None


class MessageText(ClientFrame, tag="message_text", kw_only=True):
    payload: TextPayload


class Disconnect(ClientFrame, tag="disconnect"):
    payload: UserPayload | None = None


FromUser = Auth | Connect | MessageText | Disconnect
FromWaiter = Auth | Ready | MessageText | Disconnect


# ---- client → server, version 2 ----------------------------------------------

#: characters of a ticket: it holds a subject of 200 characters, whatever the script
MAX_TICKET = 2000

#: a conversation's id
Conversation = Annotated[str, Meta(min_length=1, max_length=32)]


class ConnectPayload(ClientStruct):
    ticket: Annotated[str, Meta(max_length=MAX_TICKET)] | UnsetType = UNSET
    department: Annotated[str, Meta(max_length=200, pattern=_NO_NUL)] = ""
    page: Annotated[str, Meta(max_length=2000, pattern=_NO_NUL)] = ""
    #: what the visitor has filled in: `prechat.checked`
    fields: dict[str, Any] | UnsetType = UNSET
    #: what waiters see of it in the queue; `wishes.MAX_QUESTION` characters of it
    question: Annotated[str, Meta(pattern=_NO_NUL)] | UnsetType = UNSET
    #: a language tag: in which the site speaks to the visitor by itself
    language: Annotated[str, Meta(max_length=35)] = ""


class Connect2(ClientFrame, tag="connect"):
    payload: ConnectPayload | None = None


class DutyPayload(ClientStruct):
    capacity: Annotated[int, Meta(ge=1, le=1000)] | UnsetType = UNSET


class Ready2(ClientFrame, tag="ready"):
    payload: DutyPayload | None = None


class Unready(ClientFrame, tag="unready"):
    payload: DutyPayload | None = None


class OnPayload(ClientStruct):
    on: bool


class Typing(ClientFrame, tag="typing", kw_only=True):
    payload: OnPayload


class SeqPayload(ClientStruct):
    seq: Seq


class Read(ClientFrame, tag="read", kw_only=True):
    payload: SeqPayload


class PagePayload(ClientStruct):
    conversation: Conversation | UnsetType = UNSET
    before: Seq | UnsetType = UNSET
    after: Seq | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class GetHistory(ClientFrame, tag="get_history"):
    payload: PagePayload | None = None


class SessionsPayload(ClientStruct):
    before: Conversation | UnsetType = UNSET
    #: a visitor's, instead of one's own
    sub: Annotated[str, Meta(min_length=1, max_length=200, pattern=_NO_NUL)] | UnsetType = UNSET
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


class ContactPayload(Struct, gc=False):
    """How a visitor can be reached: `prechat.checked_contact`."""

    name: str = ""
    email: str = ""


class LeaveMessagePayload(ClientStruct):
    message: str
    contact: ContactPayload | UnsetType = UNSET
    department: Annotated[str, Meta(max_length=200, pattern=_NO_NUL)] = ""
    page: Annotated[str, Meta(max_length=2000, pattern=_NO_NUL)] = ""
    #: a language tag
    language: Annotated[str, Meta(max_length=35)] = ""


class LeaveMessage(ClientFrame, tag="leave_message", kw_only=True):
    """What a user writes when nobody serves it."""

    payload: LeaveMessagePayload


class GetInboxPayload(ClientStruct):
    state: Literal["open", "done"] = "open"
    after: Conversation | UnsetType = UNSET
    before: Conversation | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=100)] = 50


class GetInbox(ClientFrame, tag="get_inbox"):
    payload: GetInboxPayload | None = None


class LeftMessagePayload(ClientStruct):
    conversation: Conversation


class ClaimMessage(ClientFrame, tag="claim_message", kw_only=True):
    payload: LeftMessagePayload


class ReleaseMessage(ClientFrame, tag="release_message", kw_only=True):
    payload: LeftMessagePayload


class PutAwayMessage(ClientFrame, tag="put_away_message", kw_only=True):
    payload: LeftMessagePayload


class AnswerPayload(ClientStruct):
    conversation: Conversation
    message: str


class AnswerMessage(ClientFrame, tag="answer_message", kw_only=True):
    payload: AnswerPayload


FromUser2 = (
    Auth | Connect2 | MessageText | Disconnect | Typing | Read | GetHistory | LeaveMessage
)  # fmt: skip
FromWaiter2 = (
    Auth | Ready2 | Unready | MessageText | Disconnect | Typing | Read | GetHistory
    | GetHistorySession | GetQueue | Take | Transfer | GetWaiters | InviteToRate | Alive
    | GetInbox | ClaimMessage | ReleaseMessage | PutAwayMessage | AnswerMessage | Explain
)  # fmt: skip


# ---- server → client -------------------------------------------------------


class ServerFrame(Struct, tag_field="type", omit_defaults=True, kw_only=True, gc=False):
    """`id` and `to` are always there; `from` and `reply_id` only where they mean something."""

    id: str
    to: str
    from_: str | UnsetType = field(name="from", default=UNSET)
    reply_id: str | UnsetType = UNSET


class UuidPayload(Struct, gc=False):
    uuid: str


class LocationPayload(Struct, gc=False):
    location: int


class Initialize(ServerFrame, tag="initialize"):
    """Carries the receiver's UUID in `to`; the newest one wins."""


class ConnectSuccess(ServerFrame, tag="connect_success"):
    payload: UuidPayload


class ConnectQueue(ServerFrame, tag="connect_queue"):
    """`location` is the number of visitors ahead: 0 is the next one."""

    payload: LocationPayload


class NewConnection(ServerFrame, tag="new_connection"):
    payload: UuidPayload


class Disconnected(ServerFrame, tag="disconnected"):
    """`from` is the side that is gone."""


class Error(ServerFrame, tag="error"):
    payload: TextPayload


class Text(ServerFrame, tag="message_text"):
    payload: TextPayload


ToUser = Initialize | ConnectSuccess | ConnectQueue | Disconnected | Error | Text
ToWaiter = Initialize | NewConnection | Disconnected | Error | Text


# ---- server → client, version 2 ----------------------------------------------


class ServerFrame2(ServerFrame, kw_only=True):
    """`conversation`, `seq` and `date` stand in frames that belong to a conversation or entry."""

    conversation: str | UnsetType = UNSET
    seq: int | UnsetType = UNSET
    date: str | UnsetType = UNSET


class StaffFrame(ServerFrame2, kw_only=True):
    """Shows a waiter an entry of the staff track; it stands behind the entry `seq` = `after`."""

    n: int
    after: int
    #: the subject of the waiter who wrote it
    author: str


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


class VisitorPayload(PeerPayload, gc=False):
    """What a waiter is shown of a user."""

    sub: str
    page: str
    opened: str
    #: what it has filled in before it asked
    fields: Mapping[str, str | bool] | UnsetType = UNSET
    #: where the visitor is served
    department: str | UnsetType = UNSET


class ConnectSuccess2(ServerFrame2, tag="connect_success"):
    payload: PeerPayload


class NewConnection2(ServerFrame2, tag="new_connection"):
    payload: VisitorPayload


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


class ErrorPayload(Struct, gc=False, omit_defaults=True):
    message: str
    code: str
    #: s after which the same may be asked again
    retry_after: float | UnsetType = UNSET


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


class TypingOn(ServerFrame2, tag="typing"):
    payload: OnPayload


class ReadTo(ServerFrame2, tag="read"):
    payload: SeqPayload


class PresencePayload(Struct, gc=False):
    state: str


class Presence(ServerFrame2, tag="presence"):
    """The other side is `online` or `away`."""

    payload: PresencePayload


class IdlePayload(Struct, gc=False):
    #: s until the conversation ends, unless the visitor writes something
    seconds: float


class Idle(ServerFrame2, tag="idle"):
    """To a visitor who has not answered for long."""

    payload: IdlePayload


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


class RateInvitation(ServerFrame2, tag="rate"):
    """The waiter asks what the visitor thinks of the conversation."""

    payload: EmptyPayload


class InviteSuccess(ServerFrame2, tag="rate_success"):
    """The invitation has been passed on."""

    payload: UuidPayload


class PlacePayload(Struct, gc=False):
    """Where a message that was left is stored, or an answer to it."""

    conversation: str
    seq: int
    date: str


class LeaveMessageSuccess(ServerFrame2, tag="leave_message_success"):
    payload: PlacePayload


class AnswerMessageSuccess(ServerFrame2, tag="answer_message_success"):
    payload: PlacePayload


class AnsweredPayload(Struct, gc=False):
    conversation: str
    seq: int
    #: the waiter's
    name: str
    message: str
    date: str


class MessageAnswered(ServerFrame2, tag="message_answered"):
    """To the visitor who has left the message."""

    payload: AnsweredPayload


class ClaimPayload(Struct, gc=False):
    name: str
    #: the receiver has claimed it
    own: bool


class AnswerItem(Struct, gc=False):
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
    claimed_by: ClaimPayload | UnsetType = UNSET
    answers: list[AnswerItem] | UnsetType = UNSET
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


class LeftPayload(Struct, gc=False):
    conversation: str


class ClaimMessageSuccess(ServerFrame2, tag="claim_message_success"):
    payload: LeftPayload


class ReleaseMessageSuccess(ServerFrame2, tag="release_message_success"):
    payload: LeftPayload


class PutAwayMessageSuccess(ServerFrame2, tag="put_away_message_success"):
    payload: LeftPayload


class ReasonPayload(Struct, gc=False, omit_defaults=True):
    #: why: the visitor has `left`, the waiter has `ended` it, a side was `lost`, or the waiter has
    #: `transferred` the visitor
    reason: str = ""


class Disconnected2(ServerFrame2, tag="disconnected"):
    """`from` is the side that is gone; the receiver itself: it has left the queue."""

    payload: ReasonPayload


class Kickout(ServerFrame2, tag="kickout"):
    """A newer login takes this one's place; the close (4409) follows."""


BothHear2 = (
    AuthSuccess | Error2 | Text2 | MessageHistory | TypingOn | ReadTo | Presence
    | Disconnected2 | Kickout
)  # fmt: skip
#: What one side lets the other know without a payload, by their types: passed on, never stored.
#: A worker of a later version may know more of them.
SIGNALS: dict[str, Callable[..., ServerFrame2]] = {"rate": RateInvitation}

ToUser2 = (
    Initialize | BothHear2 | ConnectSuccess2 | ConnectQueue2 | Offline | RateInvitation | Idle
    | LeaveMessageSuccess | MessageAnswered | Words
)  # fmt: skip
ToWaiter2 = (
    Initialize | BothHear2 | NewConnection2 | SessionHistory | ReadySuccess | UnreadySuccess
    | QueueStatus | QueueSeen | TakeSuccess | TransferSuccess | WaitersSeen | InviteSuccess | Probe
    | Inbox | InboxChanged | ClaimMessageSuccess | ReleaseMessageSuccess | PutAwayMessageSuccess
    | AnswerMessageSuccess | Explanation
)  # fmt: skip
