"""Whoever watches an application for failures sees none in a chat that ends."""

from __future__ import annotations

import contextlib
import re
import sys
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest

from testkit import Client, LiveServer, assert_receives
from testkit.server import CONFIGURATION
from tests.conftest import trusting

from .made import PREFIX

APP = "tests.hosts.sentry:app"
CHATS = 3

#: how people serve it; each writes a line when a request is over
GUNICORN = [sys.executable, "-m", "gunicorn", "-b", "127.0.0.1:{port}", "--access-logfile", "-"]
FLASK = [sys.executable, "-m", "flask", "--app", APP, "run", "--port", "{port}"]
WAYS = {
    "gunicorn": [*GUNICORN, "-c", CONFIGURATION, APP],
    "gthread": [*GUNICORN, "-k", "gthread", "--threads", "9", "--no-control-socket", APP],
    "flask": FLASK,
    "debug": [*FLASK, "--debug", "--no-reload"],
    "tls": [*FLASK, "--debug", "--no-reload", "--cert", "{pem}", "--key", "{pem}"],
}


@pytest.fixture(params=WAYS)
def server(request: pytest.FixtureRequest, certificate: Path) -> Iterator[LiveServer]:
    command = [part.replace("{pem}", str(certificate)) for part in WAYS[request.param]]
    tls = trusting(certificate) if request.param == "tls" else None
    with LiveServer(command, prefix=PREFIX, tls=tls) as started:
        yield started


def test_no_event_and_no_error_for_a_chat_that_ends(server):
    for number in range(CHATS):
        with Client.user(server, f"ann-{number}") as user, Client.waiter(server, "ada") as waiter:
            waiter.ready()
            user.say("connect")
            assert_receives(user, "connect_success")
    server.wait_for_line(r"/connect HTTP/1\.1.* 101 ", 2 * CHATS)
    with contextlib.suppress(urllib.error.HTTPError):
        server.get("/fails")
    server.wait_for_line("sentry event: LookupError")
    assert set(re.findall("sentry event: (.*)", server.log)) == {"LookupError"}, "the host's own"
    assert not re.search(r"/connect HTTP/1\.1.* 500 ", server.log)


def test_the_debugger_keeps_nothing_of_a_chat_that_has_ended():
    with LiveServer(WAYS["debug"], prefix=PREFIX) as server:
        with Client.user(server, "ann"):
            pass
        server.wait_for_line(r"/connect HTTP/1\.1.* \d+ ")
        assert server.get("/kept") == "0"
