"""The published nginx and Caddy files, in front of what the published unit starts."""

from __future__ import annotations

import json
import re
import signal
from contextlib import ExitStack

import pytest

from services.settings import Settings
from services.transport.connection import ANSWER
from testkit import Client, LiveServer, assert_receives
from testkit.redis import RedisServer
from testkit.server import SECRET
from tests.conftest import trusting
from tests.files.pairs import Pair
from tests.files.test_resumed import Upload
from tests.probe import until
from tests.raw import Raw, request
from tests.three_ways import Clients

from .. import forks
from . import fronts
from .conftest import Behind
from .published import of_gunicorn

USER = "/v1/ws/user/connect"

PIECE = 524_288  # bytes: as `csapp-client.js` sends files

#: long enough to talk meanwhile, short enough to be waited for
SHUTDOWN = "worker_shutdown_timeout 5s;"


def chat(front: LiveServer) -> tuple[Client, Client]:
    """A waiter and its visitor, both through *front*."""
    waiter, user = Client.waiter(front, "w"), Client.user(front, "u")
    waiter.ready()
    user.say("connect")
    assert_receives(user, "connect_success", uuid=waiter.uuid)
    assert_receives(waiter, "new_connection", uuid=user.uuid)
    return waiter, user


def talk(waiter: Client, user: Client) -> None:
    user.text("is anybody there?")
    assert_receives(waiter, "message_text", message="is anybody there?", from_=user.uuid)
    waiter.text("yes", to=user.uuid)
    assert_receives(user, "message_text", message="yes", from_=waiter.uuid)


def handshake(front: LiveServer, source: str, prefix: str = "", **headers: str) -> tuple[Raw, int]:
    """Ask for a WebSocket from the address *source*: the line, and the answer's status."""
    raw = Raw(front, source=source)
    raw.send(request(prefix + USER, f"127.0.0.1:{front.port}", **headers))
    return raw, int(raw.head().split()[1])


@pytest.fixture(scope="module", params=["nginx", "caddy"])
def pair(
    request: pytest.FixtureRequest, behind: Behind, tmp_path_factory: pytest.TempPathFactory
) -> tuple[LiveServer, LiveServer]:
    """A server that trusts its proxy, and the proxy; three connections from one address."""
    database = f"sqlite:///{tmp_path_factory.mktemp('pair')}/csapp.db"
    return behind(request.param, CSAPP_CONNECTIONS_PER_IP="3", CSAPP_DATABASE_URL=database)


def test_a_chat_and_the_pages_pass(pair):
    _, front = pair
    waiter, user = chat(front)
    with waiter:
        talk(waiter, user)
        user.text("x" * 4000)
        assert_receives(waiter, "message_text", message="x" * 4000)
        user.leave()
        assert_receives(waiter, "disconnected", from_=user.uuid)
    script = re.search(r'src="(/[^"]+\.js)"', front.get("/"))
    assert script
    assert front.get(script[1])
    assert json.loads(front.post("/v1/visitor/token"))["token"]


def test_a_file_goes_on_after_a_cut(pair):
    _, front = pair
    clients = Clients(front)
    upload = Upload(Pair(clients, "cut"), content=b"".join(b"%d\n" % n for n in range(450_000)))
    size = len(upload.content)
    assert size > 3_000_000
    for begin in (0, PIECE):
        answer = upload.send(begin, begin + PIECE)
        assert (answer.status, answer.json.get("offset")) == (202, begin + PIECE), answer
    upload.cut(2 * PIECE, size // 2)
    until(lambda: upload.offset > 2 * PIECE)  # what came counts
    while (came := upload.offset) + PIECE < size:
        assert upload.send(came, came + PIECE).status in (202, 409)
    upload.assert_is(upload.send(came, size))
    for client in clients.clients:
        client.leave()


def test_the_clients_address_is_believed_from_a_trusted_proxy(pair):
    _, front = pair
    with ExitStack() as stack:
        for source, headers, expected in [
            ("127.0.0.2", {}, 101),
            *[("127.0.0.3", {}, 101)] * 3,
            ("127.0.0.3", {"X_Forwarded_For": "203.0.113.9"}, 429),  # the client's word
        ]:
            raw, status = handshake(front, source, **headers)
            stack.enter_context(raw)
            assert status == expected, (source, headers)


def test_pages_of_the_public_address_may_connect_and_no_others(pair):
    _, front = pair
    for origin, forged, expected in [
        (front.url, {}, 101),
        ("https://evil.example", {}, 403),
        ("https://evil.example", {"X_Forwarded_Host": "evil.example"}, 403),
    ]:
        raw, status = handshake(front, "127.0.0.4", Origin=origin, **forged)
        with raw:
            assert status == expected, (origin, forged)


def test_the_metrics_stay_inside(pair):
    assert_the_metrics_stay_inside(*pair, "")


@pytest.mark.parametrize("kind", ["nginx", "caddy"])
def test_over_tcp_under_a_prefix_and_without_trust(behind, kind):
    settings = {"CSAPP_CONNECTIONS_PER_IP": "1", "CSAPP_TRUSTED_PROXIES": "0"}
    server, front = behind(kind, "tcp", CSAPP_URL_PREFIX="/support", **settings)
    assert_the_metrics_stay_inside(server, front, "/support")
    first, status = handshake(front, "127.0.0.2", prefix="/support")
    with first:
        assert status == 101
        second, status = handshake(front, "127.0.0.3", prefix="/support")
        with second:
            assert status == 429, "every client is the proxy"


def assert_the_metrics_stay_inside(server: LiveServer, front: LiveServer, prefix: str) -> None:
    assert "csapp_connections" in server.get("/metrics")
    for way in ["/metrics", "//metrics", "/%6detrics", "/./metrics", "/x/../metrics", "/metrics?x"]:
        with Raw(front) as raw:
            path = prefix + way
            raw.send(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{front.port}\r\n\r\n".encode())
            assert raw.head().split()[1] == "404", path


# ---- nginx alone -----------------------------------------------------------


def test_nginx_waits_longer_than_csapp_does_and_lets_go_of_idle_connections_first():
    heartbeat = Settings.load({"CSAPP_SECRET_KEY": "0123456789abcdef"}).heartbeat
    assert fronts.directive("proxy_read_timeout") > heartbeat + ANSWER
    assert fronts.directive("keepalive_timeout") < of_gunicorn("keepalive")


def test_a_reload_of_nginx_leaves_open_chats_alone_for_a_while_and_then_they_come_back(behind):
    server, front = behind("nginx", main={"worker_shutdown_timeout 5m;": SHUTDOWN})
    waiter, user = chat(front)
    front.signal(signal.SIGHUP)
    front.wait_for_line("gracefully shutting down")
    talk(waiter, user)
    assert waiter.closed() == user.closed() == 1006
    server.wait_for_line(r"disconnect role=\w+ code=1006 by=line", 2)
    with Client.waiter(front, "w") as back, Client.user(front, "u") as again:
        assert_receives(back, "initialize", to=waiter.uuid)
        assert_receives(back, "new_connection", uuid=user.uuid)
        assert_receives(again, "initialize", to=user.uuid)
        talk(back, again)


def test_nginx_before_two_workers_of_one_desk(behind, tmp_path):
    settings = {
        "WEB_CONCURRENCY": "2",
        "CSAPP_DATABASE_URL": f"sqlite:///{tmp_path}/csapp.db",
        "CSAPP_MAX_USERS_PER_WAITER": "10",
    }
    with RedisServer() as redis, ExitStack() as stack:
        _, front = behind("nginx", CSAPP_REDIS_URL=redis.url, **settings)
        waiter = stack.enter_context(Client.waiter(front, "w"))
        waiter.ready()
        for number in range(6):  # on whichever worker takes them
            user = stack.enter_context(Client.user(front, f"u{number}"))
            user.say("connect")
            assert_receives(user, "connect_success", uuid=waiter.uuid)
            assert_receives(waiter, "new_connection", uuid=user.uuid)
            talk(waiter, user)


def test_a_port_of_ones_own_reaches_the_chat_of_a_host(tmp_path):
    """`docs/embedding.md`: pages of http://HOST:PORT are the server's own; $host forgets PORT."""
    env = {"CSAPP_URL_PREFIX": "/support", "CSAPP_TRUSTED_PROXIES": "1"}
    ways = [({}, 101), ({"$http_host": "$host"}, 403)]
    with LiveServer.gunicorn(env=env, prefix="/support") as server, ExitStack() as stack:
        for number, (changes, expected) in enumerate(ways):
            (directory := tmp_path / str(number)).mkdir()
            front = stack.enter_context(fronts.nginx_of_a_host(directory, server.port, changes))
            with Raw(front) as raw:
                host = f"127.0.0.1:{front.port}"
                raw.send(request("/support" + USER, host, Origin=f"http://{host}"))
                head = raw.head()
                assert int(head.split()[1]) == expected
                found = doctor(f"http://{host}/support")
                if expected == 101:
                    assert found == []
                    continue
                why = f"origin is http://{host}, and this server was reached as 127.0.0.1: "
                assert why in json.loads(raw.body(head))["message"]
                [fault] = found
                assert fault["level"] == "fault"
                assert why in fault["what"]
                assert "$http_host" in fault["remedy"]


def doctor(url: str) -> list[dict[str, str]]:
    """What `chat doctor --url` says of the chat at *url*."""
    env = {"CSAPP_SECRET_KEY": SECRET, "CSAPP_DATABASE_URL": "off"}
    done = forks.run("flask", "--app", "csapp", "chat", "doctor", "--json", "--url", url, env=env)
    return [one for one in json.loads(done.stdout)["findings"] if url in one["what"]]


def test_nginx_passes_by_a_machine_that_is_down(tmp_path, certificate):
    with LiveServer.gunicorn() as there, LiveServer.gunicorn() as gone:
        upstreams = "\n".join(f"server 127.0.0.1:{one.port};" for one in (gone, there))
        with fronts.nginx(tmp_path, certificate, trusting(certificate), upstreams) as front:
            gone.stop()
            for number in range(8):
                with Client.user(front, f"u-{number}") as user:
                    user.say("connect")
                    assert_receives(user, "connect_queue")
