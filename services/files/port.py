"""Where the content of files is stored: what the folder and the bucket have in common.

Keys are made by csapp alone: `content/<id>`, `thumb/<id>`, `piece/<id>/<offset>-<length>`.
Everything here blocks and is called from native threads only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO, Protocol

from ..errors import CSAppError, Unavailable

#: ms since 1970: `older_than` this is everything
ALWAYS = 1 << 62


class FilesUnavailable(Unavailable):
    """The store of files cannot be used now."""

    public_reason = "files cannot be stored or read"


class NoContent(CSAppError):
    """There is nothing under this key."""


class ContentStore(Protocol):
    """Content by key. All methods raise `FilesUnavailable` while the store is down."""

    #: `folder` or `bucket`
    name: str
    #: what texts for operators call it; holds no secret
    where: str

    def put(self, key: str, content: BinaryIO, size: int) -> None:
        """Store the next *size* bytes of *content*, whole or not at all, and durably.

        What was under *key* is replaced.
        """

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """At most *length* bytes from *start*; none behind the end. Raises `NoContent`."""

    def size(self, key: str) -> int:
        """Bytes of the content. Raises `NoContent`."""

    def delete(self, keys: Iterable[str]) -> None:
        """Delete these; what is not there is no fault."""

    def older_than(self, prefix: str, before_ms: int) -> Iterator[str]:
        """The keys that begin with *prefix* and were stored before *before_ms* (since 1970)."""

    def check(self) -> None:
        """Write something, read and delete it. Raises `FilesUnavailable` with the reason."""

    def marks(self) -> list[str]:
        """What says whose this is (`whose.py`), in order; none: it is nobody's yet."""

    def mark(self, name: str) -> None:
        """Make a mark, durably. Another one, made meanwhile, may stay in its place or beside it.

        The next `marks` tells which.
        """

    def how_to_mark(self, name: str) -> str:
        """How an operator makes this mark, as a command."""

    def how_to_unmark(self) -> str:
        """How an operator takes all marks away, as a command."""
