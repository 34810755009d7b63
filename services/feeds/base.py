"""What every feed does: it answers, counts what is under way, and remembers what may be lost.

A feed is all that one connection is sent. `choose.py` picks its class at `auth`: by the
version that the client speaks, and by whether this server has a history. What a class does
not override here, its clients are not sent.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import UnionType
from typing import Any, ClassVar

from msgspec import UnsetType

from ..admission import Admission
from ..channels import Channel, ChannelEntries, ParkedFrames, sealed
from ..conversation.conversation import Conversation
from ..conversation.kinds import Body, FilePayload, Kind
from ..conversation.offers import Offer
from ..conversation.rows import StaffRow
from ..desk.port import Arrival
from ..errors import Unavailable
from ..house import House
from ..identity import Identity
from ..participants import Feed, Owed, Participant, Question
from ..transport.connection import Connection
from ..unconfirmed import Unconfirmed
from ..wire import codec, frames
from ..wire.codes import CloseCode, ErrorCode, Refusal
from ..wire.dialect import NO_DETAILS, Dialect
from .turns import Turns


class BaseFeed(Turns):
    """The feed of *connection*, which *admission* lets in as the participant *uuid*.

    *auth*: the frame at which it is chosen; None before that.
    """

    __slots__ = (
        "_settled",
        "_unconfirmed",
        "admission",
        "in_flight",
        "participant",
        "pending",
        "uuid",
    )

    #: which version the connection speaks
    dialect: Dialect
    #: as `Feed` says
    alive_at: float | None = None
    #: the server has a history, from which a returning client of version 2 is sent what it missed
    has_history: ClassVar[bool] = True

    def __init__(
        self,
        connection: Connection,
        house: House,
        admission: Admission,
        uuid: str,
        auth: frames.Auth | None = None,
    ) -> None:
        super().__init__(connection, house)
        self.admission = admission
        self.uuid = uuid
        #: None until the desk knows it
        self.participant: Participant | None = None
        #: the request that still waits for an answer
        self.pending: frames.ClientFrame | None = None
        #: entries that were written on this connection and are on their way to the store
        self.in_flight = 0
        self._settled: threading.Event | None = None
        #: what may not have arrived, once there was anything
        self._unconfirmed: Unconfirmed | None = None

    # ---- answering -----------------------------------------------------

    def send(self, frame: frames.ServerFrame) -> None:
        """Queue *frame*."""
        self.put(sealed(frame))

    def reply(self, frame: frames.ClientFrame, answer: frames.ServerFrame) -> None:
        """Queue *answer*, the answer to *frame*."""
        answer.reply_id = frame.id
        self.send(answer)

    def error(
        self, code: ErrorCode, message: str, reply_id: str | None = None,
        details: Mapping[str, Any] = NO_DETAILS,
    ) -> frames.ServerFrame:  # fmt: skip
        """An `error` frame for this connection, counted."""
        self.house.meters.errors.add(code)
        frame = self.dialect.error(self.uuid, code, message, details)
        if reply_id is not None:
            frame.reply_id = reply_id
        return frame

    def pop_pending_request(
        self, kind: type[frames.ClientFrame] | UnionType, /
    ) -> frames.ClientFrame | None:
        """The frame of this *kind* that still waits for an answer, once; None: there is none."""
        pending = self.pending
        if not isinstance(pending, kind):
            return None
        self.pending = None
        return pending

    @contextmanager
    def awaiting_decision(self, frame: frames.ClientFrame) -> Iterator[None]:
        """*frame* asks the desk, and waits for what that decides.

        The desk may have decided though its answer to this call was lost. If that was heard of in
        another way and has answered *frame* already, it is not refused besides. Otherwise raises
        what the call has raised; what is decided is sent later, as no answer.
        """
        self.pending = frame
        try:
            yield
        except Unavailable:
            if self.pending is frame:
                raise

    # ---- coming and going ----------------------------------------------

    def welcome(self, participant: Participant, arrival: Arrival) -> None:
        """The connection belongs to *participant* now; a standing one is sent its UUID."""
        self.participant = participant
        participant.link = self.house.links.at(self.connection.site)
        self.admission.let_in()
        if arrival.uuid != self.uuid:
            self.uuid = arrival.uuid
            self.send(frames.Initialize(id=codec.new_id(), to=self.uuid))
        self._greet(participant)

    def _greet(self, participant: Participant) -> None:
        """Tell the client of the conversations in which it takes part."""
        raise NotImplementedError

    def answer_auth(self, identity: Identity, asked: frames.ClientFrame | None) -> None:
        """Answer *asked*, an `auth`: version 2 is."""

    def send_duty(self, ready: bool, asked: frames.ClientFrame | None = None) -> None:
        """Say to a waiter of version 2 whether it takes users."""

    def fail(self) -> None:
        """Something could not be delivered: close the connection, so that its client returns."""
        self.connection.close(CloseCode.INTERNAL_ERROR)

    def replace(self) -> None:
        """Close the connection: a newer login takes its place."""
        kickout = self.dialect.kickout(self.uuid)
        if kickout is not None:
            self.send(kickout)
        self.connection.close(CloseCode.REPLACED, "replaced by a newer login")

    def send_back(self) -> None:
        """Close the connection, so that its client returns: its participant counts as gone."""
        self.connection.close(CloseCode.RESTART, "come again")

    # ---- conversations -------------------------------------------------

    def open_conversation(self, channel: Channel, frame: frames.ServerFrame) -> None:
        """*frame* says who is at the other end of *channel*; what the client missed follows it."""
        raise NotImplementedError

    def close_conversation(
        self, conversation: Conversation | None, frame: frames.ServerFrame
    ) -> None:
        """*frame* says that the other side is gone; it follows all that was said before."""
        if conversation is None or not conversation.behind:
            self.send(frame)
        else:
            self.close_in_turn(conversation, sealed(frame))

    def deliver(self, entries: ChannelEntries) -> None:
        """Stored entries for the participant, or its own, written on another connection."""
        raise NotImplementedError

    def probe(self) -> None:
        """Ask nothing: version 1 has no word for it."""

    def deliver_late(self, entries: ChannelEntries) -> None:
        """Version 1 is told nothing of what colleagues write."""

    def deliver_parked(self, parked: ParkedFrames, data: bytes) -> None:
        """Queue *data*, the bytes of *parked* in its version; remember it until it has arrived."""
        self.doubt().add(parked)
        self.put(data)

    # ---- what is written here ------------------------------------------

    def write(
        self, channel: Channel, texts: list[str], ids: Sequence[str | None], kind: Kind,
        data: str | None,
    ) -> bool:  # fmt: skip
        """Have entries stored, and then call `acknowledge`. False, for all: not possible now."""
        raise NotImplementedError

    def acknowledge(self, entries: ChannelEntries) -> None:
        """Entries that were written on this connection are stored, or they will not be."""
        raise NotImplementedError

    def _landed(self, entries: ChannelEntries) -> None:
        """*entries* are on their way no more."""
        self.in_flight -= len(entries.texts) + len(entries.repeats)
        if not self.in_flight and self._settled is not None:
            self._settled.set()

    def settle(self, most: float | None = None) -> None:
        """Wait until all that was written here is stored or refused; *most* s at a time."""
        while self.in_flight:
            if self._settled is None:
                self._settled = threading.Event()
            self._settled.clear()
            if self.in_flight and not self._settled.wait(most):
                return

    def not_stored(self, reply_id: str | None) -> Refusal:
        """The store cannot be used."""
        what = "messages cannot be stored at the moment; try again"
        return Refusal(ErrorCode.UNAVAILABLE, what, reply_id)

    def _refuse_all(self, entries: ChannelEntries) -> None:
        refuse = _never_stored if entries.is_unfit else self.not_stored
        for client_id in entries.client_ids or (None,) * len(entries.texts):
            refusal = refuse(client_id)
            self.send(self.error(refusal.code, refusal.message, refusal.reply_id))

    def name_file(self, frame: frames.ClientFrame, channel: Channel) -> FilePayload:
        """The file of *frame*, which its sender has uploaded for *channel*. It stays from now on.

        Raises `Refusal`. Waits for the store.
        """
        raise no_such_file(frame)

    def offers(self, conversation: Conversation) -> list[Offer]:
        """The choices that were offered in *conversation*, of which version 2 takes one.

        May wait for the store, and raises `StoreError` then.
        """
        raise NotImplementedError

    def check_rating(self, frame: frames.ClientFrame, conversation: Conversation) -> None:
        """Raise `Refusal` where *conversation* is not rated any more. May wait for the store."""

    def record_offer(self, conversation: Conversation, offer: Offer) -> None:
        """*offer* is on its way in *conversation*: the history has it, or will."""

    # ---- histories -----------------------------------------------------

    def channel_after_end(self, frame: frames.ClientFrame, me: Participant, named: str) -> Channel:
        """The channel for an entry of *me* in *named*, a conversation that is over.

        Version 2 writes such entries. Raises `Refusal`. May wait for the store.
        """
        raise NotImplementedError

    def write_for_staff(
        self, frame: frames.ClientFrame, named: str | UnsetType, kind: Kind, body: Body,
        me: Participant,
    ) -> None:  # fmt: skip
        """Store an entry of *named* that only waiters read: version 2 knows some.

        Raises `Refusal`. Waits for the store.
        """

    def store_for_staff(
        self, frame: frames.ClientFrame, named: str | UnsetType, kind: Kind, body: Body,
        me: Participant,
    ) -> tuple[StaffRow, bool]:  # fmt: skip
        """The same, but nobody is shown it yet. True: it is new, not a repeat."""
        raise NotImplementedError

    def take_back_for_staff(self, entry: StaffRow) -> None:
        """Remove what `store_for_staff` has stored; later, while the store is down."""

    def get_history(self, frame: frames.GetHistory, me: Participant) -> None:
        """Answer with older or newer entries of a conversation: version 2 is."""

    def get_history_session(self, frame: frames.GetHistorySession, me: Participant) -> None:
        """Answer with past conversations: version 2 is."""

    # ---- what may not have arrived -------------------------------------

    def doubt(self) -> Unconfirmed:
        """Remember from now on what may not have arrived."""
        if self._unconfirmed is None:
            self._unconfirmed = Unconfirmed(self.connection, in_full=not self.has_history)
            if self.participant is not None:
                self.participant.doubtful = (*self.participant.doubtful, self)
        return self._unconfirmed

    def remember(self, data: bytes) -> None:
        """Remember framed bytes of version 1 until they have arrived."""
        self.doubt().add(data)

    def last_seen(self, conversation: int) -> int | None:
        """The last `seq` that the client says it has seen; None: it says nothing."""
        return None

    def unconfirmed(self) -> list[ParkedFrames]:
        """What the connection was given and may not have arrived."""
        return [] if self._unconfirmed is None else self._unconfirmed.all()

    def take_missed(self) -> list[Owed]:
        """The connection has ended: what it was given and has not arrived."""
        return [] if self._unconfirmed is None else self._unconfirmed.take()

    def ask(self) -> Question | None:
        """A newer connection of the participant asks what has not arrived on this one."""
        return None if self._unconfirmed is None else self._unconfirmed.ask(self.house.wheel)

    @property
    def is_lost(self) -> bool:
        """The connection was asked, and has not answered in time."""
        return self._unconfirmed is not None and self._unconfirmed.is_lost

    def await_answers(self, questions: Sequence[Question]) -> None:
        """In version 1: deliver what the answers to *questions* bring before all else."""

    def inherit(self, newer: Feed) -> None:
        """Hold what *newer*, whose connection has ended, has missed: no other is there."""
        self.doubt().inherit(newer.take_missed)

    def keep_questions(self, questions: Sequence[Question]) -> None:
        """A newer connection, which waited for *questions*, has ended; the next one asks them."""
        self.doubt().keep(questions)


def _never_stored(reply_id: str | None) -> Refusal:
    """The store takes no such entry, mostly because its conversation was erased meanwhile."""
    what = "this conversation is gone, or its history takes no such entry; do not try again"
    return Refusal(ErrorCode.FORBIDDEN, what, reply_id)


def no_such_file(frame: frames.ClientFrame) -> Refusal:
    """*frame* names a file that its sender may not send.

    One sentence for another's file and for none, so that nobody learns which it is.
    """
    what = "payload.file: no such file of yours in this conversation"
    return Refusal(ErrorCode.NO_SUCH_FILE, what, frame.reply_id, is_bad=False)
