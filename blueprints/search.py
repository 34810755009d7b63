"""Search over HTTP: in the conversations of the waiter who asks."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from services.bounds import SEARCHES
from services.conversation.kinds import Side
from services.history.search import MAX_QUERY, Hit, Visitor, search, visitors
from services.history.sql import SQLStore
from services.identity import Identity
from services.wire.codes import ErrorCode, HTTPRefusal
from services.wire.dates import rfc3339

from .answers import jsonify
from .door import Door
from .extension import Extension
from .request_data import whole
from .store_queries import StoreQueries

HITS = 30  # in one answer


def blueprint(extension: Extension) -> Blueprint:
    """`GET /v1/search`."""
    queries = StoreQueries(extension, SEARCHES)
    door = Door("csapp_search", __name__)

    @door.get("/v1/search")
    def find() -> Response:
        """Entries that hold every word of `q`, or a word that begins with it; newest first."""
        words, before = _words(request.args.get("q", "")), _before(request.args.get("before"))

        def work(store: SQLStore, waiter: Identity) -> dict[str, Any]:
            found = search(
                store, words, readable_by=waiter.subject, before=before, limit=HITS, beginnings=True
            )
            seen = visitors(store, {hit.chat for hit in found.hits})
            hits = [_shown(hit, seen[hit.chat]) for hit in found.hits if hit.chat in seen]
            return {"hits": hits, "next": found.next}

        response = jsonify(queries.ask(request, work))
        response.cache_control.no_store = True
        return response

    return door


def _words(query: str) -> str:
    if not query.strip() or len(query) > MAX_QUERY:
        raise HTTPRefusal(400, ErrorCode.INVALID_MESSAGE, f"q: 1 to {MAX_QUERY} characters")
    return query


def _before(number: str | None) -> int | None:
    if number is None:
        return None
    n = whole(number)
    if n is None:
        raise HTTPRefusal(400, ErrorCode.INVALID_MESSAGE, "before: `next` of an earlier answer")
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
    }
