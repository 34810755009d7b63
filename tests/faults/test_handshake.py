"""Rows 8 to 10, 19 and 21: who and what is let in at the door."""

from __future__ import annotations

import contextlib
import itertools
import json
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from testkit import LiveServer, assert_receives
from testkit.client import assert_quiet
from testkit.server import PATIENCE

from ..conftest import trusting
from ..raw import CLOSE, PING, PONG, Raw, frame, request
from .bystanders import Bystanders
from .conftest import SETTINGS, Scenario, meanwhile, meet, row, running

USER = "/v1/ws/user/connect"
WAITER = "/v1/ws/waiter/connect"

# ---- row 8: the request ----------------------------------------------------

REQUESTS = [
    row(8, "no-key", {"Sec_WebSocket_Key": None}, 400),
    row(8, "short-key", {"Sec_WebSocket_Key": "AAAA"}, 400),
    row(8, "unpadded-key", {"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ"}, 400),
    row(8, "key-is-no-base64", {"Sec_WebSocket_Key": "!" * 24}, 400),
    row(8, "endless-key", {"Sec_WebSocket_Key": "A" * 5000}, 400),
    row(8, "no-version", {"Sec_WebSocket_Version": None}, 426),
    row(8, "old-version", {"Sec_WebSocket_Version": "8"}, 426),
    row(8, "two-versions", {"Sec_WebSocket_Version": "13, 8"}, 426),
    row(8, "no-host", {"Host": None}, 400),
    row(8, "empty-host", {"host": ""}, 400),
    row(8, "two-words-for-a-host", {"host": "a b"}, 400),
    row(8, "markup-for-a-host", {"host": "<script>"}, 400),
    row(8, "half-an-address-for-a-host", {"host": "[::1"}, 400),
    row(8, "letters-for-a-port", {"host": "127.0.0.1:http"}, 400),
    row(8, "endless-host", {"host": "x" * 5000}, 400),
    row(8, "extension-header", {"Sec_WebSocket_Extensions": "=;"}, 400),
    row(8, "half-an-extension", {"Sec_WebSocket_Extensions": "permessage-deflate;"}, 400),
    row(8, "no-upgrade", {"Upgrade": None}, 426),
    row(8, "another-upgrade", {"Upgrade": "h2c"}, 426),
    row(8, "no-connection", {"Connection": None}, 400),
    row(8, "another-connection", {"Connection": "close"}, 400),
]


@pytest.mark.usefixtures("bystanders")
@pytest.mark.parametrize(("changed", "status"), REQUESTS)
def test_a_bad_handshake_is_refused(server, changed, status):
    with Raw(server) as raw:
        raw.send(request(USER, **changed))
        head = raw.head()
        assert head.startswith(f"HTTP/1.1 {status} "), head
        assert "websocket-accept" not in head.lower()


# ---- row 9: frames that come together with the handshake -------------------


def auth(token: str) -> bytes:
    return frame(json.dumps({"type": "auth", "payload": {"token": token}}).encode())


def text(message: str) -> bytes:
    return frame(json.dumps({"type": "message_text", "payload": {"message": message}}).encode())


@pytest.mark.parametrize(
    ("texts", "pieces"),
    [
        row(9, "one-text-at-once", 1, "all at once"),
        row(9, "many-texts-at-once", 400, "all at once"),
        row(9, "cut-inside-the-last-frame", 3, "the last byte later"),
        row(9, "byte-by-byte", 3, "byte by byte"),
    ],
)
def test_frames_sent_together_with_the_handshake_are_served(server, join, texts, pieces):
    user, waiter = meet(join("user", "early-bird"), join("waiter"))
    said = [f"{number} {'x' * 300}" for number in range(texts)]
    data = request(USER) + auth(server.token("user", "early-bird")) + b"".join(map(text, said))
    with Raw(server) as tab:  # another tab of the user: it is in the chat once it is known
        tab.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        cuts = {
            "all at once": [data],
            "the last byte later": [data[:-1], data[-1:]],
            "byte by byte": [data[i : i + 1] for i in range(len(data))],
        }
        first, *rest = cuts[pieces]
        tab.send(first)
        if not rest:
            assert tab.head().startswith("HTTP/1.1 101 ")
        for piece in rest:
            tab.send(piece)
        for message in said:
            assert_receives(waiter, "message_text", message=message, from_=user.uuid)
    assert_quiet(user)
    assert_quiet(waiter)


@pytest.mark.usefixtures("bystanders")
@pytest.mark.parametrize(
    ("early", "opcode", "begins"),
    [
        row(9, "ping", frame(b"bird", PING), PONG, b"bird"),
        row(9, "close", frame(b"\x03\xe8", CLOSE), CLOSE, b"\x03\xe8"),
        row(9, "bad-frame", frame(b"\xff"), CLOSE, b"\x03\xef"),
    ],
)
def test_the_rules_hold_for_frames_sent_together_with_the_handshake(server, early, opcode, begins):
    with Raw(server) as raw:
        raw.send(request(USER) + early)
        assert raw.head().startswith("HTTP/1.1 101 ")
        heard = [raw.receive(), raw.receive()]  # `initialize`, and the answer
        answer = next(payload for code, payload in heard if code == opcode)
        assert answer.startswith(begins)


@pytest.mark.usefixtures("bystanders")
def test_row09_frames_behind_a_refused_handshake_are_refused_with_it(server):
    with Raw(server) as raw:
        smuggled = frame(request(USER))
        raw.send(request(USER, Origin="https://evil.example") + auth("x") + smuggled + b"\r\n\r\n")
        assert raw.head().startswith("HTTP/1.1 403 ")
        rest = b""
        while data := raw.sock.recv(65_536):  # until it is hung up on
            rest += data
        assert b" 101 " not in rest


# ---- row 10: slow headers --------------------------------------------------


def slow_headers(server: LiveServer) -> None:
    """Nothing, a word, all but a newline, and a header that goes on and on."""
    beginnings = (b"", b"GET ", request(USER)[:-1], request(USER)[:-2] + b"X-Slow: ")
    with ExitStack() as stack:
        raws = [stack.enter_context(Raw(server)) for _ in beginnings]
        started = time.monotonic()
        for raw, beginning in zip(raws, beginnings, strict=True):
            raw.send(beginning)
        slow, left = raws[-1].sock, {raw.sock for raw in raws}
        while left:
            ended, _, _ = select.select(left, [], [], 0.5)
            for sock in ended:
                assert ends(sock), "nothing is answered"
                left.remove(sock)
            if slow in left:
                with contextlib.suppress(ConnectionError):  # it has just been cut off
                    slow.send(b"x")
            assert time.monotonic() - started < PATIENCE, "5 s, and a busy machine"


@pytest.fixture(scope="module", autouse=True)
def slow(request: pytest.FixtureRequest, server: LiveServer) -> Iterator[Scenario]:
    with meanwhile(request, "row10", lambda: slow_headers(server)) as slow:
        yield slow


@pytest.fixture(scope="module", autouse=True)
def slower(request: pytest.FixtureRequest, certificate: Path) -> Iterator[Scenario]:
    with meanwhile(request, "row10", lambda: slow_tls(certificate)) as slower:
        yield slower


def slow_tls(certificate: Path) -> None:
    """The same before HTTP begins: nothing, and half a greeting; it keeps no server from ending."""
    files = ("--certfile", str(certificate), "--keyfile", str(certificate))
    with (
        LiveServer.gunicorn(env=SETTINGS, args=files, tls=trusting(certificate)) as server,
        Bystanders(server),
        ExitStack() as stack,
    ):
        address = ("127.0.0.1", server.port)
        left = {stack.enter_context(socket.create_connection(address)) for _ in range(2)}
        next(iter(left)).sendall(b"\x16\x03\x01\x02\x00\x01")
        started = time.monotonic()
        while left:
            ended, _, _ = select.select(left, [], [], 0.5)
            assert all(ends(sock) for sock in ended)
            left.difference_update(ended)
            assert time.monotonic() - started < PATIENCE, f"{len(left)} are still there"


def ends(sock: socket.socket) -> bool:
    try:
        return sock.recv(1) == b""
    except ConnectionError:
        return True


# ---- row 19: origins -------------------------------------------------------


@pytest.mark.usefixtures("bystanders")
@pytest.mark.parametrize("door", [USER, WAITER])
@pytest.mark.parametrize(
    "origin",
    [
        row(19, "foreign", "https://evil.example"),
        row(19, "null", "null"),
        row(19, "empty", ""),
        row(19, "without-port", "http://127.0.0.1"),
        row(19, "another-port", "http://127.0.0.1:1"),
        row(19, "own-name-in-front", "http://{host}.evil.example"),
        row(19, "own-name-as-user", "http://{host}@evil.example"),
        row(19, "own-name-as-path", "http://evil.example/{host}"),
        row(19, "own-name-as-query", "http://evil.example?{host}"),
        row(19, "own-name-as-fragment", "http://evil.example#{host}"),
        row(19, "own-name-behind", "http://evil{host}"),
        row(19, "other-spelling", "http://2130706433:{port}"),
        row(19, "another-scheme", "ftp://{host}"),
        row(19, "a-file", "file://"),
        row(19, "two", "http://{host} https://evil.example"),
        row(19, "two-with-comma", "http://{host}, https://evil.example"),
        row(19, "no-scheme", "{host}"),
    ],
)
def test_pages_of_others_may_not_connect(server, door, origin):
    host = f"127.0.0.1:{server.port}"
    with Raw(server) as raw:
        raw.send(request(door, host, Origin=origin.format(host=host, port=server.port)))
        assert raw.head().startswith("HTTP/1.1 403 ")
    with Raw(server) as raw:
        raw.send(request(door, host, Origin=f"http://{host}"))
        assert raw.head().startswith("HTTP/1.1 101 ")


# ---- row 21: many from one address -----------------------------------------

MOST = 100  # `CSAPP_CONNECTIONS_PER_IP`


def knock(
    server: LiveServer,
    forwarded: str | None = None,
    source: str = "127.0.0.1",
    local: Path | None = None,
) -> Raw:
    """Somebody at the door, who has been answered: `status`; *local*: at this unix socket."""
    raw = Raw(server, source=source)
    if local is not None:
        raw.sock.close()
        raw.sock = socket.socket(socket.AF_UNIX)
        raw.sock.settimeout(PATIENCE)
        raw.sock.connect(str(local))
    raw.send(request(USER, X_Forwarded_For=forwarded))
    return raw


def statuses(raws: list[Raw]) -> list[int]:
    """How each was answered; all stay."""
    return [int(raw.head().split()[1]) for raw in raws]


def from_elsewhere(server: LiveServer) -> Bystanders:
    """Bystanders at another address than the attacker."""
    here = ("127.0.0.1", server.port)
    elsewhere = ("127.0.0.2", 0)
    return Bystanders(server, socket=lambda: socket.create_connection(here, PATIENCE, elsewhere))


def test_row21_two_hundred_from_one_address_and_forged_headers():
    with running(CSAPP_CONNECTIONS_PER_IP=str(MOST)) as server, from_elsewhere(server):
        forged = itertools.cycle([None, "203.0.113.9", "127.0.0.2, 203.0.113.9", "::1", "rubbish"])
        raws = [knock(server, next(forged)) for _ in range(2 * MOST)]
        assert statuses(raws) == [101] * MOST + [429] * MOST
        others = [knock(server, source="127.0.0.3")]
        assert statuses(others) == [101]
        for raw in raws[:10]:
            raw.sock.close()
        server.wait_for_line("disconnect role=user code=1006", count=10)
        again = [knock(server) for _ in range(11)]
        assert statuses(again) == [101] * 10 + [429]


def test_row21_behind_a_trusted_proxy_its_word_counts_and_the_clients_does_not():
    settings = {"CSAPP_CONNECTIONS_PER_IP": str(MOST), "CSAPP_TRUSTED_PROXIES": "1"}
    with running(**settings) as server, from_elsewhere(server):
        raws = [knock(server, f"198.51.100.{n % 250}, 203.0.113.1") for n in range(2 * MOST)]
        assert statuses(raws) == [101] * MOST + [429] * MOST
        others = [knock(server, "203.0.113.1, 203.0.113.2")]
        assert statuses(others) == [101]
        network = [knock(server, f"2001:db8::{n:x}") for n in range(MOST + 1)]
        assert statuses(network) == [101] * MOST + [429], "of IPv6, a network counts as an address"


def test_row21_a_proxy_may_write_ports_and_be_reached_by_a_unix_socket(tmp_path):
    settings = {"CSAPP_CONNECTIONS_PER_IP": "3", "CSAPP_TRUSTED_PROXIES": "1"}
    path = tmp_path / "csapp.sock"
    with running(args=("-b", f"unix:{path}"), **settings) as server, from_elsewhere(server):
        for local in (None, path):
            network = "203.0.113" if local is None else "198.51.100"
            visitors = [f"{network}.{n}:{50_000 + n}" for n in range(60)]
            visitors += [f"[2001:db8:{n:x}:{len(network):x}::1]:{50_000 + n}" for n in range(60)]
            raws = [knock(server, one, local=local) for one in visitors]
            assert statuses(raws) == [101] * len(visitors)
            again = [knock(server, f"{network}.7:{60_000 + n}", local=local) for n in range(3)]
            assert statuses(again) == [101, 101, 429]


# ---- row 10, which has waited meanwhile -------------------------------------


@pytest.mark.usefixtures("bystanders")
def test_row10_slow_headers_are_cut_off_within_5_s(slow):
    slow()


def test_row10_slow_tls_handshakes_are_cut_off_as_well(slower):
    slower()
