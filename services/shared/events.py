"""Which worker writes the entry of a decision that several workers carry out.

The desk names one of them, the recorder (`Event.is_recorder`). It may be killed before it has
written the entry; then another worker writes it, under the same client id, so that the
database keeps one of them. That worker also saves who serves the conversation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import cast

from ..channels import Channel, ChannelEntries
from ..conversation.conversation import Conversation
from ..conversation.kinds import EventPayload, What
from ..conversation.rows import ConversationRow
from ..desk.port import Event
from ..event_entries import EventEntries
from ..history.port import Store
from ..history.writer import Writer
from ..participants import Participant
from ..runtime import Runtime
from ..site_words import Words
from .conversation import SharedConversation
from .figures import LatestFigures
from .missing_rows import MissingRows
from .returns import Decided, Returns

#: s that the recorder of a decision has to write its entry, before another worker does
RECORDER_TIMEOUT = 2.5


class SharedEvents:
    """Writes entries of decisions for one worker of several.

    *save_served* saves the row of a conversation, and that who serves it is news.
    """

    def __init__(
        self, entries: EventEntries, save_served: Callable[[ConversationRow], None],
        figures: LatestFigures, store: Store, runtime: Runtime,
    ) -> None:  # fmt: skip
        self._entries = entries
        self._figures = figures
        self._runtime = runtime
        self._returns = Returns(self._write, store, runtime)
        self._rows = MissingRows(save_served, store, runtime)
        #: what other workers are to write, and when this one does if they have not
        self._of_others: deque[tuple[float, Decided]] = deque()
        #: that conversations have ended which were found open at the start
        self._ends: deque[ChannelEntries] = deque()

    def write(
        self, event: Event, channel: Channel, payload: EventPayload, words: Sequence[Words] = (),
        *, may_have_returned: bool,
    ) -> None:  # fmt: skip
        """Write it if this worker is the recorder; else expect the recorder to do so.

        What the site says by itself, *words*, follows the event.
        """
        if event.is_confided or not self._figures.can_read_entries:
            return  # others have written it; or an earlier worker could not go on behind it
        decided = Decided(event.number, channel, payload, may_have_returned)
        for one in (decided, *(decided._replace(words=said) for said in words)):
            if event.is_recorder:
                self._returns.write(one)
            else:
                self._leave_to_others(one)

    def expect(self, number: int, channel: Channel, payload: EventPayload) -> None:
        """Write the match of this *number*, of which this worker was not told, if nobody does."""
        if self._figures.can_read_entries:
            self._leave_to_others(Decided(number, channel, payload, may_have_returned=True))

    def save_served_at(self, number: int, row: ConversationRow, waiter: Participant) -> None:
        """Save soon that *waiter* serves in *row*, as it was at the decision of this *number*."""
        self._rows.add(number, row, waiter)

    def _leave_to_others(self, decided: Decided) -> None:
        """Write *decided* if no other worker has done so in time."""
        self._of_others.append((self._runtime.now() + RECORDER_TIMEOUT, decided))

    def _write(self, decided: Decided) -> None:
        if decided.words is None:
            entries = self._entries.new(decided.channel, decided.payload)
        else:
            entries = self._entries.new_words(decided.channel, decided.words)
        entries.client_ids = [decided.client_id]
        self._entries.write(entries)

    def write_end(self, user: Participant, conversation: Conversation) -> None:
        """Write soon that *conversation* has ended: at a start the desk was not asked yet."""
        self._ends.append(self._entries.new_end(user, conversation))

    def arrived(self, user: Participant) -> None:
        """*user* has got a connection here: read ahead what its next event may have to say."""
        self._returns.read_ahead(user)

    @property
    def wait(self) -> bool:
        """Some are not stored yet, and this worker may have to do that.

        Not those that it may not write now: a stop would wait for other workers to be replaced.
        """
        missing = any(not _is_written(decided) for _, decided in tuple(self._of_others))
        ends = bool(self._ends) and self._figures.can_read_entries
        late = self._returns.wait or self._rows.wait
        return self._entries.waits or late or ends or missing

    def write_missing(self, writer: Writer) -> None:
        """Write what could not be stored before, and what no recorder has written in time."""
        self._entries.write_missing(writer)
        if writer.available:
            self._returns.read_again()
        now = self._runtime.now()
        while self._of_others and self._of_others[0][0] <= now:
            _, decided = self._of_others.popleft()
            if not _is_written(decided):
                self._returns.write(decided)
                # every worker saves an end
                if decided.payload.what != What.ENDED and decided.words is None:
                    self._rows.add(decided.number, decided.conversation.row)
        if writer.available:
            self._rows.save()
        while self._ends and self._figures.can_read_entries:
            self._entries.write(self._ends.popleft())


def _is_written(decided: Decided) -> bool:
    """Whether another worker has written this entry."""
    return decided.client_id in cast(SharedConversation, decided.conversation).decisions
