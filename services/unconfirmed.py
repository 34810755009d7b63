"""The texts that one connection was given and whose arrival nothing has confirmed.

A connection may be dead for half a minute before anybody notices: what was
written into it meanwhile is to follow when its participant comes back. Version 2
says what it has seen, and reads the rest from the history. Where there is none,
and in version 1, the pong of a heartbeat confirms what was written before the
ping. Nothing else does: the kernel's word is that of the nearest proxy.
"""

from __future__ import annotations

import threading
from typing import Protocol

from .participants import Kept, Spoken
from .timers import Wheel

#: bytes remembered of one connection, about; of more, the oldest count as confirmed
MOST = 262_144

#: so many more are given until their bytes are counted again
STEP = 64

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


#: what was given: texts of a talk, what was parked, or framed bytes of version 1
Given = Spoken | Kept | bytes


class Unconfirmed:
    """What *connection* was given, oldest first.

    *in_full*: in both versions, because there is no history.

    `add` is in the way of each text: it appends and compares lengths, no more.
    """

    __slots__ = (
        "_asked", "_bytes", "_connection", "_counted", "_given", "_in_full", "_missed", "_most",
        "_word",
    )  # fmt: skip

    def __init__(self, connection: Connection, *, in_full: bool) -> None:
        self._connection = connection
        self._in_full = in_full
        self._given: list[Given] = []
        #: bytes of the first ones, and how many these are
        self._bytes = self._counted = 0
        #: with more than this the others are to be counted, too
        self._most = STEP
        #: how many of them come before the ping that is not answered yet
        self._asked: int | None = None
        #: how many of them were given before the connection had ended
        self._missed: int | None = None
        self._word: threading.Event | None = None
        connection.watch = self
        if connection.code is not None:
            self.ended()

    def add(self, given: Given) -> None:
        """It is put into the connection's outbox, whether that takes it or not."""
        self._given.append(given)
        if len(self._given) > self._most:
            self._bound()

    def _bound(self) -> None:
        """Count what is new, and forget what is too much."""
        given = self._given
        self._bytes += sum(map(_size, given[self._counted :]))
        self._counted = len(given)
        count, left = 0, self._bytes
        while left > MOST:
            left -= _size(given[count])
            count += 1
        self._forget(count)

    def _forget(self, count: int) -> None:
        gone = min(count, self._counted)
        self._counted -= gone
        self._bytes = self._bytes - sum(map(_size, self._given[:gone])) if self._counted else 0
        del self._given[:count]
        self._most = self._counted + STEP
        if self._asked is not None:
            self._asked = max(0, self._asked - count)
        if self._missed is not None:
            self._missed = max(0, self._missed - count)

    def ended(self) -> None:
        """The connection has ended: what is given from now on does not arrive."""
        if self._missed is None:
            self._missed = len(self._given)

    def pinged(self) -> None:
        """A ping follows what was given until now; only its own pong counts from now on."""
        if self._word is None:
            self._asked = len(self._given)

    def ponged(self) -> None:
        """The pong of the last ping has come."""
        if self._asked is not None:
            self._forget(self._asked)
            self._asked = None
        if self._word is not None:
            self._word.set()

    def take(self) -> list[Kept]:
        """The connection has ended: what has not arrived; all of it, where that is not known."""
        if self._word is not None:  # a newer connection waits for it
            self._word.set()
            return []
        given = self._given[self._first_missed() :]
        self._forget(len(self._given))
        return self._as_kept(given)

    def _first_missed(self) -> int:
        """The connection has ended: from where on nothing has arrived, or may not have."""
        if self._connection.is_silent:
            return 0
        first = len(self._given) if self._missed is None else self._missed
        left = self._connection.unsent
        while first and left > 0:
            first -= 1
            left -= _size(self._given[first])
        return first

    def all(self) -> list[Kept]:
        """All of it; it stays here."""
        return self._as_kept(self._given)

    def ask(self) -> bool:
        """A newer connection of the same client, or another window, begins to be told what follows.

        False: there is no doubt. Otherwise `verdict` says what it is to be told first.
        """
        if self._word is not None or not self._given:
            return False
        self._word = threading.Event()
        if self._connection.code is None:
            self._asked = len(self._given)
            self._connection.prove()
        else:
            self._forget(self._first_missed())
            self._asked = len(self._given)
            self._word.set()
        return True

    def verdict(self, wheel: Wheel) -> list[Kept]:
        """What had not arrived when it was asked. Waits for the answer, as long as one may take."""
        assert self._word is not None  # noqa: S101
        timer = wheel.after(VERDICT, self._word.set)
        self._word.wait()
        timer.cancel()
        asked, self._asked, self._word = self._asked or 0, None, None
        given = self._given[:asked]
        self._forget(asked)
        return self._as_kept(given)

    def _as_kept(self, given: list[Given]) -> list[Kept]:
        return [kept for one in given for kept in self._each(one)]

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


def _size(given: Given) -> int:
    """Its bytes, about: version 2 frames them in a few more."""
    if isinstance(given, bytes):  # mostly
        return len(given)
    return len(given.plain if isinstance(given, Kept) else given.plain())
