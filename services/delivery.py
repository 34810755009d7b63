"""Who is sent what, in which order, and on which worker.

`Switchboard` carries out what the desk decides; all that depends on how many workers share the
desk it leaves to its `Delivery`. `assembly.py` chooses one of two: `LocalDelivery`, where all
connections are in this process, or `shared.delivery.SharedDelivery`, for one of several workers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, Protocol

from .channels import Channel, ChannelEntries, Ids, ParkedFrames
from .clock import Clock
from .conversation.conversation import Conversation
from .conversation.kinds import TEXT, EventPayload, Kind
from .conversation.rows import ConversationRow, StaffRow
from .desk.port import Arrival, Event
from .entries_here import channel_to_nobody, hand_out, new_entries
from .event_entries import EventEntries
from .history.port import Store
from .history.writer import Writer
from .identity import Identity
from .participants import Feed, Owed, Participant, Question, answer
from .roster import Roster, await_waiter, join
from .site_words import Words


class Delivery(Protocol):
    """What a `Switchboard` leaves to this. Nothing here waits, but for `catch_up`.

    What every implementation promises:

    1. Of a conversation, each connection is sent the entries in the order of `seq`, each once.
    2. No entry is sent, and no receipt for it, before it is stored (where there is a history).
    3. One worker parks for an absent participant: the one that had its last connection.
    """

    #: the participants known here
    roster: Roster

    @property
    def store(self) -> Store | None:
        """Where entries are stored; None: nowhere."""

    @property
    def writer(self) -> Writer | None:
        """What stores them; None: nothing."""

    # ---- entries -------------------------------------------------------

    def say(
        self, channel: Channel, connection: Feed, texts: list[str], ids: Ids,
        kind: Kind = TEXT, data: str | None = None,
    ) -> bool:  # fmt: skip
        """Store entries and then deliver them. False, for all, while that is not possible.

        *connection*, by which they came, gets the receipts (`acknowledge`) at their place in the
        order; also where they could not be stored in the end.
        """

    def write_event(
        self, event: Event, channel: Channel, payload: EventPayload, words: Sequence[Words] = (),
        *, may_have_returned: bool = False,
    ) -> None:  # fmt: skip
        """Write what the sender of *channel* has done as an entry, once over all workers.

        *may_have_returned*: a waiter has joined, and this process has not seen who was lost.
        What the site says by itself, *words*, follows the event; where nothing is stored there is
        none.
        """

    def write_end_at_start(self, user: Participant, conversation: Conversation) -> None:
        """Write that *conversation* has ended, which a server that died has left open."""

    def write_missing_events(self) -> None:
        """Write the events that could not be written before. Called about once a second."""

    @property
    def events_wait(self) -> bool:
        """Events wait for the database, and the writer does not know them."""

    def save(self, row: ConversationRow, *, served: bool = False) -> None:
        """Store *row*, or merge it into what other workers store. *served*: see `Amendment`."""

    def catch_up(self, conversation: Conversation) -> None:
        """Return when all that is stored of it by now is delivered here. May wait."""

    @property
    def held(self) -> int:
        """Bytes of entries that wait here for what comes before them, about."""

    def pass_on(
        self, channel: Channel, *, on: bool | None = None, seq: int | None = None, signal: str = ""
    ) -> None:
        """Let the other workers send the other side what it is sent here and nobody stores.

        The sender of *channel* types or has stopped (*on*), has read up to *seq*, or sends a
        *signal*.
        """

    def pass_staff_entry_on(self, waiter: str, workers: Sequence[str], entry: StaffRow) -> None:
        """Let other *workers* show the *waiter* of this UUID a staff *entry*."""

    def guarded_methods(self) -> list[tuple[object, str]]:
        """Objects, and names of their methods: see `Switchboard.guard_threads`."""

    # ---- participants --------------------------------------------------

    def arrive(
        self, participant: Participant, identity: Identity, arrival: Arrival, connection: Feed
    ) -> None:
        """*participant* is about to be welcomed on *connection*; the desk has answered *arrival*.

        Afterwards it is known here with whom it speaks.
        """

    def welcomed(self, participant: Participant, arrival: Arrival) -> None:
        """*participant* has its new connection, and what it may have missed was asked for."""

    def questions(self, participant: Participant, arrival: Arrival) -> list[Question]:
        """What other workers are asked that *participant*, of version 1, may have missed."""

    def went_away(self, participant: Participant, missed: Sequence[Owed]) -> None:
        """*participant* has lost its last connection here before *missed* had arrived there."""

    def parks_for(self, participant: Participant) -> bool:
        """Whether *participant* is absent, and what it misses is parked on this worker."""

    def parks_for_somebody(self) -> bool:
        """Whether something is parked here that can be fetched though this process will end."""

    # ---- what the desk decides -----------------------------------------

    def prepare(self, event: Event) -> bool:
        """The switchboard is about to carry *event* out; False: nothing is to be done here.

        Afterwards all participants whom it is about are on the roster.
        """

    def new_conversation(
        self, user: Participant, row: ConversationRow, *, has_begun: bool
    ) -> Conversation:
        """The conversation of *user* that begins here, or *has_begun* on another worker."""

    def join(
        self, user: Participant, waiter: Participant, conversation: Conversation
    ) -> tuple[Channel, Channel]:
        """*waiter* serves *user* from now on: the channels to the waiter, and to the user."""

    def await_waiter(self, user: Participant, giver: Participant, to_user: Channel | None) -> None:
        """Nobody serves *user* any more, and its conversation goes on: `join` is to follow.

        *giver* stands for the former waiter, who is sent nothing more of it; *to_user* is the
        channel by which that one has written, if this worker knows it.
        """

    def parted(self, user: Participant, waiter: Participant) -> None:
        """Both sides were sent that they have parted."""

    def departed(self, participant: Participant) -> None:
        """*participant* was taken off the roster."""

    def channel_after_end(self, user: Participant, row: ConversationRow) -> Channel:
        """The channel for an entry that *user* writes after the end of its conversation."""


class LocalDelivery:
    """For one worker: all connections are here, and only this process numbers entries."""

    def __init__(
        self,
        most_parked: int,
        store: Store | None = None,
        writer: Writer | None = None,
        *,
        clock: Clock | None = None,
    ) -> None:
        self.roster = Roster(most_parked)
        self.store = store
        self.writer = writer
        self._clock = clock or Clock()
        self._events = EventEntries(self._begin, self._on_committed)
        self.held = 0

    # ---- entries -------------------------------------------------------

    def say(
        self, channel: Channel, connection: Feed, texts: list[str], ids: Ids,
        kind: Kind = TEXT, data: str | None = None,
    ) -> bool:  # fmt: skip
        """Store entries and then deliver them; without a history, deliver them at once."""
        to = channel.to
        entries = new_entries(channel, connection, texts, ids, self._on_committed, kind, data)
        if self.writer is None:
            return self._number(entries)
        if to.version == 1 and to.parked_bytes > self.roster.most_parked and not to.connections:
            return False
        return self.writer.say(entries)

    def _number(self, entries: ChannelEntries, *, is_locked: bool = False) -> bool:
        """Number *entries* as if they were stored, and deliver them. False: too much is parked.

        *is_locked*: the roster's lock is held.
        """
        to, conversation = entries.channel.to, entries.conversation
        if not to.connections and self.roster.is_full(to, entries.for_version_1()):
            return False
        entries.seqs = range(
            conversation.last_seq + 1, conversation.last_seq + 1 + len(entries.texts)
        )
        conversation.given = conversation.last_seq = entries.seqs[-1]
        entries.date = conversation.date_after(self._clock.ms())
        conversation.record_date(conversation.last_seq, entries.date)
        entries.stored = True
        self.deliver(entries, is_locked=is_locked)
        if entries.connection is not None:
            answer(entries.connection, entries)
        return True

    def _on_committed(self, entries: Any) -> None:
        """*entries* are stored, or will not be. Called on the loop."""
        if entries.stored and entries.texts:
            self.deliver(entries)
        if entries.connection is not None:
            answer(entries.connection, entries)

    def deliver(self, entries: ChannelEntries, *, is_locked: bool = False) -> None:
        """Put stored *entries* into the connections here, or park them for an absent participant.

        The sender's own connection gets a receipt instead.
        """
        if not hand_out(entries):
            self._park(entries, is_locked=is_locked)

    def _park(self, entries: ChannelEntries, *, is_locked: bool) -> None:
        to, roster = entries.channel.to, self.roster
        if not roster.holds(to):
            return  # it has gone for good
        if to.version == 1 or self.writer is None:  # else it reads the history when it returns
            with contextlib.nullcontext() if is_locked else roster.lock:
                if not to.connections:
                    seqs = entries.seqs
                    full = entries.for_version_2() if self.writer is None else b""
                    key = entries.channel.conversation.row.key
                    if (plain := entries.for_version_1()) or full:
                        roster.park(to, ParkedFrames(plain, full, key, seqs[0], seqs[-1]))

    def _begin(self, entries: ChannelEntries) -> bool:
        return self.writer is not None and self.writer.say(entries)

    def write_event(
        self, event: Event, channel: Channel, payload: EventPayload, words: Sequence[Words] = (),
        *, may_have_returned: bool = False,
    ) -> None:  # fmt: skip
        """Write it, unless neither side speaks version 2 and nothing is stored.

        What this process has not seen, it has read at its start (`standings.lost_waiters`).
        """
        if self.writer is not None:
            self._events.write(self._events.new(channel, payload))
            for said in words:
                self._events.write(self._events.new_words(channel, said))
        elif not (channel.sender.plain and channel.to.plain):
            self._number(self._events.new(channel, payload, is_stored=False), is_locked=True)

    def write_end_at_start(self, user: Participant, conversation: Conversation) -> None:
        """Write it: there is no other worker that could."""
        if self.writer is not None:
            self._events.write(self._events.new_end(user, conversation))

    def write_missing_events(self) -> None:
        """Write the events that the database could not take before."""
        if self.writer is not None:
            self._events.write_missing(self.writer)

    @property
    def events_wait(self) -> bool:
        """Events wait for the database."""
        return self._events.waits

    def save(self, row: ConversationRow, *, served: bool = False) -> None:
        """Store all of *row*: nobody else writes it."""
        if self.writer is not None:
            self.writer.save(row)

    def catch_up(self, conversation: Conversation) -> None:
        """Return at once: all that is stored is delivered here."""

    def pass_on(
        self, channel: Channel, *, on: bool | None = None, seq: int | None = None, signal: str = ""
    ) -> None:
        """Do nothing: there are no other workers."""

    def pass_staff_entry_on(self, waiter: str, workers: Sequence[str], entry: StaffRow) -> None:
        """Do nothing: there are no other workers."""

    def guarded_methods(self) -> list[tuple[object, str]]:
        """Delivering: no connection of the receiver may be replaced meanwhile."""
        return [(self, "deliver")]

    # ---- participants --------------------------------------------------

    def arrive(
        self, participant: Participant, identity: Identity, arrival: Arrival, connection: Feed
    ) -> None:
        """Do nothing: whom it speaks with is known here."""

    def welcomed(self, participant: Participant, arrival: Arrival) -> None:
        """Do nothing: no other worker has connections of it."""

    def questions(self, participant: Participant, arrival: Arrival) -> list[Question]:
        """Nobody else knows anything."""
        return []

    def went_away(self, participant: Participant, missed: Sequence[Owed]) -> None:
        """Park what it has missed, unless it reads the history when it returns."""
        if participant.version == 1 or self.writer is None:
            for owed in missed:
                self.roster.park(participant, owed)

    def parks_for(self, participant: Participant) -> bool:
        """Whether it has no connection."""
        return not participant.connections

    def parks_for_somebody(self) -> bool:
        """Say no: what is parked here ends with this process."""
        return False

    # ---- what the desk decides -----------------------------------------

    def prepare(self, event: Event) -> bool:
        """Every event is to be carried out here."""
        return True

    def new_conversation(
        self, user: Participant, row: ConversationRow, *, has_begun: bool
    ) -> Conversation:
        """The conversation begins here."""
        return Conversation(row)

    def join(
        self, user: Participant, waiter: Participant, conversation: Conversation
    ) -> tuple[Channel, Channel]:
        """Make both channels."""
        return join(user, waiter, conversation)

    def await_waiter(self, user: Participant, giver: Participant, to_user: Channel | None) -> None:
        """Turn its channel to nobody."""
        await_waiter(user, giver, to_user)

    def parted(self, user: Participant, waiter: Participant) -> None:
        """Do nothing: both stay known."""

    def departed(self, participant: Participant) -> None:
        """Do nothing: it had no connection any more."""

    def channel_after_end(self, user: Participant, row: ConversationRow) -> Channel:
        """No waiter is sent it."""
        return channel_to_nobody(user, Conversation(row))
