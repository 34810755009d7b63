"""Events that wait for the database, where threads write them (`services/event_entries.py`)."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from services.channels import Channel
from services.conversation.conversation import Conversation
from services.conversation.kinds import EVENT, RATING, EventPayload, Side
from services.conversation.rows import ConversationRow, EntryRow
from services.desk.port import Role
from services.event_entries import EventEntries, lost_waiter
from services.identity import Identity, TokenRole
from services.participants import Participant


def channel_of_ada() -> Channel:
    """From waiter ada to ann."""
    ada, ann = (
        Participant(f"uuid-{name}", role, Identity(name, name.title(), TokenRole(role)))
        for name, role in (("ada", Role.WAITER), ("ann", Role.USER))
    )
    return Channel(ada, ann, Conversation(ConversationRow(7, "uuid-ann", "ann", opened=1)))


def what(entries: Any) -> str:
    """What these entries say has happened."""
    return str(EVENT.payload_of("", entries.data)["what"])


class Events:
    """Event entries of one conversation, and a writer that takes them or not."""

    def __init__(self) -> None:
        self.available = False
        #: what the writer has taken
        self.taken: list[str] = []
        #: called while the writer takes an event
        self.meanwhile: Any = lambda: None
        self.entries = EventEntries(self._begin, lambda entries: None)
        self._channel = channel_of_ada()

    def _begin(self, entries: Any) -> bool:
        self.meanwhile()
        if self.available:
            self.taken.append(what(entries))
        return self.available

    def write(self, what: str) -> None:
        self.entries.write(self.entries.new(self._channel, EventPayload(what)))

    def write_missing(self) -> None:
        writer: Any = SimpleNamespace(available=self.available)
        self.entries.write_missing(writer)


def test_an_event_does_not_overtake_those_that_wait_for_the_database():
    events = Events()
    events.write("joined")
    events.write("left")
    events.available = True
    events.write("returned")
    assert events.taken == []
    events.write_missing()
    assert events.taken == ["joined", "left", "returned"]
    assert not events.entries.waits


def test_nor_where_the_writer_takes_only_some_of_them():
    events = Events()
    for one in ("joined", "left", "returned"):
        events.write(one)
    events.available = True

    has_room = iter([True, False, True])

    def fill() -> None:
        events.available = next(has_room)

    events.meanwhile = fill
    events.write_missing()
    assert events.taken == ["joined"]
    events.write("ended")
    events.available, events.meanwhile = True, lambda: None
    events.write_missing()
    assert events.taken == ["joined", "left", "returned", "ended"]


def test_nor_while_another_thread_writes_those():
    events = Events()
    events.write("joined")
    other = threading.Thread(target=events.write, args=("left",))

    def write_another() -> None:
        events.meanwhile = lambda: None
        other.start()
        if not events.entries._lock.locked():  # else it would wait for this thread
            other.join()

    events.available, events.meanwhile = True, write_another
    events.write_missing()
    other.join()
    assert events.taken == ["joined", "left"]


def row(data: str | None, kind: int = EVENT.number) -> EntryRow:
    """An entry that the server has written about ada."""
    return EntryRow(7, 2, Side.SERVER, "ada", None, kind, "", 1, data)


def test_who_was_lost_is_whom_the_last_event_says_has_left():
    assert lost_waiter(row('{"what":"left","name":"Ada","reason":"lost"}')) == "ada"
    assert lost_waiter(row('{"what":"left","of":"a later version"}')) == "ada"
    assert lost_waiter(row('{"what":"joined","name":"Ada"}')) is None
    assert lost_waiter(row('{"what":"left"}', RATING.number)) is None


@pytest.mark.parametrize("data", [None, "", "{", "[]", "[[]]", "3", "null", '"left"', "{}"])
def test_what_is_no_event_of_ours_says_that_nobody_was_lost(data):
    assert lost_waiter(row(data)) is None
