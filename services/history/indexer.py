"""Brings the search index up to date in the background, so that no text waits for it.

Rules of this file:

1. It works only while nothing is being stored here, and leaves SQLite alone
   while another process writes.
2. It rests ten times as long as it has worked.
3. Of several processes on one database one does it: whoever finds that another
   has moved the index on stands back for a while.
4. It runs in native threads, never on the loop.

PostgreSQL keeps its index itself, but collects new words in a list first. Whoever
makes the list too long has to empty it, within a commit: so it is emptied here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from .port import StoreError
from .slices import Busy, reading
from .sql import SQLStore
from .word_index import Slice, index_slice

#: s between two looks for something to do
LOOK = 1.0

#: s between two slices at least
REST = 0.02

#: how much longer it rests than it works
REST_FACTOR = 10.0

#: looks that it stands back for when somebody else does the work
STAND_BACK = 3

#: any number that is always the same
INDEX_LOCK = 0x63736170_70000003

_EMPTY_LIST = (
    "SELECT gin_clean_pending_list('message_words'::regclass) "
    f"WHERE pg_try_advisory_xact_lock({INDEX_LOCK})"
)


class Runs(Protocol):
    """Of a runtime, what is needed here."""

    def blocking(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run *function* in a native thread."""

    def sleep(self, seconds: float) -> None:
        """Let others run."""


class Indexer:
    """Fills the index of *store*; `turn` is called every `LOOK` seconds.

    `is_idle()` says whether nothing is being stored here.
    """

    def __init__(
        self,
        store: SQLStore,
        runtime: Runs,
        is_idle: Callable[[], bool],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._runtime = runtime
        self._is_idle = is_idle
        self._now = now
        #: how far the index was at the last look; None: not known
        self._done: int | None = None
        self._stands_back = 0

    def turn(self) -> None:
        """Do what there is to do, slice by slice. Waits."""
        if self._stands_back:
            self._stands_back -= 1
        elif self._store.name == "sqlite":
            self._fill()
        elif self._is_idle():
            self._runtime.blocking(_empty_list, self._store)

    def _fill(self) -> None:
        while self._is_idle():
            begun = self._now()
            try:
                found: Slice = self._runtime.blocking(index_slice, self._store, self._done)
            except (Busy, StoreError):  # the writer logs that a database is away
                return
            moved_by_others = self._done not in (None, found.begun)
            self._done = found.done
            if moved_by_others:
                self._stands_back = STAND_BACK
                return
            if not found.added:
                return
            self._runtime.sleep(max(REST, (self._now() - begun) * REST_FACTOR))


def _empty_list(store: SQLStore) -> None:
    try:
        with reading(store) as connection:
            connection.exec_driver_sql(_EMPTY_LIST)
            connection.commit()
    except StoreError:  # the writer logs that a database is away, or only reads
        pass
