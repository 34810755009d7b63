"""The database that one process serves: opened and held at the start, swept once a day."""

from __future__ import annotations

import logging
import time

from .errors import Unavailable
from .files.uploads import Files
from .history import care
from .history.opening import own_store, prepare
from .history.port import InUse
from .history.sql import SQLStore
from .runtime import Runtime
from .settings import Settings
from .timers import Wheel

log = logging.getLogger("csapp.sockets")

#: s that a new process waits for a database that an old one is about to release:
#: gunicorn's graceful_timeout, after which there is no old one
HAND_OVER = 30.0
HAND_OVER_LOOK = 0.05

#: s between two sweeps, and before the first
DAY = 86_400.0
FIRST_SWEEP = 60.0


def open_to_serve(settings: Settings, runtime: Runtime) -> SQLStore | None:
    """The store of the *settings*, ready for use and held by this process; None: there is none.

    Waits. Raises `StoreError`, and then nothing stays open.
    """
    if settings.database_url == "off":
        return None
    store = own_store(settings)
    try:
        runtime.blocking(store.refuse_foreign)
        _hold(store, runtime, shared=settings.redis_url is not None)
        runtime.blocking(prepare, store, settings)
    except BaseException:
        store.let_go()
        store.close()
        raise
    return store


def _hold(store: SQLStore, runtime: Runtime, *, shared: bool) -> None:
    """Become the one process that serves *store*, unless it is *shared*. Raises `InUse`.

    Waits while the process that has it is about to release it (SIGHUP), also if a new
    worker of that server goes first (`history/lock.py`).
    """
    end = runtime.now() + HAND_OVER
    while True:
        try:
            store.hold(shared=shared)
            return
        except InUse:
            if not store.holder_leaves or runtime.now() >= end:
                raise
        runtime.sleep(HAND_OVER_LOOK)


def sweep_daily(
    store: SQLStore, days: int, runtime: Runtime, wheel: Wheel, files: Files | None
) -> None:
    """Delete conversations that ended *days* ago, after a minute and then once a day."""

    def sweep() -> None:
        now = int(time.time() * 1000)
        try:
            removed = runtime.blocking(care.daily, store, days, now)
            log.info("swept what is too old: %s", removed)
            if files is not None and removed.files:
                runtime.blocking(files.remove_marked)
        except Unavailable as error:
            log.warning("what is too old could not be swept: %s", error)

    loop = wheel.loops.every(DAY, "the daily sweep", sweep)
    wheel.after(FIRST_SWEEP, lambda: runtime.spawn(loop.once))
