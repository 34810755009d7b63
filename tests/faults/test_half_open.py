"""What was written into a connection that was dead follows on return."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from testkit import Client, LiveServer, assert_receives
from testkit.client import assert_quiet
from testkit.proxy import BOTH, FaultProxy
from testkit.server import PATIENCE

from ..clocked import let_pass
from ..probe import until
from .conftest import meet, running

#: s: nobody is taken for gone unless a test says so
LONG = {"CSAPP_HEARTBEAT": "3600", "CSAPP_GRACE": "3600"}

TEXTS = [f"text {number}" for number in range(20)]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveServer, Path]]:
    """A server with a history, and where that is."""
    database = tmp_path_factory.mktemp("history") / "csapp.db"
    with running(**LONG, CSAPP_DATABASE_URL=f"sqlite:///{database}") as server:
        yield server, database


@pytest.fixture(scope="module")
def off() -> Iterator[LiveServer]:
    """A server that keeps nothing."""
    with running(**LONG, CSAPP_DATABASE_URL="off") as server:
        yield server


def say_all(waiter: Client, user: str) -> None:
    """The twenty texts, and the server has them."""
    for text in TEXTS:
        waiter.text(text, to=user)
    assert_quiet(waiter)


def figure(server: LiveServer, name: str) -> int:
    """A figure of `/metrics`."""
    rows = [row.split() for row in server.get("/metrics").splitlines()]
    return int(float(next(row[1] for row in rows if row[0] == f"csapp_{name}")))


def waiting(server: LiveServer) -> int:
    """Texts that wait for their commit."""
    return figure(server, "history_waiting")


def test_a_text_of_its_own_waits_for_a_commit_when_the_connection_is_reset(kept):
    server, database = kept
    with FaultProxy(server) as proxy, Client.waiter(server, "wim-1") as waiter:
        user, _ = meet(Client.user(proxy, "ann-1"), waiter)
        waiter.text("nothing is left to be stored", to=user.uuid)
        assert_receives(user, "message_text", message="nothing is left to be stored")
        with closing(sqlite3.connect(database, isolation_level=None)) as lock:
            lock.execute("BEGIN IMMEDIATE")
            received = figure(server, "messages_received_total")
            waiter.text("a commit is under way", to=user.uuid)
            until(lambda: figure(server, "messages_received_total") > received)
            until(lambda: waiting(server) == 0)
            user.text("my own")
            until(lambda: waiting(server) == 1)
            proxy.reset()
            for text in TEXTS:
                waiter.text(text, to=user.uuid)
            until(lambda: waiting(server) == 1 + len(TEXTS))
            lock.execute("ROLLBACK")
        assert_receives(waiter, "message_text", message="my own")
        server.wait_for_line("disconnect role=user code=1006")
        with Client.user(server, "ann-1") as back:
            assert_receives(back, "initialize")
            frames = back.receive_all()
            said = [one["payload"]["message"] for one in frames if one["type"] == "message_text"]
            assert said[-len(TEXTS) :] == TEXTS
            assert said[: -len(TEXTS)] in ([], ["a commit is under way"])


@pytest.mark.parametrize("history", ["kept", "off"])
def test_half_open_version_1_returns_and_hears_all(request, history):
    found = request.getfixturevalue(history)
    server: LiveServer = found if history == "off" else found[0]
    with FaultProxy(server) as proxy, Client.waiter(server, "wim-2") as waiter:
        user, _ = meet(Client.user(proxy, "ann-2"), waiter)
        proxy.black_hole(BOTH)
        say_all(waiter, user.uuid)
        with Client.user(server, "ann-2") as back:
            assert_receives(back, "initialize")
            say = "live, while the old connection is asked"
            waiter.text(say, to=user.uuid)
            assert_quiet(waiter)
            let_pass(server, 2)
            for text in TEXTS:
                assert_receives(back, "message_text", message=text)
            assert_receives(back, "message_text", message=say)
            assert_quiet(back)
        user.drop()


def test_half_open_after_a_return_in_peace_version_1_hears_all(off):
    """Nobody has told the second connection anything of the chat, which goes on."""
    with FaultProxy(off) as proxy, Client.waiter(off, "wim-peace") as waiter:
        user, _ = meet(Client.user(off, "ann-peace"), waiter)
        before = figure(off, 'connections{role="user"}')
        user.drop()
        until(lambda: figure(off, 'connections{role="user"}') < before)
        second = Client.user(proxy, "ann-peace")
        assert_receives(second, "initialize")
        proxy.black_hole(BOTH)
        say_all(waiter, user.uuid)
        with Client.user(off, "ann-peace") as back:
            assert_receives(back, "initialize")
            let_pass(off, 2)
            for text in TEXTS:
                assert_receives(back, "message_text", message=text)
            assert_quiet(back)
        second.drop()


@pytest.mark.parametrize("history", ["kept", "off"])
@pytest.mark.parametrize("early", [True, False], ids=["before-it-is-told", "afterwards"])
def test_half_open_version_1_returns_into_another_dead_connection(request, history, early):
    """The second connection dies, too, and the third is told all, once and in order."""
    found = request.getfixturevalue(history)
    server: LiveServer = found if history == "off" else found[0]
    subject = f"ann-{history}-{early}"
    with (
        FaultProxy(server) as proxy,
        FaultProxy(server) as other,
        Client.waiter(server, f"wim-{subject}") as waiter,
    ):
        user, _ = meet(Client.user(proxy, subject), waiter)
        proxy.black_hole(BOTH)
        say_all(waiter, user.uuid)
        second = Client.user(other, subject)
        assert_receives(second, "initialize")
        other.black_hole(BOTH)
        if not early:
            let_pass(server, 2)
        waiter.text("to two dead lines", to=user.uuid)
        assert_quiet(waiter)
        with Client.user(server, subject) as back:
            assert_receives(back, "initialize")
            waiter.text("live", to=user.uuid)
            assert_quiet(waiter)
            let_pass(server, 4)
            for text in [*TEXTS, "to two dead lines", "live"]:
                assert_receives(back, "message_text", message=text)
            assert_quiet(back)
        for one in (user, second):
            one.drop()


def test_two_windows_of_version_1_are_told_nothing_twice(kept):
    server, _ = kept
    with Client.waiter(server, "wim-4") as waiter, ThreadPoolExecutor(1) as pool:
        user, _ = meet(Client.user(server, "ann-4"), waiter)
        waiter.text("one", to=user.uuid)
        assert_receives(user, "message_text", message="one")
        first = pool.submit(user.receive)  # … and answers pings meanwhile
        with Client.user(server, "ann-4") as window:
            assert_receives(window, "initialize")
            waiter.text("two", to=user.uuid)
            assert_receives(window, "message_text", message="two")
            assert first.result(PATIENCE)["payload"] == {"message": "two"}
        user.leave()


def test_half_open_version_2_without_a_history_says_what_it_has_seen(off):
    def come(door: LiveServer, **more: object) -> Client:
        client = Client(door, "user")
        payload = {"token": off.token("user", "ann-5"), "version": 2, **more}
        client.send(json.dumps({"type": "auth", "payload": payload}))
        while client.receive()["type"] != "auth_success":
            pass
        return client

    with FaultProxy(off) as proxy, Client.waiter(off, "wim-5") as waiter:
        waiter.ready()
        user = come(proxy)
        user.say("connect")
        entered = assert_receives(user, "connect_success")["payload"]["conversation"]
        assert_receives(waiter, "new_connection", uuid=user.uuid)
        assert_receives(user, "message_history")
        assert_receives(user, "event", what="joined")
        waiter.text("seen", to=user.uuid)
        assert assert_receives(user, "message_text", message="seen")["seq"] == 2
        proxy.black_hole(BOTH)
        say_all(waiter, user.uuid)
        back = come(off, resume={entered: 2})
        assert assert_receives(back, "connect_success")["payload"]["last_seq"] == 2
        assert_receives(back, "message_history")
        for number, text in enumerate(TEXTS, 3):
            assert assert_receives(back, "message_text", message=text)["seq"] == number
        waiter.text("live", to=user.uuid)
        assert assert_receives(back, "message_text", message="live")["seq"] == len(TEXTS) + 3
        back.leave()
        user.drop()
