"""After all that: a worker holds what it held before."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import struct

from testkit import Client, LiveServer, assert_receives
from testkit.proxy import TO_SERVER, FaultProxy

from ..raw import BINARY, CLOSE, PING, Raw, frame, request
from .bystanders import Bystanders
from .conftest import assert_back, figures, figures_at_rest, joining, meet, running
from .planted import PLANTED

USER = "/v1/ws/user/connect"
MIB = 1024 * 1024

ROUNDS = 7  # of one churn, of about thirty connections each
GROWTH = 10 * MIB  # that two more churns may add to the memory after the first


# ---- visits: all the ways to come and to go ---------------------------------


def refused(server: LiveServer, proxy: FaultProxy) -> None:
    for changed in ({"Sec_WebSocket_Key": None}, {"Origin": "https://evil.example"}):
        with Raw(server) as raw:
            raw.send(request(USER, **changed))
            assert " 40" in raw.head()


def hangs_up_while_asking(server: LiveServer, proxy: FaultProxy) -> None:
    with Raw(server) as raw:
        raw.send(request(USER)[:-2])


def hangs_up_unheard(server: LiveServer, proxy: FaultProxy) -> None:
    with Raw(server) as raw:
        raw.send(request(USER) + frame(b"{}") * 10)


def breaks_the_rules(server: LiveServer, proxy: FaultProxy) -> None:
    for attack in (
        frame(b"x", rsv=4),
        frame(b"\xff"),
        frame(b"x", BINARY),
        frame(b"", length=MIB),
        frame(b"", PING) * 300,
        frame(b"x", fin=False) + frame(b"", 0, fin=False) * 1100,
        frame(b"garbage") * 10,
        frame(b'{"type":"auth","payload":{"token":"x"}}') * 3,
    ):
        with Raw.open(server, USER) as raw:
            raw.send(attack)
            assert raw.close_code() not in (1005, 1006)


def resets_inside_a_message(server: LiveServer, proxy: FaultProxy) -> None:
    with Raw.open(server, USER) as raw:
        raw.send(frame(b"x" * 20_000, fin=False) + frame(b"", 0, length=20_000) + b"x" * 10_000)
        raw.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def leaves(server: LiveServer, proxy: FaultProxy) -> None:
    with Raw.open(server, USER) as raw:
        raw.send(frame(b"\x03\xe8bye", CLOSE))
        assert raw.close_code() == 1000


def drops_out_of_the_line(server: LiveServer, proxy: FaultProxy) -> None:
    user = Client.user(server, next(NAMES))
    user.say("connect")
    assert_receives(user, "connect_queue")
    user.drop()


def chats_on_a_bad_line(server: LiveServer, proxy: FaultProxy) -> None:
    """The line is cut somewhere in the middle of what is said."""
    with joining(server) as join:
        user, waiter = meet(Client.user(proxy, next(NAMES)), join("waiter"))
        proxy.cut_after(next(CUTS))
        for _ in range(4):
            waiter.text("x" * 500, to=user.uuid)
        assert user.closed() == 1006
        proxy.heal()


def stops_reading(server: LiveServer, proxy: FaultProxy) -> None:
    with Raw.open(server, USER, receive_buffer=4096) as raw:
        auth = {"type": "auth", "payload": {"token": server.token("user", next(NAMES))}}
        raw.send(frame(json.dumps(auth).encode()))
        unanswerable = {"type": "message_text", "id": "x" * 64, "payload": {"message": "x"}}
        with contextlib.suppress(ConnectionError):
            raw.send(frame(json.dumps(unanswerable).encode()) * 20_000)
        server.wait_for_line("code=4413")


def is_swallowed(server: LiveServer, proxy: FaultProxy) -> None:
    clients = [Client.user(proxy, next(NAMES)) for _ in range(3)]
    proxy.black_hole()
    for client in clients:
        client.drop()
    proxy.reset(TO_SERVER)
    proxy.heal()


def runs_into_a_bug(server: LiveServer, proxy: FaultProxy) -> None:
    with joining(server) as join:
        user, waiter = meet(join("user"), join("waiter"))
        user.text(PLANTED)
        assert user.closed() == 1011
        waiter.leave()


def logs_in_again_and_again(server: LiveServer, proxy: FaultProxy) -> None:
    with joining(server) as join:
        name = next(NAMES)
        logins = [join("waiter", name) for _ in range(4)]
        for older in logins[:-1]:
            assert older.closed() == 4409


NAMES = map("visitor-{}".format, itertools.count())
CUTS = itertools.cycle((1, 130, 600, 700, 1500))
WAYS = (
    refused,
    hangs_up_while_asking,
    hangs_up_unheard,
    breaks_the_rules,
    resets_inside_a_message,
    leaves,
    drops_out_of_the_line,
    chats_on_a_bad_line,
    is_swallowed,
    runs_into_a_bug,
    logs_in_again_and_again,
)


def churn(server: LiveServer) -> None:
    """Every kind of visit, some two hundred connections in all."""
    with FaultProxy(server) as proxy, Bystanders(server):
        for visit in (*WAYS * ROUNDS, stops_reading):
            visit(server, proxy)


def test_a_worker_holds_no_more_after_the_attacks_than_before():
    limits = {"CSAPP_OUTBOX_BYTES": "65536", "CSAPP_OUTBOX_SECONDS": "1"}
    with running(**limits) as server:
        before = figures_at_rest(server)
        churn(server)
        warm = assert_back(server, before)
        churn(server)
        churn(server)
        after = assert_back(server, before)
        assert after["memory"] - warm["memory"] < GROWTH


def test_a_connection_is_freed_without_the_garbage_collector():
    """Where a token is refused, the library's own exceptions still need it."""
    limits = {"CSAPP_OUTBOX_BYTES": "65536", "CSAPP_OUTBOX_SECONDS": "1"}
    ways = (
        hangs_up_unheard,
        resets_inside_a_message,
        leaves,
        drops_out_of_the_line,
        is_swallowed,
        stops_reading,
    )
    with running(**limits) as server:
        figures_at_rest(server)
        server.get("/debug/uncollected")
        with FaultProxy(server) as proxy:
            for visit in ways:
                visit(server, proxy)
                assert figures(server, connections=0)["connections"] == 0, visit.__name__
        assert figures(server, participants=0)["participants"] == 0
