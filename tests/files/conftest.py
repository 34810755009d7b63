"""Files of a site in a folder or a bucket, on both databases, with a clock of the test.

The bucket is in a server of that kind, which runs as a process of its own.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import urllib.request
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
from testkit.ports import free_port

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
    """Where the server is reached."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    for line in process.stderr:
        if b"Running on" in line:
            break
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()
        process.stderr.close()


@pytest.fixture
def address(endpoint: str) -> str:
    """The URL of a new bucket."""
    bucket = f"files-{next(_numbers)}"
    request = urllib.request.Request(f"{endpoint}/{bucket}", method="PUT")
    urllib.request.urlopen(request).close()
    return f"s3://key:s%2Fcret@{bucket}/chat/live?endpoint={endpoint}&region=us-east-1"


@pytest.fixture
def bucket(address: str) -> ContentStore:
    place = file_places.read(address)
    assert isinstance(place, file_places.Bucket)
    return BucketStore(place)
