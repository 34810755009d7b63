"""Connections to a database, shared by native threads beside an event loop.

gevent puts its own locks in the place of those of `threading`, also inside SQLAlchemy's
pool. Native threads that wait for such a lock may sleep for ever. gevent does not replace
the interpreter's own queue, which has the lock of the system.
"""

from __future__ import annotations

from _queue import Empty, SimpleQueue
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import ConnectionPoolEntry, Pool


class NativePool(Pool):
    """At most *pool_size* connections stay open, and *max_overflow* more at busy times.

    A thread that finds all of them in use waits; after *timeout* s it gets
    `sa.exc.TimeoutError`.
    """

    def __init__(
        self,
        creator: Callable[..., Any],
        pool_size: int = 4,
        max_overflow: int = 5,
        timeout: float = 30.0,
        **options: Any,
    ) -> None:
        super().__init__(creator, **options)
        self._size = pool_size
        self._overflow = max_overflow
        self._timeout = timeout
        self._disposed = False
        #: open connections that no thread uses
        self._idle: SimpleQueue[ConnectionPoolEntry] = SimpleQueue()
        #: one item for each connection that may still be taken
        self._free: SimpleQueue[None] = SimpleQueue()
        for _ in range(pool_size + max_overflow):
            self._free.put(None)

    def _do_get(self) -> ConnectionPoolEntry:
        try:
            self._free.get(timeout=self._timeout)
        except Empty:
            raise sa.exc.TimeoutError(
                f"all {self._size + self._overflow} connections were in use for {self._timeout:g} s"
            ) from None
        try:
            return self._idle.get_nowait()
        except Empty:
            pass
        try:
            return self._create_connection()
        except BaseException:
            self._free.put(None)
            raise

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        try:
            if self._disposed or self._idle.qsize() >= self._size:
                record.close()
            else:
                self._idle.put(record)
        finally:
            self._free.put(None)

    def dispose(self) -> None:
        """Close the connections that no thread uses, and the others when they are returned."""
        self._disposed = True
        try:
            while True:
                self._idle.get_nowait().close()
        except Empty:
            pass

    def recreate(self) -> NativePool:
        """An empty pool like this one."""
        return NativePool(
            self._creator,
            pool_size=self._size,
            max_overflow=self._overflow,
            timeout=self._timeout,
            recycle=self._recycle,
            echo=self.echo,
            logging_name=self._orig_logging_name,
            reset_on_return=self._reset_on_return,
            pre_ping=self._pre_ping,
            _dispatch=self.dispatch,
            dialect=self._dialect,
        )

    def status(self) -> str:
        """For messages: how many are idle and how many may still be taken."""
        return f"{self._idle.qsize()} idle, {self._free.qsize()} free"
