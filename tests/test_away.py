"""A phone that sleeps comes back into the same conversation (docs/protocol.md, *Away*)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.identity import ANONYMOUS
from testkit import Client, LiveServer

from .clocked import GUNICORN, THREADS, let_pass
from .probe import next_frame
from .three_ways import ONE_PROCESS, Come, coming, serving

GRACE, AWAY = 20, 300  # s
NAP = 200  # s


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {
        "CSAPP_DATABASE_URL": f"sqlite:///{tmp_path}/csapp.db",
        "CSAPP_GRACE": str(GRACE),
        "CSAPP_AWAY": str(AWAY),
        "CSAPP_HEARTBEAT": "3600",
        "CSAPP_AUTH_TIMEOUT": "3600",  # time may still pass while somebody comes
    }


@pytest.fixture(params=ONE_PROCESS)
def server(request: pytest.FixtureRequest, env: dict[str, str]) -> Iterator[LiveServer]:
    with serving(request.param, env, (GUNICORN, THREADS)) as (started, _):
        yield started


@pytest.fixture
def come() -> Iterator[Come]:
    """Opens clients, and closes all of them."""
    with coming() as come:
        yield come


def is_served(user: Client) -> str:
    user.say("connect")
    return str(next_frame(user, "connect_success")["payload"].get("conversation", ""))


def reads(user: Client, waiter: Client) -> None:
    """*user* has read that *waiter* serves it, and *waiter* is shown that."""
    seq = next_frame(user, "event")["seq"]
    user.say("read", {"seq": seq})
    next_frame(waiter, "read", payload_seq=seq)


def sleeps(server: LiveServer, user: Client, waiter: Client, seconds: float = NAP) -> None:
    user.drop()
    next_frame(waiter, "presence", payload_state="away")
    let_pass(server, seconds)


@pytest.fixture
def ada(server: LiveServer, come: Come) -> Client:
    """A waiter who is ready."""
    ada = come(server, "waiter", "ada")
    ada.say("ready")
    next_frame(ada, "ready")
    return ada


def test_who_comes_back_after_minutes_is_in_the_same_conversation(server, come, ada):
    ann = come(server, "user", "ann")
    conversation = is_served(ann)
    uuid = next_frame(ada, "new_connection")["payload"]["uuid"]
    sleeps(server, ann, ada)
    ada.say("message_text", {"message": "Still there?"}, to=uuid)
    next_frame(ada, "message_text_success")
    ann = come(server, "user", "ann")
    success = next_frame(ann, "connect_success")["payload"]
    assert (success["conversation"], success["resumed"]) == (conversation, True)
    history = next_frame(ann, "message_history")["payload"]["messages"]
    assert [one["payload"].get("message") for one in history] == [None, "Still there?"]
    next_frame(ada, "presence", payload_state="online")


def test_the_next_waiter_is_shown_that_the_one_before_was_lost(server, come, ada):
    ann, eve = come(server, "user", "ann"), come(server, "waiter", "eve")
    is_served(ann)
    eve.say("ready")
    next_frame(eve, "ready")
    ada.drop()
    next_frame(ann, "presence", payload_state="away")
    let_pass(server, GRACE)
    shown = list(next_frame(eve, "message_history")["payload"]["messages"])
    while len(shown) < 3:
        shown.append(next_frame(eve, "event"))
    assert [one["payload"]["what"] for one in shown] == ["joined", "left", "joined"]


def test_who_sleeps_on_is_lost(server, come, ada):
    ann = come(server, "user", "ann")
    conversation = is_served(ann)
    sleeps(server, ann, ada, AWAY)
    lost = next_frame(ada, "disconnected", payload_reason="lost")
    assert lost["conversation"] == conversation


def test_its_waiter_may_end_the_conversation(server, come, ada):
    ann = come(server, "user", "ann")
    is_served(ann)
    uuid = next_frame(ada, "new_connection")["payload"]["uuid"]
    sleeps(server, ann, ada)
    ada.say("disconnect", {"uuid": uuid})
    next_frame(ada, "disconnected", payload_reason="ended")
    ann = come(server, "user", "ann")
    ann.say("connect")
    assert next_frame(ann, "connect_success")["payload"]["resumed"] is False


@pytest.mark.parametrize(
    ("sub", "version", "writes"),
    [("ann", 1, True), (ANONYMOUS + "ann", 2, False)],
    ids=["version 1", "anonymous and silent"],
)
def test_others_have_the_usual_grace_period(server, come, ada, sub, version, writes):
    ann = come(server, "user", sub, version)
    is_served(ann)
    if writes:
        ann.say("message_text", {"message": "Hello?"})
        next_frame(ada, "message_text")
    sleeps(server, ann, ada, GRACE)
    next_frame(ada, "disconnected", payload_reason="lost")


def test_an_anonymous_visitor_who_has_written_is_waited_for(server, come, ada):
    ann = come(server, "user", ANONYMOUS + "ann")
    conversation = is_served(ann)
    ann.say("message_text", {"message": "Hello?"})
    next_frame(ann, "message_text_success")
    sleeps(server, ann, ada)
    ann = come(server, "user", ANONYMOUS + "ann")
    assert next_frame(ann, "connect_success")["payload"]["conversation"] == conversation


def test_who_was_closed_for_good_has_the_usual_grace_period(server, come, ada):
    ann = come(server, "user", "ann")
    is_served(ann)
    for _ in range(10):
        ann.send("nonsense")
    assert ann.closed() == 4400
    next_frame(ada, "presence", payload_state="away")
    let_pass(server, GRACE)
    next_frame(ada, "disconnected", payload_reason="lost")


def test_a_restarted_server_waits_as_long_for_those_who_have_read(env, come):
    with LiveServer.gunicorn(GUNICORN, env) as server:
        ada, eve = come(server, "waiter", "ada"), come(server, "waiter", "eve")
        for waiter in (ada, eve):
            waiter.say("ready", {"capacity": 1})
            next_frame(waiter, "ready")
        ann, bob = come(server, "user", "ann"), come(server, "user", "bob", 1)
        conversation = is_served(ann)
        is_served(bob)
        reads(ann, ada)
    with LiveServer.gunicorn(GUNICORN, env) as server:
        ada, eve = come(server, "waiter", "ada"), come(server, "waiter", "eve")
        for waiter in (ada, eve):
            next_frame(waiter, "new_connection")
        let_pass(server, NAP)
        next_frame(eve, "disconnected", payload_reason="lost")  # bob speaks version 1
        ann = come(server, "user", "ann")
        assert next_frame(ann, "connect_success")["payload"]["conversation"] == conversation
        next_frame(ada, "presence", payload_state="online")
