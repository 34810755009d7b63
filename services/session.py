"""One connection: what comes from it, in which phase, goes to which handler.

Rules of this file:

1. `TABLE` is the protocol. A type that nobody may send is answered with
   `unknown_type`; before `auth`, everything else is, with `unauthenticated`.
2. What the connection is sent is its feed's business (`feeds/`), which is chosen at
   `auth`. The session has the connection, the table, the admission and the refusals.
3. What a handler refuses it raises as `Refusal` (an `error` frame) or `Farewell` (a
   close). A bug in a handler ends this connection with 1011 and nobody else's.
"""

from __future__ import annotations

import logging
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from functools import reduce
from operator import or_
from typing import Any

from msgspec import UnsetType
from simple_websocket import ConnectionClosed

from .admission import Admission
from .channels import Channel
from .conversation.kinds import CHOICE, KIND_OF, RATING, TEXT, Kind, Side, Track, requests
from .desk.port import Absence, DeskUnavailable, Role
from .errors import Unavailable
from .feeds.base import BaseFeed
from .feeds.choose import choose_feed
from .handlers import (
    choices,
    conversations,
    explaining,
    files,
    left_messages,
    ratings,
    transfers,
    users,
    waiters,
)
from .history.tags import canonical_tag
from .house import House
from .identity import Identity, TokenError
from .limits import TokenBucket
from .participants import Participant, Phase
from .transport.connection import Connection
from .wire import codec, frames
from .wire.codes import DELIBERATE, MALFORMED, RECONNECT, CloseCode, ErrorCode, Farewell, Refusal

log = logging.getLogger("csapp.sockets")

BAD_FRAMES_WINDOW = 60.0  # s

#: refused frames of an eager client before it is closed (4429), and how fast they are forgotten
PATIENCE = 100
FORGIVENESS = 1.0  # a second

_AUTH = codec.Decoder(frames.Auth)
_DECODERS = {
    (Role.USER, 1): codec.Decoder(frames.FromUser),
    (Role.WAITER, 1): codec.Decoder(frames.FromWaiter),
    (Role.USER, 2): codec.Decoder(
        reduce(or_, requests(Side.USER), frames.FromUser2), wider=[frames.ChosenText]
    ),
    (Role.WAITER, 2): codec.Decoder(reduce(or_, requests(Side.WAITER), frames.FromWaiter2)),
}

#: entries of one connection that may be on their way to the store; then it is not read for a while
IN_FLIGHT = 512

#: codes of connections that end through nothing that their clients have done
OUR_FAULT = (CloseCode.RESTART, CloseCode.FULL, CloseCode.INTERNAL_ERROR, CloseCode.REPLACED)

#: s that a connection's end waits for what was written on it to be stored
LAST_WORDS = 10.0


class Session:
    """Runs one connection to the address of *role* until it ends."""

    __slots__ = (
        "_bad",
        "_bucket",
        "_decoder",
        "_max_text",
        "_patience",
        "_switchboard",
        "connection",
        "feed",
        "house",
        "participant",
        "relayed",
    )

    def __init__(self, connection: Connection, role: Role, house: House) -> None:
        self.connection = connection
        self.house = house
        #: None before `auth`
        self.participant: Participant | None = None
        #: what the connection is sent; another one from `auth` on
        self.feed: BaseFeed = choose_feed(
            connection, house, Admission(connection, role, house), str(uuid.uuid4())
        )
        self._switchboard = house.switchboard
        self._decoder = _AUTH
        self._patience: TokenBucket | None = None
        self._bad: deque[float] | None = None  # when the latest malformed frames came
        settings = house.settings
        self._max_text = settings.max_text
        self._bucket = (
            TokenBucket(settings.message_rate, settings.message_burst, house.runtime.now)
            if settings.message_rate
            else None
        )
        #: texts passed on to the other side
        self.relayed = 0

    # ---- running -------------------------------------------------------

    def run(self) -> None:
        """Serve until the connection ends; then leave the desk."""
        self._initialize()
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
            self._leave()

    def _initialize(self) -> None:
        self.feed.send(frames.Initialize(id=codec.new_id(), to=self.feed.uuid))

    def _leave(self) -> None:
        feed, connection = self.feed, self.connection
        feed.admission.close()
        feed.settle(LAST_WORDS)
        me = feed.participant
        if me is not None:
            deliberate = connection.ended_by == "client" and connection.code in DELIBERATE
            may_sleep = self._may_sleep(me)
            self._switchboard.exit(
                me, feed, deliberate=deliberate, absence=self._absence(me), may_sleep=may_sleep
            )
        connection.watch = None  # a cycle: neither would be freed
        feed.admission.count_out()

    def _absence(self, me: Participant) -> Absence:
        """How its participant is away: for how long it is to be waited for follows from that."""
        connection = self.connection
        if me.role is Role.WAITER or (
            connection.ended_by == "server" and connection.code in OUR_FAULT
        ):
            return Absence.FULL
        if me.has_written:
            return Absence.SPOKEN
        return Absence.ANONYMOUS if me.identity.is_anonymous else Absence.SILENT

    def _may_sleep(self, me: Participant) -> bool:
        """Its participant is a visitor of version 2 who comes back, maybe in minutes.

        That is one who has written something, or whom the host knows. After some closes by the
        server no client comes back.
        """
        if me.role is Role.WAITER or self.feed.dialect.version == 1:
            return False
        connection = self.connection
        if connection.ended_by == "server" and connection.code not in RECONNECT:
            return False
        return me.has_written or not me.identity.is_anonymous

    def _serve(self) -> None:
        self.connection.take_in_passing(self._take)
        while True:
            self._serve_batch(self.connection.receive_batch())
            if self.feed.in_flight > IN_FLIGHT:
                self.feed.settle()

    def _serve_batch(self, batch: list[bytes]) -> None:
        me = self.participant
        if me is None:
            for data in batch:  # one by one: a good `auth` changes what is understood after it
                self._handle(self._decoder.decode_batch([data]))
        elif rest := self._relay_texts(self._decoder.decode_batch(batch), me):
            self._handle(rest)

    def _take(self, batch: list[bytes]) -> list[bytes]:
        """Relay the plain texts that *batch* begins with, on the loop; returns what is left."""
        me = self.participant
        if me is None or self.feed.in_flight > IN_FLIGHT:
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
                if self.feed.in_flight and type(frame) is not frames.MessageText:
                    self.feed.settle()  # what was said before comes before
                me = self.participant
                phase = Phase.GREETED if me is None else me.phase
                TABLE[phase][type(frame)](self, frame, me)
            except Refusal as refusal:
                self._refuse(refusal)
            except Unavailable as error:  # the desk or the store, whichever the frame needs
                self.feed.pending = None  # what is decided after all answers nothing any more
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
            if channel is None or (self._bucket is not None and not self._bucket.take()):
                return batch
            return [] if self.relay(channel, [message], [frame.reply_id]) else batch
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
        return self.relay(channel, run, ids)

    def relay(
        self, channel: Channel, texts: list[str], ids: list[str | None],
        kind: Kind = TEXT, data: str | None = None,
    ) -> bool:  # fmt: skip
        """Have entries delivered on *channel*. False, for all: not possible now."""
        switchboard = self._switchboard
        if switchboard.writer is None and channel.sender.plain and channel.to.plain:
            if not switchboard.relay(channel, texts):
                return False
        elif not self.feed.write(channel, texts, ids, kind, data):
            return False
        self.relayed += len(texts)
        channel.sender.has_written = True
        if channel.is_unanswered:
            switchboard.answered(channel)
        return True

    # ---- admission -----------------------------------------------------

    def authenticate(self, frame: frames.Auth, me: None) -> None:
        """Take the token; the third bad one ends the connection."""
        with self.feed.admission.looking():
            self._authenticate(frame)

    def _authenticate(self, frame: frames.Auth) -> None:
        admission = self.feed.admission
        self.feed = feed = choose_feed(
            self.connection, self.house, admission, self.feed.uuid, frame
        )
        try:
            identity = admission.admit(frame)
        except TokenError as error:
            refusal = Refusal(error.code, error.message, frame.reply_id)
            farewell = admission.farewell(error)
            if farewell is None:
                raise refusal from None
            self._refuse(refusal)
            raise farewell from None
        try:
            replaced = self._switchboard.enter(
                admission.role, identity, feed.uuid, feed, self.connection.address
            )
        except DeskUnavailable:
            raise Farewell(CloseCode.FULL, "nobody can be found at the moment") from None
        me = feed.participant
        if me is not None and me.role is Role.USER:
            self._recognize(me, frame.payload.locale)
        self._decoder = _DECODERS[admission.role, feed.dialect.version]
        self.participant = feed.participant
        for older in replaced:
            older.replace()
        admission.await_end()

    def _recognize(self, me: Participant, locale: str | UnsetType) -> None:
        """Note of *me*, a user, who served it last, and its language until it asks for a waiter."""
        if me.phase is Phase.IDLE:
            found = self.house.last_waiters.find(me.identity.subject)
            me.last_waiter = found or me.last_waiter
            said = canonical_tag(locale) if isinstance(locale, str) else self.connection.language
            me.language = said or me.language

    def confirm(self, frame: frames.Auth, me: Participant) -> None:
        """`auth` once more: the connection lives as long as this token, of the same subject.

        Nothing else changes. Version 2 is answered; another subject or role is refused.
        """
        renewed = self.feed.admission.renew(frame, me.identity.subject)
        if renewed is not None:
            me.identity = renewed
        self.feed.answer_auth(me.identity, frame)

    @property
    def identity(self) -> Identity | None:
        """Who has shown a token here."""
        return self.feed.admission.identity

    @property
    def signed(self) -> int:
        """When that token was signed, in ms since 1970."""
        return self.feed.admission.signed

    @property
    def held(self) -> int:
        """Bytes that wait for this connection while something is looked up, about."""
        return self.feed.held

    # ---- refusing ------------------------------------------------------

    def _refuse(self, refusal: Refusal) -> None:
        code, message = refusal.code, refusal.message
        if self.participant is None and code is ErrorCode.UNKNOWN_TYPE:
            code, message = ErrorCode.UNAUTHENTICATED, "send auth first"
        self.feed.send(self.feed.error(code, message, refusal.reply_id, refusal.details))
        if code in MALFORMED and refusal.is_bad:
            self._count_bad_frame()
        elif code in (ErrorCode.RATE_LIMITED, ErrorCode.UNAUTHENTICATED) or not refusal.is_bad:
            self._lose_patience()

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


Handler = Callable[[Session, Any, Any], None]


def _writes(frame: type[frames.ClientFrame]) -> Handler:
    """The handler of *frame*, with which a client writes an entry."""
    kind = KIND_OF[frame]
    if kind.has_link:
        return files.write
    if kind is CHOICE:
        return choices.offer
    if kind is RATING:
        return ratings.rate
    return conversations.write_for_staff if kind.track is Track.STAFF else conversations.write


def _writes_without_waiter(frame: type[frames.ClientFrame]) -> Handler:
    """The same, of a user that nobody serves."""
    return _writes(frame) if KIND_OF[frame].after_end else conversations.refuse_unconnected


_EVERY_USER: dict[type, Handler] = {
    frames.Auth: Session.confirm,
    frames.Connect: users.connect,
    frames.Connect2: users.connect,
    frames.Disconnect: users.leave,
    frames.Typing: conversations.typing,
    frames.Read: conversations.read,
    frames.GetHistory: conversations.get_history,
    frames.LeaveMessage: left_messages.leave,
}

_EVERY_WAITER: dict[type, Handler] = {
    frames.Auth: Session.confirm,
    frames.Ready: waiters.ready,
    frames.Ready2: waiters.ready,
    frames.Unready: waiters.unready,
    **{frame: _writes(frame) for frame in requests(Side.WAITER)},
    frames.Disconnect: waiters.end_conversation,
    frames.Typing: conversations.typing,
    frames.Read: conversations.read,
    frames.GetHistory: conversations.get_history,
    frames.GetHistorySession: conversations.get_history_session,
    frames.Alive: waiters.alive,
    frames.GetQueue: waiters.get_queue,
    frames.Take: waiters.take,
    frames.Explain: explaining.explain,
    frames.Transfer: transfers.transfer,
    frames.GetWaiters: transfers.get_waiters,
    frames.InviteToRate: ratings.invite,
    frames.GetInbox: left_messages.get_inbox,
    frames.ClaimMessage: left_messages.claim,
    frames.ReleaseMessage: left_messages.release,
    frames.PutAwayMessage: left_messages.put_away,
    frames.AnswerMessage: left_messages.answer,
}

_UNCONNECTED: dict[type, Handler] = {
    frames.ChosenText: conversations.refuse_unconnected,
    **{frame: _writes_without_waiter(frame) for frame in requests(Side.USER)},
}

#: what each phase does with each frame type; nothing else is ever done
TABLE: Mapping[Phase, Mapping[type, Handler]] = {
    Phase.GREETED: {frames.Auth: Session.authenticate},
    Phase.IDLE: {**_EVERY_USER, **_UNCONNECTED},
    Phase.QUEUED: {**_EVERY_USER, **_UNCONNECTED},
    Phase.SERVED: {
        **_EVERY_USER,
        **{frame: _writes(frame) for frame in requests(Side.USER)},
        frames.ChosenText: choices.choose,
    },
    Phase.OFF_DUTY: _EVERY_WAITER,
    Phase.ON_DUTY: _EVERY_WAITER,
}
