"""Waiters' accounts, for a server to which no host application says who sends a request.

Of a password only a hash is stored; how to hash is handed in, because the functions
for it belong to the web framework. Everything here blocks (a hash takes a tenth of a
second) and is called from native threads only.
"""

from __future__ import annotations

import contextlib
import secrets
import time
import unicodedata
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ..errors import CSAppError
from ..identity import AVATARS, Identity, TokenRole, avatar_text
from .passwords import composed, unfit
from .port import Conflict
from .sql import SQLStore
from .tables import account as table

MAX_NAME = 200  # characters: it is the subject of tokens


class Hashing(NamedTuple):
    """How passwords are hashed: slowly, and salted."""

    #: makes the hash of a password
    make: Callable[[str], str]
    #: says whether a hash (first) is that of a password (second)
    check: Callable[[str, str], bool]
    #: names the kind of a hash: hashes of one kind take the same time
    kind: Callable[[str], str] = lambda _hashed: ""


@dataclass(frozen=True, slots=True)
class Account:
    """The account of one waiter."""

    #: as it is stored (`folded`), and the subject of the waiter's tokens
    name: str
    #: what visitors see
    display_name: str
    disabled: bool
    #: ms since 1970, UTC
    created: int
    #: the hash
    password: str = field(repr=False, default="")
    #: the address of the picture that visitors see; empty: none
    avatar: str = ""

    def identity(self, sid: str) -> Identity:
        """The identity of the waiter that signs in with it, in the login *sid*."""
        return Identity(self.name, self.display_name, TokenRole.WAITER, sid, self.avatar)


class AccountError(CSAppError):
    """An account cannot be made or changed so; the message says why."""


def folded(name: str) -> str:
    """*name* as it is stored: `Ada`, `ada ` and `ＡＤＡ` are one account. Raises `AccountError`."""
    name = unicodedata.normalize("NFKC", name).casefold()
    return _printable("name", unicodedata.normalize("NFKC", name))


def _printable(what: str, text: str) -> str:
    text = text.strip()
    if not 1 <= len(text) <= MAX_NAME or not text.isprintable():
        raise AccountError(f"{what}: 1 to {MAX_NAME} characters that can be printed")
    return text


def _picture(avatar: str) -> str:
    if avatar_text(avatar) != avatar:
        raise AccountError(f"avatar: {AVATARS}")
    return avatar


class Accounts:
    """The accounts of *store*. All methods raise `StoreError` while it is down.

    An account that is disabled or gets another password is signed out: its tokens are
    revoked. No account may have, or sign in with, one of the *public* passwords, which
    anybody can read somewhere.
    """

    def __init__(
        self,
        store: SQLStore,
        hashing: Hashing,
        now: Callable[[], float] = time.time,
        public: Collection[str] = (),
    ) -> None:
        self._store = store
        self._hashing = hashing
        self._now = now
        self._public = frozenset(map(composed, public))
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

        An unknown or disabled account costs the same hashes, so that the time it takes does
        not show which names there are. A hash of an older kind is replaced.
        """
        password = composed(password)
        try:
            account = self.get(name)
        except AccountError:
            account = None
        right = self._check(account, password)
        if not account or not right or account.disabled or password in self._public:
            return None
        return self._renew(account, password)

    def _check(self, account: Account | None, password: str) -> bool:
        """Compute one hash of each kind that there is, whoever signs in; also that of *account*."""
        kind = self._hashing.kind
        mine = kind(account.password) if account else None
        right = False
        for other, hashed in self._kinds().items():
            if account and other == mine:
                right = self._hashing.check(account.password, password)
            else:
                self._hashing.check(hashed, password)
        return right

    def _kinds(self) -> dict[str, str]:
        """By kind, one hash of each kind that is in use, also of the one that is made today."""
        if not self._decoy:
            self._decoy = self._hashing.make(secrets.token_urlsafe())
        with self._database() as connection:
            hashes = connection.execute(sa.select(table.c.password)).scalars().all()
        kind = self._hashing.kind
        return {**{kind(one): one for one in hashes}, kind(self._decoy): self._decoy}

    def _renew(self, account: Account, password: str) -> Account | None:
        """*account* with a hash of today's kind; None where it may not sign in any more."""
        if self._hashing.kind(account.password) == self._hashing.kind(self._decoy):
            return account
        renewed = replace(account, password=self._hashing.make(password))
        if self._swap(account, renewed.password):
            return renewed
        found = self.get(account.name)  # perhaps another login has renewed the hash
        same = found and not found.disabled and self._hashing.check(found.password, password)
        return found if same else None

    def _swap(self, account: Account, password: str) -> bool:
        """Store another hash for *account*; False: it has changed meanwhile."""
        as_it_was = [table.c[name] == getattr(account, name) for name in _COLUMNS]
        with self._database() as connection:
            query = sa.update(table).where(*as_it_was).values(password=password)
            return connection.execute(query).rowcount == 1

    def stands(self, account: Account) -> bool:
        """Whether *account* is what it was when it was read.

        To be asked after a token was signed: then a change of the account either comes
        before, and is seen here, or comes later, and revokes the token.
        """
        return self.get(account.name) == account

    def readable(self, names: Collection[str]) -> list[str]:
        """Those of *names* that may sign in, but have one of the *public* passwords."""
        return [
            account.name
            for account in filter(None, map(self.get, names))
            if not account.disabled
            and any(self._hashing.check(account.password, one) for one in self._public)
        ]

    # ---- changing ------------------------------------------------------

    def add(self, name: str, password: str, display_name: str = "", avatar: str = "") -> Account:
        """Make an account; visitors see *name* as it is given where there is no *display_name*.

        Raises `AccountError`: the name is taken, or something is unfit.
        """
        account = Account(
            folded(name),
            _printable("display name", display_name or name),
            disabled=False,
            created=self._ms(),
            password=self._hash(password, (name, display_name)),
            avatar=_picture(avatar),
        )
        try:
            with self._database() as connection:
                connection.execute(
                    sa.insert(table).values({name: getattr(account, name) for name in _COLUMNS})
                )
        except Conflict:
            raise AccountError(f"name: there is an account {account.name} already") from None
        return account

    def show(
        self, name: str, *, display_name: str | None = None, avatar: str | None = None
    ) -> Account:
        """Change what visitors see of *name*: what is None stays. Raises `AccountError`."""
        values: dict[str, str] = {}
        if display_name is not None:
            values["display_name"] = _printable("display name", display_name)
        if avatar is not None:
            values["avatar"] = _picture(avatar)
        return self._change(name, **values)

    def disable(self, name: str) -> Account:
        """Let *name* sign in no more, and sign it out. Raises `AccountError`: it is unknown."""
        return self._sign_out(self._change(name, disabled=True))

    def enable(self, name: str) -> Account:
        """Let *name* sign in again. Raises `AccountError`: it is unknown."""
        return self._change(name, disabled=False)

    def set_password(self, name: str, password: str) -> Account:
        """Set another password, and sign *name* out. Raises `AccountError`: unknown, or unfit."""
        account = self.get(name)
        if account is None:
            raise AccountError(f"name: there is no account {folded(name)}")
        hashed = self._hash(password, (account.name, account.display_name))
        return self._sign_out(self._change(name, password=hashed))

    def change_password(self, name: str, current: str, new: str) -> Account | None:
        """Set another password, for a waiter who knows the *current* one; None: it is wrong."""
        account = self.verify(name, current)
        if account is None:
            return None
        if composed(current) == composed(new):
            raise AccountError("new: it is the password that you have")
        hashed = self._hash(new, (account.name, account.display_name), "new")
        if not self._swap(account, hashed):
            return None
        return self._sign_out(replace(account, password=hashed))

    def _change(self, name: str, **values: Any) -> Account:
        with self._database() as connection:
            here = table.c.name == folded(name)
            connection.execute(sa.update(table).where(here).values(**values))
            row = connection.execute(_ONE.where(here)).one_or_none()
        if row is None:
            raise AccountError(f"name: there is no account {folded(name)}")
        return _account(row)

    def _sign_out(self, account: Account) -> Account:
        # After the change: the tokens signed until now were given before it.
        self._store.revoke(subject=account.name, now=self._ms())
        return account

    def _hash(self, password: str, names: Collection[str], what: str = "password") -> str:
        if why := unfit(password, names, self._public):
            raise AccountError(f"{what}: {why}")
        return self._hashing.make(composed(password))

    def _ms(self) -> int:
        return int(self._now() * 1000)

    @contextlib.contextmanager
    def _database(self) -> Iterator[sa.Connection]:
        try:
            with self._store.engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise self._store.failure(error) from None


_COLUMNS = ("name", "display_name", "disabled", "created", "password", "avatar")
_ONE = sa.select(*(table.c[name] for name in _COLUMNS))
_ALL = _ONE.order_by(table.c.name)


def _account(row: Any) -> Account:
    return Account(row[0], row[1], bool(row[2]), row[3], row[4], row[5])
