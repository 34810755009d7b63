"""Files that commands write: readable by their owner only, whole or absent, never overwritten."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from services.identity import is_unicode
from services.whole_files import take_name

#: characters of a file's name that the name of its draft begins with; SQLite appends more
_SHOWN = 40


#: means standard output; `./-` is a file
STDOUT = Path("-")


class NewFile(click.Path):
    """The type of an argument that names a file to write, or `STDOUT`."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, dir_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """A `Path` with a name that can be printed."""
        if not os.path.basename(value) and not os.path.isdir(value):
            self.fail("a file needs a name", param, ctx)
        if not is_unicode(value):  # SQLite opens no other
            self.fail("its name is not in UTF-8", param, ctx)
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        return path.absolute() if path == STDOUT and value != "-" else path


def refuse_target(path: Path, force: bool) -> None:
    """Raises `ClickException` if *path* cannot be written, as far as can be seen now.

    That is: it has no folder, is a device, or exists and *force* is false.
    """
    if not os.path.isdir(path.parent):
        what = "is no folder" if os.path.lexists(path.parent) else "there is no such folder"
        raise click.ClickException(f"{path}: {path.parent}: {what}")
    if os.path.exists(path) and not os.path.isfile(path):  # a device of the system, for instance
        raise click.ClickException(f"{path} is no plain file; name another one")
    if os.path.lexists(path) and not force:
        raise click.ClickException(f"{path} exists; --force overwrites it")


def refuse_database(path: Path, files: Iterable[Path]) -> None:
    """Raises `ClickException` where *path* is one of the database's own *files*."""
    if any(_is_same(path, one) for one in files):
        raise click.ClickException(f"{path} is the database itself; name another file")


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.resolve() == other.resolve() or one.samefile(other)
    except OSError:  # one of them is not there, or cannot be
        return False


@contextlib.contextmanager
def new_file(path: Path, *, force: bool) -> Iterator[Path]:
    """An empty draft beside *path*, mode 0600, which becomes *path* when all is in it.

    Raises `ClickException`: *path* exists and may not be overwritten (*force*),
    or the file system refuses. Then nothing is left.
    """
    draft = path.with_name(f".{path.name[:_SHOWN]}.{secrets.token_hex(4)}")
    try:
        try:
            os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            yield draft
            _sync(draft)
            _name(draft, path, force)
            _sync(path.parent)
        finally:
            draft.unlink(missing_ok=True)
    except FileExistsError:
        refuse_target(path, force=False)
        raise
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from None


def _name(draft: Path, path: Path, force: bool) -> None:
    if force:
        draft.replace(path)
    else:
        take_name(draft, path)


def _sync(path: Path) -> None:
    """Wait until what was written to *path* is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some file systems cannot, for folders
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
