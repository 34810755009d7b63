"""What is meant for one socket, in its order, also while something is looked up for it first."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from .conversation.conversation import Conversation
from .house import House
from .participants import WEIGHT, ChannelEntries
from .transport.connection import Connection
from .wire.codes import CloseCode

log = logging.getLogger("csapp.sockets")

#: held while an action is queued or taken: only while something is being looked up
_lock = threading.Lock()


#: and the texts that it tells, if it does
Action = tuple[Callable[[], None], ChannelEntries | None]


class Speaker(Protocol):
    """A session, as it is seen here."""

    connection: Connection
    house: House
    #: queues framed bytes for its connection
    put: Callable[[bytes], None]
    #: the same, and remembers them
    put_and_remember: Callable[[bytes], None]

    def remember(self, data: bytes) -> None:
        """Remember what it is told, until it has arrived."""


class Turns:
    """While an action of `in_turn` runs, whatever else is meant for *session* waits behind it.

    Nobody else waits. When more than `CSAPP_OUTBOX_BYTES` wait here, which the
    database may make last, the connection ends as that of a slow reader does.
    """

    __slots__ = ("_actions", "_connection", "_speaker", "held")

    def __init__(self, session: Speaker) -> None:
        self._speaker = session
        self._connection = session.connection
        #: what is to be done, one after the other; None: nothing waits
        self._actions: deque[Action] | None = None
        #: bytes that wait here, about
        self.held = 0

    def do(self, action: Callable[[], None], entries: ChannelEntries | None = None) -> None:
        """Now; or in its turn, where something is being looked up that comes before it.

        *spoken*: what is told by it.
        """
        if self._actions is not None:
            with _lock:
                waits = self._actions is not None
                if waits:
                    self._add(action, entries)
            if waits:
                self._check_bytes()
                return
        action()

    def _add(self, action: Callable[[], None], entries: ChannelEntries | None = None) -> None:
        """Let *action* wait; not for a connection that has ended. The lock is held."""
        if self._actions is not None and self._connection.code is None:
            self._actions.append((action, entries))
            self.held += _weight(action, entries)

    def _check_bytes(self) -> None:
        if self.held > self._speaker.house.settings.outbox_bytes:
            self._connection.close(CloseCode.SLOW_CONSUMER, "too much waits for the history")
            with _lock:
                self.held = 0
                if self._actions is not None:
                    self._actions.clear()

    def in_turn(self, action: Callable[[], None]) -> None:
        """The same for what may wait; it gets a greenlet of its own."""
        with _lock:
            if self._actions is not None:
                self._add(action)
                return
            self._actions = deque()
            self._add(action)
            self._speaker.put, self._speaker.put_and_remember = self._put, self._put_and_remember
        self._speaker.house.runtime.spawn(self._act)

    @property
    def waits(self) -> bool:
        """Whether something is being looked up."""
        return self._actions is not None

    def first_waiting(self, conversation: Conversation) -> int | None:
        """The number of the first text of *talk* that waits here; None: there is none."""
        with _lock:
            waiting = [entries for _, entries in self._actions or () if entries is not None]
        return min(
            (one.seqs[0] for one in waiting if one.seqs and one.conversation is conversation),
            default=None,
        )

    def leave_out(
        self, told: Mapping[int, int]
    ) -> list[tuple[ChannelEntries, ChannelEntries | None]]:
        """Of what waits here: texts of version 1 that were told elsewhere, and what is left.

        *told*: by talks, up to which number.
        """
        changed = []
        with _lock:
            waiting = deque[Action]()
            held = 0
            for action, entries in self._actions or ():
                last = 0 if entries is None else told.get(entries.conversation.row.key, 0)
                if entries is None or entries.seqs[0] > last:
                    waiting.append((action, entries))
                    held += _weight(action, entries)
                    continue
                rest = entries.beyond(last) if entries.seqs[-1] > last else None
                changed.append((entries, rest))
                if rest is not None:
                    waiting.append((partial(self._connection.put, rest.for_version_1()), rest))
                    held += _weight(*waiting[-1])
            if self._actions is not None:
                self._actions, self.held = waiting, held
        return changed

    def close_conversation(self, conversation: Conversation, frame: bytes) -> None:
        """*frame* says that the other side of *talk* is gone: after all that it has said."""
        self.in_turn(partial(self._close_conversation, conversation, frame))

    def _close_conversation(self, conversation: Conversation, frame: bytes) -> None:
        self._speaker.house.switchboard.catch_up(conversation)
        end = conversation.last_seq
        before: list[Action] = []
        behind: list[Action] = []
        with _lock:
            for one in self._actions or ():
                entries = one[1]
                came_up = (
                    entries is not None
                    and entries.conversation is conversation
                    and entries.first <= end
                )
                (before if came_up else behind).append(one)
            self._actions = deque([*before, (partial(self._connection.put, frame), None), *behind])

    def _put(self, frame: bytes) -> None:
        self.do(partial(self._connection.put, frame))

    def _put_and_remember(self, frame: bytes) -> None:
        self._speaker.remember(frame)  # at once: while it waits the connection may end
        self._put(frame)

    def _act(self) -> None:
        while True:
            with _lock:
                if not self._actions or self._connection.code is not None:
                    self._actions = None
                    self.held = 0
                    self._speaker.put = self._connection.put
                    self._speaker.put_and_remember = self._connection.tell
                    return
                action, entries = self._actions.popleft()
                self.held = max(0, self.held - _weight(action, entries))
            try:
                action()
            except Exception:
                log.exception("what a socket is to be told could not be found")
                self._connection.close(CloseCode.INTERNAL_ERROR)


def _weight(action: Callable[[], None], entries: ChannelEntries | None) -> int:
    """Bytes that *action* keeps in memory, about."""
    first = action.args[0] if isinstance(action, partial) and action.args else None
    if isinstance(first, bytes):  # a frame
        return WEIGHT + len(first)
    return WEIGHT if entries is None else entries.weight
