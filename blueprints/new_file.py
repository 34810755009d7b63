"""Files that commands write: for their owner only, whole or not at all, never over another."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from services.files import take_name
from services.identity import is_unicode

#: characters of a file's name that its draft begins with: SQLite appends to that in turn
_SHOWN = 40


class NewFile(click.Path):
    """The type of an argument that names a file to write."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, dir_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """A `Path` with a name that can be printed."""
        if not os.path.basename(value):
            self.fail("a file needs a name", param, ctx)
        if not is_unicode(value):  # SQLite opens no other
            self.fail("its name is not in UTF-8", param, ctx)
        return super().convert(value, param, ctx)


def refuse_to_overwrite(path: Path, force: bool) -> None:
    """Raises `ClickException` where *path* is there already, unless told to *force* it."""
    if os.path.lexists(path) and not force:
        raise click.ClickException(f"{path} exists; --force overwrites it")


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
        refuse_to_overwrite(path, force=False)
        raise
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from None


def _name(draft: Path, path: Path, force: bool) -> None:
    if force:
        draft.replace(path)
    else:
        take_name(draft, path)


def _sync(path: Path) -> None:
    """What was written is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some file systems cannot, for folders
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
