"""Canned replies over HTTP: a waiter's own, and those that waiters share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Blueprint, Request, Response, request

from services.bounds import CANNED
from services.history.canned import (
    EVERYWHERE,
    SHARED,
    CannedError,
    CannedReplies,
    Reply,
    Taken,
    Unknown,
)
from services.history.canned_past import Version
from services.history.sql import SQLStore
from services.identity import Identity
from services.wire.codes import ErrorCode, HTTPRefusal
from services.wire.dates import rfc3339

from .answers import jsonify, uncached
from .door import Door
from .extension import Extension
from .request_data import whole
from .store_queries import StoreQueries

MAX_BODY = 64 * 1024  # bytes: a text of 4096 characters, each escaped twice over
EXPECTED = '{"shortcut": …, "text": …, "shared": false, "department": "", "choices": []}'

NO_REPLY = 0  # the database counts from 1

T = TypeVar("T")


def blueprint(extension: Extension) -> Blueprint:
    """`/v1/canned` and what is below it."""
    queries = StoreQueries(extension, CANNED)
    max_text = extension.server.settings.max_text
    door = Door("csapp_canned", __name__)

    def departments(waiter: Identity) -> list[str]:
        """Those of which the waiter is a member."""
        members = extension.server.house.departments.members_of(waiter)
        return sorted({one.department for one in members} - {EVERYWHERE})

    def ask(work: Callable[[CannedReplies, Identity], T]) -> T:
        def at(store: SQLStore, waiter: Identity) -> T:
            replies = CannedReplies(store, max_text, departments=departments(waiter))
            return work(replies, waiter)

        try:
            return queries.ask(request, at)
        except CannedError as error:
            raise _refusal(error) from None

    @door.get("/v1/canned")
    def canned() -> Response:
        """The replies that the waiter may use, and the departments for which it may share one."""
        found, mine = ask(lambda here, waiter: (here.all(waiter.subject), departments(waiter)))
        return uncached(jsonify(replies=[_shown(one) for one in found], departments=mine))

    @door.post("/v1/canned")
    def add_canned() -> Response:
        """Add a reply."""
        said = _read_reply(queries, request)
        made = ask(lambda replies, waiter: replies.add(waiter.subject, name=waiter.name, **said))
        response = jsonify(_shown(made))
        response.status_code = 201
        return response

    @door.put("/v1/canned/<number>")
    def change_canned(number: str) -> Response:
        """Change a reply."""
        said, n = _read_reply(queries, request), _number(number)
        return jsonify(
            _shown(
                ask(lambda here, waiter: here.change(waiter.subject, n, name=waiter.name, **said))
            )
        )

    @door.delete("/v1/canned/<number>")
    def remove_canned(number: str) -> Response:
        """Remove a reply."""
        n = _number(number)
        ask(lambda replies, waiter: replies.remove(waiter.subject, n, name=waiter.name))
        return Response(status=204)

    @door.post("/v1/canned/<number>/used")
    def use_canned(number: str) -> Response:
        """Count a use of a reply."""
        n = _number(number)
        ask(lambda replies, waiter: replies.use(waiter.subject, n))
        return Response(status=204)

    _add_past(door, queries, ask)
    return door


def _add_past(door: Blueprint, queries: StoreQueries, ask: Callable[..., Any]) -> None:
    """The addresses of former versions of shared replies."""

    @door.get("/v1/canned/<number>/versions")
    def canned_versions(number: str) -> Response:
        """The former versions of a reply."""
        n = _number(number)
        found = ask(lambda replies, _waiter: replies.versions(n))
        return uncached(jsonify(versions=[_former(one) for one in found]))

    @door.get("/v1/canned/removed")
    def canned_removed() -> Response:
        """Shared replies that were removed, each in its last version."""
        found = ask(lambda replies, _waiter: replies.removed())
        return uncached(jsonify(versions=[_former(one) for one in found]))

    @door.post("/v1/canned/restored")
    def restore_canned() -> Response:
        """Make a reply again what it was in a former version."""
        version = queries.read(request, '{"version": …}', MAX_BODY).get("version")
        if type(version) is not int:
            raise HTTPRefusal(400, ErrorCode.INVALID_MESSAGE, "version: a number is required")
        n = version if 0 < version < 1 << 63 else NO_REPLY
        reply = ask(lambda replies, waiter: replies.restore(waiter.subject, n, name=waiter.name))
        return jsonify(_shown(reply))


def _number(said: str) -> int:
    """The number of a reply in an address; `NO_REPLY` for a text that is no number."""
    n = whole(said)
    return NO_REPLY if n is None else n


def _read_reply(queries: StoreQueries, incoming: Request) -> dict[str, Any]:
    body = queries.read(incoming, EXPECTED, MAX_BODY)
    for field in ("shortcut", "text"):
        if not isinstance(body.get(field), str):
            raise HTTPRefusal(400, ErrorCode.INVALID_MESSAGE, f"{field}: a string is required")
    shared = body.get("shared", False)
    if not isinstance(shared, bool):
        raise HTTPRefusal(400, ErrorCode.INVALID_MESSAGE, "shared: true or false")
    department = body.get("department", EVERYWHERE)
    if not isinstance(department, str):
        raise HTTPRefusal(400, ErrorCode.INVALID_MESSAGE, "department: a string")
    choices = body.get("choices", [])
    if not isinstance(choices, list) or not all(isinstance(one, str) for one in choices):
        raise HTTPRefusal(400, ErrorCode.INVALID_MESSAGE, "choices: a list of strings")
    said = {"shortcut": body["shortcut"], "text": body["text"], "shared": shared}
    return {**said, "department": department, "choices": choices}


def _shown(reply: Reply) -> dict[str, Any]:
    return {
        "id": reply.n,
        "shortcut": reply.shortcut,
        "text": reply.text,
        "shared": reply.owner == SHARED,
        "department": reply.department,
        "choices": reply.choices,
        "author": reply.author_name or reply.author,
        "sub": reply.author,
        "changed": _date(reply.changed),
        "used": reply.used,
        "last_used": _date(reply.used_at),
    }


def _former(version: Version) -> dict[str, Any]:
    return {
        "version": version.n,
        "id": version.reply,
        "shortcut": version.shortcut,
        "text": version.text,
        "department": version.department,
        "choices": version.choices,
        "author": version.author_name or version.author,
        "sub": version.author,
        "date": _date(version.date),
        "ended_by": version.ended_by_name or version.ended_by,
        "ended": _date(version.ended),
    }


def _date(milliseconds: int) -> str | None:
    """None for a reply that is older than the column of dates, or was never used."""
    return rfc3339(milliseconds) if milliseconds else None


def _refusal(error: CannedError) -> HTTPRefusal:
    if isinstance(error, Unknown):
        return HTTPRefusal(404, ErrorCode.INVALID_MESSAGE, str(error))
    if isinstance(error, Taken):
        return HTTPRefusal(409, ErrorCode.ID_CONFLICT, str(error))
    return HTTPRefusal(400, ErrorCode.INVALID_MESSAGE, str(error))
