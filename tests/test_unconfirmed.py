"""What may have been swallowed by a connection that turns out dead."""

from __future__ import annotations

from typing import Any

import pytest

from services import unconfirmed
from services.participants import Kept
from services.room import Room, merged
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


NOW: Any = Wheel()


def verdict(texts: Unconfirmed, meanwhile: Any = None) -> list[Kept]:
    """What a newer connection is told of it."""
    wheel: Any = Wheel(meanwhile)
    question = texts.ask(wheel)
    assert question
    return question.verdict()


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


def test_a_pong_may_come_while_the_bytes_are_counted(line, texts, monkeypatch):
    """With threads: the outbox counts in one, the pong is read in another."""
    size = unconfirmed._size

    def answered(one: Any) -> int:
        texts.ponged()
        return size(one)

    monkeypatch.setattr(unconfirmed, "MOST_BYTES", 0)
    line.prove()
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(unconfirmed, "_size", answered)
        line.tell(b"three")
        line.tidy()
    line.tell(b"four")
    assert plain(texts.all()) == [b"four"]


def test_more_may_be_told_while_a_pong_is_read(line, monkeypatch):
    """Then the oldest are forgotten anyway, and none that came after the ping."""
    monkeypatch.setattr(unconfirmed, "MOST", 4)
    texts = Unconfirmed(line, in_full=False)
    before = Unconfirmed._before

    def tell_more(self: Unconfirmed, mark: Any) -> Any:
        found = before(self, mark)
        line.tell(b"four")
        line.tell(b"five")
        return found

    line.tell(b"one")
    line.tell(b"two")
    line.prove()
    line.tell(b"three")
    monkeypatch.setattr(Unconfirmed, "_before", tell_more)
    texts.ponged()
    assert plain(texts.all()) == [b"three", b"four", b"five"]


def test_whoever_answers_a_ping_has_missed_nothing(line, texts):
    assert verdict(texts, line.watch.ponged) == []
    assert line.pings == 1
    assert texts.all() == []
    assert not texts.ask(NOW)


def test_whoever_does_not_answer_in_time_has_missed_it_all(line, texts):
    question = texts.ask(NOW)
    assert question
    line.tell(b"both have heard it")
    line.watch.pinged()
    assert not texts.ask(NOW), "a third one comes"
    assert plain(question.verdict()) == [b"one", b"two"]
    assert plain(texts.all()) == [b"both have heard it"]


def test_one_that_ends_while_it_is_asked_leaves_all_to_whoever_asks(line, texts):
    def die() -> None:
        end(line)
        assert texts.take() == []

    assert plain(verdict(texts, die)) == [b"one", b"two"]


def test_of_one_that_has_ended_already_what_came_after_its_end_is_told_at_once(line, texts):
    end(line)
    line.tell(b"three")
    assert plain(verdict(texts, lambda: None)) == [b"three"]
    assert line.pings == 0


# ---- several dead ones at once ---------------------------------------------


def test_time_is_up_for_all_that_are_asked_at_the_same_moment(line, texts):
    due: list[Any] = []
    wheel: Any = Wheel()
    wheel.after = lambda seconds, call: due.append((seconds, call)) or wheel
    line_2 = Line()
    others = Unconfirmed(line_2, in_full=False)
    line_2.tell(b"three")
    asked = [one.ask(wheel) for one in (texts, others)]
    assert [seconds for seconds, _ in due] == [unconfirmed.VERDICT] * 2, "before any is waited for"
    for _, call in due:
        call()
    assert [plain(question.verdict()) for question in asked] == [[b"one", b"two"], [b"three"]]


def second(*questions: Any) -> tuple[Line, Unconfirmed, Room]:
    """A newer connection, which has to wait for the answers of the older ones."""
    line = Line()
    found = Unconfirmed(line, in_full=False)
    return line, found, found.make_room(questions)


def test_who_comes_third_is_told_what_the_second_was_still_to_be_told(line, texts):
    line_2, second_one, _ = second(texts.ask(NOW))
    for one in (line, line_2):
        one.tell(b"three")
    assert not texts.ask(NOW), "the second one has asked already"
    assert plain(verdict(second_one)) == [b"one", b"two", b"three"]
    assert second_one.take() == []


def test_a_pong_says_nothing_of_what_still_waits(line, texts):
    line_2, second_one, _ = second(texts.ask(NOW))
    line_2.tell(b"three")
    second_one.pinged()
    second_one.ponged()
    end(line_2, silent=True)
    assert plain(second_one.take()) == [b"three"]
    assert plain(verdict(texts)) == [b"one", b"two"], "the first one is as it was"


def test_what_the_second_had_been_told_is_told_once(line, texts):
    line_2, second_one, room = second(texts.ask(NOW))
    line_2.tell(b"three")
    assert plain(room.fill()) == [b"one", b"two"]
    room.is_told = True
    second_one.pinged()
    second_one.ponged()
    line_2.tell(b"four")
    assert plain(verdict(second_one)) == [b"four"]


def test_the_second_leaves_to_the_first_what_it_was_not_told(line, texts):
    line_2, second_one, _ = second(texts.ask(NOW))
    for one in (line, line_2):
        one.tell(b"three")
    end(line_2)
    assert plain(second_one.take()) == [b"three"], "it waited, so it was never sent"
    assert plain(verdict(texts)) == [b"one", b"two", b"three"]


def test_what_the_first_has_left_behind_the_second_leaves_too(line, texts):
    line_2, second_one, _ = second(texts.ask(NOW))
    line_2.tell(b"three")
    end(line, silent=True)
    assert texts.take() == [], "the second one waits for it"
    end(line_2)
    assert plain(second_one.take()) == [b"one", b"two", b"three"]


def test_one_that_does_not_answer_has_missed_what_comes_later_however_it_ends(line, texts):
    verdict(texts)
    line.tell(b"three")
    end(line)
    assert plain(texts.take()) == [b"three"]


def test_only_a_lost_one_is_left_which_keeps_what_the_newer_one_missed(line, texts):
    line_2, second_one, room = second(texts.ask(NOW))
    assert plain(room.fill()) == [b"one", b"two"]
    room.is_told = True
    for one in (line, line_2):
        one.tell(b"three")
    second_one.pinged()
    second_one.ponged()
    for one in (line, line_2):
        one.tell(b"four")
    end(line_2, silent=True)
    assert texts.is_lost
    texts.inherit(second_one.take)
    line.tell(b"five")
    assert plain(verdict(texts)) == [b"four", b"five"]


def test_two_accounts_of_the_same_are_woven_into_one():
    one, two, three, four = (Kept(text, b"", 7, seq, seq) for seq, text in enumerate(b"1234", 1))
    again = Kept(b"under another id", b"", 7, 3, 3)
    assert merged([[again], [one, two, three, four]]) == [one, two, again, four]
    assert merged([[one, three], [two, three], [four]]) == [one, two, three, four]
    assert merged([[], [two]]) == [two]
