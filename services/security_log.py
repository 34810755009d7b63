"""Who tried what, and was let in or not: the logger `csapp.security`, one line an event.

Every line is `event=NAME key=value …`. The values come from anybody: what is not
plain is written as a JSON string in ASCII, so that no CR, LF, escape sequence or
change of direction reaches a terminal or forges a line.

1. `record` takes only the keys that it names. None of them is for a token, a
   password, a secret or the words of a chat; never put one into `reason`.
2. `subject` of a failed sign-in is the name of an account that exists: people type
   passwords into fields for names.
3. What anybody can cause as often as it likes (`LIMITED`) is written some times a
   second; the next line of its kind says how many were left out.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Callable
from enum import StrEnum

from .limits import TokenBucket

#: lines of one limited kind: a second, and at once
RATE = 10.0
BURST = 100

#: characters of one value
MOST = 200

_PLAIN = re.compile(r"[A-Za-z0-9._:/@+\[\]-]+")


class Event(StrEnum):
    """What happened. `docs/operations.md` has the same table."""

    SIGN_IN = "sign_in"
    SIGN_IN_FAILED = "sign_in_failed"
    SIGN_OUT = "sign_out"
    REVOKED = "revoked"
    TOKEN_REFUSED = "token_refused"  # noqa: S105  # no password
    RENEWAL_REFUSED = "renewal_refused"
    ORIGIN_REFUSED = "origin_refused"
    ACCOUNT_CHANGED = "account_changed"
    DEPARTMENT_CHANGED = "department_changed"
    EXPORT = "export"
    ERASURE = "erasure"
    FILE_REFUSED = "file_refused"
    BANNED = "banned"
    UNBANNED = "unbanned"


#: what anybody can cause: without a login, or as a visitor, whom nobody has to know
LIMITED = frozenset(
    {
        Event.SIGN_IN_FAILED,
        Event.TOKEN_REFUSED,
        Event.RENEWAL_REFUSED,
        Event.ORIGIN_REFUSED,
        Event.FILE_REFUSED,
    }
)


class SecurityLog:
    """Writes events to the logger *name*; *now* is a monotonic clock in seconds."""

    def __init__(
        self, name: str = "csapp.security", now: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = logging.getLogger(name)
        self._lock = threading.Lock()
        self._buckets = {event: TokenBucket(RATE, BURST, now) for event in LIMITED}
        self._left_out = dict.fromkeys(LIMITED, 0)

    def record(
        self,
        event: Event,
        *,
        subject: str = "",
        role: str = "",
        address: str = "",
        origin: str = "",
        by: str = "",
        reason: str = "",
        count: int | None = None,
        entries: int | None = None,
    ) -> None:
        """Write one line; empty values are left out. Never raises for what a value holds.

        *subject* is whom it concerns, *by* who did it (`host`, `command/USER`),
        *address* the client's address, *reason* a word or sentence of ours.
        """
        left_out = 0
        if event in LIMITED:
            with self._lock:
                if not self._buckets[event].take():
                    self._left_out[event] += 1
                    return
                left_out, self._left_out[event] = self._left_out[event], 0
        pairs = {
            "event": event.value,
            "subject": subject,
            "role": role,
            "address": address,
            "origin": origin,
            "by": by,
            "reason": reason,
            "count": "" if count is None else str(count),
            "entries": "" if entries is None else str(entries),
            "left_out": str(left_out or ""),
        }
        line = " ".join(f"{key}={_written(value)}" for key, value in pairs.items() if value)
        self._log.log(logging.WARNING if event in LIMITED else logging.INFO, "%s", line)


def _written(value: str) -> str:
    if len(value) > MOST:
        value = f"{value[:MOST]}..."
    # JSON in ASCII: control characters, quotes and all that is not ASCII are escaped
    return value if _PLAIN.fullmatch(value) else json.dumps(value).replace("\x7f", "\\u007f")


#: the one log of this process
security = SecurityLog()
