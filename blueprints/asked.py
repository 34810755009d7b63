"""What HTTP requests say: who asks, and for what."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec
from flask import Request

from services.bounds import Rate
from services.history.sql import SQLStore
from services.identity import Identity, Shown, TokenError, TokenRole
from services.limits import KeyedBuckets
from services.server import ChatServer
from services.wire.codes import ErrorCode, HTTPRefusal

from . import visits
from .extension import Extension

AT_WORK = 2  # questions at the database at once: logins and messages need the same threads
MAX_DIGITS = 19  # of numbers in addresses: Python refuses to read thousands of them
WAITING = 30  # questions at work or waiting for their turn

T = TypeVar("T")


def json_object(asked: Request, expected: str, most: int) -> dict[str, Any]:
    """The body, an object of at most *most* bytes; *expected* is an example of it.

    Raises `HTTPRefusal`.
    """
    data = visits.body(asked, most)
    try:
        body = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, ValueError):
        what = f"the body: JSON is expected, {expected}"
        raise HTTPRefusal(400, ErrorCode.INVALID_JSON, what) from None
    if not isinstance(body, dict):
        what = f"the body: an object is expected, {expected}"
        raise HTTPRefusal(400, ErrorCode.INVALID_MESSAGE, what)
    return body


def whole(said: str) -> int | None:
    """The whole number that an address or a query says; None for what no column can hold.

    A number has one spelling, as a conversation has one name.
    """
    if not (said.isascii() and said.isdecimal() and len(said) <= MAX_DIGITS):
        return None
    n = int(said)
    return n if n < 1 << 63 and str(n) == said else None


def token_of(asked: Request) -> str:
    """The token of the Authorization header; empty without one."""
    kind, _, token = asked.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def bearer(asked: Request, inspect: Callable[[str], Shown]) -> Shown:
    """Who shows which token, as *inspect* judges it. Raises `HTTPRefusal`."""
    token = token_of(asked)
    try:
        if not token:
            raise TokenError(ErrorCode.UNAUTHENTICATED, "Authorization: Bearer TOKEN is needed")
        return inspect(token)
    except TokenError as error:
        what = error.message.removeprefix("payload.token: ")
        raise HTTPRefusal(401, error.code, what, {"WWW-Authenticate": "Bearer"}) from None


def waiter(asked: Request, server: ChatServer) -> Shown:
    """The waiter who shows a token that stands. Raises `HTTPRefusal`, or what `house` raises."""
    shown = bearer(asked, lambda token: server.tokens.inspect(token, TokenRole.WAITER))
    if server.house.revocations.is_revoked(shown.identity, shown.signed):
        what = "this login was signed out"
        raise HTTPRefusal(401, ErrorCode.INVALID_TOKEN, what, {"WWW-Authenticate": "Bearer"})
    return shown


class Room:
    """Room for *most* requests, at work or waiting; any more are told *full* with a 503."""

    def __init__(self, most: int, full: str) -> None:
        self._free = threading.BoundedSemaphore(most)
        self._full = full

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """One place of it, never waited for. Raises `HTTPRefusal`."""
        if not self._free.acquire(blocking=False):
            raise HTTPRefusal.not_now(self._full)
        try:
            yield
        finally:
            self._free.release()


class Reception:
    """Takes waiters' questions to the database: each may ask at *rate*."""

    def __init__(self, extension: Extension, rate: Rate) -> None:
        self._extension = extension
        self._asked = KeyedBuckets(*rate, time.monotonic)
        self._pause = max(1, round(1 / rate.a_second))
        self._turns = threading.BoundedSemaphore(AT_WORK)
        self._room = Room(WAITING, "too many waiters ask at once; try again in a moment")

    def ask(self, asked: Request, work: Callable[[SQLStore, Identity], T]) -> T:
        """What `work(store, who asks)` returns, called in a native thread.

        Raises `HTTPRefusal`, and `StoreError` while the database is down.
        """
        if not self._extension.has_store:
            what = "this server keeps nothing: CSAPP_DATABASE_URL is off"
            raise HTTPRefusal(404, ErrorCode.UNAVAILABLE, what)
        who = waiter(asked, self._extension.server).identity
        if not self._asked.take(who.subject):
            what = "too many questions in too short a time; try again in a moment"
            raise HTTPRefusal.too_many(what, self._pause)
        return self._in_turn(work, who)

    def read(self, asked: Request, expected: str, most: int) -> dict[str, Any]:
        """The body, as `json_object` reads it, of somebody who may ask. Raises `HTTPRefusal`."""
        waiter(asked, self._extension.server)
        return json_object(asked, expected, most)

    def _in_turn(self, work: Callable[[SQLStore, Identity], T], who: Identity) -> T:
        with self._room.place(), self._turns:
            server = self._extension.server
            answer: T = server.house.runtime.blocking(work, server.store, who)
            return answer
