"""The only place that knows gevent from plain threads.

Everything else uses `threading` primitives, which gevent patches, and what a
`Runtime` offers. So the same code runs under gunicorn with gevent workers,
under the Flask development server and inside somebody's Flask application.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import socket
import ssl
import threading
import time
from _queue import SimpleQueue
from collections import deque
from collections.abc import Callable
from functools import cache, partial
from typing import Any, Protocol

log = logging.getLogger("csapp")

#: called with what went wrong, or None
Done = Callable[[BaseException | None], None]

#: what a non-blocking call raises instead of waiting
WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Readiness(Protocol):
    """Waits for one socket. One greenlet or thread waits for reading at a time."""

    #: the socket to read and write: its calls never wait, they raise one of `WOULD_BLOCK`
    sock: Any
    #: asked on the loop, when there may be something to read, before whoever waits is woken:
    #: True if nothing is left for it to do. Never asked where there is no loop
    in_passing: Callable[[], bool] | None

    def wait(self) -> None:
        """Return when there may be something to read: also after `wake`, rarely for nothing."""

    def wait_readable(self, timeout: float) -> None:
        """The same, for at most *timeout* seconds."""

    def wake(self) -> None:
        """Make `wait_readable` return, soon."""

    def wait_writable(self, timeout: float) -> bool:
        """Return True when the socket takes bytes again, False after *timeout* seconds."""

    def has_unread(self) -> bool:
        """Whether there is something to read now, or the other side has hung up. Never waits."""

    def close(self) -> None:
        """Let go of the socket, which stays open; before the socket itself is closed."""


class Runtime(Protocol):
    """What differs between greenlets and threads."""

    #: how it is named in `/v1/status` and in the log
    name: str

    def spawn(self, function: Callable[..., Any], *args: Any) -> None:
        """Run *function* in a greenlet or daemon thread of its own."""

    def call_soon(self, function: Callable[[], None]) -> None:
        """Run *function* once this round of the event loop has read every ready socket.

        It must not wait for anything.
        """

    def blocking(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run a driver call that would stop the loop in a native thread; returns its result."""

    def aside(self, function: Callable[..., Any], *args: Any) -> None:
        """Run *function* soon in the one greenlet or thread for such calls; they keep their order.

        For what must not cost each connection something, like a log record: it
        asks for the current thread, which gevent then makes for each greenlet.
        """

    def native(self) -> Callable[[Callable[[], Any], Done], None]:
        """A native thread of its own, and how to use it: `run(function, done)`.

        It makes one call after the other; then *done* is called on the loop
        with the exception that *function* has raised, or None.
        """

    def own(self, sock: Any) -> socket.socket | None:
        """A second socket on the line of *sock*, which itself has no line any more.

        Whoever gave *sock* gets a broken pipe when it writes, and may close it. None
        where a conversation has to stay in the greenlet or thread it came with.
        """

    def hang_up(self, sock: Any, how: int) -> None:
        """Shut the connection of *sock* down (`socket.SHUT_…`), beneath whoever waits for it.

        Who reads comes to an end, who writes gets a broken pipe. Never raises `OSError`.
        """

    def readiness(self, sock: socket.socket) -> Readiness:
        """Watch *sock*, which does not block from now on."""

    def sleep(self, seconds: float) -> None:
        """Let others run for *seconds*."""

    #: seconds, monotonic: the wall clock may jump (docs/architecture.md, *Time*)
    now: Callable[[], float]


def current() -> Runtime:
    """The runtime of this process: gevent where sockets are patched, threads otherwise."""
    try:
        from gevent import monkey
    except ImportError:  # the development server needs no gevent
        return ThreadRuntime()
    return GeventRuntime() if monkey.is_module_patched("socket") else ThreadRuntime()


class GeventRuntime:
    """Greenlets on gevent's hub."""

    name = "gevent"

    def __init__(self) -> None:
        import gevent
        import gevent.socket
        from greenlet import greenlet

        self._gevent = gevent
        self._greenlet = greenlet
        self._hub = gevent.get_hub()
        self._aside: Calls | None = None
        self._round = _Round(self._hub.loop)
        self.now = time.monotonic
        self.sleep = gevent.sleep
        self.call_soon = self._hub.loop.run_callback

    def spawn(self, function: Callable[..., Any], *args: Any) -> None:
        # Bare greenlets: gevent's own keep a dictionary and where they came from, 1 KiB each.
        bare = self._greenlet(_guarded, self._hub)
        self.call_soon(bare.switch, function, args)

    def aside(self, function: Callable[..., Any], *args: Any) -> None:
        if self._aside is None:
            self._aside = Calls()
            self._gevent.spawn(self._aside.run)
        self._aside.append(partial(function, *args))

    def native(self) -> Callable[[Callable[[], Any], Done], None]:
        from gevent import monkey

        waker = self._hub.loop.async_()
        thread = _NativeThread(waker.send)
        waker.start(thread.deliver)
        monkey.get_original("_thread", "start_new_thread")(thread.work, ())
        return thread.run

    def own(self, sock: Any) -> socket.socket | None:
        if isinstance(sock, ssl.SSLSocket):
            return None  # what it has read ahead cannot be shared
        bare = _bare(sock, os.dup(sock.fileno()))
        os.dup2(_dead_end().fileno(), sock.fileno(), inheritable=False)
        return bare

    def hang_up(self, sock: Any, how: int) -> None:
        # Not gevent's own `shutdown`: whoever waits would find its descriptor closed.
        with contextlib.suppress(OSError):
            bare = _bare(sock, os.dup(sock.fileno()))
            with bare:
                bare.shutdown(how)

    def blocking(self, function: Callable[..., Any], *args: Any) -> Any:
        # What it raises is brought back by hand: gevent's pool would print it as well.
        value, error = self._hub.threadpool.apply(_caught, (function, args))
        if error is not None:
            raise error
        return value

    def readiness(self, sock: socket.socket) -> Readiness:
        return _HubReadiness(self._gevent, self._hub, self._round, sock)


class _Round:
    """The sockets that one round of the event loop has found ready, served as they became so.

    The kernel lists them in the order in which they became ready. libev notes
    all of them and then makes their calls from the last to the first, so that
    of a hundred visitors who ask at once the last one would be first in the
    queue. So their calls only note them here, and what libev does last in the
    round serves them from the end: first come, first served.
    """

    def __init__(self, loop: Any) -> None:
        self.ready: list[_HubReadiness] = []
        self._is_reversed = "libev" in type(loop).__module__
        # What has the lowest priority comes last. In libuv it has a phase of its own.
        options = {"priority": -2} if self._is_reversed else {}
        self._watcher = loop.check(ref=False, **options)
        self._watcher.start(self._serve)

    def _serve(self) -> None:
        if not self.ready:
            return
        ready = self.ready[::-1] if self._is_reversed else self.ready[:]
        self.ready.clear()
        for one in ready:
            try:
                one.serve()
            except Exception:
                _report("a socket could not be served")


class _HubReadiness:
    """A read watcher that stays started, and the bare socket under gevent's.

    gevent's own `recv` tries the socket before it waits, and its wait starts
    and stops a watcher and makes a waiter object each time. One watcher that
    switches straight into the waiting greenlet needs none of that.
    """

    __slots__ = (
        "_borrowed", "_fd", "_getcurrent", "_hub", "_reader", "_round", "_started", "_switch",
        "_wait_write", "_waiting", "_watcher", "in_passing", "sock",
    )  # fmt: skip

    def __init__(self, gevent: Any, hub: Any, round_: _Round, sock: socket.socket) -> None:
        from greenlet import greenlet

        sock.setblocking(False)
        self._fd = sock.fileno()
        #: gevent's own socket: its descriptor is read beside it, and stays open
        self._borrowed = hasattr(sock, "hub") and not isinstance(sock, ssl.SSLSocket)
        self.sock: Any = _bare(sock, self._fd) if self._borrowed else sock
        self._hub = hub
        self._round = round_
        self._switch = greenlet.switch
        self._getcurrent = gevent.getcurrent
        self._wait_write = gevent.socket.wait_write
        self._watcher = hub.loop.io(self._fd, 1)
        self._started = False
        self._waiting = False
        self._reader: Any = None
        self.in_passing: Callable[[], bool] | None = None

    def wait(self) -> None:
        if not self._started:
            self._started = True
            self._reader = self._getcurrent()
            self._watcher.start(self._round.ready.append, self)
        self._waiting = True
        self._switch(self._hub)

    def serve(self) -> None:
        """There may be something to read."""
        if self._waiting:
            in_passing = self.in_passing
            if in_passing is not None and in_passing():
                return
            self._waiting = False
            self._reader.switch()
        elif self._started:  # level-triggered: without a reader it would call for ever
            self._started = False
            self._watcher.stop()

    def wait_readable(self, timeout: float) -> None:
        self.in_passing = None
        timer = self._hub.loop.timer(timeout)
        timer.start(self.serve)
        try:
            self.wait()
        finally:
            timer.close()

    def wake(self) -> None:
        self._hub.loop.run_callback(self.serve)

    def wait_writable(self, timeout: float) -> bool:
        try:
            self._wait_write(self._fd, timeout=timeout)
        except TimeoutError:
            return False
        return True

    def has_unread(self) -> bool:
        look = _plain_poll()()
        look.register(self._fd, select.POLLIN)
        return bool(look.poll(0))

    def close(self) -> None:
        self.in_passing = None
        self._started = False
        self._watcher.stop()
        self._watcher.close()
        if self._borrowed:
            self.sock.detach()  # the descriptor belongs to gevent's socket


def _bare(sock: socket.socket, descriptor: int) -> socket.socket:
    """The standard library's socket on *descriptor*, which is one of the line of *sock*."""
    bare: socket.socket = _plain_socket()(sock.family, sock.type, sock.proto, fileno=descriptor)
    bare.setblocking(False)
    return bare


@cache
def _dead_end() -> socket.socket:
    """A socket at whose other end nobody is, and nobody will be."""
    mine, other = _plain_socketpair()()
    other.close()
    return mine


@cache
def _plain_socketpair() -> Callable[[], tuple[socket.socket, socket.socket]]:
    from gevent import monkey

    plain: Callable[[], tuple[socket.socket, socket.socket]]
    plain = monkey.get_original("socket", "socketpair")
    return plain


@cache
def _plain_socket() -> type[socket.socket]:
    from gevent import monkey

    plain: type[socket.socket] = monkey.get_original("socket", "socket")
    return plain


@cache
def _plain_poll() -> Callable[[], select.poll]:
    """The kernel's own: gevent's would let others run."""
    from gevent import monkey

    plain: Callable[[], select.poll] = monkey.get_original("select", "poll")
    return plain


def _caught(
    function: Callable[..., Any], args: tuple[Any, ...]
) -> tuple[Any, BaseException | None]:
    try:
        return function(*args), None
    except Exception as error:
        return None, error


def _guarded(function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    """An exception that leaves a bare greenlet would stop the hub."""
    try:
        if len(args) == 1:  # called in Python, it takes no C stack, of which each switch copies
            function(args[0])
        else:
            function(*args)
    except Exception:
        _report("a greenlet failed")


def _report(what: str) -> None:
    """Log the exception that is handled now; whatever the log itself raises goes no further.

    Whoever calls this must go on: a host's handler of log records may fail as well.
    """
    with contextlib.suppress(Exception):
        log.exception(what)


class Calls:
    """Calls that one greenlet or thread makes in turn."""

    def __init__(self) -> None:
        self._calls: deque[Callable[[], Any]] = deque()
        self._called = threading.Event()

    def append(self, call: Callable[[], Any]) -> None:
        """Let it be made."""
        self._calls.append(call)
        self._called.set()

    def run(self) -> None:
        """Make them, for ever."""
        while True:
            self._called.wait()
            self._called.clear()
            while self._calls:
                try:
                    self._calls.popleft()()
                except Exception:
                    _report("a call of the loop failed")


class _NativeThread:
    """Makes calls in a thread that no event loop runs in; *wake* makes the loop `deliver`."""

    def __init__(self, wake: Callable[[], None]) -> None:
        # The C one, which gevent leaves alone: it waits without a loop.
        self._jobs: SimpleQueue[tuple[Callable[[], Any], Done]] = SimpleQueue()
        self._results: deque[tuple[Done, BaseException | None]] = deque()
        self._wake = wake

    def run(self, function: Callable[[], Any], done: Done) -> None:
        self._jobs.put((function, done))

    def work(self) -> None:
        while True:
            function, done = self._jobs.get()
            error: BaseException | None = None
            try:
                function()
            except BaseException as raised:  # whatever it is, somebody waits for the answer
                error = raised
            self._results.append((done, error))
            del function, done, error  # what people have said: not until the next job comes
            self._wake()

    def deliver(self) -> None:
        while self._results:
            done, error = self._results.popleft()
            try:
                done(error)
            except Exception:
                _report("an answer of a native thread could not be used")


class ThreadRuntime:
    """Plain threads: the Flask development server, and hosts without gevent."""

    name = "threads"

    def __init__(self) -> None:
        self.now = time.monotonic
        self.sleep = time.sleep
        calls = Calls()
        self.call_soon = calls.append
        threading.Thread(target=calls.run, name="csapp-loop", daemon=True).start()

    def spawn(self, function: Callable[..., Any], *args: Any) -> None:
        threading.Thread(target=function, args=args, daemon=True).start()

    def aside(self, function: Callable[..., Any], *args: Any) -> None:
        function(*args)

    def native(self) -> Callable[[Callable[[], Any], Done], None]:
        thread = _NativeThread(lambda: self.call_soon(thread.deliver))
        threading.Thread(target=thread.work, name="csapp-native", daemon=True).start()
        return thread.run

    def own(self, sock: Any) -> socket.socket | None:
        return None

    def hang_up(self, sock: Any, how: int) -> None:
        # Not TLS's own `shutdown`, which takes its state from whoever reads.
        with contextlib.suppress(OSError):
            descriptor = os.dup(sock.fileno())
            with socket.socket(sock.family, sock.type, sock.proto, descriptor) as bare:
                bare.shutdown(how)

    def blocking(self, function: Callable[..., Any], *args: Any) -> Any:
        return function(*args)

    def readiness(self, sock: socket.socket) -> Readiness:
        return _PollReadiness(sock)


class _PollReadiness:
    __slots__ = ("_fd", "_read", "_woken", "in_passing", "sock")

    LOOK = 0.25  # s between two looks for a `wake`: a poll cannot be interrupted

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock: Any = sock
        self.in_passing: Callable[[], bool] | None = None
        self._fd = sock.fileno()
        self._woken = False
        self._read = select.poll()
        self._read.register(self._fd, select.POLLIN)

    def wait(self) -> None:
        while not self._woken and not self._read.poll(self.LOOK * 1000):
            pass
        self._woken = False

    def wait_readable(self, timeout: float) -> None:
        end = time.monotonic() + timeout
        while not self._woken and time.monotonic() < end:
            if self._read.poll(self.LOOK * 1000):
                break
        self._woken = False

    def wake(self) -> None:
        self._woken = True

    def wait_writable(self, timeout: float) -> bool:
        write = select.poll()
        write.register(self._fd, select.POLLOUT)
        return bool(write.poll(timeout * 1000))

    def has_unread(self) -> bool:
        look = select.poll()
        look.register(self._fd, select.POLLIN)
        return bool(look.poll(0))

    def close(self) -> None:
        self.in_passing = None
