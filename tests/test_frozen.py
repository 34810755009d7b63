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
from .three_ways import ONE_PROCESS, Come, asks, serving

FROZEN = 3  # s


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {
        "CSAPP_DATABASE_URL": f"sqlite:///{tmp_path}/csapp.db",
        "CSAPP_FROZEN": str(FROZEN),
        "CSAPP_HEARTBEAT": "3600",
        "CSAPP_AUTH_TIMEOUT": "3600",
    }


@pytest.fixture(params=ONE_PROCESS)
def server(request: pytest.FixtureRequest, env: dict[str, str]) -> Iterator[LiveServer]:
    with serving(request.param, env, (GUNICORN, THREADS)) as (started, _):
        yield started


@pytest.fixture
def workers(env: dict[str, str]) -> Iterator[list[LiveServer]]:
    """Two servers of one desk, each with a time of its own."""
    with serving("two workers", env, (GUNICORN, THREADS)) as servers:
        yield servers


@pytest.fixture
def come(request: pytest.FixtureRequest) -> Iterator[Come]:
    """Opens clients of the test's server, or of a worker that is named; closes all of them."""
    name = "workers" if "workers" in request.fixturenames else "server"
    served = request.getfixturevalue(name)
    servers: list[LiveServer] = served if name == "workers" else [served]
    with ExitStack() as stack:
        logins: dict[str, str] = {}

        def come(role: str, sub: str, at: int = 0) -> Client:
            server = servers[at]
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


# ---- pages at two workers --------------------------------------------------


def answers(page: Client) -> None:
    """*page* answers, and its worker has handled it."""
    next_frame(page, "probe")
    page.say("alive")
    asks(page, "get_waiters")


@pytest.fixture
def eve(come: Come) -> Client:
    """Looks on from the second worker, and serves nobody."""
    eve = come("waiter", "eve", at=1)
    asks(eve, "unready")
    return eve


@pytest.mark.parametrize("lives_at", [0, 1])
def test_whose_pages_stand_still_at_all_workers_gets_nobody_until_one_lives(
    workers, come, eve, lives_at
):
    pages = [come("waiter", "ada")]
    answers(pages[0])
    stands_still(workers[0], eve, "Ada")
    pages.append(come("waiter", "ada", at=1))
    assert is_ready(eve, "Ada"), "there is life at the second worker"
    ann = come("user", "ann")
    ann.say("connect")
    next_frame(ann, "connect_success")
    for page in pages:
        next_frame(page, "new_connection", payload_name="Ann")

    answers(pages[1])
    stands_still(workers[1], eve, "Ada")
    waiting = [come("user", sub, at=at) for at, sub in enumerate(("bob", "cem"))]
    for user in waiting:
        user.say("connect")
        next_frame(user, "connect_queue")
    asked = ann.say("message_text", {"message": "Still there?"})
    next_frame(ann, "message_text_success", reply_id=asked)
    for page in pages:  # who is served stays, and nobody has come since
        while (frame := page.receive())["type"] != "message_text":
            assert frame["type"] != "new_connection"

    pages[lives_at].say("alive")
    for page in pages:
        names = [next_frame(page, "new_connection")["payload"]["name"] for _ in waiting]
        assert names == ["Bob", "Cem"]
    for user in waiting:
        next_frame(user, "connect_success")


def test_the_only_page_with_life_goes(workers, come, eve):
    still = come("waiter", "ada")
    answers(still)
    stands_still(workers[0], eve, "Ada")
    alive = come("waiter", "ada", at=1)
    assert is_ready(eve, "Ada")
    alive.drop()
    while is_ready(eve, "Ada"):
        next_frame(eve, "probe")
    ann = come("user", "ann", at=1)
    ann.say("connect")
    next_frame(ann, "connect_queue")
    still.say("alive")
    next_frame(ann, "connect_success")
