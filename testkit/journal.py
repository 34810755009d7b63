"""What the clients of a test did and saw, written down in one order by all of them.

A *participant* is named by its subject, which outlives UUIDs, sockets and
servers; a *socket* by any name that is used once. `checker.check` reads it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Item(NamedTuple):
    """One message of a conversation, as a history shows it."""

    seq: int
    #: a participant, or its UUID
    sender: str
    text: str
    client_id: str | None = None
    date: str | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """*participant* has shown its token on *socket*, and which `seq` it has seen of what."""

    socket: str
    participant: str
    version: int = 2
    resume: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Closed:
    """*socket* is gone; 1006 without a close frame."""

    socket: str
    code: int


@dataclass(frozen=True, slots=True)
class Entered:
    """The server has put *socket* into a conversation: what is said in it goes there too."""

    socket: str
    conversation: str


@dataclass(frozen=True, slots=True)
class Left:
    """*socket* is out of a conversation that goes on: what is said in it goes there no more."""

    socket: str
    conversation: str


@dataclass(frozen=True, slots=True)
class Sent:
    """About to be written to *socket*; again with the same client id: a repeat.

    Version 1 does not know the conversation: `""`.
    """

    socket: str
    conversation: str
    sender: str
    client_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A receipt."""

    socket: str
    conversation: str
    sender: str
    client_id: str
    seq: int
    date: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """An `error` in answer to a message."""

    socket: str
    sender: str
    client_id: str
    code: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A message came by itself. Version 1 gets neither conversation nor `seq` nor date."""

    socket: str
    sender: str
    text: str
    conversation: str | None = None
    seq: int | None = None
    date: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A `message_history`; *asked* for with `get_history`, or by itself on a return."""

    socket: str
    conversation: str
    items: tuple[Item, ...]
    asked: bool
    complete: bool = True


Event = Opened | Closed | Entered | Left | Sent | Acknowledged | Refused | Seen | Page


class Journal:
    """All events in the order in which they were written down; every method may be called
    by any thread.
    """

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self._events: list[Event] = list(events)
        self._names: dict[str, str] = {}
        self._changed = threading.Condition()

    def write(self, event: Event) -> None:
        """Append *event*."""
        with self._changed:
            self._events.append(event)
            self._changed.notify_all()

    def name(self, uuid: str, participant: str) -> None:
        """*uuid* stands for *participant* from now on and in all that was written before."""
        with self._changed:
            self._names[uuid] = participant

    def who(self, sender: str) -> str:
        """The participant behind a UUID; a name that nobody was given stays as it is."""
        return self._names.get(sender, sender)

    @property
    def events(self) -> list[Event]:
        """What is written down by now."""
        with self._changed:
            return list(self._events)

    def until(self, length: int) -> Journal:
        """A copy of the first *length* events."""
        with self._changed:
            copy = Journal(self._events[:length])
            copy._names = dict(self._names)
            return copy

    def __len__(self) -> int:
        return len(self._events)

    def wait_for_length(self, length: int, patience: float) -> bool:
        """Wait until so many events are written down. False: out of patience."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._events) >= length, patience)
