"""Tokens over HTTP: for visitors, for waiters whom the host knows, and for those with accounts."""

from __future__ import annotations

import secrets
import time

from flask import Blueprint, Request, Response, jsonify, request

from services.identity import Identity, TokenError, TokenRole
from services.limits import KeyedBuckets
from services.origin import client_address, origin_allowed, public_host
from services.revocation import date
from services.security_log import Event, security
from services.server import ChatServer
from services.webserver import is_test_client
from services.wire.codes import ErrorCode

from . import browser
from .asked import bearer, token_of, waiter
from .cors import shared
from .extension import Extension, Who, problem
from .login import Login

#: subjects of visitors whom nobody knows; a host's own user ids do not begin like this
STRANGER = "anonymous-"

#: s after its end that a stranger's token still gets its bearer another one: who comes back
#: within a week is the same visitor
RENEWAL = 7 * 86_400

#: signing one subject out: a second, and at once; it is a row in the database each time
SIGN_OUT_RATE = 0.1
SIGN_OUT_BURST = 3


def blueprint(extension: Extension) -> Blueprint:
    """`POST /v1/visitor/token`, and `POST /v1/waiter/login`, `…/logout` and `…/password`."""
    server, callbacks = extension.server, extension.callbacks
    login = Login(extension)
    sign_outs = KeyedBuckets(SIGN_OUT_RATE, SIGN_OUT_BURST, time.monotonic)
    doors = Blueprint("csapp_auth", __name__)
    doors.after_request(shared(server, "visitor_token"))

    @doors.post("/v1/visitor/token")
    def visitor_token() -> Response:
        """A token for whoever the host says is visiting, or for a stranger.

        A stranger who shows an older token stays the same one.
        """
        if (refusal := _refusal(request, server)) is not None:
            return refusal
        who = callbacks.visitor(request) if callbacks.visitor else None
        known = who if who is not None else _returning(request, server)
        new = f"{STRANGER}{secrets.token_urlsafe(12)}"
        return _token(server, _identity(known if known is not None else new, TokenRole.USER))

    @doors.post("/v1/waiter/login")
    def waiter_login() -> Response:
        """A token for the waiter with this name and password, or whom the host recognises."""
        if (refusal := _refusal(request, server)) is not None:
            return refusal
        if _has_body(request):
            return _signed_in(server, request, *login.check(request))
        who = callbacks.waiter(request) if callbacks.waiter else None
        if who is None:
            what = "nobody is signed in here; send a name and a password"
            return problem(401, ErrorCode.UNAUTHENTICATED, what)
        return _token(server, _identity(who, TokenRole.WAITER))

    @doors.post("/v1/waiter/password")
    def waiter_password() -> Response:
        """Another password for the account of the token shown, whose other logins end."""
        if (refusal := _refusal(request, server)) is not None:
            return refusal
        return _signed_in(server, request, *login.change(request, waiter(request, server)))

    @doors.post("/v1/waiter/logout")
    def logout() -> Response:
        """The login of the token shown is over, everywhere.

        That of a stranger, of which anybody may have many, only for this process.
        """
        shown = bearer(request, server.tokens.inspect_any)
        who, revocations = shown.identity, server.house.revocations
        if revocations.is_revoked(who, shown.signed):
            return Response(status=204)
        # another tab may have renewed the login just now
        last = max(shown.expires, int(time.time() + server.settings.token_lifetime) * 1000)
        if who.subject.startswith(STRANGER):
            revocations.shut(who.sid, date(last + RENEWAL * 1000))
            return Response(status=204)
        if not sign_outs.take(who.subject):
            what = "signed out again and again in too short a time"
            return problem(429, ErrorCode.RATE_LIMITED, what, {"Retry-After": "10"})
        revocations.revoke(sid=who.sid, at=date(last))
        security.record(
            Event.SIGN_OUT,
            subject=who.subject,
            role=who.role,
            address=client_address(request.environ, server.settings.trusted_proxies),
        )
        return Response(status=204)

    return doors


def _refusal(asked: Request, server: ChatServer) -> Response | None:
    """Foreign pages must not fetch tokens with the visitor's cookies; nobody may fetch many.

    None are handed out where no chat can follow.
    """
    settings = server.settings
    if (unfit := server.unfit(asked.environ)) and not is_test_client(asked.environ):
        return problem(503, ErrorCode.UNAVAILABLE, unfit)
    host = public_host(asked.environ, settings.trusted_proxies)
    address = client_address(asked.environ, settings.trusted_proxies)
    origin = asked.headers.get("Origin")
    if not origin_allowed(origin, host, settings.allowed_origins):
        security.record(Event.ORIGIN_REFUSED, address=address, origin=origin or "", reason="token")
        return problem(403, ErrorCode.FORBIDDEN, "pages of this origin may not ask for tokens")
    if not server.may_have_token(address):
        what = "too many tokens for this address; try again in a moment"
        return problem(429, ErrorCode.RATE_LIMITED, what, {"Retry-After": "5"})
    return None


def _returning(asked: Request, server: ChatServer) -> Identity | None:
    """The stranger whose token *asked* shows; None for anybody else. Raises `StoreError`."""
    token = token_of(asked)
    if not token:
        return None
    try:
        shown = server.tokens.inspect(token, TokenRole.USER, RENEWAL)
    except TokenError:
        return None
    if not shown.identity.subject.startswith(STRANGER):
        return None  # the host says whom it knows, on every request anew
    revoked = server.house.revocations.is_revoked(shown.identity, shown.signed)
    return None if revoked else shown.identity


def _identity(who: Who, role: TokenRole) -> Identity:
    if isinstance(who, Identity):
        return Identity(who.subject, who.name, role, who.sid)
    return Identity(str(who), "", role)


def _has_body(asked: Request) -> bool:
    return bool(asked.content_length) or "Transfer-Encoding" in asked.headers


def _token(server: ChatServer, identity: Identity) -> Response:
    return _answer(server, server.tokens.sign(identity), identity)


def _signed_in(server: ChatServer, asked: Request, token: str, identity: Identity) -> Response:
    """The token, for a browser that is known for this account from now on."""
    response = _answer(server, token, identity)
    prefix, hops = server.settings.url_prefix, server.settings.trusted_proxies
    browser.remember(response, asked, server.tokens, identity.subject, prefix=prefix, hops=hops)
    return response


def _answer(server: ChatServer, token: str, identity: Identity) -> Response:
    response = jsonify(
        token=token,
        expires_in=server.settings.token_lifetime,
        sub=identity.subject,
        name=identity.name,
    )
    response.cache_control.no_store = True
    return response
