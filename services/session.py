"""One connection: phase × frame type → handler, as one table.

Rules of this file:

1. `TABLE` is the protocol. A type that nobody may send is answered with
   `unknown_type`; before `auth`, everything else is, with `unauthenticated`.
2. A handler gets its session, the frame and the participant (None before
   `auth`); it decides and returns; it never waits. What it refuses it raises as
   `Refusal` (an `error` frame) or `Farewell` (a close).
3. A bug in a handler ends this connection with 1011 and nobody else's.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from msgspec import UNSET
from simple_websocket import ConnectionClosed

from .desk.port import Arrival, QueueFull, Role
from .history.port import KINDS, Chat, Kind, Message, Store, StoreError
from .history.writer import RETRY, Talk
from .identity import Identity, TokenError, TokenRole, Tokens
from .limits import TokenBucket
from .metrics import Meters
from .revocation import Revocations
from .runtime import Runtime
from .settings import Settings
from .switchboard import (
    SIDES,
    Line,
    Participant,
    Phase,
    Spoken,
    Switchboard,
    sealed,
)
from .timers import Wheel
from .transport.connection import Connection
from .wire import codec, frames
from .wire.codes import DELIBERATE, MALFORMED, CloseCode, ErrorCode, Farewell, Refusal
from .wire.dialect import DIALECTS, Dialect, rfc3339

log = logging.getLogger("csapp.sockets")

FAILED_AUTHS = 3  # `protocol.md`, *Version 1*
BAD_FRAMES_WINDOW = 60.0  # s

#: refused frames of an eager client before it is closed (4429), and how fast they are forgotten
PATIENCE = 100
FORGIVENESS = 1.0  # a second

_AUTH = codec.Decoder(frames.Auth)
_DECODERS = {
    (Role.USER, 1): codec.Decoder(frames.FromUser),
    (Role.WAITER, 1): codec.Decoder(frames.FromWaiter),
    (Role.USER, 2): codec.Decoder(frames.FromUser2),
    (Role.WAITER, 2): codec.Decoder(frames.FromWaiter2),
}

#: texts of one connection that may be on their way to the store; then it is not read for a while
IN_FLIGHT = 512

#: messages that a returning client is sent at once; with more it gets the latest and asks
MISSED = 1000
LATEST = 50

#: held while an action is queued or taken: only while a history is being read
_turns = threading.Lock()

#: s that a connection's end waits for what it has said to be stored
LAST_WORDS = 10.0


@dataclass(frozen=True, slots=True)
class House:
    """What all sessions of a process share."""

    settings: Settings
    runtime: Runtime
    wheel: Wheel
    tokens: Tokens
    switchboard: Switchboard
    meters: Meters
    revocations: Revocations


class Session:
    """Runs one connection at the door of *role* until it ends."""

    __slots__ = (
        "_actions",
        "_asking",
        "_bad",
        "_bucket",
        "_connection",
        "_decoder",
        "_failed_auths",
        "_house",
        "_identity",
        "_in_flight",
        "_max_text",
        "_participant",
        "_patience",
        "_resume",
        "_role",
        "_seen",
        "_settled",
        "_switchboard",
        "_timer",
        "_uuid",
        "dialect",
        "put",
        "relayed",
        "signed",
    )

    def __init__(self, connection: Connection, role: Role, house: House) -> None:
        self._connection = connection
        self._role = role
        self._house = house
        self._uuid = str(uuid.uuid4())
        self._participant: Participant | None = None
        self._identity: Identity | None = None
        #: when its token was signed, in ms since 1970
        self.signed = 0
        self._asking: frames.ClientFrame | None = None
        self._switchboard = house.switchboard
        self._max_text = house.settings.max_text
        self._failed_auths = 0
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
        #: conversation → the last `seq` sent to this socket, in version 2
        self._seen: dict[str, int] = {}
        self._resume: dict[str, int] = {}
        #: what must wait until a history has been read; None: nothing waits
        self._actions: deque[Callable[[], None]] | None = None
        #: queue framed bytes for this connection; never waits
        self.put: Callable[[bytes], None] = connection.put
        self._timer = house.wheel.after(settings.auth_timeout, self._too_late)

    # ---- running -------------------------------------------------------

    def run(self) -> None:
        """Serve until the connection ends; then leave the desk."""
        self._send(frames.Initialize(id=codec.new_id(), to=self._uuid))
        try:
            self._serve()
        except ConnectionClosed:
            pass
        except Farewell as farewell:
            self._connection.close(farewell.code, farewell.reason)
        except Exception:
            log.exception("a session failed")
            self._connection.close(CloseCode.INTERNAL_ERROR)
        finally:
            self._timer.cancel()
            self._settle(LAST_WORDS)
            if self._participant is not None:
                deliberate = self._connection.ended_by == "client" and (
                    self._connection.code in DELIBERATE
                )
                self._switchboard.exit(self._participant, self, deliberate=deliberate)

    def _serve(self) -> None:
        receive = self._connection.receive_batch
        while True:
            batch = receive()
            me = self._participant
            if me is None:
                for data in batch:  # one by one: a good `auth` changes what is understood after it
                    self._handle(self._decoder.decode_batch([data]))
            elif rest := self._relay_texts(self._decoder.decode_batch(batch), me):
                self._handle(rest)
            if self._in_flight > IN_FLIGHT:
                self._settle()

    def _handle(self, batch: list[Any]) -> None:
        """Each frame, or the `Refusal` in its place, by the table."""
        for frame in batch:
            try:
                if type(frame) is Refusal:
                    raise frame
                if self._bucket is not None and not self._bucket.take():
                    raise self._too_fast(frame)
                if self._in_flight and type(frame) is not frames.MessageText:
                    self._settle()  # what was said before comes before
                me = self._participant
                phase = Phase.GREETED if me is None else me.phase
                TABLE[phase][type(frame)](self, frame, me)
            except Refusal as refusal:
                self._refuse(refusal)

    # ---- the fast lane -------------------------------------------------

    def _relay_texts(self, batch: list[Any], me: Participant) -> list[Any]:
        """Relay the sound texts that *batch* begins with, those for one receiver in one go.

        Returns what is left for the table, which would do the same with each
        frame by itself and knows what to say of a bad one.
        """
        most = self._max_text
        done, to, line = 0, None, me.line
        run: list[str] = []
        ids: list[str | None] = []
        for frame in batch:
            if type(frame) is not frames.MessageText:
                break
            message = frame.payload.message
            if len(message) > most or "\0" in message:
                break
            if frame.to != to:  # from a waiter: for another of its users
                if run and not self._say(line, run, ids):
                    return batch[done:]
                done += len(run)
                run, ids = [], []
                to = frame.to
                line = me.line or me.lines.get(to or "")
            run.append(message)
            ids.append(frame.reply_id)
        if run and self._say(line, run, ids):
            done += len(run)
        return batch[done:]

    def _say(self, line: Line | None, run: list[str], ids: list[str | None]) -> bool:
        """Relay all of *run*, or nothing."""
        if line is None or (self._bucket is not None and not self._bucket.take(len(run))):
            return False
        return self._relay(line, run, ids)

    def _relay(self, line: Line, run: list[str], ids: list[str | None]) -> bool:
        switchboard = self._switchboard
        if switchboard.writer is None and self.dialect.version == 1:
            if not switchboard.relay(line, run):
                return False
        else:
            self._in_flight += len(run)
            if not switchboard.say(line, self, run, ids if self.dialect.version > 1 else None):
                self._in_flight -= len(run)
                return False
        self.relayed += len(run)
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

    def stored(self, spoken: Spoken) -> None:
        """What was said here is stored: receipts; or it is not: refused."""
        self._in_flight -= len(spoken.texts) + len(spoken.repeats)
        if not self._in_flight and self._settled is not None:
            self._settled.set()
        if not spoken.stored:
            for client_id in spoken.client_ids or (None,) * len(spoken.texts):
                self._do(partial(self._refuse, self._not_stored(client_id)))
        elif self.dialect.version > 1:
            self._do(partial(self._acknowledge, spoken))

    def _not_stored(self, reply_id: str | None) -> Refusal:
        what = "messages cannot be stored at the moment; try again"
        return Refusal(ErrorCode.UNAVAILABLE, what, reply_id)

    def _acknowledge(self, spoken: Spoken) -> None:
        talk, date = spoken.talk.id, rfc3339(spoken.date)
        for client_id, seq in zip(spoken.client_ids or (), spoken.seqs, strict=True):
            self._seen[talk] = max(self._seen.get(talk, 0), seq)
            if client_id is not None:
                self._send_receipt(talk, client_id, seq, date)
        for client_id, first in spoken.repeats:
            if first is None:
                what = "id: it stands for another message of this conversation"
                self._object(ErrorCode.ID_CONFLICT, what, client_id)
            else:
                self._send_receipt(talk, client_id, first.seq, rfc3339(first.date))

    def _send_receipt(self, talk: str, client_id: str, seq: int, date: str) -> None:
        self._connection.put(
            sealed(
                frames.Receipt(
                    id=codec.new_id(), to=self._uuid, reply_id=client_id, conversation=talk,
                    seq=seq, date=date, payload=frames.ReceiptPayload(seq, date),
                )
            )
        )  # fmt: skip

    def hear(self, spoken: Spoken) -> None:
        """Stored texts: for this participant, or its own said on another socket."""
        if self.dialect.version == 1:
            self.put(spoken.plain())
        else:
            self._do(partial(self._hear_fully, spoken))

    def _hear_fully(self, spoken: Spoken) -> None:
        talk = spoken.talk.id
        seen = self._seen.get(talk, 0)
        last = spoken.seqs[-1]
        if last > seen:
            self._seen[talk] = last
            own = spoken.line.sender is self._participant
            self._connection.put(spoken.full(own, seen))

    # ---- histories -----------------------------------------------------

    def _do(self, action: Callable[[], None]) -> None:
        """Now; or in its turn, where a history is being read that comes before it."""
        if self._actions is not None:
            with _turns:
                if self._actions is not None:
                    self._actions.append(action)
                    return
        action()

    def _in_turn(self, action: Callable[[], None]) -> None:
        """The same for what may wait for the store."""
        with _turns:
            if self._actions is not None:
                self._actions.append(action)
                return
            self._actions = deque([action])
            self.put = self._put_in_turn
        self._house.runtime.spawn(self._act)

    def _put_in_turn(self, frame: bytes) -> None:
        self._do(partial(self._connection.put, frame))

    def _act(self) -> None:
        while True:
            with _turns:
                if not self._actions or self._connection.code is not None:
                    self._actions = None
                    self.put = self._connection.put
                    return
                action = self._actions.popleft()
            try:
                action()
            except Exception:
                log.exception("a history could not be sent")
                self._connection.close(CloseCode.INTERNAL_ERROR)

    def _object(self, code: ErrorCode, message: str, reply_id: str | None = None) -> None:
        """An error in its turn: what is put now would come behind what waits."""
        self._house.meters.errors.add(code)
        frame = self.dialect.error(self._uuid, code, message)
        if reply_id is not None:
            frame.reply_id = reply_id
        self._connection.put(sealed(frame))

    def _read(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Ask the store, again and again while it is down; None once nobody waits any more."""
        while self._connection.code is None:
            try:
                return self._house.runtime.blocking(partial(function, *args, **options))
            except StoreError:
                self._house.runtime.sleep(RETRY)
        return None

    def meet(self, line: Line, frame: frames.ServerFrame) -> None:
        """Say who is at the other end of *line*, and what this socket has missed of their talk."""
        if self.dialect.version == 1:
            self.put(sealed(frame))
            return
        talk = line.talk
        known = self._seen.get(talk.id, self._resume.get(talk.id, 0))
        if self._actions is None and talk.last_seq == known:
            self._introduce(talk, frame)
        else:
            self._in_turn(partial(self._introduce, talk, frame))

    def _introduce(self, talk: Talk, frame: Any) -> None:
        last = frame.payload.last_seq = talk.last_seq  # now, in its turn
        self._connection.put(sealed(frame))
        resumed = self._resume.pop(talk.id, None)
        if resumed is not None and resumed > last:
            what = f"payload.resume: {talk.id} ends at {last}"
            self._object(ErrorCode.INVALID_MESSAGE, what)
            resumed = None
        self._bring(talk.record, last, self._seen.get(talk.id, resumed))

    def _bring(self, chat: Chat, last: int, after: int | None) -> None:
        """One `message_history` with what comes after *after*, or the latest."""
        found: list[Message] | None = []
        store = self._switchboard.store
        if store is not None and last > (after or 0):
            before = last + 1  # what is stored beyond it is still to be delivered
            if after is not None:
                found = self._read(
                    store.messages, chat.key, after=after, before=before, limit=MISSED + 1,
                    newest=False,
                )  # fmt: skip
            if after is None or found is None or len(found) > MISSED:
                found = self._read(store.messages, chat.key, before=before, limit=LATEST)
        if found is None:  # nobody waits for it any more
            return
        begin = found[0].seq if found else last + 1
        complete = begin <= (after or 0) + 1
        self._seen[f"{chat.key:x}"] = found[-1].seq if found else last
        self._send_history(chat, found, complete, found[-1].seq if found else last)

    def _send_history(
        self,
        chat: Chat,
        found: list[Message],
        complete: bool,
        last: int,
        reply_id: str | None = None,
    ) -> None:
        frame = frames.MessageHistory(
            id=codec.new_id(),
            to=self._uuid,
            conversation=f"{chat.key:x}",
            payload=frames.HistoryPayload(
                conversation=f"{chat.key:x}",
                messages=[self._item(chat, one) for one in found],
                complete=complete,
                state="open" if chat.ended is None else "ended",
                last_seq=last,
            ),
        )
        if reply_id is not None:
            frame.reply_id = reply_id
        self._connection.put(sealed(frame))

    def _item(self, chat: Chat, one: Message) -> frames.Item:
        mine = one.side == SIDES[self._role]
        uuid = chat.user if one.side == SIDES[Role.USER] else chat.waiter or ""
        return frames.Item(
            seq=one.seq,
            type=KINDS[Kind(one.kind)],
            from_=self._uuid if mine else uuid,
            date=rfc3339(one.date),
            payload=frames.TextPayload(one.body),
            client_id=one.client_id if mine and one.client_id is not None else UNSET,
        )

    def _bring_other(self, conversation: str, after: int) -> None:
        """What is missed of a conversation that is over, or waits for a waiter."""
        me, store = self._participant, self._switchboard.store
        chat = None
        if store is not None and (key := _key(conversation)) is not None:
            chat = self._read(store.chat, key)
        if chat is None or not self._was_in(chat):
            what = f"payload.resume: {conversation} is no conversation of yours"
            self._object(ErrorCode.FORBIDDEN, what)
            return
        talk = me.talk if me is not None else None
        last = chat.last_seq
        if talk is not None and talk.record.key == chat.key:
            chat, last = talk.record, talk.last_seq  # the record's own is as old as the record
        if after > last:
            what = f"payload.resume: {conversation} ends at {last}"
            self._object(ErrorCode.INVALID_MESSAGE, what)
        self._bring(chat, last, min(after, last))

    def _was_in(self, chat: Chat) -> bool:
        me = self._participant
        subject = me.identity.subject if me is not None else None
        return subject == (chat.user_subject if self._role is Role.USER else chat.waiter_subject)

    # ---- refusing ------------------------------------------------------

    def _refuse(self, refusal: Refusal) -> None:
        code, message = refusal.code, refusal.message
        if self._participant is None and code is ErrorCode.UNKNOWN_TYPE:
            code, message = ErrorCode.UNAUTHENTICATED, "send auth first"
        self._house.meters.errors.add(code)
        frame = self.dialect.error(self._uuid, code, message)
        if refusal.reply_id is not None:
            frame.reply_id = refusal.reply_id
        self._send(frame)
        if code in MALFORMED:
            self._count_bad_frame()
        elif code in (ErrorCode.RATE_LIMITED, ErrorCode.UNAUTHENTICATED):
            self._lose_patience()

    def _count_bad_frame(self) -> None:
        most, now = self._house.settings.bad_frames, self._house.runtime.now()
        if self._bad is None:
            self._bad = deque(maxlen=most)
        self._bad.append(now)
        if len(self._bad) == most and now - self._bad[0] <= BAD_FRAMES_WINDOW:
            raise Farewell(CloseCode.BAD_FRAMES, "too many frames that cannot be read")

    def _lose_patience(self) -> None:
        if self._patience is None:
            self._patience = TokenBucket(FORGIVENESS, PATIENCE, self._house.runtime.now)
        if not self._patience.take():
            raise Farewell(CloseCode.RATE, "sending too fast")

    def _too_fast(self, frame: frames.ClientFrame) -> Refusal:
        rate = self._house.settings.message_rate
        return Refusal(ErrorCode.RATE_LIMITED, f"at most {rate:g} frames a second", frame.reply_id)

    def _too_late(self) -> None:
        if self._participant is None:
            self._connection.close(CloseCode.TIMEOUT, "no auth in time")

    # ---- what the switchboard needs ------------------------------------

    def welcome(self, participant: Participant, arrival: Arrival) -> None:
        """This socket belongs to *participant*; a standing one is told its UUID and its chats."""
        self._participant = participant
        self._decoder = _DECODERS[self._role, self.dialect.version]
        self._timer.cancel()
        if arrival.uuid != self._uuid:
            self._uuid = arrival.uuid
            self._send(frames.Initialize(id=codec.new_id(), to=self._uuid))
        if self.dialect.version > 1:
            self._tell_self(participant.identity)
        lines = list(participant.lines.values())
        if participant.line is not None and self.dialect.version > 1:
            lines.append(participant.line)
        for line in lines:
            frame = self._switchboard.introduce(participant, line, True, self.dialect)
            self.meet(line, frame)
        here = {line.talk.id for line in lines}
        for conversation in [one for one in self._resume if one not in here]:
            after = self._resume.pop(conversation)
            self._in_turn(partial(self._bring_other, conversation, after))

    def _tell_self(self, identity: Identity) -> None:
        payload = frames.SelfPayload(
            self._uuid, identity.subject, identity.name, "", self._role.value
        )
        frame = frames.AuthSuccess(id=codec.new_id(), to=self._uuid, payload=payload)
        if self._asking is not None and self._asking.reply_id is not None:
            frame.reply_id = self._asking.reply_id
        self._asking = None
        self._send(frame)

    def take_question(self) -> frames.ClientFrame | None:
        """The frame that waits for its answer, once."""
        asking, self._asking = self._asking, None
        return asking

    def _send(self, frame: frames.ServerFrame) -> None:
        self.put(sealed(frame))

    # ---- handlers ------------------------------------------------------

    def authenticate(self, frame: frames.Auth, me: None) -> None:
        """Take the token; the third bad one ends the connection."""
        try:
            identity, self.signed = self._identify(frame)
        except TokenError as error:
            self._failed_auths += 1
            refusal = Refusal(error.code, error.message, frame.reply_id)
            if self._failed_auths < FAILED_AUTHS:
                raise refusal from None
            self._refuse(refusal)
            wrong_role = error.code is ErrorCode.FORBIDDEN
            code = CloseCode.WRONG_ROLE if wrong_role else CloseCode.UNAUTHENTICATED
            raise Farewell(code, "no valid token") from None
        self._identity = identity
        self.dialect = DIALECTS[frame.payload.version]
        if self.dialect.version > 1:
            self._asking = frame
            self._resume = dict(frame.payload.resume or {})
        for older in self._switchboard.enter(self._role, identity, self._uuid, self):
            older.replace()

    def _identify(self, frame: frames.Auth) -> tuple[Identity, int]:
        """Who bears the token of *frame*, and when it was signed (ms). Raises `TokenError`."""
        shown = self._house.tokens.inspect(frame.payload.token, TokenRole(self._role))
        if self._house.revocations.is_revoked(shown.identity, shown.signed):
            what = "payload.token: this login was signed out"
            raise TokenError(ErrorCode.INVALID_TOKEN, what)
        return shown.identity, shown.signed

    @property
    def identity(self) -> Identity | None:
        """Who has shown a token here."""
        return self._identity

    def replace(self) -> None:
        """A newer login takes this one's place."""
        kickout = self.dialect.kickout(self._uuid)
        if kickout is not None:
            self._send(kickout)
        self._connection.close(CloseCode.REPLACED, "replaced by a newer login")

    def confirm(self, frame: frames.Auth, me: Participant) -> None:
        """`auth` once more: harmless for the same subject, refused for another."""
        try:
            identity, _ = self._identify(frame)
        except TokenError as error:
            raise Refusal(error.code, error.message, frame.reply_id) from None
        if identity.subject != me.identity.subject:
            raise Refusal(
                ErrorCode.FORBIDDEN, "this connection belongs to somebody else", frame.reply_id
            )

    def connect(self, frame: frames.Connect | frames.Connect2, me: Participant) -> None:
        """A user asks for a waiter."""
        switchboard = self._switchboard
        ticket = None
        if isinstance(frame, frames.Connect2) and frame.payload is not None:
            asked = frame.payload
            me.page = asked.department, asked.page
            if isinstance(asked.ticket, str):
                ticket = self._house.tokens.read_ticket(asked.ticket, me.identity.subject)
        self._asking = frame
        try:
            switchboard.desk.connect(self._uuid, ticket)
        except QueueFull:
            self._asking = None
            raise Refusal(
                ErrorCode.QUEUE_FULL, "too many visitors are waiting; try later", frame.reply_id
            ) from None
        switchboard.carry_out()
        if self.take_question() is not None:  # nothing was decided: it stands as it stood
            self._tell_state(frame, me)

    def _tell_state(self, frame: frames.ClientFrame, me: Participant) -> None:
        switchboard, line = self._switchboard, me.line
        if line is not None:
            answer = switchboard.introduce(me, line, True, self.dialect)
            answer.reply_id = frame.id
            self.meet(line, answer)
        else:
            location = switchboard.desk.location(self._uuid)
            answer = switchboard.place(me, location, self.dialect)
            answer.reply_id = frame.id
            self._send(answer)

    def ready(self, frame: frames.Ready | frames.Ready2, me: Participant) -> None:
        """A waiter takes users from now on; twice is harmless."""
        switchboard = self._switchboard
        asked = frame.payload.capacity if isinstance(frame.payload, frames.DutyPayload) else UNSET
        me.phase = Phase.ON_DUTY
        switchboard.desk.ready(self._uuid, asked if isinstance(asked, int) else None)
        capacity = switchboard.desk.capacity(self._uuid)
        switchboard.keep_duty(me, ready=True, capacity=capacity)
        if isinstance(frame, frames.Ready2):
            payload = frames.CapacityPayload(capacity)
            answer = frames.ReadySuccess(id=codec.new_id(), to=self._uuid, payload=payload)
            answer.reply_id = frame.id
            self._send(answer)
        switchboard.carry_out()

    def unready(self, frame: frames.Unready, me: Participant) -> None:
        """A waiter keeps its users and gets no more."""
        desk = self._switchboard.desk
        me.phase = Phase.OFF_DUTY
        desk.unready(self._uuid)
        capacity = desk.capacity(self._uuid)
        self._switchboard.keep_duty(me, ready=False, capacity=capacity)
        payload = frames.CapacityPayload(capacity)
        answer = frames.UnreadySuccess(id=codec.new_id(), to=self._uuid, payload=payload)
        answer.reply_id = frame.id
        self._send(answer)

    def _line(self, frame: frames.ClientFrame, me: Participant) -> Line:
        """Whom a frame is for. Raises `Refusal`."""
        if self._role is Role.USER:
            if me.line is None:
                raise self._not_connected(frame)
            return me.line
        line = me.lines.get(frame.to or "")
        if line is None:
            raise self._no_such_user(frame)
        return line

    def typing(self, frame: frames.Typing, me: Participant) -> None:
        """One side types, or has stopped: passed on, never stored."""
        line, on = self._line(frame, me), frame.payload.on
        self._switchboard.pass_on(
            line, lambda dialect, to, who: dialect.typing(to, who, line.talk.id, on)
        )

    def read(self, frame: frames.Read, me: Participant) -> None:
        """One side has read so far: passed on and stored."""
        line, seq = self._line(frame, me), frame.payload.seq
        self._switchboard.read_by(line, seq)
        self._switchboard.pass_on(
            line, lambda dialect, to, who: dialect.read(to, who, line.talk.id, seq)
        )

    def get_history(self, frame: frames.GetHistory, me: Participant) -> None:
        """Older or newer messages of a conversation of one's own."""
        asked = frame.payload or frames.PagePayload()
        store = self._keeping(frame)
        if isinstance(asked.conversation, str):
            key = _key(asked.conversation)
        else:
            line = me.line or (next(iter(me.lines.values())) if len(me.lines) == 1 else None)
            talk = me.talk or (line.talk if line is not None else None)
            key = talk.record.key if talk is not None else None
            if key is None:
                what = "payload.conversation: is required"
                raise Refusal(ErrorCode.INVALID_MESSAGE, what, frame.reply_id)
        chat = None if key is None else self._ask(frame, store.chat, key)
        if chat is None or not self._was_in(chat):
            what = "payload.conversation: no such conversation of yours"
            raise Refusal(ErrorCode.FORBIDDEN, what, frame.reply_id)
        before = asked.before if isinstance(asked.before, int) else None
        after = asked.after if isinstance(asked.after, int) else 0
        forward = isinstance(asked.after, int) and before is None
        found = self._ask(
            frame, store.messages, chat.key, after=after, before=before, limit=asked.limit + 1,
            newest=not forward,
        )  # fmt: skip
        complete = len(found) <= asked.limit
        found = found[: asked.limit] if forward else found[-asked.limit :]
        self._do(partial(self._send_history, chat, found, complete, chat.last_seq, frame.reply_id))

    def get_history_session(self, frame: frames.GetHistorySession, me: Participant) -> None:
        """The conversations that this waiter has had, newest first."""
        asked = frame.payload or frames.SessionsPayload()
        store = self._keeping(frame)
        before = _key(asked.before) if isinstance(asked.before, str) else None
        found = self._ask(
            frame, store.chats_of, SIDES[self._role], me.identity.subject, before=before,
            limit=asked.limit + 1,
        )  # fmt: skip
        sessions = [
            frames.SessionItem(
                conversation=f"{one.key:x}",
                name=one.user_name,
                sub=one.user_subject,
                state="open" if one.ended is None else "ended",
                opened=rfc3339(one.opened),
                last_seq=one.last_seq,
                read=one.waiter_read,
                ended=UNSET if one.ended is None else rfc3339(one.ended),
                page=one.page,
            )
            for one in found[: asked.limit]
        ]
        answer = frames.SessionHistory(
            id=codec.new_id(),
            to=self._uuid,
            payload=frames.SessionsFound(sessions, len(found) <= asked.limit),
        )
        answer.reply_id = frame.id
        self._send(answer)

    def _keeping(self, frame: frames.ClientFrame) -> Store:
        store = self._switchboard.store
        if store is None:
            what = "this server keeps no history"
            raise Refusal(ErrorCode.UNAVAILABLE, what, frame.reply_id)
        return store

    def _ask(
        self, frame: frames.ClientFrame, function: Callable[..., Any], *args: Any, **options: Any
    ) -> Any:
        """Ask the store once. Raises `Refusal`."""
        try:
            return self._house.runtime.blocking(partial(function, *args, **options))
        except StoreError:
            what = "the history cannot be read at the moment; try again"
            raise Refusal(ErrorCode.UNAVAILABLE, what, frame.reply_id) from None

    def say_to_waiter(self, frame: frames.MessageText, me: Participant) -> None:
        """A user's text goes to its waiter."""
        self._say_alone(frame, self._line(frame, me))

    def say_to_user(self, frame: frames.MessageText, me: Participant) -> None:
        """A waiter's text goes to the user named in `to`."""
        self._say_alone(frame, self._line(frame, me))

    def _say_alone(self, frame: frames.MessageText, line: Line) -> None:
        """A text that the fast lane has left; mostly because it must be refused."""
        message = frame.payload.message
        if len(message) > self._max_text or "\0" in message:
            raise self._unfit(frame)
        if self._relay(line, [message], [frame.reply_id]):
            return
        if line.to.sockets or self._switchboard.writer is not None:
            raise self._not_stored(frame.reply_id)
        raise Refusal(
            ErrorCode.UNAVAILABLE,
            "the other side is away and no more can be kept for it; try again later",
            frame.reply_id,
        )

    def _unfit(self, frame: frames.MessageText) -> Refusal:
        """Why a text may not be relayed."""
        if "\0" in frame.payload.message:  # some stores cannot keep it
            code, what = ErrorCode.INVALID_MESSAGE, "NUL is not allowed"
        else:
            code, what = ErrorCode.TOO_LARGE, f"at most {self._max_text} characters"
        return Refusal(code, f"payload.message: {what}", frame.reply_id)

    def refuse_unconnected(self, frame: frames.MessageText, me: Participant) -> None:
        """A text of a user who has no waiter."""
        raise self._not_connected(frame)

    def leave_chat(self, frame: frames.Disconnect, me: Participant) -> None:
        """A user ends its chat, or leaves the line; it may `connect` again."""
        switchboard = self._switchboard
        self._asking = frame
        if me.line is None and switchboard.desk.withdraw(self._uuid):
            me.phase = Phase.IDLE
        switchboard.carry_out()
        line = me.line  # or another thread has matched it just now
        if line is not None:
            switchboard.desk.part(self._uuid, line.to.uuid, self._uuid)
            switchboard.carry_out()
        self._asking = None

    def end_chat(self, frame: frames.Disconnect, me: Participant) -> None:
        """A waiter ends the chat with one user, who is not queued again."""
        switchboard = self._switchboard
        named = frame.payload.uuid if frame.payload is not None else UNSET
        user = named if isinstance(named, str) else frame.to
        if user is None:
            raise Refusal(ErrorCode.INVALID_MESSAGE, "payload.uuid: is required", frame.reply_id)
        self._asking = frame
        parted = switchboard.desk.part(user, self._uuid, self._uuid)
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


def _key(conversation: str) -> int | None:
    """The number behind a conversation's public name."""
    try:
        key = int(conversation, 16)
    except ValueError:
        return None
    return key if 0 < key < 1 << 63 else None


Handler = Callable[[Session, Any, Any], None]

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
    frames.MessageText: Session.say_to_user,
    frames.Disconnect: Session.end_chat,
    frames.Typing: Session.typing,
    frames.Read: Session.read,
    frames.GetHistory: Session.get_history,
    frames.GetHistorySession: Session.get_history_session,
}

#: what each phase does with each frame type; nothing else is ever done
TABLE: Mapping[Phase, Mapping[type, Handler]] = {
    Phase.GREETED: {frames.Auth: Session.authenticate},
    Phase.IDLE: {**_EVERY_USER, frames.MessageText: Session.refuse_unconnected},
    Phase.QUEUED: {**_EVERY_USER, frames.MessageText: Session.refuse_unconnected},
    Phase.SERVED: {**_EVERY_USER, frames.MessageText: Session.say_to_waiter},
    Phase.OFF_DUTY: _EVERY_WAITER,
    Phase.ON_DUTY: _EVERY_WAITER,
}
