"""The journal sorted by what it is about: connections, their streams, and messages.

For `checker.py`, which judges what stands here; nothing is judged in this file.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from .journal import (
    Acknowledged,
    Closed,
    Entered,
    Event,
    Item,
    Journal,
    Left,
    Opened,
    Page,
    Refused,
    Seen,
    Sent,
)


@dataclass(frozen=True, slots=True)
class Conversation:
    """What the history holds of one: its two sides (and earlier waiters) and its messages."""

    sides: AbstractSet[str]
    items: Sequence[Item]
    #: how others read the same history, by name: each must be equal to *items*
    views: Mapping[str, Sequence[Item]] = field(default_factory=dict)
    #: nobody sees it any more
    ended: bool = False


#: the conversations by name
Truth = Mapping[str, Conversation]


@dataclass(frozen=True, slots=True)
class Promises:
    """What a version promises to a connection (docs/protocol.md, *The message contract*)."""

    #: (3): every `seq` exactly once, so no gaps; and shown to the end
    complete: bool = True
    #: (1), (4): receipts, and repeats that are known by their id
    receipts: bool = True


#: both versions promise (2), order, and that a frame is for one's own conversation
PROMISES = {1: Promises(complete=False, receipts=False), 2: Promises()}


@dataclass(slots=True)
class Shown:
    """One entry or receipt that a stream showed."""

    seq: int
    kind: str  # page, asked, message, receipt
    sender: str = ""
    text: str | None = None  # a receipt repeats none
    client_id: str | None = None
    date: str | None = None
    #: the same receipt again: it says nothing new
    repeat: bool = False


@dataclass(slots=True)
class Stream:
    """What one connection has seen of one conversation."""

    #: the last `seq` seen before; None: it began with the latest page
    after: int | None
    entered: bool = False
    #: it was entered and left, and the conversation goes on
    left: bool = False
    shown: list[Shown] = field(default_factory=list)
    #: the `seq` of what the server sent by itself
    seqs: set[int] = field(default_factory=set)
    #: … and of what was asked for
    bridged: set[int] = field(default_factory=set)
    #: the `seq` with which each page begins that says: earlier entries are left out
    cut: set[int] = field(default_factory=set)

    def show(self, shown: Shown) -> None:
        """Append *shown*."""
        self.shown.append(shown)
        if shown.kind == "asked":
            self.bridged.add(shown.seq)
        elif not shown.repeat:
            self.seqs.add(shown.seq)

    def is_old(self, seq: int) -> bool:
        """It was shown before, or lies before the beginning."""
        if self.after is not None:
            return seq <= self.after or seq in self.seqs
        return seq in self.seqs or (bool(self.seqs) and seq < min(self.seqs))


@dataclass(slots=True)
class Socket:
    """One connection from its `auth` on."""

    name: str
    participant: str
    promises: Promises
    resume: Mapping[str, int]
    open: bool = True
    streams: dict[str, Stream] = field(default_factory=dict)

    def stream(self, conversation: str) -> Stream:
        """What it was shown of *conversation*."""
        return self.streams.setdefault(conversation, Stream(self.resume.get(conversation)))


@dataclass(slots=True)
class Letter:
    """One message of one sender: every time that it was sent, and what came of it."""

    conversation: str
    sender: str
    client_id: str
    text: str
    #: each time: place in the journal, socket
    sent: list[tuple[int, str]] = field(default_factory=list)
    receipts: list[Acknowledged] = field(default_factory=list)
    #: each time: place in the journal, the `error`
    refused: list[tuple[int, Refused]] = field(default_factory=list)
    #: where in the journal its sender knew first that it is durable
    known: int | None = None


class Record:
    """Reads the journal once."""

    def __init__(self, journal: Journal, truth: Truth) -> None:
        self.who = journal.who
        self.truth = truth
        #: conversation → seq → what the history holds
        self.rows = {name: {item.seq: item for item in held.items} for name, held in truth.items()}
        self.sockets: dict[str, Socket] = {}
        #: by conversation, sender and client id, in the order of their first sending
        self.letters: dict[tuple[str, str, str], Letter] = {}
        #: conversations, each with a waiter who has handed its user over
        self.handed: set[tuple[str, str]] = set()
        self._latest: dict[tuple[str, str], Letter] = {}
        self._ids: dict[tuple[str, str, str], int] = {}
        self._texts: dict[tuple[str, str, str], int] = {}
        #: where the history holds what version 1 said, by sender and text
        self._where: dict[tuple[str, str], str] = {}
        self._index()
        self._of_version_1 = _Resolver(self)
        for at, event in enumerate(journal.events):
            self._read(at, event)

    def row_of(self, letter: Letter) -> int | None:
        """The first `seq` under which the history holds *letter*."""
        place = (letter.conversation, letter.sender)
        found = self._ids.get((*place, letter.client_id))
        return found if found is not None else self._texts.get((*place, letter.text))

    def _index(self) -> None:
        for conversation, held in self.truth.items():
            for item in sorted(held.items):
                place = (conversation, self.who(item.sender))
                self._where.setdefault((place[1], item.text), conversation)
                if item.client_id is not None:
                    self._ids.setdefault((*place, item.client_id), item.seq)
                else:
                    self._texts.setdefault((*place, item.text), item.seq)

    def _read(self, at: int, event: Event) -> None:
        if isinstance(event, Opened):
            self.sockets[event.socket] = Socket(
                event.socket, event.participant, PROMISES[event.version], event.resume
            )
            return
        socket = self.sockets[event.socket]
        match event:
            case Closed():
                socket.open = False
            case Entered():
                stream = socket.stream(event.conversation)
                stream.entered, stream.left = True, False
            case Left():
                stream = socket.stream(event.conversation)
                stream.entered, stream.left = False, True
                self.handed.add((event.conversation, socket.participant))
            case Sent():
                self._send(at, event)
            case Acknowledged():
                self._acknowledge(at, socket, event)
            case Refused():
                letter = self._latest.get((event.sender, event.client_id))
                if letter is not None:  # else it was no message
                    letter.refused.append((at, event))
            case Seen():
                self._see(at, socket, event)
            case Page():
                self._turn(at, socket, event)

    def _send(self, at: int, event: Sent) -> None:
        conversation = event.conversation or self._where.get((event.sender, event.text), "")
        key = (conversation, event.sender, event.client_id)
        letter = self.letters.setdefault(key, Letter(*key, event.text))
        letter.sent.append((at, event.socket))
        self._latest[event.sender, event.client_id] = letter

    def _acknowledge(self, at: int, socket: Socket, event: Acknowledged) -> None:
        key = (event.conversation, event.sender, event.client_id)
        letter = self.letters.setdefault(key, Letter(*key, ""))
        stream = socket.stream(event.conversation)
        sent = sum(name == event.socket for _, name in letter.sent)
        answered = sum(receipt.socket == event.socket for receipt in letter.receipts)
        repeat = len(letter.sent) > 1 and answered < sent and stream.is_old(event.seq)
        stream.show(
            Shown(
                event.seq, "receipt", event.sender, letter.text or None, event.client_id,
                event.date, repeat,
            )
        )  # fmt: skip
        letter.receipts.append(event)
        letter.known = at if letter.known is None else letter.known

    def _see(self, at: int, socket: Socket, event: Seen) -> None:
        sender = self.who(event.sender)
        conversation, seq = event.conversation, event.seq
        if conversation is None or seq is None:
            conversation, seq = self._of_version_1.find(socket, sender, event.text)
        shown = Shown(seq, "message", sender, event.text, None, event.date)
        socket.stream(conversation).show(shown)
        if sender == socket.participant and (conversation, sender) in self.handed:
            self._recognise(at, conversation, sender, event.text)

    def _recognise(self, at: int, conversation: str, sender: str, text: str) -> None:
        """*sender*, who has given up its outbox when it left, is shown what it has said itself."""
        for letter in self.letters.values():
            if (letter.conversation, letter.sender, letter.text) == (conversation, sender, text):
                letter.known = at if letter.known is None else letter.known

    def _turn(self, at: int, socket: Socket, event: Page) -> None:
        stream = socket.stream(event.conversation)
        kind = "asked" if event.asked else "page"
        if event.items and not event.complete:
            stream.cut.add(min(item.seq for item in event.items))
        for item in event.items:
            sender = self.who(item.sender)
            stream.show(Shown(item.seq, kind, sender, item.text, item.client_id, item.date))
            if item.client_id is not None:
                letter = self.letters.get((event.conversation, sender, item.client_id))
                if letter is not None and letter.known is None:
                    letter.known = at


class _Resolver:
    """Finds the `seq` of what version 1 gets without one: by sender and text.

    The same text twice is shown in its order.
    """

    def __init__(self, record: Record) -> None:
        self._truth = record.truth
        self._rows: dict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
        for name, held in record.truth.items():
            for item in sorted(held.items):
                self._rows[record.who(item.sender), item.text].append((name, item.seq))
        self._taken: Counter[tuple[str, str, str]] = Counter()

    def find(self, socket: Socket, sender: str, text: str) -> tuple[str, int]:
        """Its conversation, one of the socket's own before others', and `seq`; 0: nowhere."""
        rows = self._rows.get((sender, text), [])
        if not sender:  # an earlier waiter
            same = [rows for (_, words), rows in self._rows.items() if words == text]
            rows = [row for rows in same for row in rows]
        own = [row for row in rows if socket.participant in self._truth[row[0]].sides]
        rows = own or rows
        if not rows:
            return "", 0
        turn = self._taken[socket.name, sender, text]
        self._taken[socket.name, sender, text] += 1
        return rows[min(turn, len(rows) - 1)]
