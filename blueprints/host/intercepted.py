"""Requests for our doors that the application answers by itself, before a door is reached.

A `before_request` of the host's may answer any request: a login wall, a limit, a check
of forms. Its word counts here as everywhere, and

1. the log names it once, because nothing else would;
2. where a script or a program asks, no page comes in the place of what it asked for:
   an error with the host's status does, or 401 where that is none;
3. `/healthz` and `/readyz` say what is, and are not led to a page for signing in.

Pages for people stay the host's, and what it answers to `OPTIONS`.
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

#: pages for people: there the host's own answer stands
PAGES = ("csapp_widget.visitor", "csapp_console.waiter")

#: addresses that monitors ask; their answers name nobody
PROBES = ("csapp_ops.healthz", "csapp_ops.readyz")

#: headers of a host's refusal that our error takes over
HOLD = ("Retry-After", "WWW-Authenticate")

#: the most kinds of answers that the log names: the target of a redirect may hold the address that
#: was asked for, so there is no end of them
MOST_TOLD = 20

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
    """Notice the requests for *doors* that do not reach their views."""
    told: set[str] = set()

    def judge(response: Response) -> Response:
        if is_reached() or is_examined() or _is_usual(response):
            return response
        if request.endpoint in PROBES and response.status_code < REFUSED:
            return _probed()
        what = _told(response)
        if what not in told and len(told) < MOST_TOLD:
            told.add(what)
            log.warning(
                "the application answers %s %s itself, before the chat is asked: %s. "
                "What lets it through is %s",
                request.method, request.url_rule, what, LINE,
            )  # fmt: skip
        return _for_machines(response)

    for door in doors:
        door.after_request(judge)


def examine(app: Flask, prefix: str) -> list[Intercepted]:
    """What *app* answers to a stranger in the place of its doors under *prefix*.

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
        except Exception as error:  # where the application lets exceptions out
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
    """Whether nothing is wrong with an answer of the host's."""
    if request.endpoint in PAGES or request.method == "OPTIONS":
        return True
    # the file itself, which the host has kept, or which the browser has
    file_type, _ = mimetypes.guess_type(request.path)
    is_file = file_type is not None and response.mimetype == file_type
    if response.status_code == 304 or (response.status_code == 200 and is_file):
        return True
    # to https, or to another name of the host; but not those who probe
    is_here = bool(response.location) and urlsplit(response.location or "").path == request.path
    return is_here and request.endpoint not in PROBES


def _for_machines(response: Response) -> Response:
    """What a program is answered where the host has answered *response*."""
    status = response.status_code
    if status < REFUSED:
        return answer(HTTPRefusal(401, ErrorCode.UNAUTHENTICATED, _words(response)))
    headers = {name: response.headers[name] for name in HOLD if name in response.headers}
    code = CODES.get(status, ErrorCode.INVALID_MESSAGE if status < 500 else ErrorCode.INTERNAL)
    return answer(HTTPRefusal(status, code, _words(response), headers))


def _probed() -> Response:
    """The answer of this request's own view."""
    blueprint, _, name = (request.endpoint or "").rpartition(".")
    door: Any = current_app.blueprints[blueprint]
    return make_response(door.views[name]())


def _words(response: Response) -> str:
    return f"{ITSELF}: {response.status_code}"


def _told(response: Response) -> str:
    leads_to = _leads_to(response)
    return f"{response.status_code} to {leads_to}" if leads_to else str(response.status_code)


def _leads_to(response: BaseResponse) -> str:
    """The path of a redirect: a query may hold what is nobody's business."""
    return urlsplit(response.location or "").path[:100]
