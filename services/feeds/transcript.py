"""The feed of a connection that speaks version 2: it is shown every `seq` once, in order.

Rules of this file:

1. While a history is read for this connection, all else that it is sent waits behind
   it (`turns.py`).
2. What the client has missed is read up to a `seq` that was delivered when it was
   asked for; what is stored beyond it is delivered in its turn.
3. Each frame that writes an entry has one answer. A receipt shows a `seq` to the
   connection on which the entry was written, and nothing else shows it there: a page
   ends before it. A receipt for what the connection was shown before answers a
   repeat.

Where there is a history, `history.py` adds what is read from it; where there is none,
`unstored.py` says what happens instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from msgspec import UNSET

from ..admission import Admission
from ..bounds import Allowance
from ..channels import Channel, ChannelEntries, sealed
from ..conversation.conversation import Conversation
from ..conversation.kinds import Kind, Side, kind_of
from ..conversation.rows import MESSAGE, ConversationRow, EntryRow, StaffRow, public_id
from ..desk.port import Role
from ..house import House
from ..identity import Identity
from ..participants import SIDES, Participant, Phase
from ..transport.connection import Connection
from ..wire import codec, frames
from ..wire.codes import ErrorCode
from ..wire.dates import rfc3339
from ..wire.dialect import DIALECTS
from .base import BaseFeed

#: staff entries of a history, and whether older ones are left out; None: it has none
Staff = tuple[list[frames.StaffItem], bool] | None


class TranscriptFeed(BaseFeed):
    """Version 2. *auth* says in `resume` what the client has seen."""

    __slots__ = ("_allowed", "_early", "_resume", "_seen", "alive_at", "awaited")

    dialect = DIALECTS[2]

    def __init__(
        self, connection: Connection, house: House, admission: Admission, uuid: str,
        auth: frames.Auth | None = None,
    ) -> None:  # fmt: skip
        super().__init__(connection, house, admission, uuid)
        self.pending = auth
        #: by conversation: the last `seq` that this connection was sent
        self._seen: dict[str, int] = {}
        resume = auth.payload.resume if auth is not None else None
        self._resume: dict[str, int] = dict(resume or {})
        self.alive_at = None
        #: how much of the past the client may be sent without asking
        self._allowed: Allowance | None = None
        #: client ids of entries that were written on this connection and have no answer
        self.awaited: set[str | None] = set()
        #: … that were answered when another worker's letter brought them first
        self._early: set[str] = set()

    # ---- coming --------------------------------------------------------

    def _greet(self, participant: Participant) -> None:
        switchboard = self.house.switchboard
        self.answer_auth(participant.identity, self.pop_pending_request(frames.Auth))
        if participant.role is Role.WAITER:
            if participant.phase is Phase.ON_DUTY:
                self.send_duty(True)
            switchboard.send_queue_status(participant, self)
            self.house.left_messages.greet(participant, self)
        channels = participant.all_channels
        for channel in channels:
            frame = switchboard.introduce(participant, channel, True, self.dialect)
            self.open_conversation(channel, frame)
        self._send_others({channel.conversation.id for channel in channels})

    def answer_auth(self, identity: Identity, asked: frames.ClientFrame | None) -> None:
        """Answer *asked*, an `auth`: who the participant is, and for how long."""
        house, role = self.house, self.admission.role
        payload = frames.SelfPayload(
            self.uuid, identity.subject, identity.name, identity.avatar, role.value,
            round(self.admission.left, 1), house.settings.max_text,
            role is Role.WAITER and house.settings.take, house.settings.ratings,
        )  # fmt: skip
        if house.files is not None:
            settings = house.settings
            payload.files = frames.FilesPayload(settings.max_file, settings.file_types)
        now = rfc3339(house.switchboard.clock.ms())
        frame = frames.AuthSuccess(id=codec.new_id(), to=self.uuid, payload=payload, date=now)
        if asked is not None and asked.reply_id is not None:
            frame.reply_id = asked.reply_id
        self.send(frame)

    def send_duty(self, ready: bool, asked: frames.ClientFrame | None = None) -> None:
        """Tell a waiter whether it takes users: it may have said so in another window."""
        success = frames.ReadySuccess if ready else frames.UnreadySuccess
        payload = frames.CapacityPayload(self.house.switchboard.desk.capacity(self.uuid))
        frame = success(id=codec.new_id(), to=self.uuid, payload=payload)
        if asked is None:
            self.send(frame)
        else:
            self.reply(asked, frame)

    def probe(self) -> None:
        """Ask; the answer is `alive`."""
        self.send(frames.Probe(id=codec.new_id(), to=self.uuid))

    # ---- what is written here ------------------------------------------

    def write(
        self, channel: Channel, texts: list[str], ids: Sequence[str | None], kind: Kind,
        data: str | None,
    ) -> bool:  # fmt: skip
        """Have entries stored; the client ids name them."""
        if "\0" in "".join(filter(None, ids)):
            return False
        self.in_flight += len(texts)
        self.awaited.update(ids)
        if self.house.switchboard.say(channel, self, texts, ids, kind, data):
            return True
        self.in_flight -= len(texts)
        self.awaited.difference_update(ids)
        return False

    def acknowledge(self, entries: ChannelEntries) -> None:
        """Entries that were written on this connection are stored: receipts; or refused."""
        self._landed(entries)
        if entries.stored and entries.channel.is_over:
            self.in_turn(partial(self._acknowledge_late, entries), entries=entries)
        elif entries.stored:
            self.do(partial(self._acknowledge, entries), entries)
        else:
            self.do(partial(self._refuse_all, entries))

    def _refuse_all(self, entries: ChannelEntries) -> None:
        self.awaited.difference_update(entries.client_ids or ())
        super()._refuse_all(entries)

    # ---- live ----------------------------------------------------------

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

    def _acknowledge_late(self, entries: ChannelEntries) -> None:
        """*entries* were on their way when their writer was parted from its user.

        What was stored before them after that went to the next waiter only: a page brings it, and
        those of them that are repeated here.
        """
        conversation = entries.conversation
        seen = self._seen.get(conversation.id)
        repeated = max((first.seq for _, first in entries.repeats if first is not None), default=0)
        last = entries.seqs[0] - 1 if entries.seqs else repeated
        if seen is not None and last > seen:
            self._send_missed(conversation.row, last, seen)
        self._acknowledge(entries)

    def _send_receipt(
        self, kind: Kind, conversation: str, client_id: str, seq: int, date: str
    ) -> None:
        receipt = kind.receipt(
            id=codec.new_id(), to=self.uuid, reply_id=client_id, conversation=conversation,
            seq=seq, date=date, payload=frames.ReceiptPayload(seq, date),
        )  # fmt: skip
        self._send_now(receipt)

    def deliver(self, entries: ChannelEntries) -> None:
        """Stored entries for the participant, or its own, written on another connection."""
        self.do(partial(self._deliver, entries), entries)

    def _deliver(self, entries: ChannelEntries) -> None:
        conversation = entries.conversation.id
        seen = self._seen.get(conversation, 0)
        last = entries.seqs[-1]
        if last <= seen:
            return
        self._seen[conversation] = last
        own = entries.channel.sender is self.participant
        said = own and entries.side != Side.SERVER
        if said and self.awaited and not self.awaited.isdisjoint(entries.client_ids or ()):
            self._deliver_repeated(entries, seen)
        else:
            self.connection.put(entries.for_version_2(own=own, beyond=seen))

    def deliver_late(self, entries: ChannelEntries) -> None:
        """*entries* of a former waiter: a page of the history says who has written them."""
        self.in_turn(partial(self._deliver_late, entries))

    def _deliver_late(self, entries: ChannelEntries) -> None:
        conversation = entries.conversation
        seen = self._seen.get(conversation.id)
        if seen is not None and seen < entries.seqs[-1]:
            self._send_missed(conversation.row, entries.seqs[-1], seen)

    def _deliver_repeated(self, entries: ChannelEntries, seen: int) -> None:
        """*entries* were written on another connection, and some of them here again meanwhile."""
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
                self.connection.put(entries.encode_entry(text, seq, own=True))

    # ---- meeting again -------------------------------------------------

    def open_conversation(self, channel: Channel, frame: frames.ServerFrame) -> None:
        """*frame* says who is at the other end of *channel*; what the client missed follows it."""
        if self.waits or self._must_read(channel):
            self.in_turn(partial(self._introduce, channel, frame), channel.conversation)
        else:
            self._introduce(channel, frame)

    def _must_read(self, channel: Channel) -> bool:
        """The history has to be read before the client knows the conversation."""
        return False

    def _introduce(self, channel: Channel, frame: Any) -> None:
        conversation = channel.conversation
        if conversation.behind:
            frame = self._better_known(channel, frame)
        end = self._end(conversation)  # now, in its turn
        resumed = self._resume.pop(conversation.id, None)
        is_wrong = resumed is not None and resumed > end
        seen = self._seen.get(conversation.id, None if is_wrong else resumed)
        last = self._end_of_page(conversation, end, seen or 0)
        frame.payload.last_seq = last
        self._send_now(frame)
        if is_wrong:
            what = f"payload.resume: {conversation.id} ends at {end}"
            self._object(ErrorCode.INVALID_MESSAGE, what)
        self._show_missed(conversation, last, seen)
        if channel.to.is_away:
            me = channel.sender.uuid
            presence = self.dialect.presence(me, channel.to.uuid, conversation.id, "away")
            if presence is not None:
                self._send_now(presence)

    def _end_of_page(self, conversation: Conversation, end: int, seen: int) -> int:
        """The last `seq` on a page of *conversation*, which ends at *end* and is *seen* so far.

        What waits for its turn here is sent, or acknowledged, after the page.
        """
        return max((self.first_waiting(conversation) or end + 1) - 1, seen)

    def _end(self, conversation: Conversation) -> int:
        """The last `seq` of *conversation* that is delivered here, or shown now."""
        return conversation.last_seq

    def _better_known(self, channel: Channel, frame: Any) -> Any:
        """*frame* once all is delivered here that was stored of the conversation until now."""
        switchboard = self.house.switchboard
        switchboard.catch_up(channel.conversation)
        resumed = (
            frame.payload.resumed or channel.conversation.last_seq > 1
        )  # the first entry says who serves it
        better = switchboard.introduce(channel.sender, channel, resumed, self.dialect)
        better.reply_id = frame.reply_id
        return better

    def last_seen(self, conversation: int) -> int | None:
        """The last `seq` that the client says it has seen; None: it says nothing."""
        return self._resume.get(public_id(conversation))

    def _send_others(self, here: set[str]) -> None:
        """What is missed of conversations that are not *here*: over, or without a waiter."""
        for conversation in [one for one in self._resume if one not in here]:
            after = self._resume.pop(conversation)
            self.in_turn(partial(self._send_other, conversation, after))

    def _send_other(self, name: str, after: int) -> None:
        if not self.house.bounds.questions.take(self._whose):
            what = f"payload.resume: {name}: too many questions in too short a time"
            self._object(ErrorCode.RATE_LIMITED, what)
            return
        row = self._find_own(name)
        if row is None:
            what = f"payload.resume: {name} is no conversation of yours"
            self._object(ErrorCode.FORBIDDEN, what)
            return
        me = self.participant
        if me is not None and any(one.conversation.id == name for one in me.all_channels):
            if name not in self._seen:  # a waiter serves it by now, and `_introduce` shows it
                self._resume[name] = after
            return
        ongoing = me.conversation if me is not None else None
        if ongoing is not None and ongoing.row.key != row.key:
            ongoing = None
        last = row.last_seq
        if ongoing is not None:
            self.house.switchboard.catch_up(ongoing)
            # The row that was read is older than what is delivered by now.
            row, last = ongoing.row, ongoing.last_seq
        if after > last:
            what = f"payload.resume: {name} ends at {last}"
            self._object(ErrorCode.INVALID_MESSAGE, what)
            after = last
        if ongoing is not None:
            last = self._end_of_page(ongoing, last, after)
        self._send_missed(row, last, after)

    def _find_own(self, name: str) -> ConversationRow | None:
        """The conversation *name* as it is stored, if the participant may read it."""
        return None

    def _show_missed(self, conversation: Conversation, last: int, seen: int | None) -> None:
        """What the client, which has *seen* so far, has missed of *conversation* up to *last*."""
        self._send_missed(conversation.row, last, seen)

    def _send_missed(self, row: ConversationRow, last: int, after: int | None) -> None:
        """One `message_history` with what comes after *after*, or the latest."""
        found = self._read(row, last, after)
        if found is None:  # nobody waits for it any more
            return
        found = found[len(found) - self._allowance.fit(sizes(reversed(found))) :]
        begin = found[0].seq if found else last + 1
        complete = begin <= (after or 0) + 1
        last = found[-1].seq if found else last
        conversation = public_id(row.key)
        self._seen[conversation] = max(last, self._seen.get(conversation, 0))
        staff = self._staff_since(row, begin) if last else None
        self._send_history(row, found, complete, last, staff)

    def _read(self, row: ConversationRow, last: int, after: int | None) -> list[EntryRow] | None:
        """The entries up to *last* that the client has not seen; None: it has gone."""
        return []

    def _staff_since(self, row: ConversationRow, begin: int) -> Staff:
        """The staff entries that a waiter reads beside and behind the entry *begin*."""
        return None

    @property
    def _whose(self) -> str:
        """The participant, as bounds name it."""
        me = self.participant
        return "" if me is None else f"{me.role}:{me.identity.subject}"

    @property
    def _allowance(self) -> Allowance:
        if self._allowed is None:
            self._allowed = Allowance(self.house.bounds, self._whose)
        return self._allowed

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
            to=self.uuid,
            conversation=public_id(row.key),
            payload=frames.HistoryPayload(
                conversation=public_id(row.key),
                messages=[self._item(row, one) for one in found],
                complete=complete,
                state=state(row),
                last_seq=last,
                reason=row.reason,
                name=row.waiter_name if row.reason == MESSAGE else "",
                staff=staff[0] if staff else UNSET,
                staff_left_out=bool(staff and staff[1]),
            ),
        )
        if reply_id is not None:
            frame.reply_id = reply_id
        self._send_now(frame)

    def _item(self, row: ConversationRow, one: EntryRow) -> frames.Item:
        me = self.participant
        mine = me is not None and (one.side, one.author) == (SIDES[me.role], me.identity.subject)
        colleague = not mine and one.side == Side.WAITER and me is not None and (
            me.role is Role.WAITER
        )  # fmt: skip
        # of an earlier waiter only the subject is known, which users are not told
        waiter = row.waiter if one.author == row.waiter_subject else ""
        speakers: dict[int, str] = {Side.USER: row.user, Side.WAITER: waiter or ""}
        uuid = speakers.get(one.side, "")
        kind = kind_of(one.kind)
        return frames.Item(
            seq=one.seq,
            type=kind.name,
            from_=self.uuid if mine else "" if colleague else uuid,
            date=rfc3339(one.date),
            payload=kind.payload_of(one.body, one.data),
            client_id=one.client_id if mine and one.client_id is not None else UNSET,
            author=one.author if colleague else UNSET,
        )

    def _object(self, code: ErrorCode, message: str, reply_id: str | None = None) -> None:
        """An error in its turn: what is put now would come behind what waits."""
        self._send_now(self.error(code, message, reply_id))

    def _send_now(self, frame: frames.ServerFrame) -> None:
        """Queue *frame*, whose turn it is, before all that waits."""
        self.connection.put(sealed(frame))


def sizes(found: Iterable[EntryRow | StaffRow]) -> list[int]:
    """Bytes of what the entries hold."""
    return [len(one.body.encode()) + len(one.data or "") for one in found]


def state(row: ConversationRow) -> str:
    """Whether the conversation goes on."""
    return "open" if row.ended is None else "ended"
