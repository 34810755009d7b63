"""Which worker writes the entry of a decision that several workers carry out.

The desk names one of them, the recorder (`Event.is_recorder`). It may be killed before it has
written the entry; then another worker writes it, under the same client id, so that the
database keeps one of them.
"""

from __future__ import annotations

from collections import deque
from typing import cast

from ..channels import Channel, ChannelEntries
from ..conversation.conversation import Conversation
from ..conversation.kinds import EventPayload
from ..desk.port import Event
from ..event_entries import EventEntries
from ..history.writer import Writer
from ..participants import Participant
from ..runtime import Runtime
from .conversation import SharedConversation
from .figures import LatestFigures
from .letters import decision_id

#: s that the recorder of a decision has to write its entry, before another worker does
RECORDER_TIMEOUT = 2.5


class SharedEvents:
    """Writes entries of decisions for one worker of several."""

    def __init__(self, entries: EventEntries, figures: LatestFigures, runtime: Runtime) -> None:
        self._entries = entries
        self._figures = figures
        self._runtime = runtime
        #: what other workers are to write, and when this one does if they have not: the time,
        #: the number of the decision, the entry, and `is_unsure` of `Delivery.write_event`
        self._of_others: deque[tuple[float, int, ChannelEntries, bool]] = deque()
        #: that conversations have ended which were found open at the start
        self._ends: deque[ChannelEntries] = deque()

    def write(
        self, event: Event, channel: Channel, payload: EventPayload, *, is_unsure: bool
    ) -> None:
        """Write it if this worker is the recorder; else expect the recorder to do so."""
        if event.is_confided or not self._figures.can_read_entries:
            return  # others have written it; or an earlier worker could not go on behind it
        entries = self._entries.new(channel, payload)
        entries.client_ids = [decision_id(event.number)]
        if event.is_recorder:
            self._entries.write(entries, is_unsure=is_unsure)
        else:
            due = self._runtime.now() + RECORDER_TIMEOUT
            self._of_others.append((due, event.number, entries, is_unsure))

    def write_end(self, user: Participant, conversation: Conversation) -> None:
        """Write soon that *conversation* has ended: at a start the desk was not asked yet."""
        self._ends.append(self._entries.new_end(user, conversation))

    @property
    def wait(self) -> bool:
        """Some are not stored yet, and this worker may have to do that."""
        missing = any(not _is_written(number, entries) for _, number, entries, _ in self._of_others)
        return self._entries.waits or bool(self._ends) or missing

    def write_missing(self, writer: Writer) -> None:
        """Write what could not be stored before, and what no recorder has written in time."""
        self._entries.write_missing(writer)
        now = self._runtime.now()
        while self._of_others and self._of_others[0][0] <= now:
            _, number, entries, is_unsure = self._of_others.popleft()
            if not _is_written(number, entries):
                self._entries.write(entries, is_unsure=is_unsure)
        while self._ends and self._figures.can_read_entries:
            self._entries.write(self._ends.popleft())


def _is_written(number: int, entries: ChannelEntries) -> bool:
    """Whether another worker has written the event of the decision of this *number*."""
    return number in cast(SharedConversation, entries.conversation).decisions
