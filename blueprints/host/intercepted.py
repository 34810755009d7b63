"""Requests for our doors that the application answers itself, before a view is reached.

A `before_request` of the host may answer any request: a login wall, a rate limit, a check of
forms. The host has the last word, with three additions:

1. The log names such an answer once, because nothing else would.
2. A script or program gets no page in the place of what it asked for. It gets an error with
   the host's status, or 401 where that is no error.
3. `/healthz` and `/readyz` answer themselves instead of redirecting to a sign-in page.

The host's answer stands for pages that people read, and for `OPTIONS`.
"""

from __future__ import annotations

import logging
import mimetypes
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    got_request_exception,
    make_response,
    request,
    request_started,
)
from werkzeug.wrappers import Response as BaseResponse

from services.doctor import ITSELF, LINE, Intercepted
from services.wire.codes import ErrorCode, HTTPRefusal

from ..refusals import REFUSED, answer
from .reached import EXAMINED, is_examined, is_reached

log = logging.getLogger("csapp")

#: endpoints of pages that people read: the host's answer stands
PAGES = ("csapp_widget.visitor", "csapp_console.waiter")

#: endpoints that monitors ask; their answers hold no personal data
PROBES = ("csapp_ops.healthz", "csapp_ops.readyz")

#: headers of the host's answer that our error keeps
HOLD = ("Retry-After", "WWW-Authenticate")

#: the most kinds of answers that the log names. There may be any number of them, because the
#: target of a redirect may contain the address that was asked for.
MOST_NAMED = 20

CODES = {
    401: ErrorCode.UNAUTHENTICATED,
    403: ErrorCode.FORBIDDEN,
    429: ErrorCode.RATE_LIMITED,
    503: ErrorCode.UNAVAILABLE,
}

#: method and path of each request of an examination
LOOKED_AT = (
    ("GET", "/widget.js"),
    ("POST", "/v1/visitor/token"),
    ("GET", "/v1/ws/user/connect"),
    ("POST", "/v1/waiter/login"),
    ("GET", "/readyz"),
)


def attach(doors: Sequence[Blueprint]) -> None:
    """Judge the answers to requests for *doors* that did not reach their views."""
    named: set[str] = set()

    def judge(response: Response) -> Response:
        if is_reached() or is_examined() or _is_usual(response):
            return response
        if request.endpoint in PROBES and response.status_code < REFUSED:
            return _probed()
        what = _in_words(response)
        if what not in named and len(named) < MOST_NAMED:
            named.add(what)
            log.warning(
                "the application answers %s %s itself, before the chat is asked: %s. "
                "What lets it through is %s",
                request.method, request.url_rule, what, LINE,
            )  # fmt: skip
        return _for_machines(response)

    for door in doors:
        door.after_request(judge)


def examine(app: Flask, prefix: str) -> list[Intercepted]:
    """What *app* answers to an unknown visitor in the place of its doors under *prefix*.

    Runs the application's middlewares and hooks, and none of our views.
    """
    found = (_examined(app, method, prefix + path) for method, path in LOOKED_AT)
    return [one for one in found if one is not None]


def _examined(app: Flask, method: str, path: str) -> Intercepted | None:
    asked, reached, seen = f"{method} {path}", list[str](), list[Flask]()
    failed: list[Exception] = []

    def see(sender: Flask, **_: Any) -> None:
        seen.append(sender)

    def fail(_: Flask, exception: Exception, **__: Any) -> None:
        failed.append(exception)

    with request_started.connected_to(see, app), got_request_exception.connected_to(fail, app):
        try:
            answer = app.test_client(use_cookies=False).open(
                path,
                method=method,
                base_url=f"https://{_host(app)}",
                environ_overrides={EXAMINED: reached},
            )
        except Exception as error:  # in an application that lets exceptions through
            failed.append(error)
    if failed:
        return Intercepted(asked, 0, type(failed[0]).__name__)
    if reached:
        return None
    return Intercepted(asked, answer.status_code, _leads_to(answer), is_outside=not seen)


def _host(app: Flask) -> str:
    """A host name under which *app* answers."""
    trusted = app.config.get("TRUSTED_HOSTS") or ("localhost",)
    return str(app.config.get("SERVER_NAME") or trusted[0].lstrip("."))


def _is_usual(response: Response) -> bool:
    """Whether the host may answer so in the place of the view."""
    if request.endpoint in PAGES or request.method == "OPTIONS":
        return True
    # the file itself, from a cache of the host or of the browser
    file_type, _ = mimetypes.guess_type(request.path)
    is_file = file_type is not None and response.mimetype == file_type
    if response.status_code == 304 or (response.status_code == 200 and is_file):
        return True
    # a redirect to https, or to another name of the host; monitors do not follow them
    is_here = bool(response.location) and urlsplit(response.location or "").path == request.path
    return is_here and request.endpoint not in PROBES


def _for_machines(response: Response) -> Response:
    """The error for a program, in the place of the host's *response*."""
    status = response.status_code
    if status < REFUSED:
        return answer(HTTPRefusal(401, ErrorCode.UNAUTHENTICATED, _words(response)))
    headers = {name: response.headers[name] for name in HOLD if name in response.headers}
    code = CODES.get(status, ErrorCode.INVALID_MESSAGE if status < 500 else ErrorCode.INTERNAL)
    return answer(HTTPRefusal(status, code, _words(response), headers))


def _probed() -> Response:
    """The answer of the view of this request."""
    blueprint, _, name = (request.endpoint or "").rpartition(".")
    door: Any = current_app.blueprints[blueprint]
    return make_response(door.views[name]())


def _words(response: Response) -> str:
    return f"{ITSELF}: {response.status_code}"


def _in_words(response: Response) -> str:
    leads_to = _leads_to(response)
    return f"{response.status_code} to {leads_to}" if leads_to else str(response.status_code)


def _leads_to(response: BaseResponse) -> str:
    """The path of a redirect, without the query: that may hold secrets."""
    return urlsplit(response.location or "").path[:100]
