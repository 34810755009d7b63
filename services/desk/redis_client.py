"""How Redis is reached."""

from __future__ import annotations

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

TIMEOUT = 2.0  # s: an answer takes a millisecond; what takes longer is not there


def client(url: str, timeout: float, **options: Any) -> redis.Redis:
    """A client that never tries twice: a repeated script would be a second change."""
    return redis.Redis.from_url(
        url,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        **options,
    )
