"""What has happened to a conversation is written into it once, whichever workers learn of it."""

from __future__ import annotations

import os
import signal
from contextlib import closing

from services.history.opening import open_store
from testkit import Client

from .. import probe
from ..probe import next_frame
from .conftest import BRIEF_GRACE, gets, kill_worker, meet, say


def event(client: Client, what: str) -> tuple[int, str, str]:
    """The next event *what*: its `seq`, its name and its reason.

    That the waiter has joined may stand in the page that comes first, and not come live.
    """
    while (frame := next_frame(client, "event"))["payload"]["what"] != what:
        pass
    assert frame["from"] == "", "the server has written it"
    return frame["seq"], frame["payload"].get("name", ""), frame["payload"].get("reason", "")


def entries(client: Client, conversation: str) -> list[tuple[int, str, str]]:
    """All that is stored of *conversation*: `seq`, type, and the text or what has happened."""
    asked = client.say("get_history", {"conversation": conversation, "after": 0})
    while (frame := client.receive()).get("reply_id") != asked:
        pass
    return [
        (one["seq"], one["type"], one["payload"].get("message") or one["payload"]["what"])
        for one in frame["payload"].get("messages", ())  # an error: it is not stored yet
    ]


def test_both_sides_get_the_same_events_on_two_workers(a, b, come):
    waiter, user = come(a, "waiter", "ada"), come(b, "user", "ann")
    name = meet(user, waiter)
    assert say(user, "one") == 2
    gets(waiter, "one")
    user.say("disconnect")
    assert event(user, "ended") == event(waiter, "ended") == (3, "Ann", "left")
    all_of_it = [(1, "event", "joined"), (2, "message_text", "one"), (3, "event", "ended")]
    assert entries(waiter, name) == entries(user, name) == all_of_it


@BRIEF_GRACE
def test_events_of_a_worker_that_is_killed_are_written_by_another_one(a, b, come):
    waiter, user = come(a, "waiter", "ada"), come(b, "user", "ann")
    name = meet(user, waiter)
    say(user, "one")
    gets(waiter, "one")
    kill_worker(a)
    assert event(user, "left") == (3, "Ada", "lost")
    other = come(b, "waiter", "eve")
    other.say("ready")
    assert event(user, "joined") == event(other, "joined") == (4, "Eve", "")
    assert [what for _, _, what in entries(user, name)] == ["joined", "one", "left", "joined"]


@BRIEF_GRACE
def test_a_worker_that_has_not_seen_who_was_lost_finds_it_in_the_history(a, b, come):
    waiter, user = come(a, "waiter", "ada"), come(b, "user", "ann")
    name = meet(user, waiter)
    say(user, "one")
    waiter.drop()
    assert event(user, "left") == (3, "Ada", "lost")
    moved = come(a, "user", "ann")
    user.drop()
    user, waiter = moved, come(b, "waiter", "ada")
    waiter.say("ready")
    assert event(user, "returned") == (4, "Ada", "")
    assert [what for _, _, what in entries(user, name)] == ["joined", "one", "left", "returned"]


@BRIEF_GRACE
def test_who_serves_is_saved_though_the_worker_that_had_to_save_it_is_killed(
    a, b, come, database_url
):
    waiter, user = come(a, "waiter", "ada"), come(b, "user", "ann")
    name = meet(user, waiter)
    waiter.drop()
    assert event(user, "left") == (2, "Ada", "lost")
    other = come(a, "waiter", "eve")
    back = come(a, "user", "ann")
    kill_worker(b)  # its lease still runs, and the visitor came to it first
    other.say("ready")
    assert event(back, "joined") == (3, "Eve", "")
    with closing(open_store(database_url)) as store:
        probe.until(lambda: store.conversation(int(name, 16)).waiter_subject == "eve")


def test_a_match_of_which_no_living_worker_was_told_is_written(a, b, start, come, database_url):
    c, ada = start(), come(a, "waiter", "ada")
    bob = come(c, "user", "bob")
    meet(bob, ada)
    meet(come(c, "user", "cid"), ada)
    ann = come(b, "user", "ann")
    ann.say("connect")
    next_frame(ann, "connect_queue")
    for server in (a, b):
        kill_worker(server)  # its lease still runs
    bob.say("disconnect")
    ann = come(c, "user", "ann")
    name = next_frame(ann, "connect_success")["payload"]["conversation"]
    come(c, "waiter", "ada")
    assert event(ann, "joined") == (1, "Ada", "")
    with closing(open_store(database_url)) as store:
        probe.until(lambda: store.conversation(int(name, 16)).waiter_subject == "ada")


def test_a_worker_that_stands_still_does_not_hold_an_event_back(a, b, come):
    waiter, user = come(a, "waiter", "ada"), come(b, "user", "ann")
    name = meet(user, waiter)
    probe.until(lambda: entries(waiter, name) == [(1, "event", "joined")])
    os.kill(b.worker_pid, signal.SIGSTOP)  # it is to write what happens to its user
    try:
        waiter.say("disconnect", {"uuid": user.uuid})
        assert event(waiter, "ended") == (2, "Ada", "ended")
    finally:
        os.kill(b.worker_pid, signal.SIGCONT)
    assert event(user, "ended") == (2, "Ada", "ended")
    assert entries(user, name) == [(1, "event", "joined"), (2, "event", "ended")]
