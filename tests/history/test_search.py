"""Full-text search: finds what was said, in any script, and nothing that is gone."""

from __future__ import annotations

import sqlite3
import sys

import pytest
from sqlalchemy import event

from services.history import care, search, slices, tables, word_index
from services.history.sql import SQLStore

from .people import index_all, keep, no_pause


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "SLICE", 3)
    monkeypatch.setattr(word_index, "PIECE", 3)
    monkeypatch.setattr(care, "SLICE", 3)


def found(store: SQLStore, query: str, **how: object) -> list[tuple[int, int]]:
    """`(chat, seq)` of the hits."""
    hits = search.search(store, query, **how).hits  # type: ignore[arg-type]
    return [(hit.chat, hit.seq) for hit in hits]


def test_newest_first_with_who_when_and_what(store: SQLStore):
    keep(store, 1, ["Where is my parcel?", "Your PARCEL is on its way"])
    keep(store, 2, ["A parcel", "No"], user="bob")
    hits = search.search(store, "parcel").hits
    assert [(hit.chat, hit.seq, hit.author) for hit in hits] == [
        (2, 1, "bob"), (1, 2, "wim"), (1, 1, "ada"),
    ]  # fmt: skip
    assert hits[1].snippet == "Your PARCEL is on its way"
    assert hits[1].date > hits[2].date > 0


def test_all_words_count_in_any_order(store: SQLStore):
    keep(store, 1, ["red green", "green blue", "blue green red"])
    assert found(store, "red green") == [(1, 3), (1, 1)]
    assert found(store, "green   RED") == [(1, 3), (1, 1)]
    assert found(store, "yellow") == []


def test_scripts_without_spaces(store: SQLStore):
    keep(
        store, 1, ["我的订单在哪里?请帮我查一下", "注文はどこですか", "สวัสดีครับ", "서울에서 왔어요"]
    )
    for word in ("订单", "我的订单", "单", "哪里", "查一下"):
        assert found(store, word) == [(1, 1)], word
    for word in ("注文", "どこ", "どこですか"):
        assert found(store, word) == [(1, 2)], word
    assert found(store, "สวัสดี") == [(1, 3)]
    assert found(store, "서울") == [(1, 4)]
    assert found(store, "单订") == []  # a phrase, not a heap
    assert found(store, "order订单") == []
    assert search.search(store, "订单").hits[0].snippet == "我的订单在哪里?请帮我查一下"


def test_pages(store: SQLStore):
    keep(store, 1, [f"word {number}" for number in range(10)])
    first = search.search(store, "word", limit=4)
    second = search.search(store, "word", limit=4, before=first.next)
    third = search.search(store, "word", limit=4, before=second.next)
    seqs = [hit.seq for page in (first, second, third) for hit in page.hits]
    assert seqs == list(range(10, 0, -1))
    assert third.next is None


def test_a_waiter_finds_only_in_conversations_it_served(store: SQLStore):
    keep(store, 1, ["secret"], waiter="wim")
    keep(store, 2, ["secret"], waiter="zoe")
    keep(store, 3, ["secret", "handed over"], waiter="zoe", authors=["ada", "wim"])
    keep(store, 4, ["secret"], user="wim", waiter="zoe")  # a visitor of the same id
    keep(store, 5, ["secret"], waiter=None)
    assert found(store, "secret", served_by="wim") == [(3, 1), (1, 1)]
    assert found(store, "secret", served_by="zoe") == [(4, 1), (3, 1), (2, 1)]
    assert found(store, "secret", served_by="") == []
    assert len(found(store, "secret")) == 5


def test_a_waiter_may_read_all_of_the_users_whom_it_served(store: SQLStore):
    keep(store, 1, ["secret"], user="ada", waiter="wim")
    keep(store, 2, ["secret"], user="ada", waiter="zoe")
    keep(store, 3, ["secret"], user="bob", waiter="zoe")
    keep(store, 4, ["secret"], user="eve", waiter="wim")
    keep(store, 4, [], user="eve", waiter="zoe")  # taken over
    keep(store, 5, ["secret"], user="eve", waiter=None)
    assert found(store, "secret", readable_by="wim") == [(5, 1), (4, 1), (2, 1), (1, 1)]
    assert found(store, "secret", readable_by="zoe") == [(5, 1), (4, 1), (3, 1), (2, 1), (1, 1)]
    assert found(store, "secret", readable_by="ada") == []
    assert found(store, "secret", readable_by="") == []


def test_a_filter_that_lets_little_through_gives_up_and_can_go_on(
    store: SQLStore, monkeypatch: pytest.MonkeyPatch
):
    keep(store, 1, ["word"], waiter="rare")
    for key in range(2, 9):
        keep(store, key, ["word"])
    index_all(store)
    monkeypatch.setattr(search, "MAX_TRIED", 3)
    before, looks, hits = None, 0, []
    while True:
        page = search.search(store, "word", served_by="rare", before=before)
        hits += page.hits
        looks += 1
        if page.next is None:
            break
        before = page.next
    assert [hit.chat for hit in hits] == [1]
    assert looks == 3


@pytest.mark.parametrize(
    "query",
    [
        "", " ", '"', '""', "'", "*", "(", ")", "AND", "OR", "NOT", "NEAR", "NEAR(a b)", "a AND",
        "body:x", "-x", "^x", "{a b}:c", "a*", 'a"b', "a + b", "\x00", "a\x00b", "%", "_", "\\",
        "<->", "a:*", "!a", "a & | b", ":*", "'a'", "\udc80", "\udc80x", "?" * 1000, "x" * 100_000,
        "x " * 50_000, "订" * 100_000, '" OR "', "\u0301", "a'; DROP TABLE message; --", "$1", "%s",
        ":words", "😀",
    ],
)  # fmt: skip
def test_nothing_is_syntax(store: SQLStore, query: str):
    keep(store, 1, ["entirely different"])
    for beginnings in (False, True):
        assert found(store, query, endings=() if beginnings else None) == []
        both = found(store, f"{query[:20]} different", endings=() if beginnings else None)
        assert both in ([], [(1, 1)])


def test_a_word_is_found_by_its_beginning(store: SQLStore):
    """As it is typed; not by its end or its middle, and where that is not asked for only whole."""
    keep(store, 1, ["Blue plates", "one plate", "template", "plat du jour", "Плиты у О'Нила"])
    keep(store, 2, ["我的订单在哪里", r"C:\Users\ann", "Order 1042"])
    for words, places in {
        "plate": [(1, 2), (1, 1)],
        "plat blu": [(1, 1)],
        "late": [],
        "пли О'Ни": [(1, 5)],
        r"C:\Use": [(2, 2)],
        r"plate\\": [(1, 2), (1, 1)],
        "订单 哪": [(2, 1)],
        "ord 1042": [(2, 3)],
        "104": [],
    }.items():
        assert found(store, words, endings=()) == places, words
    assert found(store, "plate") == [(1, 2)]
    assert found(store, "plat") == [(1, 4)]


def test_operators_are_words(store: SQLStore):
    keep(store, 1, ["this and that", "this or that", "not that", "near"])
    assert found(store, "this AND") == [(1, 1)]
    assert found(store, "this OR that") == [(1, 2)]
    assert found(store, "NOT that") == [(1, 3)]


def test_a_snippet_shows_the_word_on_one_line():
    text = "before " * 50 + "\n\r\tNÈEDLE\n" + "after " * 50
    part = search.snippet(text, ["needle"])
    assert "NÈEDLE after" in part
    assert part.startswith("…")
    assert part.endswith("…")
    assert len(part) <= search.SNIPPET + 2
    assert "\n" not in part


def test_a_very_long_text_is_indexed_in_part(store: SQLStore):
    long = "".join(chr(0x4E00 + number % 20_000) for number in range(500_000))
    keep(store, 1, [f"begin {long} end"])
    assert found(store, "begin") == [(1, 1)]
    assert found(store, "end") == []


def test_erased_and_swept_conversations_are_not_found(store: SQLStore):
    keep(store, 1, ["word"] * 7, user="ada")
    keep(store, 2, ["word"] * 7, user="bob")
    assert len(found(store, "word")) == 14
    care.erase(store, "ada", vacuum=False, pause=no_pause)
    assert {chat for chat, _ in found(store, "word")} == {2}
    care.sweep(store, 0, sys.maxsize, pause=no_pause)
    assert found(store, "word") == []


def test_the_index_is_of_what_is_looked_for(store: SQLStore):
    """PostgreSQL finds its index only by the very same expression."""
    if store.name != "postgresql":
        pytest.skip("SQLite has a table of its own")
    with store.engine.connect() as connection:
        connection.exec_driver_sql("SET enable_seqscan = off")
        connection.exec_driver_sql("SET enable_indexscan = off")
        plan = connection.exec_driver_sql(
            f"EXPLAIN SELECT n FROM message WHERE {tables.WORDS} @@ 'word'::tsquery"
        )
        assert "message_words" in str(plan.all())


# ---- the index of SQLite -----------------------------------------------


@pytest.fixture
def sqlite(store: SQLStore) -> SQLStore:
    if store.name != "sqlite":
        pytest.skip("PostgreSQL keeps its own index")
    return store


def test_the_index_is_filled_in_slices_of_so_many_texts_and_characters(sqlite: SQLStore):
    keep(sqlite, 1, ["word"] * 5 + ["long " * 20] * 3 + ["very long " * 100])
    sizes = []
    while added := word_index.index_slice(sqlite, most=4, characters=210).added:
        sizes.append(added)
    assert sizes == [4, 3, 1, 1]
    assert index_all(sqlite) == 0


def test_a_slice_leaves_the_database_alone_while_somebody_writes(sqlite: SQLStore):
    keep(sqlite, 1, ["word"] * 5)
    with slices.writing(sqlite), pytest.raises(slices.Busy):
        word_index.index_slice(sqlite)
    assert word_index.index_slice(sqlite).added == 5
    with sqlite.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2, "as ever"


def test_a_slice_does_nothing_where_somebody_else_has_moved_the_index(sqlite: SQLStore):
    keep(sqlite, 1, ["word"] * 5)
    assert word_index.index_slice(sqlite, most=2) == (2, 0, 2)
    assert word_index.index_slice(sqlite, 0) == (0, 2, 2)
    assert word_index.index_slice(sqlite, 2) == (3, 2, 5)


@pytest.mark.parametrize("indexed", range(11))
def test_what_is_not_in_the_index_is_found_like_the_rest(sqlite: SQLStore, indexed: int):
    texts = ["Wórd one", "我的订单在哪里", "two words", "WORD three", "订 单", "word " * 40]
    keep(sqlite, 1, texts)
    keep(sqlite, 2, texts[:4], user="bob", waiter="zoe")
    if indexed:
        word_index.index_slice(sqlite, most=indexed)
    assert found(sqlite, "word") == [(2, 4), (2, 1), (1, 6), (1, 4), (1, 1)]
    assert found(sqlite, "订单") == [(2, 2), (1, 5), (1, 2)]
    assert found(sqlite, "word", served_by="wim") == [(1, 6), (1, 4), (1, 1)]
    assert found(sqlite, "word", limit=2) == [(2, 4), (2, 1)]


def test_the_newest_are_found_however_far_the_index_is_behind(
    sqlite: SQLStore, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(search, "MAX_NEW", 6)
    keep(sqlite, 1, ["word"] * 2 + ["other"] * 20 + ["word"])
    first = search.search(sqlite, "word")
    assert [hit.seq for hit in first.hits] == [23]
    seqs, following, looks = [23], first.next, 1
    while following is not None:
        page = search.search(sqlite, "word", before=following)
        seqs += [hit.seq for hit in page.hits]
        following, looks = page.next, looks + 1
    assert seqs == [23, 2, 1]
    assert looks == 4


def test_a_search_writes_nothing(sqlite: SQLStore, url: str):
    keep(sqlite, 1, ["word"] * 5)
    with slices.writing(sqlite):  # the lock is somebody else's
        assert len(found(sqlite, "word")) == 5
    assert word_index.index_slice(sqlite).begun == 0


def test_numbers_that_become_free_are_indexed_again(sqlite: SQLStore):
    keep(sqlite, 1, ["old one", "old two"], user="ada")
    keep(sqlite, 2, ["old three"], user="bob")
    assert len(found(sqlite, "old")) == 3
    care.erase(sqlite, "bob", vacuum=False, pause=no_pause)
    keep(sqlite, 3, ["new"], user="cyd")  # takes the number of "old three"
    assert found(sqlite, "new") == [(3, 1)]
    assert found(sqlite, "three") == []


def test_rows_that_were_never_indexed_can_be_deleted(sqlite: SQLStore):
    keep(sqlite, 1, ["one", "two", "three"], user="ada")
    keep(sqlite, 2, ["one"], user="bob")
    word_index.index_slice(sqlite, most=2)
    care.erase(sqlite, "ada", vacuum=False, pause=no_pause)
    assert found(sqlite, "one") == [(2, 1)]
    integrity(sqlite)


def test_the_index_is_whole_after_all_kinds_of_changes(sqlite: SQLStore):
    for key in range(1, 40):
        keep(sqlite, key, ["shared word", f"own{key} 订单{key}"], user=f"user-{key % 7}")
        if key % 5 == 0:
            word_index.index_slice(sqlite, most=4)
        if key % 9 == 0:
            care.erase(sqlite, f"user-{key % 7}", vacuum=False, pause=no_pause)
    with sqlite.engine.connect() as connection:
        there = {row[0] for row in connection.exec_driver_sql("SELECT key FROM chat")}
    for key in range(1, 40):
        assert found(sqlite, f"own{key}") == ([(key, 2)] if key in there else [])
    integrity(sqlite)


def test_no_transaction_takes_more_than_a_slice(sqlite: SQLStore):
    keep(sqlite, 1, ["word"] * 20)
    commits: list[str] = []

    def see(*what: object) -> None:
        if what[2] == "COMMIT":
            commits.append("COMMIT")

    event.listen(sqlite.engine, "before_cursor_execute", see)
    index_all(sqlite)
    assert len(commits) == 7  # of three rows each


def integrity(store: SQLStore) -> None:
    """FTS5 finds no fault with its own data."""
    with store.engine.connect() as connection:
        driver: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
        driver.execute("INSERT INTO message_words (message_words) VALUES ('integrity-check')")
        assert driver.execute("PRAGMA integrity_check").fetchone() == ("ok",)
