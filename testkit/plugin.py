"""pytest fixtures: name this module in `pytest_plugins`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from services.under_test import FOLDER

from .client import Client
from .server import LiveServer

#: `join("user", "ann")`: a client that has shown a token and is let go after the test
Join = Callable[..., Client]


def pytest_configure(config: pytest.Config) -> None:
    """Applications that are made in this process keep their secret and database elsewhere.

    They go by what they are configured with; without a word, by a folder that
    goes when the tests have ended. `TESTKIT_CSAPP_FOLDER=` (empty) takes their own.
    """
    if FOLDER not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="csapp-test-")
        os.environ[FOLDER] = folder.name

        def clean() -> None:
            os.environ.pop(FOLDER, None)
            folder.cleanup()

        config.add_cleanup(clean)


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
