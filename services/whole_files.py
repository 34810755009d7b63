"""Files that appear whole, or not at all, and never in place of another."""

from __future__ import annotations

import os
from pathlib import Path


def take_name(draft: Path, path: Path) -> None:
    """Call the file *draft* *path* from now on. Raises `FileExistsError` where there is one.

    Where the file system has no hard links (FAT, some network and FUSE ones), the
    name is taken by an empty file first: for a moment others see that.
    """
    try:
        os.link(draft, path)
    except FileExistsError:
        raise
    except OSError:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        draft.replace(path)
    else:
        draft.unlink()
