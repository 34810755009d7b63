"""The bad line itself: it spoils what it is told to, and nothing else."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from queue import Queue
from types import SimpleNamespace

import pytest

from testkit import Client, assert_receives
from testkit.ports import free_port
from testkit.proxy import BOTH, TO_CLIENT, TO_SERVER, FaultProxy
from testkit.server import PATIENCE

MIB = 1024 * 1024


class Echo(socketserver.ThreadingTCPServer):
    """Sends back what it gets, and says how each connection has ended for it."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), EchoHandler)
        #: `fin` or `rst`, for each connection that has ended
        self.ends: Queue[str] = Queue()
        #: bytes as they came in, on any connection
        self.heard: Queue[bytes] = Queue()


class EchoHandler(socketserver.BaseRequestHandler):
    server: Echo

    def handle(self) -> None:
        try:
            while data := self.request.recv(65_536):
                self.server.heard.put(data)
                self.request.sendall(data)
            self.server.ends.put("fin")
        except ConnectionError:
            self.server.ends.put("rst")


@pytest.fixture
def echo() -> Iterator[Echo]:
    with Echo() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[FaultProxy]:
    port = echo.server_address[1]
    server = SimpleNamespace(
        port=port,
        url=f"http://127.0.0.1:{port}/support",
        ws_url=f"ws://127.0.0.1:{port}/support",
        tls=None,
        token=lambda role, sub: f"{role} {sub}",
    )
    with FaultProxy(server) as proxy:
        yield proxy


@pytest.fixture
def connect(proxy: FaultProxy):
    """Opens connections to the proxy."""
    with ExitStack() as stack:

        def connected() -> socket.socket:
            return stack.enter_context(
                socket.create_connection(("127.0.0.1", proxy.port), PATIENCE)
            )

        yield connected


def take(sock: socket.socket, count: int) -> bytes:
    """Exactly *count* bytes."""
    taken = b""
    while len(taken) < count:
        data = sock.recv(count - len(taken))
        assert data, taken
        taken += data
    return taken


def ask(sock: socket.socket, data: bytes = b"hello") -> None:
    """Say something and hear it again."""
    sock.sendall(data)
    assert take(sock, len(data)) == data


def fill(sock: socket.socket) -> int:
    """Send to this socket that does not block until it takes no more; how many bytes it took."""
    sent = 0
    try:
        while True:
            sent += sock.send(bytes(MIB))
    except BlockingIOError:
        return sent


def silent(sock: socket.socket) -> bool:
    """Nothing arrives for a moment: a pause is what is looked for here."""
    sock.settimeout(0.2)
    try:
        return not sock.recv(1, socket.MSG_PEEK) and False
    except TimeoutError:
        return True
    finally:
        sock.settimeout(PATIENCE)


def test_it_looks_like_the_server_behind_it(proxy):
    assert proxy.url == f"http://127.0.0.1:{proxy.port}/support"
    assert proxy.ws_url == f"ws://127.0.0.1:{proxy.port}/support"
    assert proxy.tls is None
    assert proxy.token("user", "ann") == "user ann"


def test_a_conversation_goes_through_it(live_server):
    with FaultProxy(live_server) as proxy, Client.user(proxy, "on-a-bad-line") as user:
        user.say("connect")
        assert_receives(user, "connect_queue")


def test_without_faults_everything_passes_both_ways_and_the_end_too(proxy, connect, echo):
    sock = connect()
    data = bytes(range(256)) * (8 * MIB // 256)
    sender = threading.Thread(target=sock.sendall, args=(data,))
    sender.start()
    assert take(sock, len(data)) == data
    sender.join()
    sock.shutdown(socket.SHUT_WR)
    assert sock.recv(1) == b""
    assert echo.ends.get(timeout=PATIENCE) == "fin"


def test_a_reset_of_the_client_reaches_the_server_as_a_reset(proxy, connect, echo):
    sock = connect()
    ask(sock)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    sock.close()
    assert echo.ends.get(timeout=PATIENCE) == "rst"


def test_a_server_that_is_not_there_resets_the_connection():
    port = free_port()
    nobody = SimpleNamespace(port=port, url=f"http://127.0.0.1:{port}", ws_url="", tls=None)
    nobody.token = str
    with (
        FaultProxy(nobody) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port)) as sock,
        pytest.raises(ConnectionResetError),
    ):
        sock.recv(1)


@pytest.mark.parametrize("ways", [BOTH, TO_SERVER, TO_CLIENT])
def test_latency_on_open_and_on_new_connections(proxy, connect, ways):
    before = connect()
    ask(before)
    proxy.latency(0.1, ways)
    for sock in (before, connect()):
        started = time.monotonic()
        ask(sock)
        assert time.monotonic() - started >= 0.1 * len(ways)
    proxy.heal()
    ask(before, bytes(MIB // 16))


def test_latency_keeps_the_order_and_holds_nothing_else_up(proxy, connect):
    late = connect()
    proxy.latency(0.2, TO_SERVER)
    late.sendall(b"first ")
    proxy.latency(0, TO_SERVER)
    ask(connect(), b"not held up")
    late.sendall(b"second")
    assert take(late, 12) == b"first second"


def test_a_throttle_lets_so_much_pass_and_no_more(proxy, connect):
    proxy.throttle(50_000, TO_CLIENT)
    sock = connect()
    started = time.monotonic()
    ask(sock, bytes(15_000))
    assert time.monotonic() - started >= 0.25  # 0.3 s, and a slice of it is free
    proxy.heal()
    ask(sock, bytes(MIB // 16))


def test_a_throttle_of_nothing_stops_the_sender(proxy, connect):
    proxy.throttle(0, TO_SERVER)
    sock = connect()
    sock.setblocking(False)
    sent = fill(sock)
    sock.settimeout(PATIENCE)
    proxy.heal()
    assert take(sock, sent) == bytes(sent)


@pytest.mark.parametrize("ways", [BOTH, TO_SERVER, TO_CLIENT])
def test_a_black_hole_swallows_and_stays_open(proxy, connect, echo, ways):
    before = connect()
    ask(before)
    proxy.black_hole(ways)
    after = connect()
    for sock in (before, after):
        sock.sendall(b"lost")
        assert silent(sock)
    assert proxy.open == 2
    proxy.heal()
    for sock in (before, after):
        ask(sock, b"found")
    heard = b"".join(echo.heard.get(timeout=PATIENCE) for _ in range(echo.heard.qsize()))
    assert (b"lost" in heard) == (ways is TO_CLIENT)


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_black_hole_swallows_the_end_as_well(proxy, connect, echo, how):
    sock = connect()
    ask(sock)
    proxy.black_hole()
    if how == "rst":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    sock.close()
    other = connect()
    other.sendall(b"?")
    assert silent(other)
    assert proxy.open == 2
    assert echo.ends.empty()


@pytest.mark.parametrize("ways", [BOTH, TO_SERVER, TO_CLIENT])
def test_a_cut_lets_exactly_so_many_bytes_pass(proxy, connect, echo, ways):
    before = connect()
    ask(before)
    proxy.cut_after(7, ways)
    after = connect()
    for sock in (before, after):
        sock.sendall(b"hello")
        assert take(sock, 5) == b"hello"
        sock.sendall(b"world")
        with pytest.raises(ConnectionResetError):
            take(sock, 6)
        assert echo.ends.get(timeout=PATIENCE) == "rst"
    proxy.heal()
    ask(connect())
    heard = b"".join(echo.heard.get(timeout=PATIENCE) for _ in range(echo.heard.qsize()))
    assert heard.count(b"hellowo") == 2
    assert (b"hellowor" in heard) == (ways is TO_CLIENT)


@pytest.mark.parametrize(("fault", "told"), [("reset", "rst"), ("close", "fin")])
def test_the_end_of_every_open_connection(proxy, connect, echo, fault, told):
    socks = [connect() for _ in range(3)]
    for sock in socks:
        ask(sock)
    assert getattr(proxy, fault)() == 3
    for sock in socks:
        if told == "rst":
            with pytest.raises(ConnectionResetError):
                sock.recv(1)
        else:
            assert sock.recv(1) == b""
        assert echo.ends.get(timeout=PATIENCE) == told
    assert proxy.open == 0
    ask(connect())


@pytest.mark.parametrize("fault", ["reset", "close"])
def test_the_end_for_one_side_only(proxy, connect, echo, fault):
    sock = connect()
    ask(sock)
    getattr(proxy, fault)(TO_SERVER)
    assert echo.ends.get(timeout=PATIENCE) == ("rst" if fault == "reset" else "fin")
    sock.sendall(b"is anybody there?")
    assert silent(sock)
    assert proxy.open == 1
    getattr(proxy, fault)(TO_CLIENT)
    assert proxy.open == 0


def test_new_connections_are_refused_and_open_ones_go_on(proxy, connect):
    before = connect()
    ask(before)
    proxy.refuse()
    with pytest.raises(ConnectionError):
        ask(connect())
    ask(before)
    proxy.heal()
    ask(connect())


def test_many_connections_at_once(proxy, connect):
    socks = [connect() for _ in range(100)]
    proxy.latency(0.05)
    for number, sock in enumerate(socks):
        sock.sendall(b"%03d" % number)
    for number, sock in enumerate(socks):
        assert take(sock, 3) == b"%03d" % number
    assert proxy.reset() == 100


def test_it_lets_go_of_what_has_ended_by_itself(proxy, connect, echo):
    sock = connect()
    ask(sock)
    sock.close()
    assert echo.ends.get(timeout=PATIENCE) == "fin"
    other = connect()
    ask(other)
    while proxy.open > 1:  # the end of the first one is on its way back
        ask(other)
    assert proxy.open == 1


def test_stopping_twice_is_harmless(proxy):
    proxy.stop()
    proxy.stop()
