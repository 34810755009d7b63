"""Ports of the loopback that nobody else takes, however many test runs share the machine."""

from __future__ import annotations

import functools
import itertools
import os
import socket

#: below the ports that a kernel gives to outgoing connections (Linux: 32768 and up), and above
#: those that browsers refuse (10080 is the last)
PORTS = range(10_100, 32_000)
#: what one process takes of them: more than it ever has in use at once
BLOCK = 100


class _Block:
    """Ports that are this process's for as long as it holds the first of them."""

    def __init__(self) -> None:
        for first in PORTS[::BLOCK]:
            guard = socket.socket()
            try:
                guard.bind(("127.0.0.1", first))  # fails where another process has bound it
            except OSError:
                guard.close()
                continue
            self._guard = guard
            self._ports = itertools.cycle(range(first + 1, first + BLOCK))
            return
        raise OSError(f"every block of ports in {PORTS} is taken")

    def free(self) -> int:
        """The next one that is free: what was given out comes again as late as possible."""
        for port in itertools.islice(self._ports, BLOCK):
            try:
                socket.create_server(("127.0.0.1", port)).close()
            except OSError:
                continue
            return port
        raise OSError("every port of this process is taken")


@functools.cache
def _block(_pid: int) -> _Block:
    return _Block()


def free_port() -> int:
    """A port of the loopback on which nobody listens, and which nobody else takes meanwhile.

    It stays free until a server binds it, also when the server is stopped and
    started again on it: the kernel never gives such a port to an outgoing
    connection, and another process that asks here gets ports of another block.
    """
    return _block(os.getpid()).free()
