"""No request gets a 500, whatever its headers, path and body; the log gets no traceback."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.identity import TokenRole, Tokens
from testkit import LiveServer
from testkit.server import SECRET

from .raw import KEY, Raw

PATHS = [
    "/", "/waiter", "/widget.js", "/healthz", "/readyz", "/metrics", "/v1/status", "/v1/welcome",
    "/v1/ws/user/connect", "/v1/ws/waiter/connect", "/v1/visitor/token", "/v1/waiter/login",
    "/v1/waiter/logout", "/v1/canned", "/v1/canned/1", "/v1/search?q=x", "/nothing",
]  # fmt: skip

#: what a header may be made to hold, though it is meant for something else
ODD = [
    "", "x", "-1", "9" * 400, "\xff\xfe", "\"", "\"\\", ",,,,", "=;=;", "*;q=1e999", "en;q=\xb2",
    "http://[", "http://]", "http://[::1", "http://[::1]:x", "http://a:99999", "http://a:b", "null",
    "http://[v1.x]", "http://a@b@c", "http://", "//", "[", "http://%zz", "http://\xff", "x:y:z",
    "http://" + "a" * 5000, "bytes=-1", "bytes=0-0,1-1", "bytes=" + "9" * 30 + "-", "Bearer",
    "Bearer \xff", "Bearer a.b.c", "Basic Og==", "Basic x", "bearer " + "x" * 6000, "a=b; \xff",
    "multipart/form-data; boundary=\xff", "application/json; charset=nonsense", "for=\"[",
    "unknown", "[::1]:x", "1.2.3.4:" + "9" * 20, "Wed, 99 Foo 0000 99:99:99 GMT", "W/\"",
]  # fmt: skip

HEADERS = [
    "Accept", "Accept-Encoding", "Accept-Language", "Access-Control-Request-Method",
    "Authorization", "Connection", "Content-Encoding", "Content-Type", "Cookie", "Forwarded",
    "Host", "If-Modified-Since", "If-None-Match", "If-Range", "Origin", "Range", "Referer",
    "SCRIPT_NAME", "Sec-WebSocket-Extensions", "Sec-WebSocket-Key", "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Version", "Upgrade", "User-Agent", "X-Forwarded-For", "X-Forwarded-Host",
    "X-Forwarded-Port", "X-Forwarded-Proto",
]  # fmt: skip

LENGTHS = ["", "-1", "x", "9" * 400, "0x10", "\xb2", "1,1", "+1", " 0"]

ODD_PATHS = [
    "/%", "/%zz", "/%ff", "/%00", "//", "//evil/..", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc",
    "/v1//ws//user/connect", "/widget.js%00", "/waiter/%00", "/waiter/", "/;", "/?" + "&" * 2000,
    "/v1/canned/%00", "/v1/canned/-1", "/v1/canned/1e5", "/v1/canned/%D9%A1",
    "/v1/canned/" + "9" * 5000, "/v1/search", "/v1/search?q=%ff", "/v1/search?q=%00",
    "/v1/search?q=%22", "/v1/search?q=a*b(c)^NEAR", "/v1/search?q=" + "%22" * 500,
    "/v1/search?q=%ED%A0%80", "/v1/search?before=" + "9" * 30 + "&q=a", "/v1/search?before=%00&q=a",
    "/v1/status?\xff", "/\xff",
    *(
        f"/csapp-static/{folder}/{name}"
        for folder in ("widget", "console")
        for name in ("%00", "a%00b", "%ff", "..", "..%2f..%2f", "%2fetc%2fpasswd", "x" * 3000, ".",
                     "%C0%AE", "%5c..", "%0d%0aX:y", "?", "locales", "locales/%00")
    ),
]  # fmt: skip

BODIES = [
    b"", b"null", b"[]", b"\xff", b"-", b"1e999", b"9" * 5000, b"a=b", b"[" * 9000, b'{"name": 1}',
    rb'{"name": "\ud800", "password": "x"}', rb'{"name": "a\u0000", "password": "x\u0000"}',
    rb'{"name": "ada", "password": "\ud800"}', rb'{"shortcut": "\u0000", "text": "x"}',
    rb'{"shortcut": "\ud800", "text": "x"}', rb'{"shortcut": "a", "text": "\ud800"}',
    rb'{"shortcut": "a", "text": "\u0000"}', b'{"shortcut": "", "text": ""}',
]  # fmt: skip


#: chunked bodies that are none
BROKEN = [b"zz\r\n", b"-1\r\n", b"\r\n", b"5\r\nabcdefgh\r\n", b"1;" + b"x" * 9000, b"1;=\r\na\r\n"]


#: names of ways to send a body that nobody knows
CODINGS = ["", "x", "\xff", "br", "chunked;q=1", "x-gzip", "chunked,", ",", "trailers"]

#: ways to send a body that gunicorn knows, and does not like together
MIXED = ["gzip", "gzip, chunked", "chunked, gzip", "chunked, chunked", "identity, chunked"]

REQUEST_LINES = [
    *(f"{method} / HTTP/1.1" for method in ("PRI", "CONNECT", "get", "G(T", "", "A" * 30, "\xff")),
    *(f"GET {target} HTTP/1.1" for target in (
        "*", "x:1", "?", "#", "", "/\0", "/ /", "http://[", "http://[::1", "http:///", "http://\xff/",
        "://", "//[x]/", "http://x:99999/", "/" + "a" * 20_000,
    )),
    *(f"GET / {version}" for version in (
        "HTTP/0.9", "HTTP/2.0", "HTTP/9.9", "HTTP/1.10", "http/1.1", "", "HTTP/1.", "HTTP/\xb2.1",
    )),
]  # fmt: skip

#: header lines that gunicorn judges before anybody else sees them
LINES = [
    "Host", ": x", " : x", "A B: x", "A\0: x", "A: \0", "A: \r", " folded", "A: " + "x" * 9000,
    "Content-Length: 1\r\nContent-Length: 2", "Host: a\r\nHost: b", "Expect: x", "Expect: ",
    "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: %%",
    "X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off", "PATH_INFO: /z", "REMOTE_USER: z",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "Transfer_Encoding: chunked",
    "\r\n".join(["A: b"] * 500),
]  # fmt: skip

#: no request at all
NOISE = [
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"\r\n\r\n", b"\0" * 100 + b"\r\n\r\n",
    b"GET / HTTP/1.1\n\n",
    b"\r\n\r\n\0\r\nQUIT\n!\x11\0\x0c\r\n\r\n",
]  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """With a database, and believing a proxy: so that as much as possible is looked at."""
    folder: Path = tmp_path_factory.mktemp("hostile")
    settings = {
        "CSAPP_DATABASE_URL": f"sqlite:///{folder}/chat.db",
        "CSAPP_CONNECTIONS_PER_IP": "0",
        "CSAPP_TRUSTED_PROXIES": "1",
    }
    with LiveServer.gunicorn(env=settings) as server:
        yield server


@pytest.fixture(autouse=True)
def _no_traceback(server: LiveServer) -> Iterator[None]:
    before = len(server.lines)
    yield
    log = "\n".join(server.lines[before:])
    assert "Traceback" not in log, log


_numbers = itertools.count()


def request(server: LiveServer, method: str, path: str, *more: str, body: bytes = b"") -> bytes:
    """A request by a waiter of whom nothing was heard yet; *more* header lines come last."""
    token = server.token("waiter", f"Wanda {next(_numbers)}")
    named = {line.partition(":")[0].lower() for line in more}
    usual = ["Host: 127.0.0.1", f"Authorization: Bearer {token}"]
    if "/ws/" in path:
        usual += ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
        usual += [f"Sec-WebSocket-Key: {KEY}"]
    lines = [line for line in usual if line.partition(":")[0].lower() not in named]
    head = "\r\n".join([f"{method} {path} HTTP/1.1", *lines, *more, "", ""])
    return head.encode("latin-1") + body


def status(server: LiveServer, sent: bytes) -> int:
    """How a request is answered; 0: it is hung up on."""
    with Raw(server) as raw:
        raw.send(sent)
        try:
            return int(raw.head().split()[1])
        except EOFError:
            return 0


def assert_answered(server: LiveServer, requests: list[bytes]) -> None:
    """Each of them gets an answer that is no fault of the server's, or is hung up on."""
    found = {sent: status(server, sent) for sent in requests}
    assert not {sent: code for sent, code in found.items() if code >= 500}


@pytest.mark.parametrize("path", PATHS)
def test_whatever_the_headers_say(server, path):
    methods = itertools.cycle(["GET"] if "/ws/" in path else ["GET", "POST"])
    headers = [f"{name}: {value}" for name in HEADERS for value in ODD]
    headers += [f"Content-Length: {value}" for value in LENGTHS]
    assert_answered(server, [request(server, next(methods), path, one) for one in headers])


def test_whatever_the_path_is(server):
    methods = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "FOO")
    asked = [
        request(server, method, path, "Content-Length: 0")
        for path, method in itertools.product(ODD_PATHS, methods)
    ]
    assert_answered(server, asked)


WRITTEN = [
    ("POST", "/v1/waiter/login"),
    ("POST", "/v1/canned"),
    ("PUT", "/v1/canned/1"),
    ("POST", "/v1/visitor/token"),
    ("POST", "/v1/waiter/logout"),
    ("POST", "/nothing"),
]


@pytest.mark.parametrize(("method", "path"), WRITTEN)
def test_whatever_the_body_is(server, method, path):
    asked = []
    for body in BODIES:
        length = f"Content-Length: {len(body)}"
        chunk = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
        asked += [
            request(server, method, path, length, body=body),
            request(server, method, path, length, "Content-Encoding: gzip", body=body),
            request(server, method, path, "Transfer-Encoding: chunked", body=chunk + b"0\r\n\r\n"),
        ]
    chunked = "Transfer-Encoding: chunked"
    asked += [request(server, method, path, chunked, body=body) for body in BROKEN]
    assert_answered(server, asked)


@pytest.mark.parametrize("path", ["/v1/visitor/token", "/"])
def test_an_unknown_transfer_coding_is_the_clients_mistake(server, path):
    lines = [f"Transfer-Encoding: {coding}" for coding in (*CODINGS, *MIXED)]
    asked = [request(server, "POST", path, line, body=b"0\r\n\r\n") for line in lines]
    assert_answered(server, asked)
    for sent in asked[: len(CODINGS)]:
        assert status(server, sent) == 400, sent


def test_what_gunicorn_does_not_let_through_is_the_clients_mistake(server):
    usual = "\r\nHost: 127.0.0.1\r\n\r\n"
    asked = [f"{line}{usual}".encode("latin-1") for line in REQUEST_LINES]
    asked += [request(server, "POST", "/v1/waiter/login", line) for line in LINES]
    assert_answered(server, [*asked, *NOISE])


def test_a_page_with_half_an_address_for_an_origin_is_refused(server):
    for path in ("/v1/ws/user/connect", "/v1/ws/waiter/connect"):
        assert status(server, request(server, "GET", path, "Origin: http://[")) == 403
    for path in ("/v1/visitor/token", "/v1/waiter/login"):
        origin = "Origin: http://[::1"
        assert status(server, request(server, "POST", path, origin, "Content-Length: 0")) == 403


@pytest.mark.parametrize("path", [*PATHS, *ODD_PATHS])
def test_what_no_address_takes_is_refused_as_json(server, path):
    for method in ("DELETE", "FOO"):
        with Raw(server) as raw:
            raw.send(request(server, method, path, "Content-Length: 0"))
            head = raw.head()
            code = int(head.split()[1])
            assert code in (308, 400, 404, 405), head
            if code in (404, 405):
                assert set(json.loads(raw.body(head))) == {"code", "message"}, head
            assert code != 405 or "\r\nAllow: " in head


@pytest.mark.parametrize("claims", [None, [], {}, {"sub": "ann"}, {"sub": "ann", "life": "x"}])
def test_a_token_whose_claims_cannot_be_is_refused(server, claims):
    sign = Tokens([SECRET], 60)._serializers[TokenRole.WAITER].dumps
    header = f"Authorization: Bearer {sign(claims)}"
    for method, path in (("POST", "/v1/waiter/logout"), ("GET", "/v1/waiter/me")):
        assert status(server, request(server, method, path, header, "Content-Length: 0")) == 401
    assert status(server, request(server, "POST", "/v1/visitor/token", header)) == 200
