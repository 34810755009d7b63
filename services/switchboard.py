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

from . import staff_track
from .clock import Clock
from .conversation.conversation import Conversation
from .conversation.kinds import EVENT, TEXT, EventPayload, Kind, Side, What
from .conversation.rows import ConversationRow, StaffRow
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
from .history.port import Duty, Store
from .history.writer import Writer
from .identity import Identity, TokenRole
from .participants import (
    SIDES,
    Channel,
    ChannelEntries,
    Feed,
    Ids,
    Owed,
    ParkedFrames,
    Participant,
    Phase,
    Question,
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
        self._unwritten: deque[ChannelEntries] = deque(maxlen=MOST_UNWRITTEN)
        #: s that those who were matched lately have waited, the latest counting most
        self._waited: float | None = None

    def guard_threads(self) -> None:
        """Where a thread may stop anywhere: nobody comes or goes while texts are handed over.

        Otherwise a text would go to a connection alone that is being replaced. Greenlets do not
        stop there, and need no lock.
        """
        guard = self.guard = threading.RLock()
        for owner, name in self._guarded_methods():
            setattr(owner, name, _guarded(guard, getattr(owner, name)))

    def _guarded_methods(self) -> list[tuple[object, str]]:
        """Objects and their methods of which one runs at a time."""
        return [(self, name) for name in ("enter", "exit", "relay", "_deliver")]

    # ---- a restart -----------------------------------------------------

    def restore(self, rows: list[ConversationRow], duties: list[Duty]) -> None:
        """Take up the open *chats* where they stood; both sides are waited for."""
        found, over = standings(rows, duties)
        for row in over:
            self._end(row)
        conversations = {row.key: row for row in rows}
        for one in found:
            identity = Identity(one.subject, one.name, TokenRole(one.role), avatar=one.avatar)
            participant = Participant(one.uuid, one.role, identity)
            self._participants[one.uuid] = participant
            if one.role is Role.WAITER:
                participant.phase = Phase.ON_DUTY if one.ready else Phase.OFF_DUTY
                continue
            row = conversations[one.talk]
            row.waiter = one.waiter
            participant.conversation = Conversation(row)
            participant.has_written = row.last_seq > 1  # the first entry says who serves it
            if one.waiter is None:
                participant.phase = Phase.QUEUED
            else:
                self._join(participant, self._participants[one.waiter], participant.conversation)
        self.desk.restore(found)

    # ---- coming and going ----------------------------------------------

    def enter(
        self, role: Role, identity: Identity, uuid: str, connection: Feed, address: str = ""
    ) -> list[Feed]:
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
                    replaced = self._welcome(role, identity, arrival, connection)
                    self._act(events[arrival.earlier :])
            finally:
                with self._lock:
                    self._newcomer = None
                    self._act(self.desk.take_events())
                newcomer.set()
        return replaced

    def _welcome(
        self, role: Role, identity: Identity, arrival: Arrival, connection: Feed
    ) -> list[Feed]:
        replaced: list[Feed] = []
        participant = self._participants.get(arrival.uuid)
        if participant is None:
            participant = Participant(arrival.uuid, role, identity)
            self._participants[arrival.uuid] = participant
        if role is Role.WAITER and participant.identity.sid != identity.sid:
            replaced = list(participant.connections)
            participant.hold(())
        participant.identity = identity
        back = arrival.standing and not participant.connections and not arrival.elsewhere
        participant.version = connection.dialect.version
        if self.writer is None:
            self._park_unseen(participant, connection)
        connection.welcome(participant, arrival)
        asked = (
            self._ask(participant, connection, arrival) if connection.dialect.version == 1 else []
        )
        self._put_parked(participant, connection)
        if asked:
            connection.await_answers(asked)
        participant.hold((*participant.connections, connection))
        if back:
            self._show(participant, "online")
        return replaced

    def _ask(self, participant: Participant, connection: Feed, arrival: Arrival) -> list[Question]:
        """Ask what *participant* may have missed which comes over *sock*.

        Its other connections may be dead, and this be their client.
        """
        older = [one for one in participant.doubtful if one is not connection]
        return [question for one in older if (question := one.ask()) is not None]

    def _park_unseen(self, participant: Participant, connection: Feed) -> None:
        """Without a history: what *sock* says it has not seen, though it was told elsewhere."""
        told = [
            kept for one in participant.doubtful for kept in one.unconfirmed() if kept.conversation
        ]
        unseen = {
            (kept.conversation, kept.first): kept
            for kept in told
            if (seen := connection.last_seen(kept.conversation)) is not None and kept.last > seen
        }
        left = [
            kept
            for kept in participant.parked
            if isinstance(kept, ParkedFrames)
            and (
                not kept.conversation or kept.last > (connection.last_seen(kept.conversation) or 0)
            )
        ]
        participant.parked = deque([*(unseen[place] for place in sorted(unseen)), *left])

    def _put_parked(self, participant: Participant, connection: Feed) -> None:
        plainly = connection.dialect.version == 1
        while participant.parked:
            kept = participant.parked.popleft()
            if isinstance(kept, ParkedFrames) and (data := kept.plain if plainly else kept.full):
                connection.deliver_parked(kept, data)
        participant.parked_bytes = 0

    def exit(
        self,
        participant: Participant,
        connection: Feed,
        *,
        deliberate: bool,
        claim: Claim = Claim.FULL,
    ) -> None:
        """*sock* is gone; with the last one its participant leaves or is waited for."""
        with self._doors:
            with self._lock:
                if connection not in participant.connections:
                    return  # replaced by a newer login
                rest = tuple(one for one in participant.connections if one is not connection)
                missed: list[Owed] = []
                if rest and not deliberate and all(one.is_lost for one in rest):
                    rest[-1].inherit(connection)
                elif connection in participant.doubtful:
                    missed = connection.take_missed()
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

    def _leave_to(self, rest: Sequence[Feed], missed: Sequence[Owed]) -> None:
        """The *rest* were told what a connection has *missed*, but for what it still waited for."""
        waited = [one for one in missed if not isinstance(one, ParkedFrames)]
        for older in [one for one in rest if one.dialect.version == 1][-1:]:
            if waited:
                older.keep_questions(waited)

    def _park_missed(self, participant: Participant, missed: Sequence[Owed]) -> None:
        """Its last socket has ended before *missed* arrived there."""
        if self._parks_for(participant) and (participant.version == 1 or self.writer is None):
            for owed in missed:
                self._park(participant, owed)

    def _show(self, participant: Participant, state: str) -> None:
        """Tell the other sides that *participant* has come or is away."""
        for channel in participant.all_channels:
            to, conversation = channel.to.uuid, channel.conversation.id

            def tell(connection: Feed, to: str = to, conversation: str = conversation) -> None:
                frame = connection.dialect.presence(to, participant.uuid, conversation, state)
                if frame is not None:
                    connection.put(sealed(frame))

            each(channel.to.connections, tell)

    # ---- messages ------------------------------------------------------

    def relay(self, channel: Channel, messages: list[str]) -> bool:
        """Deliver texts without keeping them, where both sides speak version 1 only.

        A socket gets them as one piece: what is said at once costs one call
        each. False, for all, when they cannot be parked.
        """
        data = channel.texts(messages)
        connections = channel.to.connections
        if not connections:
            with self._lock:
                if self._is_full(channel.to, data):
                    return False
                self._park(channel.to, ParkedFrames(data, b""))
        for connection in connections:
            put = connection.put_and_remember  # an attribute: calling a method here costs more
            try:
                put(data)
            except Exception:
                give_up(connection)
        return True

    def say(
        self, channel: Channel, connection: Feed, texts: list[str], ids: Ids,
        kind: Kind = TEXT, data: str | None = None,
    ) -> bool:  # fmt: skip
        """Store entries and then deliver them. False, for all, while that is not possible.

        *sock* is told by `stored`.
        """
        entries = self._entries(channel, connection, texts, ids, kind, data)
        if self.writer is None:
            return self._number(entries)
        to = channel.to
        if self._parks_for(to) and to.version == 1 and to.parked_bytes > self._most_parked:
            return False
        return self._begin(entries)

    def _begin(self, entries: ChannelEntries) -> bool:
        """Hand *spoken* to the writer. False: it takes nothing at the moment."""
        return self.writer is not None and self.writer.say(entries)

    def _entries(
        self, channel: Channel, connection: Feed | None, texts: list[str], ids: Ids,
        kind: Kind, data: str | None,
    ) -> ChannelEntries:  # fmt: skip
        sender = channel.sender
        entries = ChannelEntries(
            channel.conversation, SIDES[sender.role], sender.identity.subject, texts, ids,
            self._told, kind, data,
        )  # fmt: skip
        entries.channel, entries.connection = channel, connection
        entries._plain = entries._full = entries._echo = None
        return entries

    def _number(self, entries: ChannelEntries) -> bool:
        """Without a history: numbered as if it were stored, delivered at once or parked."""
        to, conversation = entries.channel.to, entries.conversation
        if not to.connections and self._is_full(to, entries.for_version_1()):
            return False
        entries.seqs = range(
            conversation.last_seq + 1, conversation.last_seq + 1 + len(entries.texts)
        )
        conversation.given = conversation.last_seq = entries.seqs[-1]
        entries.date = conversation.date_after(self.clock.ms())
        conversation.record_date(conversation.last_seq, entries.date)
        entries.stored = True
        self._told(entries)
        return True

    def _told(self, entries: Any) -> None:
        """A `Spoken` is stored, or will not be. Called on the loop."""
        if entries.stored and entries.texts:
            self._deliver(entries)
        self._answer(entries)

    def _answer(self, entries: Any) -> None:
        """Whoever has said it is told; an event that is not stored is written later."""
        if entries.connection is not None:
            answer(entries.connection, entries)
        elif not entries.stored and entries.side == Side.SERVER and not entries.is_unfit:
            self._unwritten.append(entries)

    def _deliver(self, entries: ChannelEntries) -> None:
        """Stored texts go to everybody but the socket where they were said."""
        channel, origin = entries.channel, entries.connection
        if channel.to.connections:
            for one in channel.to.connections:
                try:
                    one.deliver(entries)
                except Exception:
                    give_up(one)
        else:
            self._park_spoken(entries)
        for one in channel.sender.connections:
            if one is not origin and one.dialect.version > 1:
                try:
                    one.deliver(entries)
                except Exception:
                    give_up(one)

    def _park_spoken(self, entries: ChannelEntries) -> None:
        """Stored texts wait here for the side that is away, unless the history has them for it."""
        to = entries.channel.to
        if self._participants.get(to.uuid) is not to:
            return  # it has gone for good
        if (to.version == 1 or self.writer is None) and self._parks_for(to):
            with self._lock:
                if not to.connections:
                    seqs = entries.seqs
                    full = entries.for_version_2() if self.writer is None else b""
                    key = entries.channel.conversation.row.key
                    if (plain := entries.for_version_1()) or full:
                        self._park(to, ParkedFrames(plain, full, key, seqs[0], seqs[-1]))

    def _parks_for(self, participant: Participant) -> bool:
        """Nobody hears for *participant*, and what it should hear is parked here."""
        return participant.is_away

    @property
    def held(self) -> int:
        """Bytes of texts that wait here for what comes before them, about."""
        return 0

    def parks_for_somebody(self) -> bool:
        """Whether what is parked here can still be fetched once this process is about to end."""
        return False

    def _is_full(self, to: Participant, data: bytes) -> bool:
        """Whether *to* is away and no more texts can be kept for it."""
        return not to.connections and to.parked_bytes + len(data) > self._most_parked

    def _park(self, to: Participant, owed: Owed) -> None:
        to.parked.append(owed)
        if isinstance(owed, ParkedFrames):
            to.parked_bytes += len(owed.plain or owed.full)

    def tell_typing(self, channel: Channel, on: bool) -> None:
        """The speaker of *line* types, or has stopped: passed on, never stored."""

        def tell(connection: Feed) -> None:
            frame = connection.dialect.typing(
                channel.to.uuid, channel.sender.uuid, channel.conversation.id, on
            )
            if frame is not None:
                connection.put(sealed(frame))

        each(channel.to.connections, tell)

    def signal(self, channel: Channel, name: str) -> None:
        """Send the other side one of `frames.SIGNALS`: never stored, for version 2."""
        make = frames.SIGNALS.get(name)

        def tell(connection: Feed) -> None:
            if make is not None and connection.dialect.version > 1:
                frame = make(
                    id=codec.new_id(), to=channel.to.uuid, from_=channel.sender.uuid,
                    conversation=channel.conversation.id, payload={},
                )  # fmt: skip
                connection.put(sealed(frame))

        each(channel.to.connections, tell)

    def tell_read(self, channel: Channel, seq: int) -> None:
        """Tell the other side how far the speaker of *line* has read."""

        def tell(connection: Feed) -> None:
            frame = connection.dialect.read(
                channel.to.uuid, channel.sender.uuid, channel.conversation.id, seq
            )
            if frame is not None:
                connection.put(sealed(frame))

        each(channel.to.connections, tell)

    def show_to_staff(
        self, serving: str | None, entry: StaffRow, author: Participant, origin: object
    ) -> None:
        """Show a new staff *entry* to the waiter who is *serving*, a UUID, and to its *author*.

        The author's connection *origin* gets a receipt instead.
        """
        self._show_staff_entry(author, entry, origin)
        waiter = self._participants.get(serving or "")
        if waiter is not None and waiter is not author:
            self._show_staff_entry(waiter, entry)

    def _show_staff_entry(
        self, reader: Participant, entry: StaffRow, origin: object = None
    ) -> None:
        def show(connection: Feed) -> None:
            if connection is not origin and connection.dialect.version > 1:
                connection.put(staff_track.encode(entry, reader))

        each(reader.connections, show)

    def catch_up(self, conversation: Conversation) -> None:
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
        resumed = user.conversation is not None
        before = user.conversation.lost_waiter if user.conversation is not None else None
        conversation = user.conversation = user.conversation or self._new_conversation(
            user, event.talk
        )
        row = conversation.row
        row.waiter, row.waiter_subject = waiter.uuid, waiter.identity.subject
        row.waiter_name = waiter.identity.name
        row.waiter_avatar = waiter.identity.avatar
        if not resumed:
            row.waited = round(event.waited * 1000)
        self._store_match(event, conversation, resumed)
        to_waiter, to_user = self._join(user, waiter, conversation)
        self._meet(user, to_waiter, resumed, asked=True)
        self._meet(waiter, to_user, resumed, asked=False)
        is_same = before is not None and before == waiter.identity.subject
        conversation.lost_waiter = None
        self._write_event(event, to_user, What.RETURNED if is_same else What.JOINED)

    def _join(
        self, user: Participant, waiter: Participant, conversation: Conversation
    ) -> tuple[Channel, Channel]:
        user.channel = Channel(user, waiter, conversation)
        user.phase = Phase.SERVED
        waiter.channels[user.uuid] = Channel(waiter, user, conversation)
        return user.channel, waiter.channels[user.uuid]

    def _meet(self, me: Participant, channel: Channel, resumed: bool, asked: bool) -> None:
        def meet(connection: Feed) -> None:
            frame = self.introduce(me, channel, resumed, connection.dialect)
            question = connection.pop_pending_request() if asked else None
            if question is not None:
                frame.reply_id = question.id
            connection.open_conversation(channel, frame)

        each(me.connections, meet)
        if self._parks_for(me):
            plain = sealed(self.introduce(me, channel, resumed, _PLAIN))
            self._park(me, ParkedFrames(plain, b""))  # version 2 is told when it returns

    def introduce(
        self, me: Participant, channel: Channel, resumed: bool, dialect: Dialect
    ) -> frames.ServerFrame:
        """Who is at the other end of *line*."""
        other, conversation = channel.to, channel.conversation
        row = conversation.row
        marks = row.user_read, row.waiter_read
        if me.role is Role.WAITER:
            marks = marks[::-1]
        peer = Peer(
            other.uuid, other.identity.subject, other.identity.name, conversation.id,
            conversation.last_seq, resumed, *marks, row.page, row.opened, other.identity.avatar,
        )  # fmt: skip
        if me.role is Role.USER:
            return dialect.connect_success(me.uuid, peer)
        return dialect.new_connection(me.uuid, peer)

    def _queued(self, event: Queued) -> None:
        user = self._person(event, event.user)
        user.phase = Phase.QUEUED

        def tell(connection: Feed) -> None:
            frame = self.place(user, event.location, event.ticket, connection.dialect)
            question = connection.pop_pending_request()
            if question is not None:
                frame.reply_id = question.id
            connection.put(sealed(frame))

        each(user.connections, tell)  # a place in line is worth nothing later

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
        conversation = user.conversation
        user.channel, user.former = None, user.channel or user.former
        user.phase = Phase.IDLE
        waiter.channels.pop(user.uuid, None)
        if conversation is not None:
            conversation.row.waiter = conversation.row.waiter_subject = None
            if event.requeued:
                # nobody's: one who is erased must not come back by it
                conversation.row.waiter_name = conversation.row.waiter_avatar = ""
                conversation.lost_waiter = waiter.identity.subject
            else:
                user.conversation, user.has_written = None, False
            self._store_parting(event, conversation)
        name, reason = (conversation.id if conversation is not None else ""), event.reason or ""
        told, gone = (waiter, user) if event.gone == user.uuid else (user, waiter)
        if self._parks_for(told):
            plain, full = (
                sealed(dialect.disconnected(told.uuid, gone.uuid, name, reason))
                for dialect in (_PLAIN, _FULL)
            )
            self._park(told, ParkedFrames(plain, full))

        def tell(connection: Feed) -> None:
            frame = connection.dialect.disconnected(told.uuid, gone.uuid, name, reason)
            connection.close_conversation(conversation, frame)

        def tell_own(connection: Feed) -> None:
            frame = connection.dialect.disconnected(gone.uuid, told.uuid, name, reason)
            question = connection.pop_pending_request()
            if question is None or connection.dialect.version > 1:
                if question is not None:
                    frame.reply_id = question.id
                connection.close_conversation(conversation, frame)

        each(told.connections, tell)
        each(gone.connections, tell_own)  # its other tabs; in version 1 the one that ended it knows
        if conversation is not None:
            what = What.LEFT if event.requeued else What.ENDED
            self._write_event(event, Channel(gone, told, conversation), what, reason)

    def _write_event(self, event: Event, channel: Channel, what: What, reason: str = "") -> None:
        """Write into the conversation what has happened, by the side that speaks on *line*.

        Both sides read it where they speak version 2.
        """
        if self.writer is None and channel.sender.plain and channel.to.plain:
            return  # nobody reads it
        payload = EventPayload(what, channel.sender.identity.name, reason)
        entries = self._entries(channel, None, [""], None, EVENT, EVENT.body(payload).data)
        entries.side = Side.SERVER
        self._begin_event(event, entries)

    def _begin_event(self, event: Event, entries: ChannelEntries) -> None:
        if self.writer is None:
            self._number(entries)
        elif not self._begin(entries):
            self._unwritten.append(entries)

    def write_missing_events(self) -> None:
        """Write the events that could not be stored before. Called about once a second."""
        if self.writer is None or not self.writer.available:
            return
        for _ in range(len(self._unwritten)):
            self._begin_again(self._unwritten.popleft())

    def _begin_again(self, entries: ChannelEntries) -> None:
        entries.refused = False
        if not self._begin(entries):
            self._unwritten.append(entries)

    def _departed(self, event: Departed) -> None:
        gone = self._person(event, event.participant)
        del self._participants[gone.uuid]
        if gone.conversation is not None:
            channel = Channel(gone, gone, gone.conversation)
            self._write_event(event, channel, What.ENDED, event.reason)
            self._store_end(event, gone.conversation)
            gone.conversation = None
        if gone.role is Role.WAITER and gone.phase is Phase.ON_DUTY:
            self.store_duty(gone, ready=False, capacity=None)

    def _moved(self, event: Moved) -> None:
        """Other workers' news: only a shared desk has them."""

    def _withdrawn(self, event: Withdrawn) -> None:
        self._person(event, event.user).phase = Phase.IDLE

    def _on_duty(self, event: OnDuty) -> None:
        phase = Phase.ON_DUTY if event.ready else Phase.OFF_DUTY
        self._person(event, event.waiter).phase = phase

    # ---- what is kept --------------------------------------------------

    def channel_after_end(self, user: Participant, row: ConversationRow) -> Channel:
        """The channel for an entry that *user* writes after the end of its conversation."""
        return self.channel_to_nobody(user, Conversation(row))

    def channel_to_nobody(self, user: Participant, conversation: Conversation) -> Channel:
        """The same, where no waiter is known who would be told."""
        return Channel(user, Participant("", Role.WAITER, Identity("nobody")), conversation)

    def _new_conversation(self, user: Participant, key: int) -> Conversation:
        return Conversation(self._new_row(user, key))

    def _new_row(self, user: Participant, key: int) -> ConversationRow:
        department, page = user.page
        return ConversationRow(
            key=key,
            user=user.uuid,
            user_subject=user.identity.subject,
            user_name=user.identity.name,
            user_avatar=user.identity.avatar,
            opened=self.clock.opened(key),
            department=department,
            page=page,
        )

    def _store_match(self, event: Matched, conversation: Conversation, resumed: bool) -> None:
        self._save(conversation.row)

    def _store_parting(self, event: Parted, conversation: Conversation) -> None:
        if event.requeued:
            self._save(conversation.row)
        else:
            self._end(conversation.row, event.reason or "")

    def _store_end(self, event: Departed, conversation: Conversation) -> None:
        self._end(conversation.row, event.reason)

    def _end(self, row: ConversationRow, reason: str = "") -> None:
        row.reason = str(reason)
        row.ended = max(self.clock.ms(), row.last_date, row.opened)
        self._save(row)

    def _save(self, row: ConversationRow) -> None:
        if self.writer is not None:
            self.writer.save(row)

    def store_duty(self, waiter: Participant, *, ready: bool, capacity: int | None) -> None:
        """Readiness outlives reloads and restarts."""
        if self.writer is not None:
            capacity = capacity or 0
            self.writer.save_duty(Duty(waiter.identity.subject, waiter.uuid, ready, capacity))

    def read_by(self, channel: Channel, seq: int) -> None:
        """The speaker of *line* has read up to *seq*, which is there."""
        self._mark(channel, seq)
        self._save(channel.conversation.row)

    def _mark(self, channel: Channel, seq: int) -> None:
        row = channel.conversation.row
        if channel.sender.role is Role.USER:
            row.user_read = max(row.user_read, seq)
        else:
            row.waiter_read = max(row.waiter_read, seq)

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
                each(
                    participant.connections, partial(self._send_queue_status, participant, figures)
                )

    def send_queue_status(
        self, waiter: Participant, connection: Feed, figures: Figures | None = None
    ) -> None:
        """Tell a socket of *waiter* how long the line is."""
        self._send_queue_status(waiter, figures or self.figures(), connection)

    def _send_queue_status(self, waiter: Participant, figures: Figures, connection: Feed) -> None:
        frame = connection.dialect.queue_status(
            waiter.uuid, figures.queue_length, figures.longest_wait
        )
        if frame is not None:
            connection.put(sealed(frame))


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
