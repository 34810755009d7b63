"""Participant → the sockets it has here; carries out what the desk decides.

A participant may have several sockets (tabs) or, for the length of a grace
period, none: what arrives then is parked and follows when it returns. The
switchboard mirrors the desk's decisions on the participants (`line`, `lines`,
`phase`), so that a message finds its way without asking the desk and without
a lock.

With a history, what is said is stored first: `say` hands it to the writer, and
what comes back stored is delivered, in the order of `seq`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from .clock import Clock
from .conversation.kinds import EVENT, TEXT, EventPayload, Kind, Side, What
from .desk.port import (
    Arrival,
    Claim,
    Departed,
    Desk,
    Event,
    Figures,
    Matched,
    Moved,
    OnDuty,
    Parted,
    Queued,
    Role,
    Withdrawn,
)
from .history.port import Chat, Duty, Store
from .history.writer import Talk, Writer
from .identity import Identity, TokenRole
from .participants import (
    SIDES,
    Ids,
    Kept,
    Line,
    Owed,
    Participant,
    Phase,
    Question,
    Socket,
    Spoken,
    answer,
    each,
    give_up,
    sealed,
)
from .standings import standings
from .wire import codec, frames
from .wire.dialect import DIALECTS, Dialect, Peer

log = logging.getLogger("csapp.desk")

_PLAIN, _FULL = DIALECTS[1], DIALECTS[2]

#: s by which the beginning of a wait may seem to move, and is still the same visitor's
SAME_FIRST = 0.5

#: events that wait while the database is away
MOST_UNWRITTEN = 10_000

#: how much the latest wait counts in what is said of waits
RECENCY = 0.2


def _guarded(guard: threading.RLock, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        with guard:
            return function(*args, **options)

    return call


class Switchboard:
    """All participants of this process. *most_parked*: bytes kept for an absent one.

    *store* and *writer* are None where nothing is kept.
    """

    def __init__(
        self,
        desk: Desk,
        most_parked: int,
        store: Store | None = None,
        writer: Writer | None = None,
        sign_ticket: Callable[[str, int], str] = lambda subject, place: "",
        *,
        clock: Clock | None = None,
    ) -> None:
        self.desk = desk
        self.clock = clock or Clock()
        self.store = store
        self.writer = writer
        self._most_parked = most_parked
        self._sign_ticket = sign_ticket
        self._participants: dict[str, Participant] = {}
        self._lock = threading.Lock()  # who has which sockets, and the order of events
        self._doors = threading.Lock()  # one comes or goes at a time; held while a desk answers
        #: of `keep_threads_apart`
        self.guard: threading.RLock | None = None
        #: somebody comes: what is decided waits until it is known here, and this is set
        self._newcomer: threading.Event | None = None
        #: how many wait, and since when the first one does, as waiters were told
        self._told_queue = (0, 0.0)
        #: events that could not be stored yet; of too many, the oldest are given up
        self._unwritten: deque[Spoken] = deque(maxlen=MOST_UNWRITTEN)
        #: s that those who were matched lately have waited, the latest counting most
        self._waited: float | None = None

    def keep_threads_apart(self) -> None:
        """Where a thread may stop anywhere: nobody comes or goes while texts are handed over.

        Otherwise a text would go to a connection alone that is being replaced. Greenlets do not
        stop there, and need no lock.
        """
        guard = self.guard = threading.RLock()
        for owner, name in self._kept_apart():
            setattr(owner, name, _guarded(guard, getattr(owner, name)))

    def _kept_apart(self) -> list[tuple[object, str]]:
        """Objects and their methods of which one runs at a time."""
        return [(self, name) for name in ("enter", "exit", "relay", "_deliver")]

    # ---- a restart -----------------------------------------------------

    def restore(self, chats: list[Chat], duties: list[Duty]) -> None:
        """Take up the open *chats* where they stood; both sides are waited for."""
        found, over = standings(chats, duties)
        for chat in over:
            self._end(chat)
        talks = {chat.key: chat for chat in chats}
        for one in found:
            identity = Identity(one.subject, one.name, TokenRole(one.role), avatar=one.avatar)
            participant = Participant(one.uuid, one.role, identity)
            self._participants[one.uuid] = participant
            if one.role is Role.WAITER:
                participant.phase = Phase.ON_DUTY if one.ready else Phase.OFF_DUTY
                continue
            chat = talks[one.talk]
            chat.waiter = one.waiter
            participant.talk = Talk(chat)
            participant.spoken = chat.last_seq > 1  # the first entry says who serves it
            if one.waiter is None:
                participant.phase = Phase.QUEUED
            else:
                self._join(participant, self._participants[one.waiter], participant.talk)
        self.desk.restore(found)

    # ---- coming and going ----------------------------------------------

    def enter(
        self, role: Role, identity: Identity, uuid: str, sock: Socket, address: str = ""
    ) -> list[Socket]:
        """*sock*, of *address*, has shown who it is; it is welcomed and given what was parked.

        A waiter's newer login (another `sid`) replaces the older one: the
        older one's sockets are returned, its users stay.
        """
        with self._doors:
            newcomer = threading.Event()
            with self._lock:
                self._newcomer = newcomer
            try:
                arrival = self.desk.arrive(
                    role, identity.subject, uuid, identity.name, address, identity.avatar
                )
                with self._lock:
                    events = self.desk.take_events()
                    self._act(events[: arrival.earlier])
                    replaced = self._welcome(role, identity, arrival, sock)
                    self._act(events[arrival.earlier :])
            finally:
                with self._lock:
                    self._newcomer = None
                    self._act(self.desk.take_events())
                newcomer.set()
        return replaced

    def _welcome(
        self, role: Role, identity: Identity, arrival: Arrival, sock: Socket
    ) -> list[Socket]:
        replaced: list[Socket] = []
        participant = self._participants.get(arrival.uuid)
        if participant is None:
            participant = Participant(arrival.uuid, role, identity)
            self._participants[arrival.uuid] = participant
        if role is Role.WAITER and participant.identity.sid != identity.sid:
            replaced = list(participant.sockets)
            participant.hold(())
        participant.identity = identity
        back = arrival.standing and not participant.sockets and not arrival.elsewhere
        participant.version = sock.dialect.version
        if self.writer is None:
            self._park_unseen(participant, sock)
        sock.welcome(participant, arrival)
        asked = self._ask(participant, sock, arrival) if sock.dialect.version == 1 else []
        self._put_parked(participant, sock)
        if asked:
            sock.wait_for(asked)
        participant.hold((*participant.sockets, sock))
        if back:
            self._show(participant, "online")
        return replaced

    def _ask(self, participant: Participant, sock: Socket, arrival: Arrival) -> list[Question]:
        """Ask what *participant* may have missed which comes over *sock*.

        Its other connections may be dead, and this be their client.
        """
        older = [one for one in participant.doubtful if one is not sock]
        return [question for one in older if (question := one.ask()) is not None]

    def _park_unseen(self, participant: Participant, sock: Socket) -> None:
        """Without a history: what *sock* says it has not seen, though it was told elsewhere."""
        told = [kept for one in participant.doubtful for kept in one.unconfirmed() if kept.talk]
        unseen = {
            (kept.talk, kept.first): kept
            for kept in told
            if (seen := sock.seen(kept.talk)) is not None and kept.last > seen
        }
        left = [
            kept
            for kept in participant.parked
            if isinstance(kept, Kept) and (not kept.talk or kept.last > (sock.seen(kept.talk) or 0))
        ]
        participant.parked = deque([*(unseen[place] for place in sorted(unseen)), *left])

    def _put_parked(self, participant: Participant, sock: Socket) -> None:
        plainly = sock.dialect.version == 1
        while participant.parked:
            kept = participant.parked.popleft()
            if isinstance(kept, Kept) and (data := kept.plain if plainly else kept.full):
                sock.bring(kept, data)
        participant.parked_bytes = 0

    def exit(
        self,
        participant: Participant,
        sock: Socket,
        *,
        deliberate: bool,
        claim: Claim = Claim.FULL,
    ) -> None:
        """*sock* is gone; with the last one its participant leaves or is waited for."""
        with self._doors:
            with self._lock:
                if sock not in participant.sockets:
                    return  # replaced by a newer login
                rest = tuple(one for one in participant.sockets if one is not sock)
                missed: list[Owed] = []
                if rest and not deliberate and all(one.is_lost for one in rest):
                    rest[-1].inherit(sock)
                elif sock in participant.doubtful:
                    missed = sock.missed()
                    self._leave_to(rest, missed)
                participant.hold(rest)
                last = not rest
                if last:
                    self._park_missed(participant, [] if deliberate else missed)
                if last and not deliberate and not participant.elsewhere:
                    self._show(participant, "away")
            if last and deliberate:
                self.desk.leave(participant.uuid)
            elif last:
                self.desk.drop(participant.uuid, claim)
        self.carry_out()

    def _leave_to(self, rest: Sequence[Socket], missed: Sequence[Owed]) -> None:
        """The *rest* were told what a connection has *missed*, but for what it still waited for."""
        waited = [one for one in missed if not isinstance(one, Kept)]
        for older in [one for one in rest if one.dialect.version == 1][-1:]:
            if waited:
                older.keep(waited)

    def _park_missed(self, participant: Participant, missed: Sequence[Owed]) -> None:
        """Its last socket has ended before *missed* arrived there."""
        if self._is_kept_for(participant) and (participant.version == 1 or self.writer is None):
            for owed in missed:
                self._park(participant, owed)

    def _show(self, participant: Participant, state: str) -> None:
        """Tell the other sides that *participant* has come or is away."""
        for line in participant.all_lines:
            to, talk = line.to.uuid, line.talk.id

            def tell(sock: Socket, to: str = to, talk: str = talk) -> None:
                frame = sock.dialect.presence(to, participant.uuid, talk, state)
                if frame is not None:
                    sock.put(sealed(frame))

            each(line.to.sockets, tell)

    # ---- messages ------------------------------------------------------

    def relay(self, line: Line, messages: list[str]) -> bool:
        """Deliver texts without keeping them, where both sides speak version 1 only.

        A socket gets them as one piece: what is said at once costs one call
        each. False, for all, when they cannot be parked.
        """
        data = line.texts(messages)
        sockets = line.to.sockets
        if not sockets:
            with self._lock:
                if self._is_full(line.to, data):
                    return False
                self._park(line.to, Kept(data, b""))
        for sock in sockets:
            tell = sock.tell  # an attribute, not a method: called in one step it costs more
            try:
                tell(data)
            except Exception:
                give_up(sock)
        return True

    def say(
        self, line: Line, sock: Socket, texts: list[str], ids: Ids,
        kind: Kind = TEXT, data: str | None = None,
    ) -> bool:  # fmt: skip
        """Store entries and then deliver them. False, for all, while that is not possible.

        *sock* is told by `stored`.
        """
        spoken = self._spoken(line, sock, texts, ids, kind, data)
        if self.writer is None:
            return self._number(spoken)
        to = line.to
        if self._is_kept_for(to) and to.version == 1 and to.parked_bytes > self._most_parked:
            return False
        return self._begin(spoken)

    def _begin(self, spoken: Spoken) -> bool:
        """Hand *spoken* to the writer. False: it takes nothing at the moment."""
        return self.writer is not None and self.writer.say(spoken)

    def _spoken(
        self, line: Line, sock: Socket | None, texts: list[str], ids: Ids,
        kind: Kind, data: str | None,
    ) -> Spoken:  # fmt: skip
        sender = line.sender
        spoken = Spoken(
            line.talk, SIDES[sender.role], sender.identity.subject, texts, ids, self._told,
            kind, data,
        )  # fmt: skip
        spoken.line, spoken.sock = line, sock
        spoken._plain = spoken._full = spoken._echo = None
        return spoken

    def _number(self, spoken: Spoken) -> bool:
        """Without a history: numbered as if it were stored, delivered at once or parked."""
        to, talk = spoken.line.to, spoken.talk
        if not to.sockets and self._is_full(to, spoken.plain()):
            return False
        spoken.seqs = range(talk.last_seq + 1, talk.last_seq + 1 + len(spoken.texts))
        talk.given = talk.last_seq = spoken.seqs[-1]
        spoken.date = talk.date_after(self.clock.ms())
        talk.dated(talk.last_seq, spoken.date)
        spoken.stored = True
        self._told(spoken)
        return True

    def _told(self, saying: Any) -> None:
        """A `Spoken` is stored, or will not be. Called on the loop."""
        if saying.stored and saying.texts:
            self._deliver(saying)
        self._answer(saying)

    def _answer(self, saying: Any) -> None:
        """Whoever has said it is told; an event that is not stored is written later."""
        if saying.sock is not None:
            answer(saying.sock, saying)
        elif not saying.stored and saying.side == Side.SERVER and not saying.is_unfit:
            self._unwritten.append(saying)

    def _deliver(self, spoken: Spoken) -> None:
        """Stored texts go to everybody but the socket where they were said."""
        line, origin = spoken.line, spoken.sock
        if line.to.sockets:
            for one in line.to.sockets:
                try:
                    one.hear(spoken)
                except Exception:
                    give_up(one)
        else:
            self._park_spoken(spoken)
        for one in line.sender.sockets:
            if one is not origin and one.dialect.version > 1:
                try:
                    one.hear(spoken)
                except Exception:
                    give_up(one)

    def _park_spoken(self, spoken: Spoken) -> None:
        """Stored texts wait here for the side that is away, unless the history has them for it."""
        to = spoken.line.to
        if self._participants.get(to.uuid) is not to:
            return  # it has gone for good
        if (to.version == 1 or self.writer is None) and self._is_kept_for(to):
            with self._lock:
                if not to.sockets:
                    seqs = spoken.seqs
                    full = spoken.full(own=False) if self.writer is None else b""
                    key = spoken.line.talk.record.key
                    if (plain := spoken.plain()) or full:
                        self._park(to, Kept(plain, full, key, seqs[0], seqs[-1]))

    def _is_kept_for(self, participant: Participant) -> bool:
        """Nobody hears for *participant*, and what it should hear is parked here."""
        return participant.is_away

    @property
    def held(self) -> int:
        """Bytes of texts that wait here for what comes before them, about."""
        return 0

    def keeps_for_somebody(self) -> bool:
        """Whether what is parked here can still be fetched once this process is about to end."""
        return False

    def _is_full(self, to: Participant, data: bytes) -> bool:
        """Whether *to* is away and no more texts can be kept for it."""
        return not to.sockets and to.parked_bytes + len(data) > self._most_parked

    def _park(self, to: Participant, owed: Owed) -> None:
        to.parked.append(owed)
        if isinstance(owed, Kept):
            to.parked_bytes += len(owed.plain or owed.full)

    def tell_typing(self, line: Line, on: bool) -> None:
        """The speaker of *line* types, or has stopped: passed on, never stored."""

        def tell(sock: Socket) -> None:
            frame = sock.dialect.typing(line.to.uuid, line.sender.uuid, line.talk.id, on)
            if frame is not None:
                sock.put(sealed(frame))

        each(line.to.sockets, tell)

    def signal(self, line: Line, name: str) -> None:
        """Send the other side one of `frames.SIGNALS`: never stored, for version 2."""
        make = frames.SIGNALS.get(name)

        def tell(sock: Socket) -> None:
            if make is not None and sock.dialect.version > 1:
                frame = make(
                    id=codec.new_id(), to=line.to.uuid, from_=line.sender.uuid,
                    conversation=line.talk.id, payload={},
                )  # fmt: skip
                sock.put(sealed(frame))

        each(line.to.sockets, tell)

    def tell_read(self, line: Line, seq: int) -> None:
        """Tell the other side how far the speaker of *line* has read."""

        def tell(sock: Socket) -> None:
            frame = sock.dialect.read(line.to.uuid, line.sender.uuid, line.talk.id, seq)
            if frame is not None:
                sock.put(sealed(frame))

        each(line.to.sockets, tell)

    def catch_up(self, talk: Talk) -> None:
        """Wait until it is known what is stored of *talk*: here it always is."""

    # ---- the desk's decisions ------------------------------------------

    def carry_out(self) -> None:
        """Deliver what the desk has decided since the last call, in its order."""
        with self._lock:
            newcomer = self._newcomer
            if newcomer is None:
                self._act(self.desk.take_events())
        if newcomer is not None:
            newcomer.wait()  # whoever lets it in carries out all that was decided until then

    def _act(self, events: list[Event]) -> None:
        for event in events:
            try:
                self._carry(event)
            except Exception:  # of one must not cost the others
                log.exception("a decision could not be carried out: %s", type(event).__name__)

    def _carry(self, event: Event) -> None:
        getattr(self, _CARRY_OUT[type(event)])(event)

    def _person(self, event: Event, uuid: str) -> Participant:
        """One of those whom *event* is about."""
        return self._participants[uuid]

    def _matched(self, event: Matched) -> None:
        user, waiter = self._person(event, event.user), self._person(event, event.waiter)
        lately = event.waited if self._waited is None else self._waited
        self._waited = lately + (event.waited - lately) * RECENCY
        resumed = user.talk is not None
        before = user.talk.served_by if user.talk is not None else None
        talk = user.talk = user.talk or self._new_talk(user, event.talk)
        record = talk.record
        record.waiter, record.waiter_subject = waiter.uuid, waiter.identity.subject
        record.waiter_name = waiter.identity.name
        record.waiter_avatar = waiter.identity.avatar
        if not resumed:
            record.waited = round(event.waited * 1000)
        self._keep_match(event, talk, resumed)
        to_waiter, to_user = self._join(user, waiter, talk)
        self._meet(user, to_waiter, resumed, asked=True)
        self._meet(waiter, to_user, resumed, asked=False)
        is_same = before is not None and before == waiter.identity.subject
        talk.served_by = None
        self._write_event(event, to_user, What.RETURNED if is_same else What.JOINED)

    def _join(self, user: Participant, waiter: Participant, talk: Talk) -> tuple[Line, Line]:
        user.line = Line(user, waiter, talk)
        user.phase = Phase.SERVED
        waiter.lines[user.uuid] = Line(waiter, user, talk)
        return user.line, waiter.lines[user.uuid]

    def _meet(self, me: Participant, line: Line, resumed: bool, asked: bool) -> None:
        def meet(sock: Socket) -> None:
            frame = self.introduce(me, line, resumed, sock.dialect)
            question = sock.take_question() if asked else None
            if question is not None:
                frame.reply_id = question.id
            sock.meet(line, frame)

        each(me.sockets, meet)
        if self._is_kept_for(me):
            plain = sealed(self.introduce(me, line, resumed, _PLAIN))
            self._park(me, Kept(plain, b""))  # version 2 is told when it returns

    def introduce(
        self, me: Participant, line: Line, resumed: bool, dialect: Dialect
    ) -> frames.ServerFrame:
        """Who is at the other end of *line*."""
        other, talk = line.to, line.talk
        record = talk.record
        marks = record.user_read, record.waiter_read
        if me.role is Role.WAITER:
            marks = marks[::-1]
        peer = Peer(
            other.uuid, other.identity.subject, other.identity.name, talk.id, talk.last_seq,
            resumed, *marks, record.page, record.opened, other.identity.avatar,
        )  # fmt: skip
        if me.role is Role.USER:
            return dialect.connect_success(me.uuid, peer)
        return dialect.new_connection(me.uuid, peer)

    def _queued(self, event: Queued) -> None:
        user = self._person(event, event.user)
        user.phase = Phase.QUEUED

        def tell(sock: Socket) -> None:
            frame = self.place(user, event.location, event.ticket, sock.dialect)
            question = sock.take_question()
            if question is not None:
                frame.reply_id = question.id
            sock.put(sealed(frame))

        each(user.sockets, tell)  # a place in line is worth nothing later

    def place(
        self, user: Participant, location: int, ticket: int, dialect: Dialect
    ) -> frames.ServerFrame:
        """How many are ahead of the queued *user*, and the ticket of its place."""
        signed = ""
        if dialect.version > 1:
            signed = self._sign_ticket(user.identity.subject, ticket)
        return dialect.connect_queue(user.uuid, location, signed, self._waited)

    def _parted(self, event: Parted) -> None:
        user, waiter = self._person(event, event.user), self._person(event, event.waiter)
        talk = user.talk
        user.line, user.former = None, user.line or user.former
        user.phase = Phase.IDLE
        waiter.lines.pop(user.uuid, None)
        if talk is not None:
            talk.record.waiter = talk.record.waiter_subject = None
            if event.requeued:
                # nobody's: one who is erased must not come back by it
                talk.record.waiter_name = talk.record.waiter_avatar = ""
                talk.served_by = waiter.identity.subject
            else:
                user.talk, user.spoken = None, False
            self._keep_parting(event, talk)
        conversation, reason = (talk.id if talk is not None else ""), event.reason or ""
        told, gone = (waiter, user) if event.gone == user.uuid else (user, waiter)
        if self._is_kept_for(told):
            plain, full = (
                sealed(dialect.disconnected(told.uuid, gone.uuid, conversation, reason))
                for dialect in (_PLAIN, _FULL)
            )
            self._park(told, Kept(plain, full))

        def tell(sock: Socket) -> None:
            frame = sock.dialect.disconnected(told.uuid, gone.uuid, conversation, reason)
            sock.part(talk, frame)

        def tell_own(sock: Socket) -> None:
            frame = sock.dialect.disconnected(gone.uuid, told.uuid, conversation, reason)
            question = sock.take_question()
            if question is None or sock.dialect.version > 1:
                if question is not None:
                    frame.reply_id = question.id
                sock.part(talk, frame)

        each(told.sockets, tell)
        each(gone.sockets, tell_own)  # its other tabs; in version 1 the one that ended it knows
        if talk is not None:
            what = What.LEFT if event.requeued else What.ENDED
            self._write_event(event, Line(gone, told, talk), what, reason)

    def _write_event(self, event: Event, line: Line, what: What, reason: str = "") -> None:
        """Write into the conversation what has happened, by the side that speaks on *line*.

        Both sides read it where they speak version 2.
        """
        if self.writer is None and line.sender.plain and line.to.plain:
            return  # nobody reads it
        payload = EventPayload(what, line.sender.identity.name, reason)
        spoken = self._spoken(line, None, [""], None, EVENT, EVENT.body(payload).data)
        spoken.side = Side.SERVER
        self._begin_event(event, spoken)

    def _begin_event(self, event: Event, spoken: Spoken) -> None:
        if self.writer is None:
            self._number(spoken)
        elif not self._begin(spoken):
            self._unwritten.append(spoken)

    def write_missing_events(self) -> None:
        """Write the events that could not be stored before. Called about once a second."""
        if self.writer is None or not self.writer.available:
            return
        for _ in range(len(self._unwritten)):
            self._begin_again(self._unwritten.popleft())

    def _begin_again(self, spoken: Spoken) -> None:
        spoken.refused = False
        if not self._begin(spoken):
            self._unwritten.append(spoken)

    def _departed(self, event: Departed) -> None:
        gone = self._person(event, event.participant)
        del self._participants[gone.uuid]
        if gone.talk is not None:
            line = Line(gone, gone, gone.talk)
            self._write_event(event, line, What.ENDED, event.reason)
            self._keep_end(event, gone.talk)
            gone.talk = None
        if gone.role is Role.WAITER and gone.phase is Phase.ON_DUTY:
            self.keep_duty(gone, ready=False, capacity=None)

    def _moved(self, event: Moved) -> None:
        """Other workers' news: only a shared desk has them."""

    def _withdrawn(self, event: Withdrawn) -> None:
        self._person(event, event.user).phase = Phase.IDLE

    def _on_duty(self, event: OnDuty) -> None:
        phase = Phase.ON_DUTY if event.ready else Phase.OFF_DUTY
        self._person(event, event.waiter).phase = phase

    # ---- what is kept --------------------------------------------------

    def channel_after_end(self, user: Participant, chat: Chat) -> Line:
        """The channel for an entry that *user* writes after the end of its conversation."""
        return self.channel_to_nobody(user, Talk(chat))

    def channel_to_nobody(self, user: Participant, talk: Talk) -> Line:
        """The same, where no waiter is known who would be told."""
        return Line(user, Participant("", Role.WAITER, Identity("nobody")), talk)

    def _new_talk(self, user: Participant, key: int) -> Talk:
        return Talk(self._new_chat(user, key))

    def _new_chat(self, user: Participant, key: int) -> Chat:
        department, page = user.page
        return Chat(
            key=key,
            user=user.uuid,
            user_subject=user.identity.subject,
            user_name=user.identity.name,
            user_avatar=user.identity.avatar,
            opened=self.clock.opened(key),
            department=department,
            page=page,
        )

    def _keep_match(self, event: Matched, talk: Talk, resumed: bool) -> None:
        self._save(talk.record)

    def _keep_parting(self, event: Parted, talk: Talk) -> None:
        if event.requeued:
            self._save(talk.record)
        else:
            self._end(talk.record, event.reason or "")

    def _keep_end(self, event: Departed, talk: Talk) -> None:
        self._end(talk.record, event.reason)

    def _end(self, chat: Chat, reason: str = "") -> None:
        chat.reason = str(reason)
        chat.ended = max(self.clock.ms(), chat.last_date, chat.opened)
        self._save(chat)

    def _save(self, chat: Chat) -> None:
        if self.writer is not None:
            self.writer.save(chat)

    def keep_duty(self, waiter: Participant, *, ready: bool, capacity: int | None) -> None:
        """Readiness outlives reloads and restarts."""
        if self.writer is not None:
            capacity = capacity or 0
            self.writer.save_duty(Duty(waiter.identity.subject, waiter.uuid, ready, capacity))

    def read_by(self, line: Line, seq: int) -> None:
        """The speaker of *line* has read up to *seq*, which is there."""
        self._mark(line, seq)
        self._save(line.talk.record)

    def _mark(self, line: Line, seq: int) -> None:
        record = line.talk.record
        if line.sender.role is Role.USER:
            record.user_read = max(record.user_read, seq)
        else:
            record.waiter_read = max(record.waiter_read, seq)

    def tell_queue(self) -> None:
        """Tell waiters how long the line is, when that has changed. At most once a second."""
        self._tell_queue(self.figures())

    def figures(self) -> Figures:
        """How busy the desk is."""
        return self.desk.figures()

    def _tell_queue(self, figures: Figures) -> None:
        now = figures.queue_length, time.monotonic() - figures.longest_wait
        before, self._told_queue = self._told_queue, now
        if now[0] == before[0] and (not now[0] or now[1] - before[1] < SAME_FIRST):
            return
        for participant in list(self._participants.values()):
            if participant.role is Role.WAITER:
                each(participant.sockets, partial(self._tell_line, participant, figures))

    def tell_line(self, waiter: Participant, sock: Socket, figures: Figures | None = None) -> None:
        """Tell a socket of *waiter* how long the line is."""
        self._tell_line(waiter, figures or self.figures(), sock)

    def _tell_line(self, waiter: Participant, figures: Figures, sock: Socket) -> None:
        frame = sock.dialect.queue_status(waiter.uuid, figures.queue_length, figures.longest_wait)
        if frame is not None:
            sock.put(sealed(frame))


#: by name: a shared switchboard has its own
_CARRY_OUT = {
    Matched: "_matched",
    Queued: "_queued",
    Parted: "_parted",
    Departed: "_departed",
    Moved: "_moved",
    Withdrawn: "_withdrawn",
    OnDuty: "_on_duty",
}
