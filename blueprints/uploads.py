"""Takes what a form uploads into the store of files, some bytes at a time.

An upload with an id of its sender's can be resumed: what has come is stored and counted before
more is read, and a later request goes on behind it. One without an id is taken as a whole or
not at all.
"""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple, TypeVar

from services.bounds import UNFINISHED, UNNAMED
from services.conversation.kinds import Side
from services.conversation.rows import ConversationRow, key_of
from services.files.errors import Moved, Rejected, Unknown
from services.files.uploads import Check, Described, Files
from services.history.files import FileRow
from services.history.rights import may_write
from services.security_log import Event, security
from services.server import ChatServer
from services.wire.codes import ErrorCode, HTTPRefusal

from .multipart import Cut, FileForm, FormError

#: bytes that are stored at once
SOME = 262_144

#: s to the first look whether a conversation that has begun is stored; each pause is twice as
#: long as the one before, up to the longest
COMMIT = 0.01
LONGEST_PAUSE = 0.64

#: s after which whoever has too much that is unfinished, or that no message names, may try again
ROOM = 60

_UPLOAD = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NUMBER = re.compile(r"[0-9]{1,15}")

_STATUS = {
    "too_large": (413, ErrorCode.TOO_LARGE),
    "type": (415, ErrorCode.UNSUPPORTED),
    "image": (422, ErrorCode.INVALID_FILE),
    "refused": (422, ErrorCode.REFUSED),
}

T = TypeVar("T")


class Sender(NamedTuple):
    """Who uploads something."""

    side: Side
    subject: str
    address: str

    @property
    def whose(self) -> str:
        """As bounds name the participant."""
        return f"{self.side.name.lower()}:{self.subject}"


class Asked(NamedTuple):
    """What a form says of its file."""

    chat: int
    #: None: it is taken as a whole or not at all
    upload: str | None
    #: bytes of the whole file, and of those that the server has; 0 without `upload`
    size: int
    offset: int
    name: str

    @classmethod
    def of(cls, form: FileForm) -> Asked:
        """What *form*, which has begun, says. Raises `FormError`."""
        fields = dict(form.fields)
        chat = key_of(fields.pop("conversation", ""))
        upload, size = fields.pop("upload", None), fields.pop("size", None)
        offset = fields.pop("offset", "0")
        if chat is None:
            raise FormError("conversation: its id is required, before the file")
        if fields:
            raise FormError(f"{next(iter(fields)):.50}: nobody knows what this is")
        if upload is None:
            return cls(chat, None, 0, 0, form.filename)
        if not _UPLOAD.fullmatch(upload):
            raise FormError("upload: 1 to 64 letters, digits, - and _")
        if size is None or not _NUMBER.fullmatch(size):
            raise FormError("size: the bytes of the whole file are required, before it")
        if not _NUMBER.fullmatch(offset) or int(offset) > int(size):
            raise FormError("offset: at most `size` bytes")
        return cls(chat, upload, int(size), int(offset), form.filename)


def refusal_of(error: Rejected) -> HTTPRefusal:
    """The answer to a file that is not taken."""
    status, code = _STATUS[error.code]
    return HTTPRefusal(status, code, error.message)


def no_such_file() -> HTTPRefusal:
    """One sentence for another's file and for none, so that nobody learns which it is."""
    return HTTPRefusal(404, ErrorCode.NO_SUCH_FILE, "there is no such file of yours")


class Reception:
    """Takes one form of *sender*."""

    def __init__(
        self, server: ChatServer, files: Files, sender: Sender, check: Check | None
    ) -> None:
        self._server = server
        self._files = files
        self._sender = sender
        self._check = check

    def take(self, form: FileForm) -> Described | FileRow:
        """The file, once it is whole; else the upload, as far as it has come.

        Raises `HTTPRefusal`, `FormError`, `Cut`, and `Unavailable`.
        """
        try:
            form.begin()
            asked = Asked.of(form)
            self._check_size(asked.size)
            if asked.upload is None:
                return self._take_whole(form, asked)
            return self._take_part(form, asked)
        except Moved as error:
            raise _moved(error.received) from None
        except Rejected as error:
            raise refusal_of(error) from None
        except Unknown:
            raise no_such_file() from None

    # ---- with an id ----------------------------------------------------

    def _take_part(self, form: FileForm, asked: Asked) -> Described | FileRow:
        side, subject, _ = self._sender
        row = self._blocking(self._files.tables.find_upload, side, subject, asked.upload)
        if row is None:
            if asked.offset:
                raise _moved(0)
            row = self._begin(asked, asked.size)
        self._check_same(row, asked)
        if row.kept:
            return self._files.described(row)
        if row.received != asked.offset:
            raise _moved(row.received)
        row = self._add(row, form.content())
        return self._finish(row) if row.received == row.size else row

    @staticmethod
    def _check_same(row: FileRow, asked: Asked) -> None:
        if row.chat != asked.chat or (row.size != asked.size and not row.kept):
            what = "upload: this one is of another conversation, or of another size"
            raise HTTPRefusal(409, ErrorCode.ID_CONFLICT, what)

    def _add(self, row: FileRow, content: Iterator[bytes]) -> FileRow:
        """Store *content* behind what has come; also what comes before it is cut off."""
        for some in _in_pieces(content):
            if row.received + len(some) > row.size:
                self._blocking(self._files.cancel, row)
                what = f"file: it has more bytes than `size`, {row.size:,}"
                raise HTTPRefusal(413, ErrorCode.TOO_LARGE, what)
            self._count(len(some))
            row = self._blocking(self._files.add, row, row.received, some)
        return row

    # ---- without -------------------------------------------------------

    def _take_whole(self, form: FileForm, asked: Asked) -> Described:
        self._await_conversation(asked.chat)
        with tempfile.TemporaryFile() as spool:
            size = 0
            for some in _in_pieces(form.content()):
                size += len(some)
                self._check_size(size)
                self._count(len(some))
                self._blocking(spool.write, some)
            if not form.is_whole:
                raise Cut("the file has not come to its end")
            row = self._begin(asked, size)
            self._blocking(spool.seek, 0)
            return self._finish(self._copy(row, spool))

    def _copy(self, row: FileRow, spool: IO[bytes]) -> FileRow:
        while some := self._blocking(spool.read, SOME):
            row = self._blocking(self._files.add, row, row.received, some)
        return row

    # ---- both ----------------------------------------------------------

    def _begin(self, asked: Asked, size: int) -> FileRow:
        self._await_conversation(asked.chat)
        self._check_room(size)
        side, subject, _ = self._sender
        row: FileRow = self._blocking(
            self._files.begin, asked.chat, side, subject, asked.upload, asked.name, size
        )
        return row

    def _finish(self, row: FileRow) -> Described:
        try:
            return self._files.finish_in_turn(self._server.runtime, row, self._check)
        except Rejected as error:  # not for its size, but for what it holds
            self._log_refusal(error)
            raise

    def _log_refusal(self, error: Rejected) -> None:
        """Neither the name of the file nor what the host says to the visitor is for this log."""
        side, subject, address = self._sender
        reason = error.message if error.code == "type" else error.code
        security.record(
            Event.FILE_REFUSED, subject=subject, role=side.name.lower(), address=address,
            reason=reason,
        )  # fmt: skip

    def _check_size(self, size: int) -> None:
        most = self._server.settings.max_file
        if size > most:
            what = f"file: at most {most:,} bytes"
            raise HTTPRefusal(413, ErrorCode.TOO_LARGE, what)

    def _check_room(self, size: int) -> None:
        """Raise `HTTPRefusal` where the sender has too much that is not done with."""
        side, subject, _ = self._sender
        if not self._server.bounds.allow_upload(self._sender.whose):
            raise HTTPRefusal.too_many("too many uploads in too short a time")
        coming, stored = self._blocking(self._files.tables.unnamed, side, subject)
        most = UNNAMED * self._server.settings.max_file
        if coming >= UNFINISHED or stored + size > most:
            what = f"too much at once: {UNFINISHED} uploads, and {most:,} bytes that nothing names"
            raise HTTPRefusal.too_many(what, ROOM)

    def _count(self, size: int) -> None:
        """Count bytes of the sender. Raises `HTTPRefusal` for too many within an hour."""
        pause = self._server.bounds.file_pause(self._sender.whose, self._sender.address, size)
        if pause:
            what = "too many bytes of files in an hour; what has come is kept"
            raise HTTPRefusal.too_many(what, math.ceil(pause))

    def _await_conversation(self, chat: int) -> None:
        """Return once the sender may write there: a row may be stored a moment after its match.

        Raises `HTTPRefusal` (403).
        """
        store, (side, subject, _) = self._server.store, self._sender
        assert store is not None  # noqa: S101  # there are no files without one
        pause = COMMIT
        while True:
            row: ConversationRow | None = self._blocking(store.conversation, chat)
            if row is not None and may_write(row, side, subject):
                return
            if pause > LONGEST_PAUSE or (row is not None and row.ended is not None):
                what = "conversation: none of yours that is open is called so"
                raise HTTPRefusal(403, ErrorCode.FORBIDDEN, what)
            self._server.runtime.sleep(pause)
            pause *= 2

    def _blocking(self, function: Callable[..., T], *args: Any) -> T:
        result: T = self._server.runtime.blocking(function, *args)
        return result


def _in_pieces(content: Iterator[bytes]) -> Iterator[bytes]:
    """*content*, up to `SOME` bytes at once, up to its end or to where it is cut off."""
    held = bytearray()
    try:
        for data in content:
            held += data
            while len(held) >= SOME:
                yield bytes(held[:SOME])
                del held[:SOME]
    except Cut:
        pass  # what came counts
    if held:
        yield bytes(held)


def _moved(received: int) -> HTTPRefusal:
    what = f"offset: {received} bytes of this upload have come"
    return HTTPRefusal(409, ErrorCode.ID_CONFLICT, what, details={"offset": received})
