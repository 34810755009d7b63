"""pytest fixtures: name this module in `pytest_plugins`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from .client import Client
from .server import LiveServer

#: `join("user", "ann")`: a client that has shown a token and is let go after the test
Join = Callable[..., Client]


@pytest.fixture(scope="session")
def live_server() -> Iterator[LiveServer]:
    """The standalone application under gunicorn; override it to run your own."""
    with LiveServer.gunicorn() as server:
        yield server


@pytest.fixture
def join(live_server: LiveServer) -> Iterator[Join]:
    """Opens authenticated clients on `live_server`."""
    with ExitStack() as stack:

        def joined(role: str, sub: str) -> Client:
            client = Client(live_server, role)
            client.auth(live_server.token(role, sub))
            stack.callback(client.drop)
            return client

        yield joined
