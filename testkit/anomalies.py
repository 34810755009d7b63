"""What can go wrong in a conversation that many clients have with a server (`checker.check`).

Each class says what is promised, and where (docs/protocol.md, *The message contract*, by number).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .journal import (
    Acknowledged,
    Closed,
    Entered,
    Event,
    Journal,
    Left,
    Opened,
    Page,
    Refused,
    Seen,
    Sent,
)


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A broken promise. `""`, 0: does not apply."""

    conversation: str
    story: str
    socket: str = ""
    seq: int = 0
    participant: str = ""
    client_id: str = ""

    @property
    def kind(self) -> str:
        """`lost`, `doubled` …"""
        return type(self).__name__.lower()

    def __str__(self) -> str:
        about = [f"{self.conversation}/{self.seq}" if self.seq else self.conversation]
        about += [one for one in (self.socket, self.participant, self.client_id) if one]
        return f"{self.kind}: {self.story} ({', '.join(about)})"


class Lost(Anomaly):
    """Acknowledged and not in the history, or not delivered to a connection that was there for it.

    (1) "A receipt means durable: no acknowledged message is ever lost." (3)
    "every socket in it sees every seq": those that are open in the end have
    been shown everything after the point that they resumed from.
    """


class Doubled(Anomaly):
    """Delivered twice in one stream, or twice in the history.

    (3) "every socket in it sees every `seq` exactly once"; (4) "The same `id`
    from the same sender in the same conversation is the same message: same
    receipt, one row, one delivery". In version 1 each time that it was sent
    may be a row, but no more.
    """


class Reordered(Anomaly):
    """A stream's `seq` does not grow, or a sender's messages changed places.

    (3) "`seq` counts 1, 2, 3 …, and every socket in it sees every seq exactly
    once and in order", also in version 1. What one socket sends, one after
    the other and not refused, is one after the other in the history.
    """


class Skipped(Anomaly):
    """A stream left out a `seq`, and the client did not ask for it; or the history did.

    (3) "So the last `seq` seen is all that a client must remember." A page
    that says `"complete": false` may leave out what comes before it; a client
    that has a resume point asks for it with `get_history`.
    """


class Leaked(Anomaly):
    """A frame of a conversation went to somebody who is no side of it.

    *Version 2*: `get_history` shows users their own conversations, waiters
    those of users they serve or served; nothing shows anybody more.
    """


class Unacknowledged(Anomaly):
    """Sent, and neither acknowledged nor refused, though its sender is back.

    Where the socket on which it was sent is still open, each time that it was
    sent has an answer.

    (4) a repeat gets the same receipt, "A history item of one's own carries
    that id as `client_id`", which is as good as a receipt; (5) "When the store
    is down the sender gets `unavailable`". So no message stays in the dark.
    """


class Phantom(Anomaly):
    """Somebody received a message that the history does not hold.

    (2) "Nobody sees a message that is not durable." In both versions.
    """


class Conflict(Anomaly):
    """One message delivered in two versions.

    Two texts, senders or dates under one `seq`; one client id with two
    receipts (4); refused each time, and yet in the history: (5) "nothing is
    half-done"; or a message in the history that its sender never sent.
    """


KINDS = (Lost, Doubled, Reordered, Skipped, Leaked, Unacknowledged, Phantom, Conflict)


def count(anomalies: Sequence[Anomaly]) -> dict[str, int]:
    """How many of each kind, all kinds in a fixed order."""
    numbers = Counter(anomaly.kind for anomaly in anomalies)
    return {kind.__name__.lower(): numbers[kind.__name__.lower()] for kind in KINDS}


def story(journal: Journal, anomaly: Anomaly) -> list[Event]:
    """The events that *anomaly* is about: its socket's life, its message, nothing else.

    Of pages the message concerned, and the first and the last one.
    """
    events = journal.events
    texts = {
        event.text
        for event in events
        if isinstance(event, Sent) and event.client_id == anomaly.client_id
    }
    return [_brief(event, anomaly) for event in events if _concerns(event, anomaly, texts)]


def _brief(event: Event, anomaly: Anomaly) -> Event:
    if not isinstance(event, Page):
        return event
    ends = event.items[:1] + event.items[-1:]
    items = [one for one in event.items if one.seq == anomaly.seq or one in ends]
    return replace(event, items=tuple(items))


def _concerns(event: Event, anomaly: Anomaly, texts: set[str]) -> bool:
    match event:
        case Opened() | Closed() | Entered() | Left():
            return event.socket == anomaly.socket
        case Page():
            return event.conversation == anomaly.conversation and (
                event.socket == anomaly.socket or any(i.seq == anomaly.seq for i in event.items)
            )
        case Sent() | Refused():
            return bool(anomaly.client_id) and event.client_id == anomaly.client_id
        case Acknowledged() | Seen():
            same_seq = bool(anomaly.seq) and event.seq == anomaly.seq
            same_place = event.conversation == anomaly.conversation
            same_text = isinstance(event, Seen) and event.text in texts
            return (same_seq and same_place) or same_text
