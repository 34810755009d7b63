"""Entries that show both sides what the desk has decided: joined, left, returned, transferred …

They stand in the conversation as all other entries do, and nobody waits for a receipt.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from .channels import Channel, ChannelEntries
from .conversation.conversation import Conversation
from .conversation.kinds import EVENT, TEXT, EventPayload, Side, What, words_data
from .conversation.rows import EntryRow
from .entries_here import channel_to_nobody, new_entries
from .history.writer import Writer
from .participants import Participant
from .site_words import Words

#: events that wait while the database is away; of too many, the oldest are given up
MOST_UNWRITTEN = 10_000

#: the client id of the entry that ends a conversation which was found open at a start
CLOSED_AT_START = "closed at the start"


class EventEntries:
    """Makes these entries, and writes those later that could not be stored at once.

    *begin* hands entries to the writer; False: it takes none at the moment. *on_committed* is
    called when they are stored, or will not be.
    """

    def __init__(
        self,
        begin: Callable[[ChannelEntries], bool],
        on_committed: Callable[[ChannelEntries], None],
    ) -> None:
        self._begin = begin
        self._after = on_committed
        #: those that could not be stored yet, in order
        self._unwritten: deque[ChannelEntries] = deque(maxlen=MOST_UNWRITTEN)
        #: held while one is handed to the writer: it must not overtake those before it
        self._lock = threading.Lock()

    @property
    def waits(self) -> bool:
        """Some are not stored yet, and not with the writer either."""
        return bool(self._unwritten)

    def new(
        self, channel: Channel, payload: EventPayload, *, is_stored: bool = True
    ) -> ChannelEntries:
        """The entry of what the sender of *channel* has done, or what has happened to it.

        *is_stored*: it is delivered later, when it is stored.
        """
        data = EVENT.body(payload).data
        entries = new_entries(channel, None, [""], None, self._on_committed, EVENT, data)
        return _by_the_server(entries, is_stored=is_stored)

    def new_words(self, channel: Channel, words: Words) -> ChannelEntries:
        """The entry of what the site says by itself. Nobody is its author."""
        data = words_data(words.what)
        entries = new_entries(channel, None, [words.text], None, self._on_committed, TEXT, data)
        entries.author = ""
        return _by_the_server(entries)

    def new_end(self, user: Participant, conversation: Conversation) -> ChannelEntries:
        """The entry that *conversation* of *user* has ended, and nobody knows when or why."""
        entries = self.new(channel_to_nobody(user, conversation), EventPayload(What.ENDED))
        entries.client_ids = [CLOSED_AT_START]  # once, whichever workers start
        return entries

    def write(self, entries: ChannelEntries) -> None:
        """Write *entries*, now or as soon as that is possible, behind those that wait."""
        with self._lock:
            if self._unwritten or not self._begin(entries):
                self._unwritten.append(entries)

    def write_missing(self, writer: Writer) -> None:
        """Write what could not be stored before."""
        if not writer.available:
            return
        with self._lock:
            while self._unwritten:
                self._unwritten[0].refused = False
                if not self._begin(self._unwritten[0]):
                    return
                self._unwritten.popleft()

    def _on_committed(self, entries: Any) -> None:
        self._after(entries)
        if not entries.stored and not entries.is_unfit:
            with self._lock:
                self._unwritten.append(entries)


def _by_the_server(entries: ChannelEntries, *, is_stored: bool = True) -> ChannelEntries:
    channel = entries.channel
    entries.side = Side.SERVER
    own = channel.to.channel or channel.to.former
    if is_stored and own is not None and own.conversation is channel.conversation:
        entries.channel = own  # the user's: who serves it by then sees the entry, too
    return entries


def lost_waiter(event: EntryRow) -> str | None:
    """The subject of the waiter that was lost, or has handed its user over, as *event* says.

    That is the last event of a conversation.
    """
    if event.kind != EVENT.number:
        return None
    try:
        payload = EVENT.payload_of(event.body, event.data)
    except msgspec.MsgspecError:  # this process has not written it
        return None
    is_left = isinstance(payload, dict) and payload.get("what") in (What.LEFT, What.TRANSFERRED)
    return event.author if is_left else None
