"""The order of what one connection is sent, also while something is looked up for it."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from ..channels import WEIGHT, ChannelEntries
from ..conversation.conversation import Conversation
from ..house import House
from ..transport.connection import Connection
from ..wire.codes import CloseCode

log = logging.getLogger("csapp.sockets")

#: held while an action is queued or taken; needed only while something is looked up
_lock = threading.Lock()


class Action(NamedTuple):
    """What is done in its turn."""

    do: Callable[[], None]
    #: which it delivers
    entries: ChannelEntries | None = None
    #: which it opens: what waits behind it belongs to that
    opens: Conversation | None = None


class Turns:
    """While an action of `in_turn` runs, all else that is for *connection* waits behind it.

    No other connection waits. When more than `CSAPP_OUTBOX_BYTES` wait here, because the
    database is slow, the connection is closed as that of a slow reader is.
    """

    __slots__ = ("_actions", "connection", "held", "house", "put", "put_and_remember")

    def __init__(self, connection: Connection, house: House) -> None:
        self.connection = connection
        self.house = house
        #: the actions that wait, the next one first; None: no action runs
        self._actions: deque[Action] | None = None
        #: bytes that wait here, about
        self.held = 0
        #: queue framed bytes for the connection, in their turn; never waits
        self.put: Callable[[bytes], None] = connection.put
        #: the same for texts of version 1, which are remembered until they have arrived
        self.put_and_remember: Callable[[bytes], None] = connection.put_and_remember

    def remember(self, data: bytes) -> None:
        """Remember framed bytes of version 1 until they have arrived."""

    def do(self, action: Callable[[], None], entries: ChannelEntries | None = None) -> None:
        """Call *action* now, or behind the actions that wait.

        *entries*: what *action* delivers.
        """
        if self._actions is not None:
            with _lock:
                waits = self._actions is not None
                if waits:
                    self._add(Action(action, entries))
            if waits:
                self._check_bytes()
                return
        action()

    def _add(self, action: Action) -> None:
        """Let *action* wait, unless the connection has ended. The lock is held."""
        if self._actions is not None and self.connection.code is None:
            self._actions.append(action)
            self.held += _weight(action)

    def _check_bytes(self) -> None:
        if self.held > self.house.settings.outbox_bytes:
            self.connection.close(CloseCode.SLOW_CONSUMER, "too much waits for the history")
            with _lock:
                self.held = 0
                if self._actions is not None:
                    self._actions.clear()

    def in_turn(
        self, action: Callable[[], None], opens: Conversation | None = None,
        entries: ChannelEntries | None = None,
    ) -> None:  # fmt: skip
        """Call *action*, which may wait, in its turn and in a greenlet of its own.

        *opens*: the conversation that it opens. *entries*: what it delivers.
        """
        action_in_turn = Action(action, entries, opens)
        with _lock:
            if self._actions is not None:
                self._add(action_in_turn)
                return
            self._actions = deque()
            self._add(action_in_turn)
            self.put, self.put_and_remember = self._put, self._put_and_remember
        self.house.runtime.spawn(self._act)

    @property
    def waits(self) -> bool:
        """Something is being looked up."""
        return self._actions is not None

    def first_waiting(self, conversation: Conversation) -> int | None:
        """The `seq` of the first entry of *conversation* that waits here; None: there is none."""
        with _lock:
            waiting = [one.entries for one in self._actions or () if one.entries is not None]
        return min(
            (one.seqs[0] for one in waiting if one.seqs and one.conversation is conversation),
            default=None,
        )

    def leave_out(
        self, sent: Mapping[int, int]
    ) -> list[tuple[ChannelEntries, ChannelEntries | None]]:
        """Drop the waiting texts of version 1 that another worker has sent.

        *sent*: by conversation, up to which `seq`. Returns the entries that were changed, each
        with what is left of them.
        """
        changed = []
        with _lock:
            waiting = deque[Action]()
            held = 0
            for action in self._actions or ():
                entries = action.entries
                last = 0 if entries is None else sent.get(entries.conversation.row.key, 0)
                if entries is None or entries.seqs[0] > last:
                    waiting.append(action)
                    held += _weight(action)
                    continue
                rest = entries.beyond(last) if entries.seqs[-1] > last else None
                changed.append((entries, rest))
                if rest is not None:
                    put = partial(self.connection.put, rest.for_version_1())
                    waiting.append(Action(put, rest))
                    held += _weight(waiting[-1])
            if self._actions is not None:
                self._actions, self.held = waiting, held
        return changed

    def close_in_turn(self, conversation: Conversation, frame: bytes) -> None:
        """*frame* ends *conversation*: put it behind all entries of *conversation*.

        Those that come behind an action which opens it again belong to that.
        """
        self.in_turn(partial(self._close, conversation, frame))

    def _close(self, conversation: Conversation, frame: bytes) -> None:
        self.house.switchboard.catch_up(conversation)
        end = conversation.last_seq
        before: list[Action] = []
        behind: list[Action] = []
        is_open_again = False
        with _lock:
            for one in self._actions or ():
                entries = one.entries
                is_open_again = is_open_again or one.opens is conversation
                is_before_end = (
                    not is_open_again
                    and entries is not None
                    and entries.conversation is conversation
                    and entries.first <= end
                )
                (before if is_before_end else behind).append(one)
            ends = Action(partial(self.connection.put, frame))
            self._actions = deque([*before, ends, *behind])

    def _put(self, frame: bytes) -> None:
        self.do(partial(self.connection.put, frame))

    def _put_and_remember(self, frame: bytes) -> None:
        self.remember(frame)  # at once: the connection may end while the frame waits
        self._put(frame)

    def _act(self) -> None:
        while True:
            with _lock:
                if not self._actions or self.connection.code is not None:
                    self._actions = None
                    self.held = 0
                    self.put = self.connection.put
                    self.put_and_remember = self.connection.put_and_remember
                    return
                action = self._actions.popleft()
                self.held = max(0, self.held - _weight(action))
            try:
                action.do()
            except Exception:
                log.exception("what is to be sent on a connection could not be found")
                self.connection.close(CloseCode.INTERNAL_ERROR)


def _weight(action: Action) -> int:
    """Bytes of memory that *action* takes, about."""
    do = action.do
    first = do.args[0] if isinstance(do, partial) and do.args else None
    if isinstance(first, bytes):  # a frame
        return WEIGHT + len(first)
    return WEIGHT if action.entries is None else action.entries.weight
