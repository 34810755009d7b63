"""Delivery of one worker among several: `delivery.py` says what it promises.

Rules of this file:

1. A letter is a hint, the history is the truth: `order.py` delivers by it.
2. Whoever stores an entry sends it to the other workers. What version 1 misses because it moves
   between them is found out by `handover.py`.
3. Of all workers that carry out a decision one records it (`is_recorder`). Each stores only what
   has changed: others write the row of the same conversation.
4. Nothing here waits for another worker.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ..channels import Channel, ChannelEntries, Ids
from ..clock import Clock
from ..conversation.conversation import Conversation
from ..conversation.kinds import TEXT, EventPayload, Kind, Side, What
from ..conversation.rows import ConversationRow, StaffRow
from ..conversation_rows import set_end
from ..desk.port import (
    Arrival,
    Departed,
    Event,
    Matched,
    Moved,
    OnDuty,
    Parted,
    Place,
    Role,
    Standing,
    Withdrawn,
)
from ..entries_here import channel_to_nobody, hand_out, new_entries
from ..errors import Unavailable
from ..event_entries import MOST_UNWRITTEN, EventEntries
from ..history.port import Store
from ..history.writer import RETRY, Writer
from ..identity import Identity
from ..participants import SIDES, Feed, Owed, Participant, Question, answer
from ..roster import Roster, await_waiter, join
from ..runtime import Runtime
from ..site_words import Words
from ..standings import standings, user_of
from .conversation import SharedConversation
from .ended import Ended
from .events import SharedEvents
from .figures import LatestFigures
from .handover import Handover, conversations_of_participant
from .letters import Passed, Post, Said
from .order import Order
from .outgoing import Outgoing
from .whereabouts import Whereabouts, parks_for


class SharedDelivery:
    """Delivery on *worker*, to those who have connections there and those they speak with."""

    def __init__(
        self,
        most_parked: int,
        store: Store,
        writer: Writer,
        figures: LatestFigures,
        *,
        worker: str,
        runtime: Runtime,
        clock: Clock | None = None,
        asks_for_answers: Callable[[], bool] = lambda: False,
        workers_of: Callable[[str], tuple[str, ...]] = lambda _: (),
    ) -> None:
        self.roster = Roster(most_parked)
        self.store = store
        self.writer = writer
        self._figures = figures
        self._runtime = runtime
        #: whether waiters have to write something in time
        self._asks_for_answers = asks_for_answers
        #: the workers that hold connections of a participant, as the desk knows them; it waits
        self._workers_of = workers_of
        self._clock = clock or Clock()
        self.outgoing = Outgoing(runtime)
        self.order = Order(store, runtime, self.deliver)
        self.handover = Handover(
            worker, self.order, runtime, self.outgoing.send, most_parked,
            self.roster.participants.__contains__,
        )  # fmt: skip
        self.whereabouts = Whereabouts(
            worker, self.roster, writer, self.order, self.handover, self.outgoing, self.join,
            self._clock,
        )  # fmt: skip
        entries = EventEntries(self._begin, self._on_committed)
        save_served = partial(self.save, served=True)
        self._events = SharedEvents(entries, save_served, figures, store, runtime)
        self._ended = Ended(self.order, self.roster, runtime)
        self._doubted = threading.Event()
        #: events to send to both sides, of whose workers this one is not told any more
        self._to_send: deque[tuple[SharedConversation, ChannelEntries]] = deque(
            maxlen=MOST_UNWRITTEN
        )
        self._is_sending = threading.Lock()

    def connect(self, post: Post) -> None:
        """From now on *post* carries letters."""
        self.outgoing.connect(post)

    def remembered(self) -> list[Standing]:
        """For a desk that knows nobody. Raises `StoreError`. Waits for the store."""
        rows = self._runtime.blocking(self.store.open_conversations)
        keys = [row.key for row in rows if row.waiter] if self._asks_for_answers() else []
        answered = self._runtime.blocking(self.store.answered, keys)
        found, over = standings(rows, self._runtime.blocking(self.store.duties), answered)
        for row in over:
            set_end(row, "", self._clock)
            self.save(row)
            self.write_end_at_start(user_of(row), SharedConversation(row, behind=False))
        return found

    # ---- entries -------------------------------------------------------

    def say(
        self, channel: Channel, connection: Feed, texts: list[str], ids: Ids,
        kind: Kind = TEXT, data: str | None = None,
    ) -> bool:  # fmt: skip
        """Store entries and then deliver them, here and on the workers of both sides."""
        if kind is not TEXT and not self._figures.can_read_entries:
            return False  # an earlier worker would take it for a text
        to = channel.to
        if to.version == 1 and to.parked_bytes > self.roster.most_parked and self.parks_for(to):
            return False
        return self._begin(
            new_entries(channel, connection, texts, ids, self._on_committed, kind, data)
        )

    def _begin(self, entries: Any) -> bool:
        """Hand *entries* to the writer. False: it takes none at the moment."""
        conversation = entries.conversation
        conversation.begin(entries)
        if self.writer.say(entries):
            return True
        del conversation.under_way[entries]
        return False

    def _on_committed(self, entries: Any) -> None:
        """*entries* are stored, or will not be. Called on the loop."""
        conversation = entries.conversation
        del conversation.under_way[entries]
        if not entries.stored:
            if entries.connection is not None:
                answer(entries.connection, entries)
            return
        if is_event := entries.side == Side.SERVER:
            self._turn_to_those_present(entries)
        if entries.texts:
            self._send_to_others(conversation, entries)
            if is_event and not self._speaks_for_a_side(entries.channel):
                self._send_later(conversation, entries)
        last = entries.seqs[-1] if entries.texts else entries.first - 1
        conversation.record_stored(last)
        known = self.order.conversations.get(conversation.row.key, conversation)
        if known is not conversation:  # both sides were forgotten meanwhile, and one is back
            # it is sent these entries in their order, when they have been read
            self.order.reach(known, last)
        self.order.put(conversation, entries)

    def _speaks_for_a_side(self, channel: Channel) -> bool:
        """Whether a side of *channel* is here, so that this worker knows where both are."""
        return any(one.here and self.roster.holds(one) for one in (channel.sender, channel.to))

    def _turn_to_those_present(self, entries: ChannelEntries) -> None:
        """An event that has waited for the database is for those who take part in it by now."""
        conversation = entries.conversation
        if self.order.conversations.get(conversation.row.key) is conversation:  # else see below
            entries.channel = conversation.channels.get(Side.SERVER, entries.channel)

    def _send_to_others(self, conversation: SharedConversation, entries: ChannelEntries) -> None:
        """Send what is stored to the other workers of both sides."""
        channel = entries.channel
        workers = {*channel.to.elsewhere, *channel.sender.elsewhere}
        if workers:
            self.outgoing.send(workers, _said(conversation, entries))

    def _send_later(self, conversation: SharedConversation, entries: ChannelEntries) -> None:
        """Send an event to the workers of both sides, which the desk knows."""
        self._to_send.append((conversation, entries))
        self._runtime.spawn(self._send_where_they_are)

    def _send_where_they_are(self) -> None:
        """Send what is left to the workers of both sides, of which this one is not told any more.

        Both have moved on before the event could be written here. Waits for the desk, until it
        can be reached: perhaps nothing else follows by which they would learn of the event.
        """
        while self._to_send and self._is_sending.acquire(blocking=False):
            try:
                while self._to_send:
                    self._send_first()
            finally:
                self._is_sending.release()

    def _send_first(self) -> None:
        first = conversation, entries = self._to_send[0]
        row = conversation.row
        try:
            workers = {*self._workers_of(row.user), *self._workers_of(row.waiter or "")}
        except Unavailable:
            self._runtime.sleep(RETRY)
            return
        if self._to_send[0] is first:  # else there were too many meanwhile
            self._to_send.popleft()
        self.outgoing.send(workers, _said(conversation, entries))

    def deliver(self, entries: ChannelEntries) -> None:
        """Put stored *entries*, whose turn has come, into the connections here.

        An absent participant reads them from the history when it returns (`handover.py`):
        no more than is counted here.
        """
        if not hand_out(entries):
            to = entries.channel.to
            if to.version == 1 and self.parks_for(to):
                to.parked_bytes += len(entries.for_version_1())

    def write_event(
        self, event: Event, channel: Channel, payload: EventPayload, words: Sequence[Words] = (),
        *, may_have_returned: bool = False,
    ) -> None:  # fmt: skip
        """Write it now if this worker is the recorder, else when the recorder has not."""
        self._events.write(event, channel, payload, words, may_have_returned=may_have_returned)

    def write_end_at_start(self, user: Participant, conversation: Conversation) -> None:
        """Write it as soon as it is known that all workers can read it; the first one counts."""
        self._events.write_end(user, conversation)

    def write_missing_events(self) -> None:
        """Write what could not be stored before, and what no recorder has written in time."""
        self._events.write_missing(self.writer)

    @property
    def events_wait(self) -> bool:
        """Events wait for the database, for the worker that is to write them, or for the desk."""
        return self._events.wait or bool(self._to_send)

    def save(self, row: ConversationRow, *, served: bool = False) -> None:
        """Store what this worker knows of *row*; others write it, too."""
        self.writer.amend(row, served=served)

    @property
    def held(self) -> int:
        """Bytes of entries that wait here for what comes before them, about."""
        return self.order.held

    def pass_on(
        self, channel: Channel, *, on: bool | None = None, seq: int | None = None, signal: str = ""
    ) -> None:
        """Send it to the other workers of the other side."""
        key, side = channel.conversation.row.key, SIDES[channel.sender.role]
        self.outgoing.send(channel.to.elsewhere, Passed(key, side, on, seq, signal))

    def pass_staff_entry_on(self, waiter: str, workers: Sequence[str], entry: StaffRow) -> None:
        """Send it to *workers*."""
        self.outgoing.send(workers, Passed(entry.conversation, Side.WAITER, staff=entry, to=waiter))

    def guarded_methods(self) -> list[tuple[object, str]]:
        """Nobody goes after entries count as delivered, and before they are handed out."""
        return [(self.order, "deliver")]

    # ---- what may be missing -------------------------------------------

    def catch_up(self, conversation: Conversation) -> None:
        """Return when all that is stored of it by now is delivered here. Waits for the store."""
        if isinstance(conversation, SharedConversation):
            self.order.catch_up(conversation)

    def check_all(self) -> None:
        """Letters may have been lost: look up every conversation here. Waits for the store."""
        self.order.check_all()

    def doubt(self) -> None:
        """Letters may have been lost: `check_doubted` looks up what. Never waits."""
        self.handover.doubts += 1
        self._doubted.set()

    def check_doubted(self) -> None:
        """Wait until letters may have been lost, and then for the store, which has them."""
        self._doubted.wait()
        self._doubted.clear()
        try:
            self.check_all()
        except BaseException:
            self._doubted.set()
            raise

    # ---- participants --------------------------------------------------

    def arrive(
        self, participant: Participant, identity: Identity, arrival: Arrival, connection: Feed
    ) -> None:
        """Take over what other workers know of *participant*, and speak for it from now on."""
        self.whereabouts.arrive(participant, identity, arrival)
        if arrival.place is not None:
            self._make_up_for_others(participant, arrival.place)
        self._events.arrived(participant)
        for conversation in conversations_of_participant(participant):
            # it may have been sent elsewhere what is still on its way here
            conversation.behind = True
            if connection.dialect.version == 1:  # others look it up in their turn
                self._runtime.spawn(self.catch_up, conversation)

    def _make_up_for_others(self, me: Participant, place: Place) -> None:
        """All workers that were told of a match may have been killed before one has stored it."""
        for ongoing in place.conversations:
            other = self.roster.participants[ongoing.other.uuid]
            waiter, user = (me, other) if me.role is Role.WAITER else (other, me)
            to_user = waiter.channels[user.uuid]
            self._events.save_served_at(place.number, to_user.conversation.row, waiter)
            if ongoing.decided:
                joined = EventPayload(What.JOINED, waiter.identity.name)
                self._events.expect(ongoing.decided, to_user, joined)

    def welcomed(self, participant: Participant, arrival: Arrival) -> None:
        """Let the other workers replace older logins of a waiter, which were asked before."""
        if participant.role is Role.WAITER:
            self.whereabouts.announce_login(participant, arrival.elsewhere)

    def questions(self, participant: Participant, arrival: Arrival) -> list[Question]:
        """What is asked of other workers and the history; nothing where *participant* is new."""
        missed = self.handover.receive(participant, arrival) if arrival.standing else None
        return [] if missed is None else [missed]

    def went_away(self, participant: Participant, missed: Sequence[Owed]) -> None:
        """Remember how far *participant* was sent its conversations."""
        for conversation in conversations_of_participant(participant):
            conversation.is_left_by(participant.role)
        if participant.version == 1:
            for owed in missed:
                self.roster.park(participant, owed)

    def parks_for(self, participant: Participant) -> bool:
        """Whether it is absent on all workers, and had its last connection here."""
        return parks_for(participant)

    def parks_for_somebody(self) -> bool:
        """Whether a participant may come back to another worker, which asks this one."""
        return any(
            one.version == 1 and self.parks_for(one) and (one.parked or one.all_channels)
            for one in list(self.roster.participants.values())
        )

    # ---- what the desk decides -----------------------------------------

    def prepare(self, event: Event) -> bool:
        """Take up what *event* says of participants on other workers.

        False: this worker has nothing to do with it any more, or has carried it out before.
        """
        if isinstance(event, Moved):
            self.whereabouts.move(event)
            return False
        if isinstance(event, Matched):
            return self._prepare_match(event)
        if isinstance(event, Parted):
            return self._prepare_parting(event)
        if isinstance(event, Departed):
            return self._prepare_departure(event)
        if isinstance(event, Withdrawn):
            return self._prepare_withdrawal(event)
        uuid = event.waiter if isinstance(event, OnDuty) else event.user
        return self.whereabouts.find(event, uuid) is not None

    def _prepare_match(self, event: Matched) -> bool:
        self._clock.heed(event.conversation)
        user = self.whereabouts.find(event, event.user)
        if user is None:
            return False
        conversation = user.conversation
        if conversation is not None and event.conversation not in (0, conversation.row.key):
            # this worker does not know that it has ended
            self.order.conversations.pop(conversation.row.key, None)
            user.conversation = None
        if user.channel is not None and user.channel.to.uuid == event.waiter:
            return False  # known already
        return self.whereabouts.find(event, event.waiter) is not None

    def _prepare_parting(self, event: Parted) -> bool:
        user = self.whereabouts.find(event, event.user)
        waiter = self.whereabouts.find(event, event.waiter) if user is not None else None
        if user is None or waiter is None:
            return False
        if user.conversation is None and event.conversation:  # no worker that knew them is left
            user.conversation = self.whereabouts.known_conversation(user, event.conversation)
        conversation = user.conversation
        if isinstance(conversation, SharedConversation):
            if any(one.elsewhere or not one.here for one in (user, waiter)):
                conversation.behind = True  # entries of before may still be on their way
            self._park_rest(event, waiter if event.gone == user.uuid else user, conversation)
            if not event.requeued:
                self._ended.add(conversation.row.key)
        return True

    def _park_rest(
        self, event: Parted, left: Participant, conversation: SharedConversation
    ) -> None:
        """Park what an absent participant has missed before the end; the end follows it."""
        if left.version == 1 and self.parks_for(left):
            rest = self.handover.rest(left, conversation, is_over=not event.requeued)
            if rest is not None:
                self.roster.park(left, rest)

    def _prepare_departure(self, event: Departed) -> bool:
        participant = self.whereabouts.find(event, event.participant)
        if participant is None:
            return False
        self.handover.forget(participant.uuid)
        if participant.conversation is None and event.conversation:
            participant.conversation = self.whereabouts.known_conversation(
                participant, event.conversation
            )
        if participant.conversation is not None:
            self._ended.add(participant.conversation.row.key)
        return True

    def _prepare_withdrawal(self, event: Withdrawn) -> bool:
        user = self.whereabouts.find(event, event.user)
        if user is None:
            return False
        conversation = user.conversation
        if isinstance(conversation, SharedConversation):
            if user.elsewhere or not user.here:
                conversation.behind = True  # entries of before may still be on their way
            self._ended.add(event.conversation)
        return True

    def new_conversation(
        self, user: Participant, row: ConversationRow, *, has_begun: bool
    ) -> Conversation:
        """It begins on the worker that speaks for *user*; elsewhere it may have gone on."""
        if has_begun or not user.here:
            return self.whereabouts.known_conversation(user, row.key, row)
        conversation = self.order.conversations[row.key] = SharedConversation(row, behind=False)
        return conversation

    def join(
        self, user: Participant, waiter: Participant, conversation: Conversation
    ) -> tuple[Channel, Channel]:
        """Make both channels, by which entries of other workers are delivered, too."""
        to_waiter, to_user = join(user, waiter, conversation)
        if isinstance(conversation, SharedConversation):
            conversation.channels = {
                Side.USER: to_waiter,
                Side.WAITER: to_user,
                Side.SERVER: to_user,
            }
            for one in (user, waiter):
                if one.here and not one.connections:
                    conversation.sent.setdefault(one.role, conversation.last_seq)
        return to_waiter, to_user

    def await_waiter(self, user: Participant, giver: Participant, to_user: Channel | None) -> None:
        """Turn the channels by which entries of other workers are delivered, too."""
        await_waiter(user, giver, to_user)
        conversation = user.conversation
        if isinstance(conversation, SharedConversation) and conversation.channels:
            from_giver = Channel(giver, user, conversation)
            from_giver.is_over = True
            conversation.channels[Side.WAITER] = conversation.channels[Side.SERVER] = from_giver

    def parted(self, user: Participant, waiter: Participant) -> None:
        """Forget those of them who are other workers' business now."""
        for participant in (user, waiter):
            self.whereabouts.forget(participant)

    def departed(self, participant: Participant) -> None:
        """Forget those who were known for its sake; its connections here come anew.

        Where it still has some, this worker was out of reach for too long.
        """
        self.whereabouts.departed(participant)
        connections = participant.connections
        participant.hold(())
        for connection in connections:
            connection.send_back()

    # ---- after the end -------------------------------------------------

    def channel_after_end(self, user: Participant, row: ConversationRow) -> Channel:
        """To the waiter that it had last, as long as the conversation is known here."""
        conversation = self.order.conversations.get(row.key)
        if conversation is None:
            return channel_to_nobody(user, SharedConversation(row, behind=False))
        former = conversation.channels.get(Side.USER)
        if former is None:
            return channel_to_nobody(user, conversation)
        return Channel(user, former.to, conversation)

    def forget_ended(self) -> None:
        """Forget conversations that ended a while ago. Called about once a second."""
        self._ended.forget()


def _said(conversation: SharedConversation, entries: ChannelEntries) -> Said:
    """The letter about stored *entries*."""
    return Said(
        conversation.row.key, entries.side, entries.author, entries.date, entries.seqs[0],
        entries.texts, ids=None if entries.client_ids is None else list(entries.client_ids),
        kind=entries.kind.number, data=entries.data,
    )  # fmt: skip
