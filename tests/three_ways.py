"""The ways in which csapp is served, for tests that hold of all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from testkit import LiveServer
from testkit.redis import RedisServer

WAYS = ["greenlets", "threads", "two workers"]


@contextmanager
def served(request: pytest.FixtureRequest, env: Mapping[str, str]) -> Iterator[list[LiveServer]]:
    """Two servers of one desk, or the same one twice, as `request.param` of `WAYS` says."""
    if request.param == "two workers":
        redis: RedisServer = request.getfixturevalue("own_redis")
        env = {**env, "CSAPP_REDIS_URL": redis.url}
        with LiveServer.gunicorn(env=env) as one, LiveServer.gunicorn(env=env) as other:
            yield [one, other]
        return
    start = LiveServer.flask if request.param == "threads" else LiveServer.gunicorn
    with start(env=env) as server:
        yield [server, server]
