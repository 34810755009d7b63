"""Rows 27, 32 and 35: everybody comes back, the server goes, and the clock jumps."""

from __future__ import annotations

import json
import re
import signal
import sys
from collections.abc import Iterator

import pytest

from testkit import Client, LiveServer, assert_receives
from testkit.client import Closed, assert_quiet
from testkit.proxy import TO_CLIENT, FaultProxy
from testkit.server import ROOT

from ..raw import CLOSE, PING, PONG, TEXT, Raw, frame, request
from .bystanders import Bystanders
from .conftest import (
    SETTINGS,
    Scenario,
    clog,
    joining,
    meanwhile,
    meet,
    row,
    running,
)

DOORS = {"user": "/v1/ws/user/connect", "waiter": "/v1/ws/waiter/connect"}

# ---- row 27: all come back at once -----------------------------------------

USERS, WAITERS, SEATS = 300, 30, 10


class Crowd:
    """Users and waiters, all in chats, of whom each says everything it has to say at once."""

    def __init__(self, server: LiveServer) -> None:
        self._tokens = [("waiter", server.token("waiter", f"waiter-{n}")) for n in range(WAITERS)]
        self._tokens += [("user", server.token("user", f"user-{n}")) for n in range(USERS)]
        self._raws: list[Raw] = []

    def come(self, server: LiveServer) -> None:
        """Everybody opens a line, shows its token and asks, without waiting for anything."""
        self._raws = [Raw(server) for _ in self._tokens]
        for raw, (role, token) in zip(self._raws, self._tokens, strict=True):
            asks = {"user": b'{"type":"connect"}', "waiter": b'{"type":"ready"}'}[role]
            auth = json.dumps({"type": "auth", "payload": {"token": token}}).encode()
            raw.send(request(DOORS[role]) + frame(auth) + frame(asks))

    def assert_all_in_chats(self) -> set[tuple[str, str]]:
        """Each user has a waiter and each waiter its users: who talks to whom."""
        pairs = set()
        for raw, (role, _) in zip(self._raws, self._tokens, strict=True):
            assert raw.head().startswith("HTTP/1.1 101 ")
            mine = ""
            partners: set[str] = set()
            while len(partners) < (1 if role == "user" else SEATS):
                opcode, payload = raw.receive()
                assert opcode == TEXT
                heard = json.loads(payload)
                if heard["type"] == "initialize":
                    mine = heard["to"]
                elif heard["type"] in ("connect_success", "new_connection"):
                    partners.add(heard["payload"]["uuid"])
                else:
                    assert heard["type"] == "connect_queue"
            if role == "user":
                pairs |= {(mine, partner) for partner in partners}
        assert len(pairs) == len({user for user, _ in pairs}) == USERS
        return pairs

    def leave(self) -> None:
        """All go on purpose."""
        for raw in self._raws:
            raw.send(frame(b"\x03\xe8", CLOSE))
        self.assert_closed(1000)

    def assert_closed(self, code: int) -> None:
        """Everybody's connection has ended with *code*."""
        for raw in self._raws:
            assert raw.close_code() == code
            raw.sock.close()


@pytest.fixture(scope="module")
def busy() -> Iterator[LiveServer]:
    with running(CSAPP_MAX_USERS_PER_WAITER=str(SEATS), CSAPP_GRACE="60") as server:
        yield server


def test_row27_after_a_failure_of_the_network_all_come_back_to_their_conversations(busy):
    with Bystanders(busy, SEATS), FaultProxy(busy) as proxy:
        crowd = Crowd(busy)
        crowd.come(proxy)
        before = crowd.assert_all_in_chats()
        assert proxy.reset() == USERS + WAITERS
        crowd.assert_closed(1006)
        crowd.come(proxy)
        assert crowd.assert_all_in_chats() == before, "everybody in the chat it had"
        assert_busy(busy)
        crowd.leave()


def test_row27_after_a_reload_all_come_back(busy):
    exits = busy.log.count("Worker exiting")
    crowd = Crowd(busy)
    crowd.come(busy)
    crowd.assert_all_in_chats()
    busy.signal(signal.SIGHUP)
    crowd.assert_closed(1012)
    busy.wait_for_line("Worker exiting", exits + 1)  # those who knock earlier are told 503
    crowd.come(busy)
    crowd.assert_all_in_chats()
    with Bystanders(busy, SEATS):
        assert_busy(busy)
    crowd.leave()


def assert_busy(server: LiveServer) -> None:
    """The crowd and the bystanders are there, and nobody else."""
    status = json.loads(server.get("/v1/status"))
    assert status["connections"] == USERS + WAITERS + SEATS + 1
    assert status["users_served"] == USERS + SEATS
    assert status["queue_length"] == 0


# ---- row 32: the server goes -----------------------------------------------


def terminate(server: LiveServer) -> None:
    server.signal(signal.SIGTERM)


def reload(server: LiveServer) -> None:
    server.signal(signal.SIGHUP)


def use_up(server: LiveServer) -> None:
    """Ask until the worker has had its number of requests."""
    had = server.log.count("Autorestarting worker")
    while server.log.count("Autorestarting worker") == had:
        server.get("/healthz")


@pytest.fixture
def going() -> Iterator[LiveServer]:
    """A server that is made to go."""
    args = ("--max-requests", "200")
    with LiveServer.gunicorn("tests.faults.inspected:app", SETTINGS, args) as server:
        yield server
        assert "graceful timeout" not in server.log
        assert "Traceback" not in server.log


@pytest.mark.parametrize(
    "go",
    [
        row(32, "max-requests", use_up),
        row(32, "reload", reload),
        row(32, "sigterm", terminate),
    ],
)
def test_what_was_accepted_arrives_and_everybody_is_told(going, go):
    exits = going.log.count("Worker exiting")
    with FaultProxy(going) as proxy, joining(going) as join:
        talker, reads_late = meet(join("user"), Client.waiter(proxy, f"reads-late-{go.__name__}"))
        user, waiter = meet(join("user"), join("waiter"))
        idle, nobody = join("user"), Client(going, "waiter")
        proxy.throttle(0, TO_CLIENT)
        said = clog(talker, reads_late)
        user.text("the last")
        assert_quiet(talker)  # all of it is accepted, and nothing refused
        assert_quiet(user)
        go(going)
        assert_receives(waiter, "message_text", message="the last")
        ends = [goodbye(client) for client in (talker, user, waiter, idle, nobody)]
        proxy.heal()
        for text in said:
            assert_receives(reads_late, "message_text", message=text)
        ends.append(goodbye(reads_late))
    assert all(re.search(r"retry_after=\d+\.\d$", end.reason) for end in ends)
    if go is terminate:
        assert going.wait() == 0
    else:
        going.wait_for_line("Worker exiting", exits + 1)
        with Bystanders(going):
            pass


def goodbye(client: Client) -> Closed:
    """The next thing that happens is that the server goes."""
    with pytest.raises(Closed) as closed:
        client.receive()
    assert closed.value.code == 1012
    return closed.value


def readers_have_stopped() -> None:
    """One has stopped, one is swallowed, one does not answer, one has not finished asking."""
    settings = {**SETTINGS, "CSAPP_OUTBOX_SECONDS": "1"}
    server = LiveServer.gunicorn("tests.faults.inspected:app", settings)
    with FaultProxy(server) as slow, FaultProxy(server) as hole, joining(server) as join:
        user, waiter = meet(Client.user(slow, "stops"), join("waiter"))
        swallowed = Client.user(hole, "is-swallowed")
        with Raw.open(server, DOORS["user"]) as stays, Raw(server) as half:
            half.send(request(DOORS["user"])[:-2])
            slow.throttle(0, TO_CLIENT)
            hole.black_hole()
            for number in range(80):
                waiter.text(f"{number} {'€' * 4000}", to=user.uuid)
            assert_quiet(waiter)
            server.signal(signal.SIGTERM)
            goodbye(waiter)
            assert stays.close_code() == 1012  # and neither answers nor hangs up
            assert server.wait() == 0
            swallowed.drop()
            user.drop()
    assert "Traceback" not in server.log
    assert "graceful timeout" not in server.log


@pytest.fixture(scope="module", autouse=True)
def readers(request: pytest.FixtureRequest) -> Iterator[Scenario]:
    with meanwhile(request, "row32", readers_have_stopped) as readers:
        yield readers


def test_row32_readers_who_have_stopped_do_not_keep_the_server(readers):
    readers()


# ---- row 35: the wall clock jumps ------------------------------------------

HOUR = 3600


@pytest.fixture(scope="module")
def clock() -> Iterator[LiveServer]:
    """A server whose wall clock can be set."""
    command = [sys.executable, "-m", "tests.faults.clock", "-c", str(ROOT / "gunicorn.conf.py")]
    command += ["-b", "127.0.0.1:{port}", "tests.faults.inspected:app"]
    settings = {"CSAPP_AUTH_TIMEOUT": "30", "CSAPP_GRACE": "30", "CSAPP_HEARTBEAT": "2"}
    settings |= {"CSAPP_MESSAGE_RATE": "1000", "CSAPP_MESSAGE_BURST": "1000"}
    with LiveServer(command, {**SETTINGS, **settings}) as server:
        yield server


@pytest.mark.parametrize("jump", [row(35, "an-hour-on", HOUR), row(35, "an-hour-back", -HOUR)])
def test_a_clock_that_jumps_changes_nothing(clock, jump):
    tokens = {role: clock.token(role, f"{role}-{jump}", lifetime=2 * HOUR) for role in DOORS}
    away_token = clock.token("user", f"away-{jump}", lifetime=2 * HOUR)
    visitor = json.loads(clock.post("/v1/visitor/token"))["token"]
    now = float(clock.get("/debug/clock/0"))
    with Bystanders(clock), joining(clock) as join:
        user, waiter = meet(join("user"), join("waiter"))
        away, nobody, queued = join("user", f"away-{jump}"), Client(clock, "user"), join("user")
        assert_receives(queued, "connect_queue", reply_id=queued.say("connect"))
        away.drop()
        clock.wait_for_line("disconnect role=user code=1006")
        assert float(clock.get(f"/debug/clock/{jump}")) == pytest.approx(now + jump, abs=60)
        user.text("what time is it?")
        assert_receives(waiter, "message_text", message="what time is it?")
        waiter.text("who knows", to=user.uuid)
        assert_receives(user, "message_text", message="who knows")
        assert_ping(queued)
        user.ws.ping("still there?")
        while user.ws.recv_frame().opcode != PONG:
            pass  # the server's own
        nobody.auth(visitor)
        assert_receives(nobody, "connect_queue", location=1, reply_id=nobody.say("connect"))
        for role, token in tokens.items():
            with Client(clock, role) as bearer:
                bearer.auth(token)
                assert_quiet(bearer)
                assert_receives(bearer, "error", reply_id=bearer.text("known", to="nobody"))
        with Client(clock, "user") as back:
            back.auth(away_token)
            assert_receives(back, "initialize", to=away.uuid)
        assert 0 <= json.loads(clock.get("/v1/status"))["longest_wait"] < 60
        for client in (user, waiter, queued, nobody):
            assert_quiet(client)
        clock.get("/debug/clock/0")


def assert_ping(client: Client) -> None:
    """The heartbeat goes on."""
    frame = client.ws.recv_frame()
    assert frame.opcode == PING
    client.ws.pong(frame.data)
