"""Questions of waiters to the database over HTTP: canned replies, search."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Request

from services.bounds import Rate
from services.history.sql import SQLStore
from services.identity import Identity
from services.limits import KeyedBuckets
from services.waiting_room import WaitingRoom
from services.wire.codes import ErrorCode, HTTPRefusal

from .extension import Extension
from .request_data import json_object, waiter

AT_WORK = 2  # questions at the database at once: logins and messages need the same threads
WAITING = 30  # questions at work or waiting for their turn

T = TypeVar("T")


class StoreQueries:
    """Asks the database for waiters. Each of them may ask at *rate*."""

    def __init__(self, extension: Extension, rate: Rate) -> None:
        self._extension = extension
        self._asked = KeyedBuckets(*rate, time.monotonic)
        self._pause = max(1, round(1 / rate.a_second))
        self._turns = threading.BoundedSemaphore(AT_WORK)
        self._room = WaitingRoom(WAITING, "too many waiters ask at once; try again in a moment")

    def ask(self, incoming: Request, work: Callable[[SQLStore, Identity], T]) -> T:
        """What `work(store, identity of the waiter)` returns. Runs it in a native thread.

        Raises `HTTPRefusal`, and `StoreError` while the database is down.
        """
        if not self._extension.has_store:
            what = "this server keeps nothing: CSAPP_DATABASE_URL is off"
            raise HTTPRefusal(404, ErrorCode.UNAVAILABLE, what)
        identity = waiter(incoming, self._extension.server).identity
        if not self._asked.take(identity.subject):
            what = "too many questions in too short a time; try again in a moment"
            raise HTTPRefusal.too_many(what, self._pause)
        return self._in_turn(work, identity)

    def read(self, incoming: Request, expected: str, most: int) -> dict[str, Any]:
        """The body (`json_object`) of a request that a waiter sent. Raises `HTTPRefusal`."""
        waiter(incoming, self._extension.server)
        return json_object(incoming, expected, most)

    def _in_turn(self, work: Callable[[SQLStore, Identity], T], identity: Identity) -> T:
        with self._room.place(), self._turns:
            server = self._extension.server
            answer: T = server.house.runtime.blocking(work, server.store, identity)
            return answer
