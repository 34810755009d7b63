"""The group-commit writer, on a store that does as it is told: no database, no threads."""

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
from services.history.port import Batch, Conflict, Duty, OutcomeUnknown, StoreError, Unfit
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
    """A runtime whose loop turns when it is told to, and whose native thread is the loop."""

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
def talk() -> Conversation:
    return Conversation(ConversationRow(7, "uuid", "ann"))


def say(
    talk: Conversation, told: list[Entries], *texts: str, ids: list[str] | None = None
) -> Entries:
    return Entries(talk, Side.USER, "ann", list(texts), ids, told.append)


def test_what_came_meanwhile_is_committed_together(writer, store, loop, talk):
    told: list[Entries] = []
    for number in range(5):
        assert writer.say(say(talk, told, f"a{number}", f"b{number}"))
    loop.turn()
    assert store.commits == 1
    assert [list(one.seqs) for one in told] == [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]]
    assert talk.last_seq == 10
    assert writer.idle


def test_a_failed_batch_gives_its_numbers_back(writer, store, loop, talk):
    told: list[Entries] = []
    store.failing.append((False, StoreError("full")))
    writer.say(say(talk, told, "lost", ids=["1"]))
    loop.turn(2)
    assert [one.stored for one in told] == [False]
    assert not writer.available
    assert not writer.say(say(talk, told, "refused", ids=["2"]))
    loop.turn()
    assert writer.available
    writer.say(say(talk, told, "again", ids=["1"]))
    loop.turn()
    assert (told[-1].stored, list(told[-1].seqs)) == (True, [1])


def test_what_the_store_should_never_raise_does_not_end_the_writer(writer, store, loop, talk):
    told: list[Entries] = []
    store.failing += [(False, OSError("planted")), (False, OSError("in the look at it"))]
    writer.say(say(talk, told, "lost"))
    loop.turn(2)
    assert [one.stored for one in told] == [False]
    assert not writer.available  # `/readyz` is red
    loop.turn()
    assert writer.available
    writer.say(say(talk, told, "again"))
    loop.turn()
    assert (told[-1].stored, list(told[-1].seqs)) == (True, [1])


@pytest.mark.parametrize("where", [0, 1, 2])
def test_whoever_said_something_is_told_though_a_batch_could_not_be_made(
    writer, loop, talk, monkeypatch, where
):
    calls = []
    whole = Conversation.date_after

    def date_after(self: Conversation, date: int) -> int:
        calls.append(date)
        if len(calls) == where + 1:
            raise OSError("planted")
        return whole(self, date)

    monkeypatch.setattr(Conversation, "date_after", date_after)
    told: list[Entries] = []
    for number in range(3):
        writer.say(say(talk, told, f"text {number}", ids=[f"{number}"]))
    writer.save(ConversationRow(7, "uuid", "ann"))
    loop.turn()
    assert [one.stored for one in told] == [False] * 3
    assert writer.available
    assert writer.idle
    for number in range(3):
        writer.say(say(talk, told, f"text {number}", ids=[f"{number}"]))
    loop.turn()
    assert [(one.stored, list(one.seqs)) for one in told[3:]] == [(True, [n]) for n in (1, 2, 3)]


def test_texts_that_wait_have_a_bound_in_number_and_in_length(writer, loop, talk, monkeypatch):
    monkeypatch.setattr(writers, "WAITING", 10)
    monkeypatch.setattr(writers, "WAITING_CHARACTERS", 1000)
    told: list[Entries] = []
    for _ in range(3):
        assert sum(writer.say(say(talk, told, "short")) for _ in range(20)) == 10
        loop.turn()
        assert sum(writer.say(say(talk, told, "x" * 300)) for _ in range(20)) == 4
        loop.turn()
    assert len(told) == 3 * 14
    assert all(one.stored for one in told)


def test_a_repeat_gets_its_first_receipt_and_takes_no_number(writer, store, loop, talk):
    told: list[Entries] = []
    writer.say(say(talk, told, "one", "two", ids=["1", "2"]))
    loop.turn()
    writer.say(say(talk, told, "two", "other", "three", ids=["2", "1", "3"]))
    loop.turn()
    again = told[-1]
    assert [(one, first and first.seq) for one, first in again.repeats] == [("2", 2), ("1", None)]
    assert (again.texts, list(again.seqs)) == (["three"], [3])
    writer.say(say(talk, told, "four", ids=["4"]))
    loop.turn()
    assert list(told[-1].seqs) == [4]


@pytest.mark.parametrize("done", [True, False])
def test_of_an_unknown_outcome_nobody_is_told_before_it_is_known(writer, store, loop, talk, done):
    told: list[Entries] = []
    store.failing += [(done, OutcomeUnknown("cut"))]
    writer.say(say(talk, told, "one"))
    loop.turn(2)
    assert told == []
    assert not writer.available
    loop.turn()
    assert [(one.stored, list(one.seqs)) for one in told] == [(True, [1])]
    assert [one.body for one in store.rows.values()] == ["one"]
    assert writer.available


@pytest.mark.parametrize("done", [True, False])
def test_an_unknown_outcome_of_nothing_but_repeats(writer, store, loop, talk, done):
    told: list[Entries] = []
    writer.say(say(talk, told, "one", ids=["1"]))
    loop.turn()
    store.failing += [(True, None), (done, OutcomeUnknown("cut"))]  # type: ignore[arg-type]
    writer.say(say(talk, told, "one", ids=["1"]))
    loop.turn()
    assert writer.available
    assert [(one.stored, len(one.repeats)) for one in told[1:]] == [(True, 1)]
    writer.say(say(talk, told, "two", ids=["2"]))
    loop.turn()
    assert list(told[-1].seqs) == [2]


def test_a_repeat_of_what_was_said_lately_asks_nothing_of_the_store(writer, store, loop, talk):
    told: list[Entries] = []
    writer.say(say(talk, told, "one", "two", ids=["1", "2"]))
    loop.turn()
    asked = store.commits, store.questions
    for _ in range(60):  # tabs
        assert writer.say(say(talk, told, "one", "two", ids=["1", "2"]))
    stranger = Conversation(ConversationRow(8, "uuid", "bob"))
    writer.say(Entries(stranger, Side.USER, "bob", ["mine"], ["1"], told.append))
    loop.turn()
    assert (store.commits, store.questions) == (asked[0] + 1, asked[1])
    receipts = [[(one, first and first.seq) for one, first in said.repeats] for said in told[1:-1]]
    assert receipts == [[("1", 1), ("2", 2)]] * 60
    assert all(one.stored for one in told)
    assert [list(one.seqs) for one in told if one.conversation is stranger] == [[1]]


def test_a_repeat_of_what_is_under_way_waits_for_its_receipt(writer, store, loop, talk):
    told: list[Entries] = []
    stranger = Conversation(ConversationRow(8, "uuid", "bob"))
    for _ in range(60):
        writer.say(say(talk, told, "one", ids=["1"]))
    writer.say(say(talk, told, "two", ids=["2"]))
    writer.say(Entries(stranger, Side.USER, "bob", ["mine"], ["1"], told.append))
    loop.turn(2)
    assert [(one.conversation, list(one.seqs)) for one in told] == [(talk, [1]), (stranger, [1])]
    loop.turn()
    assert (store.commits, store.questions) == (2, 0)
    receipts = [[(one, first and first.seq) for one, first in said.repeats] for said in told[2:]]
    assert receipts == [[("1", 1)]] * 59 + [[]]
    assert list(told[-1].seqs) == [2]


def test_a_repeat_that_is_forgotten_costs_one_question_a_sender(store, loop, talk):
    told: list[Entries] = []
    Writer(store, loop, lambda: 1000.0).say(say(talk, told, "one", "two", ids=["1", "2"]))
    loop.turn()
    writer, others = (
        Writer(store, loop, lambda: 1000.0),
        Conversation(ConversationRow(7, "uuid", "ann", last_seq=2)),
    )
    for one, text in (("1", "one"), ("2", "another"), ("3", "three"), ("4", "four")):
        writer.say(say(others, told, text, ids=[one]))
    loop.turn()
    assert store.questions == 2  # what ann has said, and where the chat ends
    again = [[(one, first and first.seq) for one, first in said.repeats] for said in told[1:]]
    assert again == [[("1", 1)], [("2", None)], [], []]
    assert [list(one.seqs) for one in told[1:]] == [[], [], [3], [4]]
    writer.say(say(others, told, "one", ids=["1"]))
    loop.turn()
    assert store.questions == 2


def test_what_repeats_itself_has_to_come_one_by_one(writer, loop, talk):
    told: list[Entries] = []
    assert not writer.say(say(talk, told, "one", "one", ids=["1", "1"]))
    for _ in range(2):
        assert writer.say(say(talk, told, "one", ids=["1"]))
    loop.turn()
    assert [(list(one.seqs), [r[1].seq for r in one.repeats]) for one in told] == [
        ([1], []),
        ([], [1]),
    ]


def test_a_repeat_is_refused_with_what_came_with_it(writer, store, loop, talk):
    told: list[Entries] = []
    writer.say(say(talk, told, "one", ids=["1"]))
    loop.turn()
    store.failing.append((False, StoreError("full")))
    writer.say(say(talk, told, "one", "two", ids=["1", "2"]))
    loop.turn(2)
    assert (told[-1].stored, told[-1].client_ids, told[-1].repeats) == (False, ["1", "2"], [])
    assert len(told[-1].texts) == 2


def test_another_worker_was_faster(writer, store, loop, talk):
    told: list[Entries] = []
    store.rows[7, 1] = EntryRow(7, 1, Side.WAITER, "wim", None, 1, "from elsewhere", 5)
    writer.say(say(talk, told, "mine"))
    loop.turn()
    assert (told[0].stored, list(told[0].seqs)) == (True, [2])


def test_what_cannot_be_kept_costs_nothing_else(loop, talk):
    store: Any = Choosy()
    told: list[Entries] = []
    writer = Writer(store, loop, lambda: 1000.0)
    other = Conversation(ConversationRow(8, "uuid", "bob"))
    for one in ("a", "bad", "b"):
        writer.say(say(talk, told, one, ids=[one]))
    writer.say(say(other, told, "c"))
    writer.save(ConversationRow(7, "uuid", "ann", page="bad"))
    writer.amend(ConversationRow(9, "uuid", "cid", page="bad"))
    writer.save_duty(Duty("bad", "uuid", True, 1))
    loop.turn()
    assert [(one.stored, [*one.texts], [*one.seqs]) for one in told if one.stored] == [
        (True, ["a"], [1]), (True, ["b"], [2]), (True, ["c"], [1]),
    ]  # fmt: skip
    assert [one.texts for one in told if not one.stored] == [["bad"]]
    assert writer.available
    assert writer.idle, "it is not tried again and again"
    writer.say(say(talk, told, "d"))
    loop.turn()
    assert list(told[-1].seqs) == [3]


def test_a_store_that_goes_away_while_one_by_one_is_kept_says_so(loop, talk):
    store: Any = Choosy()
    told: list[Entries] = []
    writer = Writer(store, loop, lambda: 1000.0)
    for one in ("a", "bad", "b"):
        writer.say(say(talk, told, one, ids=[one]))
    kept = store.entries

    def entries(*args: Any, **options: Any) -> Any:
        if store.rows:
            raise StoreError("gone")
        return kept(*args, **options)

    store.entries = entries
    loop.turn()
    assert [(one.texts, one.stored) for one in told] == [
        (["a"], True), (["bad"], False), (["b"], False),
    ]  # fmt: skip


def test_busy_conversations_that_never_fit_into_one_batch_are_kept_one_by_one(loop, talk):
    class Crowded(Store):
        def commit(self, batch: Batch) -> None:
            if len({EntryRow(*row).conversation for row in batch.entries}) > 1:
                raise Conflict  # in one of them, others are always faster
            super().commit(batch)

    store: Any = Crowded()
    told: list[Entries] = []
    writer = Writer(store, loop, lambda: 1000.0)
    for one in (talk, Conversation(ConversationRow(8, "uuid", "bob"))):
        writer.say(say(one, told, "hi"))
    loop.turn()
    assert [(one.stored, list(one.seqs)) for one in told] == [(True, [1]), (True, [1])]
