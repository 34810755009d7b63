"""Names what went wrong in a conversation that many clients had with a server.

    anomalies = check(journal, Truth({"c1": Conversation({"ann", "wim"}, items)}))

The *journal* is what the clients did and saw, the *truth* what the history
holds when all is quiet. `anomalies.py` has what can be wrong. Nothing is said about what
may happen: an unacknowledged message may be lost, a connection may drop at any time.

How it is read:

1. A socket's *stream* is what the server sends to it unasked, in order: the page
   after it entered, messages, receipts for its own. The contract is about
   streams. Pages that were asked for bridge a gap and count as seen, no more.
2. A receipt for a message that this stream has delivered already, or that was sent
   before, is the same receipt again, and says nothing new.
3. Who said what is compared by participant, since UUIDs change.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from .anomalies import (
    Anomaly,
    Conflict,
    Doubled,
    Leaked,
    Lost,
    Phantom,
    Reordered,
    Skipped,
    Unacknowledged,
    count,
    story,
)
from .journal import (
    Item,
    Journal,
)
from .record import Conversation, Letter, Record, Socket, Stream, Truth

__all__ = ["Anomaly", "Conversation", "Truth", "check", "count", "story"]


def check(journal: Journal, truth: Truth) -> list[Anomaly]:
    """Every anomaly, in the order of the journal's sockets; empty: nothing is wrong."""
    record = Record(journal, truth)
    found: dict[tuple[str, str, str, int, str], Anomaly] = {}
    for anomaly in _all(record):
        key = (
            anomaly.kind,
            anomaly.conversation,
            anomaly.socket,
            anomaly.seq,
            anomaly.participant + anomaly.client_id,
        )
        found.setdefault(key, anomaly)
    return list(found.values())


# ---- the judgements -----------------------------------------------------------


def _all(record: Record) -> Iterator[Anomaly]:
    for socket in record.sockets.values():
        for conversation, stream in socket.streams.items():
            stored = record.truth.get(conversation)
            if stored is not None and socket.participant not in stored.sides:
                yield from _leaks(socket, conversation, stream)
                continue
            yield from _order(socket, conversation, stream)
            yield from _substance(record, socket, conversation, stream)
            if socket.promises.complete:
                yield from _gaps(socket, conversation, stream)
                if socket.open and stored is not None and not stored.ended:
                    yield from _end(record, socket, conversation, stream)
    for conversation, stored in record.truth.items():
        yield from _history(record, conversation, stored)
        yield from _views(record, conversation, stored)
        yield from _sides(record, conversation, stored)
    for letter in record.letters.values():
        yield from _answers(record, letter)
    yield from _senders(record)


def _leaks(socket: Socket, conversation: str, stream: Stream) -> Iterator[Anomaly]:
    for shown in stream.shown:
        yield Leaked(
            conversation, f"a {shown.kind} went to an outsider", socket.name, shown.seq,
            socket.participant,
        )  # fmt: skip
    if stream.entered and not stream.shown:
        yield Leaked(conversation, "an outsider was let in", socket.name, 0, socket.participant)


def _order(socket: Socket, conversation: str, stream: Stream) -> Iterator[Anomaly]:
    """Delivered once, and in ascending order."""
    seen: set[int] = set()
    last = stream.after or 0
    for shown in stream.shown:
        if shown.repeat or shown.kind == "asked" or not shown.seq:
            continue
        about = (socket.name, shown.seq, socket.participant, shown.client_id or "")
        if shown.seq in seen:
            yield Doubled(conversation, f"{shown.kind} of what was shown before", *about)
        elif shown.seq <= (stream.after or 0):
            yield Doubled(
                conversation, f"{shown.kind} of what was seen before {stream.after}", *about
            )
        elif shown.seq < last:
            yield Reordered(conversation, f"{shown.kind} after {last}", *about)
        seen.add(shown.seq)
        last = max(last, shown.seq)


def _substance(
    record: Record, socket: Socket, conversation: str, stream: Stream
) -> Iterator[Anomaly]:
    """What was delivered is what the history holds."""
    rows = record.rows.get(conversation, {})
    for shown in stream.shown:
        about = (socket.name, shown.seq, socket.participant, shown.client_id or "")
        row = rows.get(shown.seq)
        if row is None:
            if shown.kind != "receipt":  # of a receipt without a row: `Lost`
                yield Phantom(
                    conversation, f"was shown {shown.text!r}, which the history lacks", *about
                )
            continue
        if shown.text is not None and shown.text != row.text:
            yield Conflict(
                conversation, f"was shown {shown.text!r}, the history has {row.text!r}", *about
            )
        elif shown.sender and shown.sender != record.who(row.sender):  # an earlier waiter: ""
            yield Conflict(
                conversation,
                f"{shown.sender} was named, the history has {record.who(row.sender)}",
                *about,
            )
        elif shown.date and row.date and shown.date != row.date:
            yield Conflict(
                conversation, f"was shown {shown.date}, the history has {row.date}", *about
            )
        elif shown.client_id and row.client_id and shown.client_id != row.client_id:
            yield Conflict(
                conversation, f"for {shown.client_id}, the history has {row.client_id}", *about
            )


def _gaps(socket: Socket, conversation: str, stream: Stream) -> Iterator[Anomaly]:
    """From where it resumed, or from the first that was delivered, nothing is left out.

    A page may say that it leaves something out; who stays connected asks for that.
    """
    shown = sorted(stream.seqs)
    last = shown[0] - 1 if shown and stream.after is None else stream.after or 0
    for seq in shown:
        missing = [gap for gap in range(last + 1, seq) if gap not in stream.bridged]
        if missing and (socket.open or seq not in stream.cut):
            yield Skipped(
                conversation, f"{_span(missing)} left out before it", socket.name, seq,
                socket.participant,
            )  # fmt: skip
        last = max(last, seq)


def _end(record: Record, socket: Socket, conversation: str, stream: Stream) -> Iterator[Anomaly]:
    """A connection that is open in the end has received the end."""
    if not stream.entered:
        return
    last = max(stream.seqs, default=stream.after or 0)
    for seq in record.rows[conversation]:
        if seq > last and seq not in stream.bridged:
            yield Lost(
                conversation, f"not shown after {last}, though it is there", socket.name, seq,
                socket.participant,
            )  # fmt: skip


def _history(record: Record, conversation: str, stored: Conversation) -> Iterator[Anomaly]:
    """The history is 1, 2, 3 …, each message once, each one that somebody sent."""
    rows = [item.seq for item in stored.items]
    for seq, times in Counter(rows).items():
        if times > 1:
            yield Doubled(conversation, "two messages under one seq in the history", seq=seq)
    missing = sorted(set(range(1, max(rows, default=0) + 1)) - set(rows))
    if missing:
        yield Skipped(conversation, f"{_span(missing)} not in the history", seq=missing[0])
    ids: dict[tuple[str, str], int] = {}
    for item in sorted(stored.items):
        who = record.who(item.sender)
        if item.client_id is not None:
            first = ids.setdefault((who, item.client_id), item.seq)
            if first != item.seq:
                yield Doubled(
                    conversation, f"in the history as {first} too", seq=item.seq,
                    participant=who, client_id=item.client_id,
                )  # fmt: skip
    yield from _copies(record, conversation, stored)


def _copies(record: Record, conversation: str, stored: Conversation) -> Iterator[Anomaly]:
    """Not more messages of one text than were sent; by text, for rows that bear no id."""
    senders = {socket.participant: socket.promises for socket in record.sockets.values()}
    sent: Counter[tuple[str, str]] = Counter()
    for letter in record.letters.values():
        if letter.conversation == conversation:
            times = 1 if senders[letter.sender].receipts else len(letter.sent)
            sent[letter.sender, letter.text] += times
    held: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for item in sorted(stored.items):
        held[record.who(item.sender), item.text].append(item)
    for (who, text), items in held.items():
        if who not in senders:
            continue
        about = {"participant": who, "client_id": items[-1].client_id or ""}
        if not sent[who, text]:
            yield Conflict(
                conversation, f"the history has {text!r}, which was never sent",
                seq=items[-1].seq, **about,
            )  # fmt: skip
        elif len(items) > sent[who, text]:
            yield Doubled(
                conversation, f"{text!r} is in the history {len(items)} times",
                seq=items[-1].seq, **about,
            )  # fmt: skip


def _views(record: Record, conversation: str, stored: Conversation) -> Iterator[Anomaly]:
    """Everybody reads the same history."""
    rows = {item.seq: item for item in stored.items}
    for name, items in stored.views.items():
        view = {item.seq: item for item in items}
        if len(view) < len(items):
            yield Doubled(conversation, "twice on the pages that were read", participant=name)
        for seq in sorted(rows.keys() | view.keys()):
            if seq not in view:
                yield Lost(conversation, "not on the pages that were read", "", seq, name)
            elif seq not in rows:
                yield Phantom(conversation, "only on the pages that were read", "", seq, name)
            elif not _are_same(record, rows[seq], view[seq]):
                yield Conflict(conversation, "shown otherwise on the pages read", "", seq, name)


def _are_same(record: Record, stored: Item, read: Item) -> bool:
    """Users are not told who an earlier waiter was."""
    is_same_sender = not read.sender or record.who(read.sender) == record.who(stored.sender)
    return is_same_sender and read.text == stored.text


def _sides(record: Record, conversation: str, stored: Conversation) -> Iterator[Anomaly]:
    """Each side that is back has seen every message on one connection or another."""
    for side in stored.sides:
        sockets = [one for one in record.sockets.values() if one.participant == side]
        complete = [one for one in sockets if one.promises.complete]
        streams = [one.streams[conversation] for one in sockets if conversation in one.streams]
        back = [one for one in sockets if one.open and conversation in one.streams]
        if any(one.streams[conversation].left for one in back):
            continue  # it has handed its user over
        if not back or len(complete) < len(sockets) or stored.ended:
            continue
        seen = {shown.seq for stream in streams for shown in stream.shown}
        for seq in record.rows[conversation]:
            if seq not in seen and seq > min(seen, default=0):  # a new waiter begins somewhere
                yield Lost(conversation, "never shown to this side", "", seq, side)


def _answers(record: Record, letter: Letter) -> Iterator[Anomaly]:
    """A receipt stays and is always the same; every message has an answer."""
    about = {"participant": letter.sender, "client_id": letter.client_id}
    receipts = {receipt.seq for receipt in letter.receipts}
    if len(receipts) > 1:
        yield Conflict(
            letter.conversation, f"receipts for {sorted(receipts)}", seq=max(receipts), **about
        )
    held = record.row_of(letter)
    for seq in sorted(receipts - {held}):
        if held is None:
            yield Lost(
                letter.conversation, f"{letter.text!r} was acknowledged, the history lacks it",
                seq=seq, **about,
            )  # fmt: skip
        else:
            yield Conflict(
                letter.conversation, f"a receipt for {seq}, the history has it as {held}",
                seq=seq, **about,
            )  # fmt: skip
    if not letter.sent or not record.sockets[letter.sent[-1][1]].promises.receipts:
        return
    if held is not None and not receipts and len(letter.refused) >= len(letter.sent):
        code = letter.refused[-1][1].code
        yield Conflict(
            letter.conversation, f"refused ({code}), and yet in the history", seq=held, **about
        )
    yield from _unanswered(record, letter)
    if letter.known is None and _in_the_dark(record, letter, held):
        yield Unacknowledged(
            letter.conversation,
            f"{letter.text!r} is {'not ' if held is None else ''}in the history,"
            " and its sender does not know",
            seq=held or 0, **about,
        )  # fmt: skip


def _unanswered(record: Record, letter: Letter) -> Iterator[Anomaly]:
    """Each time that it was sent on a socket which is open in the end has its answer there."""
    answers = Counter(receipt.socket for receipt in letter.receipts)
    answers.update(error.socket for _, error in letter.refused)
    for socket, times in Counter(socket for _, socket in letter.sent).items():
        if record.sockets[socket].open and answers[socket] < times:
            what = f"sent {times} times, answered {answers[socket]} times"
            yield Unacknowledged(
                letter.conversation, what, socket, 0, letter.sender, letter.client_id
            )


def _in_the_dark(record: Record, letter: Letter, held: int | None) -> bool:
    """Its last sending has no answer, though there is a socket that could have delivered it."""
    if letter.refused and letter.refused[-1][0] > letter.sent[-1][0]:
        return False
    if record.sockets[letter.sent[-1][1]].open:
        return True
    return held is not None and any(
        one.participant == letter.sender and one.open and letter.conversation in one.streams
        for one in record.sockets.values()
    )


def _senders(record: Record) -> Iterator[Anomaly]:
    """Messages stand in the history in the order in which each sender sent them."""
    said: dict[tuple[str, str], list[tuple[int, Letter]]] = defaultdict(list)
    for letter in record.letters.values():
        seq = record.row_of(letter)
        if seq is not None and letter.sent:
            said[letter.conversation, letter.sender].append((seq, letter))
    for (conversation, sender), letters in said.items():
        for (seq, letter), (next_seq, next_letter) in itertools.pairwise(letters):
            if next_seq < seq and _must_precede(record, letter, next_letter):
                yield Reordered(
                    conversation, f"{next_letter.text!r} was sent after {letter.text!r}, as {seq}",
                    seq=next_seq, participant=sender, client_id=next_letter.client_id,
                )  # fmt: skip


def _must_precede(record: Record, one: Letter, other: Letter) -> bool:
    """However *other* came into the history, *one* was there before.

    For each time that *other* was sent, *one* was known to be stored, or had
    been sent on the same socket and was not refused there. Nobody knows that of a socket which
    is closed, where a user may have had no waiter for a moment: it was handed over.
    """
    may_wait = any(conversation == one.conversation for conversation, _ in record.handed)
    for at, socket in other.sent:
        if one.known is not None and one.known < at:
            continue
        before = any(place < at and name == socket for place, name in one.sent)
        refused = any(error.socket == socket for _, error in one.refused)
        if may_wait and not record.sockets[socket].open:
            refused = refused or not any(receipt.socket == socket for receipt in one.receipts)
        if not before or refused:
            return False
    return True


def _span(numbers: Sequence[int]) -> str:
    first, last = numbers[0], numbers[-1]
    return str(first) if first == last else f"{first}–{last} ({len(numbers)})"
