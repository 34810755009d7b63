"""The ways in which csapp is served, for tests that hold of all of them, and who comes there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from services.place import STANDALONE
from testkit import Client, LiveServer
from testkit.redis import RedisServer

from .probe import come_back, next_frame, sign_in

WAYS = ["greenlets", "threads", "two workers"]
#: those of one process, whose time a test may let pass
ONE_PROCESS = WAYS[:2]

#: the applications that gunicorn and Flask's server start
APPS = (STANDALONE, "csapp")

Come = Callable[..., Client]


@contextmanager
def serving(
    way: str, env: Mapping[str, str], apps: tuple[str, str] = APPS
) -> Iterator[list[LiveServer]]:
    """Two servers of one desk, or the same one twice, as *way*, one of `WAYS`, says."""
    greenlets, threads = apps
    with ExitStack() as stack:
        if way == "two workers":
            env = {**env, "CSAPP_REDIS_URL": stack.enter_context(RedisServer()).url}
            yield [stack.enter_context(LiveServer.gunicorn(greenlets, env)) for _ in range(2)]
            return
        if way == "threads":
            start = LiveServer.flask(threads, env)
        else:
            start = LiveServer.gunicorn(greenlets, env)
        yield [stack.enter_context(start)] * 2


@contextmanager
def served(request: pytest.FixtureRequest, env: Mapping[str, str]) -> Iterator[list[LiveServer]]:
    """`serving`, in the way that `request.param` says."""
    with serving(request.param, env) as servers:
        yield servers


class Clients:
    """Opens clients of servers of one desk, and closes them."""

    def __init__(self, *servers: LiveServer) -> None:
        self.servers = servers
        self.clients: list[Client] = []

    def come(
        self, role: str, sub: str, *, at: int = 0, version: int = 2, **identity: Any
    ) -> Client:
        """A client that has signed in; `resume` and `locale` are said by `auth`."""
        server = self.servers[at % len(self.servers)]
        client = Client(server, role)
        self.clients.append(client)
        more = {key: identity.pop(key) for key in ("resume", "locale") if key in identity}
        token = {"token": server.token(role, sub, sub.title(), **identity)}
        if version == 1:
            client.say("auth", token)
            return client
        client.say("auth", {**token, "version": 2, **more})
        client.uuid = next_frame(client, "auth_success")["to"]
        return client

    def close(self) -> None:
        for client in self.clients:
            client.drop()


@contextmanager
def coming() -> Iterator[Come]:
    """Opens clients of servers that may be about to start; closes all of them."""
    with ExitStack() as stack:

        def come(server: LiveServer, role: str, sub: str, version: int = 2) -> Client:
            client = come_back(server, role)
            stack.callback(client.drop)
            sign_in(client, server, role, sub, version)
            return client

        yield come


def asks(client: Client, type_: str, payload: Any = None, **fields: Any) -> dict[str, Any]:
    """The answer to a frame; others are put back."""
    said, others = client.say(type_, payload, **fields), []
    while (frame := client.receive()).get("reply_id") != said:
        others.append(frame)
    client.put_back(others)
    return frame
