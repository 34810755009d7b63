"""Whole numbers of any size from outside, and none of them is a fault of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from csapp import create_app
from services.conversation.rows import public_id
from services.identity import Identity, TokenRole
from testkit import Client, LiveServer
from testkit.client import assert_quiet
from testkit.server import SECRET
from tests.history.people import keep

#: around the bounds of what is stored, and far beyond
HUGE = [2**31 - 1, 2**31, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**30, 10**400, -1, -(2**63)]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory):
    url = f"sqlite:///{tmp_path_factory.mktemp('numbers')}/csapp.db"
    return create_app({"CSAPP_SECRET_KEY": SECRET, "CSAPP_DATABASE_URL": url})


WRITTEN = [*map(str, HUGE), "9" * 5000, "٣", "1.5", "1e3", "0x10", "+1", "%20", "x", "01"]


@pytest.mark.parametrize("number", WRITTEN)
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_there_is_no_reply_of_such_a_number(app, method, number):
    token = app.extensions["csapp"].server.tokens.sign(
        Identity(f"wim-{WRITTEN.index(number)}", "", TokenRole.WAITER)
    )
    header = {"Authorization": f"Bearer {token}"}
    body = {"shortcut": "bye", "text": "Goodbye!"}
    answer = app.test_client().open(
        f"/v1/canned/{number}", method=method, json=body, headers=header
    )
    assert answer.status_code == 404
    assert answer.get_json()["code"] == "invalid_message"


@pytest.mark.parametrize("number", WRITTEN)
def test_no_page_of_a_search_begins_there(app, number):
    token = app.extensions["csapp"].server.tokens.sign(
        Identity(f"zoe-{WRITTEN.index(number)}", "", TokenRole.WAITER)
    )
    answer = app.test_client().get(
        "/v1/search",
        query_string={"q": "word", "before": number},
        headers={"Authorization": f"Bearer {token}"},
    )
    fits = number.isascii() and number.isdecimal() and int(number[:30]) < 2**63
    fits = fits and not number.startswith("0")
    assert answer.status_code == (200 if fits else 400)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder: Path = tmp_path_factory.mktemp("frames")
    env = {
        "CSAPP_DATABASE_URL": f"sqlite:///{folder}/csapp.db",
        "CSAPP_MESSAGE_RATE": "0",
        "CSAPP_BAD_FRAMES": "1000",
    }
    with LiveServer.gunicorn(env=env) as running:
        running.get("/readyz")
        store = (
            create_app(
                {"CSAPP_SECRET_KEY": SECRET, "CSAPP_DATABASE_URL": env["CSAPP_DATABASE_URL"]}
            )
            .extensions["csapp"]
            .store()
        )
        keep(store, 0x1F, ["one", "two"], user="ann", waiter="wim")
        store.close()
        yield running


def in_version_2(server: LiveServer, role: str, sub: str, **payload: object) -> Client:
    client = Client(server, role)
    client.say("auth", {"token": server.token(role, sub), "version": 2, **payload})
    return client


@pytest.mark.parametrize("number", HUGE)
def test_no_number_in_a_frame_ends_a_connection(server, number):
    """It is refused with its field, or answered; and what follows is answered as ever."""
    conversation = public_id(0x1F)
    frames: list[tuple[str, dict[str, object]]] = [
        ("get_history", {"conversation": conversation, "before": number}),
        ("get_history", {"conversation": conversation, "after": number}),
        ("get_history", {"conversation": conversation, "limit": number}),
        ("get_history", {"conversation": number}),
        ("read", {"seq": number}),
    ]
    of_waiters = [
        ("get_history_session", {"limit": number}),
        ("get_history_session", {"before": number}),
        ("get_history_session", {"before": str(number)}),
        ("get_history_session", {"before": f"{abs(number):x}"}),
        ("ready", {"capacity": number}),
    ]
    of_users = [("connect", {"ticket": str(number)}), ("connect", {"ticket": number})]
    for role, sub, more in (("user", "ann", of_users), ("waiter", "wim", of_waiters)):
        with in_version_2(server, role, sub) as client:
            for kind, payload in [*frames, *more]:
                client.say(kind, payload)
            assert_quiet_after_answers(client)
    resumed = in_version_2(server, "user", "ann", resume={conversation: number})
    assert_quiet_after_answers(resumed)
    resumed.drop()
    assert "Traceback" not in server.log


def assert_quiet_after_answers(client: Client) -> None:
    for frame in client.receive_all():
        if frame["type"] == "error":
            code = frame["payload"].get("code", "")
            assert code not in ("internal", "unavailable"), json.dumps(frame)
    assert_quiet(client)
