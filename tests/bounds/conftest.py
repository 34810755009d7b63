"""Attackers with as many addresses as they like, and honest people beside them."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import websocket

from testkit import Client, LiveServer
from testkit.server import PATIENCE

#: `come("user", "ann", source="127.0.0.9")`: somebody who has shown a token
Come = Callable[..., Client]

GONE = "disconnect role=user code=1006"


def client(server: LiveServer, role: str, sub: str, source: str = "127.0.0.1") -> Client:
    """Somebody from *source* who has shown a token."""
    opened = socket.create_connection(("127.0.0.1", server.port), PATIENCE, (source, 0))
    found = Client(server, role, socket=opened)
    found.auth(server.token(role, sub))
    return found


def status(server: LiveServer) -> dict[str, float]:
    """How busy the server is."""
    found: dict[str, float] = json.loads(server.get("/v1/status"))
    return found


def assert_gone(server: LiveServer, users: list[Client], after: int) -> None:
    """They hang up without a word, and the server has noticed; *after*: lines of its log."""
    for user in users:
        user.ws.shutdown()
    server.wait_for_line(GONE, count=len(users), after=after)


@pytest.fixture
def come(server: LiveServer) -> Iterator[Come]:
    """Opens clients that are let go in the end."""
    with ExitStack() as stack:

        def come(role: str, sub: str, source: str = "127.0.0.1") -> Client:
            found = client(server, role, sub, source)
            stack.callback(_let_go, found)
            return found

        yield come


def _let_go(gone: Client) -> None:
    with contextlib.suppress(OSError, websocket.WebSocketException):
        gone.leave()
    gone.ws.shutdown()
