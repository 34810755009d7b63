"""`Runtime` with greenlets on gevent's hub: under gunicorn with gevent workers."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import time
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from .native_calls import Calls, NativeThread, report
from .runtime import Done, Readiness


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
        # Bare greenlets: gevent's own hold a dictionary and where they came from, 1 KiB each.
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
        thread = NativeThread(waker.send)
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
    """Serves the sockets that one round of the event loop has found ready, in the kernel's order.

    The kernel lists them in the order in which they became ready. libev notes
    all of them and then makes their calls from the last to the first, so that
    of a hundred visitors who ask at once the last one would be first in the
    queue. So their calls only append them here, and what libev does last in the
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
                report("a socket could not be served")


class _HubReadiness:
    """`Readiness` with a read watcher that stays started, and the bare socket under gevent's.

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
    """The standard library's socket on *descriptor*, which is of the connection of *sock*."""
    bare: socket.socket = _plain_socket()(sock.family, sock.type, sock.proto, fileno=descriptor)
    bare.setblocking(False)
    return bare


@cache
def _dead_end() -> socket.socket:
    """A socket whose other end is closed: whatever writes to it gets a broken pipe."""
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
        report("a greenlet failed")
