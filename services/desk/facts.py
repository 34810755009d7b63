"""How a Redis is set up, for those who run it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import redis

from .redis import TIMEOUT, client


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """What could be found out; the rest is empty."""

    #: why it cannot be used, in one line without the password; empty: it can
    problem: str = ""
    version: tuple[int, ...] = ()
    #: it takes no changes
    replica: bool = False
    #: bytes; 0: no limit
    max_memory: int = 0
    used_memory: int = 0
    #: what it throws away when that is reached
    policy: str = "noeviction"
    #: it writes to a disk, now and then or all the time
    persists: bool = True
    #: s by which its clock is before ours
    clock_ahead: float = 0.0


def look(url: str, *, timeout: float = TIMEOUT, now: Callable[[], float] = time.time) -> RedisFacts:
    """Look at the Redis at *url*; nothing is changed. Blocks, for some seconds at most."""
    try:
        with contextlib.closing(client(url, timeout, decode_responses=True)) as line:
            return _asked(line, now)
    except (redis.RedisError, ValueError, TypeError) as error:
        return RedisFacts(f"{type(error).__name__}: {error}".splitlines()[0])


def _asked(line: Any, now: Callable[[], float]) -> RedisFacts:
    info = line.info()
    before = now()
    seconds, micros = line.time()
    return RedisFacts(
        version=tuple(int(part) for part in str(info["redis_version"]).split(".")[:2]),
        replica=info["role"] != "master",
        max_memory=int(info["maxmemory"]),
        used_memory=int(info["used_memory"]),
        policy=str(info["maxmemory_policy"]),
        persists=bool(info["aof_enabled"]) or _saves(line),
        clock_ahead=seconds + micros / 1_000_000 - (before + now()) / 2,
    )


def _saves(line: Any) -> bool:
    """Whether it writes snapshots; taken for granted where it does not say."""
    try:
        return bool(line.config_get("save").get("save", "taken for granted"))
    except redis.ResponseError:  # an ACL, or a provider's Redis
        return True
