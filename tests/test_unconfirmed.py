"""What may have been swallowed by a connection that turns out dead."""

from __future__ import annotations

from typing import Any

import pytest

from services import unconfirmed
from services.channels import Channel, ChannelEntries, ParkedFrames
from services.conversation.conversation import Conversation
from services.conversation.kinds import Side
from services.conversation.rows import ConversationRow
from services.desk.port import Role
from services.identity import Identity
from services.participants import Participant
from services.room import Room, in_order, merged
from services.unconfirmed import Unconfirmed


class Connection:
    """One whose pings and end a test decides."""

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


def verdict(texts: Unconfirmed, meanwhile: Any = None) -> list[ParkedFrames]:
    """What a newer connection is told of it."""
    wheel: Any = Wheel(meanwhile)
    question = texts.ask(wheel)
    assert question
    return question.verdict()


@pytest.fixture
def line() -> Connection:
    return Connection()


@pytest.fixture
def texts(line) -> Unconfirmed:
    found = Unconfirmed(line, in_full=False)
    line.tell(b"one")
    line.tell(b"two")
    return found


def plain(kept: Any) -> list[bytes]:
    return [one.plain for one in kept]


def end(line: Connection, *, silent: bool = False) -> None:
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
    line_2 = Connection()
    others = Unconfirmed(line_2, in_full=False)
    line_2.tell(b"three")
    asked = [one.ask(wheel) for one in (texts, others)]
    assert [seconds for seconds, _ in due] == [unconfirmed.VERDICT] * 2, "before any is waited for"
    for _, call in due:
        call()
    assert [plain(question.verdict()) for question in asked] == [[b"one", b"two"], [b"three"]]


def second(*questions: Any) -> tuple[Connection, Unconfirmed, Room]:
    """A newer connection, which has to wait for the answers of the older ones."""
    line = Connection()
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
    one, two, three, four = (
        ParkedFrames(text, b"", 7, seq, seq) for seq, text in enumerate(b"1234", 1)
    )
    again = ParkedFrames(b"under another id", b"", 7, 3, 3)
    assert merged([[again], [one, two, three, four]]) == [one, two, again, four]
    assert merged([[one, three], [two, three], [four]]) == [one, two, three, four]
    assert merged([[], [two]]) == [two]


def test_the_texts_of_a_conversation_are_delivered_in_the_order_of_their_numbers():
    one, two, three = (ParkedFrames(text, b"", 7, seq, seq) for seq, text in enumerate(b"123", 1))
    other, frame = ParkedFrames(b"of another talk", b"", 8, 1, 1), ParkedFrames(b"no text", b"")
    assert in_order([three, other, frame, one, two]) == [one, other, frame, two, three]


# ---- an older one that may be alive ----------------------------------------


def test_one_that_has_missed_nothing_is_asked_whether_it_is_alive(line, texts):
    line.prove()
    texts.ponged()
    assert not texts.ask(NOW)
    assert line.pings == 2
    assert texts.is_lost
    texts.ponged()
    assert not texts.is_lost


def test_what_a_dead_one_was_given_beside_a_newer_one_is_not_told_again(line, texts):
    """The newer one has heard it and has ended; only then the older one is noticed to be dead."""
    line.prove()
    texts.ponged()
    texts.ask(NOW)
    line_2, second_one, _ = second()
    for one in (line, line_2):
        one.tell(b"three")
    end(line_2)
    assert texts.is_lost
    texts.inherit(second_one.take)
    end(line, silent=True)
    assert texts.take() == []


def test_a_dead_one_keeps_what_a_newer_one_has_asked_for_and_was_not_told(line, texts):
    """That one came, and ended, before time was up."""
    verdict(texts)
    line.tell(b"three")
    line_2, second_one, _ = second(texts.ask(NOW))
    for one in (line, line_2):
        one.tell(b"four")
    end(line_2)
    texts.inherit(second_one.take)
    assert plain(verdict(texts)) == [b"three", b"four"]


# ---- the word of other workers ---------------------------------------------


class Word:
    """The word of another worker, which can be asked for again."""

    stays = True

    def __init__(self, *found: ParkedFrames, told: int = 0) -> None:
        self.found = [*found]
        self.told = {7: told}

    def verdict(self) -> list[ParkedFrames]:
        return self.found

    def withdraw(self) -> list[Any]:
        return [self]


OLD = ParkedFrames(b"old", b"", 7, 1, 1)


@pytest.mark.parametrize("is_found", [True, False])
def test_a_word_that_is_not_told_yet_stays_what_it_is(line, is_found):
    word = Word(OLD)
    line_2, second_one, room = second(word)
    if is_found:
        room.fill()
    line_2.tell(b"new")
    end(line_2, silent=True)
    found = second_one.take()
    assert found[-2] is word
    assert (
        plain(one for one in found if isinstance(one, ParkedFrames))
        == [b"old", b"new"][not is_found :]
    )


def test_what_was_missed_before_a_word_was_waited_for_comes_before_it(line, texts):
    """The word says how far this worker had told it: that is no word of what was swallowed here."""
    word = Word(OLD)
    texts.make_room([word])
    line.tell(b"three")
    end(line, silent=True)
    one, two, found, three = texts.take()
    assert found is word
    assert plain([one, two, three]) == [b"one", b"two", b"three"]


def test_a_word_that_comes_after_a_newer_one_has_asked_is_left_behind(line, texts):
    """The newer one is told what follows, and not what was meant for this one alone."""
    assert texts.ask(NOW)
    word = Word(OLD)
    texts.make_room([word])
    line.tell(b"told to the newer one as well")
    end(line, silent=True)
    left, live = texts.take()
    assert left is word
    assert plain([live]) == [b"told to the newer one as well"], "if that is on this worker"
    assert texts.take() == []


def test_one_that_is_alive_and_still_waits_for_a_word_leaves_it_to_whoever_asks(line):
    """The pong says nothing of what it was not told yet, and it may end before that."""
    texts = Unconfirmed(line, in_full=False)
    texts.make_room([Word(OLD)])
    wheel: Any = Wheel(lambda: None)
    question = texts.ask(wheel)
    assert question
    texts.ponged()
    end(line)
    assert texts.take() == []
    assert question.verdict() == [OLD]


def test_a_word_is_not_forgotten_however_many_texts_follow_it(line):
    texts = Unconfirmed(line, in_full=False)
    word = Word(OLD)
    texts.make_room([word])
    for number in range(unconfirmed.MOST):
        line.tell(b"%d" % number)
    end(line, silent=True)
    assert word in texts.take()


def test_what_a_newer_one_has_waited_for_is_kept_beside_what_is_said(line):
    """This one is alive and was told all; that one's client comes back."""
    texts = Unconfirmed(line, in_full=False)
    word = Word(OLD)
    texts.keep([word])
    line.tell(b"new")
    line.prove()
    texts.ponged()
    assert verdict(texts) == [OLD]
    assert not texts.ask(NOW)
    texts.keep([word])
    end(line)
    assert texts.take() == [word]


def test_whoever_asks_gets_what_the_word_said_of_its_conversations(line):
    _, second_one, _ = second(Word(OLD, told=3))
    question = second_one.ask(NOW)
    assert question
    assert question.verdict() == [OLD]
    assert question.told == {7: 3}
    assert not question.stays


def test_a_connection_may_end_while_the_word_for_an_older_one_is_waited_for():
    """The older one has ended as well: what it was to be told is left by the newer one."""
    line, older, _ = second(word := Word(OLD))
    question = older.ask(NOW)
    assert question
    _, newer, room = second(question)
    left: list[Any] = []

    def end_both() -> list[ParkedFrames]:
        end(line, silent=True)
        assert older.take() == []
        left.extend(newer.take())
        return [OLD]

    word.verdict = end_both  # type: ignore[method-assign]
    assert room.fill() == []
    assert left == [word]


def test_the_same_is_told_once_though_it_is_found_twice_unless_another_one_has_it(line, texts):
    assert texts.new_of([OLD]) == [OLD]
    assert texts.new_of([OLD]) == []
    texts.make_room([Word(OLD)])
    assert OLD in verdict(texts)
    assert texts.new_of([OLD]) == [OLD], "it came back"


def test_what_was_told_elsewhere_is_not_remembered(line):
    """`Turns.leave_out` says which texts these are."""
    ann = Participant("uuid-ann", Role.USER, Identity("ann"))
    ada = Participant("uuid-ada", Role.WAITER, Identity("ada"))
    conversation = Conversation(ConversationRow(7, "uuid-ann", "ann"))
    entries = ChannelEntries(conversation, Side.WAITER, "ada", ["one", "two"], None, lambda _: None)
    channel = Channel(ada, ann, conversation)
    entries.seqs, entries.channel, entries.connection = range(1, 3), channel, None
    texts = Unconfirmed(line, in_full=False)
    texts.add(entries)
    texts.leave_out(entries, entries.beyond(1))
    assert [kept.first for kept in texts.all()] == [2]
    texts.leave_out(entries, None)
    assert texts.all() == []
