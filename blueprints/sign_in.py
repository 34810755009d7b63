"""Waiters who sign in with a name and a password, and give themselves another one."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

from flask import Request

from services import bounds
from services.errors import Unavailable
from services.history.accounts import Account, AccountError, Accounts, folded
from services.history.attempts import PAUSE, Attempts
from services.history.port import StoreError
from services.identity import Identity, Shown, TokenRole, Tokens
from services.limits import KeyedBuckets
from services.origin import client_address, is_known
from services.security_log import Event, security
from services.wire.codes import ErrorCode, HTTPRefusal

from . import known_browsers, password_hashing
from .extension import Extension
from .renewal import of_account
from .request_data import json_object
from .store_queries import AT_WORK

MAX_BODY = 16 * 1024  # bytes: a name and a password, or two passwords

NO_DATABASE = (
    "there are no accounts without a database: set CSAPP_DATABASE_URL, "
    "then 'flask --app csapp chat waiter add NAME'"
)

T = TypeVar("T")


class _Attempt(NamedTuple):
    """Somebody tries a password for *name*."""

    name: str
    #: the client's, as limits count it
    address: str
    #: the bucket that it is counted in
    key: str
    #: this browser or address is known for that name
    known: bool


class SignIn:
    """Checks names and passwords for one application.

    An attempt from a browser or an address that is known for the name is
    counted by itself; all others at one name are counted together, whether
    there is such a name or not. So strangers cannot shut the owner out, and
    cannot guess faster from many addresses.
    """

    def __init__(self, extension: Extension) -> None:
        self._extension = extension
        self._turns = password_hashing.Turns()
        self._counting = threading.BoundedSemaphore(AT_WORK)
        self._known: Accounts | None = None
        self._strangers = KeyedBuckets(*bounds.SIGN_INS, time.monotonic)

    def check(self, asked: Request) -> tuple[str, Identity]:
        """A token for the waiter whose name and password are in *asked*.

        Raises `HTTPRefusal`, and `StoreError` while the accounts cannot be read.
        """
        name, password = _credentials(asked)
        attempt = self._admit(asked, name)
        signed = self._in_turn(attempt.known, self._sign_in, attempt, password)
        if not isinstance(signed, tuple):
            _log(Event.SIGN_IN_FAILED, signed, attempt.address)
            raise HTTPRefusal(401, ErrorCode.UNAUTHENTICATED, "name or password is wrong")
        _log(Event.SIGN_IN, name, attempt.address)
        return signed

    def change(self, asked: Request, shown: Shown) -> tuple[str, Identity]:
        """Another password for the waiter who has *shown* a token: *asked* says both.

        All logins of the account end but this one, which gets another token.
        Raises `HTTPRefusal`: also where the current one is wrong, or the new one unfit.
        """
        current, new = _fields(asked, "current", "new")
        name = shown.identity.subject
        attempt = self._admit(asked, name, of_token=True)
        try:
            signed = self._in_turn(True, self._change, attempt, shown.identity.sid, current, new)
        except AccountError as error:
            raise HTTPRefusal(400, ErrorCode.INVALID_MESSAGE, str(error)) from None
        if signed is None:
            _log(Event.SIGN_IN_FAILED, name, attempt.address, "password change")
            raise HTTPRefusal(403, ErrorCode.FORBIDDEN, "current: this is not your password")
        server = self._extension.server
        before = server.tokens.inspect(signed[0], TokenRole.WAITER).signed - 1
        with contextlib.suppress(Unavailable):  # which was told already
            server.house.revocations.revoke(subject=name, at=before)  # here at once
        security.record(
            Event.ACCOUNT_CHANGED, subject=name, by=name, address=attempt.address, reason="password"
        )
        return signed

    def renew(self, shown: Shown) -> tuple[str, Identity] | None:
        """Another token for the login *shown*, which began with a password, while it stands.

        Raises `StoreError` while the accounts cannot be read.
        """
        if not shown.since or not self._extension.has_store:
            return None
        house, tokens = self._extension.server.house, self._extension.server.tokens
        sign = partial(_sign, tokens)
        with self._counting:
            found: tuple[str, Identity] | None = house.runtime.blocking(
                lambda: of_account(shown, self._accounts(), sign)
            )
        return found

    # ---- how often -----------------------------------------------------

    def _admit(self, asked: Request, name: str, *, of_token: bool = False) -> _Attempt:
        """Count one more attempt at *name*. Raises `HTTPRefusal` where there were too many."""
        if not self._extension.has_store:
            raise HTTPRefusal(503, ErrorCode.UNAVAILABLE, NO_DATABASE)
        server = self._extension.server
        address = client_address(asked.environ, server.settings.trusted_proxies)
        here = f"token of {name}" if of_token else known_browsers.known(asked, server.tokens, name)
        with self._counting:
            attempt: _Attempt | None = server.house.runtime.blocking(
                self._count, name, address, here
            )
        if attempt is None:
            _log(Event.SIGN_IN_FAILED, "", address, "too many attempts")
            what = "too many attempts for this name; try again in a moment"
            raise HTTPRefusal.too_many(what, round(PAUSE))
        return attempt

    def _count(self, name: str, address: str, here: str) -> _Attempt | None:
        """In a native thread. None: too many attempts. Raises `HTTPRefusal`: too many strangers."""
        attempts = self._attempts()
        mark = self._extension.server.tokens.mark
        known, key = True, mark(f"browser {here} {name}")
        if not here:
            known = is_known(address) and attempts.is_familiar(name, mark(f"{address} {name}"))
            if not known and not self._strangers.take(""):
                raise HTTPRefusal.not_now(password_hashing.TOO_MANY)
            key = mark(f"address {address} {name}") if known else mark(f"name {name}")
        return _Attempt(name, address, key, known) if attempts.take(key) else None

    def _was_right(self, attempt: _Attempt) -> None:
        """Whoever knows the password is known here from now on."""
        attempts = self._attempts()
        with contextlib.suppress(StoreError):  # signing in does not fail for that
            attempts.give_back(attempt.key)
            if is_known(attempt.address):
                mark = self._extension.server.tokens.mark
                attempts.remember(attempt.name, mark(f"{attempt.address} {attempt.name}"))

    # ---- in a native thread --------------------------------------------

    def _in_turn(self, known: bool, work: Callable[..., T], *args: object) -> T:
        return self._turns.run(self._extension.server.house.runtime, known, work, *args)

    def _sign_in(self, attempt: _Attempt, password: str) -> tuple[str, Identity] | str:
        """Refused: the name, where there is such an account, for the log."""
        name, accounts = attempt.name, self._accounts()
        account = accounts.verify(name, password)
        if account is None:  # people type passwords into the field for the name
            return name if accounts.get(name) else ""
        signed = self._signed(account)
        if not accounts.stands(account):
            return name
        self._was_right(attempt)
        return signed

    def _change(
        self, attempt: _Attempt, sid: str, current: str, new: str
    ) -> tuple[str, Identity] | None:
        accounts = self._accounts()
        if accounts.get(attempt.name) is None:
            raise AccountError("this login has no password here")
        account = accounts.change_password(attempt.name, current, new)
        if account is None:
            return None
        self._was_right(attempt)
        time.sleep(0.002)  # what was signed in the very millisecond of the change is worth nothing
        return self._signed(account, sid)

    def _signed(self, account: Account, sid: str = "") -> tuple[str, Identity]:
        identity = account.identity(sid)
        return _sign(self._extension.server.tokens, identity, int(time.time() * 1000)), identity

    def _accounts(self) -> Accounts:
        store = self._extension.server.store
        assert store is not None  # whoever signs in, signs in to accounts  # noqa: S101
        if self._known is None:
            self._known = Accounts(
                store, password_hashing.HASHING, public=self._extension.public_passwords
            )
        return self._known

    def _attempts(self) -> Attempts:
        store = self._extension.server.store
        assert store is not None  # see above  # noqa: S101
        return Attempts(store)


def _sign(tokens: Tokens, identity: Identity, since: int) -> str:
    return tokens.sign(identity, since=since)


def _log(event: Event, name: str, address: str, why: str = "") -> None:
    security.record(event, subject=name, role=TokenRole.WAITER, address=address, reason=why)


def _credentials(asked: Request) -> tuple[str, str]:
    """Name (folded) and password of the body. Raises `HTTPRefusal`, which names the field."""
    name, password = _fields(asked, "name", "password")
    try:
        return folded(name), password
    except AccountError as error:
        raise HTTPRefusal(400, ErrorCode.INVALID_MESSAGE, str(error)) from None


def _fields(asked: Request, first: str, second: str) -> tuple[str, str]:
    body = json_object(asked, f'{{"{first}": …, "{second}": …}}', MAX_BODY)
    for field in (first, second):
        if not isinstance(body.get(field), str) or not body[field]:
            what = f"{field}: a string is required"
            raise HTTPRefusal(400, ErrorCode.INVALID_MESSAGE, what)
    return body[first], body[second]
