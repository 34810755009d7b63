"""One connection: phase × frame type → handler, as one table.

Rules of this file:

1. `TABLE` is the protocol. A type that nobody may send is answered with
   `unknown_type`; before `auth`, everything else is, with `unauthenticated`.
2. A handler gets its session, the frame and the participant (None before
   `auth`); it decides and returns. None waits but those that ask for what is
   long past (`transcript.py`), and only their own connection waits with them.
   What a handler refuses it raises as `Refusal` (an `error` frame) or
   `Farewell` (a close).
3. A bug in a handler ends this connection with 1011 and nobody else's.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from operator import or_
from typing import Any

from msgspec import UNSET
from simple_websocket import ConnectionClosed

from .admission import Admission
from .conversation.conversation import Conversation
from .conversation.kinds import KIND_OF, TEXT, Body, Kind, Side, Track, requests
from .desk.port import (
    AddressFull,
    Arrival,
    Claim,
    DeskUnavailable,
    QueueFull,
    Role,
    WaiterFull,
)
from .errors import Unavailable
from .house import House
from .identity import Identity, TokenError
from .limits import TokenBucket
from .origin import told_page
from .participants import (
    Channel,
    ChannelEntries,
    Feed,
    Owed,
    ParkedFrames,
    Participant,
    Phase,
    Question,
    sealed,
)
from .room import Room
from .transcript import Transcript
from .transport.connection import Connection
from .turns import Turns
from .unconfirmed import Unconfirmed
from .wire import codec, frames
from .wire.codes import DELIBERATE, MALFORMED, CloseCode, ErrorCode, Farewell, Refusal
from .wire.dates import rfc3339
from .wire.dialect import DIALECTS, Dialect

log = logging.getLogger("csapp.sockets")

BAD_FRAMES_WINDOW = 60.0  # s

#: refused frames of an eager client before it is closed (4429), and how fast they are forgotten
PATIENCE = 100
FORGIVENESS = 1.0  # a second

_AUTH = codec.Decoder(frames.Auth)
_DECODERS = {
    (Role.USER, 1): codec.Decoder(frames.FromUser),
    (Role.WAITER, 1): codec.Decoder(frames.FromWaiter),
    (Role.USER, 2): codec.Decoder(reduce(or_, requests(Side.USER), frames.FromUser2)),
    (Role.WAITER, 2): codec.Decoder(reduce(or_, requests(Side.WAITER), frames.FromWaiter2)),
}

#: characters that waiters see of what somebody in the queue wants to ask
MAX_QUESTION = 300

#: visitors in the queue that waiters are shown
MOST_SHOWN = 50

#: texts of one connection that may be on their way to the store; then it is not read for a while
IN_FLIGHT = 512

#: codes of connections that end through nothing that their clients have done
OUR_FAULT = (CloseCode.RESTART, CloseCode.FULL, CloseCode.INTERNAL_ERROR, CloseCode.REPLACED)

#: s that a connection's end waits for what it has said to be stored
LAST_WORDS = 10.0


class Session:
    """Runs one connection at the door of *role* until it ends."""

    __slots__ = (
        "_admission",
        "_asking",
        "_bad",
        "_bucket",
        "_decoder",
        "_in_flight",
        "_max_text",
        "_patience",
        "_role",
        "_settled",
        "_switchboard",
        "_transcript",
        "_turns",
        "_unconfirmed",
        "connection",
        "dialect",
        "house",
        "participant",
        "put",
        "put_and_remember",
        "relayed",
        "uuid",
    )

    def __init__(self, connection: Connection, role: Role, house: House) -> None:
        self.connection = connection
        self._role = role
        self.house = house
        self.uuid = str(uuid.uuid4())
        self.participant: Participant | None = None
        self._admission = Admission(connection, role, house)
        self._asking: frames.ClientFrame | None = None
        self._switchboard = house.switchboard
        self._max_text = house.settings.max_text
        self._decoder = _AUTH
        self._patience: TokenBucket | None = None
        self._bad: deque[float] | None = None  # when the latest malformed frames came
        settings = house.settings
        self._bucket = (
            TokenBucket(settings.message_rate, settings.message_burst, house.runtime.now)
            if settings.message_rate
            else None
        )
        #: texts passed on to the other side
        self.relayed = 0
        #: the version it speaks
        self.dialect: Dialect = DIALECTS[1]
        self._in_flight = 0  # texts on their way to the store
        self._settled: threading.Event | None = None
        #: in version 2
        self._transcript: Transcript | None = None
        #: in version 1, once something had to be looked up
        self._turns: Turns | None = None
        #: what may not have arrived, once there was anything
        self._unconfirmed: Unconfirmed | None = None
        #: queue framed bytes for this connection; never waits
        self.put: Callable[[bytes], None] = connection.put
        #: the same for texts of version 1, which are remembered until they have arrived
        self.put_and_remember: Callable[[bytes], None] = connection.tell

    # ---- running -------------------------------------------------------

    def run(self) -> None:
        """Serve until the connection ends; then leave the desk."""
        self._send(frames.Initialize(id=codec.new_id(), to=self.uuid))
        try:
            self._serve()
        except ConnectionClosed:
            pass
        except Farewell as farewell:
            self.connection.close(farewell.code, farewell.reason)
        except Exception:
            log.exception("a session failed")
            self.connection.close(CloseCode.INTERNAL_ERROR)
        finally:
            self._admission.close()
            self._settle(LAST_WORDS)
            if self.participant is not None:
                deliberate = self.connection.ended_by == "client" and (
                    self.connection.code in DELIBERATE
                )
                claim = self._claim(self.participant)
                self._switchboard.exit(self.participant, self, deliberate=deliberate, claim=claim)
            self.connection.watch = None  # a cycle: neither would be freed
            self._admission.count_out()

    def _claim(self, me: Participant) -> Claim:
        """For how long its participant is to be waited for."""
        connection = self.connection
        if me.role is Role.WAITER or (
            connection.ended_by == "server" and connection.code in OUR_FAULT
        ):
            return Claim.FULL
        if me.has_written:
            return Claim.SPOKEN
        return Claim.ANONYMOUS if me.identity.is_anonymous else Claim.SILENT

    def _serve(self) -> None:
        receive = self.connection.receive_batch
        self.connection.take_in_passing(self._take)
        while True:
            batch = receive()
            me = self.participant
            if me is None:
                for data in batch:  # one by one: a good `auth` changes what is understood after it
                    self._handle(self._decoder.decode_batch([data]))
            elif rest := self._relay_texts(self._decoder.decode_batch(batch), me):
                self._handle(rest)
            if self._in_flight > IN_FLIGHT:
                self._settle()

    def _take(self, batch: list[bytes]) -> list[bytes]:
        """Relay the plain texts that *batch* begins with, on the loop; returns what is left."""
        me = self.participant
        if me is None or self._in_flight > IN_FLIGHT:
            return batch
        try:
            rest = self._relay_texts(self._decoder.decode_batch(batch), me)
        except Exception:
            log.exception("a session failed")
            self.connection.close(CloseCode.INTERNAL_ERROR)
            return []
        return batch[len(batch) - len(rest) :] if rest else []

    def _handle(self, batch: list[Any]) -> None:
        """Each frame, or the `Refusal` in its place, by the table."""
        for frame in batch:
            if type(frame) is Refusal:
                self._refuse(frame)
                continue
            try:
                if self._bucket is not None and not self._bucket.take():
                    raise self._too_fast(frame)
                if self._in_flight and type(frame) is not frames.MessageText:
                    self._settle()  # what was said before comes before
                me = self.participant
                phase = Phase.GREETED if me is None else me.phase
                TABLE[phase][type(frame)](self, frame, me)
            except Refusal as refusal:
                self._refuse(refusal)
            except Unavailable as error:  # the desk or the store, whichever the frame needs
                self._refuse(Refusal(ErrorCode.UNAVAILABLE, error.advice, frame.reply_id))

    # ---- the fast lane -------------------------------------------------

    def _relay_texts(self, batch: list[Any], me: Participant) -> list[Any]:
        """Relay the sound texts that *batch* begins with, those for one receiver in one go.

        Returns what is left for the table, which would do the same with each
        frame by itself and knows what to say of a bad one.
        """
        most = self._max_text
        if len(batch) == 1:  # mostly
            frame = batch[0]
            if type(frame) is not frames.MessageText:
                return batch
            message = frame.payload.message
            if len(message) > most or "\0" in message:
                return batch
            channel = me.channel or me.channels.get(frame.to or "")
            return [] if self._say(channel, [message], [frame.reply_id]) else batch
        done, to, channel = 0, None, me.channel
        run: list[str] = []
        ids: list[str | None] = []
        for frame in batch:
            if type(frame) is not frames.MessageText:
                break
            message = frame.payload.message
            if len(message) > most or "\0" in message:
                break
            if frame.to != to:  # from a waiter: for another of its users
                if run and not self._say(channel, run, ids):
                    return batch[done:]
                done += len(run)
                run, ids = [], []
                to = frame.to
                channel = me.channel or me.channels.get(to or "")
            run.append(message)
            ids.append(frame.reply_id)
        if run and self._say(channel, run, ids):
            done += len(run)
        return batch[done:]

    def _say(self, channel: Channel | None, run: list[str], ids: list[str | None]) -> bool:
        """Relay all of *run*, or nothing."""
        if channel is None or (self._bucket is not None and not self._bucket.take(len(run))):
            return False
        return self._relay(channel, run, ids)

    def _relay(
        self, channel: Channel, run: list[str], ids: list[str | None],
        kind: Kind = TEXT, data: str | None = None,
    ) -> bool:  # fmt: skip
        switchboard = self._switchboard
        if switchboard.writer is None and channel.sender.plain and channel.to.plain:
            if not switchboard.relay(channel, run):
                return False
        else:
            kept = ids if self.dialect.version > 1 else None
            if kept is not None and "\0" in "".join(filter(None, kept)):
                return False
            self._in_flight += len(run)
            if kept is not None and self._transcript is not None:
                self._transcript.awaited.update(kept)
            if not switchboard.say(channel, self, run, kept, kind, data):
                self._in_flight -= len(run)
                if kept is not None and self._transcript is not None:
                    self._transcript.awaited.difference_update(kept)
                return False
        self.relayed += len(run)
        channel.sender.has_written = True
        return True

    # ---- what is on its way --------------------------------------------

    def _settle(self, most: float | None = None) -> None:
        """Wait until all that was said here is stored, or refused."""
        while self._in_flight:
            if self._settled is None:
                self._settled = threading.Event()
            self._settled.clear()
            if self._in_flight and not self._settled.wait(most):
                return

    def acknowledge(self, entries: ChannelEntries) -> None:
        """What was said here is stored: receipts; or it is not: refused."""
        self._in_flight -= len(entries.texts) + len(entries.repeats)
        if not self._in_flight and self._settled is not None:
            self._settled.set()
        if not entries.stored:
            refuse = partial(self._refuse_all, entries)
            refuse() if self._transcript is None else self._transcript.do(refuse)
        elif self._transcript is not None:
            self._transcript.acknowledge(entries)

    def _refuse_all(self, entries: ChannelEntries) -> None:
        for client_id in entries.client_ids or (None,) * len(entries.texts):
            if self._transcript is not None:
                self._transcript.awaited.discard(client_id)
            self._refuse(self._not_stored(client_id))

    def fail(self) -> None:
        """Close the connection, which could not be told something."""
        self.connection.close(CloseCode.INTERNAL_ERROR)

    @property
    def held(self) -> int:
        """Bytes that wait for this connection while something is looked up, about."""
        turns = self._transcript or self._turns
        return 0 if turns is None else turns.held

    def _not_stored(self, reply_id: str | None) -> Refusal:
        what = "messages cannot be stored at the moment; try again"
        return Refusal(ErrorCode.UNAVAILABLE, what, reply_id)

    def deliver(self, entries: ChannelEntries) -> None:
        """Stored texts: for this participant, or its own said on another socket."""
        if self._transcript is not None:
            self._transcript.deliver(entries)
            if self._switchboard.store is None and entries.channel.to is self.participant:
                self._doubt().add(entries)
            return
        data = entries.for_version_1()
        if not data:
            return  # version 1 is told nothing of this entry
        (self._unconfirmed or self._doubt()).add(entries)
        if self._turns is None:
            self.put(data)
        else:
            self._turns.do(partial(self.connection.put, data), entries)

    def deliver_parked(self, parked: ParkedFrames, data: bytes) -> None:
        """Queue *data*, the framed bytes of what was parked; remember it until it has arrived."""
        self._doubt().add(parked)
        self.put(data)

    def remember(self, data: bytes) -> None:
        """Remember framed bytes of version 1 until they have arrived."""
        (self._unconfirmed or self._doubt()).add(data)

    def _doubt(self) -> Unconfirmed:
        """What may not have arrived is remembered from now on."""
        if self._unconfirmed is None:
            in_full = self._switchboard.store is None
            self._unconfirmed = Unconfirmed(self.connection, in_full=in_full)
            if self.participant is not None:
                self.participant.doubtful = (*self.participant.doubtful, self)
        return self._unconfirmed

    def take_missed(self) -> list[Owed]:
        """What was put into this connection, which has ended, and has not arrived."""
        return [] if self._unconfirmed is None else self._unconfirmed.take()

    def ask(self) -> Question | None:
        """Another connection of its participant comes: whether anything may not have arrived."""
        return None if self._unconfirmed is None else self._unconfirmed.ask(self.house.wheel)

    @property
    def is_lost(self) -> bool:
        """It was asked, and has not answered in time."""
        return self._unconfirmed is not None and self._unconfirmed.is_lost

    def inherit(self, newer: Feed) -> None:
        """Keep what *newer*, which has ended, has missed: no other connection is there."""
        self._doubt().inherit(newer.take_missed)

    def keep_questions(self, questions: Sequence[Question]) -> None:
        """Keep these, which a newer one that has ended waited for, for a still newer one."""
        self._doubt().keep(questions)

    def unconfirmed(self) -> list[ParkedFrames]:
        """What was put into this connection and may not have arrived."""
        return [] if self._unconfirmed is None else self._unconfirmed.all()

    def last_seen(self, conversation: int) -> int | None:
        """The last `seq` of a talk that its client says it has seen; None: it says nothing."""
        return None if self._transcript is None else self._transcript.resumed(conversation)

    def await_answers(self, questions: Sequence[Question]) -> None:
        """In version 1: tell first what the answers to *questions* bring; all else waits."""
        if self._turns is None:
            self._turns = Turns(self)
        unconfirmed = self._doubt()
        room = unconfirmed.make_room(questions)
        self._turns.in_turn(partial(self._make_up_for, room, self._turns, unconfirmed))

    def _make_up_for(self, room: Room, turns: Turns, unconfirmed: Unconfirmed) -> None:
        for kept in unconfirmed.new_of(room.fill()):
            self.connection.put(kept.plain)
        for entries, rest in turns.leave_out(room.told):
            unconfirmed.leave_out(entries, rest)
        room.is_told = self.connection.code is None

    def open_conversation(self, channel: Channel, frame: frames.ServerFrame) -> None:
        """Say who is at the other end of *line*; what was missed of their talk follows."""
        if self._transcript is None:
            self._doubt()
            self.put(sealed(frame))
        else:
            self._transcript.open_conversation(channel, frame)

    def close_conversation(
        self, conversation: Conversation | None, frame: frames.ServerFrame
    ) -> None:
        """Say that the other side is gone, after all that was said before."""
        if conversation is None or not conversation.behind:
            self.put(sealed(frame))
            return
        turns = self._transcript or self._turns
        if turns is None:
            turns = self._turns = Turns(self)
        turns.close_conversation(conversation, sealed(frame))

    # ---- refusing ------------------------------------------------------

    def _refuse(self, refusal: Refusal) -> None:
        code, message = refusal.code, refusal.message
        if self.participant is None and code is ErrorCode.UNKNOWN_TYPE:
            code, message = ErrorCode.UNAUTHENTICATED, "send auth first"
        self._send(self.error(code, message, refusal.reply_id))
        if code in MALFORMED:
            self._count_bad_frame()
        elif code in (ErrorCode.RATE_LIMITED, ErrorCode.UNAUTHENTICATED):
            self._lose_patience()

    def error(
        self, code: ErrorCode, message: str, reply_id: str | None = None
    ) -> frames.ServerFrame:
        """An `error` frame for this connection, counted."""
        self.house.meters.errors.add(code)
        frame = self.dialect.error(self.uuid, code, message)
        if reply_id is not None:
            frame.reply_id = reply_id
        return frame

    def _count_bad_frame(self) -> None:
        most, now = self.house.settings.bad_frames, self.house.runtime.now()
        if self._bad is None:
            self._bad = deque(maxlen=most)
        self._bad.append(now)
        if len(self._bad) == most and now - self._bad[0] <= BAD_FRAMES_WINDOW:
            raise Farewell(CloseCode.BAD_FRAMES, "too many frames that cannot be read")

    def _lose_patience(self) -> None:
        if self._patience is None:
            self._patience = TokenBucket(FORGIVENESS, PATIENCE, self.house.runtime.now)
        if not self._patience.take():
            raise Farewell(CloseCode.RATE, "sending too fast")

    def _too_fast(self, frame: frames.ClientFrame) -> Refusal:
        rate = self.house.settings.message_rate
        return Refusal(ErrorCode.RATE_LIMITED, f"at most {rate:g} frames a second", frame.reply_id)

    # ---- what the switchboard needs ------------------------------------

    def welcome(self, participant: Participant, arrival: Arrival) -> None:
        """This socket belongs to *participant*; a standing one is told its UUID and its chats."""
        self.participant = participant
        self._decoder = _DECODERS[self._role, self.dialect.version]
        self._admission.let_in()
        if arrival.uuid != self.uuid:
            self.uuid = arrival.uuid
            self._send(frames.Initialize(id=codec.new_id(), to=self.uuid))
        channels = list(participant.channels.values())
        if self._transcript is None:
            if channels or participant.channel is not None:
                self._doubt()
        else:
            self._tell_self(participant.identity, self.pop_pending_request())
            if self._role is Role.WAITER:
                if participant.phase is Phase.ON_DUTY:
                    self._tell_duty(True)
                self._switchboard.send_queue_status(participant, self)
            if participant.channel is not None:
                channels.append(participant.channel)
        for channel in channels:
            frame = self._switchboard.introduce(participant, channel, True, self.dialect)
            self.open_conversation(channel, frame)
        if self._transcript is not None:
            self._transcript.resume_others({channel.conversation.id for channel in channels})

    def _tell_self(self, identity: Identity, asked: frames.ClientFrame | None) -> None:
        """Answer *asked*, an `auth`, in version 2."""
        left = round(self._admission.left, 1)
        payload = frames.SelfPayload(
            self.uuid, identity.subject, identity.name, identity.avatar, self._role.value, left,
            self._max_text, self._role is Role.WAITER and self.house.settings.take,
        )  # fmt: skip
        now = rfc3339(self._switchboard.clock.ms())
        frame = frames.AuthSuccess(id=codec.new_id(), to=self.uuid, payload=payload, date=now)
        if asked is not None and asked.reply_id is not None:
            frame.reply_id = asked.reply_id
        self._send(frame)

    def pop_pending_request(self) -> frames.ClientFrame | None:
        """The frame that waits for its answer, once."""
        asking, self._asking = self._asking, None
        return asking

    def _send(self, frame: frames.ServerFrame) -> None:
        self.put(sealed(frame))

    # ---- handlers ------------------------------------------------------

    def authenticate(self, frame: frames.Auth, me: None) -> None:
        """Take the token; the third bad one ends the connection."""
        with self._admission.looking():
            self._authenticate(frame)

    def _authenticate(self, frame: frames.Auth) -> None:
        self.dialect = DIALECTS[frame.payload.version]
        try:
            identity = self._admission.admit(frame)
        except TokenError as error:
            refusal = Refusal(error.code, error.message, frame.reply_id)
            farewell = self._admission.farewell(error)
            if farewell is None:
                raise refusal from None
            self._refuse(refusal)
            raise farewell from None
        if self.dialect.version > 1:
            self._asking = frame
            self._transcript = Transcript(self, dict(frame.payload.resume or {}))
        try:
            replaced = self._switchboard.enter(
                self._role, identity, self.uuid, self, self.connection.address
            )
        except DeskUnavailable:
            raise Farewell(CloseCode.FULL, "nobody can be found at the moment") from None
        for older in replaced:
            older.replace()
        self._admission.await_end()

    @property
    def identity(self) -> Identity | None:
        """Who has shown a token here."""
        return self._admission.identity

    @property
    def signed(self) -> int:
        """When that token was signed, in ms since 1970."""
        return self._admission.signed

    def replace(self) -> None:
        """A newer login takes this one's place."""
        kickout = self.dialect.kickout(self.uuid)
        if kickout is not None:
            self._send(kickout)
        self.connection.close(CloseCode.REPLACED, "replaced by a newer login")

    def send_back(self) -> None:
        """Its participant is taken for gone: its client is to come anew."""
        self.connection.close(CloseCode.RESTART, "come again")

    def confirm(self, frame: frames.Auth, me: Participant) -> None:
        """`auth` once more: the connection lives as long as this token, of the same subject.

        Nothing else changes. Version 2 is answered; another subject or role is refused.
        """
        renewed = self._admission.renew(frame, me.identity.subject)
        if renewed is not None:
            me.identity = renewed
        if self._transcript is not None:
            self._tell_self(me.identity, frame)

    def connect(self, frame: frames.Connect | frames.Connect2, me: Participant) -> None:
        """A user asks for a waiter."""
        switchboard = self._switchboard
        ticket = question = None
        if isinstance(frame, frames.Connect2) and frame.payload is not None:
            asked = frame.payload
            me.page = asked.department, told_page(asked.page, self.house.settings.page)
            if isinstance(asked.ticket, str):
                ticket = self.house.tokens.read_ticket(asked.ticket, me.identity.subject)
            if isinstance(asked.question, str):
                question = asked.question[:MAX_QUESTION]
        self._asking = frame
        try:
            switchboard.desk.connect(
                self.uuid, ticket, switchboard.clock.new_key(), question=question, page=me.page[1]
            )
        except QueueFull as full:
            self._asking = None
            who = "visitors of your address" if isinstance(full, AddressFull) else "visitors"
            what = f"too many {who} are waiting; try later"
            raise Refusal(ErrorCode.QUEUE_FULL, what, frame.reply_id) from None
        switchboard.carry_out()
        if self.pop_pending_request() is not None:  # nothing was decided: it stands as it stood
            self._tell_state(frame, me)

    def _tell_state(self, frame: frames.ClientFrame, me: Participant) -> None:
        switchboard, channel = self._switchboard, me.channel
        if channel is not None:
            answer = switchboard.introduce(me, channel, True, self.dialect)
            answer.reply_id = frame.id
            self.open_conversation(channel, answer)
        else:
            desk = switchboard.desk
            place = desk.location(self.uuid), desk.ticket(self.uuid)
            answer = switchboard.place(me, *place, self.dialect)
            answer.reply_id = frame.id
            self._send(answer)

    def ready(self, frame: frames.Ready | frames.Ready2, me: Participant) -> None:
        """A waiter takes users from now on; twice is harmless."""
        switchboard = self._switchboard
        switchboard.desk.ready(self.uuid, _capacity(frame.payload))
        me.phase = Phase.ON_DUTY
        switchboard.store_duty(me, ready=True, capacity=switchboard.desk.capacity(self.uuid))
        if isinstance(frame, frames.Ready2):
            self._tell_duty(True, frame)
        switchboard.carry_out()
        me.phase = Phase.ON_DUTY  # what another worker's socket had said before was carried out

    def unready(self, frame: frames.Unready, me: Participant) -> None:
        """A waiter keeps its users and gets no more, but those whom it takes out of turn."""
        switchboard = self._switchboard
        switchboard.desk.unready(self.uuid, _capacity(frame.payload))
        switchboard.carry_out()
        me.phase = Phase.OFF_DUTY
        switchboard.store_duty(me, ready=False, capacity=switchboard.desk.capacity(self.uuid))
        self._tell_duty(False, frame)

    def _tell_duty(self, ready: bool, frame: frames.ClientFrame | None = None) -> None:
        """Whether a waiter takes users; it may have said so in another window, long ago."""
        success = frames.ReadySuccess if ready else frames.UnreadySuccess
        payload = frames.CapacityPayload(self._switchboard.desk.capacity(self.uuid))
        told = success(id=codec.new_id(), to=self.uuid, payload=payload)
        if frame is not None:
            told.reply_id = frame.id
        self._send(told)

    def get_queue(self, frame: frames.GetQueue, me: Participant) -> None:
        """A waiter sees who waits."""
        length, users = self._switchboard.desk.waiting(MOST_SHOWN)
        visitors = [
            frames.WaitingVisitor(
                one.uuid,
                one.subject,
                one.name,
                one.avatar,
                one.question,
                one.page,
                rfc3339(one.since),
            )
            for one in users
        ]
        payload = frames.QueuePayload(length, visitors)
        seen = frames.QueueSeen(id=codec.new_id(), to=self.uuid, payload=payload)
        seen.reply_id = frame.id
        self._send(seen)

    def take(self, frame: frames.Take, me: Participant) -> None:
        """A waiter takes a visitor out of turn."""
        if not self.house.settings.take:
            what = "on this site visitors are served in their order"
            raise Refusal(ErrorCode.FORBIDDEN, what, frame.reply_id)
        switchboard, user = self._switchboard, frame.payload.uuid
        try:
            taken = switchboard.desk.take(user, self.uuid)
        except WaiterFull:
            what = "you serve as many visitors as you may"
            raise Refusal(ErrorCode.FULL, what, frame.reply_id) from None
        if not taken:
            what = "payload.uuid: no such visitor waits"
            raise Refusal(ErrorCode.NO_SUCH_USER, what, frame.reply_id)
        success = frames.TakeSuccess(
            id=codec.new_id(), to=self.uuid, payload=frames.UuidPayload(user)
        )
        success.reply_id = frame.id
        self._send(success)
        switchboard.carry_out()

    def _channel_of(self, frame: frames.ClientFrame, me: Participant) -> Channel:
        """Whom a frame is for. Raises `Refusal`."""
        if self._role is Role.USER:
            if me.channel is None:
                raise self._not_connected(frame)
            return me.channel
        channel = me.channels.get(frame.to or "")
        if channel is None:
            raise self._no_such_user(frame)
        return channel

    def typing(self, frame: frames.Typing, me: Participant) -> None:
        """One side types, or has stopped: passed on, never stored."""
        self._switchboard.tell_typing(self._channel_of(frame, me), frame.payload.on)

    def read(self, frame: frames.Read, me: Participant) -> None:
        """One side has read so far: passed on and stored."""
        channel = self._channel_of(frame, me)
        seq = min(frame.payload.seq, channel.conversation.last_seq)
        self._switchboard.read_by(channel, seq)
        self._switchboard.tell_read(channel, seq)

    def invite_to_rate(self, frame: frames.InviteToRate, me: Participant) -> None:
        """A waiter asks what the visitor thinks of the conversation."""
        channel = self._channel_of(frame, me)
        if channel.to.is_away:
            what = "the visitor is away and cannot be asked; try again later"
            raise Refusal(ErrorCode.UNAVAILABLE, what, frame.reply_id)
        if channel.to.plain and not channel.to.elsewhere:
            what = "to: the visitor's page speaks version 1, and knows no ratings"
            raise Refusal(ErrorCode.FORBIDDEN, what, frame.reply_id)
        self._switchboard.signal(channel, "rate")
        success = frames.InviteSuccess(
            id=codec.new_id(), to=self.uuid, payload=frames.UuidPayload(channel.to.uuid)
        )
        success.reply_id = frame.id
        self._send(success)

    def get_history(self, frame: frames.GetHistory, me: Participant) -> None:
        """Older or newer messages of a conversation."""
        if self._transcript is not None:
            self._transcript.get_history(frame, me)

    def get_history_session(self, frame: frames.GetHistorySession, me: Participant) -> None:
        """A waiter's past conversations, or a visitor's."""
        if self._transcript is not None:
            self._transcript.get_history_session(frame, me)

    def write(self, frame: Any, me: Participant) -> None:
        """An entry for the other side: a user's for its waiter, a waiter's for the user in `to`.

        Of texts those that the fast lane has left, mostly because they must be refused.
        """
        kind = KIND_OF[type(frame)]
        channel = self._channel(frame, me) if kind.after_end else self._channel_of(frame, me)
        words, data = self._body(kind, frame)
        if self._relay(channel, [words], [frame.reply_id], kind, data):
            return
        if channel.to.connections or self._switchboard.writer is not None:
            raise self._not_stored(frame.reply_id)
        raise Refusal(
            ErrorCode.UNAVAILABLE,
            "the other side is away and no more can be kept for it; try again later",
            frame.reply_id,
        )

    def _channel(self, frame: Any, me: Participant) -> Channel:
        """By which a user writes what may be written after the end. Raises `Refusal`."""
        named, switchboard = frame.payload.conversation, self._switchboard
        if me.channel is not None and named in (UNSET, me.channel.conversation.id):
            return me.channel
        if me.conversation is not None and named in (
            UNSET,
            me.conversation.id,
        ):  # it waits to be served again
            return switchboard.channel_to_nobody(me, me.conversation)
        former = me.former if me.former and named in (UNSET, me.former.conversation.id) else None
        conversation = named if former is None else former.conversation.id
        if conversation is UNSET or self._transcript is None:
            raise self._not_connected(frame)
        if former is not None and switchboard.store is None:
            return former
        row = self._transcript.find_ended(frame, conversation, me)  # it may have been erased
        return former or switchboard.channel_after_end(me, row)

    def write_for_staff(self, frame: Any, me: Participant) -> None:
        """An entry that only waiters read."""
        kind = KIND_OF[type(frame)]
        body = self._body(kind, frame)
        if self._transcript is not None:
            self._transcript.write_for_staff(frame, kind, body, me)

    def _body(self, kind: Kind, frame: Any) -> Body:
        """What *frame* writes, as it is stored. Raises `Refusal`."""
        body = kind.body(frame.payload)
        if len(body.words) > self._max_text or "\0" in f"{body.words}{frame.reply_id}":
            raise self._unfit(frame, f"payload.{kind.words}", body.words)
        return body

    def _unfit(self, frame: frames.ClientFrame, field: str, words: str) -> Refusal:
        """Why an entry with these *words* may not be written."""
        if "\0" in (frame.reply_id or ""):  # some stores cannot keep it
            code, what = ErrorCode.INVALID_MESSAGE, "id: NUL is not allowed"
        elif "\0" in words:
            code, what = ErrorCode.INVALID_MESSAGE, f"{field}: NUL is not allowed"
        else:
            code, what = ErrorCode.TOO_LARGE, f"{field}: at most {self._max_text} characters"
        return Refusal(code, what, frame.reply_id)

    def refuse_unconnected(self, frame: frames.ClientFrame, me: Participant) -> None:
        """An entry of a user who has no waiter."""
        raise self._not_connected(frame)

    def leave_chat(self, frame: frames.Disconnect, me: Participant) -> None:
        """A user ends its chat, or leaves the line; it may `connect` again."""
        switchboard = self._switchboard
        self._asking = frame
        if me.channel is None and switchboard.desk.withdraw(self.uuid):
            me.phase = Phase.IDLE
        switchboard.carry_out()
        channel = me.channel  # or another thread has matched it just now
        if channel is not None:
            parted = switchboard.desk.part(self.uuid, channel.to.uuid, self.uuid)
            switchboard.carry_out()
            if not parted and switchboard.desk.withdraw(self.uuid):  # its waiter was lost just now
                me.phase = Phase.IDLE
        self._asking = None

    def end_chat(self, frame: frames.Disconnect, me: Participant) -> None:
        """A waiter ends the chat with one user, who is not queued again."""
        switchboard = self._switchboard
        named = frame.payload.uuid if frame.payload is not None else UNSET
        user = named if isinstance(named, str) else frame.to
        if user is None:
            raise Refusal(ErrorCode.INVALID_MESSAGE, "payload.uuid: is required", frame.reply_id)
        self._asking = frame
        parted = switchboard.desk.part(user, self.uuid, self.uuid)
        switchboard.carry_out()
        self._asking = None
        if not parted:
            raise self._no_such_user(frame)

    def _not_connected(self, frame: frames.ClientFrame) -> Refusal:
        return Refusal(
            ErrorCode.NOT_CONNECTED, "no waiter is connected; send connect first", frame.reply_id
        )

    def _no_such_user(self, frame: frames.ClientFrame) -> Refusal:
        # One sentence for "not yours" and "nobody": a stranger learns nothing from it.
        return Refusal(ErrorCode.NO_SUCH_USER, "to: no such user is connected", frame.reply_id)


Handler = Callable[[Session, Any, Any], None]


def _capacity(payload: frames.DutyPayload | object) -> int | None:
    """How many chats at once a waiter asks for; None: as many as before."""
    asked = payload.capacity if isinstance(payload, frames.DutyPayload) else UNSET
    return asked if isinstance(asked, int) else None


def _writes(frame: type[frames.ClientFrame]) -> Handler:
    """What does with *frame* as its kind of entry asks for."""
    return Session.write_for_staff if KIND_OF[frame].track is Track.STAFF else Session.write


_EVERY_USER: dict[type, Handler] = {
    frames.Auth: Session.confirm,
    frames.Connect: Session.connect,
    frames.Connect2: Session.connect,
    frames.Disconnect: Session.leave_chat,
    frames.Typing: Session.typing,
    frames.Read: Session.read,
    frames.GetHistory: Session.get_history,
}

_EVERY_WAITER: dict[type, Handler] = {
    frames.Auth: Session.confirm,
    frames.Ready: Session.ready,
    frames.Ready2: Session.ready,
    frames.Unready: Session.unready,
    **{frame: _writes(frame) for frame in requests(Side.WAITER)},
    frames.Disconnect: Session.end_chat,
    frames.Typing: Session.typing,
    frames.Read: Session.read,
    frames.GetHistory: Session.get_history,
    frames.GetHistorySession: Session.get_history_session,
    frames.GetQueue: Session.get_queue,
    frames.Take: Session.take,
    frames.InviteToRate: Session.invite_to_rate,
}

_UNCONNECTED = {
    frame: Session.write if KIND_OF[frame].after_end else Session.refuse_unconnected
    for frame in requests(Side.USER)
}

#: what each phase does with each frame type; nothing else is ever done
TABLE: Mapping[Phase, Mapping[type, Handler]] = {
    Phase.GREETED: {frames.Auth: Session.authenticate},
    Phase.IDLE: {**_EVERY_USER, **_UNCONNECTED},
    Phase.QUEUED: {**_EVERY_USER, **_UNCONNECTED},
    Phase.SERVED: {**_EVERY_USER, **dict.fromkeys(requests(Side.USER), Session.write)},
    Phase.OFF_DUTY: _EVERY_WAITER,
    Phase.ON_DUTY: _EVERY_WAITER,
}
