"""The wall clock of one server, which may be set back or differ between machines.

What is made of it never goes back:

1. The names of conversations ascend (`Clock.new_key`). A clock that was set
   back goes on behind the highest name that this process has given, has received
   of from others, or has found in the database.
2. Within a conversation `date` never falls while `seq` rises. That is the
   business of `conversation.Conversation`, which knows the date of the last text, so
   that a clock which once was far ahead spoils the dates of no other conversation.

Durations are measured on the runtime's monotonic clock and not here.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable

#: random bits at the end of a conversation's key; ms since 1970 stand before them
KEY_BITS = 20


class Clock:
    """Tells the time, and names conversations. *now* is the wall clock in seconds."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self._lock = threading.Lock()
        self._last = 0

    def ms(self) -> int:
        """Milliseconds since 1970, UTC."""
        return int(self.now() * 1000)

    def new_key(self) -> int:
        """The key of a conversation that begins now, above all others: 63 bits, until 2248."""
        chance = secrets.randbits(KEY_BITS)
        with self._lock:
            self._last = max(self.ms() << KEY_BITS | chance, self._last + 1 + chance)
            return self._last

    def heed(self, key: int) -> None:
        """There is a conversation with this *key*: the next ones come after it."""
        with self._lock:
            self._last = max(self._last, key)

    def look(self) -> None:
        """Remember how late it is, for the day that the clock is set back. Called again and again.

        So workers on one machine agree, of which only one has named a conversation lately.
        """
        self.heed((self.ms() - 1) << KEY_BITS)

    def opened(self, key: int) -> int:
        """When (ms) the conversation of this *key*, a new one, has begun.

        Its name says so, unless it had to come after others that are ahead of the clock.
        """
        return min(key >> KEY_BITS, self.ms())
