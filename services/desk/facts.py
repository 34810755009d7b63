"""How a Redis is set up, for those who run it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import redis

from .redis_client import TIMEOUT, client


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """What could be found out; the rest is empty."""

    #: why it cannot be used, on one line without the password; empty: it can
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
        with contextlib.closing(client(url, timeout, decode_responses=True)) as server:
            return _asked(server, now)
    except (redis.RedisError, ValueError, TypeError) as error:
        return RedisFacts(f"{type(error).__name__}: {error}".splitlines()[0])


def _asked(server: Any, now: Callable[[], float]) -> RedisFacts:
    info = server.info()
    before = now()
    seconds, micros = server.time()
    saves = _saves(server)
    keeps_all = bool(info["aof_enabled"])
    needed = ["BGREWRITEAOF"] * keeps_all + ["BGSAVE"] * saves
    return RedisFacts(
        version=tuple(int(part) for part in str(info["redis_version"]).split(".")[:2]),
        replica=info["role"] != "master",
        max_memory=int(info["maxmemory"]),
        used_memory=int(info["used_memory"]),
        policy=str(info["maxmemory_policy"]),
        persists=keeps_all or saves,
        forbidden=tuple(name for name in needed if not _may(server, name)),
        rewrites=not keeps_all or _setting(server, "auto-aof-rewrite-percentage") != "0",
        clock_ahead=seconds + micros / 1_000_000 - (before + now()) / 2,
    )


def _saves(server: Any) -> bool:
    """Whether it writes snapshots; taken for granted where it does not say."""
    return _setting(server, "save") != ""


def _setting(server: Any, name: str) -> str | None:
    """None: it does not say."""
    try:
        found = server.config_get(name).get(name)
    except redis.ResponseError:  # an ACL, or a provider's Redis
        return None
    return None if found is None else str(found)


def _may(server: Any, command: str) -> bool:
    """Whether our user may run *command*; taken for granted where Redis does not say (before 7)."""
    try:
        return server.execute_command("ACL", "DRYRUN", server.acl_whoami(), command) in (
            "OK",
            b"OK",
        )
    except redis.ResponseError as error:
        return f"command '{command}' not found".lower() not in str(error).lower()
