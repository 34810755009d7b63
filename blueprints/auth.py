"""Tokens over HTTP: for visitors, and for waiters whom the host application knows."""

from __future__ import annotations

import secrets

from flask import Blueprint, Request, Response, jsonify, request

from services.identity import Identity, TokenRole
from services.origin import client_address, origin_allowed, public_host
from services.server import ChatServer
from services.wire.codes import ErrorCode

from .extension import Extension, Who, problem


def blueprint(extension: Extension) -> Blueprint:
    """`POST /v1/visitor/token` and `POST /v1/waiter/login`."""
    server, callbacks = extension.server, extension.callbacks
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
        """A token for the waiter that the host recognises in this request."""
        if (refusal := _refusal(request, server)) is not None:
            return refusal
        who = callbacks.waiter(request) if callbacks.waiter else None
        if who is None:
            what = "nobody is signed in here; use a token of `flask chat token --role waiter`"
            return problem(401, ErrorCode.UNAUTHENTICATED, what)
        return _token(server, _identity(who, TokenRole.WAITER))

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


def _token(server: ChatServer, identity: Identity) -> Response:
    response = jsonify(
        token=server.tokens.sign(identity),
        expires_in=server.settings.token_lifetime,
        sub=identity.subject,
        name=identity.name,
    )
    response.cache_control.no_store = True
    return response
