"""What an HTTP request says: its body, a number in its address, whose token it shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from flask import Request

from services.identity import Shown, TokenError, TokenRole
from services.server import ChatServer
from services.wire.codes import ErrorCode, HTTPRefusal

from . import request_limits

MAX_DIGITS = 19  # of numbers in addresses: Python refuses to read thousands of them


def json_object(incoming: Request, expected: str, most: int) -> dict[str, Any]:
    """The body, an object of at most *most* bytes; *expected* is an example of it.

    Raises `HTTPRefusal`.
    """
    data = request_limits.body(incoming, most)
    try:
        body = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, ValueError):
        what = f"the body: JSON is expected, {expected}"
        raise HTTPRefusal(400, ErrorCode.INVALID_JSON, what) from None
    if not isinstance(body, dict):
        what = f"the body: an object is expected, {expected}"
        raise HTTPRefusal(400, ErrorCode.INVALID_MESSAGE, what)
    return body


def whole(said: str) -> int | None:
    """The whole number that *said* spells, from an address or a query.

    None for what is no number, is too big for a column, or is not spelt in the one way
    in which the server spells numbers.
    """
    if not (said.isascii() and said.isdecimal() and len(said) <= MAX_DIGITS):
        return None
    n = int(said)
    return n if n < 1 << 63 and str(n) == said else None


def token_of(incoming: Request) -> str:
    """The token of the Authorization header; empty without one."""
    kind, _, token = incoming.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def bearer(incoming: Request, inspect: Callable[[str], Shown]) -> Shown:
    """The token that *incoming* shows, as *inspect* judges it. Raises `HTTPRefusal`."""
    token = token_of(incoming)
    try:
        if not token:
            raise TokenError(ErrorCode.UNAUTHENTICATED, "Authorization: Bearer TOKEN is needed")
        return inspect(token)
    except TokenError as error:
        what = error.message.removeprefix("payload.token: ")
        raise HTTPRefusal(401, error.code, what, {"WWW-Authenticate": "Bearer"}) from None


def waiter(incoming: Request, server: ChatServer) -> Shown:
    """The waiter's token that *incoming* shows. Raises `HTTPRefusal`, and `Unavailable`."""
    shown = bearer(incoming, lambda token: server.tokens.inspect(token, TokenRole.WAITER))
    if server.house.revocations.is_revoked(shown.identity, shown.signed):
        what = "this login was signed out"
        raise HTTPRefusal(401, ErrorCode.INVALID_TOKEN, what, {"WWW-Authenticate": "Bearer"})
    return shown
