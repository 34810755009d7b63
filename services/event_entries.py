"""Entries that show both sides what the desk has decided: joined, left, returned, ended.

They stand in the conversation as all other entries do, and nobody waits for a receipt.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from .channels import Channel, ChannelEntries
from .conversation.conversation import Conversation
from .conversation.kinds import EVENT, EventPayload, Side, What
from .conversation.rows import EntryRow
from .entries_here import channel_to_nobody, new_entries
from .history.port import Store, StoreError
from .history.writer import Writer
from .participants import Participant
from .runtime import Runtime

#: events that wait while the database is away; of too many, the oldest are given up
MOST_UNWRITTEN = 10_000

#: the client id of the entry that ends a conversation which was found open at a start
CLOSED_AT_START = "closed at the start"


class EventEntries:
    """Makes these entries, and writes those later that could not be stored at once.

    *begin* hands entries to the writer; False: it takes none at the moment. *on_committed* is
    called when they are stored, or will not be. With *store* and *runtime* it looks up what an
    entry has to say, where this process has not seen what came before.
    """

    def __init__(
        self,
        begin: Callable[[ChannelEntries], bool],
        on_committed: Callable[[ChannelEntries], None],
        store: Store | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        self._begin = begin
        self._after = on_committed
        #: those that could not be stored yet
        self._unwritten: deque[ChannelEntries] = deque(maxlen=MOST_UNWRITTEN)
        self._store = store
        self._runtime = runtime
        #: by conversation: an entry that has to be looked up, and those that come behind it
        self._unsure: dict[Conversation, list[ChannelEntries]] = {}
        #: those of them that are being looked up
        self._looked_up: set[Conversation] = set()

    @property
    def waits(self) -> bool:
        """Some are not stored yet, and not with the writer either."""
        return bool(self._unwritten or self._unsure)

    def new(self, channel: Channel, payload: EventPayload) -> ChannelEntries:
        """The entry of what the sender of *channel* has done, or what has happened to it."""
        data = EVENT.body(payload).data
        entries = new_entries(channel, None, [""], None, self._on_committed, EVENT, data)
        entries.side = Side.SERVER
        return entries

    def new_end(self, user: Participant, conversation: Conversation) -> ChannelEntries:
        """The entry that *conversation* of *user* has ended, and nobody knows when or why."""
        entries = self.new(channel_to_nobody(user, conversation), EventPayload(What.ENDED))
        entries.client_ids = [CLOSED_AT_START]  # once, whichever workers start
        return entries

    def write(self, entries: ChannelEntries, *, is_unsure: bool = False) -> None:
        """Write *entries*, now or as soon as that is possible.

        *is_unsure*: they say that a waiter has joined, and the history knows whether it is the
        one that was lost; what happens in the conversation meanwhile is written behind them.
        """
        conversation = entries.conversation
        if (before := self._unsure.get(conversation)) is not None:
            before.append(entries)
        elif is_unsure and self._store is not None and self._runtime is not None:
            self._unsure[conversation] = [entries]
            self._look_up(conversation, self._store, self._runtime)
        elif not self._begin(entries):
            self._unwritten.append(entries)

    def _look_up(self, conversation: Conversation, store: Store, runtime: Runtime) -> None:
        """Find out, in a greenlet of its own, who was lost in *conversation*."""

        def look() -> None:
            try:
                last = runtime.blocking(store.last_event, conversation.row.key)
            except StoreError:
                return  # `write_missing` tries again
            finally:
                self._looked_up.discard(conversation)
            first, *others = self._unsure.pop(conversation)
            if _has_lost(last, first.author):
                first.data = EVENT.body(
                    EventPayload(What.RETURNED, first.channel.sender.identity.name)
                ).data
            for entries in (first, *others):
                self.write(entries)

        self._looked_up.add(conversation)
        runtime.spawn(look)

    def write_missing(self, writer: Writer) -> None:
        """Write what could not be stored before."""
        if not writer.available:
            return
        if self._store is not None and self._runtime is not None:
            for conversation in self._unsure.keys() - self._looked_up:
                self._look_up(conversation, self._store, self._runtime)
        for _ in range(len(self._unwritten)):
            self.write_again(self._unwritten.popleft())

    def write_again(self, entries: ChannelEntries) -> None:
        """Write *entries*, which may have been refused before."""
        entries.refused = False
        self.write(entries)

    def _on_committed(self, entries: Any) -> None:
        self._after(entries)
        if not entries.stored and not entries.is_unfit:
            self._unwritten.append(entries)


def _has_lost(event: EntryRow | None, waiter: str) -> bool:
    """Whether *event*, the last one of a conversation, says that this *waiter* was lost."""
    if event is None or event.kind != EVENT.number or event.author != waiter:
        return False
    return EVENT.payload_of(event.body, event.data).get("what") == What.LEFT
