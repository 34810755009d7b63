"""The one way in which a request is refused: an HTTP error in JSON, `{"code", "message"}`.

Whoever refuses a request (a view, a hook, the handshake of a WebSocket) raises `HTTPRefusal`;
`answer` makes the response of it, and nothing else makes an HTTP error. What needs the
database, Redis or the secret raises `Unavailable` while that cannot be used: a 503.
Nothing that is raised on purpose is an HTTP 500.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from flask import Blueprint, Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from services.errors import Unavailable
from services.metrics import DOORS
from services.seldom import Seldom
from services.server import ChatServer
from services.wire.codes import ErrorCode, HTTPRefusal

from .answers import jsonify

log = logging.getLogger("csapp")

#: from here on a status is a refusal
REFUSED = 400


def answer(refusal: HTTPRefusal) -> Response:
    """The answer to a request that is refused. Also for `Blueprint.register_error_handler`."""
    response = jsonify(code=refusal.code.value, message=refusal.message, **refusal.details)
    response.status_code = refusal.status
    response.headers.update(refusal.headers)
    return response


def nothing_here() -> HTTPRefusal:
    """There is no view, file or item at the address of the request."""
    return HTTPRefusal(404, ErrorCode.INVALID_MESSAGE, "there is nothing at this address")


def attach(door: Blueprint, server: ChatServer) -> None:
    """Answer what the views and hooks of *door* raise on purpose, and count all that is refused."""
    door.register_error_handler(HTTPRefusal, answer)
    door.register_error_handler(Unavailable, _unavailable(server))
    name = door.name.removeprefix("csapp_")
    if name not in DOORS:
        return

    @door.after_request
    def count(response: Response) -> Response:
        if response.status_code >= REFUSED:
            server.meters.refused(name, response.status_code)
        return response


def attach_to_app(app: Flask) -> None:
    """Answer also where no door is reached: an unknown address, a method that no view takes.

    For the standalone application. In a host's application these answers are the host's.
    """
    app.register_error_handler(HTTPRefusal, answer)
    app.register_error_handler(HTTPException, _of_werkzeug)


def _of_werkzeug(error: HTTPException) -> Response:
    """What Flask or Werkzeug refuses, as JSON."""
    if isinstance(error, NotFound):
        return answer(nothing_here())
    status = error.code or 500
    code = ErrorCode.INVALID_MESSAGE if status < 500 else ErrorCode.INTERNAL
    what = error.description or error.name
    if isinstance(error, MethodNotAllowed):
        what = f"the method: this address takes {', '.join(sorted(error.valid_methods or ()))}"
    headers = {name: value for name, value in error.get_headers() if name != "Content-Type"}
    return answer(HTTPRefusal(status, code, what, headers))


def _unavailable(server: ChatServer) -> Callable[[Unavailable], Response]:
    say = Seldom(log)

    def unavailable(error: Unavailable) -> Response:
        if server.started:  # otherwise the start itself has logged it
            say("request", logging.WARNING, "%s cannot answer: %s", request.url_rule, error)
        refusal = HTTPRefusal.not_now(error.advice)
        return answer(refusal)

    return unavailable
