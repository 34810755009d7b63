"""What one version-2 socket has seen, and what it is still to see: every `seq` once, in order.

Rules of this file:

1. While a history is being read for this socket, all that is meant for it
   waits behind it (`turns.py`).
2. What a socket is brought ends at a `seq` that was delivered when it was asked
   for; what is stored beyond it comes live, in its turn.
3. Each frame with a text has one answer. A receipt is the showing of its `seq`
   on the socket where the text was said, and nothing else shows it there: a page
   ends before it. A receipt for what this socket has been shown before answers a
   repeat.
4. Reading the past blocks the connection that asks for it, or a greenlet of
   its own, and never the loop.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol

from msgspec import UNSET, UnsetType

from . import staff_track
from .bounds import Allowance
from .conversation.conversation import Conversation
from .conversation.kinds import Body, Kind, Side, kind_of
from .conversation.rows import MOST_SEQ, ConversationRow, EntryRow, StaffRow, key_of, public_id
from .desk.port import Role
from .history.port import Store, StoreError, Unfit
from .history.writer import RETRY
from .participants import SIDES, Channel, ChannelEntries, ParkedFrames, Participant, sealed
from .turns import Speaker, Turns
from .wire import codec, frames
from .wire.codes import ErrorCode, Refusal
from .wire.dates import rfc3339
from .wire.dialect import Dialect

log = logging.getLogger("csapp.sockets")

#: messages that a returning client is sent at once; with more it gets the latest and asks
MISSED = 1000
LATEST = 50

#: s between two looks whether a question is within the bounds by now: that of one question
TURN = 0.1


#: staff entries of a history, and whether older ones are left out; None: it has none
Staff = tuple[list[frames.StaffItem], bool] | None


class Reader(Speaker, Protocol):
    """The session that a transcript belongs to."""

    dialect: Dialect
    #: None before `auth`
    participant: Participant | None
    uuid: str

    def error(
        self, code: ErrorCode, message: str, reply_id: str | None = None
    ) -> frames.ServerFrame:
        """An `error` frame for it, counted."""


class Transcript(Turns):
    """The conversations of one *session*; *resume*: what its client says it has seen."""

    __slots__ = ("_allowed", "_early", "_resume", "_seen", "_session", "awaited")

    def __init__(self, session: Reader, resume: dict[str, int]) -> None:
        super().__init__(session)
        self._session = session
        #: conversation → the last `seq` sent to this socket
        self._seen: dict[str, int] = {}
        self._resume = resume
        #: how much of the past it may be sent without asking
        self._allowed: Allowance | None = None
        #: client ids of texts that were said on this socket and have no answer
        self.awaited: set[str | None] = set()
        #: … that got it when another worker's letter told of them first
        self._early: set[str] = set()

    # ---- live ----------------------------------------------------------

    def acknowledge(self, entries: ChannelEntries) -> None:
        """What was said on this socket is stored: receipts."""
        self.do(partial(self._acknowledge, entries), entries)

    def _acknowledge(self, entries: ChannelEntries) -> None:
        conversation, date = entries.conversation.id, rfc3339(entries.date)
        if entries.seqs:
            self._seen[conversation] = max(entries.seqs[-1], self._seen.get(conversation, 0))
        self.awaited.difference_update(entries.client_ids or ())
        for client_id, seq in zip(entries.client_ids or (), entries.seqs, strict=True):
            if client_id is not None:
                self._send_receipt(entries.kind, conversation, client_id, seq, date)
        for client_id, first in entries.repeats:
            self.awaited.discard(client_id)
            if first is None:
                what = "id: it stands for another message of this conversation"
                self._object(ErrorCode.ID_CONFLICT, what, client_id)
            elif client_id in self._early:
                self._early.remove(client_id)
            else:
                date = rfc3339(first.date)
                self._send_receipt(entries.kind, conversation, client_id, first.seq, date)

    def _send_receipt(
        self, kind: Kind, conversation: str, client_id: str, seq: int, date: str
    ) -> None:
        receipt = kind.receipt(
            id=codec.new_id(), to=self._session.uuid, reply_id=client_id, conversation=conversation,
            seq=seq, date=date, payload=frames.ReceiptPayload(seq, date),
        )  # fmt: skip
        self._send(receipt)

    def deliver(self, entries: ChannelEntries) -> None:
        """Stored texts: for this participant, or its own said on another socket."""
        self.do(partial(self._deliver, entries), entries)

    def _deliver(self, entries: ChannelEntries) -> None:
        conversation = entries.conversation.id
        seen = self._seen.get(conversation, 0)
        last = entries.seqs[-1]
        if last <= seen:
            return
        self._seen[conversation] = last
        own = entries.channel.sender is self._session.participant
        said = own and entries.side != Side.SERVER
        if said and self.awaited and not self.awaited.isdisjoint(entries.client_ids or ()):
            self._deliver_repeated(entries, seen)
        else:
            self._connection.put(entries.for_version_2(own=own, beyond=seen))

    def _deliver_repeated(self, entries: ChannelEntries, seen: int) -> None:
        """What another socket has said, and some of which was said here again meanwhile."""
        rows = zip(entries.client_ids or (), entries.texts, entries.seqs, strict=True)
        date = rfc3339(entries.date)
        for client_id, text, seq in rows:
            if seq <= seen:
                continue
            if client_id is not None and client_id in self.awaited:
                self.awaited.remove(client_id)
                self._early.add(client_id)
                self._send_receipt(entries.kind, entries.conversation.id, client_id, seq, date)
            else:
                self._connection.put(entries.encode_entry(text, seq, own=True))

    # ---- meeting again -------------------------------------------------

    def open_conversation(self, channel: Channel, frame: frames.ServerFrame) -> None:
        """Say who is at the other end of *line*, and what this socket has missed of their talk."""
        conversation = channel.conversation
        known = self._seen.get(conversation.id, self._resume.get(conversation.id, 0))
        # a waiter may have missed staff entries, which no `seq` counts
        nothing_to_read = self._keeps_nothing or (
            not conversation.behind
            and conversation.last_seq == known
            and (channel.sender.role is Role.USER or not known)
        )
        if not self.waits and nothing_to_read:
            self._introduce(channel, frame)
        else:
            self.in_turn(partial(self._introduce, channel, frame))

    def _introduce(self, channel: Channel, frame: Any) -> None:
        conversation = channel.conversation
        if conversation.behind:
            frame = self._better_known(channel, frame)
        end = self._before_parked(conversation)  # now, in its turn
        resumed = self._resume.pop(conversation.id, None)
        is_wrong = resumed is not None and resumed > end
        seen = self._seen.get(conversation.id, None if is_wrong else resumed)
        # What waits to be told here is told, or acknowledged, after the page.
        last = max((self.first_waiting(conversation) or end + 1) - 1, seen or 0)
        frame.payload.last_seq = last
        self._send(frame)
        if is_wrong:
            what = f"payload.resume: {conversation.id} ends at {end}"
            self._object(ErrorCode.INVALID_MESSAGE, what)
        self._bring(conversation.row, last, seen)
        if self._keeps_nothing:
            self._seen[conversation.id] = conversation.last_seq  # what is parked follows at once
        if channel.to.is_away:
            dialect, me = self._session.dialect, channel.sender.uuid
            presence = dialect.presence(me, channel.to.uuid, conversation.id, "away")
            if presence is not None:
                self._send(presence)

    @property
    def _keeps_nothing(self) -> bool:
        """There is no history: what an absent side is to hear is parked for both versions."""
        return self._session.house.switchboard.store is None

    def resumed(self, conversation: int) -> int | None:
        """The last `seq` of a talk that its client says it has seen; None: it says nothing."""
        return self._resume.get(public_id(conversation))

    def _before_parked(self, conversation: Conversation) -> int:
        """The last `seq` of *talk* but for the texts that wait for this participant."""
        me = self._session.participant
        parked = () if me is None else me.parked
        frames_parked = [one for one in parked if isinstance(one, ParkedFrames)]
        waiting = [
            one.first
            for one in frames_parked
            if one.full and one.conversation == conversation.row.key
        ]
        return min(waiting, default=conversation.last_seq + 1) - 1

    def _better_known(self, channel: Channel, frame: Any) -> Any:
        """*frame* once all is delivered here that was stored of the talk until now."""
        switchboard, dialect = self._session.house.switchboard, self._session.dialect
        switchboard.catch_up(channel.conversation)
        resumed = (
            frame.payload.resumed or channel.conversation.last_seq > 1
        )  # the first: who serves it
        better = switchboard.introduce(channel.sender, channel, resumed, dialect)
        better.reply_id = frame.reply_id
        return better

    def resume_others(self, here: set[str]) -> None:
        """What is missed of conversations that are not *here*: over, or without a waiter."""
        for conversation in [one for one in self._resume if one not in here]:
            after = self._resume.pop(conversation)
            self.in_turn(partial(self._bring_other, conversation, after))

    def _bring_other(self, name: str, after: int) -> None:
        me, store = self._session.participant, self._session.house.switchboard.store
        row = None
        if not self._session.house.bounds.questions.take(self._whose):
            what = f"payload.resume: {name}: too many questions in too short a time"
            self._object(ErrorCode.RATE_LIMITED, what)
            return
        if store is not None and (key := key_of(name)) is not None:
            row = self._insist(store.conversation, key)
        if row is None or store is None or not self._insist(self._may_read, store, row):
            what = f"payload.resume: {name} is no conversation of yours"
            self._object(ErrorCode.FORBIDDEN, what)
            return
        conversation = me.conversation if me is not None else None
        last = row.last_seq
        if conversation is not None and conversation.row.key == row.key:
            self._session.house.switchboard.catch_up(conversation)
            row, last = (
                conversation.row,
                conversation.last_seq,
            )  # the record's own is as old as the record
        if after > last:
            what = f"payload.resume: {name} ends at {last}"
            self._object(ErrorCode.INVALID_MESSAGE, what)
        self._bring(row, last, min(after, last))

    def _bring(self, row: ConversationRow, last: int, after: int | None) -> None:
        """One `message_history` with what comes after *after*, or the latest."""
        found: list[EntryRow] | None = []
        store = self._session.house.switchboard.store
        if store is not None and last > (after or 0):
            self._await_budget()
            before = last + 1  # what is stored beyond it is still to be delivered
            most = self._allowance.rows(MISSED)
            if after is not None and most:
                found = self._insist(
                    store.entries, row.key, after=after, before=before, limit=most + 1,
                    newest=False,
                )  # fmt: skip
            if most and (after is None or found is None or len(found) > most):
                latest = min(LATEST, most)
                found = self._insist(store.entries, row.key, before=before, limit=latest)
        if found is None:  # nobody waits for it any more
            return
        found = found[len(found) - self._allowance.fit(_sizes(reversed(found))) :]
        begin = found[0].seq if found else last + 1
        complete = begin <= (after or 0) + 1
        last = found[-1].seq if found else last
        conversation = public_id(row.key)
        self._seen[conversation] = max(last, self._seen.get(conversation, 0))
        staff: Staff = None
        if store is not None:
            place = (begin - 1, MOST_SEQ) if last else None
            staff = self._staff_beside(store, self._insist, row, place, self._allowance)
        self._send_history(row, found, complete, last, staff)

    @property
    def _whose(self) -> str:
        """The participant, as bounds name it."""
        me = self._session.participant
        return "" if me is None else f"{me.role}:{me.identity.subject}"

    @property
    def _allowance(self) -> Allowance:
        if self._allowed is None:
            self._allowed = Allowance(self._session.house.bounds, self._whose)
        return self._allowed

    def _insist(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Ask the store, again and again while it is down; None once nobody waits any more."""
        runtime = self._session.house.runtime
        while self._connection.code is None:
            try:
                return runtime.blocking(partial(function, *args, **options))
            except Unfit:
                raise
            except StoreError:
                runtime.sleep(RETRY)
        return None

    # ---- asked for -----------------------------------------------------

    def get_history(self, frame: frames.GetHistory, me: Participant) -> None:
        """Older or newer messages of a conversation that one may read. Raises `Refusal`."""
        asked = frame.payload or frames.PagePayload()
        store = self._store(frame)
        row = self._find_readable(frame, asked.conversation, me)
        before = asked.before if isinstance(asked.before, int) else None
        after = asked.after if isinstance(asked.after, int) else 0
        forward = isinstance(asked.after, int) and before is None
        found = self._ask(
            store.entries, row.key, after=after, before=before, limit=asked.limit + 1,
            newest=not forward,
        )  # fmt: skip
        if not forward:
            found.reverse()
        page = Allowance(self._session.house.bounds, self._whose)
        count = min(asked.limit, page.fit(_sizes(found)))
        complete = len(found) <= count
        found = found[:count] if forward else found[:count][::-1]
        to_the_end = complete if forward else before is None
        place = staff_track.beside(found, after, to_the_end=to_the_end)
        staff = self._staff_beside(store, self._ask, row, place, page)
        self.do(
            partial(self._send_history, row, found, complete, row.last_seq, staff, frame.reply_id)
        )

    def _find_readable(
        self, frame: frames.ClientFrame, named: str | UnsetType, me: Participant
    ) -> ConversationRow:
        """The conversation that is *named*, or the only one. Raises `Refusal`. Waits."""
        store = self._store(frame)
        self._await_turn()
        key = key_of(named) if isinstance(named, str) else None
        if named is UNSET:
            conversation = me.only_conversation
            if conversation is None:
                what = "payload.conversation: is required"
                raise Refusal(ErrorCode.INVALID_MESSAGE, what, frame.reply_id)
            key = conversation.row.key
        row: ConversationRow | None = None if key is None else self._ask(store.conversation, key)
        if row is None or not self._ask(self._may_read, store, row):
            what = "payload.conversation: no such conversation of yours"
            raise Refusal(ErrorCode.FORBIDDEN, what, frame.reply_id)
        return row

    # ---- the staff track -----------------------------------------------

    def write_for_staff(self, frame: Any, kind: Kind, body: Body, me: Participant) -> None:
        """Store an entry that only waiters read, and show it to them. Raises `Refusal`. Waits."""
        switchboard = self._session.house.switchboard
        row = self._find_readable(frame, frame.payload.conversation, me)
        entry = StaffRow(
            row.key, 0, 0, kind.number, me.identity.subject, frame.reply_id, *body,
            switchboard.clock.ms(),
        )  # fmt: skip
        stored, is_new = self._ask(self._store(frame).write_for_staff, entry)
        if (stored.kind, stored.body, stored.data) != (entry.kind, entry.body, entry.data):
            what = "id: it stands for another entry of this conversation"
            raise Refusal(ErrorCode.ID_CONFLICT, what, frame.reply_id)
        date = rfc3339(stored.date)
        receipt = kind.receipt(
            id=codec.new_id(), to=self._session.uuid, conversation=public_id(row.key), date=date,
            payload=frames.StaffReceiptPayload(stored.n, date),
        )  # fmt: skip
        if frame.reply_id is not None:
            receipt.reply_id = frame.reply_id
        self.do(partial(self._send, receipt))
        if is_new:
            switchboard.show_to_staff(row.waiter, stored, me, self._session)

    def _staff_beside(
        self, store: Store, ask: Callable[..., Any], row: ConversationRow,
        place: tuple[int, int] | None, page: Allowance,
    ) -> Staff:  # fmt: skip
        """What a waiter is shown of the staff track at *place* (see `staff_track.beside`)."""
        me = self._session.participant
        if me is None or me.role is Role.USER or place is None:
            return None
        first, last = place
        most = staff_track.MOST
        some = ask(store.staff_entries, row.key, first=first, last=last, limit=most + 1)
        if some is None:  # nobody waits for it any more
            return None
        fit = page.fit(_sizes(reversed(some[-most:])))
        shown = some[len(some) - fit :]
        return [staff_track.item(one, me) for one in shown], len(shown) < len(some)

    def find_ended(self, frame: Any, conversation: str, me: Participant) -> ConversationRow:
        """A conversation of *me*, as it is stored. Raises `Refusal`. Waits for the store."""
        store, key = self._store(frame), key_of(conversation)
        self._await_turn()
        row: ConversationRow | None = None if key is None else self._ask(store.conversation, key)
        if row is None or row.user_subject != me.identity.subject:
            what = "payload.conversation: no such conversation of yours"
            raise Refusal(ErrorCode.FORBIDDEN, what, frame.reply_id)
        return row

    def get_history_session(self, frame: frames.GetHistorySession, me: Participant) -> None:
        """The conversations that this waiter has had, or those of one visitor; newest first."""
        asked = frame.payload or frames.SessionsPayload()
        store = self._store(frame)
        self._await_turn()
        before = key_of(asked.before) if isinstance(asked.before, str) else None
        if before is None and asked.before is not UNSET:  # or it would begin anew, again and again
            what = "payload.before: no conversation has such an id"
            raise Refusal(ErrorCode.INVALID_MESSAGE, what, frame.reply_id)
        side, subject = Side.WAITER, me.identity.subject
        if isinstance(asked.sub, str):
            side, subject = Side.USER, asked.sub
            if not self._ask(self._knows, store, subject):
                what = "payload.sub: you have served no such visitor"
                raise Refusal(ErrorCode.FORBIDDEN, what, frame.reply_id)
        found = self._ask(
            store.conversations_of, side, subject, before=before, limit=asked.limit + 1
        )
        answer = frames.SessionHistory(
            id=codec.new_id(),
            to=self._session.uuid,
            payload=frames.SessionsFound(
                [_session_item(one) for one in found[: asked.limit]], len(found) <= asked.limit
            ),
        )
        answer.reply_id = frame.id
        self.do(partial(self._send, answer))

    def _await_turn(self) -> None:
        """Wait until one more question is within the participant's bounds.

        The connection is not read meanwhile, so whoever asks for too much is
        slowed down on that connection, and whoever reads a long history is not refused.
        """
        self._await_budget()
        bounds, runtime = self._session.house.bounds, self._session.house.runtime
        while not bounds.questions.take(self._whose) and self._connection.code is None:
            runtime.sleep(TURN)

    def _await_budget(self) -> None:
        """Wait until the participant may be sent more of the past."""
        bounds, runtime = self._session.house.bounds, self._session.house.runtime
        while bounds.history.left(self._whose) <= 0 and self._connection.code is None:
            runtime.sleep(TURN)

    def _store(self, frame: frames.ClientFrame) -> Store:
        store = self._session.house.switchboard.store
        if store is None:
            what = "this server keeps no history"
            raise Refusal(ErrorCode.UNAVAILABLE, what, frame.reply_id)
        return store

    def _ask(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Ask the store once. Raises `StoreError`."""
        return self._session.house.runtime.blocking(partial(function, *args, **options))

    def _may_read(self, store: Store, row: ConversationRow) -> bool:
        """A user reads its own; a waiter, all of users whom it serves or served. Blocks."""
        me = self._session.participant
        if me is None:
            return False
        if me.role is Role.USER:
            return row.user_subject == me.identity.subject
        return self._knows(store, row.user_subject)

    def _knows(self, store: Store, user: str) -> bool:
        me = self._session.participant
        if me is None:
            return False
        served = any(channel.to.identity.subject == user for channel in list(me.channels.values()))
        return served or store.knows(me.identity.subject, user)

    # ---- sending -------------------------------------------------------

    def _send_history(
        self,
        row: ConversationRow,
        found: list[EntryRow],
        complete: bool,
        last: int,
        staff: Staff,
        reply_id: str | None = None,
    ) -> None:
        frame = frames.MessageHistory(
            id=codec.new_id(),
            to=self._session.uuid,
            conversation=public_id(row.key),
            payload=frames.HistoryPayload(
                conversation=public_id(row.key),
                messages=[self._item(row, one) for one in found],
                complete=complete,
                state=_state(row),
                last_seq=last,
                reason=row.reason,
                staff=staff[0] if staff else UNSET,
                staff_left_out=bool(staff and staff[1]),
            ),
        )
        if reply_id is not None:
            frame.reply_id = reply_id
        self._send(frame)

    def _item(self, row: ConversationRow, one: EntryRow) -> frames.Item:
        me = self._session.participant
        mine = me is not None and (one.side, one.author) == (SIDES[me.role], me.identity.subject)
        colleague = not mine and one.side == Side.WAITER and me is not None and (
            me.role is Role.WAITER
        )  # fmt: skip
        speakers: dict[int, str] = {Side.USER: row.user, Side.WAITER: row.waiter or ""}
        uuid = speakers.get(one.side, "")
        kind = kind_of(one.kind)
        return frames.Item(
            seq=one.seq,
            type=kind.name,
            from_=self._session.uuid if mine else "" if colleague else uuid,
            date=rfc3339(one.date),
            payload=kind.payload_of(one.body, one.data),
            client_id=one.client_id if mine and one.client_id is not None else UNSET,
            author=one.author if colleague else UNSET,
        )

    def _object(self, code: ErrorCode, message: str, reply_id: str | None = None) -> None:
        """An error in its turn: what is put now would come behind what waits."""
        self._send(self._session.error(code, message, reply_id))

    def _send(self, frame: frames.ServerFrame) -> None:
        self._connection.put(sealed(frame))


def _session_item(row: ConversationRow) -> frames.SessionItem:
    return frames.SessionItem(
        conversation=public_id(row.key),
        name=row.user_name,
        sub=row.user_subject,
        state=_state(row),
        opened=rfc3339(row.opened),
        last_seq=row.last_seq,
        read=row.waiter_read,
        ended=UNSET if row.ended is None else rfc3339(row.ended),
        page=row.page,
        avatar=row.user_avatar,
    )


def _sizes(found: Iterable[EntryRow | StaffRow]) -> list[int]:
    """Bytes of what they hold."""
    return [len(one.body.encode()) + len(one.data or "") for one in found]


def _state(row: ConversationRow) -> str:
    return "open" if row.ended is None else "ended"
