"""Content in a bucket, over HTTP, in a server of that kind that runs as a process of its own."""

from __future__ import annotations

import itertools
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from services import file_places
from services.files.bucket import BucketStore
from services.files.choose import content_store
from services.files.port import ContentStore, FilesUnavailable
from services.files.uploads import Files
from services.history.files import FileTables
from services.history.sql import SQLStore
from testkit.ports import free_port

from .conformance import ContentStoreCases
from .conftest import Clock, settings
from .test_uploads import TEXT_FILE, everything, kept

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """Where the server is reached."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    for line in process.stderr:
        if b"Running on" in line:
            break
    try:
        yield url
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


class TestBucket(ContentStoreCases):
    @pytest.fixture
    def contents(self, bucket: ContentStore) -> ContentStore:
        return bucket


def test_the_settings_name_it(address: str):
    found = content_store(settings(files_url=address))
    assert isinstance(found, BucketStore)
    found.check()
    assert content_store(settings(files_url="off")) is None
    assert content_store(settings(database_url="off", files_url=address)) is None


def test_files_come_and_go(bucket: ContentStore, store: SQLStore, clock: Clock):
    files = Files(FileTables(store), bucket, settings(), clock)
    row = kept(files)
    assert files.open(row).read(6, 5) == TEXT_FILE[6:11]
    assert everything(files) == [f"content/{row.id}"]
    clock.hours(2)
    files.sweep(clock())
    assert everything(files) == []


def test_two_prefixes_share_a_bucket(address: str, bucket: ContentStore):
    import io

    other = BucketStore(file_places.read(address.replace("chat/live", "chat/test")))
    bucket.put("content/" + "a" * 22, io.BytesIO(b"x"), 1)
    assert list(other.older_than("content/", 1 << 62)) == []


def test_a_bucket_that_is_not_there_is_unavailable_and_no_secret_is_told(endpoint: str):
    place = file_places.read(f"s3://key:topsecret@nowhere/x?endpoint={endpoint}")
    with pytest.raises(FilesUnavailable) as refused:
        BucketStore(place).check()
    assert "nowhere" in str(refused.value)
    assert "topsecret" not in str(refused.value)


def test_a_server_that_is_away_is_unavailable(monkeypatch):
    monkeypatch.setattr("services.files.bucket.RETRIES", 0)
    place = file_places.read(f"s3://key:topsecret@files/x?endpoint=http://127.0.0.1:{free_port()}")
    contents = BucketStore(place)
    for use in (contents.check, lambda: contents.read("content/" + "a" * 22)):
        with pytest.raises(FilesUnavailable) as refused:
            use()
        assert "topsecret" not in str(refused.value)
