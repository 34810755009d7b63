"""Removes from Redis what is left of somebody who was erased, or says what is to be done.

The desk forgets a participant that has left, and a worker deletes with its next tick what
it has read of its mailbox (`lua/tick.lua`). Redis may have written either to its disk: this
module has Redis write its files anew.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import redis

from .events import Role
from .redis import LEASE
from .redis_client import client
from .vocabulary import Key

log = logging.getLogger("csapp.desk")

TIMEOUT = 10.0  # s for one answer: a Redis that begins to write a copy stands still for a while
LOOK = 0.1  # s between two looks
READ = LEASE + 5.0  # s until all workers have read their mailboxes, or have been given up
WRITTEN = 300.0  # s until Redis has written its file anew

#: the keys of all desks of csapp
OURS = "csapp:{*"

_AOF = (
    "Redis's append-only file keeps traces until it is rewritten: run BGREWRITEAOF there, or wait "
    "until Redis does it by itself."
)
_RDB = "Redis's snapshot (RDB) keeps traces until the next one: run BGSAVE there."


def remove_traces(
    url: str,
    subject: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.monotonic,
) -> tuple[str, ...]:
    """Have the Redis at *url* forget what is over; what is left of *subject*, a sentence each."""
    try:
        with contextlib.closing(client(url, TIMEOUT)) as server:
            return tuple(_Traces(server, sleep, now).remove(subject))
    except redis.RedisError as error:
        return (
            f"Redis could not be reached ({type(error).__name__}): its mailboxes and files may "
            "keep traces. Erase once more when it is back.",
        )


class _Traces:
    def __init__(
        self, server: Any, sleep: Callable[[float], None], now: Callable[[], float]
    ) -> None:
        self._redis = server
        self._sleep = sleep
        self._now = now

    def remove(self, subject: str) -> Iterator[str]:
        seconds, micros = self._redis.time()
        if not self._wait(lambda: self._are_read(seconds * 1000 + micros // 1000), READ):
            yield (
                "A worker has not read its mailbox in Redis yet: texts stay there until it does. "
                "Erase once more when all workers are well."
            )
        if self._stands(subject):
            yield (
                "The desk in Redis still knows the person, who has come back or has not been let "
                "go of yet. Erase once more in a minute."
            )
        yield from self._forget_slow_commands()
        yield from self._rewrite()

    def _wait(self, is_done: Callable[[], bool], seconds: float) -> bool:
        end = self._now() + seconds
        while not is_done():
            if self._now() >= end:
                return False
            self._sleep(LOOK)
        return True

    def _are_read(self, before: int) -> bool:
        """Whether no mailbox holds a letter that was posted *before* (ms)."""
        for box in self._redis.scan_iter(match=f"{OURS}}}:{Key.MAILBOX}*", count=1000):
            first = self._redis.xrange(box, count=1)
            if first and int(first[0][0].partition(b"-")[0]) < before:
                return False
        return True

    def _stands(self, subject: str) -> bool:
        return any(
            self._redis.hexists(key, f"{role}:{subject}")
            for key in self._redis.scan_iter(match=f"{OURS}}}:{Key.STANDING}", count=1000)
            for role in Role
        )

    def _forget_slow_commands(self) -> Iterator[str]:
        """Commands that were slow stay in a list with their arguments: names, and texts."""
        try:
            if any(b"csapp:{" in entry["command"] for entry in self._redis.slowlog_get(128)):
                self._redis.slowlog_reset()
        except redis.ResponseError:
            yield "Redis's list of slow commands may quote what was said: run SLOWLOG RESET there."

    def _rewrite(self) -> Iterator[str]:
        info = self._redis.info("persistence")
        if info["aof_enabled"] and not self._write_anew(
            "bgrewriteaof", "aof_last_bgrewrite_status", info
        ):
            yield _AOF
        if self._keeps_snapshots(info) and not self._write_anew(
            "bgsave", "rdb_last_bgsave_status", info
        ):
            yield _RDB
        if self._redis.info("replication").get("connected_slaves"):
            yield "Rewrite the files of Redis's replicas as well (BGREWRITEAOF or BGSAVE there)."

    def _keeps_snapshots(self, info: dict[str, Any]) -> bool:
        try:
            automatic = any(self._redis.config_get("save").values())
        except redis.ResponseError:  # it is forbidden: be careful
            automatic = True
        return automatic or int(info["rdb_last_bgsave_time_sec"]) >= 0

    def _write_anew(self, command: str, status: str, info: dict[str, Any]) -> bool:
        """Whether a file was written that was begun after all was deleted."""

        def rests() -> bool:
            info.update(self._redis.info("persistence"))
            return not (
                info["aof_rewrite_in_progress"]
                or info["rdb_bgsave_in_progress"]
                or info["aof_rewrite_scheduled"]
            )

        try:
            if not self._wait(rests, WRITTEN):
                return False
            getattr(self._redis, command)()
            return self._wait(rests, WRITTEN) and info[status] == "ok"
        except redis.ResponseError as error:
            log.info("Redis does not %s: %s", command, type(error).__name__)
            return False


def has_workers(url: str) -> bool:
    """Whether a worker holds a lease on a desk in the Redis at *url*; True if that is unknown."""
    try:
        with contextlib.closing(client(url, TIMEOUT)) as server:
            keys = server.scan_iter(match=f"{OURS}}}:{Key.WORKERS}", count=1000)
            return any(server.zcard(key) for key in keys)
    except redis.RedisError:
        return True
