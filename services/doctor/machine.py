"""The machine: its disk, its files, its clock."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from .finding import Finding, fault, warning
from .setup import Check, SetUp
from .stores import NTP

#: bytes: journal and search index of a busy day; below the first nothing can be written soon
NONE_LEFT, FEW_LEFT = 100 << 20, 1 << 30

#: open files beside the connections: listeners, the database, logs, pages being served
SPARE = 200

#: s since 1970: this was written later
WRITTEN = 1_790_000_000


def disk(setup: SetUp) -> Iterator[Finding]:
    """There is room for what will be said."""
    path = setup.store.path if setup.store else None
    if path is None:
        return
    folder = nearest(path)
    free = shutil.disk_usage(folder).free
    if free < NONE_LEFT:
        yield fault(
            f"the disk of {folder} is full ({free >> 20} MB are free): nothing can be stored",
            "make room, or CSAPP_RETENTION_DAYS and chat sweep",
        )
    elif free < FEW_LEFT:
        yield warning(
            f"the disk of {folder} is nearly full ({free >> 20} MB are free)",
            "make room, or CSAPP_RETENTION_DAYS and chat sweep",
        )


def nearest(path: Path) -> Path:
    """*path*, or the first folder above it that is there."""
    return next(one for one in (path, *path.parents) if one.exists())


def descriptors(setup: SetUp) -> Iterator[Finding]:
    """Each connection can have its open file."""
    wanted = setup.settings.max_connections + SPARE
    if setup.descriptors < wanted:
        yield warning(
            f"a process may have {setup.descriptors} open files, but CSAPP_MAX_CONNECTIONS is "
            f"{setup.settings.max_connections}: the last ones hang instead of being told",
            f"LimitNOFILE={max(65_536, wanted)} (systemd), ulimit -Hn, or a lower "
            "CSAPP_MAX_CONNECTIONS",
        )


def clock(setup: SetUp) -> Iterator[Finding]:
    """It is not the year 1970."""
    if setup.clock < WRITTEN:
        yield fault(
            "this machine's clock stands in the past: tokens and sign-outs go by it",
            NTP,
        )


CHECKS: tuple[Check, ...] = (disk, descriptors, clock)
