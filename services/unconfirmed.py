"""The texts that one connection was given and whose arrival nothing has confirmed.

A connection may be dead for half a minute before anybody notices: what was
written into it meanwhile is to follow when its participant comes back. Version 2
says what it has seen, and reads the rest from the history. Where there is none,
and in version 1, the pong of a heartbeat confirms what was written before the
ping. Nothing else does: the kernel's word is that of the nearest proxy.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from .participants import Kept, Spoken
from .timers import Wheel

#: texts remembered of one connection; of more, the oldest count as confirmed
MOST = 2048

#: and their bytes; they are counted whenever so many more have been sent
MOST_BYTES = 262_144

#: s that a newer connection of the same participant waits for the word of an older one
VERDICT = 2.0


class Connection(Protocol):
    """Of a connection, what is needed here."""

    #: None while it is open
    code: int | None
    #: told of pings and pongs, and of the end
    watch: Unconfirmed | None

    @property
    def is_silent(self) -> bool:
        """It ended because nothing came back: what has arrived, nobody knows."""

    @property
    def unsent(self) -> int:
        """Once it has ended: bytes that it was given and that were never sent."""

    def prove(self) -> None:
        """Send a ping now."""

    def remember(self, add: Callable[[bytes], None], tidy: Callable[[], int]) -> None:
        """Call *add* with all that is told from now on, and *tidy* when it returned bytes ago."""


#: what was given: texts of a talk, what was parked, or framed bytes of version 1
Given = Spoken | Kept | bytes


class _Mark:
    """Stands between what was given before something happened, and what was given after it."""

    __slots__ = ()


class Unconfirmed:
    """What *connection* was given, oldest first.

    *in_full*: in both versions, because there is no history. Other threads may
    add to it at any time: what is looked at is a copy.
    """

    __slots__ = ("_asked", "_connection", "_ended", "_given", "_in_full", "_word", "add")

    def __init__(self, connection: Connection, *, in_full: bool) -> None:
        self._connection = connection
        self._in_full = in_full
        self._given: deque[Given | _Mark] = deque(maxlen=MOST)
        #: it is put into the connection's outbox, whether that takes it or not; this is in the
        #: way of each text, so it is the list's own
        self.add: Callable[[Given], None] = self._given.append
        #: where the ping that is not answered yet was sent
        self._asked: _Mark | None = None
        #: where the connection ended
        self._ended: _Mark | None = None
        self._word: threading.Event | None = None
        connection.watch = self
        connection.remember(self.add, self._tidy)
        if connection.code is not None:
            self.ended()

    def _mark(self) -> _Mark:
        mark = _Mark()
        self._given.append(mark)
        return mark

    def _before(self, mark: _Mark) -> list[Given | _Mark]:
        """What is remembered of what was given before *mark*, which may be forgotten itself."""
        given = list(self._given)
        return given[: given.index(mark)] if mark in given else []

    def _forget(self, count: int) -> None:
        for _ in range(count):
            self._given.popleft()

    def _tidy(self) -> int:
        """Forget the oldest of too many bytes; returns after how many more to look again."""
        left = sum(map(_size, list(self._given)))
        while left > MOST_BYTES:
            left -= _size(self._given.popleft())
        return MOST_BYTES

    def ended(self) -> None:
        """The connection has ended: what is given from now on does not arrive."""
        if self._ended is None:
            self._ended = self._mark()

    def pinged(self) -> None:
        """A ping follows what was given until now; only its own pong counts from now on."""
        if self._word is None:
            self._asked = self._mark()

    def ponged(self) -> None:
        """The pong of the last ping has come."""
        if self._asked is not None:
            self._forget(len(self._before(self._asked)))
            self._asked = None
        if self._word is not None:
            self._word.set()

    def take(self) -> list[Kept]:
        """The connection has ended: what has not arrived; all of it, where that is not known."""
        if self._word is not None:  # a newer connection waits for it
            self._word.set()
            return []
        self._forget(self._arrived())
        missed = self.all()
        self._given.clear()
        return missed

    def _arrived(self) -> int:
        """The connection has ended: how many of the first have arrived, as far as is known.

        What was never sent are the last bytes of what was given before the end.
        """
        if self._connection.is_silent or self._ended is None:
            return 0
        before = self._before(self._ended)
        left = self._connection.unsent
        while before and left > 0:
            left -= _size(before.pop())
        return len(before)

    def all(self) -> list[Kept]:
        """All of it; it stays here."""
        return self._as_kept(list(self._given))

    def ask(self) -> bool:
        """A newer connection of the same client, or another window, begins to be told what follows.

        False: there is no doubt. Otherwise `verdict` says what it is to be told first.
        """
        if self._word is not None or all(type(one) is _Mark for one in list(self._given)):
            return False
        self._word = threading.Event()
        if self._connection.code is None:
            self._asked = self._mark()
            self._connection.prove()
        else:
            self._forget(self._arrived())
            self._asked = self._mark()
            self._word.set()
        return True

    def verdict(self, wheel: Wheel) -> list[Kept]:
        """What had not arrived when it was asked. Waits for the answer, as long as one may take."""
        assert self._word is not None  # noqa: S101
        timer = wheel.after(VERDICT, self._word.set)
        self._word.wait()
        timer.cancel()
        asked, self._asked, self._word = self._asked, None, None
        given = [] if asked is None else self._before(asked)
        self._forget(len(given))
        return self._as_kept(given)

    def _as_kept(self, given: Iterable[Given | _Mark]) -> list[Kept]:
        return [kept for one in given if not isinstance(one, _Mark) for kept in self._each(one)]

    def _each(self, given: Given) -> list[Kept]:
        if isinstance(given, bytes):
            return [Kept(given, b"")]
        if isinstance(given, Kept):
            return [given]
        return [
            Kept(given.line.texts([text]), given.alone(text, seq) if self._in_full else b"",
                 given.talk.record.key, seq, seq)
            for text, seq in zip(given.texts, given.seqs, strict=True)
        ]  # fmt: skip


def _size(given: Given | _Mark) -> int:
    """Its bytes, about: version 2 frames them in a few more."""
    if isinstance(given, bytes):
        return len(given)
    if isinstance(given, _Mark):
        return 0
    return len(given.plain if isinstance(given, Kept) else given.plain())
