"""Waiters' accounts, for a chat that no host application tells who is who.

A password is only ever kept as a hash; how to hash is handed in, because the
functions for it belong to the web framework. Everything here blocks, a hash for
a tenth of a second, and is called from native threads only.
"""

from __future__ import annotations

import contextlib
import secrets
import time
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ..errors import CSAppError
from .port import Conflict
from .sql import SQLStore
from .tables import account as table

MAX_NAME = 200  # characters: it is the subject of tokens
MIN_PASSWORD = 8  # characters
MAX_PASSWORD = 1024  # characters: longer ones only make us work


class Hashing(NamedTuple):
    """How passwords are hashed: slowly, and salted."""

    #: a password's hash
    make: Callable[[str], str]
    #: whether a hash (first) is that of a password (second)
    check: Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class Account:
    """One waiter who signs in here."""

    #: as it is stored (`folded`), and the subject of the waiter's tokens
    name: str
    #: what visitors see
    display_name: str
    disabled: bool
    #: ms since 1970, UTC
    created: int
    #: the hash
    password: str = field(repr=False, default="")


class AccountError(CSAppError):
    """An account cannot be made or changed like this; the message says why."""


def folded(name: str) -> str:
    """*name* as it is stored: `Ada`, `ada ` and `ＡＤＡ` are one account. Raises `AccountError`."""
    name = unicodedata.normalize("NFKC", name).casefold()
    return _printable("name", unicodedata.normalize("NFKC", name))


def _printable(what: str, text: str) -> str:
    text = text.strip()
    if not 1 <= len(text) <= MAX_NAME or not text.isprintable():
        raise AccountError(f"{what}: 1 to {MAX_NAME} characters that can be printed")
    return text


def _composed(password: str) -> str:
    """Keyboards differ in how they write one letter."""
    return unicodedata.normalize("NFKC", password)


class Accounts:
    """The accounts of *store*. All methods raise `StoreError` while it is down.

    Whoever is disabled or gets another password is signed out: the tokens of
    before are revoked.
    """

    def __init__(
        self, store: SQLStore, hashing: Hashing, now: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._hashing = hashing
        self._now = now
        self._decoy = ""

    # ---- reading -------------------------------------------------------

    def all(self) -> list[Account]:
        """Every account, by name."""
        with self._database() as connection:
            return [_account(row) for row in connection.execute(_ALL)]

    def get(self, name: str) -> Account | None:
        """One account, or None."""
        with self._database() as connection:
            row = connection.execute(_ONE.where(table.c.name == folded(name))).one_or_none()
        return None if row is None else _account(row)

    def verify(self, name: str, password: str) -> Account | None:
        """The account of *name*, if *password* is right and it may sign in.

        Unknown and disabled ones cost one hash as well: how long it takes
        tells nobody which names there are.
        """
        if not self._decoy:
            self._decoy = self._hashing.make(secrets.token_urlsafe())
        password = _composed(password)
        try:
            account = self.get(name)
        except AccountError:
            account = None
        right = self._hashing.check(account.password if account else self._decoy, password)
        return account if account and right and not account.disabled else None

    def stands(self, account: Account) -> bool:
        """Whether *account* is what it was when it was read.

        To be asked after a token was signed: whoever is shut out meanwhile
        either finds the token signed before, or is found here.
        """
        return self.get(account.name) == account

    # ---- changing ------------------------------------------------------

    def add(self, name: str, password: str, display_name: str = "") -> Account:
        """A new account; visitors see *name* as it is given where there is no *display_name*.

        Raises `AccountError`: a name that is taken, or something unfit.
        """
        account = Account(
            folded(name),
            _printable("display name", display_name or name),
            disabled=False,
            created=self._ms(),
            password=self._hash(password),
        )
        try:
            with self._database() as connection:
                connection.execute(
                    sa.insert(table).values({name: getattr(account, name) for name in _COLUMNS})
                )
        except Conflict:
            raise AccountError(f"name: there is an account {account.name} already") from None
        return account

    def disable(self, name: str) -> Account:
        """Let *name* in no more, and sign it out. Raises `AccountError` for an unknown one."""
        return self._sign_out(self._change(name, disabled=True))

    def enable(self, name: str) -> Account:
        """Let *name* in again. Raises `AccountError` for an unknown one."""
        return self._change(name, disabled=False)

    def set_password(self, name: str, password: str) -> Account:
        """Another password, and sign it out. Raises `AccountError`: unknown, or unfit."""
        return self._sign_out(self._change(name, password=self._hash(password)))

    def _change(self, name: str, **values: Any) -> Account:
        with self._database() as connection:
            here = table.c.name == folded(name)
            connection.execute(sa.update(table).where(here).values(**values))
            row = connection.execute(_ONE.where(here)).one_or_none()
        if row is None:
            raise AccountError(f"name: there is no account {folded(name)}")
        return _account(row)

    def _sign_out(self, account: Account) -> Account:
        # After the change: a token signed until now was given by the old state.
        self._store.revoke(subject=account.name, now=self._ms())
        return account

    def _hash(self, password: str) -> str:
        password = _composed(password)
        if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
            raise AccountError(f"password: {MIN_PASSWORD} to {MAX_PASSWORD} characters")
        if any("\ud800" <= letter <= "\udfff" for letter in password):  # bytes of a terminal
            raise AccountError("password: it is not in UTF-8")
        return self._hashing.make(password)

    def _ms(self) -> int:
        return int(self._now() * 1000)

    @contextlib.contextmanager
    def _database(self) -> Iterator[sa.Connection]:
        try:
            with self._store.engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise self._store.failure(error) from None


_COLUMNS = ("name", "display_name", "disabled", "created", "password")
_ONE = sa.select(*(table.c[name] for name in _COLUMNS))
_ALL = _ONE.order_by(table.c.name)


def _account(row: Any) -> Account:
    return Account(row[0], row[1], bool(row[2]), row[3], row[4])
