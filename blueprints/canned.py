"""Canned replies over HTTP: a waiter's own, and those that all waiters share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Blueprint, Request, Response, jsonify, request

from services.history.canned import SHARED, CannedError, CannedReplies, Reply, Taken, Unknown
from services.history.sql import SQLStore
from services.wire.codes import ErrorCode

from .asked import Denied, Reception, json_object, whole
from .extension import Extension

RATE = 5.0  # a second, from one waiter
BURST = 30

MAX_BODY = 64 * 1024  # bytes: a text of 4096 characters, each escaped twice over
EXPECTED = '{"shortcut": …, "text": …, "shared": false}'

NO_REPLY = 0  # the database counts from 1

T = TypeVar("T")


def blueprint(extension: Extension) -> Blueprint:
    """`/v1/canned` and `/v1/canned/<number>`."""
    reception = Reception(extension, RATE, BURST)
    max_text = extension.server.settings.max_text
    doors = Blueprint("csapp_canned", __name__)

    def ask(work: Callable[[CannedReplies, str], T]) -> T:
        def at(store: SQLStore, subject: str) -> T:
            return work(CannedReplies(store, max_text), subject)

        try:
            return reception.ask(request, at)
        except CannedError as error:
            raise _denied(error) from None

    @doors.get("/v1/canned")
    def canned() -> Response:
        """What the waiter may use."""
        found = ask(lambda replies, subject: replies.all(subject))
        return _fresh(jsonify(replies=[_shown(one) for one in found]))

    @doors.post("/v1/canned")
    def add_canned() -> Response:
        """One more."""
        said = _said(request)
        response = jsonify(_shown(ask(lambda replies, subject: replies.add(subject, **said))))
        response.status_code = 201
        return response

    @doors.put("/v1/canned/<number>")
    def change_canned(number: str) -> Response:
        """Other words for one."""
        said, n = _said(request), _number(number)
        return jsonify(_shown(ask(lambda here, subject: here.change(subject, n, **said))))

    @doors.delete("/v1/canned/<number>")
    def remove_canned(number: str) -> Response:
        """One less."""
        n = _number(number)
        ask(lambda replies, subject: replies.remove(subject, n))
        return Response(status=204)

    return doors


def _number(said: str) -> int:
    """The number of a reply in an address. Where there can be none, one that no reply has."""
    n = whole(said)
    return NO_REPLY if n is None else n


def _said(asked: Request) -> dict[str, Any]:
    body = json_object(asked, EXPECTED, MAX_BODY)
    for field in ("shortcut", "text"):
        if not isinstance(body.get(field), str):
            raise Denied(400, ErrorCode.INVALID_MESSAGE, f"{field}: a string is required")
    shared = body.get("shared", False)
    if not isinstance(shared, bool):
        raise Denied(400, ErrorCode.INVALID_MESSAGE, "shared: true or false")
    return {"shortcut": body["shortcut"], "text": body["text"], "shared": shared}


def _shown(reply: Reply) -> dict[str, Any]:
    shared = reply.owner == SHARED
    return {"id": reply.n, "shortcut": reply.shortcut, "text": reply.text, "shared": shared}


def _fresh(response: Response) -> Response:
    response.cache_control.no_store = True
    return response


def _denied(error: CannedError) -> Denied:
    if isinstance(error, Unknown):
        return Denied(404, ErrorCode.INVALID_MESSAGE, str(error))
    if isinstance(error, Taken):
        return Denied(409, ErrorCode.ID_CONFLICT, str(error))
    return Denied(400, ErrorCode.INVALID_MESSAGE, str(error))
