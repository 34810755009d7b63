"""Canned replies: whose they are, what they may be, and that each shortcut is there once."""

from __future__ import annotations

import pytest

from services.history import canned, canned_past, care
from services.history.canned import CannedError, CannedReplies, Taken, Unknown
from services.history.departments import DepartmentTables
from services.history.port import StoreError
from services.history.sql import SQLStore

from .people import no_pause

MAX_TEXT = 100


@pytest.fixture
def replies(store: SQLStore) -> CannedReplies:
    return CannedReplies(store, MAX_TEXT)


def shortcuts(replies: CannedReplies, subject: str) -> list[tuple[str, str]]:
    return [(one.shortcut, one.owner) for one in replies.all(subject)]


def test_own_and_shared_ones_by_shortcut(replies):
    replies.add("ada", "thanks", "Thank you!")
    replies.add("ada", "hello", "Good day!", shared=True)
    replies.add("lin", "thanks", "Thanks a lot!")
    replies.add("lin", "thanks", "Many thanks.", shared=True)
    assert shortcuts(replies, "ada") == [("hello", ""), ("thanks", "ada"), ("thanks", "")]
    assert shortcuts(replies, "lin") == [("hello", ""), ("thanks", "lin"), ("thanks", "")]
    assert shortcuts(replies, "mia") == [("hello", ""), ("thanks", "")]


def test_what_is_kept_is_what_was_said(replies):
    made = replies.add("ada", "  Grüße".strip(), "  Schöne Grüße 👋\n\nAda  ")
    assert made[:4] == (made.n, "ada", "grüsse", "Schöne Grüße 👋\n\nAda")
    assert replies.all("ada") == [made]


def test_a_shortcut_is_the_same_however_it_is_written(replies):
    replies.add("ada", "Hello", "1")
    for again in ("hello", "HELLO", "ｈｅｌｌｏ"):
        with pytest.raises(Taken, match="shortcut"):
            replies.add("ada", again, "2")
    assert [one.text for one in replies.all("ada")] == ["1"]


@pytest.mark.parametrize("shortcut", ["", " ", "a b", "/a", "a\n", "a\x00", "x" * 33, "<b>"])
def test_an_unfit_shortcut_is_named(replies, shortcut):
    with pytest.raises(CannedError, match=r"^shortcut: "):
        replies.add("ada", shortcut, "text")


@pytest.mark.parametrize("text", ["", " \n ", "x" * (MAX_TEXT + 1), "a\x00b", "a\ud800"])
def test_an_unfit_text_is_named(replies, text):
    with pytest.raises(CannedError, match=r"^text: "):
        replies.add("ada", "short", text)


def test_changing(replies):
    made = replies.add("ada", "bye", "Bye")
    replies.add("ada", "hello", "Hello")
    changed = replies.change("ada", made.n, "goodbye", "Goodbye", shared=True)
    assert changed[:4] == (made.n, "", "goodbye", "Goodbye")
    assert changed in replies.all("lin")
    assert replies.change("lin", made.n, "goodbye", "See you", shared=True).text == "See you"
    own = replies.add("ada", "bye", "Bye again")
    with pytest.raises(Taken):
        replies.change("ada", own.n, "hello", "Bye")
    assert own in replies.all("ada")


def test_others_own_replies_do_not_exist(replies):
    made = replies.add("ada", "bye", "Bye")
    with pytest.raises(Unknown):
        replies.change("lin", made.n, "bye", "Mine now")
    with pytest.raises(Unknown):
        replies.remove("lin", made.n)
    assert replies.all("ada") == [made]


def test_removing(replies):
    made = replies.add("ada", "bye", "Bye")
    replies.remove("ada", made.n)
    assert replies.all("ada") == []
    with pytest.raises(Unknown):
        replies.remove("ada", made.n)


def test_there_is_an_end_of_them(replies, monkeypatch):
    monkeypatch.setattr(canned, "MAX_REPLIES", 2)
    for shortcut in ("a", "b"):
        replies.add("ada", shortcut, "text")
    with pytest.raises(CannedError, match="at most 2"):
        replies.add("ada", "c", "text")
    replies.add("lin", "c", "text")
    replies.add("ada", "c", "text", shared=True)


def test_a_waiter_who_is_erased_leaves_the_shared_ones(replies, store):
    replies.add("ada", "own", "text")
    replies.add("ada", "all", "text", shared=True)
    replies.add("lin", "own", "text")
    care.erase(store, "ada", vacuum=False, pause=no_pause)
    assert shortcuts(replies, "ada") == [("all", "")]
    assert shortcuts(replies, "lin") == [("all", ""), ("own", "lin")]


def test_a_store_that_is_down_is_said_to_be(opened):
    replies = CannedReplies(opened(), MAX_TEXT)  # it has no tables
    for ask in (
        lambda: replies.all("ada"),
        lambda: replies.add("ada", "a", "text"),
        lambda: replies.change("ada", 1, "a", "text"),
        lambda: replies.remove("ada", 1),
        lambda: replies.use("ada", 1),
    ):
        with pytest.raises(StoreError):
            ask()


# ---- choices ---------------------------------------------------------------


def test_choices(replies):
    made = replies.add("ada", "size", "Which?", choices=["  Small\n one ", "Groß 👍", "{page}"])
    assert made.choices == ("Small one", "Groß 👍", "{page}")
    assert replies.all("ada") == [made]
    fewer = replies.change("ada", made.n, "size", "Which?", choices=["S", "L"])
    assert fewer.choices == ("S", "L")
    assert replies.change("ada", made.n, "size", "Which?").choices == ()


@pytest.mark.parametrize(
    "choices",
    [["one"], [str(n) for n in range(11)], ["a", " "], ["a", "b" * 81], ["a", "a "],
     ["a", "b\x00"], ["a", "\ud800"]],
)  # fmt: skip
def test_unfit_choices_are_named(replies, choices):
    with pytest.raises(CannedError, match=r"^choices: "):
        replies.add("ada", "short", "text", choices=choices)
    replies.add("ada", "short", "text", choices=["a", "b" * 80])


# ---- by department ---------------------------------------------------------


def of(store: SQLStore, *departments: str) -> CannedReplies:
    """For a member of these."""
    return CannedReplies(store, MAX_TEXT, departments=departments)


def test_each_department_has_its_own(store):
    sales, support = of(store, "sales"), of(store, "support", "sales")
    sales.add("ada", "hello", "Sales, hello", shared=True, department="sales")
    support.add("lin", "hello", "Support, hello", shared=True, department="support")
    of(store).add("mia", "hello", "Hello", shared=True)
    assert [one.text for one in sales.all("x")] == ["Sales, hello", "Hello"]
    assert [one.text for one in support.all("x")] == ["Support, hello", "Sales, hello", "Hello"]
    assert [one.text for one in of(store).all("x")] == ["Hello"]
    with pytest.raises(Taken):
        sales.add("ada", "hello", "Once more", shared=True, department="sales")


def test_others_replies_of_a_department_do_not_exist(store):
    sales, support = of(store, "sales"), of(store, "support")
    made = sales.add("ada", "bye", "Bye", shared=True, department="sales")
    for ask in (
        lambda: support.change("lin", made.n, "bye", "Mine", shared=True, department="support"),
        lambda: support.remove("lin", made.n),
        lambda: support.use("lin", made.n),
    ):
        with pytest.raises(Unknown):
            ask()
    assert sales.all("ada") == [made]


@pytest.mark.parametrize(("shared", "department"), [(True, "support"), (False, "sales")])
def test_a_reply_is_for_ones_own_department_only(store, shared, department):
    with pytest.raises(CannedError, match=r"^department: "):
        of(store, "sales").add("ada", "bye", "Bye", shared=shared, department=department)


def test_versions_are_those_of_the_department_that_shared_them(store):
    both, sales = of(store, "sales", "support"), of(store, "sales")
    made = both.add("ada", "bye", "Bye of sales", shared=True, department="sales")
    both.change("ada", made.n, "bye", "Bye of support", shared=True, department="support")
    assert past(sales, made.n) == [("Bye of sales", "ada", "ada")]
    assert past(of(store, "support"), made.n) == []
    (gone,) = sales.removed()
    assert of(store, "support").removed() == both.removed() == []
    with pytest.raises(Unknown):
        of(store, "support").restore("lin", gone.n)
    again = sales.restore("zoe", gone.n)
    assert (again.text, again.department) == ("Bye of sales", "sales")
    assert again.n != made.n, "the one of support stays as it is"
    assert [one.text for one in both.all("x")] == ["Bye of support", "Bye of sales"]
    assert sales.removed() == []


def test_a_department_that_is_removed_leaves_its_replies_to_all(store):
    tables = DepartmentTables(store)
    tables.add("sales")
    sales = of(store, "sales")
    made = sales.add("ada", "bye", "Bye", shared=True, department="sales", choices=["a", "b"])
    sales.change("ada", made.n, "bye", "Good-bye", shared=True, department="sales")
    sales.add("ada", "own", "Mine")
    tables.remove("sales")
    everybody = of(store)
    (gone,) = everybody.removed()
    assert (gone.text, gone.author, gone.ended_by, gone.department) == ("Good-bye", "ada", "", "")
    assert gone.ended > 0
    again = everybody.restore("lin", gone.n)
    assert (again.text, again.department) == ("Good-bye", "")
    assert [one.choices for one in everybody.versions(again.n)] == [(), ("a", "b")]
    assert shortcuts(everybody, "ada") == [("bye", ""), ("own", "ada")]


# ---- uses ------------------------------------------------------------------


def test_uses_are_counted_and_outlive_a_change(store):
    replies = CannedReplies(store, MAX_TEXT, Clock())
    made = replies.add("ada", "bye", "Bye", shared=True)
    other = replies.add("ada", "own", "Mine")
    for who in ("ada", "lin"):
        replies.use(who, made.n)
    with pytest.raises(Unknown):
        replies.use("lin", other.n)
    found, untouched = replies.all("ada")
    assert (found.used, untouched) == (2, other)
    assert found.used_at > found.changed
    changed = replies.change("lin", made.n, "bye", "Good-bye", shared=True)
    assert (changed.used, changed.used_at) == (2, found.used_at)
    assert changed in replies.all("ada")


# ---- what shared ones were before -------------------------------------------


class Clock:
    """Whole seconds of the wall clock, one later each time."""

    def __init__(self) -> None:
        self.time = 1_800_000_000

    def __call__(self) -> float:
        self.time += 1
        return float(self.time)


@pytest.fixture
def kept(store: SQLStore) -> CannedReplies:
    return CannedReplies(store, MAX_TEXT, Clock())


def past(replies: CannedReplies, n: int) -> list[tuple[str, str, str]]:
    return [(one.text, one.author, one.ended_by) for one in replies.versions(n)]


def test_who_wrote_a_shared_reply_and_when(kept):
    made = kept.add("ada", "bye", "Goodbye", shared=True, name="Ada")
    assert (made.author, made.author_name) == ("ada", "Ada")
    changed = kept.change("lin", made.n, "bye", "Go away", shared=True, name="Lin")
    assert (changed.author, changed.author_name) == ("lin", "Lin")
    assert changed.changed > made.changed
    assert kept.all("mia") == [changed]
    (before,) = kept.versions(made.n)
    assert (before.text, before.author_name, before.date) == ("Goodbye", "Ada", made.changed)
    assert (before.ended_by, before.ended_by_name) == ("lin", "Lin")
    assert before.ended >= changed.changed


def test_what_it_was_is_restored(kept):
    made = kept.add("ada", "bye", "Goodbye", shared=True)
    kept.change("lin", made.n, "goodbye", "Go away", shared=True)
    (before,) = kept.versions(made.n)
    restored = kept.restore("mia", before.n)
    assert (restored.n, restored.shortcut, restored.text) == (made.n, "bye", "Goodbye")
    assert restored.author == "mia"
    assert past(kept, made.n) == [("Go away", "lin", "mia"), ("Goodbye", "ada", "lin")]
    for nothing in (0, before.n + 1000):
        with pytest.raises(Unknown):
            kept.restore("mia", nothing)


def test_what_was_deleted_is_restored_with_its_past(kept):
    made = kept.add("ada", "bye", "Goodbye", shared=True)
    kept.change("ada", made.n, "bye", "Good bye", shared=True)
    kept.remove("lin", made.n)
    assert kept.all("mia") == []
    (gone,) = kept.removed()
    assert (gone.text, gone.author, gone.ended_by) == ("Good bye", "ada", "lin")
    again = kept.restore("mia", gone.n)
    assert again in kept.all("ada")
    assert kept.removed() == []
    assert past(kept, again.n) == [("Good bye", "ada", "lin"), ("Goodbye", "ada", "ada")]


def test_what_was_taken_away_for_oneself_is_not_lost_to_the_others(kept):
    made = kept.add("ada", "bye", "Goodbye", shared=True)
    kept.change("lin", made.n, "bye", "Goodbye", shared=False)
    assert kept.all("ada") == []
    (gone,) = kept.removed()
    again = kept.restore("ada", gone.n)
    assert shortcuts(kept, "mia") == [("bye", "")]
    assert shortcuts(kept, "lin") == [("bye", "lin"), ("bye", "")]
    assert past(kept, again.n) == [("Goodbye", "ada", "lin")]


def test_own_replies_have_no_past(kept):
    made = kept.add("ada", "bye", "Goodbye")
    kept.change("ada", made.n, "bye", "Bye")
    kept.remove("ada", made.n)
    assert kept.versions(made.n) == kept.removed() == []


def test_no_change_is_none(kept):
    made = kept.add("ada", "bye", "Goodbye", shared=True)
    assert kept.change("lin", made.n, "BYE", " Goodbye ", shared=True) == made
    assert kept.versions(made.n) == []


def test_a_shortcut_that_is_taken_meanwhile_is_not_restored(kept):
    made = kept.add("ada", "bye", "Goodbye", shared=True)
    kept.remove("lin", made.n)
    kept.add("lin", "bye", "Mine", shared=True)
    (gone,) = kept.removed()
    with pytest.raises(Taken):
        kept.restore("ada", gone.n)
    assert kept.removed() == [gone]


def test_a_number_is_never_given_twice(kept):
    made = kept.add("ada", "bye", "Goodbye", shared=True)
    kept.remove("ada", made.n)
    assert kept.add("lin", "hello", "Hello", shared=True).n > made.n


def test_nobody_makes_the_words_of_others_go_by_changing_again_and_again(kept, monkeypatch):
    monkeypatch.setattr(canned_past, "MOST_OF_ONE", 5)
    monkeypatch.setattr(canned_past, "MOST", 8)
    made = kept.add("ada", "bye", "Goodbye", shared=True)
    other = kept.add("ada", "hello", "Hello", shared=True)
    kept.change("lin", other.n, "hello", "x", shared=True)
    for number in range(12):
        kept.change("lin", made.n, "bye", str(number), shared=True)
    assert len(kept.versions(made.n)) == 5
    assert past(kept, made.n)[-1] == ("Goodbye", "ada", "lin")
    for number in range(12):
        kept.remove("lin", kept.add("lin", "more", str(number), shared=True).n)
    assert past(kept, made.n)[-1] == ("Goodbye", "ada", "lin")
    assert past(kept, other.n) == [("Hello", "ada", "lin")]


def test_who_is_erased_is_named_nowhere(kept, store):
    first = kept.add("zoe", "bye", "Goodbye", shared=True, name="Zoe L")
    kept.change("lin", first.n, "bye", "Bye", shared=True, name="Lin")
    kept.change("zoe", first.n, "bye", "Good-bye", shared=True, name="Zoe L")
    care.erase(store, "zoe", vacuum=False, pause=no_pause)
    named = [*kept.all("lin"), *kept.versions(first.n)]
    assert len(named) == 3
    assert "zoe" not in str(named).lower()
    assert "Lin" in str(named)


def test_replies_of_the_version_before_are_of_all_departments(opened, monkeypatch):
    store = opened()
    with monkeypatch.context() as patch:
        patch.setattr("services.history.schema._TARGET", "0023")
        store.migrate()
    with store.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO canned (owner, shortcut, text) VALUES ('', 'bye', 'Goodbye'), "
            "('ada', 'own', 'Mine')"
        )
        connection.exec_driver_sql(
            "INSERT INTO canned_past (reply, shortcut, text, author, author_name, date, ended_by, "
            "ended_by_name, ended) VALUES (1, 'bye', 'Bye', 'ada', 'Ada', 1, 'lin', 'Lin', 2)"
        )
    store.migrate()
    store.check()
    replies = CannedReplies(store, MAX_TEXT)
    shared, own = replies.all("ada")
    assert shared[7:] == own[7:] == ((), "", 0, 0)
    (before,) = replies.versions(1)
    assert before[-2:] == ((), "")
    replies.use("lin", shared.n)
    of(store, "sales").add("ada", "bye", "Of sales", shared=True, department="sales")
    with pytest.raises(Taken):
        replies.add("ada", "bye", "Again", shared=True)


def test_replies_of_an_older_csapp_keep_their_words_and_get_a_past(opened, monkeypatch):
    store = opened()
    with monkeypatch.context() as patch:
        patch.setattr("services.history.schema._TARGET", "0005")
        store.migrate()
    with store.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO canned (owner, shortcut, text) VALUES ('', 'bye', 'Goodbye'), "
            "('ada', 'own', 'Mine')"
        )
    store.migrate()
    store.check()
    replies = CannedReplies(store, MAX_TEXT, Clock())
    shared, own = replies.all("ada")
    assert shared[1:7] == ("", "bye", "Goodbye", "", "", 0)
    assert own[1:4] == ("ada", "own", "Mine")
    replies.change("lin", shared.n, "bye", "Bye", shared=True)
    assert past(replies, shared.n) == [("Goodbye", "", "lin")]
    with pytest.raises(Taken):
        replies.add("ada", "bye", "again", shared=True)
    replies.remove("ada", own.n)
    assert replies.add("mia", "new", "New").n > max(shared.n, own.n)
