"""The two WebSocket doors: accept, run the blocking loop, leave.

`ChatSock` is flask-sock on csapp's transport. The conversation runs while the
web server iterates over the WSGI response, not inside the view: by then Flask
has torn the request down, so a host's database session goes back to its pool
when the chat begins instead of when it ends, hours later.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable, Iterator
from functools import partial, wraps
from typing import Any, cast

from flask import Blueprint, Response, request
from flask_sock import Sock

from services.desk.port import Role
from services.origin import client_address, origin_allowed, public_host, why_refused
from services.security_log import Event, security
from services.server import ChatServer
from services.transport import handshake
from services.transport.connection import Connection
from services.webserver import socket_of
from services.wire.codes import ErrorCode, HTTPRefusal

from .door import Door
from .extension import Extension
from .host.unchanged import of_host

log = logging.getLogger("csapp.sockets")

Environ = dict[str, Any]

#: what access logs say of a request
LOGGED = (
    "HTTP_REFERER", "HTTP_USER_AGENT", "PATH_INFO", "QUERY_STRING", "RAW_URI", "REMOTE_ADDR",
    "REQUEST_METHOD", "SCRIPT_NAME", "SERVER_PROTOCOL",
)  # fmt: skip


class Conversation:
    """For `of_host`: a response whose body is a whole WebSocket conversation."""

    converse: Callable[[Environ], None]

    def __call__(self, environ: Any, start_response: Any) -> Any:
        start_response("101 Switching Protocols", [])  # for access logs; nothing is sent
        return _Talking(self.converse, environ)


def _conversation(converse: Callable[[Environ], None]) -> Response:
    # A content type, though no header goes out: looking for one costs a slow exception.
    made: Any = of_host(Conversation, status=101, content_type="application/octet-stream")
    made.converse = converse
    return cast(Response, made)


class _Talking:
    """The body: the conversation is held while its first piece is asked for, and it is empty.

    It ends as any body ends, because whoever watches an application takes an exception
    for a failure of it: error trackers, tracers, debuggers. What the web server then
    wants to write is a response without a body, into a socket that is shut down, and
    each of them takes that for a client that went away.
    """

    def __init__(self, converse: Callable[[Environ], None], environ: Environ) -> None:
        self._converse = converse
        self._environ = environ

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        environ, self._environ = self._environ, {}
        if environ:
            sock = socket_of(environ)
            try:
                self._converse(environ)
            except Exception:
                log.exception("a conversation failed")
            # Whatever has happened, no HTTP bytes may follow in this stream.
            if sock is not None:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        raise StopIteration


class ChatSock(Sock):  # type: ignore[misc]  # the library has no types
    """Registers WebSocket routes on csapp's transport; a host's own `Sock` is not concerned.

    *can_carry* judges the web server, and *check* the request, while it can still be
    answered with HTTP: they raise `HTTPRefusal`, as the handshake does, which the blueprint
    or application answers (`refusals.answer`). *accept* then makes the connection. A handler
    gets it and runs until it ends.
    """

    def __init__(
        self,
        can_carry: Callable[[Environ], None],
        check: Callable[[Environ], None],
        accept: Callable[[Environ], Connection],
    ) -> None:
        super().__init__()
        self._can_carry = can_carry
        self._check = check
        self._accept = accept

    def route(
        self, path: str, bp: Any = None, **options: Any
    ) -> Callable[[Callable[..., None]], Callable[..., Response]]:
        """Decorator for a handler `f(connection, **url_variables)` on the blueprint or app *bp*."""

        def decorator(handler: Callable[..., None]) -> Callable[..., Response]:
            @wraps(handler)
            def open_socket(**variables: Any) -> Response:
                self._can_carry(request.environ)
                request.environ[handshake.ACCEPTING] = handshake.check(request.environ)
                self._check(request.environ)
                return _conversation(lambda environ: self._talk(handler, environ, variables))

            # Werkzeug routes what is not quite an upgrade as plain HTTP: told why, not 400 or 404.
            host = bp or self.app
            endpoint = options.pop("endpoint", handler.__name__)
            host.route(path, endpoint=endpoint, websocket=True, **options)(open_socket)
            host.route(path, endpoint=f"{endpoint}_http", **options)(open_socket)
            return open_socket

        return decorator

    def _talk(
        self, handler: Callable[..., None], environ: Environ, variables: dict[str, Any]
    ) -> None:
        connection = self._accept(environ)
        _forget_request(environ)
        connection.run(partial(handler, **variables) if variables else handler)


def _forget_request(environ: Environ) -> None:
    """Keep of a request what access logs name: the web server holds on to it for hours."""
    kept = {name: environ[name] for name in LOGGED if name in environ}
    environ.clear()
    environ.update(kept)


def blueprint(extension: Extension) -> Blueprint:
    """`/v1/ws/user/connect` and `/v1/ws/waiter/connect`."""
    server = extension.server
    doors = Door("csapp_sockets", __name__)
    sock = ChatSock(server.check_web_server, lambda environ: _check(environ, server), server.accept)

    @sock.route("/v1/ws/user/connect", doors)
    def user_connect(connection: Connection) -> None:
        server.serve(connection, Role.USER)

    @sock.route("/v1/ws/waiter/connect", doors)
    def waiter_connect(connection: Connection) -> None:
        server.serve(connection, Role.WAITER)

    return doors


def _check(environ: Environ, server: ChatServer) -> None:
    settings = server.settings
    host = public_host(environ, settings.trusted_proxies)
    address = client_address(environ, settings.trusted_proxies)
    origin = environ.get("HTTP_ORIGIN")
    if not origin_allowed(origin, host, settings.allowed_origins):
        security.record(
            Event.ORIGIN_REFUSED, address=address, origin=origin or "", reason="connection"
        )
        why = why_refused(origin or "", host, settings.allowed_origins)
        what = f"pages of this origin may not connect here: {why}"
        raise HTTPRefusal(403, ErrorCode.FORBIDDEN, what)
    server.admit(environ, address)
