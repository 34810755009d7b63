"""Rows 20, 23, 24, 26 and 36: lines and machines that fail slowly."""

from __future__ import annotations

import os
import resource
import select
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from testkit import Client, LiveServer, assert_receives
from testkit.client import Closed, assert_quiet
from testkit.proxy import BOTH, TO_CLIENT, TO_SERVER, FaultProxy
from testkit.server import PATIENCE

from ..clocked import let_pass
from ..raw import PING, Raw, frame, request
from .bystanders import Bystanders
from .conftest import (
    Join,
    Scenario,
    assert_back,
    clog,
    figures_at_rest,
    flood,
    joining,
    meanwhile,
    meet,
    row,
    running,
    stopped,
)

USER = "/v1/ws/user/connect"
AUTH_TIMEOUT, HEARTBEAT, OUTBOX_SECONDS, GRACE = 60, 2, 2, 1  # s


@pytest.fixture(scope="module")
def impatient() -> Iterator[LiveServer]:
    """A server that waits for nothing longer than it must."""
    settings = {
        "CSAPP_HEARTBEAT": str(HEARTBEAT),
        "CSAPP_OUTBOX_SECONDS": str(OUTBOX_SECONDS),
        "CSAPP_GRACE": str(GRACE),
    }
    with running(**settings) as server:
        yield server


@pytest.fixture
def come(impatient: LiveServer) -> Iterator[Join]:
    """Opens clients on the impatient server, beside bystanders."""
    with Bystanders(impatient), joining(impatient) as join:
        yield join


# ---- row 20: nobody --------------------------------------------------------


#: what they do instead
INSTEAD = {
    "nothing": b"",
    "ask for everything else": frame(b'{"type":"connect"}') * 50,
    "ping": frame(b"", PING) * 50,
    "show two bad tokens": frame(b'{"type":"auth","payload":{"token":"x"}}') * 2,
    "send half a frame": frame(b'{"type":"auth"', length=1000),
}


def test_row20_who_never_authenticates_is_sent_away():
    settings = {"CSAPP_AUTH_TIMEOUT": str(AUTH_TIMEOUT), "CSAPP_HEARTBEAT": "3600"}
    with running(**settings) as server, Bystanders(server):
        nobodies = [Raw.open(server, USER) for _ in INSTEAD]
        for nobody, instead in zip(nobodies, INSTEAD.values(), strict=True):
            nobody.send(instead)
        let_pass(server, AUTH_TIMEOUT)
        codes = [nobody.close_code() for nobody in nobodies]
        assert dict(zip(INSTEAD, codes, strict=True)) == dict.fromkeys(INSTEAD, 4408)
        for nobody in nobodies:
            nobody.assert_ends()
            nobody.sock.close()


# ---- row 23: half-open -----------------------------------------------------


def test_row23_whose_connection_is_half_open_is_gone_after_a_heartbeat(impatient, come):
    """Nothing arrives any more, in one direction or in both, and nothing ends."""
    with ExitStack() as stack:
        lines = [stack.enter_context(FaultProxy(impatient)) for _ in range(4)]
        lost, left = [], []
        for number, proxy in enumerate(lines[:3]):
            pair = meet(Client.user(proxy, f"half-open-{number}"), come("waiter"))
            lost.append(pair[0])
            left.append(pair[1])
        user, served_by = meet(come("user"), Client.waiter(lines[3], "half-open-3"))
        lost.append(served_by)
        left.append(user)
        pool = stack.enter_context(ThreadPoolExecutor(4))  # all go on answering their pings
        for proxy, ways in zip(lines, (BOTH, TO_SERVER, TO_CLIENT, BOTH), strict=True):
            proxy.black_hole(ways)
        told = list(
            pool.map(
                lambda one, gone: assert_receives(one, "disconnected", from_=gone.uuid), left, lost
            )
        )
        assert len(told) == 4
        impatient.wait_for_line("code=4408 by=server .* received=[23] ", count=4)
        frames = user.receive_all()  # it was queued again, and the others' waiters are free
        assert frames[-1]["type"] == "connect_success"
        assert frames[-1]["payload"]["uuid"] in [waiter.uuid for waiter in left[:3]]
        for client in lost:
            client.drop()


# ---- row 24: a reader that stops -------------------------------------------


@pytest.mark.parametrize(
    "bound", [row(24, "within-10-s", "time"), row(24, "within-1-MiB", "bytes")]
)
def test_a_reader_that_stops_is_closed_and_its_stream_is_intact(impatient, come, bound):
    slow_before = impatient.log.count("code=4413")

    def closed() -> bool:
        return impatient.log.count("code=4413") > slow_before

    with FaultProxy(impatient) as proxy:
        user, waiter = meet(Client.user(proxy, f"stops-{bound}"), come("waiter"))
        proxy.throttle(0, TO_CLIENT)
        said = clog(waiter, user) if bound == "time" else flood(waiter, user, closed)
        impatient.wait_for_line("disconnect role=user code=4413 by=server", slow_before + 1)
        while (frame_ := waiter.receive())["type"] == "error":
            assert "away" in frame_["payload"]["message"], "more than is kept for it"
        assert (frame_["type"], frame_["from"]) == ("disconnected", user.uuid)
        proxy.heal()
        heard, code = read_on(user)
        assert code == 4413
        assert heard == said[: len(heard)]
        assert 0 < len(heard) < len(said)


def read_on(client: Client) -> tuple[list[str], int]:
    """The texts that still come, and the code that the connection is closed with."""
    texts: list[str] = []
    try:
        while True:
            texts.append(client.receive()["payload"]["message"])
    except Closed as closed:
        return texts, closed.code


# ---- row 26: the loop stalls -----------------------------------------------

STALL = 13.0  # s: longer than a heartbeat (1 s) and its answer (10 s), a grace or a slow reader


Failures = dict[str, BaseException | None]


def stall() -> Failures:
    """One stall for all; what went wrong afterwards."""
    settings = {
        "CSAPP_HEARTBEAT": "1",
        "CSAPP_GRACE": "12",
        "CSAPP_AUTH_TIMEOUT": "2",
        "CSAPP_OUTBOX_SECONDS": "12",
    }
    with (
        running(**settings) as server,
        Bystanders(server),
        FaultProxy(server) as proxy,
        joining(server) as join,
    ):
        away, its_waiter = meet(join("user", "away"), join("waiter"))
        reader, talker = meet(Client.user(proxy, "reader"), join("waiter"))
        idle = [join("user") for _ in range(30)]
        pings = [(client, ping(client)) for client in idle]  # not answered
        proxy.throttle(0, TO_CLIENT)
        said = clog(talker, reader)
        away.drop()
        server.wait_for_line("disconnect role=user code=1006")
        with stopped(server):
            answer(pings[::2])
            proxy.heal()
            threading.Event().wait(STALL)
        with Raw.open(server, USER) as nobody:
            assert nobody.close_code() == 4408, "time goes on: two seconds later"
        answer(pings[1::2])
        return {
            "idle": failure(lambda: [assert_quiet(client) for client in idle]),
            "away": failure(lambda: assert_still_waited_for(away, its_waiter)),
            "reader": failure(lambda: assert_hears(reader, said, talker)),
        }


def ping(client: Client) -> bytes:
    """Wait for the server's ping; its payload."""
    frame = client.ws.recv_frame()
    assert frame.opcode == PING
    return bytes(frame.data)


def answer(pings: list[tuple[Client, bytes]]) -> None:
    for client, payload in pings:
        client.ws.pong(payload)


def failure(check: Callable[[], object]) -> BaseException | None:
    """What *check* raises."""
    try:
        check()
    except Exception as error:
        return error
    return None


def assert_still_waited_for(away: Client, waiter: Client) -> None:
    """A stall is no grace period."""
    with Client.user(waiter.server, "away") as back:
        assert_receives(back, "initialize", to=away.uuid)
        waiter.text("there you are", to=away.uuid)
        assert_receives(back, "message_text", message="there you are")
        assert_quiet(waiter)


def assert_hears(reader: Client, said: list[str], talker: Client) -> None:
    """What it could not take because the server stood still is not held against a reader."""
    for text in said:
        assert_receives(reader, "message_text", message=text)
    talker.text("the last", to=reader.uuid)
    assert_receives(reader, "message_text", message="the last")
    reader.leave()


@pytest.fixture(scope="module", autouse=True)
def stalled(request: pytest.FixtureRequest) -> Iterator[Scenario]:
    with meanwhile(request, "row26", stall) as stalled:
        yield stalled


# ---- row 36: no descriptors left -------------------------------------------


def test_row36_without_descriptors_conversations_live_on_and_accepting_resumes():
    with running() as server:
        before = figures_at_rest(server)
        with Bystanders(server), joining(server) as join:
            user, waiter = meet(join("user"), join("waiter"))
            leave_descriptors(server, 20)
            crowd = [Raw(server) for _ in range(60)]
            for raw in crowd:
                raw.send(request(USER))
            server.wait_for_line("Too many open files")
            user.text("still here")
            assert_receives(waiter, "message_text", message="still here")
            assert {outcome(raw) for raw in each_in_its_turn(crowd)} <= {"let in", "hung up on"}
            with Client.user(server, "comes-later") as later:
                later.say("connect")
                assert_receives(later, "connect_queue")
        assert_back(server, before)


def leave_descriptors(server: LiveServer, count: int) -> None:
    """Let the worker open so many more."""
    worker = server.worker_pid
    _, hard = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    most = len(os.listdir(f"/proc/{worker}/fd")) + count
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (most, hard))


def each_in_its_turn(crowd: list[Raw]) -> Iterator[Raw]:
    """As each is answered it is yielded, then closed, which makes room for another."""
    left = {raw.sock: raw for raw in crowd}
    while left:
        answered, _, _ = select.select(left, [], [], PATIENCE)
        assert answered, f"{len(left)} are never answered"
        for sock in answered:
            with left.pop(sock) as raw:
                yield raw


def outcome(raw: Raw) -> str:
    try:
        return "let in" if raw.head().startswith("HTTP/1.1 101 ") else "refused"
    except EOFError:
        return "hung up on"


# ---- row 26, which has waited meanwhile -------------------------------------


@pytest.mark.parametrize(
    "who",
    [
        row(26, "who-could-not-answer-a-ping", "idle"),
        row(26, "who-is-waited-for", "away"),
        row(26, "who-could-not-read-on", "reader"),
    ],
)
def test_a_stalled_loop_kicks_nobody(stalled, who):
    failed = stalled()[who]
    if failed:
        raise failed
