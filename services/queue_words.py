"""What users in the queue are sent by the site itself: the greeting and, after a while, `looking`.

Nothing of it is stored. A connection is sent each of them once in a wait. The worker that holds
the connection sends it; where a user comes to another worker, its wait goes on as long as its
conversation has not begun.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

from .channels import sealed
from .clock import Clock
from .history.words import Occasion, WordsRow
from .participants import Feed, Participant, Phase, each
from .site_words import SiteWords, filled
from .wire import codec, frames

LOOK = 1.0  # s between two looks at who has waited long enough


class _Wait:
    """A user in the queue, and what its connections were sent."""

    __slots__ = ("department", "greeted", "since", "told", "user")

    def __init__(self, user: Participant, since: int) -> None:
        self.user = user
        #: ms since 1970
        self.since = since
        self.department = ""
        #: the connections that were sent the greeting, and those that were sent `looking`
        self.greeted: set[Feed] = set()
        self.told: set[Feed] = set()


class QueueWords:
    """Sends each connection of a user in the queue the greeting and, after a while, `looking`.

    Only connections here, of version 2. *words* are those of the site just now; *named* is the
    name of a department in a language, *participants* are those of this worker, by UUID.
    """

    def __init__(
        self, words: Callable[[], SiteWords], named: Callable[[str, str], str],
        participants: Mapping[str, Participant], clock: Clock,
    ) -> None:  # fmt: skip
        self._participants = participants
        self._words = words
        self._named = named
        self._clock = clock
        #: by UUID
        self._waits: dict[str, _Wait] = {}
        #: held while they are looked at: users come and go in other threads
        self._lock = threading.Lock()

    def begin(self, user: Participant, department: str, since: int = 0) -> None:
        """*user* waits in *department* since that moment (ms since 1970; 0: now), or still does."""
        if not self._words():
            return
        with self._lock:
            wait = self._waits.get(user.uuid)
            if wait is None or wait.user is not user:
                wait = self._waits[user.uuid] = _Wait(user, since or self._clock.ms())
            wait.department = department
            self._tell(wait)

    def end(self, user: str) -> None:
        """The user with this UUID waits no more."""
        if self._waits:
            with self._lock:
                self._waits.pop(user, None)

    def look(self) -> None:
        """Send what it is time for."""
        if not self._waits:
            return
        with self._lock:
            for uuid, wait in list(self._waits.items()):
                user = wait.user
                if user.phase is not Phase.QUEUED or self._participants.get(uuid) is not user:
                    del self._waits[uuid]  # another worker may speak for it by now
                else:
                    self._tell(wait)

    def _tell(self, wait: _Wait) -> None:
        here = {one for one in wait.user.connections if one.dialect.version > 1}
        wait.greeted &= here
        wait.told &= here
        words, user = self._words(), wait.user
        if (new := here - wait.greeted) and user.conversation is None:
            wait.greeted |= new
            self._send(wait, new, words.find(Occasion.GREETING, wait.department, user.language))
        if new := here - wait.told:
            looking = words.find(Occasion.LOOKING, wait.department, user.language)
            if looking and self._clock.ms() - wait.since >= looking.after * 1000:
                wait.told |= new
                self._send(wait, new, looking)

    def _send(self, wait: _Wait, to: Iterable[Feed], row: WordsRow | None) -> None:
        if row is None:
            return
        text = filled(row.text, self._named(wait.department, row.language))
        frame = sealed(
            frames.Words(
                id=codec.new_id(), to=wait.user.uuid, payload=frames.WordsPayload(row.what, text)
            )
        )
        each(to, lambda connection: connection.put(frame))
