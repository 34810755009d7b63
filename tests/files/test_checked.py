"""A host looks at files before they are taken (`CSApp.check_file`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from testkit import LiveServer

from ..three_ways import Clients
from .pairs import Pair
from .posting import ask, post, uploaded

HOST = "tests.files.checking_host"


@pytest.fixture(scope="module", params=["greenlets", "threads"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    folder: Path = tmp_path_factory.mktemp("checked")
    env = {"CSAPP_DATABASE_URL": f"sqlite:///{folder}/csapp.db"}
    app = f"{HOST}:{request.param}()"
    start = LiveServer.gunicorn if request.param == "greenlets" else LiveServer.flask
    with start(app, env) as server:
        yield server


@pytest.fixture
def pair(request: pytest.FixtureRequest, server: LiveServer) -> Iterator[Pair]:
    clients = Clients(server)
    yield Pair(clients, request.node.originalname.removeprefix("test_")[:20])
    for client in clients.clients:
        client.leave()


def test_what_the_host_refuses_is_said_to_the_visitor(pair):
    text, conversation = b"a virus", pair.conversation
    for more in ({}, {"upload": "u-1", "size": len(text)}):
        refused = post(pair.here, pair.user_token, text, "a.txt", conversation=conversation, **more)
        assert (refused.status, refused.json["code"]) == (422, "refused")
        who = f"user {pair.name} in {conversation}"
        assert refused.json["message"] == f"a.txt (text/plain, 7) of {who} is not for us"
    gone = ask(pair.here, "GET", "/v1/files/uploads/u-1", token=pair.user_token)
    assert gone.status == 404


def test_a_refused_file_is_in_the_security_log_without_its_name(pair):
    forged = "a.txt event=sign_in subject=root"
    for text, reason in [
        (b"a virus", "refused"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", '"files of this type (image/svg+xml) '),
        (b"\x89PNG\r\n\x1a\n and no more", "image"),
    ]:
        refused = post(pair.here, pair.user_token, text, forged, conversation=pair.conversation)
        assert refused.status in (415, 422)
        who = f"subject={re.escape(pair.name)} role=user address=127.0.0.1"
        pair.here.wait_for_line(rf"event=file_refused {who} reason={re.escape(reason)}")
    lines = [line for line in pair.here.log.splitlines() if "event=file_refused" in line]
    assert lines
    for line in lines:
        assert pair.user_token not in line
        assert "subject=root" not in line
        assert "is not for us" not in line


def test_a_check_that_fails_takes_nothing(pair):
    failed = post(
        pair.here, pair.user_token, b"fault", "a.txt", conversation=pair.conversation,
        upload="u-1", size=5,
    )  # fmt: skip
    assert (failed.status, failed.json["code"]) == (503, "unavailable")
    assert "Retry-After" in failed.headers
    pair.here.wait_for_line("the scanner is gone")


def test_all_else_is_taken(pair):
    uploaded(pair.here, pair.user_token, pair.conversation, b"a letter", "a.txt")
