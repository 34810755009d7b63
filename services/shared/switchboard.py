"""The switchboard of one worker among several: `switchboard.py`, and what others must be told.

Rules of this file:

1. A letter is a hint, the history is the truth: `order.py` delivers by it.
2. Whoever stores a text tells the other workers. What version 1 misses because
   it moves between them is found out by `handover.py`.
3. Of all who hear of a decision one writes it down (`is_recorder`), and writes only
   what has changed: others write about the same chat.
4. Nothing here waits for another worker. Letters to one of them that were
   written in one round of the loop travel together.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, cast

from ..clock import Clock
from ..conversation.conversation import Conversation
from ..conversation.kinds import TEXT, Kind, Side
from ..conversation.rows import ConversationRow, StaffRow
from ..desk.port import (
    Arrival,
    Departed,
    Desk,
    Event,
    Figures,
    Known,
    Matched,
    Moved,
    Parted,
    Role,
    Standing,
)
from ..history.port import Store
from ..history.writer import Writer
from ..identity import Identity, TokenRole
from ..participants import (
    SIDES,
    Channel,
    ChannelEntries,
    Feed,
    Ids,
    Owed,
    ParkedFrames,
    Participant,
    Phase,
    Question,
)
from ..runtime import Runtime
from ..standings import standings
from ..switchboard import Switchboard
from .conversation import SharedConversation
from .handover import Handover, conversations_of_participant
from .letters import (
    LEFT,
    Letter,
    NewLogin,
    Parked,
    Passed,
    Post,
    Reached,
    Said,
    decision_id,
    decode,
    encode,
)
from .order import Order

log = logging.getLogger("csapp.desk")

#: s that a conversation is still known here after its end, for what is written then
LINGER = 60.0

#: s that the recorder of a decision has to write its event, before another worker does
RECORDER_TIMEOUT = 2.5

#: what workers can read (`desk.port.READS`) that know entries of other kinds than texts
READS_ENTRIES = 2


class SharedSwitchboard(Switchboard):
    """All participants with sockets here, and those they talk with.

    *figures* tells how busy the desk was lately, without asking it.
    """

    store: Store
    writer: Writer

    def __init__(
        self,
        desk: Desk,
        most_parked: int,
        store: Store,
        writer: Writer,
        sign_ticket: Callable[[str, int], str],
        *,
        worker: str,
        runtime: Runtime,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(desk, most_parked, store, writer, sign_ticket, clock=clock)
        self._worker = worker
        self._runtime = runtime
        self._post: Post | None = None
        self._order = Order(store, runtime, self._deliver, self._entries)
        self._handover = Handover(
            worker, self._order, runtime, self._send, most_parked, self._participants.__contains__
        )
        self._outgoing: dict[str, list[Letter]] = {}
        self._sending = threading.Lock()
        self._doubted = threading.Event()
        self._figures = Figures(0, 0, 0, 0, 0.0, reads=1)  # until the desk was asked
        #: conversations that are over, and when they will be forgotten; the oldest first
        self._over: deque[tuple[float, SharedConversation]] = deque()
        #: events that another worker is to write, and when this one does if it has not
        self._events_of_others: deque[tuple[float, int, ChannelEntries]] = deque()

    def _guarded_methods(self) -> list[tuple[object, str]]:
        # Or somebody goes after a text counts as delivered, and before it is told.
        return [*super()._guarded_methods(), (self._order, "deliver")]

    def connect(self, post: Post) -> None:
        """From now on *post* carries letters."""
        self._post = post

    # ---- a restart -----------------------------------------------------

    def remembered(self) -> list[Standing]:
        """For a desk that knows nobody. Raises `StoreError`. Waits for the store."""
        rows = self._runtime.blocking(self.store.open_conversations)
        found, over = standings(rows, self._runtime.blocking(self.store.duties))
        for row in over:
            self._end(row)
        return found

    # ---- coming and going ----------------------------------------------

    def _welcome(
        self, role: Role, identity: Identity, arrival: Arrival, connection: Feed
    ) -> list[Feed]:
        if arrival.place is not None:
            self._take_place(role, identity, arrival)
        me = self._participants.get(arrival.uuid)
        if me is not None:
            for conversation in conversations_of_participant(
                me
            ):  # it may have seen elsewhere what is still on its way here
                conversation.behind = True
                if connection.dialect.version == 1:  # others look it up in their turn
                    self._runtime.spawn(self.catch_up, conversation)
        replaced = super()._welcome(role, identity, arrival, connection)
        participant = self._participants[arrival.uuid]
        participant.here = True
        participant.elsewhere = arrival.elsewhere
        if role is Role.WAITER:
            participant.login = arrival.came
            self._tell_login(participant, arrival.elsewhere)
        return replaced

    def _ask(self, participant: Participant, connection: Feed, arrival: Arrival) -> list[Question]:
        asked = super()._ask(participant, connection, arrival)
        if not arrival.standing:
            return asked
        missed = self._handover.receive(participant, arrival)
        return asked if missed is None else [missed, *asked]

    def _park_missed(self, participant: Participant, missed: Sequence[Owed]) -> None:
        for conversation in conversations_of_participant(participant):
            conversation.is_left_by(participant.role)
        if participant.version == 1:
            for owed in missed:
                self._park(participant, owed)

    def _take_place(self, role: Role, identity: Identity, arrival: Arrival) -> None:
        """Somebody comes whom other workers have known."""
        place = arrival.place
        assert place is not None  # noqa: S101
        me = self._participants.get(arrival.uuid)
        if me is None:
            me = self._participants[arrival.uuid] = Participant(arrival.uuid, role, identity)
        me.channel, me.channels, me.conversation = None, {}, None
        me.identity = identity
        for chatting in place.chats:
            other = self._known(chatting.other)
            user, waiter = (me, other) if role is Role.USER else (other, me)
            is_new = me.uuid not in other.channels and other.channel is None
            user.conversation = conversation = self._known_conversation(user, chatting.talk)
            conversation.row.waiter, conversation.row.waiter_subject = (
                waiter.uuid,
                waiter.identity.subject,
            )
            to_waiter, to_user = self._join(user, waiter, conversation)
            self.writer.amend(conversation.row)  # who was to write it may have been killed before
            if is_new:  # it has not been told yet
                self._meet(other, to_user if other is waiter else to_waiter, True, asked=False)
        if role is Role.WAITER:
            me.phase = Phase.ON_DUTY if place.ready else Phase.OFF_DUTY
        elif me.channel is None:
            me.conversation = self._known_conversation(me, place.talk) if place.begun else None
            me.phase = Phase.IDLE if place.ticket is None else Phase.QUEUED

    def _known(self, known: Known) -> Participant:
        """Somebody as other workers know it, who may be new here."""
        other = self._participants.get(known.uuid)
        if other is None:
            role, avatar = TokenRole(known.role), known.avatar
            identity = Identity(known.subject, known.name, role, avatar=avatar)
            other = self._participants[known.uuid] = Participant(known.uuid, known.role, identity)
            other.here = self._worker in known.workers
        other.elsewhere = tuple(one for one in known.workers if one != self._worker)
        return other

    def _person(self, event: Event, uuid: str) -> Participant:
        for known in event.people:
            if known.uuid == uuid:
                return self._known(known)
        try:
            return self._participants[uuid]
        except KeyError:
            raise _Stranger(uuid) from None

    def _carry(self, event: Event) -> None:
        with contextlib.suppress(_Stranger):  # nobody here has to do with it any more
            super()._carry(event)

    def _moved(self, event: Moved) -> None:
        """Another worker has got the first socket of somebody, or lost the last one."""
        person = self._participants.get(event.participant)
        if person is None:
            return
        before = set(person.elsewhere)
        was_there = bool(person.connections or before)
        self._person(event, event.participant)
        now = set(person.elsewhere)
        is_there = bool(person.connections or now)
        if was_there != is_there:
            self._show(person, "online" if is_there else "away")
        # The desk may not know yet that it has left this worker: that is told in its turn.
        is_known_here = any(self._worker in one.workers for one in event.people)
        leaves = bool(now) and person.here and not person.connections and not is_known_here
        if person.here:
            if leaves and now & before:
                self._handover.give(person, now & before, event.number, leaves=True)
            if now - before:
                self._handover.give(person, now - before)
        if leaves:
            person.here = False
            self._handover.forget(person.uuid)
        elif person.here and before - now:
            self._handover.expect(person.uuid, before - now, event.number)
        if person.role is Role.WAITER:  # a letter of its login may have been lost
            self._tell_login(person, now - before)
        for conversation in conversations_of_participant(person):
            if not person.here:
                conversation.told.pop(person.role, None)
                if before and not now and not conversation.fresh:
                    conversation.away[person.role] = conversation.last_seq
            away = conversation.away.pop(person.role, None) if now else None
            # what went to where it was before may be missing where it is now
            self._send(
                now - before, Reached(conversation.row.key, conversation.end, person.uuid, away)
            )
            if before - now:  # a worker that was killed has not told all that it stored
                self._order.check(conversation)
        self._forget(person)

    def _forget(self, person: Participant) -> None:
        """Who has no socket here and talks with nobody here is other workers' business."""
        channels = person.all_channels
        if person.here:
            return
        if any(channel.to.here for channel in channels):
            for channel in channels:  # a waiter: some may have stayed for it alone
                if not channel.to.here and not any(one.to.here for one in channel.to.all_channels):
                    self._drop(channel.to)
            return
        self._drop(person)
        for channel in channels:
            self._forget(channel.to)

    def _drop(self, person: Participant) -> None:
        self._participants.pop(person.uuid, None)
        self._handover.forget(person.uuid)
        for conversation in conversations_of_participant(person):
            self._order.conversations.pop(conversation.row.key, None)
        for channel in person.all_channels:
            _let_go(channel.to, person)
        person.channel, person.channels, person.conversation = None, {}, None

    def _parks_for(self, participant: Participant) -> bool:
        # Of all that hear of it, the one keeps it where it was last.
        return participant.here and participant.is_away

    def _park_spoken(self, entries: ChannelEntries) -> None:
        # It is read from the history on return (`handover.py`); as much as is counted here.
        to = entries.channel.to
        if to.version == 1 and self._parks_for(to):
            to.parked_bytes += len(entries.for_version_1())

    @property
    def held(self) -> int:
        return self._order.held

    def parks_for_somebody(self) -> bool:
        return any(
            one.version == 1 and self._parks_for(one) and (one.parked or one.all_channels)
            for one in list(self._participants.values())
        )

    # ---- messages ------------------------------------------------------

    def say(
        self, channel: Channel, connection: Feed, texts: list[str], ids: Ids,
        kind: Kind = TEXT, data: str | None = None,
    ) -> bool:  # fmt: skip
        if kind is not TEXT and self._figures.reads < READS_ENTRIES:
            return False  # an earlier worker would take it for a text
        return super().say(channel, connection, texts, ids, kind, data)

    def _begin(self, entries: ChannelEntries) -> bool:
        conversation = cast(SharedConversation, entries.conversation)
        conversation.begin(entries)
        if super()._begin(entries):
            return True
        del conversation.under_way[entries]
        return False

    def _told(self, entries: Any) -> None:
        conversation = entries.conversation
        del conversation.under_way[entries]
        if not entries.stored:
            self._answer(entries)
            return
        if entries.texts:
            self._tell_others(conversation, entries)
        last = entries.seqs[-1] if entries.texts else entries.first - 1
        conversation.record_stored(last)
        known = self._order.conversations.get(conversation.row.key, conversation)
        if known is not conversation:  # both sides were forgotten meanwhile, and one is back
            self._order.reach(known, last)
        self._order.put(conversation, entries)

    def _tell_others(self, conversation: SharedConversation, entries: ChannelEntries) -> None:
        """Write to the workers of both sides what is stored."""
        channel = entries.channel
        workers = {*channel.to.elsewhere, *channel.sender.elsewhere}
        if workers:
            ids = None if entries.client_ids is None else list(entries.client_ids)
            self._send(
                workers,
                Said(
                    conversation.row.key, entries.side, entries.author, entries.date,
                    entries.seqs[0], entries.texts, ids=ids, kind=entries.kind.number,
                    data=entries.data,
                ),
            )  # fmt: skip

    def catch_up(self, conversation: Conversation) -> None:
        if isinstance(conversation, SharedConversation):
            self._order.catch_up(conversation)

    def check_all(self) -> None:
        """Letters may have been lost: look up every conversation here. Waits for the store."""
        self._order.check_all()

    def doubt(self) -> None:
        """Letters may have been lost: `check_doubted` looks up what. Never waits."""
        self._handover.doubts += 1
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

    # ---- letters -------------------------------------------------------

    def _send(self, workers: Iterable[str], letter: Letter) -> None:
        for worker in workers:
            with self._sending:
                letters = self._outgoing.setdefault(worker, [])
                letters.append(letter)
                first = len(letters) == 1
            if first:
                self._runtime.call_soon(partial(self._send_off, worker))

    def _send_off(self, worker: str) -> None:
        with self._sending:
            letters = self._outgoing.pop(worker, None)
        if letters and self._post is not None:
            self._post.post(worker, encode(letters))

    def heard(self, sender: str, pieces: list[bytes]) -> None:
        """Letters of another worker. Waits where one may be for somebody who is being let in."""
        newcomer = self._newcomer  # whoever is let in later cannot be known to others yet
        for piece in pieces:
            for letter in decode(piece):
                try:
                    if newcomer is not None and not self._is_about_known(letter):
                        newcomer.wait()
                    _HEARD[type(letter)](self, letter, sender)
                except Exception:
                    log.exception("a letter of %s could not be read", sender)

    def _is_about_known(self, letter: Letter) -> bool:
        if isinstance(letter, Parked):
            return False  # it may be for the one who comes, and who is known as another's partner
        if isinstance(letter, NewLogin):
            return letter.uuid in self._participants
        return letter.conversation in self._order.conversations

    def _said(self, letter: Said, sender: str) -> None:
        self._order.hear(letter)

    def _passed(self, letter: Passed, sender: str) -> None:
        conversation = self._order.conversations.get(letter.conversation)
        channel = conversation.channels.get(letter.side) if conversation is not None else None
        if channel is None:
            return
        if letter.seq is not None:
            self._mark(channel, letter.seq)
            super().tell_read(channel, letter.seq)
        elif letter.on is not None:
            super().tell_typing(channel, letter.on)
        elif letter.signal:
            super().signal(channel, letter.signal)
        elif letter.staff is not None:
            self._show_staff_entry(channel.sender, letter.staff)

    def _reached(self, letter: Reached, sender: str) -> None:
        if conversation := self._order.conversations.get(letter.conversation):
            self._order.reach(conversation, letter.seq)
        self._handover.hint(sender, letter)

    def _tell_login(self, waiter: Participant, workers: Iterable[str]) -> None:
        if waiter.connections:
            self._send(workers, NewLogin(waiter.uuid, waiter.identity.sid, waiter.login))

    def _new_login(self, letter: NewLogin, sender: str) -> None:
        with self._doors:
            with self._lock:
                waiter = self._participants.get(letter.uuid)
                if waiter is None:
                    return
                is_older = letter.came < waiter.login
                waiter.login = max(waiter.login, letter.came)
                if waiter.identity.sid == letter.sid:
                    return
                if is_older:  # it has not heard of the newer one
                    self._tell_login(waiter, waiter.elsewhere)
                    return
                replaced = waiter.connections
                waiter.hold(())
                self._park_missed(waiter, ())
            if replaced:
                self.desk.drop(letter.uuid)
        self.carry_out()
        for connection in replaced:
            connection.replace()

    def _parked(self, letter: Parked, sender: str) -> None:
        with self._lock:
            person = self._participants.get(letter.uuid)
            is_here = person is not None and person.here
            if letter.asks and person is not None and is_here:
                self._handover.give(person, (sender,), letter.about)
            elif letter.asks:
                self._send((sender,), Parked(letter.uuid, [], letter.about))
            elif self._handover.hear(sender, letter):
                pass
            elif person is None or not is_here:  # it has moved on; back, if nobody knows where
                if (letter.kept or letter.live) and letter.about != LEFT:
                    there = person.elsewhere[:1] if person is not None else ()
                    rest = Parked(letter.uuid, [*letter.kept, *letter.live])
                    self._send(there or (sender,), rest)
            else:
                self._tell_late(person, self._handover.take_over(sender, letter, person))

    def _tell_late(self, person: Participant, owed: Sequence[Owed]) -> None:
        for one in owed:
            self._park(person, one)
        for connection in person.connections[-1:]:
            if connection.dialect.version > 1:
                self._put_parked(person, connection)
            elif asked := [one for one in owed if not isinstance(one, ParkedFrames)]:
                person.parked.clear()
                connection.await_answers(asked)

    def tell_typing(self, channel: Channel, on: bool) -> None:
        super().tell_typing(channel, on)
        side = SIDES[channel.sender.role]
        self._send(channel.to.elsewhere, Passed(channel.conversation.row.key, side, on=on))

    def signal(self, channel: Channel, name: str) -> None:
        super().signal(channel, name)
        side = SIDES[channel.sender.role]
        self._send(channel.to.elsewhere, Passed(channel.conversation.row.key, side, signal=name))

    def show_to_staff(
        self, serving: str | None, entry: StaffRow, author: Participant, origin: object
    ) -> None:
        super().show_to_staff(serving, entry, author, origin)
        waiter = self._participants.get(serving or "")
        if waiter is not None:
            self._send(waiter.elsewhere, Passed(entry.conversation, Side.WAITER, staff=entry))

    def tell_read(self, channel: Channel, seq: int) -> None:
        super().tell_read(channel, seq)
        side = SIDES[channel.sender.role]
        self._send(channel.to.elsewhere, Passed(channel.conversation.row.key, side, seq=seq))

    # ---- what is kept --------------------------------------------------

    def channel_after_end(self, user: Participant, row: ConversationRow) -> Channel:
        conversation = self._order.conversations.get(row.key)
        if conversation is None:
            return self.channel_to_nobody(user, SharedConversation(row, behind=False))
        former = conversation.channels.get(Side.USER)
        return (
            Channel(user, former.to, conversation)
            if former
            else self.channel_to_nobody(user, conversation)
        )

    def _new_conversation(self, user: Participant, key: int) -> Conversation:
        if user.here:
            conversation = SharedConversation(self._new_row(user, key), behind=False)
            self._order.conversations[key] = conversation
            return conversation
        return self._known_conversation(user, key)

    def _known_conversation(self, user: Participant, key: int) -> SharedConversation:
        """A conversation that has gone on elsewhere."""
        conversation = self._order.conversations.get(key)
        if conversation is None:
            conversation = self._order.conversations[key] = SharedConversation(
                self._new_row(user, key), behind=True
            )
        return conversation

    def _join(
        self, user: Participant, waiter: Participant, conversation: Conversation
    ) -> tuple[Channel, Channel]:
        to_waiter, to_user = super()._join(user, waiter, conversation)
        if isinstance(conversation, SharedConversation):
            conversation.channels = {
                Side.USER: to_waiter,
                Side.WAITER: to_user,
                Side.SERVER: to_user,
            }
            for one in (user, waiter):
                if one.here and not one.connections:
                    conversation.told.setdefault(one.role, conversation.last_seq)
        return to_waiter, to_user

    def _matched(self, event: Matched) -> None:
        self.clock.heed(event.talk)
        user = self._person(event, event.user)
        if user.conversation is not None and event.talk not in (
            0,
            user.conversation.row.key,
        ):
            self._order.conversations.pop(user.conversation.row.key, None)  # it has ended unheard
            user.conversation = None
        if (
            user.channel is None or user.channel.to.uuid != event.waiter
        ):  # or it has been told before
            super()._matched(event)

    def _store_match(self, event: Matched, conversation: Conversation, resumed: bool) -> None:
        # Each that hears of it writes it down: one of them may be killed before.
        self.writer.amend(conversation.row, served=event.is_recorder)

    def _store_parting(self, event: Parted, conversation: Conversation) -> None:
        if not event.requeued:
            self._end(conversation.row, event.reason or "")
        elif event.is_recorder:
            self.writer.amend(conversation.row, served=True)

    def _save(self, row: ConversationRow) -> None:
        self.writer.amend(row)  # others write of it, too

    def _end(self, row: ConversationRow, reason: str = "") -> None:
        super()._end(row, reason)
        conversation = self._order.conversations.get(row.key)
        if conversation is not None:
            self._over.append((self._runtime.now() + LINGER, conversation))

    def _begin_event(self, event: Event, entries: ChannelEntries) -> None:
        if self._figures.reads < READS_ENTRIES or event.is_confided:
            return  # an earlier worker could not go on behind it; or others have written it
        entries.client_ids = [decision_id(event.number)]
        if event.is_recorder:
            super()._begin_event(event, entries)
        else:
            due = self._runtime.now() + RECORDER_TIMEOUT
            self._events_of_others.append((due, event.number, entries))

    def write_missing_events(self) -> None:
        super().write_missing_events()
        now = self._runtime.now()
        while self._events_of_others and self._events_of_others[0][0] <= now:
            _, number, entries = self._events_of_others.popleft()
            if number not in cast(SharedConversation, entries.conversation).decisions:
                self._begin_again(entries)

    def forget_ended(self) -> None:
        """Forget what has been over for long enough, and whose sides are both gone."""
        now = self._runtime.now()
        for one in [one for one in self._over if one[0] <= now or not self._is_known(one[1])]:
            self._over.remove(one)
            conversation = one[1]
            if self._order.conversations.get(conversation.row.key) is conversation:
                del self._order.conversations[conversation.row.key]

    def _is_known(self, conversation: SharedConversation) -> bool:
        """One of its sides at least is known here."""
        people = [
            one
            for channel in conversation.channels.values()
            for one in (channel.sender, channel.to)
        ]
        return any(self._participants.get(one.uuid) is one for one in people)

    def _parted(self, event: Parted) -> None:
        user, waiter = self._person(event, event.user), self._person(event, event.waiter)
        if user.conversation is None and event.talk:  # nobody who knew them is left
            user.conversation = self._known_conversation(user, event.talk)
        if isinstance(user.conversation, SharedConversation) and any(
            one.elsewhere or not one.here for one in (user, waiter)
        ):  # what was said before may still be on its way
            user.conversation.behind = True
        self._keep_rest(event, user, waiter)
        super()._parted(event)
        for person in (user, waiter):
            self._forget(person)

    def _keep_rest(self, event: Parted, user: Participant, waiter: Participant) -> None:
        """A participant who is away gets on return what was said before the end, then the end."""
        told, conversation = (waiter if event.gone == user.uuid else user), user.conversation
        if (
            told.version == 1
            and self._parks_for(told)
            and isinstance(conversation, SharedConversation)
        ):
            rest = self._handover.rest(told, conversation, is_over=not event.requeued)
            if rest is not None:
                self._park(told, rest)

    def _departed(self, event: Departed) -> None:
        person = self._person(event, event.participant)
        self._handover.forget(person.uuid)
        if person.conversation is None and event.talk:
            person.conversation = self._known_conversation(person, event.talk)
        super()._departed(event)
        for channel in person.all_channels:
            _let_go(channel.to, person)
            self._forget(channel.to)
        connections = person.connections
        person.hold(())
        for connection in connections:  # this worker was out of reach for too long
            connection.send_back()

    # ---- the line ------------------------------------------------------

    def look_at_line(self) -> None:
        """Ask the desk how busy it is, and tell waiters. Waits for it."""
        self._figures = self.desk.figures()
        self._tell_queue(self._figures)

    def figures(self) -> Figures:
        return self._figures


_HEARD: dict[type, Callable[..., None]] = {
    Said: SharedSwitchboard._said,
    Passed: SharedSwitchboard._passed,
    Reached: SharedSwitchboard._reached,
    NewLogin: SharedSwitchboard._new_login,
    Parked: SharedSwitchboard._parked,
}


class _Stranger(Exception):
    """This worker does not know somebody, and need not."""


def _let_go(person: Participant, other: Participant) -> None:
    """*person* has no line to *other* any more."""
    person.channels.pop(other.uuid, None)
    if person.channel is not None and person.channel.to is other:
        person.channel = person.conversation = None
        person.phase = Phase.IDLE
