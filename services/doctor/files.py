"""Where the content of files is: it can be used, and is where all machines have it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .. import file_places
from ..history.sql import SQLStore
from ..settings import Settings
from .finding import Finding, fault, warning
from .setup import Check, SetUp

#: files of the greatest size for which there should be room
ROOM = 50


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What was found out about the store of files."""

    #: why nothing can be stored; empty: it can
    problem: str = ""
    #: it is not the one that the database knows, or another's; and what to do about it; or empty
    elsewhere: str = ""
    #: bytes that a folder takes; None: it is a bucket
    free: int | None = None
    #: formats of images that cannot be read
    missing: tuple[str, ...] = ()


def look(settings: Settings, store: SQLStore | None) -> FileFacts | None:
    """Look at the store of files; None: there is none. Waits. Raises `StoreError`.

    *store*: the database; None: it cannot be used.
    """
    from ..files import images, whose  # Pillow and obstore are loaded for nothing else
    from ..files.choose import content_store
    from ..files.folder import FolderStore
    from ..files.port import FilesUnavailable
    from ..history.files import FileTables

    contents = content_store(settings)
    if contents is None:
        return None
    missing = tuple(images.missing_decoders())
    try:
        elsewhere = whose.find_fault(contents, FileTables(store)) if store is not None else ""
        if elsewhere:  # nothing is made in a place that is not ours
            return FileFacts(elsewhere=elsewhere, missing=missing)
        if not isinstance(contents, FolderStore) or contents.root.exists():
            contents.check()
        elif problem := _cannot_be_made(contents.root):
            return FileFacts(problem=problem, missing=missing)
        free = contents.free() if isinstance(contents, FolderStore) else None
    except FilesUnavailable as error:
        return FileFacts(problem=str(error), missing=missing)
    return FileFacts(free=free, missing=missing)


def _cannot_be_made(folder: Path) -> str:
    """Why not; empty: it can. Whoever runs this may be another user than the server's."""
    there = next(one for one in folder.parents if one.exists())
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return ""
    return f"{folder} is not there, and cannot be made in {there}"


def place(setup: SetUp) -> Iterator[Finding]:
    """Files can be stored, on every machine in the same place."""
    facts = setup.files
    if facts is None:
        return
    if facts.problem:
        yield fault(
            f"files cannot be stored: {facts.problem}; whoever sends one is refused",
            f"CSAPP_FILES_URL leads to {file_places.shown(setup.settings.files_url)}: let the "
            "server's user write there, or name another place",
        )
    if facts.elsewhere:
        what, _, remedy = facts.elsewhere.partition(": ")
        yield fault(f"{what}; whoever sends or opens a file here is refused", remedy)


def room(setup: SetUp) -> Iterator[Finding]:
    """There is room for more."""
    facts, most = setup.files, setup.settings.max_file
    if facts is not None and facts.free is not None and facts.free < ROOM * most:
        yield warning(
            f"the disk of {file_places.shown(setup.settings.files_url)} has room for "
            f"{facts.free // most} files of the greatest size (CSAPP_MAX_FILE)",
            "make room, or move the files to a bucket (s3://…)",
        )


def decoders(setup: SetUp) -> Iterator[Finding]:
    """All images that may be sent can be read."""
    if setup.files is not None and setup.files.missing:
        yield fault(
            f"this Pillow reads no {', '.join(setup.files.missing)}: such images are refused",
            "install Pillow from PyPI (pip install --force-reinstall pillow), which has them all",
        )


CHECKS: tuple[Check, ...] = (place, room, decoders)
