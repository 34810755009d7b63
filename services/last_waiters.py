"""Who has served a visitor last, as the history knows it: that waiter gets the visitor again.

It is looked up once, when a visitor shows its token: a look-up at `connect` would let visitors
overtake each other. One call to the database answers for all who have come meanwhile.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from .errors import CSAppError
from .runtime import Runtime

if TYPE_CHECKING:
    from .history.port import Store

log = logging.getLogger("csapp")

#: s that a visitor waits for the answer: it is let in without one, too
PATIENCE = 0.25

#: subjects that one call looks up; others wait for its turn
MOST = 200


class _Question:
    """A subject, and the answer once there is one."""

    __slots__ = ("answered", "subject", "waiter")

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.waiter = ""
        self.answered = threading.Event()


class LastWaiters:
    """Asks *store*; without one nobody is known."""

    def __init__(self, store: Store | None = None, runtime: Runtime | None = None) -> None:
        self._store = store
        self._runtime = runtime
        self._lock = threading.Lock()
        self._asked: list[_Question] = []
        self._is_looking = False

    def find(self, user: str) -> str:
        """The subject of the waiter who has served *user*, a subject, last.

        Empty: nobody has, or the database has not said so in time. Waits for `PATIENCE` at most.
        """
        if self._store is None or self._runtime is None:
            return ""
        question = _Question(user)
        with self._lock:
            self._asked.append(question)
            begins, self._is_looking = not self._is_looking, True
        if begins:
            self._runtime.spawn(self._look, self._store, self._runtime)
        question.answered.wait(PATIENCE)
        return question.waiter

    def _look(self, store: Store, runtime: Runtime) -> None:
        """Answer until nobody asks any more."""
        while True:
            with self._lock:
                some, self._asked = self._asked[:MOST], self._asked[MOST:]
                if not some:
                    self._is_looking = False
                    return
            try:
                found = runtime.blocking(store.last_waiters, [one.subject for one in some])
            except CSAppError:  # the writer logs that the database cannot be used
                found = {}
            except Exception:
                log.exception("it cannot be looked up who has served visitors last")
                found = {}
            for one in some:
                one.waiter = found.get(one.subject, "")
                one.answered.set()
