"""Tokens over HTTP: for visitors, and for waiters (known to the host, or with an account)."""

from __future__ import annotations

import secrets
import time

from flask import Blueprint, Request, Response, request

from services.bounds import SIGN_OUTS
from services.identity import ANONYMOUS, Identity, Shown, TokenRole
from services.limits import KeyedBuckets
from services.origin import client_address, origin_allowed, public_host, why_refused
from services.revocation import date
from services.security_log import Event, security
from services.server import ChatServer
from services.webserver import is_test_client
from services.wire.codes import ErrorCode, HTTPRefusal

from . import known_browsers
from .answers import jsonify, uncached
from .cors import shared
from .door import Door
from .extension import Extension
from .host.identity import ask_host
from .renewal import RENEWAL, Renewals, in_login, is_anonymous, lifetime
from .request_data import bearer, token_of, waiter
from .sign_in import SignIn

#: s after which a subject that signed out too often may sign out again
SIGN_OUT_PAUSE = 10


def blueprint(extension: Extension) -> Blueprint:
    """`POST /v1/visitor/token`, and `/v1/waiter/login`, `…/me`, `…/logout` and `…/password`."""
    server = extension.server
    door = Door("csapp_auth", __name__)
    door.after_request(shared(server, "visitor_token"))
    renewals = Renewals(server)
    _for_visitors(door, extension, renewals)
    _for_waiters(door, extension, renewals)
    _for_all(door, server)
    return door


def _for_visitors(door: Blueprint, extension: Extension, renewals: Renewals) -> None:
    server, callbacks = extension.server, extension.callbacks
    settings = server.settings

    @door.post("/v1/visitor/token")
    def visitor_token() -> Response:
        """A token for the visitor whom the host names, or else for an unknown one.

        An unknown visitor who shows an older token keeps its subject. With `?stay` it keeps
        it also where the host knows the visitor by now, because its conversation goes on.
        """
        _refuse_foreign(request, server)
        shown = renewals.shown(request, TokenRole.USER)
        _count_token(request, server, renewals, shown)
        if shown is not None and "stay" in request.args and is_anonymous(shown):
            return _token(server, shown.identity)
        named = ask_host(callbacks.visitor, request)
        if named is not None:
            return _token(server, in_login(named, TokenRole.USER, shown), lifetime(settings))
        if shown is not None and is_anonymous(shown):
            return _token(server, shown.identity)
        return _token(server, Identity(f"{ANONYMOUS}{secrets.token_urlsafe(12)}"))


def _for_waiters(door: Blueprint, extension: Extension, renewals: Renewals) -> None:
    server, callbacks = extension.server, extension.callbacks
    settings, sign_in = server.settings, SignIn(extension)

    @door.post("/v1/waiter/login")
    def waiter_login() -> Response:
        """A token for the waiter with this name and password, or for the one whom the host names.

        A request without a body renews the token that it shows: `identify_waiter` is asked
        again, or else the account must still stand.
        """
        _refuse_foreign(request, server)
        if _has_body(request):
            _count_token(request, server, renewals, None)
            return _signed_in(server, request, *sign_in.check(request))
        shown = renewals.shown(request, TokenRole.WAITER)
        _count_token(request, server, renewals, shown)
        named = ask_host(callbacks.waiter, request)
        if named is not None:
            known = in_login(named, TokenRole.WAITER, shown)
            if shown is None or known.sid != shown.identity.sid:
                _log(Event.SIGN_IN, known, server, by="host")
            return _token(server, known, lifetime(settings))
        if shown is not None and (renewed := sign_in.renew(shown)) is not None:
            return _answer(server, *renewed)
        if token_of(request):
            _log(Event.RENEWAL_REFUSED, shown.identity if shown else None, server)
        what = "nobody is signed in here; send a name and a password"
        raise HTTPRefusal(401, ErrorCode.UNAUTHENTICATED, what)

    @door.get("/v1/waiter/me")
    def waiter_me() -> Response:
        """Whom the token names, and for how many seconds it is still good."""
        shown = waiter(request, server)
        left = max(0, int(server.tokens.left(shown.expires)))
        return uncached(jsonify(expires_in=left, **_shown_fields(shown.identity)))

    @door.post("/v1/waiter/password")
    def waiter_password() -> Response:
        """Give the account of the token another password. Its other logins end."""
        _refuse_foreign(request, server)
        _count_token(request, server, renewals, None)
        return _signed_in(server, request, *sign_in.change(request, waiter(request, server)))


def _for_all(door: Blueprint, server: ChatServer) -> None:
    sign_outs = KeyedBuckets(*SIGN_OUTS, time.monotonic)

    @door.post("/v1/waiter/logout")
    def logout() -> Response:
        """End the login of the token, on every worker.

        The login of an unknown visitor ends in this process only: anybody can have any number
        of them, and each would be a row in the database.
        """
        shown = bearer(request, server.tokens.inspect_any)
        identity, revocations = shown.identity, server.house.revocations
        if revocations.is_revoked(identity, shown.signed):
            return Response(status=204)
        # another tab may have renewed the login just now
        last = max(shown.expires, int(time.time() + server.settings.token_lifetime) * 1000)
        if identity.subject.startswith(ANONYMOUS):
            revocations.shut(identity.sid, date(last + RENEWAL * 1000))
            return Response(status=204)
        if not sign_outs.take(identity.subject):
            what = "signed out again and again in too short a time"
            raise HTTPRefusal.too_many(what, SIGN_OUT_PAUSE)
        revocations.revoke(sid=identity.sid, at=date(last))
        _log(Event.SIGN_OUT, identity, server)
        return Response(status=204)


def _refuse_foreign(incoming: Request, server: ChatServer) -> None:
    """Refuse a page of a foreign origin: it could fetch a token with the visitor's cookies.

    Refuse also under a web server that cannot carry a chat. Raises `HTTPRefusal`.
    """
    settings = server.settings
    if (unfit := server.unfit(incoming.environ)) and not is_test_client(incoming.environ):
        raise HTTPRefusal(503, ErrorCode.UNAVAILABLE, unfit)
    host = public_host(incoming.environ, settings.trusted_proxies)
    origin = incoming.headers.get("Origin")
    if origin_allowed(origin, host, settings.allowed_origins):
        return
    address = client_address(incoming.environ, settings.trusted_proxies)
    security.record(Event.ORIGIN_REFUSED, address=address, origin=origin or "", reason="token")
    why = why_refused(origin or "", host, settings.allowed_origins)
    what = f"pages of this origin may not ask for tokens: {why}"
    raise HTTPRefusal(403, ErrorCode.FORBIDDEN, what)


def _count_token(
    incoming: Request, server: ChatServer, renewals: Renewals, shown: Shown | None
) -> None:
    """Count one more token, for the login that is *shown* or else for the address of *incoming*.

    Raises `HTTPRefusal` (429) where there were too many.
    """
    address = client_address(incoming.environ, server.settings.trusted_proxies)
    if renewals.take(shown) if shown is not None else server.bounds.allow_token(address):
        return
    whose = "login" if shown is not None else "address"
    what = f"too many tokens for this {whose}; try again in a moment"
    raise HTTPRefusal.too_many(what)


def _has_body(incoming: Request) -> bool:
    return bool(incoming.content_length) or "Transfer-Encoding" in incoming.headers


def _token(server: ChatServer, identity: Identity, seconds: int | None = None) -> Response:
    return _answer(server, server.tokens.sign(identity, seconds), identity, seconds)


def _signed_in(server: ChatServer, incoming: Request, token: str, identity: Identity) -> Response:
    """The answer with *token*; from now on the browser is known for this account."""
    response = _answer(server, token, identity)
    prefix, hops = server.settings.url_prefix, server.settings.trusted_proxies
    known_browsers.remember(
        response, incoming, server.tokens, identity.subject, prefix=prefix, hops=hops
    )
    return response


def _answer(
    server: ChatServer, token: str, identity: Identity, seconds: int | None = None
) -> Response:
    lives = server.settings.token_lifetime if seconds is None else seconds
    return uncached(jsonify(token=token, expires_in=lives, **_shown_fields(identity)))


def _shown_fields(identity: Identity) -> dict[str, str]:
    return {"sub": identity.subject, "name": identity.name, "avatar": identity.avatar}


def _log(event: Event, identity: Identity | None, server: ChatServer, by: str = "") -> None:
    security.record(
        event,
        subject=identity.subject if identity else "",
        role=identity.role if identity else "",
        address=client_address(request.environ, server.settings.trusted_proxies),
        by=by,
    )
