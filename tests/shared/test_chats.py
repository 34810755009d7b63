"""A visitor on one worker and a waiter on another: nobody notices."""

from __future__ import annotations

import json
import os
import re
import signal
from contextlib import closing
from typing import Any

import pytest

from services.conversation.kinds import Side
from services.history.opening import open_store
from testkit import Client
from testkit.client import Closed, assert_quiet

from ..probe import next_frame
from .conftest import BOTH, BRIEF_GRACE, gets, here, kill_worker, meet, page, say

TEXTS = 100


@BOTH
def test_texts_go_both_ways_and_everybody_sees_the_same_order(a, b, come):
    waiter, user = come(a, "waiter", "ada"), come(b, "user", "ann")
    meet(user, waiter)
    for number in range(TEXTS):  # both at once
        user.say("message_text", {"message": f"u{number}"}, id=f"u{number}")
        waiter.say("message_text", {"message": f"w{number}"}, id=f"w{number}", to=user.uuid)

    def numbers(client: Client) -> list[tuple[int, str]]:
        found = []
        while len(found) < 2 * TEXTS:
            frame = client.receive()
            if frame["type"] == "message_text":
                found.append((frame["seq"], frame["payload"]["message"]))
            elif frame["type"] == "message_text_success":
                found.append((frame["seq"], frame["reply_id"]))
        return found

    seen = numbers(user)
    assert seen == numbers(waiter)
    seqs = [seq for seq, _ in seen]
    assert seqs == sorted(seqs)
    assert len({*range(1, 2 * TEXTS + 2)} - {*seqs}) == 1, "one more is that the waiter has joined"


def test_version_1_on_another_worker(a, b, come):
    waiter, user = come(a, "waiter", "ada", 1), come(b, "user", "ann", 1)
    waiter.ready()
    user.say("connect")
    assert next_frame(user, "connect_success")["payload"]["uuid"] == waiter.uuid
    assert next_frame(waiter, "new_connection")["payload"]["uuid"] == user.uuid
    user.text("hi")
    gets(waiter, "hi")
    waiter.text("ho", user.uuid)
    gets(user, "ho")
    user.say("disconnect")
    next_frame(waiter, "disconnected", **{"from": user.uuid})


def test_pictures_cross_over(a, b):
    people = []
    for server, role, sub in ((a, "waiter", "ada"), (b, "user", "ann")):
        client = Client(server, role)
        token = server.token(role, sub, avatar=f"/{sub}.png")
        client.say("auth", {"token": token, "version": 2})
        next_frame(client, "auth_success")
        client.say("ready" if role == "waiter" else "connect")
        people.append(client)
    waiter, user = people
    with waiter, user:
        assert next_frame(user, "connect_success")["payload"]["avatar"] == "/ada.png"
        assert next_frame(waiter, "new_connection")["payload"]["avatar"] == "/ann.png"
        tab = Client(a, "user")
        tab.say("auth", {"token": a.token("user", "ann", avatar="/ann.png"), "version": 2})
        with tab:
            assert next_frame(tab, "connect_success")["payload"]["avatar"] == "/ada.png"


@BRIEF_GRACE
@pytest.mark.parametrize("reason", ["left", "ended", "lost"])
def test_why_a_conversation_has_ended_crosses_over(a, b, come, reason):
    waiter, user = come(a, "waiter", "ada"), come(b, "user", "ann")
    name = meet(user, waiter)
    say(user, "hello")
    other = waiter
    if reason == "left":
        user.say("disconnect")
    elif reason == "ended":
        waiter.say("disconnect", {"uuid": user.uuid})
        other = user
    else:
        user.drop()
    assert next_frame(other, "disconnected", conversation=name)["payload"] == {"reason": reason}
    back, ended = come(a, "user", "ann"), {"state": "open"}
    while ended["state"] == "open":  # nobody waits until the end is stored
        back.say("get_history", {"conversation": name})
        ended = next_frame(back, "message_history")["payload"]
    assert ended["reason"] == reason


@BRIEF_GRACE
def test_users_of_a_waiter_who_is_lost_elsewhere_learn_of_it(a, b, come):
    waiter, user = come(a, "waiter", "ada"), come(b, "user", "ann")
    name = meet(user, waiter)
    waiter.drop()
    assert next_frame(user, "disconnected", conversation=name)["payload"] == {"reason": "lost"}
    next_frame(user, "connect_queue")


def test_the_team_is_that_of_all_workers(a, b, come):
    ada = come(a, "waiter", "ada")
    asked = ada.say("ready")
    next_frame(ada, "ready", reply_id=asked)
    assert json.loads(b.get("/v1/welcome"))["team"] == [{"name": "Ada", "avatar": ""}]


def test_a_waiter_on_another_worker_sees_what_a_visitor_has_filled_in(a, b, come):
    ada = come(a, "waiter", "ada")
    asked = ada.say("ready")
    next_frame(ada, "ready", reply_id=asked)
    ann = come(b, "user", "anonymous-ann")
    ann.say("connect", {"fields": {"name": "Ann Ash"}, "page": "https://s.example/"})
    met = next_frame(ada, "new_connection")["payload"]
    assert (met["fields"], met["page"]) == ({"name": "Ann Ash"}, "https://s.example/")


def test_who_waits_is_seen_and_taken_on_another_worker(a, b, come):
    ann, bob = come(b, "user", "ann"), come(b, "user", "bob")
    for user, question in ((ann, "first?"), (bob, "second?")):
        user.say("connect", {"question": question, "page": f"https://s.example/{question[0]}"})
        next_frame(user, "connect_queue")
    ada, bea = come(a, "waiter", "ada"), come(b, "waiter", "bea")
    ada.say("get_queue")
    seen = next_frame(ada, "queue")["payload"]
    assert (seen["length"], [one["uuid"] for one in seen["visitors"]]) == (2, [ann.uuid, bob.uuid])
    assert [one["question"] for one in seen["visitors"]] == ["first?", "second?"]
    assert seen["visitors"][1]["page"] == "https://s.example/s"
    asked = [waiter.say("take", {"uuid": bob.uuid}) for waiter in (ada, bea)]  # both at once

    def answer(waiter: Client, reply_id: str) -> str:
        while (frame := waiter.receive()).get("reply_id") != reply_id:
            pass
        return str(frame["payload"].get("code", frame["type"]))

    answers = [answer(*one) for one in zip((ada, bea), asked, strict=True)]
    assert sorted(answers) == ["no_such_user", "take_success"]
    winner = (ada, bea)[answers.index("take_success")]
    assert next_frame(winner, "new_connection")["payload"]["uuid"] == bob.uuid
    assert next_frame(bob, "connect_success")["payload"]["uuid"] == winner.uuid
    winner.say("get_queue")
    assert [one["name"] for one in next_frame(winner, "queue")["payload"]["visitors"]] == ["Ann"]


def test_typing_read_marks_and_presence_cross_over(a, b, come):
    waiter, user = come(a, "waiter", "ada"), come(b, "user", "ann")
    name = meet(user, waiter)
    user.say("typing", {"on": True})
    assert next_frame(waiter, "typing")["payload"] == {"on": True}
    say(waiter, "ho", user.uuid)
    gets(user, "ho")
    user.say("read", {"seq": 1})
    assert next_frame(waiter, "read")["payload"] == {"seq": 1}
    user.drop()
    assert next_frame(waiter, "presence")["payload"] == {"state": "away"}
    back = come(a, "user", "ann", resume={name: 1})
    assert next_frame(waiter, "presence")["payload"] == {"state": "online"}
    assert next_frame(back, "connect_success")["payload"]["read"] == 1


def test_positions_in_the_queue_and_tickets_are_the_desks(a, b, come):
    first, second = come(a, "user", "ann"), come(b, "user", "bob")
    first.say("connect")
    assert next_frame(first, "connect_queue")["payload"]["location"] == 0
    second.say("connect")
    place = next_frame(second, "connect_queue")["payload"]
    assert place["location"] == 1
    second.leave()
    b.wait_for_line("disconnect role=user")  # the desk knows
    third = come(a, "user", "cid")
    third.say("connect")
    next_frame(third, "connect_queue")
    second = come(a, "user", "bob")
    second.say("connect", {"ticket": place["ticket"]})  # which it has given up
    assert next_frame(second, "connect_queue")["payload"]["location"] == 2
    third.say("disconnect")
    here(third)
    place = next_frame(second, "connect_queue", payload_location=1)["payload"]
    second.drop()
    back = come(b, "user", "bob")
    back.say("connect", {"ticket": place["ticket"]})
    assert next_frame(back, "connect_queue")["payload"]["location"] == 1
    first.say("disconnect")
    here(first)
    assert next_frame(back, "connect_queue", payload_location=0)
    waiter = come(b, "waiter", "ada")
    assert next_frame(waiter, "queue_status", payload_length=1)
    waiter.say("ready", {"capacity": 1})
    assert next_frame(waiter, "new_connection")["payload"]["sub"] == "bob"


def test_the_queue_is_left_on_all_workers(a, b, come):
    one, two = come(a, "user", "ann"), come(b, "user", "ann")
    one.say("connect")
    for tab in (one, two):
        next_frame(tab, "connect_queue")
    one.say("disconnect")
    for tab in (one, two):
        assert next_frame(tab, "disconnected")["payload"] == {"reason": "left"}


@BRIEF_GRACE
@BOTH
def test_the_conversation_of_who_leaves_the_queue_ends_on_all_workers(a, b, come, database_url):
    waiter, one, two = come(a, "waiter", "ada"), come(a, "user", "ann"), come(b, "user", "ann")
    name = meet(one, waiter)
    say(one, "hello")
    waiter.drop()
    for tab in (one, two):
        next_frame(tab, "connect_queue")
    late = come(b, "user", "ann")
    one.say("disconnect")
    next_frame(late, "disconnected", payload_reason="left", conversation=name)
    for tab in (one, two):  # in either order: the end comes after all that is stored by then
        seen: dict[str, Any] = {}
        while not seen.keys() >= {"disconnected", "event"}:
            frame = tab.receive()
            if frame.get("payload", {}).get("reason") == "left":
                seen[frame["type"]] = frame
                assert frame["conversation"] == name
        assert seen["event"]["payload"]["what"] == "ended"
    assert meet(two, come(b, "waiter", "eve")) != name
    say(two, "again")  # what each worker had to store before this is stored
    say(one, "and again")
    with closing(open_store(database_url)) as store:
        newest, oldest = store.conversations_of(Side.USER, "ann")
        assert (newest.ended, bool(oldest.ended), oldest.reason) == (None, True, "left")
        events = [one.data for one in store.entries(oldest.key) if one.side == Side.SERVER]
        assert len(events) == 3  # joined, left, ended
        assert json.loads(events[-1]) == {"what": "ended", "name": "Ann", "reason": "left"}


def test_who_returns_on_another_worker_goes_on_where_it_was(a, b, come):
    waiter, user = come(a, "waiter", "ada"), come(a, "user", "ann")
    name = meet(user, waiter)
    one = say(user, "one")
    user.drop()
    next_frame(waiter, "presence", payload_state="away")
    two = say(waiter, "two", user.uuid)
    back = come(b, "user", "ann", resume={name: one})
    assert back.uuid == user.uuid
    assert next_frame(back, "connect_success")["payload"]["last_seq"] == two == one + 1
    assert page(back, name) == ["two"]
    say(waiter, "three", user.uuid)
    gets(back, "three")
    assert say(back, "four") == two + 2


def test_both_return_on_the_others_worker(a, b, come):
    waiter, user = come(a, "waiter", "ada"), come(b, "user", "ann")
    name = meet(user, waiter)
    one = say(user, "one")
    for client in (waiter, user):
        client.drop()
    user, waiter = come(a, "user", "ann", resume={name: one}), come(b, "waiter", "ada")
    assert page(user, name) == []
    assert page(waiter, name) == ["one"]
    say(user, "two")
    gets(waiter, "two")
    say(waiter, "three", user.uuid)
    gets(user, "three")


def test_what_version_1_is_to_be_sent_follows_it_to_another_worker(a, b, come):
    waiter, user = come(a, "waiter", "ada"), come(a, "user", "ann", 1)
    waiter.say("ready")
    user.say("connect")
    next_frame(user, "connect_success")
    user.drop()
    next_frame(waiter, "presence", payload_state="away")
    for text in ("one", "two"):
        say(waiter, text, user.uuid)
    back = come(b, "user", "ann", 1)
    gets(back, "one")
    gets(back, "two")
    say(waiter, "three", user.uuid)
    gets(back, "three")


def test_one_participant_on_two_workers_hears_itself(a, b, come):
    waiter = come(a, "waiter", "ada")
    here_, there = come(a, "user", "ann"), come(b, "user", "ann")
    assert here_.uuid == there.uuid
    meet(here_, waiter)
    next_frame(there, "connect_success")
    say(here_, "mine")
    gets(there, "mine")
    gets(waiter, "mine")
    say(waiter, "to both", here_.uuid)
    for one in (here_, there):
        gets(one, "to both")
    here_.leave()
    say(there, "still here")
    gets(waiter, "still here")


def test_what_one_connection_of_a_waiter_says_of_its_readiness_counts_for_all(a, b, come):
    here_, there = come(a, "waiter", "ada"), come(b, "waiter", "ada")
    here_.say("ready")
    next_frame(here_, "ready")
    there.say("unready")
    next_frame(there, "unready")
    user = come(a, "user", "ann")
    user.say("connect")
    assert next_frame(user, "connect_queue")["payload"]["location"] == 0
    here_.say("ready")
    next_frame(user, "connect_success")
    for one in (here_, there):
        assert next_frame(one, "new_connection")["payload"]["sub"] == "ann"


def test_a_newer_login_kicks_out_the_older_one_on_another_worker(a, b, come):
    older, user = come(a, "waiter", "ada"), come(a, "user", "ann")
    name = meet(user, older)
    newer = come(b, "waiter", "ada", anew=True)
    with pytest.raises(Closed) as closed:
        next_frame(older, "never")
    assert closed.value.code == 4409
    assert page(newer, name) == []
    say(user, "still there?")
    gets(newer, "still there?")


def test_two_who_have_met_again_while_a_worker_stood_still_hear_each_other(a, b, come):
    waiter, user = come(a, "waiter", "ada"), come(b, "user", "ann")
    before = meet(user, waiter)
    os.kill(a.worker_pid, signal.SIGSTOP)
    try:
        user.say("disconnect")
        next_frame(user, "disconnected")
        user.say("connect")
        now = next_frame(user, "connect_success")["payload"]["conversation"]
        say(user, "are you there?")
        next_frame(user, "presence", payload_state="away")  # the worker has been given up
    finally:
        os.kill(a.worker_pid, signal.SIGCONT)
    next_frame(waiter, "disconnected")
    assert next_frame(waiter, "new_connection")["payload"]["conversation"] == now
    assert page(waiter, now) == ["are you there?"]
    say(waiter, "yes", user.uuid)
    assert gets(user, "yes")["conversation"] == now != before


def test_who_is_signed_out_is_closed_on_every_worker(a, b, come, database_url):
    clients = [come(server, "waiter", "ada") for server in (a, b)]
    with closing(open_store(database_url)) as store:
        store.revoke(subject="ada", now=2**52)
    assert [client.closed() for client in clients] == [4401, 4401]


@pytest.mark.parametrize("leaver", ["user", "waiter"])
def test_a_conversation_that_one_side_ends_is_over_on_both_workers(
    a, b, come, database_url, leaver
):
    waiter, user = come(a, "waiter", "ada"), come(b, "user", "ann")
    name = meet(user, waiter)
    if leaver == "user":
        user.say("message_text", {"message": "bye"}, id="last")
        user.say("disconnect")
        stays, gone = waiter, user
    else:
        waiter.say("message_text", {"message": "bye"}, id="last", to=user.uuid)
        waiter.say("disconnect", {"uuid": user.uuid})
        stays, gone = user, waiter
    gets(stays, "bye")
    assert next_frame(stays, "disconnected")["from"] == gone.uuid
    next_frame(gone, "disconnected")
    user.say("connect")
    assert next_frame(user, "connect_success")["payload"]["conversation"] != name
    next_frame(waiter, "message_history")
    for one, other in ((user, waiter), (waiter, user)):
        say(one, "again", other.uuid)  # what each worker had to store before this is stored
    with closing(open_store(database_url)) as store:
        newest, oldest = store.conversations_of(Side.USER, "ann")
        assert oldest.ended
        assert not newest.ended


@BRIEF_GRACE
@BOTH
def test_users_of_a_killed_worker_s_waiter_are_served_again_in_the_same_conversation(a, b, come):
    waiter, user = come(a, "waiter", "ada"), come(b, "user", "ann")
    name = meet(user, waiter)
    say(user, "one")
    gets(waiter, "one")
    kill_worker(a)
    assert (
        next_frame(user, "connect_queue")["payload"]["location"] == 0
    )  # lease and grace have ended
    other = come(a, "waiter", "eve")
    other.say("ready")
    assert next_frame(user, "connect_success")["payload"]["conversation"] == name
    assert page(other, name) == ["one"]
    say(other, "here I am", user.uuid)
    gets(user, "here I am")


@BOTH
def test_who_comes_back_after_its_worker_was_killed_goes_on(a, b, come):
    waiter, user = come(a, "waiter", "ada"), come(b, "user", "ann")
    name = meet(user, waiter)
    one = say(user, "one")
    kill_worker(b)
    back = come(a, "user", "ann", resume={name: one})
    assert next_frame(back, "connect_success")["payload"]["last_seq"] == one
    say(waiter, "two", back.uuid)
    gets(back, "two")


def test_a_server_that_stops_hands_its_people_over(a, b, come):
    waiter, user = come(a, "waiter", "ada"), come(b, "user", "ann")
    name = meet(user, waiter)
    user.say("message_text", {"message": "last words"}, id="last")
    gets(waiter, "last words")
    b.signal(signal.SIGTERM)
    assert user.closed() == 1012
    back = come(a, "user", "ann", resume={name: 0})
    assert page(back, name) == ["last words"]
    assert b.wait() == 0
    say(waiter, "two", back.uuid)
    gets(back, "two")


def test_what_version_1_is_to_be_sent_follows_it_from_a_server_that_stops(a, b, come):
    waiter, user = come(a, "waiter", "ada"), come(b, "user", "ann", 1)
    waiter.say("ready")
    user.say("connect")
    next_frame(user, "connect_success")
    b.signal(signal.SIGTERM)
    assert user.closed() == 1012
    next_frame(waiter, "presence", payload_state="away")
    say(waiter, "one", user.uuid)
    with Client.user(a, "ann") as back:  # what is parked is sent at once
        gets(back, "one")
        say(waiter, "two", user.uuid)
        gets(back, "two")
    assert b.wait() == 0


def test_figures_are_those_of_the_whole_desk(a, b, come):
    waiter, user = come(a, "waiter", "ada"), come(b, "user", "ann")
    watching = come(b, "waiter", "eve")
    meet(user, waiter)
    for sub, answer in (("bob", "connect_success"), ("cid", "connect_queue")):
        client = come(a, "user", sub)
        client.say("connect")
        next_frame(client, answer)
    next_frame(watching, "queue_status", payload_length=1)
    status = json.loads(b.get("/v1/status"))
    assert (status["queue_length"], status["users_served"]) == (1, 2)
    matched = sum(
        float(found)
        for server in (a, b)
        for found in re.findall(r"csapp_queue_wait_seconds_count (\S+)", server.get("/metrics"))
    )
    assert matched == 2, "each match is counted by one worker"


def test_an_outsider_on_another_worker_receives_nothing(a, b, come):
    waiter, user = come(a, "waiter", "ada"), come(b, "user", "ann")
    stranger = come(b, "user", "eve")
    meet(user, waiter)
    say(user, "secret")
    gets(waiter, "secret")
    assert_quiet(stranger)
