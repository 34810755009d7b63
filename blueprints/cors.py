"""CORS: which answers pages of other origins may read (the token, how busy the desk is, …)."""

from __future__ import annotations

from collections.abc import Callable

from flask import Response, request

from services.server import ChatServer

#: s that a browser caches the answer to a preflight request
REMEMBERED = "600"


def shared(server: ChatServer, *views: str, methods: str = "") -> Callable[[Response], Response]:
    """For `Blueprint.after_request`: answers of *views* may be read by `CSAPP_ALLOWED_ORIGINS`.

    Cookies go along for origins that are listed by name, never for `*`. *methods*: those that
    scripts of these origins may use, beside the ones that forms use; they send JSON as well then.
    """
    allowed = server.settings.allowed_origins

    def share(response: Response) -> Response:
        if not allowed or (request.endpoint or "").rpartition(".")[2] not in views:
            return response
        response.vary.add("Origin")
        origin = request.headers.get("Origin", "")
        if origin.lower() in allowed:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Allow-Credentials"] = "true"
        elif "*" in allowed:
            response.headers["Access-Control-Allow-Origin"] = "*"
        else:
            return response
        if methods:
            response.headers["Access-Control-Expose-Headers"] = "Retry-After"
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Headers"] = "Authorization"
            if methods:
                response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
                response.headers["Access-Control-Allow-Methods"] = methods
            response.headers["Access-Control-Max-Age"] = REMEMBERED
        return response

    return share
