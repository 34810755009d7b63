"""Several workers: an address has the same bounds at all of them together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from testkit import LiveServer, assert_receives
from testkit.redis import RedisServer

from ..raw import Raw, request
from .conftest import client
from .test_places import ANONYMOUS, ask_and_go

MOST = 10


@pytest.fixture
def connections_per_ip() -> str:
    return str(MOST)


@pytest.fixture
def servers(tmp_path, connections_per_ip) -> Iterator[list[LiveServer]]:
    with RedisServer() as redis, ExitStack() as stack:
        env = {
            "CSAPP_REDIS_URL": redis.url,
            "CSAPP_DATABASE_URL": f"sqlite:///{tmp_path}/chat.db",
            "CSAPP_CONNECTIONS_PER_IP": connections_per_ip,
        }
        yield [stack.enter_context(LiveServer.gunicorn(env=env)) for _ in range(2)]


def knock(server: LiveServer, source: str) -> tuple[Raw, str]:
    """Somebody at the door, and how it was answered."""
    raw = Raw(server, source=source)
    raw.send(request("/v1/ws/user/connect"))
    return raw, raw.head().split()[1]


def test_connections_of_an_address_are_counted_at_all_workers(servers):
    here = [knock(servers[number % 2], "127.0.5.1") for number in range(3 * MOST)]
    assert [status for _, status in here] == ["101"] * MOST + ["429"] * 2 * MOST
    elsewhere = [knock(server, "127.0.5.2") for server in servers]
    assert [status for _, status in elsewhere] == ["101", "101"]
    here[0][0].sock.close()
    while (again := knock(servers[1], "127.0.5.1"))[1] == "429":
        pass  # until the other worker has noticed and told it
    assert again[1] == "101"
    for raw, _ in (*here, *elsewhere, again):
        raw.sock.close()


@pytest.mark.parametrize("connections_per_ip", ["100"])
def test_whoever_asks_and_goes_at_any_worker_holds_up_nobody(servers):
    waiters = [client(server, "waiter", server.url, "127.0.0.9") for server in servers]
    for waiter in waiters:
        waiter.ready()
    for server, half in zip(servers, (ANONYMOUS[::2], ANONYMOUS[1::2]), strict=True):
        ask_and_go(server, ["127.0.5.3"] * len(half), half)
    for number, server in enumerate([*servers, *servers]):
        honest = client(server, "user", f"anonymous-honest-{number}", f"127.0.6.{number + 1}")
        honest.say("connect")
        assert_receives(honest, "connect_success")
