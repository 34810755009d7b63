"""Who serves a conversation, saved where its recorder may not have done so."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from ..conversation.rows import ConversationRow
from ..conversation_rows import set_waiter
from ..history.port import Store, StoreError
from ..participants import Participant
from ..runtime import Runtime
from .letters import decision_of


class MissingRows:
    """Passes to *save* the rows that no recorder may have saved.

    That is where no recorder has written the entry of a decision in time, and where somebody has
    come from another worker, which may have been killed.

    The recorder of a later decision may have saved its row already. So the last event of the
    conversation is read before: where it belongs to a later decision, nothing is saved. Nor is
    anything where there is no event: the conversation may have been erased.
    """

    def __init__(
        self, save: Callable[[ConversationRow], None], store: Store, runtime: Runtime
    ) -> None:
        self._save = save
        self._store = store
        self._runtime = runtime
        #: by conversation: as of which decision it is to be saved, the row, and its waiter if that
        #: is not named in it yet
        self._missing: dict[int, tuple[int, ConversationRow, Participant | None]] = {}
        self._is_reading = False

    @property
    def wait(self) -> bool:
        """Some are not saved yet."""
        return bool(self._missing)

    def add(self, number: int, row: ConversationRow, waiter: Participant | None = None) -> None:
        """It may be that nobody has saved *row* as it is since the decision of this *number*.

        *waiter*: who serves in it since then, and is not named in *row* before it is saved.
        """
        self._missing[row.key] = number, row, waiter

    def save(self) -> None:
        """Save them as soon as the last events are read. Called about once a second."""
        if self._missing and not self._is_reading:
            self._is_reading = True
            self._runtime.spawn(self._read)

    def _read(self) -> None:
        try:
            with contextlib.suppress(StoreError):  # `save` is called again soon
                self._save_latest(dict(self._missing))
        finally:
            self._is_reading = False

    def _save_latest(
        self, missing: dict[int, tuple[int, ConversationRow, Participant | None]]
    ) -> None:
        """Save those of *missing* that no later decision has changed. Raises `StoreError`."""
        events = self._runtime.blocking(self._store.last_events, list(missing))
        for key, (number, row, waiter) in missing.items():
            if self._missing[key][0] != number:
                continue  # it has changed meanwhile, and is looked at again
            del self._missing[key]
            event = events.get(key)
            if event is not None and decision_of(event.client_id) <= number:
                if waiter is not None and row.waiter == waiter.uuid:
                    set_waiter(row, waiter)
                self._save(row)
