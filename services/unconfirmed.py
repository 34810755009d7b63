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

#: bytes remembered of one connection; of more, the oldest count as confirmed
MOST = 262_144

#: s that a newer connection of the same participant waits for the word of an older one
VERDICT = 2.0


class Line(Protocol):
    """Of a connection, what is needed here."""

    #: None while it is open
    code: int | None
    #: told of pings and pongs
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
    """What *line* was given, oldest first. *in_full*: in both versions, for there is no history."""

    __slots__ = ("_asked", "_bytes", "_given", "_in_full", "_line", "_missed", "_word")

    def __init__(self, line: Line, *, in_full: bool) -> None:
        self._line = line
        self._in_full = in_full
        #: each with its bytes
        self._given: list[tuple[Given, int]] = []
        self._bytes = 0
        #: how many of them come before the ping that is not answered yet
        self._asked: int | None = None
        #: how many of them were given before the connection had ended
        self._missed: int | None = None
        self._word: threading.Event | None = None
        line.watch = self

    def add(self, given: Given, size: int) -> None:
        """It is put into the connection's outbox, whether that takes it or not."""
        if self._missed is None and self._line.code is not None:
            self._missed = len(self._given)
        self._given.append((given, size))
        self._bytes += size
        if self._bytes > MOST:
            self._forget(self._surplus())

    def _surplus(self) -> int:
        count, left = 0, self._bytes
        while left > MOST:
            left -= self._given[count][1]
            count += 1
        return count

    def _forget(self, count: int) -> None:
        self._bytes -= sum(size for _, size in self._given[:count])
        del self._given[:count]
        if self._asked is not None:
            self._asked = max(0, self._asked - count)
        if self._missed is not None:
            self._missed = max(0, self._missed - count)

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
        if self._line.is_silent:
            return 0
        first = len(self._given) if self._missed is None else self._missed
        left = self._line.unsent
        while first and left > 0:
            first -= 1
            left -= self._given[first][1]
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
        if self._line.code is None:
            self._asked = len(self._given)
            self._line.prove()
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

    def _as_kept(self, given: list[tuple[Given, int]]) -> list[Kept]:
        return [kept for one, _ in given for kept in self._each(one)]

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
