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
    #: commands that an erasure needs, and that this user may not run
    forbidden: tuple[str, ...] = ()
    #: it rewrites its append-only file by itself, or has none
    rewrites: bool = True
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
    saves = _saves(line)
    keeps_all = bool(info["aof_enabled"])
    needed = ["BGREWRITEAOF"] * keeps_all + ["BGSAVE"] * saves
    return RedisFacts(
        version=tuple(int(part) for part in str(info["redis_version"]).split(".")[:2]),
        replica=info["role"] != "master",
        max_memory=int(info["maxmemory"]),
        used_memory=int(info["used_memory"]),
        policy=str(info["maxmemory_policy"]),
        persists=keeps_all or saves,
        forbidden=tuple(name for name in needed if not _may(line, name)),
        rewrites=not keeps_all or _setting(line, "auto-aof-rewrite-percentage") != "0",
        clock_ahead=seconds + micros / 1_000_000 - (before + now()) / 2,
    )


def _saves(line: Any) -> bool:
    """Whether it writes snapshots; taken for granted where it does not say."""
    return _setting(line, "save") != ""


def _setting(line: Any, name: str) -> str | None:
    """None: it does not say."""
    try:
        found = line.config_get(name).get(name)
    except redis.ResponseError:  # an ACL, or a provider's Redis
        return None
    return None if found is None else str(found)


def _may(line: Any, command: str) -> bool:
    """Whether our user may run *command*; taken for granted where Redis does not say (before 7)."""
    try:
        return line.execute_command("ACL", "DRYRUN", line.acl_whoami(), command) in ("OK", b"OK")
    except redis.ResponseError as error:
        return f"command '{command}' not found".lower() not in str(error).lower()
