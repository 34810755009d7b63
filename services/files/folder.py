"""Content in a folder of this machine, or in one that several machines have (NFS).

Rules of this file:

1. A path is made of a key, and a key of ids that csapp has drawn. Nothing that a client says
   is in a path.
2. Content is written into a draft, reaches the disk, and then gets its name. So what has a
   name is whole, also after a power cut.
3. Nothing here follows a symbolic link below the folder: who may write into the folder cannot
   make csapp read or write elsewhere.
4. Folder and files are for their owner only.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from ..whole_files import take_name
from .port import FilesUnavailable, NoContent

#: bytes that are copied at once
CHUNK = 262_144

#: the file that says whose the folder is
MARK = ".csapp-folder"

#: the folder of drafts, which is a prefix of keys as well: what a killed process leaves is swept
DRAFTS = "draft"

_KEY = re.compile(r"(content|thumb|piece|draft)/[A-Za-z0-9_-]{4,64}(/[0-9-]{1,40})?")
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_GONE = (errno.ENOENT, errno.ENOTDIR)


class FolderStore:
    """See `port.ContentStore`. Nothing is made before something is stored."""

    name = "folder"

    def __init__(self, root: Path) -> None:
        self.root = root
        self.where = str(root)

    def put(self, key: str, content: BinaryIO, size: int) -> None:
        path = self._path(key)
        with self._failing():
            self.make()
            draft = self._folder(self.root / DRAFTS) / secrets.token_hex(16)
            try:
                self._write(draft, content, size)
                self._give_name(draft, path)
            except BaseException:
                with contextlib.suppress(OSError):
                    draft.unlink(missing_ok=True)
                raise

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        with self._opened(key) as (descriptor, size):
            wanted = max(0, size - start)
            wanted = wanted if length is None else min(length, wanted)
            parts = []
            while wanted > 0 and (some := os.pread(descriptor, wanted, start)):
                parts.append(some)
                start, wanted = start + len(some), wanted - len(some)
            return b"".join(parts)

    def size(self, key: str) -> int:
        with self._opened(key) as (_, size):
            return size

    def delete(self, keys: Iterable[str]) -> None:
        with self._failing():
            for path in map(self._path, keys):
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    if self._is_within(path):
                        path.unlink()
                        self._tidy(path.parent)

    def older_than(self, prefix: str, before_ms: int) -> Iterator[str]:
        kind, _, rest = prefix.partition("/")
        top = self.root / kind
        with self._failing():
            if rest:
                start = top / rest[:2] / rest.rstrip("/")
                found = _files(start) if self._is_within(start / "any") else iter(())
            else:
                found = _files(top)
            for path, changed in found:
                key = self._key(path)
                if key is not None and key.startswith(prefix) and changed * 1000 < before_ms:
                    yield key

    def check(self) -> None:
        key = f"{DRAFTS}/check-{secrets.token_hex(8)}"
        with self._failing():
            self.make()
            path = self._folder(self.root / DRAFTS) / key.rpartition("/")[2]
            try:
                with os.fdopen(os.open(path, _NEW, 0o600), "wb") as file:
                    file.write(b"csapp")
            finally:
                path.unlink(missing_ok=True)

    # ---- whose it is -----------------------------------------------------

    def marks(self) -> list[str]:
        with self._failing():
            try:
                text = (self.root / MARK).read_text(encoding="ascii", errors="replace").strip()
            except FileNotFoundError:
                return []
            return [text] if text else []

    def mark(self, name: str) -> None:
        path = self.root / MARK
        draft = path.with_name(f"{MARK}.{secrets.token_hex(8)}")
        with self._failing():
            self.make()
            try:
                with os.fdopen(os.open(draft, _NEW, 0o600), "w") as file:
                    file.write(name)
                    file.flush()
                    os.fsync(file.fileno())
                with contextlib.suppress(FileExistsError):  # another worker was first
                    take_name(draft, path)
            finally:
                draft.unlink(missing_ok=True)
            _sync(self.root)

    def how_to_mark(self, name: str) -> str:
        return f"write {name} into {self.root / MARK}"

    def how_to_unmark(self) -> str:
        return f"delete {self.root / MARK}"

    # ---- the folder itself -----------------------------------------------

    def make(self) -> None:
        """Make the folder, where there is none. Raises `OSError`."""
        if not self.root.is_dir():
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            with contextlib.suppress(OSError), (self.root / ".gitignore").open("x") as file:
                file.write("# What people have sent does not belong in a repository.\n*\n")

    def free(self) -> int:
        """Bytes that may still be written. Raises `FilesUnavailable`."""
        with self._failing():
            folder = next(one for one in (self.root, *self.root.parents) if one.exists())
            return shutil.disk_usage(folder).free

    def path_of(self, key: str) -> Path | None:
        """The file under *key*, for a backup; None: there is none."""
        path = self._path(key)
        return path if self._is_within(path) and path.is_file() else None

    def _folder(self, folder: Path) -> Path:
        """Make *folder* below the root, which follows no link."""
        here = self.root
        for part in folder.relative_to(self.root).parts:
            parent, here = here, here / part
            with contextlib.suppress(FileExistsError):
                here.mkdir(mode=0o700)
                _sync(parent)
            if not stat.S_ISDIR(here.lstat().st_mode):
                raise NotADirectoryError(errno.ENOTDIR, "is no folder", str(here))
        return folder

    def _give_name(self, draft: Path, path: Path) -> None:
        try:
            self._folder(path.parent)
            draft.replace(path)
        except FileNotFoundError:  # somebody has removed the folder, which was empty
            self._folder(path.parent)
            draft.replace(path)
        _sync(path.parent)

    def _is_within(self, path: Path) -> bool:
        """No folder between the root and *path* is a link."""
        here = self.root
        for part in path.relative_to(self.root).parts[:-1]:
            here = here / part
            try:
                if not stat.S_ISDIR(here.lstat().st_mode):
                    return False
            except FileNotFoundError:
                return False
        return True

    def _path(self, key: str) -> Path:
        """Two letters of the id are a folder, so that none has a million files."""
        if _KEY.fullmatch(key) is None:
            raise ValueError(f"{key!r} is no key")
        kind, file, *rest = key.split("/")
        if kind == DRAFTS:
            return self.root / kind / file
        return self.root.joinpath(kind, file[:2], file, *rest)

    def _key(self, path: Path) -> str | None:
        kind, *parts = path.relative_to(self.root).parts
        key = "/".join((kind, *(parts if kind == DRAFTS else parts[1:])))
        return key if _KEY.fullmatch(key) is not None and self._path(key) == path else None

    @staticmethod
    def _write(draft: Path, content: BinaryIO, size: int) -> None:
        with os.fdopen(os.open(draft, _NEW, 0o600), "wb") as file:
            left = size
            while left and (some := content.read(min(CHUNK, left))):
                file.write(some)
                left -= len(some)
            if left:
                raise OSError(errno.EIO, "the content is shorter than it should be")
            file.flush()
            os.fsync(file.fileno())

    @contextlib.contextmanager
    def _opened(self, key: str) -> Iterator[tuple[int, int]]:
        """The descriptor of a plain file, and its size."""
        path = self._path(key)
        with self._failing():
            try:
                if not self._is_within(path):
                    raise FileNotFoundError(errno.ENOENT, "nothing", str(path))
                descriptor = os.open(path, _READ)
            except OSError as error:
                if error.errno in (*_GONE, errno.ELOOP):
                    raise NoContent(key) from None
                raise
            try:
                found = os.fstat(descriptor)
                if not stat.S_ISREG(found.st_mode):
                    raise NoContent(key)
                yield descriptor, found.st_size
            finally:
                os.close(descriptor)

    def _tidy(self, folder: Path) -> None:
        """Remove folders of pieces that are empty."""
        if folder.parent.parent.name == "piece":
            with contextlib.suppress(OSError):
                folder.rmdir()

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise FilesUnavailable(f"files in {self.root}: {reason}") from None


def _files(folder: Path) -> Iterator[tuple[Path, float]]:
    """All plain files below *folder*, and when they were written (s since 1970)."""
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            with contextlib.suppress(FileNotFoundError):
                yield Path(entry.path), entry.stat(follow_symlinks=False).st_mtime


def _sync(folder: Path) -> None:
    """Let the names in *folder* reach the disk, where the file system does so."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(descriptor)
