"""Row 33: Redis stops, stands still, is killed or emptied; all that is written arrives."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import pytest

from testkit import Client, LiveServer
from testkit.redis import RedisServer

from ..probe import next_frame
from .conftest import gets, meet, page, say

FAULTS = ["stopped", "killed", "paused"]


@contextlib.contextmanager
def away(redis: RedisServer, how: str) -> Iterator[None]:
    """Redis is away."""
    if how == "paused":
        with redis.paused():
            yield
        return
    redis.stop() if how == "stopped" else redis.kill()
    yield
    redis.start()


@pytest.mark.parametrize("how", FAULTS)
def test_what_is_written_is_stored_and_arrives_when_redis_is_back(a, b, come, redis, how):
    waiter, user = come(a, "waiter", "ada"), come(b, "user", "ann")
    near = come(a, "user", "bob")
    meet(user, waiter)
    meet(near, waiter)
    with away(redis, how):
        for number in range(3):  # on one worker nobody notices
            say(near, f"near {number}")
            gets(waiter, f"near {number}")
            say(waiter, f"back {number}", near.uuid)
            gets(near, f"back {number}")
        assert say(user, "far") == 2
        newcomer = come_until_refused(b)
        assert newcomer == 1013
        near.say("disconnect")
        error = next_frame(near, "error")["payload"]
        assert error["code"] == "unavailable"
    gets(waiter, "far")
    say(user, "again")
    gets(waiter, "again")
    say(waiter, "and again", user.uuid)
    gets(user, "and again")


def come_until_refused(server: LiveServer) -> int:
    """Somebody new cannot come while the desk cannot be reached; the code."""
    client = Client(server, "user")
    client.auth(server.token("user", "eve"))
    return client.closed()


def test_an_emptied_redis_is_filled_again_by_those_who_are_there(a, b, come, redis):
    waiter, user = come(a, "waiter", "ada"), come(b, "user", "ann")
    name = meet(user, waiter)
    say(user, "one")
    redis.flush()
    two = say(user, "two")
    gets(waiter, "one")
    gets(waiter, "two")
    say(waiter, "three", user.uuid)
    gets(user, "three")
    other = come(a, "user", "bob")
    other.say("connect")
    next_frame(other, "connect_success", payload_uuid=waiter.uuid)
    back = come(a, "user", "ann", resume={name: two})
    assert back.uuid == user.uuid
    assert page(back, name) == ["three"]


def test_who_was_away_while_redis_was_emptied_is_not_forgotten(a, b, come, redis):
    waiter, user = come(a, "waiter", "ada"), come(b, "user", "ann")
    name = meet(user, waiter)
    say(user, "one")
    gets(waiter, "one")
    user.drop()
    next_frame(waiter, "presence", payload_state="away")
    redis.flush()
    back = come(a, "user", "ann", resume={name: 1})
    assert back.uuid == user.uuid
    assert next_frame(back, "connect_success")["payload"]["conversation"] == name
    say(back, "two")
    gets(waiter, "two")


def test_a_worker_that_starts_without_redis_serves_when_it_is_there(start, come, redis):
    redis.kill()
    server = start()
    with pytest.raises(Exception, match="503"):
        come(server, "user", "ann")
    assert json.loads(server.get("/healthz"))
    redis.start()
    user = None
    while user is None:
        with contextlib.suppress(Exception):
            user = come(server, "user", "ann")
    user.say("connect")
    next_frame(user, "connect_queue")
