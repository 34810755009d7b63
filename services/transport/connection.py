"""One WebSocket connection: a simple-websocket `Server` with a fast lane and an outbox.

It keeps what is good in simple-websocket (finding the socket in the WSGI
environment of each web server; `receive`, `send`, `close`; `ConnectionClosed`)
and replaces what fails under load. See *Traps* in `docs/architecture.md`.

One greenlet or thread, the handler's own, reads. It never sends: everything
that goes out goes through the outbox.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from simple_websocket import ConnectionClosed, Server
from wsproto.events import CloseConnection, Ping, Pong

from ..limits import TokenBucket
from ..runtime import WOULD_BLOCK, Runtime
from ..timers import Timer, Wheel
from ..wire.codes import CloseCode
from . import frames, handshake
from .outbox import Flusher, Outbox

RECEIVE = 65_536  # bytes read at once
PIECEMEAL = 4096  # the same from a sender of many fragments: each costs 50 µs, others wait
ANSWER = 10.0  # s within which a ping must be answered
CLOSING = 2.0  # s that the other side has to hang up after the close frame went out
UNSENT = 131_072  # bytes that the kernel queues beyond what the reader's window takes
SEND_AHEAD = 262_144  # bytes that a handler of the compatible API may be ahead of its reader

CONTROL_RATE = 50.0  # pings and pongs a second: ours is one in 25 s, the rest is noise
CONTROL_BURST = 200


#: the kernel has given up: for long, nothing that was sent was confirmed
SILENCE = (errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH)


class Watch(Protocol):
    """Whoever wants to know what has arrived at the other end."""

    def pinged(self) -> None:
        """A ping has followed what was put until now."""

    def ponged(self) -> None:
        """The pong of the last ping has come."""

    def ended(self) -> None:
        """What is put from now on does not arrive."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one connection; the fields are those of `Settings`."""

    max_frame: int
    outbox_bytes: int
    outbox_seconds: float
    heartbeat: float
    binary: bool = False


@dataclass(frozen=True, slots=True)
class Context:
    """What the connections of a process share."""

    runtime: Runtime
    flusher: Flusher
    wheel: Wheel
    limits: Limits
    #: connections that have not let go of their sockets yet
    connections: set[Connection] = field(default_factory=set)


class _NoThread:
    """Stands where simple-websocket would start its reading thread."""

    name = ""

    def __init__(self, target: object) -> None: ...

    def start(self) -> None: ...


class _NoEvent:
    """Stands where simple-websocket would wait for its reading thread."""


#: Our attributes stand beside the library's, which live in a dictionary: with
#: ours it would be too large to share its keys, and each connection 2 KiB larger.
_OURS = (
    "_accepting", "_context", "_control", "_early", "_gone", "_goodbye", "_heard", "_left",
    "_is_lost", "_outbox", "_proof", "_reader", "_readiness", "_recv", "_silent", "_take",
    "_timer", "_tls", "_wait", "_waiting",
    "address", "apart", "code", "ended_by", "language", "opened", "put", "put_and_remember",
    "received", "site", "watch",
)  # fmt: skip


class Connection(Server):  # type: ignore[misc]  # the library has no types
    """Made from a WSGI environment; the 101 is queued by the constructor.

    Raises `HTTPRefusal` before anything is answered when the
    request is not an opening handshake.
    """

    __slots__ = _OURS

    def __init__(self, environ: Mapping[str, Any], context: Context, address: str = "") -> None:
        #: the client's address, as limits count it
        self.address = address
        #: the tag of the language that the browser asks for first
        self.language = ""
        #: the absolute address under which the client has reached the doors
        self.site = ""
        self.environ: Any = None  # the request, during the handshake
        self._accepting = environ.get(handshake.ACCEPTING) or handshake.check(environ)
        self._context = context
        self._gone: threading.Event | None = None
        self._is_lost = False
        self._timer: Timer | None = None
        self._heard = True
        self._silent = False
        self._proof: bytes | None = None  # what the pong of the last ping holds
        #: its methods are called at pings and pongs; None: nobody needs them
        self.watch: Watch | None = None
        self._early = b""
        self._goodbye: int | None = None  # the code of the other side's close frame
        self._waiting: deque[bytes] | None = None  # for `receive`: the rest of a batch
        self._control: TokenBucket | None = None
        self._reader = frames.FrameReader(context.limits.max_frame, context.limits.binary)
        self._left: list[bytes] | None = None  # what was read in passing, for the handler
        self._take: Callable[[list[bytes]], list[bytes]] | None = None
        #: the code this connection ends with; None while it is open
        self.code: int | None = None
        #: who ended it: `client`, `server`, or `line`: it broke without a close frame
        self.ended_by = ""
        #: messages received
        self.received = 0
        #: when it was opened, on the runtime's clock
        self.opened = context.runtime.now()
        super().__init__(environ, thread_class=_NoThread, event_class=_NoEvent)

    # ---- opening -------------------------------------------------------

    def handshake(self) -> None:
        """Take the socket over and accept. Called by the library's constructor."""
        self.ws = None  # its machine is made when a frame needs one
        limits, runtime = self._context.limits, self._context.runtime
        self.sock: Any
        own = runtime.own(self.sock) if self.mode == "gunicorn" else None
        if own is not None:
            self.sock = own
        #: it does not need the web server's greenlet any more, nor its socket
        self.apart = own is not None
        self._readiness = runtime.readiness(self.sock)
        _tune(self.sock, limits)
        self._early = handshake.early_bytes(self.environ)
        self._tls = hasattr(self.sock, "pending")
        self._wait, self._recv = self._readiness.wait, self._readiness.sock.recv
        self._outbox = Outbox(
            self._readiness.sock,
            self._readiness,
            runtime,
            self._context.flusher,
            limits.outbox_bytes,
            limits.outbox_seconds,
            self,
        )
        self._outbox.put(self._accepting)
        #: queue an encoded frame; never waits, does nothing once the connection is closing
        self.put = self._outbox.put
        #: the same, for what is to be remembered
        self.put_and_remember = self._outbox.put_and_remember
        self._timer = self._context.wheel.after(self._rest, self._beat)
        self.connected = True
        self.environ = None  # nothing below needs the request any more

    # ---- running -------------------------------------------------------

    def run(self, handler: Callable[[Connection], None]) -> None:
        """Run *handler*, which reads until the connection ends, and hang up after it.

        Returns at once where the connection has a socket of its own: the web
        server's greenlet, its deep stack and the request can go, 10 KiB of them.
        """
        self._context.connections.add(self)
        if self.apart:
            self._context.runtime.spawn(self._run, handler)
        else:
            self._run(handler)

    def _run(self, handler: Callable[[Connection], None]) -> None:
        try:
            handler(self)
        finally:
            self._hang_up()
            self._context.connections.discard(self)

    # ---- reading -------------------------------------------------------

    def receive_batch(self) -> list[bytes]:
        """Every message that has come in, in order; waits for the first.

        Text messages are `bytes` of valid UTF-8, binary ones `frames.Binary`.
        Raises `ConnectionClosed` once the connection has ended.
        """
        reader = self._reader
        while True:
            if self._goodbye is not None or reader.failed is not None:
                self._end_as_read()
            messages = reader.feed(self._read())
            if self._left is not None:
                messages, self._left = self._left, None
            if reader.controls:
                self._answer_controls()
            if messages:
                self.received += len(messages)
                return messages

    def take_in_passing(self, take: Callable[[list[bytes]], list[bytes]]) -> None:
        """From now on let *take* see on the loop what comes, before the handler is woken for it.

        It never waits, and returns the messages that are left for the handler.
        Waking a handler costs two switches, which is more than a plain message.
        """
        self._take = take
        self._readiness.in_passing = None if self._tls else self._in_passing

    def _in_passing(self) -> bool:
        """Read what has come; False: the handler is needed."""
        reader, recv, take = self._reader, self._recv, self._take
        if not self.connected or self._early or self._goodbye is not None or reader.failed:
            return False
        try:
            data = recv(PIECEMEAL if reader.piecemeal else RECEIVE)
        except WOULD_BLOCK:
            return True
        except OSError as error:
            self._silent |= error.errno in SILENCE
            return False
        if not data:
            self._lost()
            return False
        self._heard = True
        messages = reader.feed(data)
        taken = len(messages)
        if messages and take is not None:
            messages = take(messages)
            self.received += taken - len(messages)
        if messages or reader.controls or reader.failed:
            self._left = messages
            return False
        return True

    def _read(self) -> bytes:
        """The next bytes from the socket."""
        if self._early:
            early, self._early = self._early, b""
            return early
        if self.connected and not (self._tls and self.sock.pending()):
            self._wait()
        while self.connected:
            if self._left is not None:
                return b""
            try:
                data: bytes = self._recv(PIECEMEAL if self._reader.piecemeal else RECEIVE)
            except WOULD_BLOCK:
                self._wait()
                continue
            except OSError as error:
                self._silent |= error.errno in SILENCE
                data = b""
            if data:
                self._heard = True
                return data
            self._lost()
        raise ConnectionClosed(self.code or CloseCode.ABNORMAL)

    def receive(self, timeout: float | None = None) -> str | bytes:
        """The next message, as `str` or `bytes` (the library's interface; no time-outs)."""
        if timeout is not None:
            raise NotImplementedError("a connection is read without a timeout")
        while not self._waiting:
            self._waiting = deque(self.receive_batch())
        message = self._waiting.popleft()
        return bytes(message) if isinstance(message, frames.Binary) else message.decode()

    def _answer_controls(self) -> None:
        controls, self._reader.controls = self._reader.controls, []
        for event in controls:
            if isinstance(event, CloseConnection):
                self._goodbye = int(event.code)
            elif not self._may_control():
                self._end(CloseCode.RATE, "too many control frames")
            elif isinstance(event, Ping):
                self.put(frames.pong(bytes(event.payload)))
            elif isinstance(event, Pong) and event.payload == self._proof:
                self._proof = None
                if self.watch is not None:
                    self.watch.ponged()

    def _may_control(self) -> bool:
        """Whether one more control frame is within the limit."""
        if self._control is None:
            self._control = TokenBucket(CONTROL_RATE, CONTROL_BURST, self._context.runtime.now)
        return self._control.take()

    def _end_as_read(self) -> None:
        """End as the other side asked or deserved, once what it sent before is answered."""
        if self.code is not None:
            return
        if self._goodbye is not None:
            self.ended_by = "client"
            self._end(self._goodbye)
        elif self._reader.failed is not None:
            self._end(self._reader.failed.code, self._reader.failed.reason)

    # ---- writing -------------------------------------------------------

    def send(self, data: str | bytes) -> None:
        """Queue a message (the library's interface).

        Waits while the reader is far behind. Raises `ConnectionClosed` when
        the connection has ended.
        """
        if not self.connected:
            raise ConnectionClosed(self.code or CloseCode.ABNORMAL)
        if isinstance(data, bytes):
            self.put(frames.binary_frame(data))
        else:
            self.put(frames.frame(data.encode()))
        self._outbox.wait_below(SEND_AHEAD)

    @property
    def backlog(self) -> int:
        """Bytes that the other side has not taken."""
        return self._outbox.backlog

    @property
    def sent(self) -> int:
        """Bytes handed to the kernel."""
        return self._outbox.sent

    # ---- heartbeat -----------------------------------------------------

    @property
    def _rest(self) -> float:
        """s from a judged answer to the next ping, so that pings are a heartbeat apart."""
        return max(0.5, self._context.limits.heartbeat - 0.5)  # 0.5: the wheel rounds up

    def prove(self) -> None:
        """Send a ping now; its pong says that all before it has arrived."""
        ping = frames.ping()
        self._proof = ping[2:]
        self.put(ping)
        if self.watch is not None:
            self.watch.pinged()

    def remember(self, add: Callable[[bytes], None], tidy: Callable[[], int]) -> None:
        """Call *add* with each frame of `put_and_remember` from now on; see `Outbox.remember`."""
        self._outbox.remember(add, tidy)

    @property
    def is_silent(self) -> bool:
        """It ended because nothing came back, or too slowly: nobody knows what has arrived."""
        return self._silent or self.code in (CloseCode.TIMEOUT, CloseCode.SLOW_CONSUMER)

    @property
    def unsent(self) -> int:
        """Once it has ended: bytes that were put and that the kernel was never given."""
        return self._outbox.unsent

    def _beat(self) -> None:
        self._heard = False
        self.prove()
        self._timer = self._context.wheel.after(ANSWER - 0.5, self._judge)

    def _judge(self) -> None:
        """An answer that nobody has read yet, because the session waits for the store, counts."""
        unread = self._readiness.has_unread() or (self._tls and self.sock.pending())
        if not (self._heard or unread):
            self._end(CloseCode.TIMEOUT, "no answer to a ping")
            return
        self._timer = self._context.wheel.after(max(0.5, self._rest - ANSWER), self._beat)

    # ---- ending --------------------------------------------------------

    def close(self, reason: int | None = None, message: str | None = None) -> None:
        """Say goodbye with code *reason*; the handler's next `receive` raises. Never waits."""
        self._end_as_read()  # a goodbye that came first stands
        self._end(reason or CloseCode.NORMAL, message or "")

    def _end(self, code: int, reason: str = "") -> None:
        if self.code is not None:
            return
        self.code = int(code)
        self.ended_by = self.ended_by or "server"
        self.connected = False
        self._outbox.finish(frames.close(code, reason))
        self._stop()

    def _lost(self) -> None:
        """The connection broke without a close frame."""
        if self.code is None:
            self.code, self.ended_by = int(CloseCode.ABNORMAL), "line"
        self.connected = False
        self._is_lost = True
        self._outbox.abort()
        self._stop()

    def _stop(self) -> None:
        if self.watch is not None:
            self.watch.ended()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._readiness.wake()

    def overflowed(self) -> None:
        """For the outbox: the other side reads too slowly."""
        self._end(CloseCode.SLOW_CONSUMER, "reading too slowly")

    def broken(self) -> None:
        """For the outbox: the connection is dead."""
        self._lost()
        self._announce_end()

    def finished(self) -> None:
        """For the outbox: the close frame is out; nothing follows it."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)
        self._announce_end()

    def _announce_end(self) -> None:
        self._is_lost = True
        if self._gone is not None:
            self._gone.set()

    def _hang_up(self) -> None:
        """Let the close frame go out, wait for the other side to hang up, let go of the socket.

        Closing a socket that still has something to read resets the connection and
        may take our close frame with it, so what comes is read and thrown away
        for a while.
        """
        self.close()
        if not self._is_lost:
            self._gone = threading.Event()
            if not self._is_lost:
                self._gone.wait(self._context.limits.outbox_seconds + CLOSING)
        if self.ended_by != "line":
            self._discard()
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self._take = None  # whose method it is holds this connection
        self._readiness.close()
        if self.apart or self.mode == "gevent":  # there the library made a duplicate
            self.sock.close()

    def _discard(self) -> None:
        now = self._context.runtime.now
        end = now() + CLOSING
        while now() < end:
            try:
                if not self._recv(RECEIVE):
                    return
            except WOULD_BLOCK:
                self._readiness.wait_readable(max(0.0, end - now()))
            except OSError:
                return


def _tune(sock: socket.socket, limits: Limits) -> None:
    """No Nagle (we coalesce ourselves); the kernel notices a dead connection as well.

    The kernel holds no megabytes for a client that does not read: a hundred such
    clients use up its memory for TCP, and then other clients wait.
    """
    with contextlib.suppress(OSError):  # not TCP: a Unix socket behind a proxy
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            milliseconds = int((limits.heartbeat + ANSWER) * 1000)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
