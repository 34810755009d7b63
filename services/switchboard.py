"""Carries out what the desk decides, and mirrors it on the participants known here.

A participant may have several connections (tabs) or, for the length of a grace period, none:
what it misses is parked and follows when it returns. `Switchboard` mirrors the desk's decisions
on the participants (`channel`, `channels`, `phase`), so that a text finds its way without asking
the desk and without a lock.

Who is sent what, in which order and on which worker, is the business of `Delivery`.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from .answers import Answers, Spawn, asks_for_answers
from .channels import Channel, ParkedFrames
from .clock import Clock
from .conversation.conversation import Conversation
from .conversation.rows import ConversationRow, StaffRow
from .conversation_rows import set_read
from .decisions import Decisions
from .delivery import Delivery
from .departments import Departments
from .desk.port import (
    Absence,
    Arrival,
    Desk,
    DeskUnavailable,
    Event,
    Figures,
    Member,
    Role,
)
from .entries_here import channel_to_nobody
from .history.port import Duty
from .identity import Identity
from .notices import (
    introduce,
    send_presence,
    send_read,
    send_signal,
    send_staff_entry,
    send_typing,
)
from .participants import Feed, Owed, Participant, Question, give_up
from .queue_status import QueueStatus
from .roster import park_unseen, put_parked
from .standings import restore_participants, standings, user_of

log = logging.getLogger("csapp.desk")


def _guarded(guard: threading.RLock, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        with guard:
            return function(*args, **options)

    return call


class Switchboard:
    """Lets participants come and go, carries out decisions, and passes on what sessions send.

    *figures* returns how busy the desk is; without it the desk is asked. *departments* knows
    those of the site. *answer_within*: s in which waiters have to write something where no
    department says otherwise. *spawn*: see `Answers`.
    """

    def __init__(
        self,
        desk: Desk,
        delivery: Delivery,
        sign_ticket: Callable[[str, int, str], str] = lambda subject, place, department: "",
        *,
        clock: Clock | None = None,
        figures: Callable[[], Figures] | None = None,
        departments: Departments | None = None,
        answer_within: float = 0.0,
        spawn: Spawn | None = None,
    ) -> None:
        self.desk = desk
        self.delivery = delivery
        self.clock = clock or Clock()
        #: where entries are stored, and what stores them; None: nowhere
        self.store = delivery.store
        self.writer = delivery.writer
        #: `Delivery.say`, without a step in between: each stored text is said by it
        self.say = delivery.say
        self._answer_within = answer_within
        #: a waiter has written its first entry on a channel
        self.answered = Answers(desk, self.carry_out, self.asks_for_answers, spawn).begin
        self._departments = Departments() if departments is None else departments
        self._decisions = Decisions(delivery, sign_ticket, self.clock, self._departments)
        self._figures = figures
        self._roster = delivery.roster
        self._participants = self._roster.participants
        self._lock = self._roster.lock
        #: held while one participant comes or goes, also while the desk is asked
        self._doors = threading.Lock()
        #: of `guard_threads`
        self.guard: threading.RLock | None = None
        #: set as soon as the participant that is being let in is known here; None: nobody is
        self.newcomer: threading.Event | None = None
        self._queue_status = QueueStatus(self._roster)
        #: `Decisions`: the position of a user in the queue, and a waiter's readiness
        self.place = self._decisions.place
        self.store_duty = self._decisions.store_duty
        #: what becomes of the users who ask, and what they are told while they wait
        self.visits = self._decisions.visits
        self.queue_words = self._decisions.queue_words

    def asks_for_answers(self) -> bool:
        """Waiters have to write something in time: on the whole site, or in a department."""
        return asks_for_answers(self._answer_within, self._departments)

    def guard_threads(self) -> None:
        """Where a thread may stop anywhere: nobody comes or goes while texts are handed over.

        Otherwise a text would go to a connection alone that is being replaced. Greenlets do not
        stop there, and need no lock.
        """
        guard = self.guard = threading.RLock()
        guarded: list[tuple[object, str]] = [(self, name) for name in ("enter", "exit", "relay")]
        for owner, name in guarded + self.delivery.guarded_methods():
            setattr(owner, name, _guarded(guard, getattr(owner, name)))

    # ---- a restart -----------------------------------------------------

    def restore(
        self, rows: list[ConversationRow], duties: list[Duty], lost: Mapping[int, str],
        answered: Collection[int] = (),
    ) -> None:  # fmt: skip
        """Take up the open conversations where they stood; both sides are waited for.

        *lost*: as `standings.lost_waiters` returns it; *answered*: as `Store.answered` does.
        """
        found, over = standings(rows, duties, answered)
        for row in over:
            self._decisions.end(row)
            self.delivery.write_end_at_start(user_of(row), Conversation(row))
        restore_participants(found, rows, lost, self.delivery)
        self.desk.restore(found)

    # ---- coming and going ----------------------------------------------

    def enter(
        self, role: Role, identity: Identity, uuid: str, connection: Feed, address: str = ""
    ) -> list[Feed]:
        """*connection*, from *address*, has shown a token: welcome it, and put what was parked.

        A waiter's newer login (another `sid`) replaces the older one: the older one's
        connections are returned, its users stay.
        """
        with self._doors:
            newcomer = threading.Event()
            with self._lock:
                self.newcomer = newcomer
            try:
                members = self._departments.members_of(identity) if role is Role.WAITER else ()
                arrival = self.desk.arrive(
                    role, identity.subject, uuid, identity.name, address, identity.avatar, members
                )
                with self._lock:
                    events = self.desk.take_events()
                    self._act(events[: arrival.earlier])
                    replaced = self._welcome(role, identity, arrival, connection, members)
                    self._act(events[arrival.earlier :])
            finally:
                with self._lock:
                    self.newcomer = None
                    self._act(self.desk.take_events())
                newcomer.set()
        return replaced

    def _welcome(
        self,
        role: Role,
        identity: Identity,
        arrival: Arrival,
        connection: Feed,
        members: tuple[Member, ...],
    ) -> list[Feed]:
        replaced: list[Feed] = []
        participant = self._participants.get(arrival.uuid)
        if participant is None:
            participant = Participant(arrival.uuid, role, identity)
            self._participants[arrival.uuid] = participant
        self.delivery.arrive(participant, identity, arrival, connection)
        if role is Role.WAITER and participant.identity.sid != identity.sid:
            replaced = list(participant.connections)
            participant.hold(())
        participant.identity, participant.departments = identity, members
        is_back = arrival.standing and not participant.connections and not arrival.elsewhere
        participant.version = connection.dialect.version
        if self.writer is None:
            park_unseen(participant, connection)
        connection.welcome(participant, arrival)
        asked: list[Question] = []
        if connection.dialect.version == 1:
            asked = self._questions(participant, connection, arrival)
        put_parked(participant, connection)
        if asked:
            connection.await_answers(asked)
        participant.hold((*participant.connections, connection))
        self.delivery.welcomed(participant, arrival)
        if is_back:
            send_presence(participant, "online")
        return replaced

    def _questions(
        self, participant: Participant, connection: Feed, arrival: Arrival
    ) -> list[Question]:
        """What is asked that *participant* may have missed, before *connection* is sent more.

        Its other connections may be dead, and *connection* be their client's next one.
        """
        older = [one for one in participant.doubtful if one is not connection]
        asked = [question for one in older if (question := one.ask()) is not None]
        return [*self.delivery.questions(participant, arrival), *asked]

    def exit(
        self,
        participant: Participant,
        connection: Feed,
        *,
        deliberate: bool,
        absence: Absence = Absence.FULL,
        may_sleep: bool = False,
    ) -> None:
        """*connection* is gone; with the last one its participant leaves or is waited for.

        *absence* and *may_sleep* as in `Desk.drop`.
        """
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
                    _leave_questions(rest, missed)
                participant.hold(rest)
                last = not rest
                if last:
                    self.delivery.went_away(participant, [] if deliberate else missed)
                if last and not deliberate and not participant.elsewhere:
                    send_presence(participant, "away")
            if last and deliberate:
                self.desk.leave(participant.uuid)
            elif last:
                self.desk.drop(participant.uuid, absence, may_sleep=may_sleep)
        self.carry_out()

    def replace(self, uuid: str, is_replaced: Callable[[Participant], bool]) -> None:
        """Close the connections of waiter *uuid* here if a newer login elsewhere replaces them.

        *is_replaced* decides while nobody comes or goes.
        """
        with self._doors:
            with self._lock:
                waiter = self._participants.get(uuid)
                if waiter is None or not is_replaced(waiter):
                    return
                replaced = waiter.connections
                waiter.hold(())
                self.delivery.went_away(waiter, ())
            if replaced:
                self.desk.drop(uuid)
        self.carry_out()
        for connection in replaced:
            connection.replace()

    def learn(self, lasted: Iterable[tuple[str, float]]) -> None:
        """Estimate waits by how long conversations have *lasted* lately (`Store.lasted`)."""
        self._decisions.waits.learn(lasted, self._departments.rules.departments)

    def apply_departments(self) -> None:
        """Tell the desk what has changed of the departments and of the waiters who are here.

        Waits for the desk. Raises `DeskUnavailable`: call it again.
        """
        self.desk.configure(self._departments.rules)
        for one in list(self._participants.values()):
            if one.role is not Role.WAITER or not one.here:
                continue
            members = self._departments.members_of(one.identity)
            if members != one.departments:
                self.desk.assign(one.uuid, members)
                one.departments = members
        self.carry_out()

    # ---- messages ------------------------------------------------------

    def relay(self, channel: Channel, messages: list[str]) -> bool:
        """Deliver texts without storing them, where both sides speak version 1 only.

        A connection gets them as one piece: what is sent at once costs one call each. False,
        for all, when they cannot be parked.
        """
        data = channel.texts(messages)
        connections = channel.to.connections
        if not connections:
            with self._lock:
                if self._roster.is_full(channel.to, data):
                    return False
                self._roster.park(channel.to, ParkedFrames(data, b""))
        for connection in connections:
            put = connection.put_and_remember  # an attribute: called in one step it costs more
            try:
                put(data)
            except Exception:
                give_up(connection)
        return True

    def send_typing(self, channel: Channel, on: bool) -> None:
        """Let the other side know that the sender of *channel* types, or has stopped."""
        send_typing(channel, on)
        self.delivery.pass_on(channel, on=on)

    def signal(self, channel: Channel, name: str) -> None:
        """Send the other side one of `frames.SIGNALS`: never stored, for version 2."""
        send_signal(channel, name)
        self.delivery.pass_on(channel, signal=name)

    def send_read(self, channel: Channel, seq: int) -> None:
        """Let the other side know how far the sender of *channel* has read."""
        send_read(channel, seq)
        self.delivery.pass_on(channel, seq=seq)

    def show_to_staff(
        self, serving: str | None, entry: StaffRow, author: Participant, origin: object
    ) -> None:
        """Show a new staff *entry* to the waiter who is *serving*, a UUID, and to its *author*.

        The author's connection *origin* gets a receipt instead. Waits for the desk where this
        worker does not know the waiter; if the desk cannot say where it is, it reads the history.
        """
        waiter = self._participants.get(serving or "")
        for reader in {author.uuid: author, **({waiter.uuid: waiter} if waiter else {})}.values():
            send_staff_entry(reader, entry, origin)
            self.delivery.pass_staff_entry_on(reader.uuid, reader.elsewhere, entry)
        if serving and waiter is None:
            with contextlib.suppress(DeskUnavailable):
                self.delivery.pass_staff_entry_on(serving, self.desk.workers(serving), entry)

    def catch_up(self, conversation: Any) -> None:
        """Return when all that is stored of *conversation* by now is delivered. May wait."""
        self.delivery.catch_up(conversation)

    @property
    def held(self) -> int:
        """Bytes of entries that wait here for what comes before them, about."""
        return self.delivery.held

    def parks_for_somebody(self) -> bool:
        """Whether something is parked here that can be fetched though this process will end."""
        return self.delivery.parks_for_somebody()

    # ---- the desk's decisions ------------------------------------------

    def carry_out(self) -> None:
        """Carry out what the desk has decided since the last call, in its order."""
        with self._lock:
            newcomer = self.newcomer
            if newcomer is None:
                self._act(self.desk.take_events())
        if newcomer is not None:
            newcomer.wait()  # whoever lets it in carries out all that was decided until then

    def _act(self, events: list[Event]) -> None:
        for event in events:
            try:
                self._decisions.carry_out(event)
            except Exception:  # of one must not cost the others
                log.exception("a decision could not be carried out: %s", type(event).__name__)

    def write_missing_events(self) -> None:
        """Write the events that could not be written before. Called about once a second."""
        self.delivery.write_missing_events()

    @property
    def events_wait(self) -> bool:
        """Events wait for the database, and the writer does not know them."""
        return self.delivery.events_wait

    # ---- what is stored ------------------------------------------------

    def channel_after_end(self, user: Participant, row: ConversationRow) -> Channel:
        """The channel for an entry that *user* writes after the end of its conversation."""
        return self.delivery.channel_after_end(user, row)

    #: the frame that shows a participant who is at the other end of its channel
    introduce = staticmethod(introduce)

    #: the channel for an entry that is written while no waiter is known who would be sent it
    channel_to_nobody = staticmethod(channel_to_nobody)

    def read_by(self, channel: Channel, seq: int) -> None:
        """The sender of *channel* has read up to *seq*, which is there."""
        set_read(channel, seq)
        self.delivery.save(channel.conversation.row)

    # ---- the queue -----------------------------------------------------

    def figures(self) -> Figures:
        """How busy the desk is."""
        return self.desk.figures() if self._figures is None else self._figures()

    def update_queue_status(self) -> None:
        """Send waiters how long the queue is, when that has changed. At most once a second."""
        self._decisions.figures = self.figures()
        self._queue_status.update(self._decisions.figures)

    def send_queue_status(self, waiter: Participant, connection: Feed) -> None:
        """Send a connection of *waiter* how long the queue is."""
        self._queue_status.send(waiter, self.figures(), connection)


def _leave_questions(rest: Sequence[Feed], missed: Sequence[Owed]) -> None:
    """A connection has ended which waited for answers: one of the *rest* keeps the questions.

    What it has *missed* besides, the *rest* were sent as well.
    """
    questions = [one for one in missed if not isinstance(one, ParkedFrames)]
    for older in [one for one in rest if one.dialect.version == 1][-1:]:
        if questions:
            older.keep_questions(questions)
