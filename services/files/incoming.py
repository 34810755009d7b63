"""A file as the host's `check_file` sees it, before it is kept."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from typing import IO, BinaryIO, cast

from ..conversation.kinds import Side
from ..conversation.rows import public_id
from ..history.files import FileRow


@dataclass(frozen=True)
class Incoming:
    """What somebody has sent, as it would be kept."""

    #: without a path and unfit characters
    name: str
    #: by what it holds
    mime: str
    #: bytes
    size: int
    #: who sends it, and as what: `user` or `waiter`
    subject: str
    role: str
    #: into which conversation, by its id
    conversation: str
    _spool: IO[bytes] = field(repr=False, compare=False)

    @classmethod
    def of(cls, row: FileRow, name: str, mime: str, size: int, spool: IO[bytes]) -> Incoming:
        """The file of *row*, whose content is in *spool*."""
        role = "waiter" if row.side == Side.WAITER else "user"
        return cls(name, mime, size, row.author, role, public_id(row.chat), spool)

    def open(self) -> BinaryIO:
        """Its content, from the beginning. Each call opens it anew; read it during the check."""
        return cast(BinaryIO, io.BufferedReader(_View(self._spool.fileno())))


class _View(io.RawIOBase):
    """Reads a file without moving the place at which others read it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]  # as in typeshed
        data = os.pread(self._descriptor, len(buffer), self._place)
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        ends = {
            os.SEEK_SET: 0,
            os.SEEK_CUR: self._place,
            os.SEEK_END: os.fstat(self._descriptor).st_size,
        }
        self._place = max(0, ends[whence] + offset)
        return self._place
