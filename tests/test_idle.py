"""Visitors who write nothing more are warned, and their conversations end (*Idle*)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from services.history.opening import open_store
from services.settings import Settings, SettingsError
from testkit import Client, LiveServer
from testkit.redis import RedisServer

from .probe import come_back, next_frame
from .wall_clock_host import GUNICORN, THREADS, set_clock

WARN, CLOSE = 60, 300  # s

Come = Callable[..., Client]


class Time:
    """The wall clock of the servers, which stands still until a test lets it pass, nearly."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._at = time.time()
        set_clock(file, self._at)

    def passes(self, seconds: float) -> None:
        self._at += seconds
        set_clock(self._file, self._at)


@pytest.fixture
def clock(tmp_path: Path) -> Time:
    return Time(tmp_path / "clock")


@pytest.fixture
def env(tmp_path: Path, clock: Time) -> dict[str, str]:
    url = f"sqlite:///{tmp_path}/csapp.db"
    with closing(open_store(url)) as store:
        store.migrate()
    return {
        "CSAPP_DATABASE_URL": url,
        "CSAPP_IDLE_WARN": str(WARN),
        "CSAPP_IDLE_CLOSE": str(CLOSE),
        "WALL_CLOCK_FILE": str(tmp_path / "clock"),
    }


@pytest.fixture(params=["greenlets", "threads"])
def server(request: pytest.FixtureRequest, env: dict[str, str]) -> Iterator[LiveServer]:
    is_threads = request.param == "threads"
    start = LiveServer.flask(THREADS, env) if is_threads else LiveServer.gunicorn(GUNICORN, env)
    with start as started:
        yield started


@pytest.fixture
def come() -> Iterator[Come]:
    """Opens a client of version 2, or of *version*; closes all of them."""
    with ExitStack() as stack:

        def come(server: LiveServer, role: str, sub: str, version: int = 2) -> Client:
            client = come_back(server, role)
            stack.callback(client.drop)
            token = {"token": server.token(role, sub, sub.title())}
            client.say("auth", token if version == 1 else token | {"version": 2})
            return client

        yield come


def meet(come: Come, here: LiveServer, there: LiveServer) -> tuple[Client, Client, str]:
    """Ann here is served by Ada there; what Ann's UUID is."""
    ada = come(there, "waiter", "ada")
    ada.say("ready")
    next_frame(ada, "ready")
    ann = come(here, "user", "ann")
    ann.say("connect")
    next_frame(ann, "connect_success")
    return ann, ada, str(next_frame(ada, "new_connection")["payload"]["uuid"])


def writes(ada: Client, uuid: str) -> None:
    ada.say("message_text", {"message": "Did that help?"}, to=uuid)
    next_frame(ada, "message_text_success")


def ends(ann: Client, ada: Client) -> None:
    for client in (ann, ada):
        assert next_frame(client, "disconnected")["payload"] == {"reason": "idle"}


def test_who_does_not_answer_is_warned_and_then_it_is_over(server, come, clock):
    ann, ada, uuid = meet(come, server, server)
    writes(ada, uuid)
    clock.passes(WARN)
    left = next_frame(ann, "idle")
    assert CLOSE - WARN - 5 < left["payload"]["seconds"] <= CLOSE - WARN
    assert left["conversation"]
    clock.passes(CLOSE - WARN)
    ends(ann, ada)
    events = next_frame(ann, "event", payload_what="ended")["payload"]
    assert events["reason"] == "idle"


def test_whoever_answers_goes_on(server, come, clock):
    ann, ada, uuid = meet(come, server, server)
    writes(ada, uuid)
    clock.passes(WARN)
    next_frame(ann, "idle")
    ann.say("message_text", {"message": "I am trying"})
    next_frame(ann, "message_text_success")
    clock.passes(10 * CLOSE)  # it is the waiter who is silent
    writes(ada, uuid)
    clock.passes(WARN)
    next_frame(ann, "idle")
    while (frame := ada.receive_all()) and frame:
        assert all(one["type"] != "disconnected" for one in frame)


def test_a_waiter_who_has_not_written_yet_ends_nothing(server, come, clock):
    ann, ada, uuid = meet(come, server, server)
    ann.say("message_text", {"message": "Hello?"})
    next_frame(ada, "message_text")
    clock.passes(10 * CLOSE)
    writes(ada, uuid)
    clock.passes(WARN)
    next_frame(ann, "idle")


def test_over_workers_and_on_either_side(env, come, clock):
    with RedisServer() as redis:
        env["CSAPP_REDIS_URL"] = redis.url
        with LiveServer.gunicorn(GUNICORN, env) as one, LiveServer.gunicorn(GUNICORN, env) as other:
            ann, ada, uuid = meet(come, one, other)
            writes(ada, uuid)
            next_frame(ann, "message_text")
            clock.passes(WARN)
            next_frame(ann, "idle")
            clock.passes(CLOSE - WARN)
            ends(ann, ada)


def test_after_a_restart_the_silence_begins_anew(env, come, clock):
    port = None
    with LiveServer.gunicorn(GUNICORN, env) as server:
        ann, ada, uuid = meet(come, server, server)
        writes(ada, uuid)
        port = server.port
    clock.passes(2 * CLOSE)
    with LiveServer.gunicorn(GUNICORN, env, port=port) as server:
        ann, ada = come(server, "user", "ann"), come(server, "waiter", "ada")
        assert next_frame(ann, "connect_success")["payload"]["resumed"]
        clock.passes(WARN)
        next_frame(ann, "idle")
        clock.passes(CLOSE - WARN)
        ends(ann, ada)


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"CSAPP_IDLE_WARN": "60"}, "CSAPP_IDLE_WARN"),
        ({"CSAPP_IDLE_WARN": "60", "CSAPP_IDLE_CLOSE": "60"}, "CSAPP_IDLE_WARN"),
        ({"CSAPP_IDLE_CLOSE": "60", "CSAPP_DATABASE_URL": "off"}, "CSAPP_IDLE_CLOSE"),
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, Any], key: str) -> None:
    with pytest.raises(SettingsError, match=key):
        Settings.load({**given, "CSAPP_SECRET_KEY": "a key of enough letters for this test"})
