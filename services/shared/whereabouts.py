"""On which workers participants have connections, and whom this worker needs to know.

`Whereabouts` knows the participants with connections here, those with whom they have
conversations, and the other workers of both (`Participant.elsewhere`). Other participants are
forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..channels import Channel
from ..clock import Clock
from ..conversation.rows import ConversationRow
from ..conversation_rows import new_row
from ..desk.port import Arrival, Event, Known, Moved, Place, Role
from ..history.writer import Writer
from ..identity import Identity, TokenRole
from ..notices import send_introduction, send_presence
from ..participants import Participant, Phase
from ..roster import Roster
from .conversation import SharedConversation
from .handover import Handover, conversations_of_participant
from .letters import NewLogin, Reached
from .order import Order
from .outgoing import Outgoing

#: makes the channels of two participants: `Delivery.join`
Join = Callable[[Participant, Participant, SharedConversation], tuple[Channel, Channel]]


class Whereabouts:
    """What *worker* knows of where participants are."""

    def __init__(
        self, worker: str, roster: Roster, writer: Writer, order: Order, handover: Handover,
        outgoing: Outgoing, join: Join, clock: Clock,
    ) -> None:  # fmt: skip
        self._worker = worker
        self._roster = roster
        self._writer = writer
        self._order = order
        self._handover = handover
        self._outgoing = outgoing
        self._join = join
        self._clock = clock

    # ---- who is known here ---------------------------------------------

    def find(self, event: Event, uuid: str) -> Participant | None:
        """The participant *uuid*, whom *event* is about; None: this worker need not know it."""
        for known in event.people:
            if known.uuid == uuid:
                return self._know(known)
        return self._roster.participants.get(uuid)

    def _know(self, known: Known) -> Participant:
        """The participant that the desk describes, which may be new here."""
        participant = self._roster.participants.get(known.uuid)
        if participant is None:
            identity = Identity(
                known.subject, known.name, TokenRole(known.role), avatar=known.avatar
            )
            participant = Participant(known.uuid, known.role, identity)
            participant.here = self._worker in known.workers
            self._roster.participants[known.uuid] = participant
        participant.elsewhere = tuple(one for one in known.workers if one != self._worker)
        return participant

    def known_conversation(
        self, user: Participant, key: int, row: ConversationRow | None = None
    ) -> SharedConversation:
        """The conversation *key* of *user*, which may have gone on on other workers.

        *row*: what is known of it by now; the history has the rest.
        """
        conversation = self._order.conversations.get(key)
        if conversation is None:
            row = row or new_row(user, key, self._clock)
            conversation = self._order.conversations[key] = SharedConversation(row, behind=True)
        return conversation

    # ---- participants come, and move -----------------------------------

    def arrive(self, participant: Participant, identity: Identity, arrival: Arrival) -> None:
        """*participant* gets a connection here: take over what the desk knows of it.

        From now on this worker speaks for it.
        """
        if arrival.place is not None:
            self._take_place(participant, identity, arrival.place)
        participant.here = True
        participant.elsewhere = arrival.elsewhere
        if participant.role is Role.WAITER:
            participant.login = arrival.came

    def _take_place(self, me: Participant, identity: Identity, place: Place) -> None:
        """*me*, whose last connection was on another worker, has this *place* on the desk."""
        me.channel, me.channels, me.conversation = None, {}, None
        me.identity = identity
        for ongoing in place.conversations:
            other = self._know(ongoing.other)
            user, waiter = (me, other) if me.role is Role.USER else (other, me)
            is_new = me.uuid not in other.channels and other.channel is None
            user.conversation = conversation = self.known_conversation(user, ongoing.conversation)
            row = conversation.row
            row.waiter, row.waiter_subject = waiter.uuid, waiter.identity.subject
            to_waiter, to_user = self._join(user, waiter, conversation)
            self._writer.amend(row)  # the worker that had to write it may have been killed before
            if is_new:  # the two have not been introduced here yet
                send_introduction(
                    other, to_user if other is waiter else to_waiter, self._roster,
                    resumed=True, asked=False, parks=parks_for(other),
                )  # fmt: skip
        if me.role is Role.WAITER:
            me.phase = Phase.ON_DUTY if place.ready else Phase.OFF_DUTY
            return
        me.language = place.language or me.language
        if me.channel is None:
            me.conversation = (
                self.known_conversation(me, place.conversation) if place.begun else None
            )
            me.phase = Phase.IDLE if place.ticket is None else Phase.QUEUED
            if me.phase is Phase.QUEUED and not place.begun:
                me.visit = place.conversation

    def announce_login(self, waiter: Participant, workers: Iterable[str]) -> None:
        """Let *workers* know of the newest login of *waiter*, which is here."""
        if waiter.connections:
            login = NewLogin(waiter.uuid, waiter.identity.sid, waiter.login)
            self._outgoing.send(workers, login)

    def move(self, event: Moved) -> None:
        """Another worker has got the first connection of a participant, or lost the last one."""
        participant = self._roster.participants.get(event.participant)
        if participant is None:
            return
        before = set(participant.elsewhere)
        was_there = bool(participant.connections or before)
        self.find(event, event.participant)
        now = set(participant.elsewhere)
        is_there = bool(participant.connections or now)
        if was_there != is_there:
            send_presence(participant, "online" if is_there else "away")
        self._hand_over(participant, event, before, now)
        if participant.role is Role.WAITER:  # the letter about its login may have been lost
            self.announce_login(participant, now - before)
        for conversation in conversations_of_participant(participant):
            self._follow(participant, conversation, before, now)
        self.forget(participant)

    def _hand_over(
        self, participant: Participant, event: Moved, before: set[str], now: set[str]
    ) -> None:
        """Pass on what *participant* has missed, where a worker begins or ends to speak for it."""
        # The desk may not know yet that its last connection here has ended: that is another event.
        is_known_here = any(self._worker in one.workers for one in event.people)
        leaves = (
            bool(now) and participant.here and not participant.connections and not is_known_here
        )
        if participant.here:
            if leaves and now & before:
                self._handover.give(participant, now & before, event.number, leaves=True)
            if now - before:
                self._handover.give(participant, now - before)
        if leaves:
            participant.here = False
            self._handover.forget(participant.uuid)
        elif participant.here and before - now:
            self._handover.expect(participant.uuid, before - now, event.number)

    def _follow(
        self,
        participant: Participant,
        conversation: SharedConversation,
        before: set[str],
        now: set[str],
    ) -> None:
        """Let the workers where *participant* is now know how far *conversation* goes."""
        role = participant.role
        if not participant.here:
            conversation.sent.pop(role, None)
            if before and not now and not conversation.fresh:
                conversation.away[role] = conversation.last_seq
        away = conversation.away.pop(role, None) if now else None
        # letters went to the workers where it was, and may be missing where it is now
        reached = Reached(conversation.row.key, conversation.end, participant.uuid, away)
        self._outgoing.send(now - before, reached)
        if before - now:  # a worker that was killed has not sent all that it stored
            self._order.check(conversation)

    # ---- who is forgotten ----------------------------------------------

    def forget(self, participant: Participant) -> None:
        """Forget *participant*, unless it is here, or another side of its conversations is."""
        channels = participant.all_channels
        if participant.here:
            return
        if any(channel.to.here for channel in channels):
            for channel in channels:  # of a waiter: some users may be known for its sake only
                if not channel.to.here and not any(one.to.here for one in channel.to.all_channels):
                    self._drop(channel.to)
            return
        self._drop(participant)
        for channel in channels:
            self.forget(channel.to)

    def _drop(self, participant: Participant) -> None:
        self._roster.participants.pop(participant.uuid, None)
        self._handover.forget(participant.uuid)
        for conversation in conversations_of_participant(participant):
            self._order.conversations.pop(conversation.row.key, None)
        for channel in participant.all_channels:
            _cut(channel.to, participant)
        participant.channel, participant.channels, participant.conversation = None, {}, None

    def departed(self, participant: Participant) -> None:
        """*participant* has left the desk: forget those who were known for its sake only."""
        for channel in participant.all_channels:
            _cut(channel.to, participant)
            self.forget(channel.to)


def parks_for(participant: Participant) -> bool:
    """Whether it is absent on all workers, and had its last connection here."""
    return participant.here and participant.is_away


def _cut(participant: Participant, other: Participant) -> None:
    """*participant* has no channel to *other* any more."""
    participant.channels.pop(other.uuid, None)
    if participant.channel is not None and participant.channel.to is other:
        participant.channel = participant.conversation = None
        participant.phase = Phase.IDLE
