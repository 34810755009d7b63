"""Waiters whose pages stand still get nobody new (docs/protocol.md, *Frozen pages*)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from testkit import Client, LiveServer
from testkit.client import assert_quiet

from .clocked import GUNICORN, THREADS, let_pass
from .probe import come_back, next_frame
from .three_ways import ONE_PROCESS, Come, serving

FROZEN = 3  # s


@pytest.fixture(params=ONE_PROCESS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LiveServer]:
    env = {
        "CSAPP_DATABASE_URL": f"sqlite:///{tmp_path}/csapp.db",
        "CSAPP_FROZEN": str(FROZEN),
        "CSAPP_HEARTBEAT": "3600",
        "CSAPP_AUTH_TIMEOUT": "3600",
    }
    with serving(request.param, env, (GUNICORN, THREADS)) as (started, _):
        yield started


@pytest.fixture
def come(server: LiveServer) -> Iterator[Come]:
    with ExitStack() as stack:
        logins: dict[str, str] = {}

        def come(role: str, sub: str) -> Client:
            client = come_back(server, role)
            stack.callback(client.drop)
            token = logins.setdefault(sub, server.token(role, sub, sub.title()))
            client.say("auth", {"token": token, "version": 2})
            next_frame(client, "auth_success")
            if role == "waiter":
                asked = client.say("ready")
                next_frame(client, "ready", reply_id=asked)
            return client

        yield come


def is_ready(eve: Client, name: str) -> bool:
    asked = eve.say("get_waiters")
    found = next_frame(eve, "waiters", reply_id=asked)["payload"]
    return next(one["ready"] for one in found if one["name"] == name)


def stands_still(server: LiveServer, eve: Client, name: str) -> None:
    """*name* has answered, and does so no more."""
    let_pass(server, FROZEN + 1)
    while is_ready(eve, name):
        next_frame(eve, "probe")


def test_who_answers_no_more_gets_nobody_until_the_page_is_back(server, come):
    ada, eve = come("waiter", "ada"), come("waiter", "eve")
    eve.say("unready")
    next_frame(ada, "probe")
    ada.say("alive")
    next_frame(ada, "probe")  # it was handled
    assert is_ready(eve, "Ada")
    stands_still(server, eve, "Ada")
    ann = come("user", "ann")
    ann.say("connect")
    next_frame(ann, "connect_queue")
    ada.say("alive")
    next_frame(ada, "new_connection")
    next_frame(ann, "connect_success")


def test_of_several_pages_one_is_enough(server, come):
    pages, eve = [come("waiter", "ada") for _ in range(2)], come("waiter", "eve")
    for page in pages:
        next_frame(page, "probe")
        page.say("alive")
        next_frame(page, "probe")  # it was handled
    let_pass(server, FROZEN + 1)
    pages[1].say("alive")
    for _ in range(3):
        next_frame(eve, "probe")
    assert is_ready(eve, "Ada")
    pages[1].drop()
    while is_ready(eve, "Ada"):
        next_frame(eve, "probe")


def test_a_client_that_never_answers_is_taken_for_alive(server, come):
    come("waiter", "ada")
    eve = come("waiter", "eve")
    let_pass(server, 10 * FROZEN)
    for _ in range(3):
        next_frame(eve, "probe")
    assert is_ready(eve, "Ada")


def test_visitors_are_not_asked(server, come):
    ann, ada = come("user", "ann"), come("waiter", "ada")
    for _ in range(2):
        next_frame(ada, "probe")
    assert_quiet(ann)
