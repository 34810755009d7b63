"""`Files`: what doors, handlers and commands do with files.

An upload comes in pieces. `add` stores each one and then counts it; `finish` joins those that
were counted, judges what they make, stores the content and only then says in the row that the
file is kept. A process may die between any two of these: what it leaves is swept
(`history/files.py` says when), and an upload goes on behind the last piece that was counted.

Everything here blocks and is called through `runtime.blocking`.
"""

from __future__ import annotations

import contextlib
import io
import logging
import secrets
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, cast

from ..file_places import IMAGES
from ..history.files import HOUR, FileRow, FileTables
from ..history.slices import BATCH
from ..runtime import Runtime
from ..seldom import Seldom
from ..settings import Settings
from . import names, whose
from .errors import CheckFailed, Moved, Rejected, Unknown
from .folder import DRAFTS
from .incoming import Incoming
from .judge import judge
from .pieces import chain, key_of
from .port import ALWAYS, ContentStore, FilesUnavailable, NoContent

if TYPE_CHECKING:
    from .images import Picture

log = logging.getLogger("csapp")

PIECE = 1 << 20  # bytes that are put at once

AT_ONCE = 2  # files that are finished at once, in one worker

#: the host's look at a file: None, or why it is not taken
Check = Callable[[Incoming], str | None]


@dataclass(frozen=True)
class Described:
    """A file, as its author and readers are told."""

    file: str
    name: str
    #: bytes
    size: int
    mime: str
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True)
class Stored:
    """Content that can be read."""

    #: bytes
    size: int
    mime: str
    #: `read(start, length)`: at most *length* bytes. Raises `FilesUnavailable`, `NoContent`
    read: Callable[[int, int], bytes]


class Files:
    """The files of a site: their rows in *tables*, their content in *contents*.

    All methods raise `StoreError` or `FilesUnavailable` while either is down. *now*: ms since
    1970. *count* is told what has become of each upload, and how many bytes are kept.
    """

    def __init__(
        self,
        tables: FileTables,
        contents: ContentStore,
        settings: Settings,
        now: Callable[[], int],
        count: Callable[[str, int], None] = lambda outcome, size: None,
    ) -> None:
        self.tables = tables
        self.contents = contents
        self.max_file = settings.max_file
        self.types = settings.file_types
        self._now = now
        self._count = count
        self._say = Seldom(log)
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        self._is_checked = False

    # ---- an upload -----------------------------------------------------

    def begin(  # what is known of an upload at its beginning
        self, chat: int, side: int, author: str, upload: str | None, name: str, size: int
    ) -> FileRow:
        """A new upload of *size* bytes; or the one that this author has called *upload* before.

        Raises `Rejected`.
        """
        if size < 1:
            raise Rejected("type", "the file is empty")
        if size > self.max_file:
            raise Rejected("too_large", f"a file has at most {self.max_file:,} bytes")
        self._check_store()
        now, key = self._now(), secrets.token_urlsafe(16)
        row = FileRow(
            key, chat, side, author, upload, names.cleaned(name), size, created=now, changed=now
        )
        return self.tables.begin(row)

    def add(self, row: FileRow, offset: int, data: bytes) -> FileRow:
        """Store the bytes at *offset*, where the upload has come as far as that.

        Raises `Moved` where it has not, also because another request was faster;
        `Rejected` for more bytes than were announced; `Unknown`.
        """
        if row.kept or offset != row.received:
            raise Moved(row.received)
        if not data:
            return row
        end = offset + len(data)
        if end > row.size:
            raise Rejected("too_large", f"it has more bytes than the {row.size:,} announced")
        self._check_store()
        for start in range(0, len(data), PIECE):
            some = data[start : start + PIECE]
            key = key_of(row.id, offset + start, len(some))
            self.contents.put(key, io.BytesIO(some), len(some))
        now = self._now()
        if not self.tables.advance(row.id, offset, end, now):
            found = self.tables.find(row.id)
            if found is None:
                raise Unknown("the upload is gone")
            raise Moved(found.received)
        return row._replace(received=end, changed=now)

    def finish(self, row: FileRow, check: Check | None = None) -> Described:
        """Keep what has come whole; once more, it is only described.

        Raises `Rejected` or `CheckFailed`, and then nothing of it is left; `Moved` where it has
        not come to its end; `Unknown`.
        """
        found = self.tables.find(row.id)
        if found is None:
            raise Unknown("the upload is gone")
        if found.kept:
            return self.described(found)
        if found.received != found.size:
            raise Moved(found.received)
        self._check_store()
        try:
            kept = self._keep(found, check)
        except (Rejected, CheckFailed) as error:
            outcome = error.code if isinstance(error, Rejected) else "failed"
            self._count(outcome, 0)
            self.cancel(found)
            raise
        except NoContent:  # another request was faster, and has deleted the pieces
            kept = None
        return kept if kept is not None else self._kept_meanwhile(row)

    def _kept_meanwhile(self, row: FileRow) -> Described:
        """What another request has made of it. Raises `Unknown`."""
        found = self.tables.find(row.id)
        if found is None:
            raise Unknown("the upload is gone")
        if not found.kept:
            raise FilesUnavailable(f"pieces of the upload {row.id} are missing")
        return self.described(found)

    def finish_in_turn(
        self, runtime: Runtime, row: FileRow, check: Check | None = None
    ) -> Described:
        """`finish` in a native thread, a few at once: images take memory and time. Waits."""
        with self._turns:
            done: Described = runtime.blocking(self.finish, row, check)
            return done

    def _keep(self, row: FileRow, check: Check | None) -> Described | None:
        """None: it was kept or removed meanwhile."""
        with contextlib.ExitStack() as stack:
            content = cast(BinaryIO, stack.enter_context(tempfile.TemporaryFile()))
            self._join(row, content)
            mime = judge(content, self.types)
            picture = self._picture(content, mime)
            if picture is not None:
                content = stack.enter_context(picture.content)
            name, size = names.suited(row.name, mime), content.seek(0, io.SEEK_END)
            if check is not None:
                self._ask(check, Incoming.of(row, name, mime, size, content))
            content.seek(0)
            self.contents.put(f"content/{row.id}", content, size)
            if picture is not None:
                thumb = picture.thumb
                self.contents.put(f"thumb/{row.id}", io.BytesIO(thumb), len(thumb))
        width, height = (picture.width, picture.height) if picture is not None else (None, None)
        if not self.tables.keep(
            row.id, name=name, size=size, mime=mime, width=width, height=height,
            thumb=picture is not None, now=self._now(),
        ):  # fmt: skip
            return None
        self._count("kept", size)
        self._delete_quietly(self._pieces(row.id))
        return Described(row.id, name, size, mime, width, height)

    @staticmethod
    def _picture(content: BinaryIO, mime: str) -> Picture | None:
        """An image made anew; None: it is no image. Raises `Rejected`."""
        if mime not in IMAGES:
            return None
        from .images import clean  # Pillow is loaded with the first image

        return clean(content, mime)

    def _join(self, row: FileRow, content: BinaryIO) -> None:
        """Raises `NoContent` where pieces are missing."""
        for key in chain(self._pieces(row.id), row.size):
            content.write(self.contents.read(key))
        content.flush()
        if content.tell() != row.size:
            raise NoContent(row.id)

    @staticmethod
    def _ask(check: Check, incoming: Incoming) -> None:
        try:
            refusal = check(incoming)
        except Exception:
            log.exception("the host's check of a file failed; the file is not taken")
            raise CheckFailed("the host's check of a file failed") from None
        if refusal is not None:
            raise Rejected("refused", str(refusal))

    def cancel(self, row: FileRow) -> None:
        """Forget an upload, or a file that no message names."""
        self.tables.forget(row.id)
        found = self.tables.find(row.id)
        if found is not None:  # a message names it
            return
        try:
            self._remove([row.id])
        except FilesUnavailable as error:  # it is marked: it is tried again
            log.warning("a file that was not taken could not be deleted: %s", error)

    # ---- reading -------------------------------------------------------

    @staticmethod
    def described(row: FileRow) -> Described:
        """What *row* says of a file that is kept."""
        return Described(row.id, row.name, row.size, row.mime, row.width, row.height)

    def open(self, file: FileRow, thumb: bool = False) -> Stored:
        """The content of a file, or its thumbnail. Raises `NoContent`."""
        if not file.kept or (thumb and not file.thumb):
            raise NoContent(file.id)
        self._check_store()
        key = f"thumb/{file.id}" if thumb else f"content/{file.id}"
        mime = THUMB if thumb else file.mime
        return Stored(self.contents.size(key), mime, partial(self.contents.read, key))

    # ---- what goes -----------------------------------------------------

    def remove_marked(self) -> int:
        """Delete the content and then the rows of what is marked; returns how many files."""
        removed = 0
        while some := self.tables.marked():
            self._remove(some)
            removed += len(some)
        return removed

    def _remove(self, files: list[str]) -> None:
        self._check_store()
        for file in files:
            keys = [f"content/{file}", f"thumb/{file}", *self._pieces(file)]
            self.contents.delete(keys)
        self.tables.drop(files)

    def sweep(self, now: int | None = None) -> int:
        """Remove what no message names, and content that has no row; returns how many files.

        Only what is older than an hour goes.
        """
        before = (self._now() if now is None else now) - HOUR
        self.tables.mark_unnamed(before)
        self.tables.settle(before)
        return self.remove_marked() + self.sweep_orphans(before)

    def sweep_orphans(self, before: int) -> int:
        """Delete content that was stored *before* and has no row, and pieces of what is whole."""
        self._check_store()
        removed = 0
        for prefix in ("content/", "thumb/", "piece/", f"{DRAFTS}/"):
            for keys in _some(self.contents.older_than(prefix, before)):
                ids = sorted({key.split("/")[1] for key in keys})
                gone = self.tables.without_row(ids, coming=prefix == "piece/")
                orphans = [key for key in keys if key.split("/")[1] in gone]
                self.contents.delete(orphans)
                removed += len(orphans)
        return removed

    # ---- helpers -------------------------------------------------------

    def _check_store(self) -> None:
        """Raise `FilesUnavailable` where the folder or bucket is not that of this site."""
        if not self._is_checked:
            try:
                whose.check_place(self.contents, self.tables)
            except FilesUnavailable as error:
                self._say("place", logging.ERROR, "no files are stored or read: %s", error)
                raise
            self._is_checked = True

    def _pieces(self, file: str) -> list[str]:
        return list(self.contents.older_than(f"piece/{file}/", ALWAYS))

    def _delete_quietly(self, keys: list[str]) -> None:
        """What stays is swept."""
        try:
            self.contents.delete(keys)
        except FilesUnavailable as error:
            log.warning("pieces of a file that is whole could not be deleted: %s", error)


#: the type of all thumbnails
THUMB = "image/webp"


def _some(keys: Iterator[str]) -> Iterator[list[str]]:
    """*keys*, some at a time."""
    found: list[str] = []
    for key in keys:
        found.append(key)
        if len(found) == BATCH:
            yield found
            found = []
    if found:
        yield found
