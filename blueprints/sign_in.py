"""Waiters sign in with a name and a password, and change their password."""

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
    """One attempt to sign in as *name*."""

    name: str
    #: the address of the client, as limits count it
    address: str
    #: key of the bucket in which the attempt is counted
    key: str
    #: *name* has signed in from this browser or address before
    known: bool


class SignIn:
    """Checks names and passwords for one application.

    Attempts from a browser or an address that is known for the name are counted
    by themselves. All other attempts at one name are counted together, whether
    there is such a name or not. So nobody else can lock the owner out, and many
    addresses do not make guessing faster.
    """

    def __init__(self, extension: Extension) -> None:
        self._extension = extension
        self._turns = password_hashing.HashingTurns()
        self._counting = threading.BoundedSemaphore(AT_WORK)
        self._known: Accounts | None = None
        self._unknown = KeyedBuckets(*bounds.SIGN_INS, time.monotonic)

    def check(self, incoming: Request) -> tuple[str, Identity]:
        """A token for the waiter whose name and password are in *incoming*.

        Raises `HTTPRefusal`, and `StoreError` while the accounts cannot be read.
        """
        name, password = _credentials(incoming)
        attempt = self._admit(incoming, name)
        signed = self._in_turn(attempt.known, self._sign_in, attempt, password)
        if not isinstance(signed, tuple):
            _log(Event.SIGN_IN_FAILED, signed, attempt.address)
            raise HTTPRefusal(401, ErrorCode.UNAUTHENTICATED, "name or password is wrong")
        _log(Event.SIGN_IN, name, attempt.address)
        return signed

    def change(self, incoming: Request, shown: Shown) -> tuple[str, Identity]:
        """Change the password of the waiter who has *shown* a token.

        The body of *incoming* has the current password and the new one. All logins of the account
        end but this one, which gets another token. Raises `HTTPRefusal`, also for a wrong
        current or an unfit new password.
        """
        current, new = _fields(incoming, "current", "new")
        name = shown.identity.subject
        attempt = self._admit(incoming, name, of_token=True)
        try:
            signed = self._in_turn(True, self._change, attempt, shown.identity.sid, current, new)
        except AccountError as error:
            raise HTTPRefusal(400, ErrorCode.INVALID_MESSAGE, str(error)) from None
        if signed is None:
            _log(Event.SIGN_IN_FAILED, name, attempt.address, "password change")
            raise HTTPRefusal(403, ErrorCode.FORBIDDEN, "current: this is not your password")
        server = self._extension.server
        before = server.tokens.inspect(signed[0], TokenRole.WAITER).signed - 1
        with contextlib.suppress(Unavailable):  # the database has the revocation already
            server.house.revocations.revoke(
                subject=name, at=before
            )  # this worker need not wait to read it
        security.record(
            Event.ACCOUNT_CHANGED, subject=name, by=name, address=attempt.address, reason="password"
        )
        return signed

    def renew(self, shown: Shown) -> tuple[str, Identity] | None:
        """Another token for the login *shown*, if it began with a password and its account stands.

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

    def _admit(self, incoming: Request, name: str, *, of_token: bool = False) -> _Attempt:
        """Count one more attempt at *name*. Raises `HTTPRefusal` where there were too many."""
        if not self._extension.has_store:
            raise HTTPRefusal(503, ErrorCode.UNAVAILABLE, NO_DATABASE)
        server = self._extension.server
        address = client_address(incoming.environ, server.settings.trusted_proxies)
        here = (
            f"token of {name}" if of_token else known_browsers.known(incoming, server.tokens, name)
        )
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
        """None: too many attempts. Waits. Raises `HTTPRefusal`: too many unknown browsers."""
        attempts = self._attempts()
        mark = self._extension.server.tokens.mark
        known, key = True, mark(f"browser {here} {name}")
        if not here:
            known = is_known(address) and attempts.is_familiar(name, mark(f"{address} {name}"))
            if not known and not self._unknown.take(""):
                raise HTTPRefusal.not_now(password_hashing.TOO_MANY)
            key = mark(f"address {address} {name}") if known else mark(f"name {name}")
        return _Attempt(name, address, key, known) if attempts.take(key) else None

    def _was_right(self, attempt: _Attempt) -> None:
        """The password was right: from now on this address is known for the name."""
        attempts = self._attempts()
        with contextlib.suppress(StoreError):  # a sign-in does not fail for that
            attempts.give_back(attempt.key)
            if is_known(attempt.address):
                mark = self._extension.server.tokens.mark
                attempts.remember(attempt.name, mark(f"{attempt.address} {attempt.name}"))

    # ---- in a native thread --------------------------------------------

    def _in_turn(self, known: bool, work: Callable[..., T], *args: object) -> T:
        return self._turns.run(self._extension.server.house.runtime, known, work, *args)

    def _sign_in(self, attempt: _Attempt, password: str) -> tuple[str, Identity] | str:
        """A token and whose it is. Refused: the name for the log, or "" if no account has it."""
        name, accounts = attempt.name, self._accounts()
        account = accounts.verify(name, password)
        if account is None:  # so the log holds no password that was typed as a name
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
        time.sleep(
            0.002
        )  # a token of the very millisecond of the change would be revoked with the others
        return self._signed(account, sid)

    def _signed(self, account: Account, sid: str = "") -> tuple[str, Identity]:
        identity = account.identity(sid)
        return _sign(self._extension.server.tokens, identity, int(time.time() * 1000)), identity

    def _accounts(self) -> Accounts:
        store = self._extension.server.store
        assert store is not None  # without a database nobody gets here  # noqa: S101
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


def _credentials(incoming: Request) -> tuple[str, str]:
    """Name (folded) and password of the body. Raises `HTTPRefusal`, which names the field."""
    name, password = _fields(incoming, "name", "password")
    try:
        return folded(name), password
    except AccountError as error:
        raise HTTPRefusal(400, ErrorCode.INVALID_MESSAGE, str(error)) from None


def _fields(incoming: Request, first: str, second: str) -> tuple[str, str]:
    body = json_object(incoming, f'{{"{first}": …, "{second}": …}}', MAX_BODY)
    for field in (first, second):
        if not isinstance(body.get(field), str) or not body[field]:
            what = f"{field}: a string is required"
            raise HTTPRefusal(400, ErrorCode.INVALID_MESSAGE, what)
    return body[first], body[second]
