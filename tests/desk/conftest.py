"""What the desks' tests share: a real Redis, and assertions that explain themselves."""

from collections.abc import Iterator

import pytest

from testkit.redis import RedisServer

pytest.register_assert_rewrite(
    "tests.desk.conformance",
    "tests.desk.crew",
    "tests.desk.crowd",
    "tests.desk.helpers",
    "tests.desk.stateful",
)


@pytest.fixture(scope="session")
def server() -> Iterator[RedisServer]:
    """The Redis that the tests share; each test has a desk of its own on it."""
    with RedisServer() as server:
        yield server
