"""What waiters write about a conversation for each other, and no visitor is told."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from testkit import Client, LiveServer

from ..clocked import GUNICORN
from ..probe import next_frame
from .conftest import SETTINGS, Frame, chat, ends, meet


def note(waiter: Client, text: Any, **fields: Any) -> Frame:
    """Write a note; the answer."""
    return answered(waiter, waiter.say("note", {"text": text, **fields}))


def answered(client: Client, asked: str) -> Frame:
    """The answer to the frame *asked*."""
    while (frame := client.receive()).get("reply_id") != asked:
        pass
    return frame


def page(client: Client, conversation: str, **asked: Any) -> Frame:
    """The payload of a history."""
    found = answered(client, client.say("get_history", {"conversation": conversation, **asked}))
    return found["payload"]


def staff(client: Client, conversation: str, **asked: Any) -> list[tuple[int, int, str]]:
    """Number, place and text of the staff entries of a history."""
    found = page(client, conversation, **asked).get("staff", ())
    return [(one["n"], one["after"], one["payload"]["text"]) for one in found]


def texts(client: Client, count: int) -> None:
    """Say so many texts; all are stored."""
    for number in range(count):
        next_frame(client, "message_text_success", reply_id=client.text(f"text {number}"))


def test_a_note_is_durable_and_stands_behind_what_was_said_before_it(come):
    user, waiter = come("user", "ann"), come("waiter", "ann's")
    name = meet(user, waiter)
    receipt = note(waiter, "Wants a refund", conversation=name)
    assert (receipt["type"], receipt["payload"]["n"]) == ("note_success", 1)
    assert (receipt["conversation"], receipt["date"]) == (name, receipt["payload"]["date"])
    texts(user, 2)
    assert note(waiter, "Only one visitor: it need not be named")["payload"]["n"] == 2
    (first, second) = page(waiter, name)["staff"]
    assert first == {
        "n": 1, "after": 1, "type": "note", "author": "ann's", "date": receipt["date"],
        "payload": {"text": "Wants a refund"}, "client_id": receipt["reply_id"],
    }  # fmt: skip
    assert (second["n"], second["after"]) == (2, 3)


def test_no_visitor_is_told_of_a_note(come):
    user, waiter = come("user", "bea"), come("waiter", "bea's")
    name = meet(user, waiter)
    note(waiter, "Is rude")
    texts(user, 1)
    seen = [user.receive_all(), page(user, name), page(come("user", "bea"), name)]
    assert "rude" not in str(seen)
    assert "staff" not in str(seen)
    assert [one["seq"] for one in page(user, name)["messages"]] == [1, 2], "no number is missing"
    answer = note(user, "I, too")
    assert (answer["type"], answer["payload"]["code"]) == ("error", "unknown_type")


def test_the_writers_other_windows_are_shown_it_and_the_first_is_not(come):
    user, waiter = come("user", "cat"), come("waiter", "cat's")
    name = meet(user, waiter)
    window = come("waiter", "cat's", token=waiter.token)
    receipt = note(waiter, "Twice")
    shown = next_frame(window, "note")
    assert (shown["n"], shown["after"], shown["payload"]) == (1, 1, {"text": "Twice"})
    assert (shown["from"], shown["author"]) == (window.uuid, "cat's")
    assert (shown["conversation"], shown["date"]) == (name, receipt["date"])
    assert "note" not in [frame["type"] for frame in waiter.receive_all()]


def test_the_waiter_who_serves_is_shown_what_a_former_one_writes(come):
    user, former, waiter = come("user", "dan"), come("waiter", "dan's"), come("waiter", "dan's 2")
    meet(user, former)
    former.say("unready")
    ends(user, former)
    name = meet(user, waiter)
    answer = note(former, "Likes it short", conversation=name)
    assert answer["type"] == "note_success", answer
    shown = next_frame(waiter, "note")
    assert (shown["from"], shown["author"], shown["n"]) == ("", "dan's", 1)
    assert staff(former, name) == staff(waiter, name) == [(1, 1, "Likes it short")]


def test_a_note_after_the_end_is_found_in_the_history(come):
    user, waiter = come("user", "eve"), come("waiter", "eve's")
    name = meet(user, waiter)
    ends(user, waiter)
    answer = note(waiter, "Call her back", conversation=name)
    assert answer["type"] == "note_success"
    assert [text for *_, text in staff(waiter, name)] == ["Call her back"]
    refused = note(waiter, "of which?")
    assert (refused["type"], refused["payload"]["code"]) == ("error", "invalid_message")
    assert "payload.conversation" in refused["payload"]["message"]


def test_only_those_who_serve_or_served_write_and_read_notes(come):
    user, waiter, other = come("user", "fay"), come("waiter", "fay's"), come("waiter", "nobody's")
    name = meet(user, waiter)
    note(waiter, "secret")
    for asked in (
        note(other, "mine", conversation=name),
        note(other, "mine", conversation="1"),
        note(other, "mine", conversation="no id"),
        answered(other, other.say("get_history", {"conversation": name})),
    ):
        assert (asked["type"], asked["payload"]["code"]) == ("error", "forbidden")
    assert staff(waiter, name) == [(1, 1, "secret")]


def test_the_same_id_is_the_same_note(come):
    user, waiter = come("user", "gus"), come("waiter", "gus's")
    name = meet(user, waiter)
    window = come("waiter", "gus's", token=waiter.token)
    first = note(waiter, "once")
    waiter.say("note", {"text": "once"}, id=first["reply_id"])
    assert answered(waiter, first["reply_id"])["payload"] == first["payload"]
    waiter.say("note", {"text": "twice"}, id=first["reply_id"])
    refused = answered(waiter, first["reply_id"])
    assert refused["payload"]["code"] == "id_conflict"
    assert staff(waiter, name) == [(1, 1, "once")]
    next_frame(window, "note")
    assert "note" not in [frame["type"] for frame in window.receive_all()], "one delivery"


@pytest.mark.parametrize(
    ("text", "code"),
    [("x" * 4097, "too_large"), ("a\0b", "invalid_message"), (7, "invalid_message")],
)
def test_what_cannot_be_a_note_is_refused_by_name(come, text, code):
    user, waiter = come("user", f"hal {code}"), come("waiter", f"hal's {code}")
    meet(user, waiter)
    refused = note(waiter, text)
    assert (refused["type"], refused["payload"]["code"]) == ("error", code)
    assert "payload.text" in refused["payload"]["message"]


def test_each_page_has_the_notes_beside_its_messages(come):
    user, waiter = come("user", "ida"), come("waiter", "ida's")
    name = meet(user, waiter)
    for number in range(1, 4):
        note(waiter, f"note {number}")
        texts(user, 2)
    note(waiter, "note 4")  # entries 1 to 7; notes behind 1, 3, 5 and 7
    assert [n for n, *_ in staff(waiter, name, limit=2)] == [3, 4], "6 and 7, the newest"
    assert [n for n, *_ in staff(waiter, name, before=6, limit=2)] == [2, 3], "4 and 5"
    assert [n for n, *_ in staff(waiter, name, after=0, limit=2)] == [1], "1 and 2"
    assert [n for n, *_ in staff(waiter, name, after=5)] == [3, 4], "6 and 7"
    assert [n for n, *_ in staff(waiter, name, after=7)] == [4], "nothing new but the note"


def test_of_many_notes_in_one_place_the_newest_are_shown(come):
    user, waiter = come("user", "jim"), come("waiter", "jim's")
    name = meet(user, waiter)
    for number in range(103):
        note(waiter, f"note {number}")
    found = page(waiter, name)
    assert [one["n"] for one in found["staff"]] == list(range(4, 104))
    assert found["staff_left_out"] is True


def test_a_waiter_who_was_away_finds_the_note_though_nothing_was_said(come):
    user, waiter = come("user", "kim"), come("waiter", "kim's")
    name = meet(user, waiter)
    note(waiter, "written before the reload")
    seen = page(waiter, name)["last_seq"]
    waiter.drop()
    back = come("waiter", "kim's", resume={name: seen})
    found = next_frame(back, "message_history")["payload"]
    assert found["messages"] == []
    assert [one["payload"]["text"] for one in found["staff"]] == ["written before the reload"]


def test_version_1_is_told_nothing_and_writes_none(come):
    user, waiter = come("user", "lea"), come("waiter", "lea's", version=1)
    waiter.say("ready")
    user.say("connect")
    next_frame(waiter, "new_connection")
    waiter.say("note", {"text": "no"})
    assert next_frame(waiter, "error")["payload"]


def test_without_a_database_it_is_said_so():
    env = {**SETTINGS, "CSAPP_DATABASE_URL": "off"}
    with LiveServer.gunicorn(GUNICORN, env) as server, Client(server, "waiter") as waiter:
        waiter.say("auth", {"token": server.token("waiter", "ada", "Ada"), "version": 2})
        next_frame(waiter, "auth_success")
        refused = note(waiter, "kept nowhere", conversation="1a")
        assert (refused["type"], refused["payload"]["code"]) == ("error", "unavailable")


def test_a_locked_database_refuses_and_nothing_is_half_done(come, database: Path):
    user, waiter = come("user", "may"), come("waiter", "may's")
    name = meet(user, waiter)
    with sqlite3.connect(database, isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        asked = waiter.say("note", {"text": "later"})
        refused = answered(waiter, asked)
        other.execute("ROLLBACK")
    assert (refused["type"], refused["payload"]["code"]) == ("error", "unavailable")
    waiter.say("note", {"text": "later"}, id=asked)
    assert answered(waiter, asked)["type"] == "note_success"
    assert staff(waiter, name) == [(1, 1, "later")]


def test_a_conversation_may_be_named_before_it_is_stored(come):
    user, waiter = come("user", "ned"), come("waiter", "ned's")
    waiter.say("ready", {"capacity": 1})
    user.say("connect")
    name = next_frame(waiter, "new_connection")["payload"]["conversation"]
    assert note(waiter, "at once", conversation=name)["type"] == "note_success"
    assert page(user, name)["state"] == "open"


def test_an_erased_conversation_gets_no_note(come, database: Path):
    user, waiter = come("user", "ole"), come("waiter", "ole's")
    name = meet(user, waiter)
    ends(user, waiter)
    assert note(waiter, "while it is there", conversation=name)["type"] == "note_success"
    chat(database, "erase", "--person", "ole", "--yes")
    refused = note(waiter, "too late", conversation=name)
    assert (refused["type"], refused["payload"]["code"]) == ("error", "forbidden")
    with sqlite3.connect(database) as other:
        assert not other.execute("SELECT * FROM note WHERE author = 'ole''s'").fetchall()
