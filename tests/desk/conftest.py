"""What the desks' tests share: a real Redis, and assertions that explain themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from testkit.redis import RedisServer

if TYPE_CHECKING:
    from .helpers import Clock
    from .office import Office


@pytest.fixture
def clock() -> Clock:
    from .helpers import Clock  # not before its assertions are registered

    return Clock()


@pytest.fixture
def office(redis_server: RedisServer, clock: Clock) -> Iterator[Office]:
    from .office import Office

    office = Office(redis_server.url, clock)
    yield office
    office.close()


@pytest.fixture
def own_server() -> Iterator[RedisServer]:
    """A Redis to be broken."""
    with RedisServer() as server:
        yield server
