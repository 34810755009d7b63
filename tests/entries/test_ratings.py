"""What visitors think of a conversation, during it and after its end, and being asked for it."""

from __future__ import annotations

import contextlib
import sqlite3
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from services.conversation.kinds import RATING
from services.feeds.history import MOST_AFTER_END
from testkit import Client, LiveServer
from testkit.client import assert_quiet

from ..clocked import let_pass
from ..probe import next_frame
from .conftest import GRACE, Frame, chat, ends, gone, meet


def rate(user: Client, rate: Any, comment: Any = "", **fields: Any) -> Frame:
    """Rate; the answer."""
    asked = user.say("rate", {"rate": rate, "comment": comment, **fields})
    while (frame := user.receive()).get("reply_id") != asked:
        pass
    return frame


def ratings(client: Client, conversation: str) -> list[Frame]:
    """Those of a conversation, as its history has them."""
    asked = client.say("get_history", {"conversation": conversation})
    page = next_frame(client, "message_history", reply_id=asked)["payload"]["messages"]
    return [one["payload"] for one in page if one["type"] == "rating"]


def test_a_rating_is_an_entry_that_both_sides_read(come):
    user, waiter = come("user", "ann"), come("waiter", "ann's")
    name = meet(user, waiter)
    tab = come("user", "ann")
    receipt = rate(user, 5, "Quick and kind")
    assert (receipt["type"], receipt["seq"]) == ("rate_success", 2)
    payload = {"rate": 5, "comment": "Quick and kind"}
    entry = next_frame(waiter, "rating")
    assert (entry["seq"], entry["from"], entry["payload"]) == (2, user.uuid, payload)
    announced = waiter.receive()
    assert (announced["type"], announced["payload"]) == ("rate_user_success", payload)
    assert (announced["conversation"], "seq" in announced) == (name, False)
    assert next_frame(tab, "rating")["payload"] == payload
    assert ratings(user, name) == ratings(waiter, name) == [payload]


def test_the_same_id_is_the_same_rating(come):
    user, waiter = come("user", "ben"), come("waiter", "ben's")
    name = meet(user, waiter)
    asked = [user.say("rate", {"rate": stars}, id="once") for stars in (4, 4, 3)]
    receipts = [next_frame(user, "rate_success", reply_id=one) for one in asked[:2]]
    assert receipts[0]["payload"] == receipts[1]["payload"]
    assert next_frame(user, "error", reply_id="once")["payload"]["code"] == "id_conflict"
    assert ratings(user, name) == [{"rate": 4, "comment": ""}]


def test_a_conversation_is_rated_after_its_end(come):
    user, waiter = come("user", "cid"), come("waiter", "cid's")
    name = meet(user, waiter)
    ends(user, waiter)
    assert rate(user, 2)["type"] == "rate_success"
    assert next_frame(waiter, "rate_user_success", conversation=name)["payload"]["rate"] == 2
    meet(user, waiter)
    assert rate(user, 1, conversation=name)["conversation"] == name
    assert rate(user, 5)["conversation"] != name, "without a name it is the present one"
    assert [one["rate"] for one in ratings(user, name)] == [2, 1]


def test_who_comes_back_later_names_the_conversation(come):
    user, waiter = come("user", "eli"), come("waiter", "eli's")
    name = meet(user, waiter)
    user.leave()
    next_frame(waiter, "disconnected")
    back = come("user", "eli")
    other_window = come("user", "eli")
    assert rate(back, 3)["payload"]["code"] == "not_connected"
    receipt = rate(back, 3, "It was all right", conversation=name)
    assert receipt["type"] == "rate_success"
    assert next_frame(other_window, "rating")["seq"] == receipt["seq"]
    assert ratings(back, name) == [{"rate": 3, "comment": "It was all right"}]
    assert_quiet(back)


def test_ratings_after_the_end_are_bounded(come):
    user, waiter = come("user", "ivo"), come("waiter", "ivo's")
    name = meet(user, waiter)
    ends(user, waiter)
    for number in range(MOST_AFTER_END):
        user.say("rate", {"rate": 1, "conversation": name}, id=f"r{number}")
        next_frame(user, "rate_success", reply_id=f"r{number}")
    answer = rate(user, 1, conversation=name)
    assert answer["payload"]["code"] == "forbidden"
    assert "enough" in answer["payload"]["message"]
    user.say("rate", {"rate": 1, "conversation": name}, id="r3")
    next_frame(user, "rate_success", reply_id="r3")
    assert len(ratings(user, name)) == MOST_AFTER_END


def test_a_rating_is_changed_for_a_day_after_the_first_one(come, database: Path):
    user, waiter = come("user", "jim"), come("waiter", "jim's")
    name = meet(user, waiter)
    user.say("rate", {"rate": 2}, id="first")
    next_frame(user, "rate_success", reply_id="first")
    ends(user, waiter)
    assert rate(user, 4, conversation=name)["type"] == "rate_success"
    a_day_passes(database)
    answer = rate(user, 5, conversation=name)["payload"]
    assert (answer["code"], "for a day" in answer["message"]) == ("forbidden", True)
    user.say("rate", {"rate": 2, "conversation": name}, id="first")
    next_frame(user, "rate_success", reply_id="first")  # a repeat is no change
    assert [one["rate"] for one in ratings(user, name)] == [2, 4]


def test_nor_is_it_changed_later_while_the_conversation_goes_on(come, database: Path):
    user, waiter = come("user", "job"), come("waiter", "job's")
    meet(user, waiter)
    rate(user, 2)
    a_day_passes(database, 86_400_000 - 60_000)
    assert rate(user, 3)["type"] == "rate_success"
    a_day_passes(database, 120_000)
    assert rate(user, 5)["payload"]["code"] == "forbidden"


def a_day_passes(database: Path, ms: int = 86_400_001) -> None:
    """What was rated is so much older now."""
    with contextlib.closing(sqlite3.connect(database, timeout=30)) as found, found:
        found.execute("UPDATE message SET date = date - ? WHERE kind = ?", (ms, RATING.number))


def test_a_site_that_takes_no_ratings_says_so():
    with LiveServer.gunicorn(env={"CSAPP_RATINGS": "off"}) as server, ExitStack() as stack:
        clients = [Client(server, role) for role in ("user", "waiter")]
        for client in clients:
            stack.callback(gone, client)
            client.say("auth", {"token": server.token(client.role, client.role), "version": 2})
            assert "ratings" not in next_frame(client, "auth_success")["payload"]
        user, waiter = clients
        meet(user, waiter)
        assert rate(user, 5)["payload"]["code"] == "forbidden"
        asked = waiter.say("rate", {}, to=user.uuid)
        assert next_frame(waiter, "error", reply_id=asked)["payload"]["code"] == "forbidden"


def test_a_message_that_nobody_has_answered_is_not_rated(come):
    user = come("user", "jan")
    user.say("leave_message", {"message": "Hello?"})
    name = next_frame(user, "leave_message_success")["payload"]["conversation"]
    assert rate(user, 5, conversation=name)["payload"]["code"] == "forbidden"
    assert ratings(user, name) == []


def test_nobody_rates_the_conversations_of_others(come):
    user, waiter = come("user", "fay"), come("waiter", "fay's")
    name = meet(user, waiter)
    stranger = come("user", "gus")
    for conversation in (name, "0", "nothing"):
        assert rate(stranger, 1, conversation=conversation)["payload"]["code"] == "forbidden"
    assert ratings(user, name) == []


def test_what_has_been_erased_is_not_rated(come, database: Path):
    user, waiter = come("user", "ned"), come("waiter", "ned's")
    name = meet(user, waiter)
    ends(user, waiter)
    next_frame(user, "event")
    with contextlib.closing(sqlite3.connect(database)) as found, found:
        found.execute("DELETE FROM chat WHERE user_subject = 'ned'")
    for fields in ({}, {"conversation": name}):
        assert rate(user, 1, **fields)["payload"]["code"] == "forbidden"


def test_nor_is_what_is_erased_while_it_is_open(come, database: Path):
    """The server has not read of it yet: the store says so when the rating is to be stored."""
    user, waiter = come("user", "nell"), come("waiter", "nell's")
    meet(user, waiter)
    with contextlib.closing(sqlite3.connect(database)) as found, found:
        found.execute("DELETE FROM chat WHERE user_subject = 'nell'")
    for _ in range(2):
        assert rate(user, 1)["payload"]["code"] == "forbidden"


def test_who_waits_to_be_served_again_rates_the_conversation_that_it_is_in(server, come):
    user, waiter = come("user", "oda"), come("waiter", "oda's")
    name = meet(user, waiter)
    tab = come("user", "oda")
    waiter.drop()
    next_frame(user, "presence", payload_state="away")
    let_pass(server, GRACE)
    next_frame(user, "disconnected")
    for fields in ({}, {"conversation": name}):
        assert rate(user, 4, **fields)["conversation"] == name
    seqs = [next_frame(tab, "rating")["seq"] for _ in range(2)]
    assert seqs == [3, 4], "after that she is left"


@pytest.mark.parametrize(
    "payload",
    [{}, {"rate": 0}, {"rate": 6}, {"rate": 2.5}, {"rate": "5"}, {"rate": True}, {"rate": None},
     {"rate": 5, "comment": 1}, {"rate": 5, "comment": "a\0b"}, {"rate": 5, "conversation": 5},
     {"rate": 5, "stars": 4, "comment": None}, None],
)  # fmt: skip
def test_what_is_no_rating_is_refused_and_says_why(come, payload):
    user, waiter = come("user", "hal"), come("waiter", "hal's")
    name = meet(user, waiter)
    asked = user.say("rate", payload)
    error = next_frame(user, "error", reply_id=asked)["payload"]
    assert error["code"] == "invalid_message"
    assert "payload" in error["message"]
    assert ratings(user, name) == []


def test_a_comment_is_as_long_as_a_text(come):
    user, waiter = come("user", "ida"), come("waiter", "ida's")
    meet(user, waiter)
    assert rate(user, 4, "x" * 4097)["payload"]["code"] == "too_large"
    assert rate(user, 4, "x" * 4096)["type"] == "rate_success"


def test_a_waiter_asks_for_a_rating(come):
    user, waiter = come("user", "jan"), come("waiter", "jan's")
    name = meet(user, waiter)
    asked = waiter.say("rate", {}, to=user.uuid)
    assert next_frame(waiter, "rate_success", reply_id=asked)["payload"] == {"uuid": user.uuid}
    invitation = next_frame(user, "rate")
    assert (invitation["conversation"], invitation["from"]) == (name, waiter.uuid)
    assert (invitation["payload"], "seq" in invitation) == ({}, False)
    user.drop()
    next_frame(waiter, "presence", payload_state="away")
    asked = waiter.say("rate", {}, to=user.uuid)
    assert next_frame(waiter, "error", reply_id=asked)["payload"]["code"] == "unavailable"
    for fields in ({}, {"to": "nobody"}):
        asked = waiter.say("rate", None, **fields)
        error = next_frame(waiter, "error", reply_id=asked)["payload"]
        assert error["code"] == ("no_such_user" if fields else "invalid_message")


def test_version_1_is_told_nothing_of_ratings(come):
    user, waiter = come("user", "kim"), come("waiter", "kim's", 1)
    meet(user, waiter)
    assert rate(user, 5, "Fine")["type"] == "rate_success"
    user.say("message_text", {"message": "bye"})
    assert next_frame(waiter, "message_text")["payload"] == {"message": "bye"}
    old, other = come("user", "lea", 1), come("waiter", "lea's")
    other.say("ready")
    next_frame(other, "ready")  # the other waiter has free seats as well, and more to do
    old.say("connect")
    next_frame(old, "connect_success")
    uuid = next_frame(other, "new_connection")["payload"]["uuid"]
    asked = other.say("rate", {}, to=uuid)
    assert next_frame(other, "error", reply_id=asked)["payload"]["code"] == "forbidden"
    old.say("rate", {"rate": 5})
    assert "rate" in next_frame(old, "error")["payload"]["message"]


def test_ratings_are_searched_exported_and_erased(come, database: Path):
    user, waiter = come("user", "max"), come("waiter", "max's")
    meet(user, waiter)
    rate(user, 4, "Surprisingly cheerful")
    found = chat(database, "search", "surprisingly", "cheerful")
    assert "Surprisingly cheerful" in found
    exported = chat(database, "export", "--person", "max", "--output", "-")
    assert '"rate": 4' in exported
    assert "Surprisingly cheerful" in exported
    for client in (user, waiter):
        client.leave()
    chat(database, "erase", "--person", "max", "--yes")
    with pytest.raises(AssertionError, match="Nothing was found"):
        chat(database, "search", "surprisingly")


def test_without_a_history_an_absent_waiter_is_not_owed_any_number_of_them():
    env = {"CSAPP_DATABASE_URL": "off", "CSAPP_OUTBOX_BYTES": "65536", "CSAPP_MESSAGE_RATE": "0"}
    with LiveServer.gunicorn(env=env) as server, ExitStack() as stack:
        clients = [Client(server, role) for role in ("user", "waiter")]
        for client in clients:
            stack.callback(gone, client)
            token = server.token(client.role, client.role)
            client.say("auth", {"token": token, "version": 2})
            next_frame(client, "auth_success")
        user, waiter = clients
        meet(user, waiter)
        waiter.drop()
        next_frame(user, "presence", payload_state="away")
        answers = [rate(user, 1, "x" * 4000) for _ in range(20)]
        assert answers[0]["type"] == "rate_success"
        assert answers[-1]["payload"]["code"] == "unavailable"
