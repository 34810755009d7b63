"""The group-commit writer, on a store that does as a test says: no database, no threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from services.conversation.conversation import Conversation
from services.conversation.entries import Entries
from services.conversation.kinds import Side
from services.conversation.rows import ConversationRow, EntryRow
from services.history import writer as writers
from services.history.port import (
    Batch,
    Conflict,
    Duty,
    OutcomeUnknown,
    StoreError,
    Unfit,
    Visit,
)
from services.history.writer import Writer


class Store:
    """Keeps messages in a dictionary; fails as often as *failing* says, before or after."""

    def __init__(self) -> None:
        self.rows: dict[tuple[int, int], EntryRow] = {}
        self.failing: deque[tuple[bool, Exception]] = deque()
        self.commits = 0
        self.questions = 0

    def commit(self, batch: Batch) -> None:
        self.commits += 1
        done, error = self.failing.popleft() if self.failing else (True, None)
        if done:
            ids = {(one.conversation, one.side, one.client_id) for one in self.rows.values()}
            messages = [EntryRow(*row) for row in batch.entries]
            for one in messages:
                if (one.conversation, one.seq) in self.rows or (
                    one.client_id is not None and (one.conversation, one.side, one.client_id) in ids
                ):
                    raise Conflict
            self.rows.update({(one.conversation, one.seq): one for one in messages})
        if error is not None:
            raise error

    def check(self) -> None:
        if self.failing:
            raise self.failing.popleft()[1]

    def find(self, chat: int, side: int, author: str, client_ids: list[str]) -> list[EntryRow]:
        self.questions += 1
        return [
            one
            for one in self.rows.values()
            if one[:1] + one[2:4] == (chat, side, author) and one.client_id in client_ids
        ]

    def entries(self, chat: int, *, after: int = 0, before: int | None = None, **_: Any) -> Any:
        self.questions += 1
        found = sorted(
            one for one in self.rows.values() if one.conversation == chat and one.seq > after
        )
        return [one for one in found if before is None or one.seq < before][-1:]


class Choosy(Store):
    """Cannot keep what is called bad."""

    def commit(self, batch: Batch) -> None:
        bodies = [EntryRow(*row).body for row in batch.entries]
        pages = [
            chat.page for chat in [*batch.conversations, *(one.row for one in batch.amendments)]
        ]
        if "bad" in [*bodies, *pages, *(duty.subject for duty in batch.duties)]:
            raise Unfit("bad")
        super().commit(batch)


class Loop:
    """A runtime whose loop turns when a test says so, and whose native thread is the loop."""

    def __init__(self) -> None:
        self.calls: deque[Callable[[], Any]] = deque()

    def call_soon(self, call: Callable[[], Any]) -> None:
        self.calls.append(call)

    def spawn(self, function: Callable[..., Any], *args: Any) -> None:
        self.calls.append(lambda: function(*args))

    def sleep(self, seconds: float) -> None:
        pass

    def native(self) -> Callable[..., None]:
        def run(function: Callable[[], Any], done: Callable[..., None]) -> None:
            error = None
            try:
                function()
            except Exception as raised:
                error = raised
            self.calls.append(lambda: done(error))

        return run

    def turn(self, most: int = 50) -> None:
        while self.calls and most:
            self.calls.popleft()()
            most -= 1


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def writer(store: Any, loop: Any) -> Writer:
    return Writer(store, loop, lambda: 1000.0)


@pytest.fixture
def conversation() -> Conversation:
    return Conversation(ConversationRow(7, "uuid", "ann"))


def say(
    conversation: Conversation, got: list[Entries], *texts: str, ids: list[str] | None = None
) -> Entries:
    return Entries(conversation, Side.USER, "ann", list(texts), ids, got.append)


def test_what_came_meanwhile_is_committed_together(writer, store, loop, conversation):
    got: list[Entries] = []
    for number in range(5):
        assert writer.say(say(conversation, got, f"a{number}", f"b{number}"))
    loop.turn()
    assert store.commits == 1
    assert [list(one.seqs) for one in got] == [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]]
    assert conversation.last_seq == 10
    assert writer.idle


def test_a_failed_batch_gives_its_numbers_back(writer, store, loop, conversation):
    got: list[Entries] = []
    store.failing.append((False, StoreError("full")))
    writer.say(say(conversation, got, "lost", ids=["1"]))
    loop.turn(2)
    assert [one.stored for one in got] == [False]
    assert not writer.available
    assert not writer.say(say(conversation, got, "refused", ids=["2"]))
    loop.turn()
    assert writer.available
    writer.say(say(conversation, got, "again", ids=["1"]))
    loop.turn()
    assert (got[-1].stored, list(got[-1].seqs)) == (True, [1])


def test_what_a_store_should_never_raise_does_not_end_the_writer(writer, store, loop, conversation):
    got: list[Entries] = []
    store.failing += [(False, OSError("planted")), (False, OSError("in the look at it"))]
    writer.say(say(conversation, got, "lost"))
    loop.turn(2)
    assert [one.stored for one in got] == [False]
    assert not writer.available  # `/readyz` is red
    loop.turn()
    assert writer.available
    writer.say(say(conversation, got, "again"))
    loop.turn()
    assert (got[-1].stored, list(got[-1].seqs)) == (True, [1])


@pytest.mark.parametrize("where", [0, 1, 2])
def test_whoever_said_something_is_told_though_a_batch_could_not_be_made(
    writer, loop, conversation, monkeypatch, where
):
    calls = []
    whole = Conversation.date_after

    def date_after(self: Conversation, date: int) -> int:
        calls.append(date)
        if len(calls) == where + 1:
            raise OSError("planted")
        return whole(self, date)

    monkeypatch.setattr(Conversation, "date_after", date_after)
    got: list[Entries] = []
    for number in range(3):
        writer.say(say(conversation, got, f"text {number}", ids=[f"{number}"]))
    writer.save(ConversationRow(7, "uuid", "ann"))
    loop.turn()
    assert [one.stored for one in got] == [False] * 3
    assert writer.available
    assert writer.idle
    for number in range(3):
        writer.say(say(conversation, got, f"text {number}", ids=[f"{number}"]))
    loop.turn()
    assert [(one.stored, list(one.seqs)) for one in got[3:]] == [(True, [n]) for n in (1, 2, 3)]


def test_waiting_texts_have_a_bound_in_number_and_in_length(
    writer, loop, conversation, monkeypatch
):
    monkeypatch.setattr(writers, "WAITING", 10)
    monkeypatch.setattr(writers, "WAITING_CHARACTERS", 1000)
    got: list[Entries] = []
    for _ in range(3):
        assert sum(writer.say(say(conversation, got, "short")) for _ in range(20)) == 10
        loop.turn()
        assert sum(writer.say(say(conversation, got, "x" * 300)) for _ in range(20)) == 4
        loop.turn()
    assert len(got) == 3 * 14
    assert all(one.stored for one in got)


def test_a_repeat_gets_its_first_receipt_and_takes_no_number(writer, store, loop, conversation):
    got: list[Entries] = []
    writer.say(say(conversation, got, "one", "two", ids=["1", "2"]))
    loop.turn()
    writer.say(say(conversation, got, "two", "other", "three", ids=["2", "1", "3"]))
    loop.turn()
    again = got[-1]
    assert [(one, first and first.seq) for one, first in again.repeats] == [("2", 2), ("1", None)]
    assert (again.texts, list(again.seqs)) == (["three"], [3])
    writer.say(say(conversation, got, "four", ids=["4"]))
    loop.turn()
    assert list(got[-1].seqs) == [4]


@pytest.mark.parametrize("done", [True, False])
def test_an_unknown_outcome_is_not_answered_before_it_is_known(
    writer, store, loop, conversation, done
):
    got: list[Entries] = []
    store.failing += [(done, OutcomeUnknown("cut"))]
    writer.say(say(conversation, got, "one"))
    loop.turn(2)
    assert got == []
    assert not writer.available
    loop.turn()
    assert [(one.stored, list(one.seqs)) for one in got] == [(True, [1])]
    assert [one.body for one in store.rows.values()] == ["one"]
    assert writer.available


@pytest.mark.parametrize("done", [True, False])
def test_an_unknown_outcome_of_nothing_but_repeats(writer, store, loop, conversation, done):
    got: list[Entries] = []
    writer.say(say(conversation, got, "one", ids=["1"]))
    loop.turn()
    store.failing += [(True, None), (done, OutcomeUnknown("cut"))]  # type: ignore[arg-type]
    writer.say(say(conversation, got, "one", ids=["1"]))
    loop.turn()
    assert writer.available
    assert [(one.stored, len(one.repeats)) for one in got[1:]] == [(True, 1)]
    writer.say(say(conversation, got, "two", ids=["2"]))
    loop.turn()
    assert list(got[-1].seqs) == [2]


def test_a_repeat_of_a_late_text_asks_nothing_of_the_store(writer, store, loop, conversation):
    got: list[Entries] = []
    writer.say(say(conversation, got, "one", "two", ids=["1", "2"]))
    loop.turn()
    asked = store.commits, store.questions
    for _ in range(60):  # tabs
        assert writer.say(say(conversation, got, "one", "two", ids=["1", "2"]))
    other = Conversation(ConversationRow(8, "uuid", "bob"))
    writer.say(Entries(other, Side.USER, "bob", ["mine"], ["1"], got.append))
    loop.turn()
    assert (store.commits, store.questions) == (asked[0] + 1, asked[1])
    receipts = [[(one, first and first.seq) for one, first in said.repeats] for said in got[1:-1]]
    assert receipts == [[("1", 1), ("2", 2)]] * 60
    assert all(one.stored for one in got)
    assert [list(one.seqs) for one in got if one.conversation is other] == [[1]]


def test_a_repeat_of_what_is_under_way_waits_for_its_receipt(writer, store, loop, conversation):
    got: list[Entries] = []
    other = Conversation(ConversationRow(8, "uuid", "bob"))
    for _ in range(60):
        writer.say(say(conversation, got, "one", ids=["1"]))
    writer.say(say(conversation, got, "two", ids=["2"]))
    writer.say(Entries(other, Side.USER, "bob", ["mine"], ["1"], got.append))
    loop.turn(2)
    assert [(one.conversation, list(one.seqs)) for one in got] == [
        (conversation, [1]),
        (other, [1]),
    ]
    loop.turn()
    assert (store.commits, store.questions) == (2, 0)
    receipts = [[(one, first and first.seq) for one, first in said.repeats] for said in got[2:]]
    assert receipts == [[("1", 1)]] * 59 + [[]]
    assert list(got[-1].seqs) == [2]


def test_a_repeat_that_is_forgotten_costs_one_question_a_sender(store, loop, conversation):
    got: list[Entries] = []
    Writer(store, loop, lambda: 1000.0).say(say(conversation, got, "one", "two", ids=["1", "2"]))
    loop.turn()
    writer, others = (
        Writer(store, loop, lambda: 1000.0),
        Conversation(ConversationRow(7, "uuid", "ann", last_seq=2)),
    )
    for one, text in (("1", "one"), ("2", "another"), ("3", "three"), ("4", "four")):
        writer.say(say(others, got, text, ids=[one]))
    loop.turn()
    assert store.questions == 2  # what ann has said, and where the chat ends
    again = [[(one, first and first.seq) for one, first in said.repeats] for said in got[1:]]
    assert again == [[("1", 1)], [("2", None)], [], []]
    assert [list(one.seqs) for one in got[1:]] == [[], [], [3], [4]]
    writer.say(say(others, got, "one", ids=["1"]))
    loop.turn()
    assert store.questions == 2


def test_what_repeats_itself_has_to_come_one_by_one(writer, loop, conversation):
    got: list[Entries] = []
    assert not writer.say(say(conversation, got, "one", "one", ids=["1", "1"]))
    for _ in range(2):
        assert writer.say(say(conversation, got, "one", ids=["1"]))
    loop.turn()
    assert [(list(one.seqs), [r[1].seq for r in one.repeats]) for one in got] == [
        ([1], []),
        ([], [1]),
    ]


def test_a_repeat_is_refused_with_what_came_with_it(writer, store, loop, conversation):
    got: list[Entries] = []
    writer.say(say(conversation, got, "one", ids=["1"]))
    loop.turn()
    store.failing.append((False, StoreError("full")))
    writer.say(say(conversation, got, "one", "two", ids=["1", "2"]))
    loop.turn(2)
    assert (got[-1].stored, got[-1].client_ids, got[-1].repeats) == (
        False,
        ["1", "2"],
        [],
    )
    assert len(got[-1].texts) == 2


def test_another_worker_was_faster(writer, store, loop, conversation):
    got: list[Entries] = []
    store.rows[7, 1] = EntryRow(7, 1, Side.WAITER, "wim", None, 1, "from elsewhere", 5)
    writer.say(say(conversation, got, "mine"))
    loop.turn()
    assert (got[0].stored, list(got[0].seqs)) == (True, [2])


def test_what_cannot_be_kept_costs_nothing_else(loop, conversation):
    store: Any = Choosy()
    got: list[Entries] = []
    writer = Writer(store, loop, lambda: 1000.0)
    other = Conversation(ConversationRow(8, "uuid", "bob"))
    for one in ("a", "bad", "b"):
        writer.say(say(conversation, got, one, ids=[one]))
    writer.say(say(other, got, "c"))
    writer.save(ConversationRow(7, "uuid", "ann", page="bad"))
    writer.amend(ConversationRow(9, "uuid", "cid", page="bad"))
    writer.save_duty(Duty("bad", "uuid", True, 1))
    loop.turn()
    assert [(one.stored, [*one.texts], [*one.seqs]) for one in got if one.stored] == [
        (True, ["a"], [1]), (True, ["b"], [2]), (True, ["c"], [1]),
    ]  # fmt: skip
    assert [one.texts for one in got if not one.stored] == [["bad"]]
    assert writer.available
    assert writer.idle, "it is not tried again and again"
    writer.say(say(conversation, got, "d"))
    loop.turn()
    assert list(got[-1].seqs) == [3]


def test_a_store_that_goes_away_while_one_by_one_is_kept_says_so(loop, conversation):
    store: Any = Choosy()
    got: list[Entries] = []
    writer = Writer(store, loop, lambda: 1000.0)
    for one in ("a", "bad", "b"):
        writer.say(say(conversation, got, one, ids=[one]))
    kept = store.entries

    def entries(*args: Any, **options: Any) -> Any:
        if store.rows:
            raise StoreError("gone")
        return kept(*args, **options)

    store.entries = entries
    loop.turn()
    assert [(one.texts, one.stored) for one in got] == [
        (["a"], True), (["bad"], False), (["b"], False),
    ]  # fmt: skip


def test_busy_conversations_that_never_fit_into_one_batch_are_kept_one_by_one(loop, conversation):
    class Crowded(Store):
        def commit(self, batch: Batch) -> None:
            if len({EntryRow(*row).conversation for row in batch.entries}) > 1:
                raise Conflict  # in one of them, others are always faster
            super().commit(batch)

    store: Any = Crowded()
    got: list[Entries] = []
    writer = Writer(store, loop, lambda: 1000.0)
    for one in (conversation, Conversation(ConversationRow(8, "uuid", "bob"))):
        writer.say(say(one, got, "hi"))
    loop.turn()
    assert [(one.stored, list(one.seqs)) for one in got] == [(True, [1]), (True, [1])]


def test_visits_wait_for_a_store_that_is_down_up_to_a_bound(
    writer, store, loop, monkeypatch, caplog
):
    monkeypatch.setattr(writers, "MOST_VISITS", 3)
    seen: list[Visit] = []
    commit = store.commit

    def noting(batch: Batch) -> None:
        commit(batch)
        seen.extend(batch.visits)

    monkeypatch.setattr(store, "commit", noting)
    store.failing.append((False, StoreError("full")))
    writer.note_visit(Visit(1, 10, "sales"))
    loop.turn(2)
    assert not writer.available
    assert not writer.idle
    for key in (2, 3, 4, 5):
        writer.note_visit(Visit(key, key))
    writer.note_visit(Visit(4, 4, matched=9, waiter="bob"))
    writer.note_visit(Visit(4, 4, ended=12, outcome="left"))
    loop.turn()
    assert writer.available
    assert writer.idle
    assert seen == [Visit(3, 3), Visit(4, 4, "", 9, "bob", 12, "left"), Visit(5, 5)]
    assert writer.visits_lost == 2
    assert [one.message for one in caplog.records if "visits" in one.message] == [
        "more than 3 visits wait: the oldest are not counted"
    ]


def test_a_visit_of_a_batch_that_failed_learns_what_came_meanwhile(writer, store, loop):
    store.failing.append((False, StoreError("full")))
    writer.note_visit(Visit(1, 10, "sales"))
    loop.calls.popleft()()  # the batch is under way
    writer.note_visit(Visit(1, 10, matched=20, waiter="bob"))
    loop.calls.popleft()()
    assert list(writer._visits.values()) == [Visit(1, 10, "sales", 20, "bob")]
