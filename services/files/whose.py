"""That all workers of a site have the same folder of files.

The folder holds its name, which is random, in the file `.csapp-folder`; the database holds the
name of the folder that its files are in. A worker on another machine whose folder is a local one
finds another name, or none: it would store files that the others cannot read. A folder that
several machines share has one name.
"""

from __future__ import annotations

import os
import re
import secrets

from ..history.files import FileTables
from ..whole_files import take_name
from .folder import FolderStore
from .port import FilesUnavailable

FILE = ".csapp-folder"
_NAME = re.compile(r"[A-Za-z0-9_-]{8,64}")


def check_folder(folder: FolderStore, tables: FileTables) -> None:
    """Raise `FilesUnavailable` where *folder* is not the one that the database knows.

    Where that knows none, it is this one from now on. Raises `StoreError`.
    """
    known = tables.folder()
    here = _name_of(folder)
    if known is None:
        known = tables.claim_folder(here or _give_name(folder))
        here = _name_of(folder)
    if here != known:
        folder.fault = fault_of(folder, known, here)
        raise FilesUnavailable(folder.fault)
    folder.fault = ""


def find_fault(folder: FolderStore, tables: FileTables) -> str:
    """What is wrong with *folder*, without changing anything; empty: nothing. Raises as above."""
    known, here = tables.folder(), _name_of(folder)
    return "" if known is None or known == here else fault_of(folder, known, here)


def fault_of(folder: FolderStore, known: str, here: str | None) -> str:
    """What to do about it, in a sentence or two."""
    what = "another folder than the one" if here else "a new folder, and not the one"
    return (
        f"{folder.root} is {what} in which the files of this site are: where several machines "
        "serve it, let CSAPP_FILES_URL of all name one folder that they share, or a bucket "
        f"(s3://…); where the files were moved here, write {known} into {folder.root / FILE}"
    )


def _name_of(folder: FolderStore) -> str | None:
    try:
        name = (folder.root / FILE).read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FilesUnavailable(f"files in {folder.root}: {error.strerror}") from None
    return name if _NAME.fullmatch(name) else None


def _give_name(folder: FolderStore) -> str:
    name, path = secrets.token_urlsafe(12), folder.root / FILE
    draft = path.with_name(f"{FILE}.{secrets.token_hex(8)}")
    try:
        folder.make()
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(name)
            file.flush()
            os.fsync(file.fileno())
        try:
            take_name(draft, path)
        except FileExistsError:  # another worker was first
            return _name_of(folder) or name
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise FilesUnavailable(f"files in {folder.root}: {error.strerror}") from None
    return name
