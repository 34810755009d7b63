"""How passwords are hashed (scrypt), and how many at once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from werkzeug.security import check_password_hash, generate_password_hash

from services.history.accounts import Hashing
from services.runtime import Runtime
from services.waiting_room import WaitingRoom

#: scrypt with N=2^17, r=8, p=1: the first choice of OWASP's Password Storage Cheat Sheet.
#: One hash takes 128 MiB, and a core for a third of a second or longer. Tests set a cheaper one.
COST = "scrypt:131072:8:1"

#: hashes at once in one worker: each takes `COST`, and the database needs the same threads
HASHES = 2

#: how many of `HASHES` sign-ins from unknown browsers may use; known ones need not wait for them
UNKNOWN = 1

#: sign-ins that run or wait for their turn: so many from known browsers, so many from others
WAITING = 50

TOO_MANY = "too many people sign in at once; try again in a moment"

T = TypeVar("T")


def _make(password: str) -> str:
    return generate_password_hash(password, COST)


def _kind(stored: str) -> str:
    return stored.partition("$")[0]


HASHING = Hashing(_make, check_password_hash, _kind)


class HashingTurns:
    """Runs what hashes passwords in native threads, a few at once. The rest waits or is refused."""

    def __init__(self) -> None:
        self._all = threading.BoundedSemaphore(HASHES)
        self._unknown = threading.BoundedSemaphore(UNKNOWN)
        self._room = {known: WaitingRoom(WAITING, TOO_MANY) for known in (False, True)}

    def run(self, runtime: Runtime, known: bool, work: Callable[..., T], *args: Any) -> T:
        """What `work(*args)` returns. Waits. Raises `HTTPRefusal` where too many wait already.

        *known*: this browser or address is known for the account.
        """
        unknown = contextlib.nullcontext() if known else self._unknown
        with self._room[known].place(), unknown, self._all:
            done: T = runtime.blocking(work, *args)
            return done
