"""`Runtime` with plain threads: the Flask development server, and hosts without gevent."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from .native_calls import Calls, NativeThread
from .runtime import Done, Readiness


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
        thread = NativeThread(lambda: self.call_soon(thread.deliver))
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
