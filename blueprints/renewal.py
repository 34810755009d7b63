"""A token is renewed: another one for the same subject and login, as long as both stand.

Whom the host application knows: its callback (`identify_*`) is asked each time. Such tokens
live `CSAPP_RECHECK` seconds, so that a page which stays open comes back to ask.
Who signed in with a password: its account is looked up.
A visitor whom nobody knows: it keeps its subject.
Tokens that `chat token` made are not renewed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from flask import Request

from services.bounds import RENEWALS
from services.history.accounts import Accounts
from services.identity import Identity, Shown, TokenError, TokenRole
from services.limits import KeyedBuckets
from services.server import ChatServer
from services.settings import Settings

from .request_data import token_of

#: s after the end of a visitor's token in which it can still be renewed: a visitor who comes
#: back within a week is the same one
RENEWAL = 7 * 86_400

#: ms after which a password is asked for again, however often its login was renewed
LONGEST = 30 * 86_400_000


class Renewals:
    """Reads the token that is to be renewed, and limits how often each login is."""

    def __init__(self, server: ChatServer) -> None:
        self._server = server
        self._often = KeyedBuckets(*RENEWALS, time.monotonic)

    def shown(self, incoming: Request, role: TokenRole) -> Shown | None:
        """The token of *role* that *incoming* shows, if it may be renewed. Raises `StoreError`."""
        token = token_of(incoming)
        if not token:
            return None
        server = self._server
        grace = RENEWAL if role is TokenRole.USER else 0
        try:
            shown = server.tokens.inspect(token, role, grace)
        except TokenError:
            return None
        if server.house.revocations.is_revoked(shown.identity, shown.signed):
            return None
        return shown

    def take(self, shown: Shown) -> bool:
        """Whether the login of *shown* may be renewed now, once more."""
        return self._often.take(shown.identity.sid)


def lifetime(settings: Settings) -> int:
    """s that a token lives if the host knows its bearer."""
    return min(settings.token_lifetime, settings.recheck or settings.token_lifetime)


def in_login(named: Identity, role: TokenRole, shown: Shown | None) -> Identity:
    """*named* by the host, in the login that is *shown* if that is of the same subject."""
    sid = named.sid
    if not sid and shown is not None and shown.identity.subject == named.subject:
        sid = shown.identity.sid
    return replace(named, role=role, sid=sid)


def is_anonymous(shown: Shown | None) -> bool:
    """Whether the token *shown* is of a visitor whom neither host nor accounts know."""
    return shown is not None and shown.identity.is_anonymous


def of_account(
    shown: Shown, accounts: Accounts, sign: Callable[[Identity, int], str]
) -> tuple[str, Identity] | None:
    """Another token for a login with a password; None: the account is gone or disabled. Blocks."""
    if time.time() * 1000 - shown.since >= LONGEST:
        return None
    account = accounts.get(shown.identity.subject)
    if account is None or account.disabled:
        return None
    identity = account.identity(shown.identity.sid)
    token = sign(identity, shown.since)
    return (token, identity) if accounts.stands(account) else None
