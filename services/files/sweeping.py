"""Removes, again and again, what no message names, and what an erasure has left."""

from __future__ import annotations

import logging

from ..errors import Unavailable
from ..runtime import Runtime
from .uploads import Files

log = logging.getLogger("csapp")

LOOK = 600.0  # s between two looks


class Sweeper:
    """One look at the files of a site. Several workers may look at the same time."""

    def __init__(self, files: Files, runtime: Runtime) -> None:
        self._files = files
        self._runtime = runtime

    def turn(self) -> None:
        """Look, and say what is gone. Waits."""
        try:
            removed = self._runtime.blocking(self._files.sweep)
        except Unavailable as error:
            log.warning("files that nothing names could not be swept: %s", error)
            return
        if removed:
            log.info("swept %d files that nothing names", removed)
