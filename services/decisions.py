"""What each decision of the desk means for the participants on this worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .channels import Channel, sealed
from .clock import Clock
from .conversation.conversation import Conversation
from .conversation.kinds import EventPayload, What
from .conversation.rows import ConversationRow
from .conversation_rows import new_row, remove_waiter, set_end, set_waiter
from .delivery import Delivery
from .departments import Departments
from .desk.port import (
    Departed,
    Event,
    Figures,
    Matched,
    OnDuty,
    Parted,
    Queued,
    Reason,
    Role,
    Withdrawn,
)
from .entries_here import channel_to_nobody, nobody
from .history.port import Duty
from .notices import (
    ASKS_FOR_WAITER,
    parked_end,
    send_end,
    send_introduction,
    send_own_end,
    send_withdrawal,
)
from .participants import Feed, Participant, Phase, each
from .queue_words import QueueWords
from .site_words import Words
from .visits import Visits
from .waits import Waits
from .wire import frames
from .wire.dialect import Dialect, Position


class Decisions:
    """Carries decisions out: changes the participants, sends them frames, and stores the rest.

    *sign_ticket* signs the number of a user's position in the queue of a department, by which
    it comes back. *departments*: those of the site.
    """

    def __init__(
        self,
        delivery: Delivery,
        sign_ticket: Callable[[str, int, str], str],
        clock: Clock,
        departments: Departments,
    ) -> None:
        self._delivery = delivery
        self._roster = delivery.roster
        self._participants = delivery.roster.participants
        self._sign_ticket = sign_ticket
        self._clock = clock
        self._departments = departments
        #: what becomes of the users who ask
        self.visits = Visits(delivery.writer, clock)
        #: what the site says to those who wait
        self.queue_words = QueueWords(
            lambda: departments.words, departments.name, self._participants, clock
        )
        #: how long users in the queue are likely to wait
        self.waits = Waits()
        #: how busy the desk is, about a second ago
        self.figures = Figures(0, 0, 0, 0, 0.0)

    def carry_out(self, event: Event) -> None:
        """Carry *event* out, if it concerns this worker."""
        if self._delivery.prepare(event):
            _CARRY_OUT[type(event)](self, event)

    def _matched(self, event: Matched) -> None:
        user, waiter = self._participants[event.user], self._participants[event.waiter]
        self.queue_words.end(user.uuid)
        conversation = user.conversation
        resumed = conversation is not None
        if conversation is None:
            row = new_row(
                user, event.conversation, self._clock, page=event.page, fields=event.fields
            )
            conversation = user.conversation = self._delivery.new_conversation(
                user, row, has_begun=event.has_begun
            )
            conversation.row.waited = round(event.waited * 1000)
            user.visit = 0
            if not event.has_begun:
                self.visits.matched(event.conversation, waiter.identity.subject)
        lost, conversation.lost_waiter = conversation.lost_waiter, None
        # it has gone on before, and this process has not seen who was lost
        may_have_returned = lost is None and (resumed or conversation.behind)
        self._set_department(conversation.row, event.department)
        set_waiter(conversation.row, waiter)
        self._delivery.save(conversation.row, served=event.is_recorder)
        to_waiter, to_user = self._delivery.join(user, waiter, conversation)
        self._introduce(user, to_waiter, resumed=resumed, asked=True)
        self._introduce(waiter, to_user, resumed=resumed, asked=False)
        is_same = lost is not None and lost == waiter.identity.subject
        what = What.RETURNED if is_same else What.JOINED
        words = () if resumed or event.has_begun else self._words(event, waiter)
        self._write_event(event, to_user, what, words=words, may_have_returned=may_have_returned)

    def _words(self, event: Matched, waiter: Participant) -> Sequence[Words]:
        """What the site says by itself above a conversation, whose first waiter has come."""
        departments = self._departments
        if not departments.words:
            return ()
        of = event.department, event.language
        return departments.words.at_match(*of, waiter.identity.name, departments.name)

    def _set_department(self, row: ConversationRow, department: str) -> bool:
        """The user of *row* is served or waits in *department*; whether that is news.

        On a site without departments the row keeps what the user's page has called it.
        """
        is_news = row.department != department and bool(department or self._departments.are_there)
        if is_news:
            row.department = department
        return is_news

    def _introduce(self, me: Participant, channel: Channel, *, resumed: bool, asked: bool) -> None:
        parks = self._delivery.parks_for(me)
        send_introduction(me, channel, self._roster, resumed=resumed, asked=asked, parks=parks)

    def _queued(self, event: Queued) -> None:
        user = self._participants[event.user]
        user.phase = Phase.QUEUED
        row = user.conversation.row if user.conversation is not None else None
        if row is not None and self._set_department(row, event.department) and event.is_recorder:
            self._delivery.save(row)  # after a restart it waits there

        positions: dict[int, Position] = {}  # signed once for all connections of a version

        def send(connection: Feed) -> None:
            dialect = connection.dialect
            if dialect.version not in positions:
                positions[dialect.version] = self._position(user, event, dialect)
            frame = dialect.connect_queue(user.uuid, positions[dialect.version])
            question = connection.pop_pending_request(ASKS_FOR_WAITER)
            if question is not None:
                frame.reply_id = question.id
            connection.put(sealed(frame))

        each(user.connections, send)  # it is not parked: a position is worth nothing later
        self.queue_words.begin(user, event.department)

    def place(self, user: Participant, queued: Queued, dialect: Dialect) -> frames.ServerFrame:
        """How many are ahead of *user*, who is *queued* so, and the ticket of its position."""
        return dialect.connect_queue(user.uuid, self._position(user, queued, dialect))

    def _position(self, user: Participant, queued: Queued, dialect: Dialect) -> Position:
        signed, department = "", queued.department
        if dialect.version > 1:
            signed = self._sign_ticket(user.identity.subject, queued.ticket, department)
        wait = self.waits.estimate(department, queued.location, self.figures)
        return Position(queued.location, signed, wait, department)

    def _parted(self, event: Parted) -> None:
        user, waiter = self._participants[event.user], self._participants[event.waiter]
        conversation, reason = user.conversation, event.reason or ""
        user.channel, user.former = None, user.channel or user.former
        user.phase = Phase.IDLE
        to_user = waiter.channels.pop(user.uuid, None)
        if conversation is not None:
            remove_waiter(conversation.row, requeued=event.requeued)
            if not event.requeued:
                user.conversation, user.has_written = None, False
                self.end(conversation.row, reason)
            else:
                conversation.lost_waiter = waiter.identity.subject
                self._delivery.await_waiter(user, nobody(waiter.identity), to_user)
                if event.is_recorder:
                    self._delivery.save(conversation.row, served=True)
        if event.reason is Reason.TRANSFERRED:
            self._hand_over(event, user, waiter)
        else:
            left, gone = (waiter, user) if event.gone == user.uuid else (user, waiter)
            self._park_end(left, gone, conversation, reason)
            if event.reason is Reason.UNANSWERED:  # who is gone is still there
                self._park_end(gone, left, conversation, reason)
            send_end(left, gone, conversation, reason)
            if conversation is not None:
                what = What.LEFT if event.requeued else What.ENDED
                self._write_event(event, Channel(gone, left, conversation), what, reason)
        self._delivery.parted(user, waiter)

    def _park_end(
        self, one: Participant, other: Participant, conversation: Conversation | None, reason: str
    ) -> None:
        """Park for *one*, if it is away, that *conversation* with *other* is over."""
        if self._delivery.parks_for(one):
            self._roster.park(one, parked_end(one, other, conversation, reason))

    def _hand_over(self, event: Parted, user: Participant, waiter: Participant) -> None:
        """*waiter* is out of the conversation of *user*, who is matched or queued next.

        So *user* is sent nothing now; version 1 would take its conversation for ended.
        """
        conversation = user.conversation
        send_own_end(user, waiter, conversation, Reason.TRANSFERRED)
        if conversation is None:
            return
        channel = Channel(nobody(waiter.identity), user, conversation)
        self._write_event(event, channel, What.TRANSFERRED)

    def _write_event(
        self, event: Event, channel: Channel, what: What, reason: str = "", *,
        words: Sequence[Words] = (), may_have_returned: bool = False,
    ) -> None:  # fmt: skip
        """Write what has happened, by the sender of *channel*: both sides read it in version 2."""
        payload = EventPayload(what, channel.sender.identity.name, reason)
        self._delivery.write_event(
            event, channel, payload, words, may_have_returned=may_have_returned
        )

    def _departed(self, event: Departed) -> None:
        gone = self._participants.pop(event.participant)
        self.queue_words.end(gone.uuid)
        if gone.conversation is not None:
            channel = Channel(gone, gone, gone.conversation)
            self._write_event(event, channel, What.ENDED, event.reason)
            self.end(gone.conversation.row, event.reason)
            gone.conversation = None
        elif event.asked and not event.is_confided:
            self.visits.abandoned(event.asked)
        if gone.role is Role.WAITER and gone.phase is Phase.ON_DUTY:
            self.store_duty(gone, ready=False, capacity=None)
        self._delivery.departed(gone)

    def _withdrawn(self, event: Withdrawn) -> None:
        user = self._participants[event.user]
        user.phase = Phase.IDLE
        self.queue_words.end(user.uuid)
        conversation = user.conversation
        if conversation is None and event.conversation and not event.is_confided:
            self.visits.abandoned(event.conversation)
        if conversation is not None and conversation.row.key != event.conversation:
            conversation = None  # it goes on
        reason = "" if event.is_confided else Reason.LEFT
        send_withdrawal(user, conversation, reason)
        if conversation is not None:
            self._write_event(event, channel_to_nobody(user, conversation), What.ENDED, reason)
            user.conversation, user.has_written = None, False
            self.end(conversation.row, reason)

    def _on_duty(self, event: OnDuty) -> None:
        waiter = self._participants[event.waiter]
        waiter.phase = Phase.ON_DUTY if event.ready else Phase.OFF_DUTY
        if event.by_desk:
            if event.is_recorder:
                self.store_duty(waiter, ready=event.ready, capacity=event.capacity)
            each(waiter.connections, lambda connection: connection.send_duty(event.ready))

    # ---- what is stored ------------------------------------------------

    def end(self, row: ConversationRow, reason: str = "") -> None:
        """Store that this conversation has ended."""
        set_end(row, reason, self._clock)
        self._delivery.save(row)
        self.visits.ended(row)

    def store_duty(self, waiter: Participant, *, ready: bool, capacity: int | None) -> None:
        """Store whether *waiter* is ready: that outlives reloads and restarts."""
        if self._delivery.writer is not None:
            capacity = capacity or 0
            duty = Duty(waiter.identity.subject, waiter.uuid, ready, capacity)
            self._delivery.writer.save_duty(duty)


_CARRY_OUT: dict[type[Event], Callable[[Decisions, Any], None]] = {
    Matched: Decisions._matched,
    Queued: Decisions._queued,
    Parted: Decisions._parted,
    Departed: Decisions._departed,
    Withdrawn: Decisions._withdrawn,
    OnDuty: Decisions._on_duty,
}
