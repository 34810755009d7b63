"""Messages that were left, on both databases: who may do what, and what is read of them."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.conversation.kinds import Side
from services.conversation.rows import MESSAGE, ConversationRow, EntryRow
from services.history import care, inbox, left_messages, tables
from services.history.inbox import CLAIM_LASTS, Changed, Sight
from services.history.left_messages import (
    MOST_ANSWERS,
    MOST_OF_ONE,
    AnsweredOften,
    Claimed,
    Deed,
    Full,
    IdTaken,
    Leaving,
    LeftMessageTable,
    Place,
    TooMany,
    Unknown,
)
from services.history.mail import Wanted
from services.history.opening import open_store
from services.history.port import Batch, StoreError
from services.history.search import search
from services.history.sql import SQLStore

from .conftest import Opened
from .people import BEGAN, no_pause

HOUR = 3_600_000
#: a waiter of no department, on a site that has none
ALL = Sight({""}, ())


@pytest.fixture
def table(store: SQLStore) -> LeftMessageTable:
    return LeftMessageTable(store)


def leaving(
    key: int, subject: str = "ann", text: str = "Do you ship?", client_id: str | None = None,
    **more: Any,
) -> Leaving:  # fmt: skip
    row = ConversationRow(
        key, f"uuid-{subject}", subject, user_name=subject.title(), opened=BEGAN + key,
        ended=BEGAN + key, page="https://shop.example/", reason=MESSAGE,
    )  # fmt: skip
    return Leaving(row, more.pop("department", ""), text, client_id, **more)


def by(subject: str, key: int, text: str = "", client_id: str | None = None, now: int = BEGAN):
    uuid, name = f"uuid-{subject}", subject.title()
    return Deed(key, uuid, subject, name, "", now, text, client_id)


# ---- leaving -----------------------------------------------------------------


def test_a_message_is_a_conversation_that_has_ended(store: SQLStore, table: LeftMessageTable):
    place = table.leave(leaving(7, email="ann@example.org", name="Ann", language="de"))
    assert place == Place(7, 1, BEGAN + 7)
    row = store.conversation(7)
    assert (row.reason, row.waiter, row.opened, row.ended) == (
        MESSAGE, None, BEGAN + 7, BEGAN + 7,
    )  # fmt: skip
    assert [(one.seq, one.side, one.author, one.body) for one in store.entries(7)] == [
        (1, Side.USER, "ann", "Do you ship?")
    ]
    assert store.open_conversations() == []
    assert [one.key for one in store.conversations_of(Side.USER, "ann")] == [7]
    assert [hit.chat for hit in search(store, "ship", limit=5).hits] == [7]
    assert [one.key for one in care.conversations_of(store, "ann")] == [7]


def test_nobody_has_waited_for_it_and_it_has_taken_no_time(
    store: SQLStore, table: LeftMessageTable
):
    table.leave(leaving(7))
    table.answer(ALL, by("wim", 7, "Yes", now=BEGAN + HOUR))
    assert store.reply_times(0, 10) == []
    assert store.lasted(0, 10) == []
    assert store.served_since(0) == {}, "no ticket is void by it"


def test_a_repeat_is_the_same_message(table: LeftMessageTable):
    first = table.leave(leaving(7, client_id="one"))
    assert table.leave(leaving(8, client_id="one")) == first
    assert table.find("ann", "one", "Do you ship?") == first
    assert table.find("bob", "one", "Do you ship?") is None
    assert table.leave(leaving(9, "bob", client_id="one")).key == 9, "of another visitor"
    for ask in (
        lambda: table.leave(leaving(8, text="Hello?", client_id="one")),
        lambda: table.find("ann", "one", "Hello?"),
    ):
        with pytest.raises(IdTaken):
            ask()
    assert len(table.page(ALL).messages) == 2
    assert [table.leave(leaving(key)).key for key in (20, 21)] == [20, 21], "without an id"


def test_repeats_at_the_same_moment_are_one_message(opened: Opened, store: SQLStore):
    places: list[Place] = []

    def leave(key: int) -> None:
        places.append(LeftMessageTable(opened(lock_wait=10)).leave(leaving(key, client_id="one")))

    at_once(*[lambda key=key: leave(key) for key in range(1, 5)])
    assert len(places) == 4
    assert len(set(places)) == 1


def at_once(*calls: Any) -> None:
    threads = [threading.Thread(target=call, daemon=True) for call in calls]
    for one in threads:
        one.start()
    for one in threads:
        one.join()


def test_one_visitor_has_few_open_messages(table: LeftMessageTable):
    for key in range(1, MOST_OF_ONE + 1):
        table.leave(leaving(key, client_id=f"id-{key}"))
    with pytest.raises(TooMany):
        table.leave(leaving(90))
    assert table.leave(leaving(90, client_id="id-1")).key == 1, "a repeat is none"
    table.leave(leaving(91, "bob"))
    table.put_away(ALL, by("wim", 1))
    table.answer(ALL, by("wim", 2, "Yes"))
    table.leave(leaving(92))
    table.leave(leaving(93))
    with pytest.raises(TooMany):
        table.leave(leaving(94))


def test_there_is_a_bound_for_all(table: LeftMessageTable, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(left_messages, "MOST_OPEN", 2)
    table.leave(leaving(1))
    table.leave(leaving(2, "bob"))
    with pytest.raises(Full):
        table.leave(leaving(3, "cho"))
    table.put_away(ALL, by("wim", 1))
    table.leave(leaving(3, "cho"))


# ---- claims ------------------------------------------------------------------


def test_of_two_waiters_who_claim_a_message_one_gets_it(opened: Opened, table: LeftMessageTable):
    for key in range(1, 9):
        table.leave(leaving(key, f"user-{key}"))
        got: list[str] = []
        lost: list[str] = []

        def claim(who: str, key: int = key, got: list[str] = got, lost: list[str] = lost) -> None:
            try:
                LeftMessageTable(opened(lock_wait=10)).claim(ALL, by(who, key))
            except Claimed as error:
                lost.append(str(error))
            else:
                got.append(who)

        at_once(lambda: claim("ada"), lambda: claim("lin"))
        (winner,) = got
        assert lost == [f"{winner.title()} has claimed this message"]


def test_a_claim_shuts_others_out_until_it_is_released_or_old(
    store: SQLStore, table: LeftMessageTable
):
    table.leave(leaving(7))
    table.claim(ALL, by("ada", 7))
    table.claim(ALL, by("ada", 7, now=BEGAN + HOUR))
    assert store.knows("ada", "ann"), "so it may read the visitor's conversations"
    later = BEGAN + CLAIM_LASTS
    for act in (table.claim, table.release, table.put_away):
        with pytest.raises(Claimed, match="Ada has claimed"):
            act(ALL, by("lin", 7, now=later))
    with pytest.raises(Claimed):
        table.answer(ALL, by("lin", 7, "Yes", now=later))
    assert len(store.entries(7)) == 1
    table.claim(ALL, by("lin", 7, now=later + HOUR + 1))
    with pytest.raises(Claimed, match="Lin has claimed"):
        table.claim(ALL, by("ada", 7, now=later + HOUR + 1))
    table.release(ALL, by("lin", 7, now=later + HOUR + 2))
    table.release(ALL, by("lin", 7, now=later + HOUR + 2))
    table.claim(ALL, by("ada", 7, now=later + HOUR + 3))


def test_who_sees_which_message(table: LeftMessageTable):
    for key, department in enumerate(("", "sales", "gone", "sales"), 1):
        table.leave(leaving(key, f"user-{key}", department=department))
    known = {"sales", "help"}
    seen = {
        mine: [one.key for one in table.page(Sight({mine}, known)).messages]
        for mine in ("", "sales", "help")
    }
    assert seen == {"": [1, 3], "sales": [2, 3, 4], "help": [3]}
    for mine, keys in seen.items():
        covers = Sight({mine}, known).covers
        assert [n for n, one in enumerate(("", "sales", "gone", "sales"), 1) if covers(one)] == keys
    for act in (table.claim, table.release, table.put_away):
        with pytest.raises(Unknown):
            act(Sight({"help"}, known), by("wim", 2))
    with pytest.raises(Unknown):
        table.answer(ALL, by("wim", 99, "Yes"))


# ---- answers -----------------------------------------------------------------


def test_an_answer_is_the_next_entry_and_claims_the_message(
    store: SQLStore, table: LeftMessageTable
):
    table.leave(leaving(7))
    now = BEGAN + HOUR
    place = table.answer(ALL, by("ada", 7, "Yes, we do", "a-1", now))
    assert place == Place(7, 2, now)
    assert table.answer(ALL, by("ada", 7, "Yes, we do", "a-1", now + 1)) == place
    with pytest.raises(IdTaken):
        table.answer(ALL, by("ada", 7, "No", "a-1", now + 1))
    row = store.conversation(7)
    assert (row.waiter, row.waiter_subject, row.waiter_name) == ("uuid-ada", "ada", "Ada")
    assert (row.reason, row.ended, row.last_seq) == (MESSAGE, BEGAN + 7, 2)
    assert store.last_waiters(["ann"]) == {"ann": "ada"}
    assert table.page(ALL).messages == []
    (done,) = table.page(ALL, done=True).messages
    assert (done.claimed_by, done.answered_at) == ("ada", now)
    assert [(one.name, one.text, one.date) for one in done.answers] == [("Ada", "Yes, we do", now)]


def test_an_answer_comes_behind_what_the_visitor_has_written(
    store: SQLStore, table: LeftMessageTable
):
    table.leave(leaving(7))
    rated = EntryRow(7, 2, Side.USER, "ann", None, 3, "", BEGAN + HOUR, '{"rate": 5}')
    store.commit(Batch(entries=[rated], has_data=True))
    place = table.answer(ALL, by("ada", 7, "Yes", now=BEGAN))
    assert place == Place(7, 3, BEGAN + HOUR), "dates do not fall"


def test_a_message_has_few_answers(table: LeftMessageTable):
    table.leave(leaving(7))
    for n in range(MOST_ANSWERS):
        table.answer(ALL, by("ada", 7, f"answer {n}"))
    with pytest.raises(AnsweredOften):
        table.answer(ALL, by("ada", 7, "one more"))
    assert len(table.answers([7])) == MOST_ANSWERS


def test_what_is_put_away_is_done_and_may_be_answered_all_the_same(table: LeftMessageTable):
    table.leave(leaving(7))
    table.put_away(ALL, by("wim", 7, now=BEGAN + 5))
    table.put_away(ALL, by("wim", 7, now=BEGAN + 6))
    (done,) = table.page(ALL, done=True).messages
    assert (done.put_away_at, done.answered_at) == (BEGAN + 5, None)
    table.answer(ALL, by("wim", 7, "Yes", now=BEGAN + 7))
    (done,) = table.page(ALL, done=True).messages
    assert done.answered_at == BEGAN + 7


# ---- reading -----------------------------------------------------------------


def test_pages_of_what_is_open_and_of_what_is_done(table: LeftMessageTable):
    for key in range(1, 11):
        table.leave(leaving(key, f"user-{key}", text=f"text {key}"))
    for key in (2, 4, 6):
        table.put_away(ALL, by("wim", key))
    page = table.page(ALL, limit=3)
    assert ([one.key for one in page.messages], page.complete) == ([1, 3, 5], False)
    page = table.page(ALL, after=5, limit=10)
    assert ([one.key for one in page.messages], page.complete) == ([7, 8, 9, 10], True)
    page = table.page(ALL, done=True, limit=2)
    assert ([one.key for one in page.messages], page.complete) == ([6, 4], False)
    page = table.page(ALL, done=True, before=4)
    assert ([one.text for one in page.messages], page.complete) == (["text 2"], True)


def test_a_page_is_not_too_long(table: LeftMessageTable, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(inbox, "PAGE", 100)
    for key in (1, 2, 3):
        table.leave(leaving(key, f"user-{key}", text="x" * 60))
    page = table.page(ALL)
    assert ([one.key for one in page.messages], page.complete) == ([1], False)
    table.answer(ALL, by("wim", 3, "y" * 200))
    assert [one.key for one in table.page(ALL, done=True).messages] == [3], "one at least"


def test_the_news_are_what_has_changed_since(
    table: LeftMessageTable, monkeypatch: pytest.MonkeyPatch
):
    assert table.waiting() == (0, {})
    table.leave(leaving(1, department="sales"))
    table.leave(leaving(2, "bob"))
    assert table.number() == 2
    assert table.news(0) == (
        2, {"sales": 1, "": 1}, [Changed(1, "ann", "sales", False), Changed(2, "bob", "", False)],
        None,
    )  # fmt: skip
    table.answer(ALL, by("wim", 2, "Yes"))
    assert table.news(2) == (3, {"sales": 1}, [Changed(2, "bob", "", True)], None)
    table.claim(ALL, by("wim", 2))
    assert table.news(3) == (4, {"sales": 1}, [Changed(2, "bob", "", False)], None)
    assert table.news(2).changed == [Changed(2, "bob", "", True)], "for a worker that looks later"
    assert table.waiting() == (4, {"sales": 1})
    monkeypatch.setattr(inbox, "MOST_NEWS", 1)
    assert table.news(0)[0::3] == (1, 1)


def test_what_changed_at_once_is_read_in_parts(
    store: SQLStore, table: LeftMessageTable, monkeypatch: pytest.MonkeyPatch
):
    for key in (1, 2, 3):
        table.leave(leaving(key, f"user-{key}"))
        table.claim(ALL, by("wim", key))
    number = table.number()
    left_messages.forget_waiter(store, "wim")
    monkeypatch.setattr(inbox, "MOST_NEWS", 2)
    first = table.news(number)
    assert ([one.key for one in first.changed], first.after) == ([1, 2], 2)
    rest = table.news(first.number, first.after)
    assert ([one.key for one in rest.changed], rest.after) == ([3], None)
    assert rest.number == number + 1


def test_a_page_says_how_many_are_open(table: LeftMessageTable):
    for key, department in enumerate(("", "sales", "sales"), 1):
        table.leave(leaving(key, f"user-{key}", department=department))
    table.put_away(Sight({"sales"}, {"sales"}), by("wim", 3))
    for done in (False, True):
        assert table.page(Sight({"sales"}, {"sales"}), done=done).waiting == 1


def test_there_is_room_for_few(table: LeftMessageTable):
    for key in range(1, MOST_OF_ONE + 1):
        table.check_room("ann")
        table.leave(leaving(key))
    with pytest.raises(TooMany):
        table.check_room("ann")
    table.check_room("bob")


# ---- forgetting --------------------------------------------------------------


def rows(store: SQLStore) -> list[int]:
    with store.engine.connect() as connection:
        return sorted(connection.scalars(sa.select(tables.left_message.c.chat)))


def test_who_is_erased_leaves_no_message(store: SQLStore, table: LeftMessageTable):
    table.leave(leaving(1))
    table.leave(leaving(2, "bob"))
    number = table.number()
    care.erase(store, "ann", pause=no_pause)
    assert rows(store) == [2]
    assert table.number() > number, "so that waiters learn that fewer wait"
    with pytest.raises(Unknown):
        table.answer(ALL, by("wim", 1, "Yes"))
    assert store.entries(1) == []
    care.sweep(store, 0, BEGAN + HOUR, pause=no_pause)
    assert rows(store) == []


def test_who_is_erased_has_claimed_nothing(store: SQLStore, table: LeftMessageTable):
    table.leave(leaving(1))
    table.leave(leaving(2))
    table.claim(ALL, by("wim", 1))
    table.answer(ALL, by("wim", 2, "Yes"))
    care.erase(store, "wim", pause=no_pause)
    table.claim(ALL, by("lin", 1))
    (done,) = table.page(ALL, done=True).messages
    assert (done.claimed_by, done.claimed_name) == (None, "")
    assert done.answers[0].name.startswith("erased-")


def test_no_byte_of_an_erased_visitor_is_left(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'csapp.db'}"
    words = [f"{what}-4711" for what in ("ann", "text", "name", "mail@x", "id", "answer")]
    subject, text, name, email, client_id, answer = words
    with closing(open_store(url)) as store:
        store.migrate()
        table = LeftMessageTable(store, Wanted(left=True, answers=True))
        table.leave(leaving(1, subject, text, client_id, name=name, email=email))
        table.answer(ALL, by("ada", 1, answer))
        assert all(there(tmp_path, word) for word in words)
        care.erase(store, subject, pause=no_pause)
        assert not any(there(tmp_path, word) for word in words)


def there(folder: Path, word: str) -> bool:
    files = [file.read_bytes().lower() for file in folder.iterdir() if file.is_file()]
    return any(word.encode() in one for one in files)


# ---- failure -----------------------------------------------------------------


def test_while_the_store_is_away_nothing_is_half_done(
    store: SQLStore, table: LeftMessageTable, monkeypatch: pytest.MonkeyPatch
):
    table.leave(leaving(1))

    def broken(*_: Any, **__: Any) -> None:
        raise StoreError("away")

    with monkeypatch.context() as patch:
        patch.setattr(left_messages, "_set", broken)  # the last statement of an answer
        with pytest.raises(StoreError):
            table.answer(ALL, by("wim", 1, "Yes"))
    assert len(store.entries(1)) == 1
    assert store.conversation(1).waiter_subject is None
    assert not store.knows("wim", "ann")
