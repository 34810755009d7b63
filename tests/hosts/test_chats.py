"""People chat in each of these applications, none of which has a line for it but the one wall."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from testkit import Client, LiveServer, assert_receives
from testkit.server import PATIENCE

from .made import PREFIX

#: more than Flask-Limiter's README allows in an hour
OFTEN = 60


@pytest.fixture(
    scope="module",
    params=[
        "babel", "caching", "csrf", "everything", "limiter", "login_wall", "seasurf", "sentry",
        "sites", "talisman", "toolbar",
    ],
)  # fmt: skip
def server(request: pytest.FixtureRequest) -> Iterator[LiveServer]:
    with LiveServer.gunicorn(f"tests.hosts.{request.param}:app", prefix=PREFIX) as started:
        yield started


def test_the_chat_is_ready(server):
    assert json.loads(server.get("/readyz")) == {"status": "ready"}


def test_its_script_is_a_script_however_often(server):
    for _ in range(OFTEN):
        asked = urllib.request.urlopen(f"{server.url}/widget.js", timeout=PATIENCE)
        with asked as answer:
            assert answer.headers.get_content_type() == "text/javascript"


def test_a_page_of_its_own_gets_a_token(server):
    origin = server.url.removesuffix(PREFIX)
    told = json.loads(server.post("/v1/visitor/token", Origin=origin))
    assert told["sub"].startswith("anonymous-")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        server.post("/v1/visitor/token", Origin="https://elsewhere.example")


def test_both_sides_talk(server):
    with Client.user(server, "ann") as user, Client.waiter(server, "ada") as waiter:
        waiter.ready()
        user.say("connect")
        assert_receives(user, "connect_success")
        assert_receives(waiter, "new_connection", uuid=user.uuid)
        user.text("hello")
        assert_receives(waiter, "message_text", message="hello", from_=user.uuid)
        waiter.text("good day", user.uuid)
        assert_receives(user, "message_text", message="good day")


def test_the_pages_have_their_own_policy(server):
    for page in ("/", "/waiter"):
        with urllib.request.urlopen(server.url + page, timeout=PATIENCE) as answer:
            assert answer.headers.get_content_type() == "text/html"
            assert answer.headers.get_all("Content-Security-Policy") == [
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https:; "
                "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            ]


def test_nothing_was_said_against_it(server):
    assert "Traceback" not in server.log
    assert "itself, before the chat is asked" not in server.log
