"""A search that is narrowed down by waiter, department, dates and rating, also without words."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from services.conversation.kinds import RATING, Side
from services.conversation.rows import EntryRow
from services.history import browse, search
from services.history.port import Batch
from services.history.search_filters import SLACK, Filters, first_number
from services.history.slices import reading
from services.history.sql import SQLStore

from .people import BEGAN, duty, index_all, keep

DAY = 86_400_000  # ms


def rate(store: SQLStore, key: int, seq: int, stars: int, comment: str = "") -> None:
    """The visitor of conversation *key* thinks so of it."""
    data = f'{{"rate": {stars}}}'
    entry = EntryRow(
        key, seq, Side.USER, "ada", None, RATING.number, comment, BEGAN + seq * 1000, data
    )
    store.commit(Batch(entries=[entry], has_data=True))


def chats(store: SQLStore, query: str = "", **filters: Any) -> list[int]:
    """The conversations that are found, each once."""
    narrowed = Filters(**filters)
    look = (
        partial(search.search, store, query, readable_by="wim", filters=narrowed)
        if query
        else partial(browse.browse, store, narrowed, readable_by="wim")
    )
    found, before = [], None
    while True:
        page = look(before=before, limit=2)
        found += [hit.chat for hit in page.hits]
        before = page.next
        if before is None:
            return list(dict.fromkeys(found))


@pytest.fixture(params=["indexed", "new"])
def filled(store: SQLStore, request: pytest.FixtureRequest) -> SQLStore:
    keep(store, 1, ["word", "one"], department="sales")
    keep(store, 2, ["word", "two"], user="bob", department="help")
    keep(store, 3, ["word", "three"], user="bob", waiter="zoe")
    keep(store, 4, ["word", "four"], user="eve", waiter="zoe")  # wim has never served eve
    keep(store, 5, ["word", "five"], ended=None)
    rate(store, 1, 3, 1, "word of rage")
    rate(store, 1, 4, 4)
    rate(store, 2, 3, 1)
    if request.param == "indexed":
        index_all(store)
    return store


@pytest.mark.parametrize("query", ["word", ""])
def test_filters_narrow_down_what_is_found(filled: SQLStore, query: str):
    look = partial(chats, filled, query)
    # of the words the latest counts, and the rating of the first conversation has some, too
    assert sorted(look()) == [1, 2, 3, 5]
    assert look(department="sales") == [1]
    assert sorted(look(department="")) == [3, 5]
    assert look(department="nobody's") == []
    assert look(waiter="zoe") == [3]
    assert look(waiter="zoe", department="help") == []
    assert look(ratings=frozenset({4})) == [1], "the last one counts"
    assert look(ratings=frozenset({1})) == [2]
    assert sorted(look(ratings=frozenset({1, 4}))) == [1, 2]
    assert look(ratings=frozenset({5})) == []


def test_a_filter_holds_no_words_of_sql(filled: SQLStore):
    for text in ("' OR 1=1 --", '"', ":waiter", "%", "\\"):
        assert chats(filled, "word", waiter=text) == []
        assert chats(filled, "", department=text) == []


def test_dates_are_those_of_the_entries_found(store: SQLStore):
    for key in range(1, 8):
        opened = BEGAN + key * DAY
        keep(store, key, [], opened=opened, ended=opened + 60_000)
        text = EntryRow(key, 1, Side.USER, "ada", None, 1, "word", opened + 1000)
        store.commit(Batch(entries=[text]))
    look = partial(chats, store, "word")
    assert look(since=BEGAN + 3 * DAY, until=BEGAN + 5 * DAY) == [4, 3]
    assert look(since=BEGAN + 6 * DAY + 1001) == [7]
    assert look(until=BEGAN + 2 * DAY + 1000) == [1]
    assert look(since=BEGAN + 20 * DAY) == []
    assert look(until=0) == []
    look = partial(chats, store)
    assert look(since=BEGAN + 3 * DAY, until=BEGAN + 5 * DAY) == [4, 3]
    assert look(since=BEGAN + 6 * DAY + 30_000) == [7, 6]
    assert look(until=BEGAN + 2 * DAY) == [1]


def test_the_first_number_of_a_date_is_found_without_an_index(store: SQLStore):
    dates = [BEGAN + one for one in (0, 10, 10, 20, 30, 30, 40)]
    keep(store, 1, [])
    for seq, date in enumerate(dates, 1):
        text = EntryRow(1, seq, Side.USER, "ada", None, 1, "word", date)
        store.commit(Batch(entries=[text]))
    with reading(store) as connection:
        numbers = [first_number(connection, BEGAN + one) for one in (-1, 0, 1, 10, 11, 35, 40, 41)]
    assert numbers == [0, 0, 2, 2, 4, 7, 7, 8]


def test_a_clock_that_was_wrong_hides_nothing(store: SQLStore):
    """Dates need not ascend with the numbers: up to a day is allowed for."""
    keep(store, 1, [])
    wrong = [0, SLACK - 1, 1000, SLACK - 2000, 5000]
    for seq, later in enumerate(wrong, 1):
        text = EntryRow(1, seq, Side.USER, "ada", None, 1, f"word {seq}", BEGAN + later)
        store.commit(Batch(entries=[text]))
    for seq, later in enumerate(wrong, 1):
        only = Filters(since=BEGAN + later, until=BEGAN + later + 1)
        hits = search.search(store, "word", filters=only).hits
        assert [hit.seq for hit in hits] == [seq]


def test_a_conversation_without_words_shows_its_first_text(filled: SQLStore):
    found = browse.browse(filled, Filters(department="help"), readable_by="wim")
    (hit,) = found.hits
    assert (hit.chat, hit.seq, hit.author, hit.snippet) == (2, 1, "bob", "word")
    seen = search.visitors(filled, [1, 2, 3])
    assert {key: (one.department, one.rating) for key, one in seen.items()} == {
        1: ("sales", 4), 2: ("help", 1), 3: ("", None),
    }  # fmt: skip


def test_whom_one_may_ask_for_has_been_on_duty(store: SQLStore):
    keep(store, 1, user="ada", waiter="wim", waiter_name="Wim W.")
    keep(store, 2, user="bob", waiter="wim", waiter_name="Wim")
    for subject in ("wim", "new"):
        duty(store, subject)
    assert browse.waiters(store) == [("new", ""), ("wim", "Wim")]


def test_inflected_endings_count_as_one(store: SQLStore):
    texts = ["My order", "I ordered it", "Orders come", "disorder", "two cities", "a city", "12"]
    keep(store, 1, texts)

    def found(query: str, *languages: str) -> list[int]:
        return [hit.seq for hit in search.search(store, query, endings=languages).hits]

    assert found("ordering", "english") == [3, 2, 1]
    assert found("ordering") == []
    assert found("order") == [3, 2, 1], "as ever"
    assert found("cities", "english") == found("city", "english") == [6, 5]
    assert found("cities orders", "english") == []
    assert found("come ordered", "english") == [3]
    assert found("1", "english") == []
    assert search.search(store, "ordering", endings=("english",)).beginnings == ["order"]
