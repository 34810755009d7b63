"""Limits of HTTP requests: how long each may take, and how many of an address are open at once.

A web server waits without end for a slow body, and for a client that does not read its
answer. `OpenRequest` then shuts the connection down beneath the web server. A WebSocket has
limits of its own: its outbox, its heartbeat, and a count of connections.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from flask import Blueprint, Request, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from services.bounds import ANSWER_TIME, BODY_TIME
from services.origin import client_address
from services.server import ChatServer
from services.timers import Timer
from services.webserver import is_test_client, socket_of
from services.wire.codes import ErrorCode, HTTPRefusal

from .host.reached import mark_reached
from .refusals import REFUSED

#: key of the WSGI environment: the `OpenRequest`
OPEN = "csapp.open_request"

#: bytes of an answer that a client takes in a second at least
SLOWEST = 16_384


class OpenRequest:
    """One request of *address*, from its beginning until the client has read the answer."""

    def __init__(self, server: ChatServer, environ: dict[str, Any], address: str) -> None:
        self._server = server
        self._environ = environ
        self._address = address
        self._timer: Timer | None = None
        #: there is a body that nobody has read
        self._has_body = (
            environ.get("CONTENT_LENGTH", "") not in ("", "0")
            or "HTTP_TRANSFER_ENCODING" in environ
        )
        self._is_late = False
        self._is_over = False
        #: the answer is being sent
        self.answered = False

    # ---- its body ------------------------------------------------------

    def body(self, incoming: Request) -> bytes:
        """The whole body. Raises `HTTPRefusal` if it comes too late or cannot be read."""
        timer = self._server.wheel.after(BODY_TIME, self._cut_body)
        try:
            data = _read(incoming)
        except HTTPRefusal:
            if not self._is_late:
                raise
            data = b""
        finally:
            timer.cancel()
            self._has_body = False
        if self._is_late:
            what = f"the body: it has to come within {BODY_TIME:g} s"
            raise HTTPRefusal(408, ErrorCode.INVALID_MESSAGE, what)
        return data

    def _cut_body(self) -> None:
        self._is_late = True
        self.cut_body()

    # ---- of a body that `slow_bodies.py` reads -------------------------

    def after(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Call once, in so many seconds."""
        return self._server.wheel.after(seconds, call)

    def lived(self) -> float:
        """Seconds on the clock of these timers."""
        return self._server.wheel.lived()

    def cut_body(self) -> None:
        """Nothing more of the body is read."""
        _cut(self._server, self._environ, socket.SHUT_RD)

    def body_is_read(self) -> None:
        """The body has come to its end."""
        self._has_body = False

    # ---- its answer ----------------------------------------------------

    def answer(self, response: Response) -> None:
        """*response* is sent from now on. The body of a refused request is not read."""
        self.answered = True
        if self._has_body and response.status_code >= REFUSED:
            _cut(self._server, self._environ, socket.SHUT_RD)
        # To count the bytes of a stream would read it.
        plain = response.is_sequence
        size = response.calculate_content_length() if plain else response.content_length
        seconds = ANSWER_TIME + (size or 0) / SLOWEST
        self._timer = self._server.wheel.after(seconds, self._cut_answer)
        response.direct_passthrough = False  # of a file: a web server would not close the response
        response.call_on_close(self.end)

    def _cut_answer(self) -> None:
        _cut(self._server, self._environ, socket.SHUT_RDWR)
        self.end()

    def end(self) -> None:
        """The client has read the answer, or is gone."""
        if self._is_over:
            return
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
        self._environ = {}  # it refers to this object: without the cycle both are freed at once
        self._server.bounds.requests.leave(self._address)


def _cut(server: ChatServer, environ: dict[str, Any], how: int) -> None:
    """Shut the connection of a request down beneath the web server."""
    if (sock := socket_of(environ)) is not None:
        server.runtime.hang_up(sock, how)


def attach(door: Blueprint, server: ChatServer) -> None:
    """Limit the requests at *door*."""

    @door.before_request
    def begin() -> None:
        environ = request.environ
        if is_test_client(environ):
            return
        address = client_address(environ, server.settings.trusted_proxies)
        if not server.bounds.requests.enter(address):
            _cut(server, environ, socket.SHUT_RD)  # no body, and no further request
            mark_reached()
            what = "too many requests of this address are under way; try again in a moment"
            raise HTTPRefusal.too_many(what)
        environ[OPEN] = OpenRequest(server, environ, address)

    @door.after_request
    def answer(response: Response) -> Response:
        open_request = request.environ.get(OPEN)
        if open_request is not None and not open_request.answered:
            open_request.answer(response)
        return response

    @door.teardown_request
    def give_up(_error: BaseException | None) -> None:
        open_request = request.environ.get(OPEN)
        if open_request is not None and not open_request.answered:
            open_request.end()


def limit_body(incoming: Request, most: int) -> None:
    """Let the body have at most *most* bytes, whatever the host's own limit is."""
    try:
        incoming.max_content_length = most
    except AttributeError:  # Flask 3.0 knows one limit for the whole application only
        kind: Any = incoming.__class__  # for mypy no class can be hashed
        incoming.__class__ = _with_a_limit(kind)
        incoming.max_content_length = most


@lru_cache
def _with_a_limit(kind: type[Request]) -> type[Request]:
    return type(kind.__name__, (kind,), {"max_content_length": None})


def body(incoming: Request, most: int) -> bytes:
    """The body of at most *most* bytes. Raises `HTTPRefusal`."""
    limit_body(incoming, most)
    open_request: OpenRequest | None = incoming.environ.get(OPEN)
    return open_request.body(incoming) if open_request is not None else _read(incoming)


def _read(incoming: Request) -> bytes:
    try:
        return incoming.get_data()
    except RequestEntityTooLarge:
        what = f"the body: at most {incoming.max_content_length} bytes"
        raise HTTPRefusal(413, ErrorCode.TOO_LARGE, what) from None
    except Exception:  # each web server has errors of its own; none is csapp's fault
        what = "the body: it cannot be read"
        raise HTTPRefusal(400, ErrorCode.INVALID_MESSAGE, what) from None
