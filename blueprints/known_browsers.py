"""A cookie by which the server knows a browser in which a waiter has signed in before.

Attempts from a known browser are counted by themselves. So somebody who tries passwords for
a name cannot lock its owner out. The cookie is no login, scripts cannot read it, and it
holds no name.
"""

from __future__ import annotations

import secrets

from flask import Request, Response

from services.identity import Tokens
from services.origin import forwarded

COOKIE = "csapp_browser"

LIFETIME = 180 * 86_400  # s after the last sign-in

#: waiters that one browser is known for; the one who signed in longest ago is dropped
NAMES = 8


def known(incoming: Request, tokens: Tokens, name: str) -> str:
    """The id of the browser that sent *incoming*, if *name* has signed in there; else `""`."""
    browser, marks = tokens.read_browser(incoming.cookies.get(COOKIE, ""))
    return browser if tokens.mark(name) in marks else ""


def remember(
    response: Response, incoming: Request, tokens: Tokens, name: str, *, prefix: str, hops: int
) -> None:
    """Set the cookie of *response*: *name* has signed in at the browser that sent *incoming*."""
    browser, marks = tokens.read_browser(incoming.cookies.get(COOKIE, ""))
    mark = tokens.mark(name)
    marks = [mark, *(one for one in marks if one != mark)][:NAMES]
    response.set_cookie(
        COOKIE,
        tokens.sign_browser(browser or secrets.token_urlsafe(9), marks),
        max_age=LIFETIME,
        path=f"{incoming.script_root}{prefix}" or "/",
        secure=_scheme(incoming, hops) == "https",
        httponly=True,
        samesite="Strict",
    )


def _scheme(incoming: Request, hops: int) -> str:
    return forwarded(incoming.environ.get("HTTP_X_FORWARDED_PROTO"), hops) or incoming.scheme
