"""The switchboard of one worker among several: `switchboard.py`, and what others must be told.

Rules of this file:

1. A letter is a hint, the history is the truth. What is stored is delivered in
   the order of `seq`; what is there already is dropped; what is missing is read
   from the history before anything behind it goes on.
2. Whoever stores a text tells the other workers. Whoever finds somebody away
   everywhere keeps for it what version 1 is to hear, and sends it after it.
3. Of all who hear of a decision one writes it down (`keeps`), and writes only
   what has changed: others write about the same chat.
4. Nothing here waits for another worker. Letters to one of them that were
   written in one round of the loop travel together.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Any, Protocol

import msgspec

from .desk.port import (
    Arrival,
    Departed,
    Desk,
    Event,
    Figures,
    Known,
    Matched,
    Moved,
    Parted,
    Role,
)
from .history.port import Amendment, Chat, Duty, Side, Store, StoreError
from .history.writer import RETRY, Talk, Writer
from .identity import Identity, TokenRole
from .participants import SIDES, Ids, Line, Participant, Phase, Socket, Spoken
from .runtime import Runtime
from .switchboard import Switchboard

log = logging.getLogger("csapp.desk")

#: s between two looks for what another worker is just about to store
SOON = 0.01

#: messages read at once to fill a gap
PIECE = 500


# ---- letters -----------------------------------------------------------------


class Said(msgspec.Struct, tag="s", array_like=True):
    """Texts that are stored: their talk, who said them, when, and the number of the first."""

    talk: int
    side: int
    author: str
    date: int
    first: int
    texts: list[str]


class Passed(msgspec.Struct, tag="p", array_like=True):
    """One side types or has stopped (`on`), or has read up to `seq`: never stored by the reader."""

    talk: int
    side: int
    on: bool | None = None
    seq: int | None = None


class NewLogin(msgspec.Struct, tag="l", array_like=True):
    """A waiter has signed in elsewhere: older logins are replaced."""

    uuid: str
    sid: str


class Parked(msgspec.Struct, tag="k", array_like=True):
    """What was kept for somebody who is there now, for each version."""

    uuid: str
    frames: list[tuple[bytes, bytes]]


Letter = Said | Passed | NewLogin | Parked

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Letter]).decode


class Post(Protocol):
    """The way to the other workers."""

    def post(self, worker: str, letter: bytes) -> None:
        """Let *worker* have *letter*. Never waits."""


# ---- talks -------------------------------------------------------------------


class SharedTalk(Talk):
    """A conversation that other workers may write to. *behind*: what is stored is not known yet."""

    __slots__ = ("behind", "end", "lines", "under_way", "waiting")

    def __init__(self, record: Chat, *, behind: bool) -> None:
        super().__init__(record)
        self.behind = behind
        #: the highest number that is known to be stored
        self.end = record.last_seq
        self.lines: dict[int, Line] = {}
        #: sayings that the writer has and has not told of
        self.under_way = 0
        #: what cannot be delivered before a gap is filled; None: there is none
        self.waiting: list[Spoken] | None = None

    def stored_to(self, seq: int) -> None:
        self.end = max(self.end, seq)

    def take_back(self) -> None:
        self.given = self.end

    def begin_at(self, found: Chat) -> None:
        """What is stored of it is known now."""
        if not self.behind:
            return
        record = self.record
        record.page, record.department = found.page, found.department
        record.user_read = max(record.user_read, found.user_read)
        record.waiter_read = max(record.waiter_read, found.waiter_read)
        # What is on its way here is still to be delivered, above all in version 1.
        self.last_seq = min([found.last_seq, *(_first(one) - 1 for one in self.waiting or ())])
        self.stored_to(found.last_seq)
        self.given = max(self.given, self.end)
        self.behind = False

    def deliver_to(self, seq: int) -> None:
        """Everything up to *seq* is delivered here."""
        self.last_seq = max(self.last_seq, seq)
        self.end = max(self.end, seq)
        self.given = max(self.given, seq)


class SharedSwitchboard(Switchboard):
    """All participants with sockets here, and those they talk with.

    *figures* tells how busy the desk was lately, without asking it.
    """

    store: Store
    writer: Writer

    def __init__(
        self,
        desk: Desk,
        most_parked: int,
        store: Store,
        writer: Writer,
        sign_ticket: Callable[[str, int], str],
        *,
        worker: str,
        runtime: Runtime,
    ) -> None:
        super().__init__(desk, most_parked, store, writer, sign_ticket)
        self._worker = worker
        self._runtime = runtime
        self._post: Post | None = None
        self._talks: dict[int, SharedTalk] = {}
        self._outgoing: dict[str, list[Letter]] = {}
        self._sending = threading.Lock()
        self._figures = Figures(0, 0, 0, 0, 0.0)

    def connect(self, post: Post) -> None:
        """From now on *post* carries letters."""
        self._post = post

    # ---- a restart -----------------------------------------------------

    def restore(self, chats: list[Chat], duties: list[Duty]) -> None:
        """The desk takes up what no worker had: here nobody is known before it comes."""
        super().restore(chats, duties)
        self._participants.clear()

    # ---- coming and going ----------------------------------------------

    def _welcome(
        self, role: Role, identity: Identity, arrival: Arrival, sock: Socket
    ) -> list[Socket]:
        if arrival.place is not None:
            self._take_place(role, identity, arrival)
        replaced = super()._welcome(role, identity, arrival, sock)
        participant = self._participants[arrival.uuid]
        participant.here = True
        participant.elsewhere = arrival.elsewhere
        if role is Role.WAITER:
            self._send(arrival.elsewhere, NewLogin(arrival.uuid, identity.sid))
        return replaced

    def _take_place(self, role: Role, identity: Identity, arrival: Arrival) -> None:
        """Somebody comes whom other workers have known."""
        place = arrival.place
        assert place is not None  # noqa: S101
        me = self._participants.get(arrival.uuid)
        if me is None:
            me = self._participants[arrival.uuid] = Participant(arrival.uuid, role, identity)
        me.line, me.lines, me.talk = None, {}, None
        me.identity = identity
        for chatting in place.chats:
            other = self._known(chatting.other)
            user, waiter = (me, other) if role is Role.USER else (other, me)
            user.talk = self._talk(user, chatting.talk)
            record = user.talk.record
            record.waiter, record.waiter_subject = waiter.uuid, waiter.identity.subject
            self._join(user, waiter, user.talk)
        if role is Role.WAITER:
            me.phase = Phase.ON_DUTY if place.ready else Phase.OFF_DUTY
        elif me.line is None:
            me.talk = (
                self._talk(me, place.talk) if place.talk and place.ticket is not None else None
            )
            me.phase = Phase.IDLE if place.ticket is None else Phase.QUEUED

    def _known(self, known: Known) -> Participant:
        """Somebody as other workers know it, who may be new here."""
        other = self._participants.get(known.uuid)
        if other is None:
            role = TokenRole.USER if known.role is Role.USER else TokenRole.WAITER
            identity = Identity(known.subject, known.name, role)
            other = self._participants[known.uuid] = Participant(known.uuid, known.role, identity)
            other.here = self._worker in known.workers
        other.elsewhere = tuple(one for one in known.workers if one != self._worker)
        return other

    def _person(self, event: Event, uuid: str) -> Participant:
        for known in event.people:
            if known.uuid == uuid:
                return self._known(known)
        return self._participants[uuid]

    def _moved(self, event: Moved) -> None:
        """Another worker has got the first socket of somebody, or lost the last one."""
        person = self._participants.get(event.participant)
        if person is None:
            return
        was_there = bool(person.sockets or person.elsewhere)
        self._person(event, event.participant)
        is_there = bool(person.sockets or person.elsewhere)
        if was_there != is_there:
            self._show(person, "online" if is_there else "away")
        if person.elsewhere and not person.sockets:
            person.here = False
            if person.parked:
                self._send(person.elsewhere[:1], Parked(person.uuid, list(person.parked)))
                person.parked.clear()
                person.parked_bytes = 0
            self._forget(person)

    def _forget(self, person: Participant) -> None:
        """Who has no socket here and talks with nobody here is other workers' business."""
        mates = [person.line] if person.line else list(person.lines.values())
        if person.here or any(line.to.here for line in mates):
            return
        self._participants.pop(person.uuid, None)
        for line in mates:
            self._talks.pop(line.talk.record.key, None)
            if not line.to.here:
                self._participants.pop(line.to.uuid, None)

    def _is_absent(self, participant: Participant) -> bool:
        return not participant.sockets and not participant.elsewhere

    def _park(self, to: Participant, plain: bytes, full: bytes) -> None:
        if to.parked_bytes + len(plain) <= self._most_parked:  # the history has it all
            super()._park(to, plain, full)

    # ---- messages ------------------------------------------------------

    def say(self, line: Line, sock: Socket, texts: list[str], ids: Ids) -> bool:
        talk: Any = line.talk
        talk.under_way += 1
        if self.writer.say(self._spoken(line, sock, texts, ids)):
            return True
        talk.under_way -= 1
        return False

    def _told(self, saying: Any) -> None:
        talk = saying.talk
        talk.under_way -= 1
        if not saying.stored or not saying.texts:
            saying.sock.stored(saying)
            return
        line = saying.line
        workers = {*line.to.elsewhere, *line.sender.elsewhere}
        if workers:
            self._send(
                workers,
                Said(
                    talk.record.key, saying.side, saying.author, saying.date, saying.seqs[0],
                    saying.texts,
                ),
            )  # fmt: skip
        self._in_order(talk, saying)

    def _in_order(self, talk: SharedTalk, spoken: Spoken) -> None:
        if talk.waiting is not None:
            talk.waiting.append(spoken)
        elif not self._deliver(talk, spoken):
            talk.waiting = [spoken]
            self._runtime.spawn(self._mend, talk)

    def _deliver(self, talk: SharedTalk, spoken: Spoken) -> bool:
        """Deliver what is new of *spoken*; False, and nothing, if a number before it is missing."""
        first, last = spoken.seqs[0], spoken.seqs[-1]
        if talk.behind or first > talk.last_seq + 1:
            return False
        if last <= talk.last_seq:
            if spoken.sock is not None:
                spoken.sock.stored(spoken)
            return True
        if first <= talk.last_seq:
            known = talk.last_seq - first + 1
            spoken.texts, spoken.seqs = spoken.texts[known:], spoken.seqs[known:]
        talk.deliver_to(last)
        super()._told(spoken)
        return True

    def _mend(self, talk: SharedTalk) -> None:
        """Deliver what waits, and what is missing up to what is known to be stored."""
        while talk.waiting or talk.last_seq < talk.end or talk.behind:
            waiting = talk.waiting = sorted(talk.waiting or (), key=_first)
            if talk.behind:
                self.catch_up(talk)
            elif waiting and self._deliver(talk, waiting[0]):
                talk.waiting.remove(waiting[0])
            elif talk.under_way:  # what is missing may be this worker's own, not told yet
                self._runtime.sleep(SOON)
            else:
                self._fill(talk, _first(waiting[0]) if waiting else talk.end + 1)
        talk.waiting = None

    def _fill(self, talk: SharedTalk, before: int) -> None:
        """Deliver from the history what comes before the number *before*."""
        read = partial(self.store.messages, talk.record.key, limit=PIECE, newest=False)
        try:
            found = self._runtime.blocking(partial(read, after=talk.last_seq, before=before))
        except StoreError:
            self._runtime.sleep(RETRY)
            return
        if not found:
            self._runtime.sleep(SOON)
        for (side, author, date), rows in groupby(found, attrgetter("side", "author", "date")):
            some = list(rows)
            texts = [row.body for row in some]
            self._deliver(talk, self._heard_of(talk, side, author, date, some[0].seq, texts))

    def _heard_of(
        self, talk: SharedTalk, side: int, author: str, date: int, first: int, texts: list[str]
    ) -> Spoken:
        """What was said elsewhere, as if it had been said here."""
        spoken = self._spoken(talk.lines[side], None, texts, None)
        spoken.author, spoken.date, spoken.stored = author, date, True
        spoken.seqs = range(first, first + len(texts))
        return spoken

    def catch_up(self, talk: Talk) -> None:
        while talk.behind and isinstance(talk, SharedTalk):
            try:
                found = self._runtime.blocking(self.store.chat, talk.record.key)
            except StoreError:
                self._runtime.sleep(RETRY)
                continue
            if found is None:  # another worker is just about to store it
                self._runtime.sleep(SOON)
            else:
                talk.begin_at(found)

    def check_all(self) -> None:
        """Letters may have been lost: look up every conversation here. Waits for the store."""
        talks = dict(self._talks)
        while True:
            try:
                ends = self._runtime.blocking(self.store.ends, list(talks))
                break
            except StoreError:
                self._runtime.sleep(RETRY)
        for key, end in ends.items():
            talk = talks[key]
            talk.stored_to(end)
            if talk.last_seq < end and talk.waiting is None:
                talk.waiting = []
                self._runtime.spawn(self._mend, talk)

    # ---- letters -------------------------------------------------------

    def _send(self, workers: Iterable[str], letter: Letter) -> None:
        for worker in workers:
            with self._sending:
                letters = self._outgoing.setdefault(worker, [])
                letters.append(letter)
                first = len(letters) == 1
            if first:
                self._runtime.call_soon(partial(self._send_off, worker))

    def _send_off(self, worker: str) -> None:
        with self._sending:
            letters = self._outgoing.pop(worker, None)
        if letters and self._post is not None:
            self._post.post(worker, _encode(letters))

    def heard(self, sender: str, pieces: list[bytes]) -> None:
        """Letters of another worker."""
        for piece in pieces:
            for letter in _decode(piece):
                try:
                    _HEARD[type(letter)](self, letter)
                except Exception:
                    log.exception("a letter of %s could not be read", sender)

    def _said(self, letter: Said) -> None:
        talk = self._talks.get(letter.talk)
        if talk is not None and letter.side in talk.lines:
            self._in_order(
                talk,
                self._heard_of(
                    talk, letter.side, letter.author, letter.date, letter.first, letter.texts
                ),
            )

    def _passed(self, letter: Passed) -> None:
        talk = self._talks.get(letter.talk)
        line = talk.lines.get(letter.side) if talk is not None else None
        if line is None:
            return
        if letter.seq is not None:
            self._mark(line, letter.seq)
            super().tell_read(line, letter.seq)
        elif letter.on is not None:
            super().tell_typing(line, letter.on)

    def _new_login(self, letter: NewLogin) -> None:
        with self._lock:
            waiter = self._participants.get(letter.uuid)
            if waiter is None or waiter.identity.sid == letter.sid:
                return
            replaced = waiter.sockets
            waiter.hold(())
        if replaced:
            self.desk.drop(letter.uuid)
        for sock in replaced:
            sock.replace()

    def _parked(self, letter: Parked) -> None:
        with self._lock:
            person = self._participants.get(letter.uuid)
            if person is None:
                return
            for plain, full in letter.frames:
                person.parked.append((plain, full))
                person.parked_bytes += len(plain)
            for sock in person.sockets[-1:]:
                self._put_parked(person, sock)

    def tell_typing(self, line: Line, on: bool) -> None:
        super().tell_typing(line, on)
        side = SIDES[line.sender.role]
        self._send(line.to.elsewhere, Passed(line.talk.record.key, side, on=on))

    def tell_read(self, line: Line, seq: int) -> None:
        super().tell_read(line, seq)
        side = SIDES[line.sender.role]
        self._send(line.to.elsewhere, Passed(line.talk.record.key, side, seq=seq))

    # ---- what is kept --------------------------------------------------

    def _new_talk(self, user: Participant, key: int) -> Talk:
        if user.here:
            talk = SharedTalk(self._new_chat(user, key), behind=False)
            self._talks[key] = talk
            return talk
        return self._talk(user, key)

    def _talk(self, user: Participant, key: int) -> SharedTalk:
        """A conversation that has gone on elsewhere."""
        talk = self._talks.get(key)
        if talk is None:
            talk = self._talks[key] = SharedTalk(self._new_chat(user, key), behind=True)
        return talk

    def _join(self, user: Participant, waiter: Participant, talk: Talk) -> tuple[Line, Line]:
        to_waiter, to_user = super()._join(user, waiter, talk)
        if isinstance(talk, SharedTalk):
            talk.lines = {Side.USER: to_waiter, Side.WAITER: to_user}
        return to_waiter, to_user

    def _keep_match(self, event: Matched, talk: Talk, resumed: bool) -> None:
        record = talk.record
        if not event.keeps:
            return
        if resumed:
            served = record.waiter or "", record.waiter_subject or "", record.waiter_name
            self.writer.amend(Amendment(record.key, waiter=served))
        else:
            self.writer.save(record)

    def _keep_parting(self, event: Parted, talk: Talk) -> None:
        if event.keeps:
            if event.requeued:
                self.writer.amend(Amendment(talk.record.key, waiter=("", "", "")))
            else:
                self.writer.amend(Amendment(talk.record.key, ended=_now()))
        if not event.requeued:
            self._talks.pop(talk.record.key, None)

    def _parted(self, event: Parted) -> None:
        user = self._person(event, event.user)
        if user.talk is None and event.talk:  # nobody who knew them is left
            user.talk = self._talk(user, event.talk)
        super()._parted(event)
        for person in (user, self._person(event, event.waiter)):
            self._forget(person)

    def _departed(self, event: Departed) -> None:
        person = self._person(event, event.participant)
        if person.talk is None and event.talk:
            person.talk = self._talk(person, event.talk)
        super()._departed(event)

    def _keep_end(self, event: Departed, talk: Talk) -> None:
        if event.keeps:
            self.writer.amend(Amendment(talk.record.key, ended=_now()))
        self._talks.pop(talk.record.key, None)

    def _mark(self, line: Line, seq: int) -> None:
        record = line.talk.record
        if line.sender.role is Role.USER:
            record.user_read = max(record.user_read, seq)
        else:
            record.waiter_read = max(record.waiter_read, seq)

    def read_by(self, line: Line, seq: int) -> None:
        seq = min(seq, line.talk.last_seq)
        self._mark(line, seq)
        if line.sender.role is Role.USER:
            self.writer.amend(Amendment(line.talk.record.key, user_read=seq))
        else:
            self.writer.amend(Amendment(line.talk.record.key, waiter_read=seq))

    # ---- the line ------------------------------------------------------

    def look_at_line(self) -> None:
        """Ask the desk how busy it is, and tell waiters. Waits for it."""
        self._figures = self.desk.figures()
        self._tell_queue(self._figures)

    def figures(self) -> Figures:
        return self._figures


_HEARD: dict[type, Callable[..., None]] = {
    Said: SharedSwitchboard._said,
    Passed: SharedSwitchboard._passed,
    NewLogin: SharedSwitchboard._new_login,
    Parked: SharedSwitchboard._parked,
}


def _first(spoken: Spoken) -> int:
    return spoken.seqs[0]


def _now() -> int:
    return int(time.time() * 1000)
