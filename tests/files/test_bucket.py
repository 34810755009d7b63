"""Content in a bucket, over HTTP, in a server of that kind that runs as a process of its own."""

from __future__ import annotations

import http
import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from services import file_places
from services.files import pieces
from services.files.bucket import BucketStore
from services.files.choose import content_store
from services.files.port import ALWAYS, ContentStore, FilesUnavailable
from services.files.uploads import Files
from services.history.files import FileTables
from services.history.sql import SQLStore
from testkit.ports import free_port

from .conformance import ID, ContentStoreCases, put
from .conftest import Clock, settings
from .test_uploads import TEXT_FILE, everything, kept


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


# ---- many at once ----------------------------------------------------------------


class Relay(BaseHTTPRequestHandler):
    """Passes requests on to the bucket's server and notes them."""

    protocol_version = "HTTP/1.1"
    #: where that server is
    behind = ""
    seen: list[str]

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.seen.append(self.command)
        status, data = self._ask(body)
        self.send_response(status)
        if status != http.HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _ask(self, body: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(urlsplit(self.behind).netloc)
        try:
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    do_POST = do_DELETE = _pass_on  # as `http.server` calls them

    def log_message(self, *_: object) -> None:
        pass


def test_many_keys_are_deleted_in_one_request(bucket: BucketStore, address: str, endpoint: str):
    keys = [put(bucket, pieces.key_of(ID, n, 1), b"x") for n in range(20)]
    values = {"behind": endpoint, "seen": []}
    relay = type("Relay", (Relay,), values)
    with ThreadingHTTPServer(("127.0.0.1", 0), relay) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            url = address.replace(endpoint, f"http://127.0.0.1:{server.server_port}")
            BucketStore(file_places.read(url)).delete([*keys, f"content/{ID}"])
        finally:
            server.shutdown()
            thread.join()
    assert list(bucket.older_than("piece/", ALWAYS)) == []
    assert relay.seen == ["POST"]
