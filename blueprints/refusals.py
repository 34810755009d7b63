"""How requests are refused: as JSON, in one place for all doors."""

from __future__ import annotations

import logging
from collections.abc import Callable

from flask import Blueprint, Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from services.desk.port import DeskUnavailable
from services.errors import CSAppError
from services.history.port import Foreign, InUse, OutcomeUnknown, Outdated
from services.instance import NoSecret
from services.metrics import DOORS
from services.seldom import Seldom
from services.server import RETRY, UNAVAILABLE, ChatServer
from services.wire.codes import ErrorCode

from .answers import problem
from .denial import Denied, denied

log = logging.getLogger("csapp")

#: from here on a status is a refusal
REFUSED = 400


def hang(door: Blueprint, server: ChatServer) -> None:
    """Answer what the views of *door* raise on purpose. Nothing of it is an HTTP 500.

    All that is refused there is counted.
    """
    door.register_error_handler(Denied, denied)
    for kind in UNAVAILABLE:
        door.register_error_handler(kind, _unavailable(server))
    name = door.name.removeprefix("csapp_")
    if name not in DOORS:
        return

    @door.after_request
    def count(response: Response) -> Response:
        if response.status_code >= REFUSED:
            server.meters.refused(name, response.status_code)
        return response


def hang_on_all(app: Flask) -> None:
    """Also where no door is reached: an address that is none, a method that none takes.

    For an application of our own. In a host's these are the host's to answer.
    """
    app.register_error_handler(HTTPException, _told)


def _told(error: HTTPException) -> Response:
    status = error.code or 500
    code = ErrorCode.INVALID_MESSAGE if status < 500 else ErrorCode.INTERNAL
    what = error.description or error.name
    if isinstance(error, NotFound):
        what = "there is nothing at this address"
    if isinstance(error, MethodNotAllowed):
        what = f"the method: this address takes {', '.join(sorted(error.valid_methods or ()))}"
    headers = {name: value for name, value in error.get_headers() if name != "Content-Type"}
    return problem(status, code, what, headers)


def reason(error: CSAppError) -> str:
    """What anybody may know of one of `UNAVAILABLE`: addresses and users of databases are not."""
    if isinstance(error, DeskUnavailable):
        return "the desk cannot be reached: Redis does not answer"
    if isinstance(error, Outdated):
        return str(error)
    if isinstance(error, InUse):
        return "another process serves the database; without CSAPP_REDIS_URL one at a time does"
    if isinstance(error, Foreign):
        return "the database belongs to another application; the log says to which"
    if isinstance(error, NoSecret):
        return "no secret can be kept; the log says why, and CSAPP_SECRET_KEY helps"
    if isinstance(error, OutcomeUnknown):
        return "the database did not say whether this was done"
    return "the database cannot be used"


def _unavailable(server: ChatServer) -> Callable[[CSAppError], Response]:
    say = Seldom(log)

    def unavailable(error: CSAppError) -> Response:
        if server.started:  # otherwise the start itself has logged it
            say("request", logging.WARNING, "%s cannot answer: %s", request.url_rule, error)
        what = f"{reason(error)}; try again in a moment"
        return problem(503, ErrorCode.UNAVAILABLE, what, RETRY)

    return unavailable
