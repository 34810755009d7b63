"""Choices that a waiter offers, and the one that the visitor takes: once, whatever it has open."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from services.conversation.kinds import CHOICE, TEXT, Side
from services.conversation.offers import find, replay
from services.conversation.rows import EntryRow
from testkit import Client, LiveServer

from ..probe import next_frame
from .conftest import Frame, chat, ends, gone, meet

SIZES = [{"id": "s", "text": "Small"}, {"id": "l", "text": "Large"}]


def offer(
    waiter: Client, user: Client, choices: Any = SIZES, message: Any = "Which size?"
) -> Frame:
    """Offer choices; the answer."""
    payload = {"message": message, "choices": choices}
    return answer(waiter, "message_choice", payload, to=user.uuid)


def choose(user: Client, choice: Any, message: str = "Small", id: str = "") -> Frame:
    """Take one; the answer."""
    return answer(user, "message_text", {"message": message, "choice": choice}, id=id)


def answer(client: Client, type_: str, payload: Any, id: str = "", **fields: Any) -> Frame:
    """Say something; the answer to it."""
    asked = client.say(type_, payload, **({"id": id} if id else {}), **fields)
    while (frame := client.receive()).get("reply_id") != asked:
        pass
    return frame


def page(client: Client, conversation: str) -> list[Frame]:
    """What both sides have written, as the history has it."""
    asked = client.say("get_history", {"conversation": conversation})
    found = next_frame(client, "message_history", reply_id=asked)["payload"]["messages"]
    return [one for one in found if one["type"] != "event"]


def refused(frame: Frame) -> str:
    """Why it was refused: no fault of the client."""
    assert frame["payload"]["code"] == "invalid_message", frame
    why: str = frame["payload"]["message"]
    assert why.startswith("payload.choice: ")
    return why


def test_a_visitor_takes_one_of_the_choices(come):
    user, waiter = come("user", "ann"), come("waiter", "ann's")
    name = meet(user, waiter)
    tab = come("user", "ann")
    receipt = offer(waiter, user)
    assert (receipt["type"], receipt["seq"]) == ("message_choice_success", 2)
    offered = {"message": "Which size?", "choices": SIZES}
    for client in (user, tab):
        entry = next_frame(client, "message_choice")
        assert (entry["seq"], entry["from"], entry["payload"]) == (2, waiter.uuid, offered)
    assert choose(user, "s")["type"] == "message_text_success"
    chosen = {"message": "Small", "choice": "s"}
    for client in (waiter, tab):
        entry = next_frame(client, "message_text")
        assert (entry["seq"], entry["payload"]) == (3, chosen)
    for client in (user, waiter):
        assert [one["payload"] for one in page(client, name)] == [offered, chosen]


def test_it_is_answered_once_also_in_another_tab_and_a_repeat_is_the_same_answer(come):
    user, waiter = come("user", "ben"), come("waiter", "ben's")
    name = meet(user, waiter)
    tab = come("user", "ben")
    offer(waiter, user)
    first = choose(user, "l", "Large", id="once")
    assert "answered" in refused(choose(tab, "s"))
    assert "answered" in refused(choose(user, "l", "Large"))
    assert choose(user, "l", "Large", id="once")["payload"] == first["payload"]
    assert choose(user, "s", id="once")["payload"]["code"] == "id_conflict"
    assert [one["payload"].get("choice") for one in page(waiter, name)] == [None, "l"]
    offer(waiter, user, message="Once more?")
    assert choose(tab, "s")["type"] == "message_text_success", "it was offered anew"


def test_of_many_who_answer_at_once_one_is_taken(come):
    user, waiter = come("user", "cem"), come("waiter", "cem's")
    name = meet(user, waiter)
    tabs = [user, *(come("user", "cem") for _ in range(5))]
    offer(waiter, user)
    answers: list[Frame] = []
    threads = [
        threading.Thread(target=lambda tab=tab: answers.append(choose(tab, "s"))) for tab in tabs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one["type"] for one in answers) == ["error"] * 5 + ["message_text_success"]
    assert len(page(user, name)) == 2


def test_what_was_not_offered_is_not_taken(come):
    user, waiter = come("user", "dee"), come("waiter", "dee's")
    name = meet(user, waiter)
    assert "offered" in refused(choose(user, "s"))
    offer(waiter, user)
    assert "offered" in refused(choose(user, "m"))
    for choice in (5, None, "", "x" * 65, "\0", ["s"]):
        error = choose(user, choice)["payload"]
        assert error["code"] == "invalid_message"
        assert "payload.choice" in error["message"]
    assert choose(user, "s", "x" * 4097)["payload"]["code"] == "too_large"
    ends(user, waiter)
    assert choose(user, "s")["payload"]["code"] == "not_connected"
    assert len(page(user, name)) == 1


def test_whoever_takes_too_often_is_no_bad_client(come):
    user, waiter = come("user", "eva"), come("waiter", "eva's")
    meet(user, waiter)
    for _ in range(30):
        refused(choose(user, "s"))
    assert answer(user, "message_text", {"message": "still here"})["type"] == "message_text_success"


def test_texts_before_and_after_stay_in_their_order(come):
    user, waiter = come("user", "fin"), come("waiter", "fin's")
    name = meet(user, waiter)
    offer(waiter, user)
    for text in ("one", "two"):
        user.say("message_text", {"message": text})
    user.say("message_text", {"message": "Small", "choice": "s"})
    last = user.say("message_text", {"message": "three"})
    next_frame(user, "message_text_success", reply_id=last)
    said = [one["payload"]["message"] for one in page(waiter, name)]
    assert said == ["Which size?", "one", "two", "Small", "three"]


@pytest.mark.parametrize(
    ("choices", "field"),
    [
        (None, "choices"), ([], "choices"), (SIZES[:1], "choices"), (SIZES * 6, "choices"),
        ([SIZES[0], SIZES[0]], "choices"), ([SIZES[0], {"id": "l", "text": " "}], "choices"),
        ([SIZES[0], {"id": "", "text": "Large"}], "choices[1].id"),
        ([SIZES[0], {"id": "l", "text": ""}], "choices[1].text"),
        ([SIZES[0], {"id": "l", "text": "x" * 81}], "choices[1].text"),
        ([SIZES[0], {"id": "l", "text": "a\0"}], "choices[1].text"),
        ([SIZES[0], {"id": "x" * 65, "text": "Large"}], "choices[1].id"),
        ([SIZES[0], {"id": "l"}], "choices[1].text"), ([SIZES[0], 5], "choices[1]"),
    ],
)  # fmt: skip
def test_what_is_no_choice_is_refused_and_says_why(come, choices, field):
    user, waiter = come("user", "gil"), come("waiter", "gil's")
    name = meet(user, waiter)
    error = offer(waiter, user, choices)["payload"]
    assert error["code"] == "invalid_message"
    assert error["message"].startswith(f"payload.{field}"), error
    assert page(waiter, name) == []


def test_visitors_offer_nothing_and_waiters_take_nothing(come):
    user, waiter = come("user", "hal"), come("waiter", "hal's")
    name = meet(user, waiter)
    payload = {"message": "?", "choices": SIZES}
    assert answer(user, "message_choice", payload)["payload"]["code"] == "unknown_type"
    offer(waiter, user)
    answer(waiter, "message_text", {"message": "Small", "choice": "s"}, to=user.uuid)
    assert page(user, name)[-1]["payload"] == {"message": "Small"}
    assert choose(user, "s")["type"] == "message_text_success"


def test_version_1_reads_the_choices_and_writes_texts(come):
    user, waiter = come("user", "ida", 1), come("waiter", "ida's")
    waiter.say("ready", {"capacity": 1})
    user.say("connect")
    next_frame(user, "connect_success")
    user_uuid = next_frame(waiter, "new_connection")["payload"]["uuid"]
    asked = {"message": "Which size?", "choices": SIZES}
    assert answer(waiter, "message_choice", asked, to=user_uuid)["type"] == "message_choice_success"
    text = next_frame(user, "message_text")
    assert text["payload"] == {"message": "Which size?\n1. Small\n2. Large"}
    user.say("message_text", {"message": "Small", "choice": 5})
    assert next_frame(waiter, "message_text")["payload"] == {"message": "Small"}
    other, old = come("user", "jo"), come("waiter", "jo's", 1)
    old.say("ready")
    other.say("connect")
    next_frame(old, "new_connection")
    assert answer(old, "message_choice", asked, to=other.uuid)["type"] == "error"


def test_version_1_reads_what_was_taken(come):
    """A waiter of version 2 has offered it, and one of version 1 of the same account reads on."""
    user, waiter = come("user", "kai"), come("waiter", "kai's")
    meet(user, waiter)
    sid = waiter.token
    offer(waiter, user)
    old = come("waiter", "kai's", 1, token=sid)
    assert choose(user, "s")["type"] == "message_text_success"
    assert next_frame(old, "message_text")["payload"] == {"message": "Small"}


def test_choices_are_searched_exported_and_erased(come, database: Path):
    user, waiter = come("user", "lou"), come("waiter", "lou's")
    meet(user, waiter)
    offer(waiter, user, message="Marzipan or nougat, perhaps?")
    choose(user, "s", "Nougatine, please")
    assert "Marzipan" in chat(database, "search", "marzipan")
    assert "Nougatine" in chat(database, "search", "nougatine")
    exported = chat(database, "export", "--person", "lou", "--output", "-")
    assert '"choice": "s"' in exported
    assert '"text": "Small"' in exported
    pages = chat(database, "export", "--person", "lou", "--format", "html", "--output", "-")
    assert "Marzipan or nougat, perhaps?\n1. Small\n2. Large" in pages
    for client in (user, waiter):
        client.leave()
    chat(database, "erase", "--person", "lou", "--yes")
    with pytest.raises(AssertionError, match="Nothing was found"):
        chat(database, "search", "marzipan")


def test_without_a_history_it_is_answered_once_as_well():
    env = {"CSAPP_DATABASE_URL": "off"}
    with LiveServer.gunicorn(env=env) as server, ExitStack() as stack:
        clients = [Client(server, role) for role in ("user", "waiter")]
        for client in clients:
            stack.callback(gone, client)
            token = server.token(client.role, client.role)
            client.say("auth", {"token": token, "version": 2})
            client.uuid = next_frame(client, "auth_success")["to"]
        user, waiter = clients
        meet(user, waiter)
        assert "offered" in refused(choose(user, "s"))
        assert offer(waiter, user)["type"] == "message_choice_success"
        assert choose(user, "s")["type"] == "message_text_success"
        assert next_frame(waiter, "message_text")["payload"]["choice"] == "s"
        assert "answered" in refused(choose(user, "l"))


def test_of_offers_with_the_same_choice_the_latest_counts():
    def row(seq: int, side: Side, data: str | None, kind: int = TEXT.number) -> EntryRow:
        return EntryRow(1, seq, side, "x", f"id{seq}", kind, "", 0, data)

    def offered(seq: int, *ids: str) -> EntryRow:
        choices = ",".join(f'{{"id":"{one}","text":"x"}}' for one in ids)
        return row(seq, Side.WAITER, f'{{"choices":[{choices}]}}', CHOICE.number)

    def taken(seq: int, choice: str) -> EntryRow:
        return row(seq, Side.USER, f'{{"choice":"{choice}"}}')

    words = row(9, Side.SERVER, '{"words":"first"}')
    rows = [taken(1, "a"), offered(2, "a", "b"), offered(3, "b", "c"), taken(4, "b"), words]
    offers = replay([*rows, taken(5, "c"), taken(6, "a")])
    assert [one.answer for one in offers] == ["id6", "id4"], "of each the first answer counts"
    assert find(offers, "b") is offers[1]
    assert find(offers, "d") is None
