"""Tokens over HTTP: for visitors, for waiters whom the host knows, and for those with accounts."""

from __future__ import annotations

import logging
import secrets
import time

from flask import Blueprint, Request, Response, jsonify, request

from services.history.port import StoreError
from services.identity import Identity, TokenError, TokenRole
from services.limits import KeyedBuckets
from services.origin import client_address, origin_allowed, public_host
from services.revocation import date
from services.server import ChatServer
from services.wire.codes import ErrorCode

from .extension import Extension, Who, problem
from .login import Login, LoginError

log = logging.getLogger("csapp")

#: signing out one login: a second, and at once; it is a row in the database each time
SIGN_OUT_RATE = 0.1
SIGN_OUT_BURST = 3


def blueprint(extension: Extension) -> Blueprint:
    """`POST /v1/visitor/token`, `POST /v1/waiter/login` and `POST /v1/waiter/logout`."""
    server, callbacks = extension.server, extension.callbacks
    login = Login(extension)
    sign_outs = KeyedBuckets(SIGN_OUT_RATE, SIGN_OUT_BURST, time.monotonic)
    doors = Blueprint("csapp_auth", __name__)

    @doors.post("/v1/visitor/token")
    def visitor_token() -> Response:
        """A token for whoever the host says is visiting, or for a stranger."""
        if (refusal := _refusal(request, server)) is not None:
            return refusal
        who = callbacks.visitor(request) if callbacks.visitor else None
        stranger = f"anonymous-{secrets.token_urlsafe(12)}"
        return _token(server, _identity(who if who is not None else stranger, TokenRole.USER))

    @doors.post("/v1/waiter/login")
    def waiter_login() -> Response:
        """A token for the waiter with this name and password, or whom the host recognises."""
        if (refusal := _refusal(request, server)) is not None:
            return refusal
        if _has_body(request):
            try:
                token, identity = login.check(request)
            except LoginError as error:
                return error.response
            return _answer(server, token, identity)
        who = callbacks.waiter(request) if callbacks.waiter else None
        if who is None:
            what = "nobody is signed in here; send a name and a password"
            return problem(401, ErrorCode.UNAUTHENTICATED, what)
        return _token(server, _identity(who, TokenRole.WAITER))

    @doors.post("/v1/waiter/logout")
    def logout() -> Response:
        """The login of the token shown is over, everywhere."""
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        try:
            if kind.lower() != "bearer":
                raise TokenError(ErrorCode.UNAUTHENTICATED, "Authorization: Bearer TOKEN is needed")
            shown = server.tokens.inspect_any(token.strip())
        except TokenError as error:
            what = error.message.removeprefix("payload.token: ")
            return problem(401, error.code, what, {"WWW-Authenticate": "Bearer"})
        if not sign_outs.take(shown.identity.sid):
            what = "this login was signed out again and again"
            return problem(429, ErrorCode.RATE_LIMITED, what, {"Retry-After": "10"})
        try:
            extension.revoke(
                sid=shown.identity.sid, at=date(int(time.time() * 1000), shown.expires)
            )
        except StoreError as error:
            log.warning("a sign-out cannot be kept: %s", error)
            what = "the sign-out cannot be kept just now; try again in a moment"
            return problem(503, ErrorCode.UNAVAILABLE, what, {"Retry-After": "5"})
        return Response(status=204)

    return doors


def _refusal(asked: Request, server: ChatServer) -> Response | None:
    """Foreign pages must not fetch tokens with the visitor's cookies; nobody may fetch many."""
    settings = server.settings
    host = public_host(asked.environ, settings.trusted_proxies)
    if not origin_allowed(asked.headers.get("Origin"), host, settings.allowed_origins):
        return problem(403, ErrorCode.FORBIDDEN, "pages of this origin may not ask for tokens")
    if not server.may_have_token(client_address(asked.environ, settings.trusted_proxies)):
        what = "too many tokens for this address; try again in a moment"
        return problem(429, ErrorCode.RATE_LIMITED, what, {"Retry-After": "5"})
    return None


def _identity(who: Who, role: TokenRole) -> Identity:
    if isinstance(who, Identity):
        return Identity(who.subject, who.name, role, who.sid)
    return Identity(str(who), "", role)


def _has_body(asked: Request) -> bool:
    return bool(asked.content_length) or "Transfer-Encoding" in asked.headers


def _token(server: ChatServer, identity: Identity) -> Response:
    return _answer(server, server.tokens.sign(identity), identity)


def _answer(server: ChatServer, token: str, identity: Identity) -> Response:
    response = jsonify(
        token=token,
        expires_in=server.settings.token_lifetime,
        sub=identity.subject,
        name=identity.name,
    )
    response.cache_control.no_store = True
    return response
