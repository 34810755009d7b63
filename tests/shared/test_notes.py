"""A note reaches the waiters it is for on whatever worker they are."""

from __future__ import annotations

from ..probe import next_frame
from .conftest import meet, say


def test_windows_of_a_waiter_on_two_workers_are_shown_its_note(a, b, come):
    waiter, user = come(a, "waiter", "ada"), come(b, "user", "ann")
    name = meet(user, waiter)
    window = come(b, "waiter", "ada")
    next_frame(window, "new_connection")
    asked = waiter.say("note", {"conversation": name, "text": "Wants a refund"})
    receipt = next_frame(waiter, "note_success", reply_id=asked)
    shown = next_frame(window, "note")
    assert (shown["n"], shown["author"], shown["date"]) == (1, "ada", receipt["date"])
    assert shown["payload"] == {"text": "Wants a refund"}
    user.say("get_history", {"conversation": name})
    assert "staff" not in next_frame(user, "message_history", payload_conversation=name)["payload"]


def test_two_workers_number_the_notes_of_one_conversation_one_after_the_other(a, b, come):
    waiter, user = come(a, "waiter", "ada"), come(b, "user", "ann")
    name = meet(user, waiter)
    window = come(b, "waiter", "ada")
    next_frame(window, "new_connection")
    sent = [
        (
            client,
            client.say("note", {"conversation": name, "text": "one more"}, id=f"{where}{number}"),
        )
        for number in range(10)
        for where, client in {"a": waiter, "b": window}.items()
    ]

    numbers = [
        next_frame(client, "note_success", reply_id=asked)["payload"]["n"] for client, asked in sent
    ]
    assert sorted(numbers) == list(range(1, 21))


def test_a_former_waiters_window_on_another_worker_is_shown_its_note(a, b, come):
    waiter, user = come(a, "waiter", "ada"), come(b, "user", "ann")
    name = meet(user, waiter)
    waiter.say("unready")
    user.say("disconnect")
    next_frame(waiter, "disconnected")
    window = come(b, "waiter", "ada")
    asked = waiter.say("note", {"conversation": name, "text": "Was in a hurry"})
    next_frame(waiter, "note_success", reply_id=asked)
    assert next_frame(window, "note")["payload"] == {"text": "Was in a hurry"}


def test_a_waiter_whom_the_writers_worker_does_not_know_is_shown_a_note_at_once(a, b, come):
    former, user = come(a, "waiter", "ada"), come(b, "user", "ann")
    meet(user, former)
    former.say("unready")
    user.say("disconnect")
    next_frame(former, "disconnected")
    serving = come(b, "waiter", "bea")
    name = meet(user, serving)
    say(user, "Hello")  # the conversation is stored
    asked = former.say("note", {"conversation": name, "text": "Wants a refund"})
    receipt = next_frame(former, "note_success", reply_id=asked)
    shown = next_frame(serving, "note")
    assert (shown["n"], shown["author"], shown["date"]) == (1, "ada", receipt["date"])
    assert (shown["from"], shown["payload"]) == ("", {"text": "Wants a refund"})
