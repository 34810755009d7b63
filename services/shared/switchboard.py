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
from ..conversation.kinds import TEXT, Kind, Side
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
from ..history.port import Chat, Store
from ..history.writer import Talk, Writer
from ..identity import Identity, TokenRole
from ..participants import (
    SIDES,
    Ids,
    Kept,
    Line,
    Owed,
    Participant,
    Phase,
    Question,
    Socket,
    Spoken,
)
from ..runtime import Runtime
from ..standings import standings
from ..switchboard import Switchboard
from .handover import Handover, talks_of
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
from .talk import SharedTalk

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
        self._order = Order(store, runtime, self._deliver, self._spoken)
        self._handover = Handover(
            worker, self._order, runtime, self._send, most_parked, self._participants.__contains__
        )
        self._outgoing: dict[str, list[Letter]] = {}
        self._sending = threading.Lock()
        self._doubted = threading.Event()
        self._figures = Figures(0, 0, 0, 0, 0.0, reads=1)  # until the desk was asked
        #: conversations that are over, and when they will be forgotten; the oldest first
        self._over: deque[tuple[float, SharedTalk]] = deque()
        #: events that another worker is to write, and when this one does if it has not
        self._events_of_others: deque[tuple[float, int, Spoken]] = deque()

    def _kept_apart(self) -> list[tuple[object, str]]:
        # Or somebody goes after a text counts as delivered, and before it is told.
        return [*super()._kept_apart(), (self._order, "deliver")]

    def connect(self, post: Post) -> None:
        """From now on *post* carries letters."""
        self._post = post

    # ---- a restart -----------------------------------------------------

    def remembered(self) -> list[Standing]:
        """For a desk that knows nobody. Raises `StoreError`. Waits for the store."""
        chats = self._runtime.blocking(self.store.open_chats)
        found, over = standings(chats, self._runtime.blocking(self.store.duties))
        for chat in over:
            self._end(chat)
        return found

    # ---- coming and going ----------------------------------------------

    def _welcome(
        self, role: Role, identity: Identity, arrival: Arrival, sock: Socket
    ) -> list[Socket]:
        if arrival.place is not None:
            self._take_place(role, identity, arrival)
        me = self._participants.get(arrival.uuid)
        if me is not None:
            for talk in talks_of(me):  # it may have seen elsewhere what is still on its way here
                talk.behind = True
                if sock.dialect.version == 1:  # others look it up in their turn
                    self._runtime.spawn(self.catch_up, talk)
        replaced = super()._welcome(role, identity, arrival, sock)
        participant = self._participants[arrival.uuid]
        participant.here = True
        participant.elsewhere = arrival.elsewhere
        if role is Role.WAITER:
            participant.login = arrival.came
            self._tell_login(participant, arrival.elsewhere)
        return replaced

    def _ask(self, participant: Participant, sock: Socket, arrival: Arrival) -> list[Question]:
        asked = super()._ask(participant, sock, arrival)
        if not arrival.standing:
            return asked
        missed = self._handover.receive(participant, arrival)
        return asked if missed is None else [missed, *asked]

    def _park_missed(self, participant: Participant, missed: Sequence[Owed]) -> None:
        for talk in talks_of(participant):
            talk.is_left_by(participant.role)
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
        me.line, me.lines, me.talk = None, {}, None
        me.identity = identity
        for chatting in place.chats:
            other = self._known(chatting.other)
            user, waiter = (me, other) if role is Role.USER else (other, me)
            is_new = me.uuid not in other.lines and other.line is None
            user.talk = talk = self._talk(user, chatting.talk)
            talk.record.waiter, talk.record.waiter_subject = waiter.uuid, waiter.identity.subject
            to_waiter, to_user = self._join(user, waiter, talk)
            self.writer.amend(talk.record)  # who was to write it may have been killed before
            if is_new:  # it has not been told yet
                self._meet(other, to_user if other is waiter else to_waiter, True, asked=False)
        if role is Role.WAITER:
            me.phase = Phase.ON_DUTY if place.ready else Phase.OFF_DUTY
        elif me.line is None:
            me.talk = self._talk(me, place.talk) if place.begun else None
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
        was_there = bool(person.sockets or before)
        self._person(event, event.participant)
        now = set(person.elsewhere)
        is_there = bool(person.sockets or now)
        if was_there != is_there:
            self._show(person, "online" if is_there else "away")
        # The desk may not know yet that it has left this worker: that is told in its turn.
        is_known_here = any(self._worker in one.workers for one in event.people)
        leaves = bool(now) and person.here and not person.sockets and not is_known_here
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
        for talk in talks_of(person):
            if not person.here:
                talk.told.pop(person.role, None)
                if before and not now and not talk.fresh:
                    talk.away[person.role] = talk.last_seq
            away = talk.away.pop(person.role, None) if now else None
            # what went to where it was before may be missing where it is now
            self._send(now - before, Reached(talk.record.key, talk.end, person.uuid, away))
            if before - now:  # a worker that was killed has not told all that it stored
                self._order.check(talk)
        self._forget(person)

    def _forget(self, person: Participant) -> None:
        """Who has no socket here and talks with nobody here is other workers' business."""
        lines = person.all_lines
        if person.here:
            return
        if any(line.to.here for line in lines):
            for line in lines:  # a waiter: some may have stayed for it alone
                if not line.to.here and not any(one.to.here for one in line.to.all_lines):
                    self._drop(line.to)
            return
        self._drop(person)
        for line in lines:
            self._forget(line.to)

    def _drop(self, person: Participant) -> None:
        self._participants.pop(person.uuid, None)
        self._handover.forget(person.uuid)
        for talk in talks_of(person):
            self._order.talks.pop(talk.record.key, None)
        for line in person.all_lines:
            _let_go(line.to, person)
        person.line, person.lines, person.talk = None, {}, None

    def _is_kept_for(self, participant: Participant) -> bool:
        # Of all that hear of it, the one keeps it where it was last.
        return participant.here and participant.is_away

    def _park_spoken(self, spoken: Spoken) -> None:
        # It is read from the history on return (`handover.py`); as much as is counted here.
        to = spoken.line.to
        if to.version == 1 and self._is_kept_for(to):
            to.parked_bytes += len(spoken.plain())

    @property
    def held(self) -> int:
        return self._order.held

    def keeps_for_somebody(self) -> bool:
        return any(
            one.version == 1 and self._is_kept_for(one) and (one.parked or one.all_lines)
            for one in list(self._participants.values())
        )

    # ---- messages ------------------------------------------------------

    def say(
        self, line: Line, sock: Socket, texts: list[str], ids: Ids,
        kind: Kind = TEXT, data: str | None = None,
    ) -> bool:  # fmt: skip
        if kind is not TEXT and self._figures.reads < READS_ENTRIES:
            return False  # an earlier worker would take it for a text
        return super().say(line, sock, texts, ids, kind, data)

    def _begin(self, spoken: Spoken) -> bool:
        talk = cast(SharedTalk, spoken.talk)
        talk.begin(spoken)
        if super()._begin(spoken):
            return True
        del talk.under_way[spoken]
        return False

    def _told(self, saying: Any) -> None:
        talk = saying.talk
        del talk.under_way[saying]
        if not saying.stored:
            self._answer(saying)
            return
        if saying.texts:
            self._tell_others(talk, saying)
        last = saying.seqs[-1] if saying.texts else saying.first - 1
        talk.stored_to(last)
        known = self._order.talks.get(talk.record.key, talk)
        if known is not talk:  # both sides were forgotten meanwhile, and one is back
            self._order.reach(known, last)
        self._order.put(talk, saying)

    def _tell_others(self, talk: SharedTalk, spoken: Spoken) -> None:
        """Write to the workers of both sides what is stored."""
        line = spoken.line
        workers = {*line.to.elsewhere, *line.sender.elsewhere}
        if workers:
            ids = None if spoken.client_ids is None else list(spoken.client_ids)
            self._send(
                workers,
                Said(
                    talk.record.key, spoken.side, spoken.author, spoken.date, spoken.seqs[0],
                    spoken.texts, ids=ids, kind=spoken.kind.number, data=spoken.data,
                ),
            )  # fmt: skip

    def catch_up(self, talk: Talk) -> None:
        if isinstance(talk, SharedTalk):
            self._order.catch_up(talk)

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
        return letter.talk in self._order.talks

    def _said(self, letter: Said, sender: str) -> None:
        self._order.hear(letter)

    def _passed(self, letter: Passed, sender: str) -> None:
        talk = self._order.talks.get(letter.talk)
        line = talk.lines.get(letter.side) if talk is not None else None
        if line is None:
            return
        if letter.seq is not None:
            self._mark(line, letter.seq)
            super().tell_read(line, letter.seq)
        elif letter.on is not None:
            super().tell_typing(line, letter.on)
        elif letter.signal:
            super().signal(line, letter.signal)

    def _reached(self, letter: Reached, sender: str) -> None:
        if talk := self._order.talks.get(letter.talk):
            self._order.reach(talk, letter.seq)
        self._handover.hint(sender, letter)

    def _tell_login(self, waiter: Participant, workers: Iterable[str]) -> None:
        if waiter.sockets:
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
                replaced = waiter.sockets
                waiter.hold(())
                self._park_missed(waiter, ())
            if replaced:
                self.desk.drop(letter.uuid)
        self.carry_out()
        for sock in replaced:
            sock.replace()

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
        for sock in person.sockets[-1:]:
            if sock.dialect.version > 1:
                self._put_parked(person, sock)
            elif asked := [one for one in owed if not isinstance(one, Kept)]:
                person.parked.clear()
                sock.wait_for(asked)

    def tell_typing(self, line: Line, on: bool) -> None:
        super().tell_typing(line, on)
        side = SIDES[line.sender.role]
        self._send(line.to.elsewhere, Passed(line.talk.record.key, side, on=on))

    def signal(self, line: Line, name: str) -> None:
        super().signal(line, name)
        side = SIDES[line.sender.role]
        self._send(line.to.elsewhere, Passed(line.talk.record.key, side, signal=name))

    def tell_read(self, line: Line, seq: int) -> None:
        super().tell_read(line, seq)
        side = SIDES[line.sender.role]
        self._send(line.to.elsewhere, Passed(line.talk.record.key, side, seq=seq))

    # ---- what is kept --------------------------------------------------

    def channel_after_end(self, user: Participant, chat: Chat) -> Line:
        talk = self._order.talks.get(chat.key)
        if talk is None:
            return self.channel_to_nobody(user, SharedTalk(chat, behind=False))
        former = talk.lines.get(Side.USER)
        return Line(user, former.to, talk) if former else self.channel_to_nobody(user, talk)

    def _new_talk(self, user: Participant, key: int) -> Talk:
        if user.here:
            talk = SharedTalk(self._new_chat(user, key), behind=False)
            self._order.talks[key] = talk
            return talk
        return self._talk(user, key)

    def _talk(self, user: Participant, key: int) -> SharedTalk:
        """A conversation that has gone on elsewhere."""
        talk = self._order.talks.get(key)
        if talk is None:
            talk = self._order.talks[key] = SharedTalk(self._new_chat(user, key), behind=True)
        return talk

    def _join(self, user: Participant, waiter: Participant, talk: Talk) -> tuple[Line, Line]:
        to_waiter, to_user = super()._join(user, waiter, talk)
        if isinstance(talk, SharedTalk):
            talk.lines = {Side.USER: to_waiter, Side.WAITER: to_user, Side.SERVER: to_user}
            for one in (user, waiter):
                if one.here and not one.sockets:
                    talk.told.setdefault(one.role, talk.last_seq)
        return to_waiter, to_user

    def _matched(self, event: Matched) -> None:
        self.clock.heed(event.talk)
        user = self._person(event, event.user)
        if user.talk is not None and event.talk not in (0, user.talk.record.key):
            self._order.talks.pop(user.talk.record.key, None)  # it has ended unheard
            user.talk = None
        if user.line is None or user.line.to.uuid != event.waiter:  # or it has been told before
            super()._matched(event)

    def _keep_match(self, event: Matched, talk: Talk, resumed: bool) -> None:
        # Each that hears of it writes it down: one of them may be killed before.
        self.writer.amend(talk.record, served=event.is_recorder)

    def _keep_parting(self, event: Parted, talk: Talk) -> None:
        if not event.requeued:
            self._end(talk.record, event.reason or "")
        elif event.is_recorder:
            self.writer.amend(talk.record, served=True)

    def _save(self, chat: Chat) -> None:
        self.writer.amend(chat)  # others write of it, too

    def _end(self, chat: Chat, reason: str = "") -> None:
        super()._end(chat, reason)
        talk = self._order.talks.get(chat.key)
        if talk is not None:
            self._over.append((self._runtime.now() + LINGER, talk))

    def _begin_event(self, event: Event, spoken: Spoken) -> None:
        if self._figures.reads < READS_ENTRIES or event.is_confided:
            return  # an earlier worker could not go on behind it; or others have written it
        spoken.client_ids = [decision_id(event.number)]
        if event.is_recorder:
            super()._begin_event(event, spoken)
        else:
            due = self._runtime.now() + RECORDER_TIMEOUT
            self._events_of_others.append((due, event.number, spoken))

    def write_missing_events(self) -> None:
        super().write_missing_events()
        now = self._runtime.now()
        while self._events_of_others and self._events_of_others[0][0] <= now:
            _, number, spoken = self._events_of_others.popleft()
            if number not in cast(SharedTalk, spoken.talk).decisions:
                self._begin_again(spoken)

    def forget_ended(self) -> None:
        """Forget what has been over for long enough, and whose sides are both gone."""
        now = self._runtime.now()
        for one in [one for one in self._over if one[0] <= now or not self._is_known(one[1])]:
            self._over.remove(one)
            talk = one[1]
            if self._order.talks.get(talk.record.key) is talk:
                del self._order.talks[talk.record.key]

    def _is_known(self, talk: SharedTalk) -> bool:
        """One of its sides at least is known here."""
        people = [one for line in talk.lines.values() for one in (line.sender, line.to)]
        return any(self._participants.get(one.uuid) is one for one in people)

    def _parted(self, event: Parted) -> None:
        user, waiter = self._person(event, event.user), self._person(event, event.waiter)
        if user.talk is None and event.talk:  # nobody who knew them is left
            user.talk = self._talk(user, event.talk)
        if isinstance(user.talk, SharedTalk) and any(
            one.elsewhere or not one.here for one in (user, waiter)
        ):  # what was said before may still be on its way
            user.talk.behind = True
        self._keep_rest(event, user, waiter)
        super()._parted(event)
        for person in (user, waiter):
            self._forget(person)

    def _keep_rest(self, event: Parted, user: Participant, waiter: Participant) -> None:
        """A participant who is away gets on return what was said before the end, then the end."""
        told, talk = (waiter if event.gone == user.uuid else user), user.talk
        if told.version == 1 and self._is_kept_for(told) and isinstance(talk, SharedTalk):
            rest = self._handover.rest(told, talk, is_over=not event.requeued)
            if rest is not None:
                self._park(told, rest)

    def _departed(self, event: Departed) -> None:
        person = self._person(event, event.participant)
        self._handover.forget(person.uuid)
        if person.talk is None and event.talk:
            person.talk = self._talk(person, event.talk)
        super()._departed(event)
        for line in person.all_lines:
            _let_go(line.to, person)
            self._forget(line.to)
        sockets = person.sockets
        person.hold(())
        for sock in sockets:  # this worker was out of reach for too long
            sock.send_back()

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
    person.lines.pop(other.uuid, None)
    if person.line is not None and person.line.to is other:
        person.line = person.talk = None
        person.phase = Phase.IDLE
