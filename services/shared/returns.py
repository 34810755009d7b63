"""Whether a waiter who joins has returned, where only the history knows it.

The worker that has seen a waiter lost knows it. A worker that has not reads the last event of
the conversation before it writes `joined` or `returned`.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from typing import NamedTuple

from ..channels import Channel
from ..conversation.conversation import Conversation
from ..conversation.kinds import EventPayload, What
from ..event_entries import lost_waiter
from ..history.port import Store, StoreError
from ..participants import Participant
from ..runtime import Runtime
from ..site_words import Words
from .letters import decision_id

log = logging.getLogger("csapp.desk")


class Decided(NamedTuple):
    """What the desk has decided, and no entry says yet: by the sender of *channel*."""

    #: of the decision
    number: int
    channel: Channel
    payload: EventPayload
    #: it says that a waiter has joined, and may have to say that it has returned
    may_have_returned: bool
    #: what the site says by itself when that is decided; `None`: it is the event
    words: Words | None = None

    @property
    def client_id(self) -> str:
        """That of the entry, whichever worker writes it."""
        return decision_id(self.number, self.words.what if self.words else "")

    @property
    def conversation(self) -> Conversation:
        """The conversation that it is about."""
        return self.channel.conversation


class Returns:
    """Passes what was decided to *write*: as it is, or with what the history knows of it.

    What is decided of a conversation meanwhile is passed on behind it. Entries of others may
    overtake it: they have never waited for the worker that writes the event.
    """

    def __init__(self, write: Callable[[Decided], None], store: Store, runtime: Runtime) -> None:
        self._write = write
        self._store = store
        self._runtime = runtime
        #: by conversation: the decision that its last event is read for, and those after it
        self._waiting_for_last_event: dict[Conversation, list[Decided]] = {}
        #: those of them whose last event is being read
        self._being_read: set[Conversation] = set()
        #: held from looking whether something waits until it is passed on, or waits as well
        self._lock = threading.Lock()

    @property
    def wait(self) -> bool:
        """Some wait for the history."""
        return bool(self._waiting_for_last_event)

    def write(self, decided: Decided) -> None:
        """Pass *decided* on, now or as soon as it is known what it has to say."""
        with self._lock:
            before = self._waiting_for_last_event.get(decided.conversation)
            if before is not None:
                before.append(decided)
            elif not decided.may_have_returned:
                self._write(decided)
            else:
                self._waiting_for_last_event[decided.conversation] = [decided]
                self._begin_to_read(decided.conversation)

    def read_again(self) -> None:
        """Read what the store could not say before."""
        with self._lock:
            for conversation in self._waiting_for_last_event.keys() - self._being_read:
                self._begin_to_read(conversation)

    def _begin_to_read(self, conversation: Conversation) -> None:
        self._being_read.add(conversation)
        self._runtime.spawn(self._read, conversation)

    def _read(self, conversation: Conversation) -> None:
        try:
            lost = self._lost_waiter(conversation)
        except Exception as error:  # `read_again` is called soon
            with self._lock:
                self._being_read.discard(conversation)
            if not isinstance(error, StoreError):
                raise
        else:
            self._pass_on(conversation, lost)

    def _lost_waiter(self, conversation: Conversation) -> str | None:
        """Whom the history names as lost in *conversation*. Waits for it. Raises `StoreError`."""
        key = conversation.row.key
        event = self._runtime.blocking(self._store.last_events, [key]).get(key)
        return None if event is None else lost_waiter(event)

    def _pass_on(self, conversation: Conversation, lost: str | None) -> None:
        """*lost* is the waiter that was lost in *conversation*, if any."""
        with self._lock:
            first, *others = self._waiting_for_last_event[conversation]
            waiter = first.channel.sender.identity
            if waiter.subject == lost:
                first = first._replace(payload=EventPayload(What.RETURNED, waiter.name))
            self._being_read.discard(conversation)
            del self._waiting_for_last_event[conversation]
            for decided in (first, *others):
                try:
                    self._write(decided)
                except Exception:  # of one must not cost the others
                    log.exception("an event could not be written")

    # ---- before it is needed -------------------------------------------

    def read_ahead(self, user: Participant) -> None:
        """*user* has come here, and may wait to be served again: find out who was lost.

        When a waiter joins, the event need not wait for the history then.
        """
        conversation = user.conversation
        if user.channel is None and conversation is not None and conversation.lost_waiter is None:
            self._runtime.spawn(self._read_ahead, user, conversation)

    def _read_ahead(self, user: Participant, conversation: Conversation) -> None:
        with contextlib.suppress(StoreError):  # it is read again when a waiter joins
            lost = self._lost_waiter(conversation)
            if user.channel is None and conversation.lost_waiter is None:
                conversation.lost_waiter = lost
