"""A look at who else serves the same PostgreSQL: nothing else prevents several desks.

A SQLite file has a lock (`history/lock.py`). PostgreSQL is made for several, and they are
one desk with Redis; without it visitors of one never meet the waiters of the other.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket

from .history import serving
from .history.port import StoreError
from .history.serving import Server
from .history.sql import SQLStore
from .runtime import Runtime

log = logging.getLogger("csapp")


class OtherServers:
    """Shows others that this process serves *store*, and warns where they are separate desks.

    *shared*: the desk of this process is in Redis.
    """

    def __init__(self, store: SQLStore, runtime: Runtime, *, shared: bool) -> None:
        self._store = store
        self._runtime = runtime
        self._key = secrets.token_hex(6)
        self._us = Server(f"process {os.getpid()} on {socket.gethostname()}", shared)
        self._seen: dict[str, Server] = {}
        self._alive: set[str] = set()
        self._warned = self._left = False

    def turn(self) -> None:
        """Give a sign of life and look at the others. Waits. Whoever stores says what fails."""
        if self._is_gone():
            return
        self._us = self._us._replace(beats=self._us.beats + 1)
        try:
            found = self._runtime.blocking(serving.beat, self._store, self._key, self._us)
        except StoreError:
            return
        if self._is_gone():  # meanwhile
            self.leave()
        # Of one that was killed, or leaves for the next one, there is an old sign of life only.
        # One that has given a newer one is there until it is forgotten: the next may be late.
        known, self._seen = self._seen, found
        self._alive = {
            key for key, one in found.items()
            if key in self._alive or one != known.get(key, one)
        }  # fmt: skip
        alive = [one for key, one in found.items() if key in self._alive]
        separate = [one.name for one in alive if not (one.shared and self._us.shared)]
        if separate and not self._warned:
            log.warning(
                "%s serves the same database, and not all have CSAPP_REDIS_URL: these are separate "
                "desks, whose visitors and waiters never meet; give all of them the same "
                "CSAPP_REDIS_URL, or run one process",
                ", ".join(separate),
            )  # fmt: skip
        self._warned = bool(separate)

    def _is_gone(self) -> bool:
        return self._left

    def leave(self) -> None:
        """This process serves nobody any more. Waits."""
        self._runtime.blocking(self.leave_now)

    def leave_now(self) -> None:
        """The same in a native thread. Blocks."""
        self._left = True
        with contextlib.suppress(StoreError):
            serving.leave(self._store, self._key)
