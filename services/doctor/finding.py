"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is; the worst comes first."""

    #: messages would be lost, the wrong people let in, or conversations refused
    FAULT = "fault"
    #: it works, and one day it will hurt
    WARNING = "warning"
    #: perhaps it is meant so
    HINT = "hint"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be. Shows no secret."""

    level: Level
    #: what is the matter, and what comes of it
    what: str
    #: what to do about it
    remedy: str


def fault(what: str, remedy: str) -> Finding:
    """See `Level.FAULT`."""
    return Finding(Level.FAULT, what, remedy)


def warning(what: str, remedy: str) -> Finding:
    """See `Level.WARNING`."""
    return Finding(Level.WARNING, what, remedy)


def hint(what: str, remedy: str) -> Finding:
    """See `Level.HINT`."""
    return Finding(Level.HINT, what, remedy)
