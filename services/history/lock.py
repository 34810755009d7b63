"""One desk at a time on one SQLite file.

Who serves a database without Redis has the desk in its memory; a second one on
the same file would be a second desk, whose visitors never meet the first one's
waiters, and would take up the first one's live chats. So whoever serves a file
holds a lock beside it for as long as it lives: alone, or together with others
that share a desk over Redis. The system lets go of the lock when a process
ends, however it ends. Commands hold nothing.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import weakref
from dataclasses import dataclass

from .port import InUse, StoreError

log = logging.getLogger("csapp")

#: errors of file systems that cannot lock
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)

#: what a holder that is about to end adds to its line
_LEAVING = "leaving"

_held: weakref.WeakSet[ServingLock] = weakref.WeakSet()


@dataclass(frozen=True, slots=True)
class Holder:
    """Who serves a database."""

    #: such as `process 4711`
    name: str
    #: together with others, over Redis
    shared: bool


class ServingLock:
    """The lock of the database *path*: a file beside it."""

    def __init__(self, path: str) -> None:
        self.path = f"{os.path.realpath(path)}.lock"
        self._database = path
        self._descriptor: int | None = None
        self._shared = False
        #: at the last refusal, its holder was about to end
        self.holder_leaves = False

    def take(self, *, shared: bool) -> None:
        """Hold it from now on, alone or *shared* with others that share it. Never waits.

        Raises `InUse` where somebody holds it in another way, `StoreError`
        where there can be no such file.
        """
        while self._descriptor is None:
            try:
                descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            except OSError as error:
                raise StoreError(f"{self.path}: {error.strerror}") from None
            self._lock(descriptor, shared)
            if self._is_there(descriptor):  # otherwise its last holder has just removed it
                self._descriptor, self._shared = descriptor, shared
                _held.add(self)
                self._write(f"process {os.getpid()}")
            else:
                os.close(descriptor)

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
        with os.fdopen(descriptor) as file:
            holder = file.read(200).strip() or "another process"
        self.holder_leaves = holder.endswith(_LEAVING)
        if shared:
            remedy = "give it CSAPP_REDIS_URL as well, or stop it"
        else:
            remedy = "stop one of them, or give both the same CSAPP_REDIS_URL"
        return InUse(
            f"{self._database} is served by {holder}: without CSAPP_REDIS_URL "
            f"one process serves a database at a time; {remedy}"
        )

    def is_held(self) -> bool:
        """Whether a process holds the lock."""
        return self.holder() is not None

    def holder(self) -> Holder | None:
        """Who holds it, as far as can be seen; None: nobody. Of several that share it, the last."""
        try:
            file = open(self.path)  # noqa: SIM115  # closed below
        except OSError:
            return None
        with file:
            if _can_lock(file.fileno(), fcntl.LOCK_EX):
                return None
            name = file.read(200).strip() or "another process"
            return Holder(name, shared=_can_lock(file.fileno(), fcntl.LOCK_SH))

    def announce_leaving(self) -> None:
        """Let those who wait for the lock know that it is about to be free."""
        if self._descriptor is not None:
            self._write(f"process {os.getpid()}, {_LEAVING}")

    def release(self) -> None:
        """Give the lock back."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        with contextlib.suppress(OSError):
            if not self._shared:  # others may hold a shared one
                os.unlink(self.path)
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)

    def forget(self) -> None:
        """Leave the lock to the process that this one was forked from."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _write(self, holder: str) -> None:
        assert self._descriptor is not None  # noqa: S101  # it is held
        with contextlib.suppress(OSError):  # a full disk: the lock holds all the same
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{holder}\n".encode(), 0)


def _can_lock(descriptor: int, how: int) -> bool:
    """Whether nobody holds a lock that is in the way of this one; it is held until the close."""
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in _NO_LOCKS
    return True


def _let_go_in_child() -> None:
    """A forked child would hold the lock after the process that took it has ended."""
    for lock in list(_held):
        lock.forget()


os.register_at_fork(after_in_child=_let_go_in_child)
