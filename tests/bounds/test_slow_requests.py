"""Slow bodies and clients that do not take their answers: cut after seconds, and counted."""

from __future__ import annotations

import contextlib
import select
from collections.abc import Iterator

import pytest

from services.bounds import ANSWER_TIME, BODY_TIME
from testkit import LiveServer
from testkit.server import PATIENCE

from ..clocked import GUNICORN, THREADS, let_pass
from ..raw import Raw

MOST = 4  # requests of one address under way

#: reads its body only from somebody who may ask
CLOSED_DOORS = [
    ("POST", "/v1/canned"),
    ("PUT", "/v1/canned/1"),
    ("POST", "/v1/canned/restored"),
    ("POST", "/v1/waiter/password"),
    ("POST", "/v1/waiter/logout"),
    ("GET", "/v1/search?q=x"),
]

LENGTH = "Content-Length: 100"
CHUNKED = "Transfer-Encoding: chunked"


@pytest.fixture(scope="module", params=["gunicorn", "flask"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    settings = {
        "CSAPP_CONNECTIONS_PER_IP": str(MOST),
        "CSAPP_DATABASE_URL": f"sqlite:///{tmp_path_factory.mktemp('slow')}/chat.db",
    }
    if request.param == "gunicorn":
        running = LiveServer.gunicorn(GUNICORN, settings)
    else:
        running = LiveServer.flask(THREADS, settings)
    with running as server:
        yield server


def begin(server: LiveServer, method: str, path: str, *more: str, source: str, body: bytes) -> Raw:
    """A request whose body has only begun."""
    raw = Raw(server, source=source)
    head = "\r\n".join([f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *more, "", ""])
    raw.send(head.encode() + body)
    return raw


def ended(raw: Raw) -> bool:
    """The server has hung up, whatever it has said before."""
    try:
        while raw.sock.recv(65_536):
            pass
    except ConnectionError:
        pass
    return True


def status_for(server: LiveServer, source: str) -> str:
    """How somebody else of *source* is answered."""
    while True:
        with Raw(server, source=source) as raw, contextlib.suppress(EOFError):
            raw.send(b"GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            status = raw.head().split()[1]
            ended(raw)  # only then is this request not under way any more
            return status
        # it was cut off: the time that a test has let pass was not over yet


def live_until_answered(server: LiveServer, raw: Raw) -> None:
    """Time passes for the server, again where it had not begun to read before."""
    while not select.select([raw.sock], [], [], 0.1)[0]:
        let_pass(server, BODY_TIME)


def signed_in(server: LiveServer) -> str:
    return f"Authorization: Bearer {server.token('waiter', 'Wanda')}"


@pytest.mark.parametrize(("method", "path"), CLOSED_DOORS)
def test_nobody_waits_for_the_body_of_an_unknown_sender(server, method, path):
    source = f"127.0.4.{CLOSED_DOORS.index((method, path)) + 1}"
    with begin(server, method, path, LENGTH, source=source, body=b"{") as raw:
        assert raw.head().split()[1] == "401"
        assert ended(raw)


@pytest.mark.parametrize("kind", ["begun", "nothing", "chunked", "half a chunk"])
@pytest.mark.parametrize(("method", "path", "known"), [
    ("POST", "/v1/waiter/login", False), ("POST", "/v1/canned", True),
    ("POST", "/v1/waiter/password", True),
])  # fmt: skip
def test_a_slow_body_is_cut_after_seconds(server, method, path, known, kind):
    headers = [signed_in(server)] if known else []
    headers.append(CHUNKED if "chunk" in kind else LENGTH)
    body = {"begun": b'{"name"', "nothing": b"", "chunked": b"", "half a chunk": b"64\r\n{"}[kind]
    door = path.split("/")[2].replace("waiter", "auth")
    before = refused(server, door, 408)
    with begin(server, method, path, *headers, source="127.0.3.2", body=body) as raw:
        live_until_answered(server, raw)
        assert raw.head().split()[1] == "408"
        assert ended(raw)
    assert refused(server, door, 408) == before + 1


def refused(server: LiveServer, door: str, status: int) -> float:
    """How many were refused so, by the metrics."""
    name = f'csapp_refusals_total{{door="{door}",status="{status}"}} '
    (line,) = (one for one in server.get("/metrics").splitlines() if one.startswith(name))
    return float(line.removeprefix(name))


def test_an_address_has_so_many_requests_under_way(server):
    slow: list[Raw] = []
    while len(slow) < MOST or status_for(server, "127.0.3.4") != "429":
        slow.append(
            begin(server, "POST", "/v1/waiter/login", LENGTH, source="127.0.3.4", body=b"{")
        )
    assert status_for(server, "127.0.3.5") == "200"
    codes = []
    for raw in slow:
        live_until_answered(server, raw)
        codes.append(raw.head().split()[1])
        raw.sock.close()
    assert codes.count("408") == MOST
    assert set(codes) <= {"408", "429"}, "whoever asked meanwhile may have been in its way"
    assert status_for(server, "127.0.3.4") == "200"


def test_a_client_that_does_not_take_its_answers_is_cut_off(server):
    asked = b"GET /csapp-static/console/vendor/preact.module.js HTTP/1.1\r\nHost: x\r\n\r\n"
    sent, taken = 0, b""
    with Raw(server, receive_buffer=4096, source="127.0.3.6") as raw:
        raw.sock.settimeout(1)
        with contextlib.suppress(TimeoutError, ConnectionError):
            while True:  # until nothing more is taken, because nothing is
                sent += raw.sock.send(asked)
        raw.sock.settimeout(PATIENCE)
        hung_up = select.poll()
        hung_up.register(raw.sock, select.POLLRDHUP)
        while not hung_up.poll(100):
            let_pass(server, 2 * ANSWER_TIME)
        with contextlib.suppress(ConnectionError):
            while data := raw.sock.recv(65_536):
                taken += data
    assert taken.count(b"HTTP/1.") < sent // len(asked), "all of them were answered"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_file_that_was_taken_is_not_under_way_any_more(server, method):
    """A console is forty of them; the web server sends them from their files."""
    path = "/csapp-static/console/main.js"
    codes = []
    for _ in range(5 * MOST):
        with Raw(server, source="127.0.3.7") as raw:
            raw.send(f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            codes.append(raw.head().split()[1])
            assert ended(raw)
    assert set(codes) == {"200"}


def test_nothing_is_left_of_them(server):
    let_pass(server, 2 * ANSWER_TIME + BODY_TIME)
    for source in ("127.0.4.1", "127.0.3.2", "127.0.3.4", "127.0.3.6"):
        for _ in range(2 * MOST):
            assert status_for(server, source) == "200"
    assert "Traceback" not in server.log
