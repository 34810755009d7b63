"""Processes by number and beginning, so that a later one of the same number is another."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path

#: how many generations back `lineage` looks: a worker's server, and what that was started by,
#: which is the old server where gunicorn upgrades itself (USR2)
GENERATIONS = 2

#: where fields stand in /proc/PID/stat, counted behind the name, which may hold blanks
_STATE, _PARENT, _BEGAN = 0, 1, 19


@dataclass(frozen=True, slots=True)
class Process:
    """A process of this machine."""

    number: int
    #: when it began, as the system counts; 0 where the system does not say
    began: int

    def lives(self) -> bool:
        """Whether it has not ended."""
        return find(self.number) == self


def find(number: int) -> Process | None:
    """The living process of this *number*."""
    fields = _fields(number)
    if fields:
        return Process(number, int(fields[_BEGAN])) if fields[_STATE] not in "ZX" else None
    if number <= 0 or os.path.exists("/proc/self/stat"):
        return None
    try:
        os.kill(number, 0)
    except PermissionError:
        pass  # somebody else's
    except OSError:
        return None
    return Process(number, 0)


def starter() -> Process | None:
    """What started this process; also when it has ended, and the system's first took its place."""
    return next(iter(lineage()[1:]), None)


def siblings() -> list[Process]:
    """The other living children of what started this process, as far as the system says."""
    parent = starter()
    if parent is None:
        return []
    try:
        numbers = Path(f"/proc/{parent.number}/task/{parent.number}/children").read_text().split()
    except OSError:
        return []
    found = [find(int(number)) for number in numbers]
    return [one for one in found if one is not None and one.number != os.getpid()]


def lineage() -> list[Process]:
    """This process, its parent and so on, as they were when this was first asked."""
    return _lineage(os.getpid())


@functools.lru_cache(maxsize=1)
def _lineage(number: int) -> list[Process]:
    found: list[Process] = []
    while len(found) <= GENERATIONS and (one := find(number)) is not None:
        found.append(one)
        fields = _fields(number)
        number = int(fields[_PARENT]) if fields else os.getppid() if len(found) == 1 else 0
    return found


def _fields(number: int) -> list[str]:
    try:
        line = Path(f"/proc/{number}/stat").read_text(errors="replace")
    except OSError:
        return []
    return line.rpartition(")")[2].split()
