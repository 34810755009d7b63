"""Search over HTTP: in the conversations that the waiter who asks may read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request

from services.bounds import SEARCHES
from services.conversation.kinds import Side
from services.history.browse import browse, waiters
from services.history.search import MAX_QUERY, Found, Hit, Visitor, search, visitors
from services.history.search_filters import Filters
from services.history.sql import SQLStore
from services.identity import Identity
from services.wire.codes import ErrorCode, HTTPRefusal
from services.wire.dates import milliseconds, rfc3339

from .answers import jsonify, uncached
from .door import Door
from .extension import Extension
from .request_data import whole
from .store_queries import StoreQueries

HITS = 30  # in one answer

MAX_SUBJECT = 200  # characters of a waiter's subject, or of a department's key

STARS = frozenset("12345")


def blueprint(extension: Extension) -> Blueprint:
    """`GET /v1/search`, and `/v1/search/waiters`."""
    queries = StoreQueries(extension, SEARCHES)
    door = Door("csapp_search", __name__)
    languages = extension.server.settings.search_languages

    @door.get("/v1/search")
    def find() -> Response:
        """Entries with forms of every word of `q`, or conversations by filters; newest first."""
        filters = _filters(request.args)
        words, before = _words(request.args.get("q", ""), filters), _before(request.args)

        def look(store: SQLStore, reader: str) -> Found:
            if not words:
                return browse(store, filters, readable_by=reader, before=before, limit=HITS)
            return search(
                store, words, readable_by=reader, before=before, limit=HITS, endings=languages,
                filters=filters,
            )  # fmt: skip

        def work(store: SQLStore, waiter: Identity) -> dict[str, Any]:
            found = look(store, waiter.subject)
            seen = visitors(store, {hit.chat for hit in found.hits})
            hits = [_shown(hit, seen[hit.chat]) for hit in found.hits if hit.chat in seen]
            return {"hits": hits, "next": found.next, "beginnings": list(found.beginnings)}

        return uncached(jsonify(queries.ask(request, work)))

    @door.get("/v1/search/waiters")
    def who() -> Response:
        """The waiters whose conversations `waiter` of a search may name."""

        def work(store: SQLStore, _waiter: Identity) -> dict[str, Any]:
            return {"waiters": [{"sub": sub, "name": name} for sub, name in waiters(store)]}

        return uncached(jsonify(queries.ask(request, work)))

    return door


def _words(query: str, filters: Filters) -> str:
    if len(query) > MAX_QUERY or not (query.strip() or filters):
        what = f"q: 1 to {MAX_QUERY} characters; none where a filter is named"
        raise HTTPRefusal(400, ErrorCode.INVALID_MESSAGE, what)
    return query.strip()


def _filters(args: Mapping[str, str]) -> Filters:
    """What `waiter`, `department`, `from`, `to` and `rating` say. Raises `HTTPRefusal`."""
    for name in ("waiter", "department"):
        if "\0" in args.get(name, "") or len(args.get(name, "")) > MAX_SUBJECT:
            raise _refused(name, f"at most {MAX_SUBJECT} characters, and no NUL")
    stars = {one.strip() for one in args.get("rating", "").split(",") if one.strip()}
    if not stars <= STARS:
        raise _refused("rating", "stars from 1 to 5, with commas between")
    return Filters(
        args.get("waiter") or None,
        args.get("department"),
        _date(args, "from"),
        _date(args, "to"),
        frozenset(map(int, stars)),
    )


def _date(args: Mapping[str, str], name: str) -> int | None:
    if not (said := args.get(name, "")):
        return None
    try:
        return milliseconds(said)
    except (ValueError, OverflowError):
        what = "a date and time with its zone, such as 2026-11-28T00:00:00Z"
        raise _refused(name, what) from None


def _refused(name: str, allowed: str) -> HTTPRefusal:
    return HTTPRefusal(400, ErrorCode.INVALID_MESSAGE, f"{name}: {allowed}")


def _before(args: Mapping[str, str]) -> int | None:
    if "before" not in args:
        return None
    n = whole(args["before"])
    if n is None:
        raise _refused("before", "`next` of an earlier answer")
    return n


def _shown(hit: Hit, visitor: Visitor) -> dict[str, Any]:
    return {
        "conversation": f"{hit.chat:x}",
        "seq": hit.seq,
        "date": rfc3339(hit.date),
        "from": "visitor" if hit.side == Side.USER else "waiter",
        "snippet": hit.snippet,
        "name": visitor.name,
        "sub": visitor.subject,
        "avatar": visitor.avatar,
        "state": "open" if visitor.ended is None else "ended",
        "department": visitor.department,
        "rating": visitor.rating,
    }
