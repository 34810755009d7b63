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
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET
from simple_websocket import ConnectionClosed

from .desk.port import Arrival, QueueFull, Role
from .identity import Identity, TokenError, TokenRole, Tokens
from .limits import TokenBucket
from .metrics import Meters
from .runtime import Runtime
from .settings import Settings
from .switchboard import (
    Line,
    Participant,
    Phase,
    Switchboard,
    connect_queue,
    connect_success,
    new_connection,
    sealed,
)
from .timers import Wheel
from .transport.connection import Connection
from .wire import codec, frames
from .wire.codes import DELIBERATE, MALFORMED, CloseCode, ErrorCode, Farewell, Refusal

log = logging.getLogger("csapp.sockets")

FAILED_AUTHS = 3  # `protocol.md`, *Version 1*
BAD_FRAMES_WINDOW = 60.0  # s

#: refused frames of an eager client before it is closed (4429), and how fast they are forgotten
PATIENCE = 100
FORGIVENESS = 1.0  # a second

_AUTH = codec.Decoder(frames.Auth)
_DECODERS = {
    Role.USER: codec.Decoder(frames.FromUser),
    Role.WAITER: codec.Decoder(frames.FromWaiter),
}


@dataclass(frozen=True, slots=True)
class House:
    """What all sessions of a process share."""

    settings: Settings
    runtime: Runtime
    wheel: Wheel
    tokens: Tokens
    switchboard: Switchboard
    meters: Meters


class Session:
    """Runs one connection at the door of *role* until it ends."""

    __slots__ = (
        "_asking",
        "_bad",
        "_bucket",
        "_connection",
        "_decoder",
        "_failed_auths",
        "_house",
        "_max_text",
        "_participant",
        "_patience",
        "_role",
        "_switchboard",
        "_timer",
        "_uuid",
        "put",
        "relayed",
    )

    def __init__(self, connection: Connection, role: Role, house: House) -> None:
        self._connection = connection
        self._role = role
        self._house = house
        self._uuid = str(uuid.uuid4())
        self._participant: Participant | None = None
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

    def _handle(self, batch: list[Any]) -> None:
        """Each frame, or the `Refusal` in its place, by the table."""
        for frame in batch:
            try:
                if type(frame) is Refusal:
                    raise frame
                if self._bucket is not None and not self._bucket.take():
                    raise self._too_fast(frame)
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
        for frame in batch:
            if type(frame) is not frames.MessageText:
                break
            message = frame.payload.message
            if len(message) > most or "\0" in message:
                break
            if frame.to != to:  # from a waiter: for another of its users
                if run and not self._say(line, run):
                    return batch[done:]
                done += len(run)
                run = []
                to = frame.to
                line = me.line or me.lines.get(to or "")
            run.append(message)
        if run and self._say(line, run):
            done += len(run)
        return batch[done:]

    def _say(self, line: Line | None, run: list[str]) -> bool:
        """Relay all of *run*, or nothing."""
        if line is None or (self._bucket is not None and not self._bucket.take(len(run))):
            return False
        if not self._switchboard.relay(line, run):
            return False
        self.relayed += len(run)
        return True

    # ---- refusing ------------------------------------------------------

    def _refuse(self, refusal: Refusal) -> None:
        code, message = refusal.code, refusal.message
        if self._participant is None and code is ErrorCode.UNKNOWN_TYPE:
            code, message = ErrorCode.UNAUTHENTICATED, "send auth first"
        self._house.meters.errors.add(code)
        frame = frames.Error(id=codec.new_id(), to=self._uuid, payload=frames.TextPayload(message))
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
        """This socket belongs to *participant*; a standing one is told its UUID."""
        self._participant = participant
        self._decoder = _DECODERS[self._role]
        self._timer.cancel()
        if arrival.uuid != self._uuid:
            self._uuid = arrival.uuid
            self._send(frames.Initialize(id=codec.new_id(), to=self._uuid))
        for user in participant.lines:
            self._send(new_connection(self._uuid, user))

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
            identity = self._identify(frame)
        except TokenError as error:
            self._failed_auths += 1
            refusal = Refusal(error.code, error.message, frame.reply_id)
            if self._failed_auths < FAILED_AUTHS:
                raise refusal from None
            self._refuse(refusal)
            wrong_role = error.code is ErrorCode.FORBIDDEN
            code = CloseCode.WRONG_ROLE if wrong_role else CloseCode.UNAUTHENTICATED
            raise Farewell(code, "no valid token") from None
        for older in self._switchboard.enter(self._role, identity, self._uuid, self):
            older.replace()

    def _identify(self, frame: frames.Auth) -> Identity:
        return self._house.tokens.verify(frame.payload.token, TokenRole(self._role))

    def replace(self) -> None:
        """A newer login takes this one's place."""
        self._connection.close(CloseCode.REPLACED, "replaced by a newer login")

    def confirm(self, frame: frames.Auth, me: Participant) -> None:
        """`auth` once more: harmless for the same subject, refused for another."""
        try:
            identity = self._identify(frame)
        except TokenError as error:
            raise Refusal(error.code, error.message, frame.reply_id) from None
        if identity.subject != me.identity.subject:
            raise Refusal(
                ErrorCode.FORBIDDEN, "this connection belongs to somebody else", frame.reply_id
            )

    def connect(self, frame: frames.Connect, me: Participant) -> None:
        """A user asks for a waiter."""
        switchboard = self._switchboard
        self._asking = frame
        try:
            switchboard.desk.connect(self._uuid)
        except QueueFull:
            raise Refusal(
                ErrorCode.QUEUE_FULL, "too many visitors are waiting; try later", frame.reply_id
            ) from None
        switchboard.carry_out()
        if self.take_question() is not None:  # nothing was decided: it stands as it stood
            self._tell_state(frame, me)

    def _tell_state(self, frame: frames.ClientFrame, me: Participant) -> None:
        if me.line is not None:
            answer = connect_success(self._uuid, me.line.to.uuid)
        else:
            location = self._switchboard.desk.location(self._uuid)
            answer = connect_queue(self._uuid, location)
        answer.reply_id = frame.id
        self._send(answer)

    def ready(self, frame: frames.Ready, me: Participant) -> None:
        """A waiter takes users from now on; twice is harmless."""
        switchboard = self._switchboard
        me.phase = Phase.ON_DUTY
        switchboard.desk.ready(self._uuid)
        switchboard.carry_out()

    def say_to_waiter(self, frame: frames.MessageText, me: Participant) -> None:
        """A user's text goes to its waiter."""
        line = me.line
        if line is None:  # another thread has just parted them
            raise self._not_connected(frame)
        self._relay(frame, line)

    def say_to_user(self, frame: frames.MessageText, me: Participant) -> None:
        """A waiter's text goes to the user named in `to`."""
        line = me.lines.get(frame.to)  # type: ignore[arg-type]  # None is no key
        if line is None:
            raise self._no_such_user(frame)
        self._relay(frame, line)

    def _relay(self, frame: frames.MessageText, line: Line) -> None:
        message = frame.payload.message
        if len(message) > self._max_text or "\0" in message:
            raise self._unfit(frame)
        if not self._switchboard.relay(line, [message]):
            raise Refusal(
                ErrorCode.UNAVAILABLE,
                "the other side is away and no more can be kept for it; try again later",
                frame.reply_id,
            )
        self.relayed += 1

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
        if me.line is not None:
            switchboard.desk.part(self._uuid, me.line.to.uuid, self._uuid)
        elif switchboard.desk.withdraw(self._uuid):
            me.phase = Phase.IDLE
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


Handler = Callable[[Session, Any, Any], None]

#: what each phase does with each frame type; nothing else is ever done
TABLE: Mapping[Phase, Mapping[type, Handler]] = {
    Phase.GREETED: {
        frames.Auth: Session.authenticate,
    },
    Phase.IDLE: {
        frames.Auth: Session.confirm,
        frames.Connect: Session.connect,
        frames.MessageText: Session.refuse_unconnected,
        frames.Disconnect: Session.leave_chat,
    },
    Phase.QUEUED: {
        frames.Auth: Session.confirm,
        frames.Connect: Session.connect,
        frames.MessageText: Session.refuse_unconnected,
        frames.Disconnect: Session.leave_chat,
    },
    Phase.SERVED: {
        frames.Auth: Session.confirm,
        frames.Connect: Session.connect,
        frames.MessageText: Session.say_to_waiter,
        frames.Disconnect: Session.leave_chat,
    },
    Phase.OFF_DUTY: {
        frames.Auth: Session.confirm,
        frames.Ready: Session.ready,
        frames.MessageText: Session.say_to_user,
        frames.Disconnect: Session.end_chat,
    },
    Phase.ON_DUTY: {
        frames.Auth: Session.confirm,
        frames.Ready: Session.ready,
        frames.MessageText: Session.say_to_user,
        frames.Disconnect: Session.end_chat,
    },
}
