"""Several servers of several workers on one Redis; all of it is killed or restarted at random.

While it runs, a watcher reads the desk again and again: no user may ever have
two waiters, and no waiter too many users.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import redis

from services.desk import vocabulary as desk
from testkit.proxy import BOTH, TO_CLIENT, FaultProxy
from testkit.redis import RedisServer

from .victim import CAPACITY, SERVERS, Victim, real

#: of so many strikes one is at Redis
AT_REDIS = 4

#: one in so many of the others is no kill but a restart, from worker to worker
RESTARTS = 5

#: s that Redis stands still: short of what a worker waits for an answer, and longer
STILL = (0.3, 4.0)
STOPPED = 4.0  # s that it is stopped, each second time

#: s between two looks at the desk
LOOK = 0.02

#: how many matches there were, and waiter and user of every conversation, at one instant
CHATS = """
local found = {tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0)}
for _, key in ipairs(redis.call('KEYS', 'csapp:*:users:*')) do
    for _, user in ipairs(redis.call('ZRANGE', key, 0, -1)) do
        found[#found + 1] = {key, user}
    end
end
return found
"""


DESK = desk.prefix("main") + desk.Key.DESK


class Fleet:
    """Runs while it is used as a context manager; to a device it is one server of many doors."""

    def __init__(self, database: str, servers: int = 2, workers: int = 2, seed: int = 0) -> None:
        self._database = database
        self._servers = servers
        self._workers = workers
        self._doors = random.Random(seed)
        self._waiting = threading.Event()
        self.redis = RedisServer()
        self.strikes: Counter[str] = Counter()

    def __enter__(self) -> Fleet:
        with ExitStack() as stack:
            stack.enter_context(self.redis)
            around: Any = SimpleNamespace(
                port=self.redis.port, tls=None, url="", ws_url="", token=""
            )
            self.proxy = stack.enter_context(FaultProxy(around))
            start = real(self._database, self._workers, self.redis.url_at(self.proxy.port))
            self.victims = [stack.enter_context(Victim(start)) for _ in range(self._servers)]
            self._watch = stack.enter_context(_Watch(self.redis))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self.redis.resume()
        self._stack.close()

    @property
    def ws_url(self) -> str:
        """That of any of the servers."""
        return self._doors.choice(self.victims).server.ws_url

    def token(self, role: str, sub: str) -> str:
        """One that every server accepts."""
        return self.victims[0].token(role, sub)

    # ---- what is done to it --------------------------------------------

    def strike(self, chance: random.Random) -> str:
        """Kill something, or lame Redis; says what."""
        if chance.randrange(AT_REDIS) == 0:
            what = chance.choice([self._kill_redis, self._stop, self._empty, self._cut, self._hole])
            done = what(chance)
        elif chance.randrange(SERVERS) == 0:
            chance.choice(self.victims).kill_server()
            done = "a server"
        elif chance.randrange(RESTARTS) == 0:
            chance.choice(self.victims).server.signal(signal.SIGHUP)
            done = "a rolling restart"
        else:
            # Nobody waits for the next worker: there are others.
            server = chance.choice(self.victims).server
            pid = chance.choice(server.worker_pids)
            if (
                pid != server.process.pid
            ):  # which is named where all its workers were killed just now
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            done = "a worker"
        self.strikes[done] += 1
        return done

    def _kill_redis(self, chance: random.Random) -> str:
        self.redis.kill()
        self._pause(chance)
        self.redis.start()
        return "Redis killed"

    def _stop(self, chance: random.Random) -> str:
        with self.redis.paused():
            if chance.randrange(2):
                self._waiting.wait(STOPPED)
            else:
                self._pause(chance)
        return "Redis stopped"

    def _empty(self, chance: random.Random) -> str:
        self.redis.flush()
        return "Redis emptied"

    def _cut(self, chance: random.Random) -> str:
        self.proxy.reset(chance.choice([TO_CLIENT, BOTH]))
        return "connections cut"

    def _hole(self, chance: random.Random) -> str:
        self.proxy.black_hole(TO_CLIENT)
        self._pause(chance)
        self.proxy.reset()
        self.proxy.heal()
        return "answers lost"

    def _pause(self, chance: random.Random) -> None:
        self._waiting.wait(chance.uniform(*STILL))

    # ---- the end -------------------------------------------------------

    def settle(self) -> list[str]:
        """Nothing more is done to it. What was wrong at any instant."""
        return self._watch.wrong

    @property
    def log(self) -> str:
        """All that was ever written."""
        logs = [f"---- server {i}\n{one.log}" for i, one in enumerate(self.victims)]
        return "\n".join(logs)


class _Watch:
    """Looks at the desk in a thread of its own.

    A desk that has lost everything takes up each conversation that somebody remembers, however
    many a waiter has: a handover of just before may be forgotten. That is not wrong.
    """

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self.wrong: list[str] = []
        self.looks = 0
        self._matches = 0
        #: waiters and users, in this life of the desk and in earlier ones
        self._met: set[tuple[bytes, bytes]] = set()
        self._met_before: set[tuple[bytes, bytes]] = set()

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        with contextlib.closing(self._server.client()) as client:
            look: Callable[[], Any] = client.register_script(CHATS)
            while not self._ended.wait(LOOK):
                with contextlib.suppress(redis.RedisError):
                    matches, *conversations = look([DESK], [desk.Counter.MATCHES])
                    self._judge(matches, [(waiter, user) for waiter, user in conversations])

    def _judge(self, matches: int, conversations: list[tuple[bytes, bytes]]) -> None:
        self.looks += 1
        if matches < self._matches:  # it has lost everything
            self._met_before |= self._met
        self._matches = matches
        self._met.update(conversations)
        taken_up = Counter(waiter for waiter, _ in self._met_before.intersection(conversations))
        for waiter, count in Counter(waiter for waiter, _ in conversations).items():
            if count > CAPACITY and count - CAPACITY > taken_up[waiter]:
                self.wrong.append(f"{waiter!r} serves {count}")
        for user, count in Counter(user for _, user in conversations).items():
            if count > 1:
                self.wrong.append(f"{user!r} has {count} waiters")
