"""Visitors move on whose waiters write nothing in time (docs/protocol.md, *Unanswered*)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from services.history.opening import open_store
from testkit import Client, LiveServer

from .clocked import GUNICORN, THREADS, let_pass
from .probe import come_back, next_frame
from .three_ways import ONE_PROCESS, Come, coming, serving

WITHIN = 60  # s
BRIEF = 2  # s, which pass by themselves

Frame = dict[str, Any]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    url = f"sqlite:///{tmp_path}/csapp.db"
    with closing(open_store(url)) as store:
        store.migrate()
    return {
        "CSAPP_DATABASE_URL": url,
        "CSAPP_ANSWER_WITHIN": str(WITHIN),
        "CSAPP_GRACE": "600",
        "CSAPP_HEARTBEAT": "3600",
        "CSAPP_AUTH_TIMEOUT": "3600",  # time may still pass while somebody comes
    }


@pytest.fixture(params=ONE_PROCESS)
def server(request: pytest.FixtureRequest, env: dict[str, str]) -> Iterator[LiveServer]:
    with serving(request.param, env, (GUNICORN, THREADS)) as (started, _):
        yield started


@pytest.fixture
def workers(env: dict[str, str]) -> Iterator[list[LiveServer]]:
    """Two servers of one desk, whose time nobody moves on."""
    with serving("two workers", {**env, "CSAPP_ANSWER_WITHIN": str(BRIEF)}) as servers:
        yield servers


@pytest.fixture
def come() -> Iterator[Come]:
    """Opens clients, and closes all of them."""
    with coming() as come:
        yield come


def is_ready(waiter: Client, version: int = 2) -> None:
    asked = waiter.say("ready")
    if version > 1:
        next_frame(waiter, "ready", reply_id=asked)
    else:
        marker = waiter.say("auth", {"token": "marker"})
        next_frame(waiter, "error", reply_id=marker)


def meets(user: Client, waiter: Client) -> str:
    """*user* gets *waiter*; the UUID of the user."""
    user.say("connect")
    next_frame(user, "connect_success")
    return str(next_frame(waiter, "new_connection")["payload"]["uuid"])


def answers(waiter: Client, uuid: str) -> None:
    waiter.say("message_text", {"message": "Hello"}, to=uuid)
    next_frame(waiter, "message_text_success")


def is_told(waiter: Client, user: str) -> None:
    """*waiter* learns that it has lost *user*, why, and that it gets nobody any more."""
    end = next_frame(waiter, "disconnected")
    assert (end["from"], end["payload"]) == (user, {"reason": "unanswered"})
    assert next_frame(waiter, "unready")["payload"] == {"capacity": 5}


def moves_on(user: Client, frame: Frame) -> None:
    """*user* has learned that its waiter is gone, and is served by the next one."""
    assert next_frame(user, "disconnected")["payload"] == {"reason": "unanswered"}
    success = next_frame(user, "connect_success")["payload"]
    assert (success["conversation"], success["resumed"]) == (frame["conversation"], True)
    assert success["name"] == "Eve"


def entries(client: Client, most: int) -> list[Frame]:
    """What *client* is shown of its conversation: the history, and what follows it."""
    shown: list[Frame] = list(next_frame(client, "message_history")["payload"]["messages"])
    while len(shown) < most:
        shown.append(next_frame(client, "event"))
    return shown


def test_who_has_an_answer_in_time_stays(server, come):
    ada, ann = come(server, "waiter", "ada"), come(server, "user", "ann")
    is_ready(ada)
    uuid = meets(ann, ada)
    let_pass(server, WITHIN - 5)
    answers(ada, uuid)
    let_pass(server, 10 * WITHIN)
    ann.say("message_text", {"message": "Still there?"})
    while (frame := ada.receive())["type"] != "message_text":
        assert frame["type"] not in ("disconnected", "unready")


def test_typing_and_notes_are_no_answer(server, come):
    ada, ann = come(server, "waiter", "ada"), come(server, "user", "ann")
    is_ready(ada)
    ann.say("connect")
    conversation = next_frame(ann, "connect_success")["payload"]["conversation"]
    uuid = next_frame(ada, "new_connection")["payload"]["uuid"]
    ada.say("typing", {"on": True}, to=uuid)
    ada.say("note", {"text": "Who is that?", "conversation": conversation})
    next_frame(ada, "note_success")
    ann.say("message_text", {"message": "Hello?"})
    next_frame(ada, "message_text")
    let_pass(server, WITHIN)
    is_told(ada, uuid)
    assert next_frame(ann, "connect_queue")["payload"]["location"] == 0


def test_who_has_no_answer_moves_on_and_the_silent_waiter_is_told(server, come):
    ada, ann, eve = (come(server, *who) for who in (
        ("waiter", "ada"), ("user", "ann"), ("waiter", "eve"),
    ))  # fmt: skip
    is_ready(ada)
    ann.say("connect")
    first = next_frame(ann, "connect_success")["payload"]
    uuid = next_frame(ada, "new_connection")["payload"]["uuid"]
    is_ready(eve)
    let_pass(server, WITHIN)
    is_told(ada, uuid)
    moves_on(ann, first)
    next_frame(eve, "new_connection")
    shown = entries(eve, 3)
    assert [one["seq"] for one in shown] == [1, 2, 3]
    events = [(one["payload"]["what"], one["payload"].get("reason", "")) for one in shown]
    assert events == [("joined", ""), ("left", "unanswered"), ("joined", "")]
    answers(eve, uuid)
    # Ada gets nobody until she is ready again, and is the same waiter as before then
    bob, cid = come(server, "user", "bob"), come(server, "user", "cid")
    meets(bob, eve)
    is_ready(ada)
    meets(cid, ada)


def test_who_waits_alone_gets_the_silent_waiter_back_when_it_is_ready(server, come):
    ada, ann = come(server, "waiter", "ada"), come(server, "user", "ann")
    is_ready(ada)
    uuid = meets(ann, ada)
    let_pass(server, WITHIN)
    is_told(ada, uuid)
    next_frame(ann, "connect_queue")
    is_ready(ada)
    assert next_frame(ada, "new_connection")["payload"]["uuid"] == uuid
    let_pass(server, WITHIN)
    is_told(ada, uuid)


def test_version_1_moves_on_as_if_its_waiter_was_lost(server, come):
    ada, ann = come(server, "waiter", "ada", 1), come(server, "user", "ann", 1)
    is_ready(ada, 1)
    uuid = meets(ann, ada)
    let_pass(server, WITHIN)
    end = next_frame(ada, "disconnected")
    assert (end["from"], end.get("payload")) == (uuid, None)
    assert next_frame(ann, "disconnected").get("payload") is None
    assert next_frame(ann, "connect_queue")["payload"] == {"location": 0}
    ada.say("ready")
    assert next_frame(ada, "new_connection")["payload"]["uuid"] == uuid
    next_frame(ann, "connect_success")
    ada.say("message_text", {"message": "Hello"}, to=uuid)
    assert next_frame(ann, "message_text")["payload"] == {"message": "Hello"}
    let_pass(server, 10 * WITHIN)
    ann.say("message_text", {"message": "Still there?"})
    assert next_frame(ada, "message_text")["payload"] == {"message": "Still there?"}


@pytest.mark.parametrize("version", [1, 2])
def test_a_silent_waiter_who_was_away_learns_it_when_it_returns(server, come, version):
    ada, ann = come(server, "waiter", "ada", version), come(server, "user", "ann")
    is_ready(ada, version)
    uuid = meets(ann, ada)
    ada.drop()
    next_frame(ann, "presence", payload_state="away")
    let_pass(server, WITHIN)
    next_frame(ann, "connect_queue")
    ada = come_back(server, "waiter")
    token = {"token": server.token("waiter", "ada", "Ada")}
    ada.say("auth", token if version == 1 else token | {"version": 2})
    assert next_frame(ada, "disconnected")["from"] == uuid
    ada.say("ready")
    assert next_frame(ada, "new_connection")["payload"]["uuid"] == uuid
    ada.drop()


def test_without_the_setting_nobody_moves(env, come):
    env["CSAPP_ANSWER_WITHIN"] = "0"
    with LiveServer.gunicorn(GUNICORN, env) as server:
        ada, ann = come(server, "waiter", "ada"), come(server, "user", "ann")
        is_ready(ada)
        meets(ann, ada)
        let_pass(server, 10 * WITHIN)
        ann.say("message_text", {"message": "Hello?"})
        while (frame := ada.receive())["type"] != "message_text":
            assert frame["type"] not in ("disconnected", "unready")


def test_a_restarted_server_knows_who_has_an_answer(env, come):
    with LiveServer.gunicorn(GUNICORN, env) as server:
        ada = come(server, "waiter", "ada")
        is_ready(ada)
        ann, bob = come(server, "user", "ann"), come(server, "user", "bob")
        meets(ann, ada)
        answers(ada, meets(bob, ada))
    with LiveServer.gunicorn(GUNICORN, env) as server:
        ann, bob = come(server, "user", "ann"), come(server, "user", "bob")
        ada = come(server, "waiter", "ada")
        for _ in range(2):
            next_frame(ada, "new_connection")
        for user in (ann, bob):
            next_frame(user, "connect_success")
        let_pass(server, 2 * WITHIN)
        next_frame(ada, "disconnected", payload_reason="unanswered")
        next_frame(ada, "unready")
        next_frame(ann, "disconnected", payload_reason="unanswered")
        bob.say("message_text", {"message": "Still there?"})
        assert next_frame(ada, "message_text")["payload"] == {"message": "Still there?"}
    with LiveServer.gunicorn(GUNICORN, env) as server:  # it is stored that she is unready
        ada, cid = come(server, "waiter", "ada"), come(server, "user", "cid")
        cid.say("connect")
        next_frame(cid, "connect_queue")


# ---- several workers -----------------------------------------------------------------


def test_over_workers_who_has_no_answer_moves_on(workers, come):
    one, other = workers
    ada, ann = come(one, "waiter", "ada"), come(other, "user", "ann")
    eve = come(other, "waiter", "eve")
    is_ready(ada)
    ann.say("connect")
    first = next_frame(ann, "connect_success")["payload"]
    uuid = next_frame(ada, "new_connection")["payload"]["uuid"]
    is_ready(eve)
    is_told(ada, uuid)
    moves_on(ann, first)
    next_frame(eve, "new_connection")
    answers(eve, uuid)
    bob = come(one, "user", "bob")
    answers(eve, meets(bob, eve))  # Ada gets nobody


def test_over_workers_who_has_an_answer_stays(workers, come):
    one, other = workers
    ada, eve = come(one, "waiter", "ada"), come(other, "waiter", "eve")
    ann, bob = come(other, "user", "ann"), come(one, "user", "bob")
    is_ready(ada)
    answers(ada, meets(ann, ada))
    ada.say("unready")
    is_ready(eve)
    silent = meets(bob, eve)  # later than Ann got Ada: her time would have been up before his
    is_told(eve, silent)
    ann.say("message_text", {"message": "Still there?"})
    while (frame := ada.receive())["type"] != "message_text":
        assert frame["type"] != "disconnected"
