"""What one worker has received from a shared desk: its letters in order, and their events."""

from __future__ import annotations

import threading
from collections import deque

from . import letters
from .events import Event
from .own_people import OwnPeople


class Received:
    """The letters of the desk to *worker*. Each is read once, in the order of their numbers.

    A letter comes in the mailbox, or with the reply of a call. `lock` guards all
    fields; nobody waits for anything while it is held. `begin`, `take`
    and `expect` need it held.
    """

    def __init__(self, worker: str) -> None:
        self.lock = threading.Lock()
        #: the number of the last letter
        self.number = 0
        #: a letter is missing: the worker is to join again
        self.is_behind = False
        #: how far the mailbox has been read; its reader moves it on
        self.mailbox_read = "0-0"
        #: decisions that were not taken yet
        self.events: deque[Event] = deque()
        self.own = OwnPeople(worker)

    def begin(self, number: int, mailbox_start: str) -> None:
        """The worker has joined: letters follow the one of *number*, in an empty mailbox."""
        self.number = number
        self.mailbox_read = mailbox_start
        self.is_behind = False

    def take(self, number: int, letter: bytes) -> None:
        """Read *letter*, unless it was read before."""
        if number <= self.number:
            return
        self.is_behind |= number > self.number + 1
        self.number = number
        for event in letters.events(letter):
            self.own.take(event)
            self.events.append(event)

    def expect(self, number: int) -> None:
        """The desk says that *number* is the last letter: one before it may be missing."""
        self.is_behind |= number > self.number

    def take_events(self) -> list[Event]:
        """The decisions since the last call, in order. Takes the lock."""
        with self.lock:
            events = list(self.events)
            self.events.clear()
            return events
