"""Whether a waiter has returned, asked of the history by one worker of several.

Threads are held by the store, so that each test says what happens while the history is read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from services.conversation.kinds import EventPayload
from services.history.port import StoreError
from services.shared.returns import Decided, Returns

from ..test_event_entries import channel_of_ada, row

LEFT = row('{"what":"left","name":"Ada","reason":"lost"}')


class History:
    """A runtime and a store in one: reading the last event takes until a test lets it go on."""

    def __init__(self, event: Any = LEFT) -> None:
        self.event = event
        self.reads = 0
        #: raised by the next reads
        self.errors: list[Exception] = []
        self._goes_on = threading.Event()
        self._threads: list[threading.Thread] = []
        #: what was raised in these threads
        self.raised: list[Exception] = []

    def spawn(self, function: Callable[..., Any], *args: Any) -> None:
        def run() -> None:
            try:
                function(*args)
            except Exception as error:
                self.raised.append(error)

        self._threads.append(threading.Thread(target=run))
        self._threads[-1].start()

    def blocking(self, function: Callable[..., Any], *args: Any) -> Any:
        return function(*args)

    def last_events(self, keys: list[int]) -> dict[int, Any]:
        self.reads += 1
        self._goes_on.wait()
        if self.errors:
            raise self.errors.pop()
        return {7: self.event} if self.event is not None else {}

    def goes_on(self) -> None:
        """All that is being read is read to its end."""
        self._goes_on.set()
        while self._threads:
            self._threads.pop().join()
        self._goes_on.clear()


class Desk:
    """The events of one conversation, as they are passed on."""

    def __init__(self, event: Any = LEFT) -> None:
        self.history: Any = History(event)
        self.returns = Returns(self._write, self.history, self.history)
        self.channel = channel_of_ada()
        self.written: list[str] = []
        #: called while the event of this name is written
        self.meanwhile: dict[str, Callable[[], None]] = {}

    def _write(self, decided: Decided) -> None:
        what = decided.payload.what
        self.meanwhile.get(what, lambda: None)()
        self.written.append(what)

    def decides(self, what: str, *, may_have_returned: bool = False) -> None:
        payload = EventPayload(what, "Ada")
        self.returns.write(Decided(9, self.channel, payload, may_have_returned))

    def joins(self) -> None:
        """Ada joins; whether she was lost before, this worker has not seen."""
        self.decides("joined", may_have_returned=True)


@pytest.mark.parametrize(
    ("event", "what"),
    [
        (LEFT, "returned"),
        (LEFT._replace(author="eve"), "joined"),
        (LEFT._replace(data="[["), "joined"),
        (None, "joined"),
    ],
)
def test_what_is_decided_while_the_history_is_read_stands_behind_it(event, what):
    desk = Desk(event)
    desk.joins()
    desk.decides("left")
    desk.decides("ended")
    assert desk.written == []
    assert desk.returns.wait
    desk.history.goes_on()
    assert desk.written == [what, "left", "ended"]
    assert not desk.returns.wait
    assert desk.history.raised == []


def test_what_another_thread_decides_overtakes_nothing_that_has_waited():
    desk = Desk()
    desk.joins()
    desk.decides("left")
    other = threading.Thread(target=desk.decides, args=("ended",))

    def decide() -> None:
        other.start()
        if not desk.returns._lock.locked():  # else it waits for this thread
            other.join()

    desk.meanwhile["returned"] = decide
    desk.history.goes_on()
    other.join()
    assert desk.written == ["returned", "left", "ended"]


def test_the_history_is_read_once_while_it_takes_its_time():
    desk = Desk()
    desk.joins()
    for _ in range(3):
        desk.returns.read_again()
    other = threading.Thread(target=desk.returns.read_again)

    def read_again() -> None:
        other.start()
        if not desk.returns._lock.locked():
            other.join()

    desk.meanwhile["returned"] = read_again
    desk.history.goes_on()
    other.join()
    desk.history.goes_on()
    assert (desk.history.reads, desk.history.raised) == (1, [])
    assert desk.written == ["returned"]


def test_a_waiter_that_joins_again_at_once_is_looked_up_again():
    """It is not known as being read any more when the first event is written."""
    desk = Desk()
    desk.joins()
    desk.history.goes_on()
    desk.joins()
    desk.history.goes_on()
    desk.returns.read_again()
    desk.history.goes_on()
    assert (desk.history.reads, desk.history.raised) == (2, [])
    assert desk.written == ["returned", "returned"]


@pytest.mark.parametrize("error", [StoreError("it is locked"), RuntimeError("planted")])
def test_what_waits_is_not_lost_when_the_history_cannot_be_read(error):
    desk = Desk()
    desk.history.errors = [error]
    desk.joins()
    desk.decides("left")
    desk.history.goes_on()
    assert desk.history.raised == ([] if isinstance(error, StoreError) else [error])
    assert desk.returns.wait
    desk.returns.read_again()
    desk.history.goes_on()
    assert desk.written == ["returned", "left"]


def test_an_event_that_cannot_be_written_costs_no_other_one(caplog):
    desk = Desk()
    desk.joins()
    desk.decides("left")

    def fail() -> None:
        raise RuntimeError("planted")

    desk.meanwhile["returned"] = fail
    desk.history.goes_on()
    assert desk.written == ["left"]
    assert "an event could not be written" in caplog.text


# ---- before it is needed ---------------------------------------------------


def test_who_was_lost_is_read_when_the_user_comes():
    desk = Desk()
    user, conversation = desk.channel.to, desk.channel.conversation
    desk.returns.read_ahead(user)
    desk.history.goes_on()
    assert desk.history.reads == 0, "it has no conversation"
    user.conversation = conversation
    desk.history.errors = [StoreError("it is locked")]
    for _ in range(2):
        assert conversation.lost_waiter is None
        desk.returns.read_ahead(user)
        desk.history.goes_on()
    assert conversation.lost_waiter == "ada"
    desk.returns.read_ahead(user)
    desk.history.goes_on()
    assert (desk.history.reads, desk.history.raised) == (2, [])


def test_what_was_read_ahead_comes_too_late_when_a_waiter_serves_the_user():
    desk = Desk()
    user, conversation = desk.channel.to, desk.channel.conversation
    user.conversation = conversation
    desk.returns.read_ahead(user)
    user.channel = desk.channel
    desk.history.goes_on()
    assert conversation.lost_waiter is None
    user.channel, conversation.lost_waiter = None, "eve"
    desk.returns.read_ahead(user)
    desk.history.goes_on()
    assert (desk.history.reads, conversation.lost_waiter) == (1, "eve")
