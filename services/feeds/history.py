"""The feed of version 2 where there is a history: what is read from it.

Reading blocks the connection that asks for it, or a greenlet of its own, and never
the loop.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec import UNSET, UnsetType

from .. import staff_track
from ..bounds import Allowance
from ..channels import Channel
from ..conversation.conversation import Conversation
from ..conversation.kinds import CHOICE, RATING, TEXT, Body, FilePayload, Kind, Side, kind_of
from ..conversation.offers import MOST as MOST_OFFERS
from ..conversation.offers import Offer, replay
from ..conversation.rows import (
    MESSAGE,
    MOST_SEQ,
    ConversationRow,
    EntryRow,
    StaffRow,
    key_of,
    public_id,
)
from ..desk.port import Role
from ..history.files import FileRow
from ..history.port import Store, StoreError, Unfit
from ..history.rights import may_read
from ..history.writer import RETRY
from ..participants import SIDES, Participant
from ..prechat import filled_in
from ..runtime import Runtime
from ..wire import codec, frames
from ..wire.codes import ErrorCode, Refusal
from ..wire.dates import rfc3339
from .base import no_such_file
from .transcript import Staff, TranscriptFeed, sizes, state

#: entries that a returning client is sent at once; with more it gets the latest and asks
MISSED = 1000
LATEST = 50

#: s to the first look whether a conversation that has begun is stored; each pause is twice as
#: long as the one before, up to the longest
COMMIT = 0.01
LONGEST_PAUSE = 1.0

#: ratings of one conversation, one after the other, that are stored after its end
MOST_AFTER_END = 20

#: ms after the first rating of a conversation in which it may be changed
CHANGEABLE = 86_400_000

#: attempts to remove a staff entry while the store is down
TAKE_BACKS = 600

#: s between two looks whether a question is within the bounds by now: that of one question
TURN = 0.1


class HistoryFeed(TranscriptFeed):
    """Version 2, with a history."""

    __slots__ = ()

    @property
    def _store(self) -> Store:
        store = self.house.switchboard.store
        assert store is not None  # noqa: S101  # `choose.py` says so
        return store

    # ---- meeting again -------------------------------------------------

    def _must_read(self, channel: Channel) -> bool:
        """The history has to be read before the client knows the conversation."""
        conversation = channel.conversation
        known = self._seen.get(conversation.id, self._resume.get(conversation.id, 0))
        if conversation.behind or conversation.last_seq != known:
            return True
        # A waiter may have missed staff entries, which no `seq` counts.
        return channel.sender.role is Role.WAITER and bool(known)

    def _find_own(self, name: str) -> ConversationRow | None:
        """The conversation *name* as it is stored, if the participant may read it."""
        store, key = self._store, key_of(name)
        row: ConversationRow | None = None if key is None else self._insist(store.conversation, key)
        if row is None or not self._insist(self._may_read, store, row):
            return None
        return row

    def _read(self, row: ConversationRow, last: int, after: int | None) -> list[EntryRow] | None:
        """What comes after *after*, or the latest entries up to *last*."""
        if last <= (after or 0):
            return []
        store = self._store
        found: list[EntryRow] | None = []
        self._await_budget()
        before = last + 1  # what is stored beyond it is still to be delivered
        most = self._allowance.rows(MISSED)
        if after is not None and most:
            found = self._insist(
                store.entries, row.key, after=after, before=before, limit=most + 1, newest=False
            )
        if most and (after is None or found is None or len(found) > most):
            found = self._insist(store.entries, row.key, before=before, limit=min(LATEST, most))
        return found

    # ---- asked for -----------------------------------------------------

    def get_history(self, frame: frames.GetHistory, me: Participant) -> None:
        """Older or newer messages of a conversation that one may read. Raises `Refusal`."""
        asked = frame.payload or frames.PagePayload()
        row = self._find_readable(frame, asked.conversation, me)
        before = asked.before if isinstance(asked.before, int) else None
        after = asked.after if isinstance(asked.after, int) else 0
        forward = isinstance(asked.after, int) and before is None
        found = self._ask(
            self._store.entries, row.key, after=after, before=before, limit=asked.limit + 1,
            newest=not forward,
        )  # fmt: skip
        if not forward:
            found.reverse()
        page = Allowance(self.house.bounds, self._whose)
        count = min(asked.limit, page.fit(sizes(found)))
        complete = len(found) <= count
        found = found[:count] if forward else found[:count][::-1]
        to_the_end = complete if forward else before is None
        place = staff_track.beside(found, after, to_the_end=to_the_end)
        staff = self._staff_beside(self._ask, row, place, page)
        self.do(
            partial(self._send_history, row, found, complete, row.last_seq, staff, frame.reply_id)
        )

    def _find_readable(
        self, frame: frames.ClientFrame, named: str | UnsetType, me: Participant
    ) -> ConversationRow:
        """The conversation that is *named*, or the only one. Raises `Refusal`. Waits."""
        store = self._store
        self._await_turn()
        key = key_of(named) if isinstance(named, str) else None
        if named is UNSET:
            conversation = me.only_conversation
            if conversation is None:
                what = "payload.conversation: is required"
                raise Refusal(ErrorCode.INVALID_MESSAGE, what, frame.reply_id)
            key = conversation.row.key
        row: ConversationRow | None = None if key is None else self._ask(store.conversation, key)
        if row is None and key is not None and _is_in(me, key):
            row = self._await_commit(key)
            if row is None and not self._is_all_stored:
                what = "the conversation is not stored yet; try again"
                raise Refusal(ErrorCode.UNAVAILABLE, what, frame.reply_id)
        if row is None or not self._ask(self._may_read, store, row):
            raise _not_yours(frame)
        return row

    def _await_commit(self, key: int) -> ConversationRow | None:
        """The conversation with this *key*, which has begun, once the writer has stored it."""
        row: ConversationRow | None = None
        pause = COMMIT
        while row is None and pause < LONGEST_PAUSE and self.connection.code is None:
            is_last = self._is_all_stored
            if not is_last:
                self.house.runtime.sleep(pause)
            row = self._ask(self._store.conversation, key)
            pause = LONGEST_PAUSE if is_last else 2 * pause
        return row

    @property
    def _is_all_stored(self) -> bool:
        writer = self.house.switchboard.writer
        return writer is None or writer.idle

    def channel_after_end(self, frame: frames.ClientFrame, me: Participant, named: str) -> Channel:
        """The channel for an entry of *me* in *named*, a conversation that is over."""
        row = self._find_ended(frame, named, me)  # it may have been erased
        self._check_room_after_end(frame, row)
        former = me.former
        if former is not None and former.conversation.id == named:
            return former
        return self.house.switchboard.channel_after_end(me, row)

    def _check_room_after_end(self, frame: frames.ClientFrame, row: ConversationRow) -> None:
        """Raise `Refusal` where nobody has served in *row*, or enough was written after its end."""
        if row.reason == MESSAGE and not row.waiter_subject:
            what = "payload.conversation: nobody has answered you in it yet"
            raise Refusal(ErrorCode.FORBIDDEN, what, frame.reply_id)
        last = self._ask(self._store.entries, row.key, limit=MOST_AFTER_END)
        is_full = len(last) == MOST_AFTER_END and all(kind_of(one.kind).after_end for one in last)
        if is_full and frame.reply_id not in {one.client_id for one in last}:  # else a repeat
            what = f"payload.conversation: {MOST_AFTER_END} times are enough"
            raise Refusal(ErrorCode.FORBIDDEN, what, frame.reply_id)

    def _find_ended(
        self, frame: frames.ClientFrame, named: str, me: Participant
    ) -> ConversationRow:
        key = key_of(named)
        self._await_turn()
        row: ConversationRow | None = (
            None if key is None else self._ask(self._store.conversation, key)
        )
        if row is None or row.user_subject != me.identity.subject:
            raise _not_yours(frame)
        return row

    def offers(self, conversation: Conversation) -> list[Offer]:
        """As the history has them."""
        self._await_turn()
        kinds = (TEXT.number, CHOICE.number)
        return replay(
            self._ask(self._store.entries_of, conversation.row.key, kinds, limit=MOST_OFFERS)
        )

    def check_rating(self, frame: frames.ClientFrame, conversation: Conversation) -> None:
        """A visitor may change its mind for a day after it has rated first."""
        self._await_turn()
        key, store = conversation.row.key, self._store
        first = self._ask(store.entries_of, key, (RATING.number,), limit=1, newest=False)
        now = self.house.switchboard.clock.ms()
        if not first or now - first[0].date <= CHANGEABLE:
            return
        name = key, first[0].side, first[0].author
        if frame.reply_id is None or not self._ask(store.find, *name, [frame.reply_id]):
            what = "a rating may be changed for a day after the first one"  # and this is no repeat
            raise Refusal(ErrorCode.FORBIDDEN, what, frame.reply_id)

    def get_history_session(self, frame: frames.GetHistorySession, me: Participant) -> None:
        """The conversations that this waiter has had, or those of one visitor; newest first."""
        asked = frame.payload or frames.SessionsPayload()
        store = self._store
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
            to=self.uuid,
            payload=frames.SessionsFound(
                [_session_item(one) for one in found[: asked.limit]], len(found) <= asked.limit
            ),
        )
        answer.reply_id = frame.id
        self.do(partial(self._send_now, answer))

    def name_file(self, frame: Any, channel: Channel) -> FilePayload:
        """The file of *frame*, which its sender has uploaded for *channel*. It stays from now on.

        Raises `Refusal`. Waits for the store.
        """
        files, me, chat = self.house.files, channel.sender, channel.conversation.row.key
        if files is None:
            raise no_such_file(frame)
        self._await_turn()
        row: FileRow | None = self._ask(
            files.tables.name, frame.payload.file, chat, SIDES[me.role], me.identity.subject,
            self.house.switchboard.clock.ms(),
        )  # fmt: skip
        if row is None:
            raise no_such_file(frame)
        payload = FilePayload(row.id, row.name, row.size, row.mime)
        if row.width is not None and row.height is not None:
            payload.width, payload.height = row.width, row.height
        return payload

    # ---- the staff track -----------------------------------------------

    def write_for_staff(
        self, frame: frames.ClientFrame, named: str | UnsetType, kind: Kind, body: Body,
        me: Participant,
    ) -> None:  # fmt: skip
        """Store an entry of *named* that only waiters read, and show it to them."""
        row = self._find_readable(frame, named, me)
        stored, is_new = self._store_for_staff(frame, row, kind, body, me)
        date = rfc3339(stored.date)
        receipt = kind.receipt(
            id=codec.new_id(), to=self.uuid, conversation=public_id(row.key), date=date,
            payload=frames.StaffReceiptPayload(stored.n, date),
        )  # fmt: skip
        if frame.reply_id is not None:
            receipt.reply_id = frame.reply_id
        self.do(partial(self._send_now, receipt))
        if is_new:
            self.house.switchboard.show_to_staff(row.waiter, stored, me, self)

    def store_for_staff(
        self, frame: frames.ClientFrame, named: str | UnsetType, kind: Kind, body: Body,
        me: Participant,
    ) -> tuple[StaffRow, bool]:  # fmt: skip
        """Store an entry of *named* that only waiters read. True: it is new, not a repeat."""
        row = self._find_readable(frame, named, me)
        return self._store_for_staff(frame, row, kind, body, me)

    def _store_for_staff(
        self, frame: frames.ClientFrame, row: ConversationRow, kind: Kind, body: Body,
        me: Participant,
    ) -> tuple[StaffRow, bool]:  # fmt: skip
        entry = StaffRow(
            row.key, 0, 0, kind.number, me.identity.subject, frame.reply_id, *body,
            self.house.switchboard.clock.ms(),
        )  # fmt: skip
        write = partial(self._ask, self._store.write_for_staff)
        written = self.house.staff_turns.store(entry, write)
        if written is None:  # it was erased just now
            raise _not_yours(frame)
        stored, is_new = written
        if (stored.kind, stored.body, stored.data) != (entry.kind, entry.body, entry.data):
            what = "id: it stands for another entry of this conversation"
            raise Refusal(ErrorCode.ID_CONFLICT, what, frame.reply_id)
        return stored, is_new

    def take_back_for_staff(self, entry: StaffRow) -> None:
        """Remove *entry*, now or as soon as the store can do it."""
        try:
            self._ask(self._store.take_back_for_staff, entry)
        except StoreError:
            self.house.runtime.spawn(_take_back, self.house.runtime, self._store, entry)

    def _staff_since(self, row: ConversationRow, begin: int) -> Staff:
        """The staff entries that a waiter reads beside and behind the entry *begin*."""
        return self._staff_beside(self._insist, row, (begin - 1, MOST_SEQ), self._allowance)

    def _staff_beside(
        self, ask: Callable[..., Any], row: ConversationRow, place: tuple[int, int] | None,
        page: Allowance,
    ) -> Staff:  # fmt: skip
        """What a waiter is shown of the staff track at *place* (see `staff_track.beside`)."""
        me = self.participant
        if me is None or me.role is Role.USER or place is None:
            return None
        first, last = place
        most = staff_track.MOST
        some = ask(self._store.staff_entries, row.key, first=first, last=last, limit=most + 1)
        if some is None:  # nobody waits for it any more
            return None
        fit = page.fit(sizes(reversed(some[-most:])))
        shown = some[len(some) - fit :]
        return [staff_track.item(one, me) for one in shown], len(shown) < len(some)

    # ---- asking the store ----------------------------------------------

    def _await_turn(self) -> None:
        """Wait until one more question is within the participant's bounds.

        The connection is not read meanwhile, so whoever asks for too much is
        slowed down on that connection, and whoever reads a long history is not refused.
        """
        self._await_budget()
        bounds, runtime = self.house.bounds, self.house.runtime
        while not bounds.questions.take(self._whose) and self.connection.code is None:
            runtime.sleep(TURN)

    def _await_budget(self) -> None:
        """Wait until the participant may be sent more of the past."""
        bounds, runtime = self.house.bounds, self.house.runtime
        while bounds.history.left(self._whose) <= 0 and self.connection.code is None:
            runtime.sleep(TURN)

    def _ask(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Ask the store once. Raises `StoreError`."""
        return self.house.runtime.blocking(partial(function, *args, **options))

    def _insist(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Ask the store, again and again while it is down; None once nobody waits any more."""
        runtime = self.house.runtime
        while self.connection.code is None:
            try:
                return runtime.blocking(partial(function, *args, **options))
            except Unfit:
                raise
            except StoreError:
                runtime.sleep(RETRY)
        return None

    def _may_read(self, store: Store, row: ConversationRow) -> bool:
        """A user reads its own; a waiter, all of users whom it serves or served. Blocks."""
        me = self.participant
        if me is None:
            return False
        subject = me.identity.subject
        return self._serves(row.user_subject) or may_read(store, row, SIDES[me.role], subject)

    def _knows(self, store: Store, user: str) -> bool:
        me = self.participant
        return me is not None and (self._serves(user) or store.knows(me.identity.subject, user))

    def _serves(self, user: str) -> bool:
        me = self.participant
        served = [] if me is None else list(me.channels.values())
        return any(channel.to.identity.subject == user for channel in served)


def _take_back(runtime: Runtime, store: Store, entry: StaffRow) -> None:
    """Remove *entry*, whatever becomes of the connection by which it was written."""
    for _ in range(TAKE_BACKS):
        runtime.sleep(RETRY)
        with contextlib.suppress(StoreError):
            runtime.blocking(partial(store.take_back_for_staff, entry))
            return


def _is_in(me: Participant, key: int) -> bool:
    """*me* is in the conversation with this *key* now."""
    return any(one.conversation.row.key == key for one in me.all_channels)


def _not_yours(frame: frames.ClientFrame) -> Refusal:
    """One sentence for another's conversation and for none, so that nobody learns which it is."""
    what = "payload.conversation: no such conversation of yours"
    return Refusal(ErrorCode.FORBIDDEN, what, frame.reply_id)


def _session_item(row: ConversationRow) -> frames.SessionItem:
    return frames.SessionItem(
        conversation=public_id(row.key),
        name=row.user_name,
        sub=row.user_subject,
        state=state(row),
        opened=rfc3339(row.opened),
        last_seq=row.last_seq,
        read=row.waiter_read,
        ended=UNSET if row.ended is None else rfc3339(row.ended),
        page=row.page,
        avatar=row.user_avatar,
        fields=filled_in(row.fields) or UNSET,
    )
