"""Waiters who sign in with a name and a password."""

from __future__ import annotations

import logging
import threading
import time

from flask import Request
from werkzeug.security import check_password_hash, generate_password_hash

from services.history.accounts import AccountError, Accounts, Hashing, folded
from services.identity import Identity, TokenRole
from services.limits import KeyedBuckets
from services.origin import client_address
from services.security_log import Event, security
from services.wire.codes import ErrorCode

from .asked import Denied, json_object
from .extension import Extension

log = logging.getLogger("csapp")

#: scrypt: slow on purpose, and salted
HASHING = Hashing(generate_password_hash, check_password_hash)

MAX_BODY = 16 * 1024  # bytes: a name and a password
NAME_PAUSE = 6.0  # s between two attempts at one account
NAME_BURST = 10  # attempts at once
HASHES = 2  # at once: each takes a core and 32 MiB, and the database needs the same threads
WAITING = 50  # logins at work or waiting for their turn; they take some 3 s

NO_DATABASE = (
    "there are no accounts without a database: set CSAPP_DATABASE_URL, "
    "then 'flask --app csapp chat waiter add NAME'"
)


class Login:
    """Checks names and passwords for one application."""

    def __init__(self, extension: Extension) -> None:
        self._extension = extension
        self._accounts: Accounts | None = None
        self._attempts = KeyedBuckets(1 / NAME_PAUSE, NAME_BURST, time.monotonic)
        self._turns = threading.BoundedSemaphore(HASHES)
        self._room = threading.BoundedSemaphore(WAITING)

    def check(self, asked: Request) -> tuple[str, Identity]:
        """A token for the waiter whose name and password are in *asked*. Raises `Denied`."""
        name, password = _credentials(asked)
        if not self._extension.has_store:
            raise Denied(503, ErrorCode.UNAVAILABLE, NO_DATABASE)
        if not self._attempts.take(name):  # of names that do not exist as well
            what = "too many attempts for this name; try again in a moment"
            retry = {"Retry-After": str(round(NAME_PAUSE))}
            raise Denied(429, ErrorCode.RATE_LIMITED, what, retry)
        signed = self._in_turn(name, password)
        address = client_address(asked.environ, self._extension.server.settings.trusted_proxies)
        if not isinstance(signed, tuple):
            security.record(
                Event.SIGN_IN_FAILED, subject=signed, role=TokenRole.WAITER, address=address
            )
            raise Denied(401, ErrorCode.UNAUTHENTICATED, "name or password is wrong")
        security.record(Event.SIGN_IN, subject=name, role=TokenRole.WAITER, address=address)
        return signed

    def _in_turn(self, name: str, password: str) -> tuple[str, Identity] | str:
        runtime = self._extension.server.house.runtime
        if not self._room.acquire(blocking=False):
            what = "too many people sign in at once; try again in a moment"
            raise Denied(503, ErrorCode.UNAVAILABLE, what, {"Retry-After": "5"})
        try:
            with self._turns:
                found: tuple[str, Identity] | str = runtime.blocking(self._sign_in, name, password)
                return found
        finally:
            self._room.release()

    def _sign_in(self, name: str, password: str) -> tuple[str, Identity] | str:
        """In a native thread. Refused: the name, where there is such an account, for the log."""
        if self._accounts is None:
            store = self._extension.server.store
            assert store is not None  # whoever signs in, signs in to accounts  # noqa: S101
            self._accounts = Accounts(store, HASHING)
        account = self._accounts.verify(name, password)
        if account is None:  # people type passwords into the field for the name
            return name if self._accounts.get(name) else ""
        identity = Identity(account.name, account.display_name, TokenRole.WAITER)
        token = self._extension.server.tokens.sign(identity)
        return (token, identity) if self._accounts.stands(account) else name


def _credentials(asked: Request) -> tuple[str, str]:
    """Name (folded) and password of the body. Raises `Denied`, which names the field."""
    body = json_object(asked, '{"name": …, "password": …}', MAX_BODY)
    for field in ("name", "password"):
        if not isinstance(body.get(field), str) or not body[field]:
            what = f"{field}: a string is required"
            raise Denied(400, ErrorCode.INVALID_MESSAGE, what)
    try:
        return folded(body["name"]), body["password"]
    except AccountError as error:
        raise Denied(400, ErrorCode.INVALID_MESSAGE, str(error)) from None
