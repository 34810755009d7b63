"""The two WebSocket addresses: accept a connection, run its blocking loop until it ends.

`ChatSock` is flask-sock on csapp's transport. The loop runs while the web server iterates
over the WSGI response, not inside the view. By then Flask has torn the request down, so the
host's database session goes back to its pool when the connection opens, and not hours later,
when it ends.
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

#: keys of the WSGI environment that access logs name
LOGGED = (
    "HTTP_REFERER", "HTTP_USER_AGENT", "PATH_INFO", "QUERY_STRING", "RAW_URI", "REMOTE_ADDR",
    "REQUEST_METHOD", "SCRIPT_NAME", "SERVER_PROTOCOL",
)  # fmt: skip


class SocketResponse:
    """For `of_host`: a response in whose body a WebSocket connection runs."""

    run_connection: Callable[[Environ], None]

    def __call__(self, environ: Any, start_response: Any) -> Any:
        start_response("101 Switching Protocols", [])  # for access logs; nothing is sent
        return _RunningConnection(self.run_connection, environ)


def _socket_response(run_connection: Callable[[Environ], None]) -> Response:
    # A content type, though no header goes out: looking for one costs a slow exception.
    made: Any = of_host(SocketResponse, status=101, content_type="application/octet-stream")
    made.run_connection = run_connection
    return cast(Response, made)


class _RunningConnection:
    """The body of a `SocketResponse`. It is empty; the connection runs while it is iterated over.

    It ends like any other body, and raises nothing: error trackers, tracers and debuggers
    would take an exception for a failure of the application. Then the web server writes the
    end of a response into a socket that is shut down, and takes that for a client that left.
    """

    def __init__(self, run_connection: Callable[[Environ], None], environ: Environ) -> None:
        self._run_connection = run_connection
        self._environ = environ

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        environ, self._environ = self._environ, {}
        if environ:
            sock = socket_of(environ)
            try:
                self._run_connection(environ)
            except Exception:
                log.exception("a conversation failed")
            # No HTTP bytes may follow in this stream, whatever has happened.
            if sock is not None:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        raise StopIteration


class ChatSock(Sock):  # type: ignore[misc]  # the library has no types
    """Registers WebSocket routes on csapp's transport, and leaves a host's own `Sock` alone.

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
                return _socket_response(lambda environ: self._run(handler, environ, variables))

            # Werkzeug routes a bad upgrade request as plain HTTP: it is sent the reason, too.
            host = bp or self.app
            endpoint = options.pop("endpoint", handler.__name__)
            host.route(path, endpoint=endpoint, websocket=True, **options)(open_socket)
            host.route(path, endpoint=f"{endpoint}_http", **options)(open_socket)
            return open_socket

        return decorator

    def _run(
        self, handler: Callable[..., None], environ: Environ, variables: dict[str, Any]
    ) -> None:
        connection = self._accept(environ)
        _forget_request(environ)
        connection.run(partial(handler, **variables) if variables else handler)


def _forget_request(environ: Environ) -> None:
    """Drop all of *environ* but what access logs name: the web server holds it for hours."""
    kept = {name: environ[name] for name in LOGGED if name in environ}
    environ.clear()
    environ.update(kept)


def blueprint(extension: Extension) -> Blueprint:
    """`/v1/ws/user/connect` and `/v1/ws/waiter/connect`."""
    server = extension.server
    door = Door("csapp_sockets", __name__)
    sock = ChatSock(server.check_web_server, lambda environ: _check(environ, server), server.accept)

    @sock.route("/v1/ws/user/connect", door)
    def user_connect(connection: Connection) -> None:
        server.serve(connection, Role.USER)

    @sock.route("/v1/ws/waiter/connect", door)
    def waiter_connect(connection: Connection) -> None:
        server.serve(connection, Role.WAITER)

    return door


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
