"""What a connection may have lost that turns out dead."""

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
        self.put_and_remember, self.tidy = add, tidy


class Wheel:
    """Time that passes at once, or what else is to happen meanwhile."""

    def __init__(self, meanwhile: Any = None) -> None:
        self.meanwhile = meanwhile

    def after(self, seconds: float, call: Any) -> Wheel:
        (self.meanwhile or call)()
        return self

    def cancel(self) -> None: ...


NOW: Any = Wheel()


def missed_by(texts: Unconfirmed, meanwhile: Any = None) -> list[ParkedFrames]:
    """What a newer connection learns that *texts* has missed."""
    wheel: Any = Wheel(meanwhile)
    question = texts.ask(wheel)
    assert question
    return question.answer()


@pytest.fixture
def connection() -> Connection:
    return Connection()


@pytest.fixture
def texts(connection) -> Unconfirmed:
    found = Unconfirmed(connection, in_full=False)
    connection.put_and_remember(b"one")
    connection.put_and_remember(b"two")
    return found


def plain(parked: Any) -> list[bytes]:
    return [one.plain for one in parked]


def end(connection: Connection, *, silent: bool = False) -> None:
    connection.code, connection.is_silent = 1006, silent
    connection.watch.ended()


def test_of_a_connection_that_went_silent_all_is_missed_since_the_last_pong(connection, texts):
    connection.prove()
    connection.put_and_remember(b"three")
    texts.ponged()
    connection.put_and_remember(b"four")
    end(connection, silent=True)
    assert plain(texts.take()) == [b"three", b"four"]
    assert texts.take() == [], "it is taken out once"


def test_a_pong_that_nobody_has_asked_for_confirms_nothing(connection, texts):
    texts.ponged()
    end(connection, silent=True)
    assert plain(texts.take()) == [b"one", b"two"]


def test_of_one_that_was_closed_what_came_after_its_end_is_missed(connection, texts):
    end(connection)
    connection.put_and_remember(b"three")
    assert plain(texts.take()) == [b"three"]


def test_of_one_that_was_closed_what_was_never_sent_is_missed_too(connection, texts):
    connection.put_and_remember(b"three")
    connection.unsent = len(b"three") + 1
    end(connection)
    assert plain(texts.take()) == [b"two", b"three"]


def test_of_one_that_was_closed_nothing_else_is(connection, texts):
    end(connection)
    assert texts.take() == []


def test_what_is_remembered_is_bounded_by_its_bytes(connection, texts, monkeypatch):
    monkeypatch.setattr(unconfirmed, "MOST_BYTES", 10)
    connection.prove()
    connection.put_and_remember(b"three")
    assert connection.tidy() == 10
    assert plain(texts.all()) == [b"two", b"three"]
    connection.prove()
    connection.put_and_remember(b"many more bytes")
    connection.tidy()
    assert texts.all() == []
    connection.put_and_remember(b"four")
    texts.ponged()
    assert plain(texts.all()) == [b"four"]


def test_and_by_their_number(connection, monkeypatch):
    monkeypatch.setattr(unconfirmed, "MOST", 4)
    texts = Unconfirmed(connection, in_full=False)
    connection.prove()
    for text in (b"one", b"two", b"three", b"four", b"five"):
        connection.put_and_remember(text)
    assert plain(texts.all()) == [b"two", b"three", b"four", b"five"]
    texts.ponged()
    assert plain(texts.all()) == [b"two", b"three", b"four", b"five"]
    end(connection)
    connection.put_and_remember(b"six")
    assert plain(texts.take()) == [b"six"]


def test_a_pong_may_come_while_the_bytes_are_counted(connection, texts, monkeypatch):
    """With threads: the outbox counts in one, the pong is read in another."""
    size = unconfirmed._size

    def answered(one: Any) -> int:
        texts.ponged()
        return size(one)

    monkeypatch.setattr(unconfirmed, "MOST_BYTES", 0)
    connection.prove()
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(unconfirmed, "_size", answered)
        connection.put_and_remember(b"three")
        connection.tidy()
    connection.put_and_remember(b"four")
    assert plain(texts.all()) == [b"four"]


def test_more_may_be_given_while_a_pong_is_read(connection, monkeypatch):
    """Then the oldest are forgotten anyway, and none that came after the ping."""
    monkeypatch.setattr(unconfirmed, "MOST", 4)
    texts = Unconfirmed(connection, in_full=False)
    before = Unconfirmed._before

    def give_more(self: Unconfirmed, mark: Any) -> Any:
        found = before(self, mark)
        connection.put_and_remember(b"four")
        connection.put_and_remember(b"five")
        return found

    connection.put_and_remember(b"one")
    connection.put_and_remember(b"two")
    connection.prove()
    connection.put_and_remember(b"three")
    monkeypatch.setattr(Unconfirmed, "_before", give_more)
    texts.ponged()
    assert plain(texts.all()) == [b"three", b"four", b"five"]


def test_a_connection_that_answers_a_ping_has_missed_nothing(connection, texts):
    assert missed_by(texts, connection.watch.ponged) == []
    assert connection.pings == 1
    assert texts.all() == []
    assert not texts.ask(NOW)


def test_a_connection_that_does_not_answer_in_time_has_missed_all(connection, texts):
    question = texts.ask(NOW)
    assert question
    connection.put_and_remember(b"both were given it")
    connection.watch.pinged()
    assert not texts.ask(NOW), "a third one comes"
    assert plain(question.answer()) == [b"one", b"two"]
    assert plain(texts.all()) == [b"both were given it"]


def test_a_connection_that_ends_while_it_is_asked_leaves_all_to_the_one_that_asks(
    connection, texts
):
    def die() -> None:
        end(connection)
        assert texts.take() == []

    assert plain(missed_by(texts, die)) == [b"one", b"two"]


def test_of_one_that_has_ended_already_what_came_after_its_end_is_answered_at_once(
    connection, texts
):
    end(connection)
    connection.put_and_remember(b"three")
    assert plain(missed_by(texts, lambda: None)) == [b"three"]
    assert connection.pings == 0


# ---- several dead ones at once ---------------------------------------------


def test_time_is_up_for_all_that_are_asked_at_the_same_moment(connection, texts):
    due: list[Any] = []
    wheel: Any = Wheel()
    wheel.after = lambda seconds, call: due.append((seconds, call)) or wheel
    newer = Connection()
    others = Unconfirmed(newer, in_full=False)
    newer.put_and_remember(b"three")
    asked = [one.ask(wheel) for one in (texts, others)]
    assert [seconds for seconds, _ in due] == [unconfirmed.ANSWER_TIME] * 2, (
        "before any is waited for"
    )
    for _, call in due:
        call()
    assert [plain(question.answer()) for question in asked] == [[b"one", b"two"], [b"three"]]


def add_newer(*questions: Any) -> tuple[Connection, Unconfirmed, Room]:
    """A newer connection, which has to wait for the answers of the older ones."""
    connection = Connection()
    found = Unconfirmed(connection, in_full=False)
    return connection, found, found.make_room(questions)


def test_the_third_connection_gets_what_the_second_still_waited_for(connection, texts):
    newer, newer_texts, _ = add_newer(texts.ask(NOW))
    for one in (connection, newer):
        one.put_and_remember(b"three")
    assert not texts.ask(NOW), "the second one has asked already"
    assert plain(missed_by(newer_texts)) == [b"one", b"two", b"three"]
    assert newer_texts.take() == []


def test_a_pong_says_nothing_of_what_still_waits(connection, texts):
    newer, newer_texts, _ = add_newer(texts.ask(NOW))
    newer.put_and_remember(b"three")
    newer_texts.pinged()
    newer_texts.ponged()
    end(newer, silent=True)
    assert plain(newer_texts.take()) == [b"three"]
    assert plain(missed_by(texts)) == [b"one", b"two"], "the first one is as it was"


def test_what_the_second_was_sent_is_sent_once(connection, texts):
    newer, newer_texts, room = add_newer(texts.ask(NOW))
    newer.put_and_remember(b"three")
    assert plain(room.fill()) == [b"one", b"two"]
    room.is_delivered = True
    newer_texts.pinged()
    newer_texts.ponged()
    newer.put_and_remember(b"four")
    assert plain(missed_by(newer_texts)) == [b"four"]


def test_the_second_leaves_to_the_first_what_it_was_not_sent(connection, texts):
    newer, newer_texts, _ = add_newer(texts.ask(NOW))
    for one in (connection, newer):
        one.put_and_remember(b"three")
    end(newer)
    assert plain(newer_texts.take()) == [b"three"], "it waited, so it was never sent"
    assert plain(missed_by(texts)) == [b"one", b"two", b"three"]


def test_what_the_first_has_left_behind_the_second_leaves_too(connection, texts):
    newer, newer_texts, _ = add_newer(texts.ask(NOW))
    newer.put_and_remember(b"three")
    end(connection, silent=True)
    assert texts.take() == [], "the second one waits for it"
    end(newer)
    assert plain(newer_texts.take()) == [b"one", b"two", b"three"]


def test_one_that_does_not_answer_has_missed_what_comes_later_however_it_ends(connection, texts):
    missed_by(texts)
    connection.put_and_remember(b"three")
    end(connection)
    assert plain(texts.take()) == [b"three"]


def test_only_a_lost_connection_is_left_which_holds_what_the_newer_one_missed(connection, texts):
    newer, newer_texts, room = add_newer(texts.ask(NOW))
    assert plain(room.fill()) == [b"one", b"two"]
    room.is_delivered = True
    for one in (connection, newer):
        one.put_and_remember(b"three")
    newer_texts.pinged()
    newer_texts.ponged()
    for one in (connection, newer):
        one.put_and_remember(b"four")
    end(newer, silent=True)
    assert texts.is_lost
    texts.inherit(newer_texts.take)
    connection.put_and_remember(b"five")
    assert plain(missed_by(texts)) == [b"four", b"five"]


def test_two_lists_of_the_same_items_are_woven_into_one():
    one, two, three, four = (
        ParkedFrames(text, b"", 7, seq, seq) for seq, text in enumerate(b"1234", 1)
    )
    again = ParkedFrames(b"under another id", b"", 7, 3, 3)
    assert merged([[again], [one, two, three, four]]) == [one, two, again, four]
    assert merged([[one, three], [two, three], [four]]) == [one, two, three, four]
    assert merged([[], [two]]) == [two]


def test_the_texts_of_a_conversation_are_delivered_in_the_order_of_their_numbers():
    one, two, three = (ParkedFrames(text, b"", 7, seq, seq) for seq, text in enumerate(b"123", 1))
    other, frame = (
        ParkedFrames(b"of another conversation", b"", 8, 1, 1),
        ParkedFrames(b"no text", b""),
    )
    assert in_order([three, other, frame, one, two]) == [one, other, frame, two, three]


# ---- an older one that may be alive ----------------------------------------


def test_one_that_has_missed_nothing_is_asked_whether_it_is_alive(connection, texts):
    connection.prove()
    texts.ponged()
    assert not texts.ask(NOW)
    assert connection.pings == 2
    assert texts.is_lost
    texts.ponged()
    assert not texts.is_lost


def test_what_a_dead_one_was_given_beside_a_newer_one_is_not_sent_again(connection, texts):
    """The newer one got it and has ended; only then the older one is noticed to be dead."""
    connection.prove()
    texts.ponged()
    texts.ask(NOW)
    newer, newer_texts, _ = add_newer()
    for one in (connection, newer):
        one.put_and_remember(b"three")
    end(newer)
    assert texts.is_lost
    texts.inherit(newer_texts.take)
    end(connection, silent=True)
    assert texts.take() == []


def test_a_dead_one_holds_what_a_newer_one_has_asked_for_and_was_not_sent(connection, texts):
    """That one came, and ended, before time was up."""
    missed_by(texts)
    connection.put_and_remember(b"three")
    newer, newer_texts, _ = add_newer(texts.ask(NOW))
    for one in (connection, newer):
        one.put_and_remember(b"four")
    end(newer)
    texts.inherit(newer_texts.take)
    assert plain(missed_by(texts)) == [b"three", b"four"]


# ---- the reports of other workers --------------------------------------------


class Report:
    """The question to another worker, whose report stays: it can be asked for again."""

    stays = True

    def __init__(self, *found: ParkedFrames, sent: int = 0) -> None:
        self.found = [*found]
        self.sent = {7: sent}

    def answer(self) -> list[ParkedFrames]:
        return self.found

    def withdraw(self) -> list[Any]:
        return [self]


OLD = ParkedFrames(b"old", b"", 7, 1, 1)


@pytest.mark.parametrize("is_found", [True, False])
def test_a_report_that_was_not_delivered_yet_stays_what_it_is(connection, is_found):
    report = Report(OLD)
    newer, newer_texts, room = add_newer(report)
    if is_found:
        room.fill()
    newer.put_and_remember(b"new")
    end(newer, silent=True)
    found = newer_texts.take()
    assert found[-2] is report
    assert (
        plain(one for one in found if isinstance(one, ParkedFrames))
        == [b"old", b"new"][not is_found :]
    )


def test_what_was_missed_before_a_report_was_waited_for_comes_before_it(connection, texts):
    """The report covers what its worker has sent, and nothing of what was lost here."""
    report = Report(OLD)
    texts.make_room([report])
    connection.put_and_remember(b"three")
    end(connection, silent=True)
    one, two, found, three = texts.take()
    assert found is report
    assert plain([one, two, three]) == [b"one", b"two", b"three"]


def test_a_report_that_comes_after_a_newer_one_has_asked_is_left_behind(connection, texts):
    """The newer one is given what follows, and not what was meant for this one alone."""
    assert texts.ask(NOW)
    report = Report(OLD)
    texts.make_room([report])
    connection.put_and_remember(b"given to the newer one as well")
    end(connection, silent=True)
    left, live = texts.take()
    assert left is report
    assert plain([live]) == [b"given to the newer one as well"], "if that is on this worker"
    assert texts.take() == []


def test_one_that_is_alive_and_still_waits_for_a_report_leaves_it_to_the_one_that_asks(connection):
    """The pong confirms nothing that it was not sent yet, and it may end before that."""
    texts = Unconfirmed(connection, in_full=False)
    texts.make_room([Report(OLD)])
    wheel: Any = Wheel(lambda: None)
    question = texts.ask(wheel)
    assert question
    texts.ponged()
    end(connection)
    assert texts.take() == []
    assert question.answer() == [OLD]


def test_a_report_is_not_forgotten_however_many_texts_follow_it(connection):
    texts = Unconfirmed(connection, in_full=False)
    report = Report(OLD)
    texts.make_room([report])
    for number in range(unconfirmed.MOST):
        connection.put_and_remember(b"%d" % number)
    end(connection, silent=True)
    assert report in texts.take()


def test_what_a_newer_one_has_waited_for_is_held_beside_what_is_given(connection):
    """This connection is alive and was sent all; the client of the newer one comes back."""
    texts = Unconfirmed(connection, in_full=False)
    report = Report(OLD)
    texts.keep([report])
    connection.put_and_remember(b"new")
    connection.prove()
    texts.ponged()
    assert missed_by(texts) == [OLD]
    assert not texts.ask(NOW)
    texts.keep([report])
    end(connection)
    assert texts.take() == [report]


def test_the_one_that_asks_gets_what_the_report_says_of_its_conversations(connection):
    _, newer_texts, _ = add_newer(Report(OLD, sent=3))
    question = newer_texts.ask(NOW)
    assert question
    assert question.answer() == [OLD]
    assert question.sent == {7: 3}
    assert not question.stays


def test_a_connection_may_end_while_the_report_for_an_older_one_is_waited_for():
    """The older one has ended as well: what it was to be sent is left by the newer one."""
    connection, older, _ = add_newer(report := Report(OLD))
    question = older.ask(NOW)
    assert question
    _, newer, room = add_newer(question)
    left: list[Any] = []

    def end_both() -> list[ParkedFrames]:
        end(connection, silent=True)
        assert older.take() == []
        left.extend(newer.take())
        return [OLD]

    report.answer = end_both  # type: ignore[method-assign]
    assert room.fill() == []
    assert left == [report]


def test_the_same_is_sent_once_though_it_is_found_twice_unless_another_one_has_it(
    connection, texts
):
    assert texts.new_of([OLD]) == [OLD]
    assert texts.new_of([OLD]) == []
    texts.make_room([Report(OLD)])
    assert OLD in missed_by(texts)
    assert texts.new_of([OLD]) == [OLD], "it came back"


def test_what_another_worker_has_sent_is_not_remembered(connection):
    """`Turns.leave_out` says which texts these are."""
    ann = Participant("uuid-ann", Role.USER, Identity("ann"))
    ada = Participant("uuid-ada", Role.WAITER, Identity("ada"))
    conversation = Conversation(ConversationRow(7, "uuid-ann", "ann"))
    entries = ChannelEntries(conversation, Side.WAITER, "ada", ["one", "two"], None, lambda _: None)
    channel = Channel(ada, ann, conversation)
    entries.seqs, entries.channel, entries.connection = range(1, 3), channel, None
    texts = Unconfirmed(connection, in_full=False)
    texts.add(entries)
    texts.leave_out(entries, entries.beyond(1))
    assert [parked.first for parked in texts.all()] == [2]
    texts.leave_out(entries, None)
    assert texts.all() == []
