"""Content in a bucket of a store that speaks S3. The only file that knows `obstore`."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, BinaryIO, cast

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from ..file_places import Bucket
from .port import FilesUnavailable, NoContent

if TYPE_CHECKING:  # only its stubs have it
    from obstore.store import S3Config

#: bytes up to which content is sent in one request; more is sent in parts of so many
PART = 8 << 20

#: below this are objects that say whose the bucket is
MARKS = "owner"

#: s that the store may take for one answer, and for all attempts at one
ANSWER = 20
ATTEMPTS = 60
RETRIES = 3


class BucketStore:
    """See `port.ContentStore`."""

    name = "bucket"

    def __init__(self, place: Bucket) -> None:
        self.place = place
        self.where = f"the bucket {place.name}/{place.prefix}".rstrip("/")
        config: S3Config = {
            "endpoint": place.endpoint,
            "region": place.region or ("us-east-1" if place.endpoint else ""),
            "access_key_id": place.key,
            "secret_access_key": place.secret,
        }
        self._store = S3Store(
            place.name,
            prefix=place.prefix.rstrip("/") or None,
            config=cast("S3Config", {name: value for name, value in config.items() if value}),
            client_options={
                "allow_http": place.endpoint.startswith("http:"),
                "timeout": timedelta(seconds=ANSWER),
            },
            retry_config={"max_retries": RETRIES, "retry_timeout": timedelta(seconds=ATTEMPTS)},
        )

    def put(self, key: str, content: BinaryIO, size: int) -> None:
        with self._failing():
            if size <= PART:
                whole = b"".join(_parts(content, size))
                obstore.put(self._store, key, whole, use_multipart=False)
            else:
                obstore.put(self._store, key, _parts(content, size), chunk_size=PART)

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        with self._failing(key):
            if length is None and not start:
                return bytes(obstore.get(self._store, key).bytes())
            size = self.size(key)
            end = size if length is None else min(size, start + length)
            if start >= end:
                return b""
            return bytes(obstore.get_range(self._store, key, start=start, end=end))

    def size(self, key: str) -> int:
        with self._failing(key):
            return int(obstore.head(self._store, key)["size"])

    def delete(self, keys: Iterable[str]) -> None:
        with self._failing(), contextlib.suppress(FileNotFoundError):
            obstore.delete(self._store, list(keys))  # a thousand in one request

    def older_than(self, prefix: str, before_ms: int) -> Iterator[str]:
        with self._failing():
            for some in obstore.list(self._store, prefix.rstrip("/")):
                for one in some:
                    is_old = one["last_modified"].timestamp() * 1000 < before_ms
                    if is_old and one["path"].startswith(prefix):
                        yield one["path"]

    def check(self) -> None:
        key = f"draft/check-{secrets.token_hex(8)}"
        with self._failing():
            obstore.put(self._store, key, b"csapp", use_multipart=False)
            obstore.get(self._store, key).bytes()
            obstore.delete(self._store, key)

    def marks(self) -> list[str]:
        with self._failing():
            found = [one["path"] for some in obstore.list(self._store, MARKS) for one in some]
        return sorted(path.rpartition("/")[2] for path in found)

    def mark(self, name: str) -> None:
        with self._failing():  # no condition: not all stores know one
            obstore.put(self._store, f"{MARKS}/{name}", b"csapp", use_multipart=False)

    def how_to_mark(self, name: str) -> str:
        return f"store an object called {self.place.prefix}{MARKS}/{name}"

    def how_to_unmark(self) -> str:
        return f"delete the objects that begin with {self.place.prefix}{MARKS}/"

    @contextlib.contextmanager
    def _failing(self, reads: str = "") -> Iterator[None]:
        """*reads*: the key that is read, which may not be there."""
        try:
            yield
        except FileNotFoundError as error:
            if reads:
                raise NoContent(reads) from None
            raise FilesUnavailable(f"the bucket {self.place.name}: {_said(error)}") from None
        except (BaseError, OSError) as error:
            raise FilesUnavailable(
                f"files in the bucket {self.place.name}: {_said(error)}"
            ) from None


def _said(error: Exception) -> str:
    """*error* in one line, without the debug output behind it."""
    return " ".join(str(error).split("\n\nDebug source")[0].split())[:300]


def _parts(content: BinaryIO, size: int) -> Iterator[bytes]:
    left = size
    while left and (some := content.read(min(PART, left))):
        left -= len(some)
        yield some
    if left:
        raise OSError("the content is shorter than it should be")
