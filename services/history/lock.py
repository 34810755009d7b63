"""One desk at a time on one SQLite file.

A process that serves a database without Redis has the desk in its memory. A second
process on the same file would be a second desk: its visitors would never meet the
waiters of the first, and it would take up the open conversations of the first. So a
process that serves a file holds a lock beside it for as long as it lives: alone, or
together with others that share a desk over Redis. The system releases the lock when the
process ends, however it ends. Commands hold no lock.

When a worker leaves or dies, the next worker of the same server goes first. The file
says which process started the holder. A process that was not started by that one waits
for a while (`SUCCESSION`), as long as that one lives. Otherwise another process
(`flask run`) could take the database at each reload of the server.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import time
import weakref
from collections.abc import Callable

from .holder import Holder, LastHolder
from .port import InUse, StoreError

log = logging.getLogger("csapp")

#: errors of file systems that cannot lock
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)

#: s that others leave the database to the next worker of the server that served it last: this
#: is how long that worker may take to start and to load its application
SUCCESSION = 20.0

_held: weakref.WeakSet[ServingLock] = weakref.WeakSet()


class ServingLock:
    """The lock of the database *path*: a file beside it."""

    def __init__(self, path: str, now: Callable[[], float] = time.monotonic) -> None:
        self.path = f"{os.path.realpath(path)}.lock"
        self._database = path
        self._now = now
        self._descriptor: int | None = None
        self._shared = self._leaves = False
        #: since when nobody holds it, and the holder whose successor goes first
        self._free: tuple[float, LastHolder] | None = None
        #: at the last refusal, the lock was about to be free
        self.holder_leaves = False

    def take(self, *, shared: bool) -> None:
        """Hold it from now on, alone or *shared* with others that share it. Never waits.

        Raises `InUse` where another process holds it in another way or goes first,
        `StoreError` where there can be no such file.
        """
        if self._free is not None and self._free[1] == self.last_holder():
            self._give_way(self._free[1], shared)  # without the lock: the successor may need it now
        while self._descriptor is None:
            try:
                descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            except OSError as error:
                raise StoreError(f"{self.path}: {error.strerror}") from None
            self._lock(descriptor, shared)
            try:
                if not self._is_there(descriptor):  # its last holder has just removed it
                    continue
                self._give_way(LastHolder.read(descriptor), shared)
                self._descriptor, self._shared, self._leaves = descriptor, shared, False
            finally:
                if self._descriptor is None:
                    os.close(descriptor)
            self._free = None
            _held.add(self)
            self._write()

    def _give_way(self, last: LastHolder, shared: bool) -> None:
        """Raise `InUse` while a successor of the *last* holder goes first."""
        now = self._now()
        if not last.comes_before_us(shared):
            return
        if self._free is None or self._free[1] != last:
            self._free = now, last
        if now < self._free[0] + SUCCESSION:
            self.holder_leaves = True
            raise InUse(
                f"{self._database} was served by {last.name} until now: the next worker of "
                f"the same server (process {last.server_number}) goes first"
            )

    def _lock(self, descriptor: int, shared: bool) -> None:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise self._refusal(descriptor, shared) from None
            log.warning(
                "%s cannot be locked here (%s): see to it that one process serves it",
                self._database, error.strerror,
            )  # fmt: skip

    def _is_there(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self.path))
        except OSError:
            return False

    def _refusal(self, descriptor: int, shared: bool) -> InUse:
        with os.fdopen(descriptor):
            holder = LastHolder.read(descriptor)
        self._free = None
        self.holder_leaves = holder.is_about_to_end()
        if shared:
            remedy = "give it CSAPP_REDIS_URL as well, or stop it"
        else:
            remedy = "stop one of them, or give both the same CSAPP_REDIS_URL"
        return InUse(
            f"{self._database} is served by {holder.name}: without CSAPP_REDIS_URL "
            f"one process serves a database at a time; {remedy}"
        )

    def is_held(self) -> bool:
        """Whether a process holds the lock."""
        return self.holder() is not None

    def holder(self) -> Holder | None:
        """The process that holds it, as far as can be seen; of several that share it, the last."""
        try:
            file = open(self.path)  # noqa: SIM115  # closed below
        except OSError:
            return None
        with file:
            if _can_lock(file.fileno(), fcntl.LOCK_EX):
                return None
            name = LastHolder.read(file.fileno()).name
            return Holder(name, shared=_can_lock(file.fileno(), fcntl.LOCK_SH))

    def last_holder(self) -> LastHolder:
        """What the file says about the holder, or the last one."""
        try:
            with open(self.path) as file:
                return LastHolder.read(file.fileno())
        except OSError:
            return LastHolder()

    def announce_leaving(self) -> None:
        """Let processes that wait for the lock know that it is about to be free."""
        if self._descriptor is not None:
            self._leaves = True
            self._write()

    def release(self) -> None:
        """Give the lock back.

        The file of a worker that has called `announce_leaving` stays, for its successor.
        """
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        with contextlib.suppress(OSError):
            if not self._shared and not self._leaves:  # others may hold a shared one
                os.unlink(self.path)
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)

    def forget(self) -> None:
        """Leave the lock to the process that this one was forked from."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _write(self) -> None:
        assert self._descriptor is not None  # noqa: S101  # it is held
        with contextlib.suppress(OSError):  # a full disk: the lock holds all the same
            LastHolder.ours(leaves=self._leaves, shared=self._shared).write(self._descriptor)


def _can_lock(descriptor: int, how: int) -> bool:
    """Whether no other lock is in the way; if so, it is held until the file is closed."""
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in _NO_LOCKS
    return True


def _forget_in_child() -> None:
    """A forked child would hold the lock after the process that took it has ended."""
    for lock in list(_held):
        lock.forget()


os.register_at_fork(after_in_child=_forget_in_child)
