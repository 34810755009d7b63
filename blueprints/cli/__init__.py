"""The `flask … chat` commands: `chat NAME` is in `NAME.py`."""

from . import (
    backup,
    demo,
    department,
    doctor,
    erase,
    export,
    migrate,
    report,
    revoke,
    search,
    status,
    sweep,
    token,
    waiter,
    words,
)
from .group import chat

__all__ = [
    "backup",
    "chat",
    "demo",
    "department",
    "doctor",
    "erase",
    "export",
    "migrate",
    "report",
    "revoke",
    "search",
    "status",
    "sweep",
    "token",
    "waiter",
    "words",
]
