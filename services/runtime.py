"""What differs between gevent's greenlets (`greenlets.py`) and plain threads (`threads.py`).

Everything else uses `threading` primitives, which gevent patches, and what a
`Runtime` offers. So the same code runs under gunicorn with gevent workers,
under the Flask development server and inside somebody's Flask application.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import Any, Protocol

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
        """Make `wait` and `wait_readable` return, soon."""

    def wait_writable(self, timeout: float) -> bool:
        """Return True when the socket takes bytes again, False after *timeout* seconds."""

    def has_unread(self) -> bool:
        """Whether there is something to read now, or the other side has hung up. Never waits."""

    def close(self) -> None:
        """Watch the socket no more; it stays open. Call this before the socket is closed."""


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
        """A second socket on the connection of *sock*, which itself is cut off from it.

        Whoever gave *sock* gets a broken pipe when it writes, and may close it. None
        where a connection has to stay in the greenlet or thread it came with.
        """

    def hang_up(self, sock: Any, how: int) -> None:
        """Shut the connection of *sock* down (`socket.SHUT_…`), also while others wait for it.

        A reader gets the end of the stream, a writer a broken pipe. Never raises `OSError`.
        """

    def readiness(self, sock: socket.socket) -> Readiness:
        """Watch *sock*, which does not block from now on."""

    def sleep(self, seconds: float) -> None:
        """Let others run for *seconds*."""

    #: seconds, monotonic: the wall clock may jump (docs/architecture.md, *Time*)
    now: Callable[[], float]


def current() -> Runtime:
    """The runtime of this process: gevent where sockets are patched, threads otherwise."""
    from .threads import ThreadRuntime

    try:
        from gevent import monkey
    except ImportError:  # the development server needs no gevent
        return ThreadRuntime()
    if not monkey.is_module_patched("socket"):
        return ThreadRuntime()
    from .greenlets import GeventRuntime

    return GeventRuntime()
