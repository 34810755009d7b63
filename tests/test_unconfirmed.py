"""What may have been swallowed by a connection that turns out dead."""

from __future__ import annotations

from typing import Any

import pytest

from services import unconfirmed
from services.unconfirmed import Unconfirmed


class Line:
    """A connection whose pings and end a test decides."""

    def __init__(self) -> None:
        self.code: int | None = None
        self.is_silent = False
        self.unsent = 0
        self.watch: Any = None
        self.pings = 0

    def prove(self) -> None:
        self.pings += 1
        self.watch.pinged()

    def remember(self, add: Any, tidy: Any) -> None:
        self.tell, self.tidy = add, tidy


class Wheel:
    """Time that passes at once, or whatever else is to happen meanwhile."""

    def __init__(self, meanwhile: Any = None) -> None:
        self.meanwhile = meanwhile

    def after(self, seconds: float, call: Any) -> Wheel:
        (self.meanwhile or call)()
        return self

    def cancel(self) -> None: ...


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
def texts(line) -> Unconfirmed:
    found = Unconfirmed(line, in_full=False)
    line.tell(b"one")
    line.tell(b"two")
    return found


def plain(kept: Any) -> list[bytes]:
    return [one.plain for one in kept]


def end(line: Line, *, silent: bool = False) -> None:
    line.code, line.is_silent = 1006, silent
    line.watch.ended()


def test_of_a_connection_that_went_silent_all_is_missed_since_the_last_pong(line, texts):
    line.prove()
    line.tell(b"three")
    texts.ponged()
    line.tell(b"four")
    end(line, silent=True)
    assert plain(texts.take()) == [b"three", b"four"]
    assert texts.take() == [], "it is told once"


def test_a_pong_that_nobody_has_asked_for_confirms_nothing(line, texts):
    texts.ponged()
    end(line, silent=True)
    assert plain(texts.take()) == [b"one", b"two"]


def test_of_one_that_was_closed_what_came_after_its_end_is_missed(line, texts):
    end(line)
    line.tell(b"three")
    assert plain(texts.take()) == [b"three"]


def test_of_one_that_was_closed_what_was_never_sent_is_missed_too(line, texts):
    line.tell(b"three")
    line.unsent = len(b"three") + 1
    end(line)
    assert plain(texts.take()) == [b"two", b"three"]


def test_of_one_that_was_closed_nothing_else_is(line, texts):
    end(line)
    assert texts.take() == []


def test_what_is_remembered_is_bounded_by_its_bytes(line, texts, monkeypatch):
    monkeypatch.setattr(unconfirmed, "MOST_BYTES", 10)
    line.prove()
    line.tell(b"three")
    assert line.tidy() == 10
    assert plain(texts.all()) == [b"two", b"three"]
    line.prove()
    line.tell(b"many more bytes")
    line.tidy()
    assert texts.all() == []
    line.tell(b"four")
    texts.ponged()
    assert plain(texts.all()) == [b"four"]


def test_and_by_their_number(line, monkeypatch):
    monkeypatch.setattr(unconfirmed, "MOST", 4)
    texts = Unconfirmed(line, in_full=False)
    line.prove()
    for text in (b"one", b"two", b"three", b"four", b"five"):
        line.tell(text)
    assert plain(texts.all()) == [b"two", b"three", b"four", b"five"]
    texts.ponged()
    assert plain(texts.all()) == [b"two", b"three", b"four", b"five"]
    end(line)
    line.tell(b"six")
    assert plain(texts.take()) == [b"six"]


def test_whoever_answers_a_ping_has_missed_nothing(line, texts):
    wheel: Any = Wheel(line.watch.ponged)
    assert texts.ask()
    assert texts.verdict(wheel) == []
    assert line.pings == 1
    assert texts.all() == []
    assert not texts.ask()


def test_whoever_does_not_answer_in_time_has_missed_it_all(line, texts):
    wheel: Any = Wheel()
    assert texts.ask()
    line.tell(b"both have heard it")
    line.watch.pinged()
    assert not texts.ask(), "a third one comes"
    assert plain(texts.verdict(wheel)) == [b"one", b"two"]
    assert plain(texts.all()) == [b"both have heard it"]


def test_one_that_ends_while_it_is_asked_leaves_all_to_whoever_asks(line, texts):
    def die() -> None:
        end(line)
        assert texts.take() == []

    wheel: Any = Wheel(die)
    assert texts.ask()
    assert plain(texts.verdict(wheel)) == [b"one", b"two"]


def test_of_one_that_has_ended_already_what_came_after_its_end_is_told_at_once(line, texts):
    end(line)
    line.tell(b"three")
    wheel: Any = Wheel(lambda: None)
    assert texts.ask()
    assert plain(texts.verdict(wheel)) == [b"three"]
    assert line.pings == 0
