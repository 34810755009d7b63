"""Canned replies: whose they are, what they may be, and that each shortcut is there once."""

from __future__ import annotations

import pytest

from services.history import canned, care
from services.history.canned import CannedError, CannedReplies, Reply, Taken, Unknown
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
    assert made == Reply(made.n, "ada", "grüsse", "Schöne Grüße 👋\n\nAda")
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
    assert changed == Reply(made.n, "", "goodbye", "Goodbye")
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
    ):
        with pytest.raises(StoreError):
            ask()
