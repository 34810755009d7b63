"""The same decisions, as frames of version 1 or of version 2.

A participant may have sockets of both versions at once. What version 1 has no
word for, it is not sent: those methods return None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec import UNSET

from . import frames
from .codec import new_id
from .codes import ErrorCode
from .dates import rfc3339

#: s after which a request that failed for no fault of its own may be repeated
RETRY_AFTER = {ErrorCode.UNAVAILABLE: 1.0, ErrorCode.RATE_LIMITED: 1.0, ErrorCode.QUEUE_FULL: 10.0}

#: of an error that says what its code usually says
NO_DETAILS: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Peer:
    """The other side of a conversation, as a participant is shown it."""

    uuid: str
    subject: str
    name: str
    conversation: str
    last_seq: int
    resumed: bool
    #: read up to here by oneself, and by the other side
    read: int
    peer_read: int
    page: str
    opened: int
    #: the address of a picture, or nothing
    avatar: str = ""
    #: what a visitor has filled in before it asked
    fields: Mapping[str, str | bool] = field(default_factory=dict)
    #: where the visitor is served, or nothing
    department: str = ""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a user stands in the queue, as it is shown."""

    #: how many are ahead in its department
    location: int
    #: signed: the position can be taken again with it
    ticket: str = ""
    #: s that it is likely to wait; None: nobody can say
    wait: float | None = None
    department: str = ""


class V1:
    """The founding document, to the letter."""

    version = 1

    def connect_success(self, to: str, peer: Peer) -> frames.ServerFrame:
        return frames.ConnectSuccess(id=new_id(), to=to, payload=frames.UuidPayload(peer.uuid))

    def connect_queue(self, to: str, position: Position) -> frames.ServerFrame:
        payload = frames.LocationPayload(position.location)
        return frames.ConnectQueue(id=new_id(), to=to, payload=payload)

    def offline(self, to: str, reason: str, opens: int | None) -> frames.ServerFrame | None:
        return None

    def new_connection(self, to: str, peer: Peer) -> frames.ServerFrame:
        return frames.NewConnection(id=new_id(), to=to, payload=frames.UuidPayload(peer.uuid))

    def disconnected(
        self, to: str, gone: str, conversation: str, reason: str
    ) -> frames.ServerFrame:
        return frames.Disconnected(id=new_id(), to=to, from_=gone)

    def error(
        self, to: str, code: ErrorCode, message: str, details: Mapping[str, Any] = NO_DETAILS
    ) -> frames.ServerFrame:
        return frames.Error(id=new_id(), to=to, payload=frames.TextPayload(message))

    def presence(
        self, to: str, whose: str, conversation: str, state: str
    ) -> frames.ServerFrame | None:
        return None

    def typing(self, to: str, who: str, conversation: str, on: bool) -> frames.ServerFrame | None:
        return None

    def read(self, to: str, who: str, conversation: str, seq: int) -> frames.ServerFrame | None:
        return None

    def queue_status(self, to: str, length: int, longest: float) -> frames.ServerFrame | None:
        return None

    def kickout(self, to: str) -> frames.ServerFrame | None:
        return None


class V2:
    """What a demanding team expects on top."""

    version = 2

    def connect_success(self, to: str, peer: Peer) -> frames.ServerFrame:
        payload = frames.PeerPayload(
            peer.uuid, peer.name, peer.avatar, peer.conversation, peer.last_seq, peer.resumed,
            peer.read, peer.peer_read,
        )  # fmt: skip
        return frames.ConnectSuccess2(
            id=new_id(), to=to, conversation=peer.conversation, payload=payload
        )

    def connect_queue(self, to: str, position: Position) -> frames.ServerFrame:
        wait = UNSET if position.wait is None else round(position.wait, 1)
        payload = frames.TicketPayload(
            position.location, position.ticket, wait, position.department
        )
        return frames.ConnectQueue2(id=new_id(), to=to, payload=payload)

    def offline(self, to: str, reason: str, opens: int | None) -> frames.ServerFrame | None:
        date = UNSET if opens is None else rfc3339(opens * 1000)
        return frames.Offline(id=new_id(), to=to, payload=frames.OfflinePayload(reason, date))

    def new_connection(self, to: str, peer: Peer) -> frames.ServerFrame:
        payload = frames.VisitorPayload(
            peer.uuid, peer.name, peer.avatar, peer.conversation, peer.last_seq, peer.resumed,
            peer.read, peer.peer_read, peer.subject, peer.page, rfc3339(peer.opened),
            peer.fields or UNSET,
            peer.department or UNSET,
        )  # fmt: skip
        return frames.NewConnection2(
            id=new_id(), to=to, conversation=peer.conversation, payload=payload
        )

    def disconnected(
        self, to: str, gone: str, conversation: str, reason: str
    ) -> frames.ServerFrame:
        return frames.Disconnected2(
            id=new_id(), to=to, from_=gone, conversation=conversation or UNSET,
            payload=frames.ReasonPayload(reason),
        )  # fmt: skip

    def error(
        self, to: str, code: ErrorCode, message: str, details: Mapping[str, Any] = NO_DETAILS
    ) -> frames.ServerFrame:
        more = {"retry_after": RETRY_AFTER.get(code, UNSET), **details}
        payload = frames.ErrorPayload(message, code.value, **more)
        return frames.Error2(id=new_id(), to=to, payload=payload)

    def presence(
        self, to: str, whose: str, conversation: str, state: str
    ) -> frames.ServerFrame | None:
        payload = frames.PresencePayload(state)
        return frames.Presence(
            id=new_id(), to=to, from_=whose, conversation=conversation, payload=payload
        )

    def typing(self, to: str, who: str, conversation: str, on: bool) -> frames.ServerFrame | None:
        payload = frames.OnPayload(on)
        return frames.TypingOn(
            id=new_id(), to=to, from_=who, conversation=conversation, payload=payload
        )

    def read(self, to: str, who: str, conversation: str, seq: int) -> frames.ServerFrame | None:
        payload = frames.SeqPayload(seq)
        return frames.ReadTo(
            id=new_id(), to=to, from_=who, conversation=conversation, payload=payload
        )

    def queue_status(self, to: str, length: int, longest: float) -> frames.ServerFrame | None:
        payload = frames.QueueStatusPayload(length, round(longest, 1))
        return frames.QueueStatus(id=new_id(), to=to, payload=payload)

    def kickout(self, to: str) -> frames.ServerFrame | None:
        return frames.Kickout(id=new_id(), to=to)


Dialect = V1 | V2

DIALECTS: dict[int, Dialect] = {1: V1(), 2: V2()}
