"""What waits to be sent on one connection, and the flusher that sends it.

Rules of this file:

1. Nobody but the outbox calls `send`, and only one flow does at a time: the
   flusher while the kernel takes everything, a writer greenlet from the first
   short send until the queue is empty again.
2. `put` never waits and never fails. It appends; the flusher sends each dirty
   outbox once per round of the event loop, everything in one call.
3. The queue is bounded in bytes and in time. Past either bound the reader on
   the other side counts as gone: the queue is freed and the connection ends
   with 4413.
4. A frame that was begun is finished before the close frame, so that a reader
   that wakes up late still finds an intact stream and learns why it ended.
5. A closed outbox drops its reference to the connection, so that both are freed
   when the handler returns, not when the garbage collector finds a cycle.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

from ..loops import Loop
from ..runtime import WOULD_BLOCK, Readiness, Runtime

#: bytes by which a slow reader must get on within the time bound
PROGRESS = 65_536


#: a place that no outbox reaches, in bytes
NEVER = 1 << 62


class Flusher:
    """Sends what all outboxes of a process have queued, once per loop round.

    *clock* gives the seconds that this process has lived: a stall of the loop
    is not held against a reader, which could not be served meanwhile.
    """

    def __init__(self, runtime: Runtime, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._call_soon = runtime.call_soon
        self._dirty: deque[Outbox] = deque()
        self._scheduled = False
        self._failing = Loop("an outbox", lambda: None, vital=False)
        #: held where a writer and the flusher may meet, that is only around blocked sockets
        self.lock = threading.Lock()

    def mark(self, outbox: Outbox) -> None:
        """Flush *outbox* at the end of this round."""
        self._dirty.append(outbox)
        if not self._scheduled:
            self._scheduled = True
            self._call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        dirty = self._dirty
        while dirty:
            outbox = dirty.popleft()
            try:
                outbox.flush()
            except Exception as error:
                self.lose(outbox, error)

    def lose(self, outbox: Outbox, error: Exception) -> None:
        """*outbox* has failed in a way that is not expected: its connection ends, no other does."""
        self._failing.failed(error)
        with contextlib.suppress(Exception):
            outbox.die()


class Owner(Protocol):
    """The connection of an outbox, which learns how sending ended; each call comes once at most."""

    def overflowed(self) -> None:
        """Too much waits, or for too long: `finish` the outbox."""

    def broken(self) -> None:
        """The connection is dead, and the outbox has dropped what waited."""

    def finished(self) -> None:
        """The close frame has gone out."""


class Outbox:
    """The sending half of one connection; *most* bytes may wait, *seconds* without progress."""

    __slots__ = (
        "_backlog",
        "_closing",
        "_counted",
        "_cut",
        "_drained",
        "_flusher",
        "_head",
        "_marked",
        "_most",
        "_offset",
        "_owner",
        "_progress",
        "_queue",
        "_readiness",
        "_remember",
        "_runtime",
        "_seconds",
        "_since",
        "_sock",
        "_tidy",
        "_tidy_at",
        "_waiting",
        "_writing",
        "sent",
        "unsent",
    )

    def __init__(
        self,
        sock: socket.socket,
        readiness: Readiness,
        runtime: Runtime,
        flusher: Flusher,
        most: int,
        seconds: float,
        owner: Owner,
    ) -> None:
        self._sock = sock
        self._readiness = readiness
        self._runtime = runtime
        self._flusher = flusher
        self._most = most
        self._seconds = seconds
        self._owner: Owner | None = owner
        self._queue: list[bytes] = []  # frames put since the last flush
        self._head = b""  # frames of which the kernel took the first _offset bytes
        self._offset = 0
        self._backlog = 0  # bytes that the kernel has refused so far, queue included
        self._counted = 0  # frames of the queue that are counted in, while the kernel refuses
        self._waiting = 0  # and their bytes
        self._marked = False
        self._writing = False
        self._closing = False
        self._cut = False  # the queue was freed: there is a gap behind what is sent
        self._drained: threading.Event | None = None
        self._since = 0.0  # when the other side last got on by PROGRESS
        self._progress = 0
        self._remember: Callable[[bytes], None] | None = None
        self._tidy: Callable[[], int] | None = None
        self._tidy_at = NEVER  # to be called once so many bytes have been sent
        #: bytes handed to the kernel
        self.sent = 0
        #: bytes that were dropped, because the connection is dead or its reader too slow
        self.unsent = 0

    def put(self, frame: bytes) -> None:
        """Send *frame* in its turn. Does nothing once the outbox is closing."""
        if self._closing:
            return
        self._queue.append(frame)
        if not self._marked:
            self._marked = True
            self._flusher.mark(self)

    def put_and_remember(self, frame: bytes) -> None:
        """The same, and call what `remember` was given, whether *frame* is sent or not."""
        remember = self._remember
        if remember is not None:
            remember(frame)
        if self._closing:
            return
        self._queue.append(frame)
        if not self._marked:
            self._marked = True
            self._flusher.mark(self)

    def remember(self, add: Callable[[bytes], None], tidy: Callable[[], int]) -> None:
        """Call *add* with each frame of `put_and_remember` from now on, and *tidy* at times.

        *tidy* drops what was added where that is too much, and returns after how many more sent
        bytes it is to be called again.
        """
        self._remember = add
        if self._owner is not None:  # once it has ended, nothing would break the cycle any more
            self._tidy, self._tidy_at = tidy, self.sent

    def finish(self, close_frame: bytes) -> None:
        """Send what is queued, then *close_frame*, then nothing more."""
        if not self._closing:
            if self._cut:  # another thread may have put something behind the gap
                self._queue.clear()
            # In this order: a thread that sees the flag finds the frame in the queue.
            self._queue.append(close_frame)
            self._closing = True
            self._flusher.mark(self)

    def abort(self) -> None:
        """Drop what is queued: the connection is dead."""
        self._closing = True
        self._owner = self._tidy = None
        self.unsent += len(self._head) - self._offset + sum(map(len, self._queue))
        self._queue.clear()
        self._head = b""
        self._offset = self._backlog = self._counted = self._waiting = 0
        if self._drained is not None:
            self._drained.set()

    @property
    def backlog(self) -> int:
        """Bytes that the kernel did not take."""
        return self._backlog

    def wait_below(self, most: int) -> None:
        """Wait until at most *most* bytes are left, or the outbox has closed.

        For handlers that answer with more than they were given: back-pressure
        instead of an overflow.
        """
        while self._backlog > most and not self._closing:
            if self._drained is None:
                self._drained = threading.Event()
            self._drained.clear()
            if self._backlog > most and not self._closing:
                self._drained.wait()

    def flush(self) -> None:
        """Send all that is queued in one call; called by the flusher alone."""
        self._marked = False
        if self._writing:
            with self._flusher.lock:
                self._check_bytes()
            return
        closing = self._closing  # looked at before the queue is taken
        queue = self._queue
        if not queue:
            if closing:
                self._finish()
            return
        data = queue.pop(0) if len(queue) == 1 else self._take()
        try:
            sent = self._sock.send(data)
        except WOULD_BLOCK:
            sent = 0
        except OSError:
            self.unsent += len(data)
            self.die()
            return
        self.sent += sent
        if self.sent >= self._tidy_at:
            self._make_room()
        if sent < len(data):
            self._block(data, sent)
        elif closing:
            self._finish()

    def _make_room(self) -> None:
        """Much has been sent: what is remembered is looked at."""
        self._tidy_at = NEVER if self._tidy is None else self.sent + self._tidy()

    def _finish(self) -> None:
        """The close frame has gone out."""
        self._tidy = None  # a cycle: neither would be freed
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.finished()

    def _take(self) -> bytes:
        """The queue in one piece. Another thread's `put` meanwhile stays behind its cut."""
        queue = self._queue
        count = len(queue)
        data = queue[0] if count == 1 else b"".join(queue[:count])
        del queue[:count]
        return data

    def _block(self, data: bytes, sent: int) -> None:
        """The kernel's buffer is full: a writer takes over until the queue is empty."""
        self._head, self._offset = data, sent
        self._since = self._flusher.clock()
        self._progress = 0
        self._counted = self._waiting = 0
        self._writing = True
        self._check_bytes()
        self._runtime.spawn(self._write_on)

    def _count(self) -> None:
        """Bring the backlog up to date. What was counted before is not looked at again."""
        new = self._queue[self._counted :]
        self._counted += len(new)
        self._waiting += sum(map(len, new))
        self._backlog = len(self._head) - self._offset + self._waiting

    def _check_bytes(self) -> None:
        self._count()
        if self._backlog > self._most and not self._closing:
            self._overflow()

    def _write_on(self) -> None:
        try:
            while self._writing:
                self._write_or_wait()
        except Exception as error:
            self._flusher.lose(self, error)

    def _write_or_wait(self) -> None:
        left = self._since + self._seconds - self._flusher.clock()
        writable = left > 0 and self._readiness.wait_writable(left)
        with self._flusher.lock:
            if writable:
                self._write_once()
            elif left > 0:
                return  # the clock, not the wait, says when it is too late
            elif self._writing and not self._closing:
                self._overflow()
            elif self._writing:
                self.die()

    def _write_once(self) -> None:
        if self._offset == len(self._head):
            self._head, self._offset = self._take(), 0
            self._counted = self._waiting = 0
        try:
            sent = self._sock.send(memoryview(self._head)[self._offset :])
        except WOULD_BLOCK:
            return
        except OSError:
            self.die()
            return
        self.sent += sent
        self._offset += sent
        self._progress += sent
        if self.sent >= self._tidy_at:
            self._make_room()
        if self._progress >= PROGRESS:
            self._progress = 0
            self._since = self._flusher.clock()
        closing = self._closing  # looked at before the queue is counted
        self._count()
        if self._drained is not None:
            self._drained.set()
        if not self._backlog:
            self._head, self._offset = b"", 0
            self._writing = False
            if closing:
                self._finish()
            elif self._queue:  # put by another thread since the count
                self._flusher.mark(self)

    def _overflow(self) -> None:
        """Free the queue; keep the rest of a begun frame, for what `finish` appends."""
        self._head, self._offset = _rest_of_frame(self._head, self._offset), 0
        self._cut = True
        self._queue.clear()
        self._counted = self._waiting = 0
        self._backlog = len(self._head)
        self._since = self._flusher.clock()
        if self._owner is not None:
            self._owner.overflowed()
        if self._drained is not None:
            self._drained.set()

    def die(self) -> None:
        """The connection is dead: drop what waits, and let the owner know."""
        self._writing = False
        owner = self._owner
        self.abort()
        if owner is not None:
            owner.broken()


def _rest_of_frame(data: bytes, offset: int) -> bytes:
    """What is left of the frame that *offset* cuts; *data* begins with a frame of ours."""
    position = 0
    while position < offset:
        short = data[position + 1]
        if short < 126:
            position += 2 + short
        elif short == 126:
            position += 4 + int.from_bytes(data[position + 2 : position + 4], "big")
        else:
            position += 10 + int.from_bytes(data[position + 2 : position + 10], "big")
    return data[offset:position]
