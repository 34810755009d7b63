"""Copies of files beside a copy of the database, and in an archive for people."""

from __future__ import annotations

import contextlib
import os
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from .folder import CHUNK, MARK, FolderStore
from .port import NoContent
from .uploads import Files


class Copied(NamedTuple):
    """What a copy holds."""

    files: int
    #: bytes
    size: int
    #: files that were deleted meanwhile
    missing: int


def copy_folder(folder: FolderStore, files: Iterable[str], target: Path) -> Copied:
    """Make *target*, a new folder that a server can use, with these files of *folder*.

    Content is never changed, only replaced or deleted: so a hard link is a copy, where the file
    system has them. Raises `OSError`.
    """
    target.mkdir(mode=0o700)
    copied = missing = size = 0
    for file in files:
        found = folder.path_of(f"content/{file}")
        if found is None:
            missing += 1
            continue
        for path in (found, folder.path_of(f"thumb/{file}")):
            if path is not None:
                with contextlib.suppress(FileNotFoundError):  # deleted just now
                    _copy(path, target / path.relative_to(folder.root))
        copied += 1
        size += found.stat().st_size if found.exists() else 0
    with contextlib.suppress(FileNotFoundError):
        _copy(folder.root / MARK, target / MARK)
    return Copied(copied, size, missing)


def _copy(source: Path, target: Path) -> None:
    for one in reversed(target.parents):
        if not one.exists():
            one.mkdir(mode=0o700)
    try:
        os.link(source, target, follow_symlinks=False)
    except FileNotFoundError:
        raise
    except OSError:  # another disk, or one without hard links
        shutil.copy2(source, target, follow_symlinks=False)


def add_to_archive(archive: zipfile.ZipFile, files: Files, conversation: int) -> tuple[int, int]:
    """Add the files of a conversation as `files/<id>-<name>`; returns how many, and how many not.

    Those are missing, because somebody deletes them just now. Raises `Unavailable`.
    """
    added = missing = 0
    for row in files.tables.of_conversation(conversation):
        try:
            stored = files.open(row)
            first = stored.read(0, CHUNK)
        except NoContent:
            missing += 1
            continue
        with archive.open(f"files/{row.id}-{row.name}", "w", force_zip64=True) as entry:
            place, some = 0, first
            while some:
                entry.write(some)
                place += len(some)
                some = stored.read(place, CHUNK) if place < stored.size else b""
        added += 1
    return added, missing
