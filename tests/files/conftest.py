"""Files of a site in a folder or a bucket, on both databases, with a clock of the test.

The bucket is in a server of that kind, which runs as a process of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services import file_places
from services.files.bucket import BucketStore
from services.files.folder import FolderStore
from services.files.port import ContentStore
from services.files.uploads import Files
from services.history.files import FileTables
from services.history.sql import SQLStore
from services.settings import Settings

from .. import buckets

# pytest finds fixtures where they are named
from ..history.conftest import opened, store, url  # noqa: F401

_numbers = itertools.count(1)

BEGAN = 1_700_000_000_000

MakeFiles = Callable[..., Files]


class Clock:
    """ms since 1970, as the test says."""

    def __init__(self) -> None:
        self.ms = BEGAN

    def __call__(self) -> int:
        return self.ms

    def hours(self, count: float) -> None:
        self.ms += round(count * 3_600_000)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "files")


def settings(**values: object) -> Settings:
    config = {f"CSAPP_{name.upper()}": value for name, value in values.items()}
    return Settings.load({"CSAPP_SECRET_KEY": "s" * 32, **config})


@pytest.fixture
def files(store: SQLStore, folder: FolderStore, clock: Clock) -> Files:  # noqa: F811
    return Files(FileTables(store), folder, settings(), clock)


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """Where a store that speaks S3 is reached."""
    with buckets.serving() as endpoint:
        yield endpoint


@pytest.fixture
def address(endpoint: str) -> str:
    """The URL of a new bucket."""
    return buckets.made(endpoint, f"files-{next(_numbers)}")


@pytest.fixture
def bucket(address: str) -> ContentStore:
    place = file_places.read(address)
    assert isinstance(place, file_places.Bucket)
    return BucketStore(place)
