"""Version 2 on the wire, with a history on SQLite: greenlets and threads."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from services.desk.port import Role
from services.history.opening import open_store
from testkit import Client, LiveServer, assert_receives
from testkit.client import Closed, assert_quiet
from testkit.postgres import Postgres

from .clocked import GUNICORN, THREADS, let_pass
from .fuzz.letter import check_letter

GRACE = 60  # s, of which nobody waits for one
AWAY = 120  # s
SETTINGS = {
    "CSAPP_GRACE": str(GRACE),
    "CSAPP_AWAY": str(AWAY),
    "CSAPP_HEARTBEAT": "3600",
    "CSAPP_MESSAGE_RATE": "0",
    "CSAPP_MAX_USERS_PER_WAITER": "3",
}

Frame = dict[str, Any]
Open = Callable[..., Client]


@pytest.fixture(params=["gunicorn", "flask", "postgresql"])
def running(request: pytest.FixtureRequest) -> str:
    """Under which web server, or on which other database."""
    return str(request.param)


@pytest.fixture
def database_url(running: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if running != "postgresql":
        return f"sqlite:///{database(tmp_path)}"
    postgres: Postgres = request.getfixturevalue("postgres")
    url = postgres.database()
    with closing(open_store(url)) as store:
        store.migrate()
    return url


@pytest.fixture
def server(running: str, database_url: str) -> Iterator[LiveServer]:
    """A server of its own for each test: what it keeps is part of the test."""
    env = {**SETTINGS, "CSAPP_DATABASE_URL": database_url}
    if running == "flask":
        started = LiveServer.flask(THREADS, env)
    else:
        started = LiveServer.gunicorn(GUNICORN, env)
    with started as server:
        yield server


def database(folder: Path) -> Path:
    return folder / "csapp.db"


@pytest.fixture
def come(server: LiveServer) -> Iterator[Open]:
    """Opens clients of version 2, and closes them."""
    clients: list[Client] = []

    def open_(role: str, sub: str, resume: dict[str, int] | None = None) -> Client:
        client = Client(server, role)
        clients.append(client)
        payload: Frame = {"token": server.token(role, sub, sub.title()), "version": 2}
        if resume is not None:
            payload["resume"] = resume
        answer = client.say("auth", payload)
        success = until(client, "auth_success", reply_id=answer)
        client.uuid = success["to"]
        client.greeting = success["payload"]
        assert client.greeting["sub"] == sub
        if role == "waiter":
            news = client.receive()
            client.duty = news["payload"]["capacity"] if news["type"] == "ready" else None
            news = news if client.duty is None else client.receive()
            assert news["type"] == "queue_status"
            client.queue_length = news["payload"]["length"]
        return client

    yield open_
    for client in clients:
        client.drop()


def until(client: Client, type_: str, **fields: Any) -> Frame:
    """The next frame of this type; others before it are not this test's concern."""
    while (frame := client.receive())["type"] != type_:
        pass
    found = {**frame.get("payload", {}), **frame}
    assert {name: found.get(name) for name in fields} == fields
    return frame


def meet(user: Client, waiter: Client) -> str:
    """Bring them together; the conversation."""
    waiter.say("ready")
    assert_receives(waiter, "ready")
    asked = user.say("connect")
    success = assert_receives(user, "connect_success", reply_id=asked)
    history = assert_receives(user, "message_history")
    assert history["payload"]["messages"] == []
    assert_receives(waiter, "new_connection")
    assert_receives(waiter, "message_history")
    for client in (user, waiter):
        assert assert_receives(client, "event", what="joined")["seq"] == 1
    conversation: str = success["payload"]["conversation"]
    return conversation


def hears_of(client: Client, what: str) -> None:
    """Wait for the event that tells *what*."""
    while until(client, "event")["payload"]["what"] != what:
        pass


def say(client: Client, text: str, to: str | None = None, **fields: Any) -> Frame:
    """Send a text and wait for its receipt."""
    asked = client.say("message_text", {"message": text}, to=to, **fields)
    return until(client, "message_text_success", reply_id=asked)


def texts(history: Frame) -> list[tuple[int, str]]:
    return [(one["seq"], one["payload"]["message"]) for one in entries(history, "message_text")]


def entries(history: Frame, type_: str) -> list[Frame]:
    return [one for one in history["payload"]["messages"] if one["type"] == type_]


def test_a_client_learns_what_time_it_is(server):
    """So that what it shows of waits and ages does not hang on a clock of its own."""
    client = Client(server, "user")
    before = datetime.now(UTC)
    client.say("auth", {"token": server.token("user", "ann"), "version": 2})
    news = datetime.fromisoformat(until(client, "auth_success")["date"])
    client.drop()
    assert before - timedelta(milliseconds=1) <= news <= datetime.now(UTC)


def test_a_receipt_and_a_delivery_bear_the_same_number_and_date(come):
    user, waiter = come("user", "ann"), come("waiter", "wim")
    conversation = meet(user, waiter)
    for seq, (sender, hearer, to) in enumerate(
        [(user, waiter, None), (waiter, user, user.uuid), (user, waiter, None)], 2
    ):
        receipt = say(sender, f"text {seq}", to)
        heard = assert_receives(hearer, "message_text", message=f"text {seq}")
        assert receipt["payload"]["seq"] == heard["seq"] == seq
        assert receipt["payload"]["date"] == heard["date"]
        assert receipt["conversation"] == heard["conversation"] == conversation
        assert heard["from"] == sender.uuid


def test_the_same_id_is_the_same_message_and_takes_no_number(come):
    user, waiter = come("user", "ann"), come("waiter", "wim")
    meet(user, waiter)
    first = say(user, "once", id="x")
    again = say(user, "once", id="x")
    assert again["payload"] == first["payload"]
    asked = user.say("message_text", {"message": "something else"}, id="x")
    assert assert_receives(user, "error", reply_id=asked)["payload"]["code"] == "id_conflict"
    assert say(user, "next")["payload"]["seq"] == 3
    assert [assert_receives(waiter, "message_text")["payload"]["message"] for _ in range(2)] == [
        "once", "next",
    ]  # fmt: skip
    # The other side's ids are its own.
    assert say(waiter, "mine", user.uuid, id="x")["payload"]["seq"] == 4


def test_another_tab_hears_what_this_one_says(come):
    user, waiter = come("user", "ann"), come("waiter", "wim")
    conversation = meet(user, waiter)
    say(user, "before")
    tab = come("user", "ann", {conversation: 0})
    assert_receives(tab, "connect_success", resumed=True, last_seq=2)
    assert texts(assert_receives(tab, "message_history")) == [(2, "before")]
    say(user, "after")
    echo = assert_receives(tab, "message_text", message="after")
    assert (echo["from"], echo["to"], echo["seq"]) == (tab.uuid, tab.uuid, 3)


def test_who_returns_gets_what_it_has_missed_once_and_then_goes_on(come):
    user, waiter = come("user", "ann"), come("waiter", "wim")
    conversation = meet(user, waiter)
    say(user, "one")
    user.drop()
    until(waiter, "presence", state="away")
    for text in ("two", "three"):
        say(waiter, text, user.uuid)
    back = come("user", "ann", {conversation: 2})
    assert_receives(back, "connect_success", resumed=True, last_seq=4)
    history = assert_receives(back, "message_history", complete=True, state="open")
    assert texts(history) == [(3, "two"), (4, "three")]
    until(waiter, "presence", state="online")
    assert say(waiter, "four", user.uuid)["payload"]["seq"] == 5
    assert assert_receives(back, "message_text")["seq"] == 5


def test_a_resume_that_cannot_be_is_an_error_and_the_present_state(come):
    ann, bob, waiter = come("user", "ann"), come("user", "bob"), come("waiter", "wim")
    of_ann, of_bob = meet(ann, waiter), meet(bob, waiter)
    say(ann, "hello")
    tab = come("user", "ann", {of_ann: 7, of_bob: 0, "nothing": 1})
    assert_receives(tab, "connect_success", conversation=of_ann)
    codes = []
    while (frame := tab.receive())["type"] == "error":
        codes.append(frame["payload"]["code"])
    assert codes == ["invalid_message"]
    assert texts(frame) == [(2, "hello")]
    for _ in range(2):
        assert assert_receives(tab, "error")["payload"]["code"] == "forbidden"


def test_history_in_pages_for_its_own_sides_only(come):
    user, waiter, stranger = come("user", "ann"), come("waiter", "wim"), come("waiter", "zoe")
    conversation = meet(user, waiter)
    for number in range(2, 8):
        say(user, f"text {number}")

    def ask(client: Client, **payload: Any) -> Frame:
        asked = client.say("get_history", {"conversation": conversation, **payload})
        while (frame := client.receive()).get("reply_id") != asked:
            pass
        return frame

    assert [seq for seq, _ in texts(ask(user, limit=3))] == [5, 6, 7]
    page = ask(waiter, before=5, limit=3)
    assert [seq for seq, _ in texts(page)] == [2, 3, 4]
    assert page["payload"]["complete"] is False
    page = ask(user, after=5)
    assert [seq for seq, _ in texts(page)] == [6, 7]
    assert page["payload"]["complete"] is True
    assert all("client_id" in one for one in page["payload"]["messages"])
    assert not any("client_id" in one for one in ask(waiter)["payload"]["messages"])
    assert ask(stranger)["payload"]["code"] == "forbidden"
    assert ask(user, limit=0)["payload"]["code"] == "invalid_message"
    sessions = waiter.say("get_history_session")
    while (frame := waiter.receive()).get("reply_id") != sessions:
        pass
    (one,) = frame["payload"]["sessions"]
    assert (one["conversation"], one["sub"], one["last_seq"]) == (conversation, "ann", 7)


def test_both_versions_in_one_conversation(come, server):
    waiter = come("waiter", "wim")
    waiter.say("ready")
    assert_receives(waiter, "ready")
    with Client.user(server, "old") as old:
        old.say("connect")
        assert_receives(old, "connect_success")
        heard: list[Frame] = []
        assert_receives(waiter, "new_connection")
        assert_receives(waiter, "message_history")
        old.text("from version 1")
        assert_receives(waiter, "event", what="joined")
        assert assert_receives(waiter, "message_text", message="from version 1")["seq"] == 2
        waiter.say("typing", {"on": True}, to=old.uuid)
        waiter.say("read", {"seq": 1}, to=old.uuid)
        assert say(waiter, "from version 2", old.uuid)["payload"]["seq"] == 3
        heard += old.receive_all()
        waiter.say("disconnect", {"uuid": old.uuid})
        assert_receives(waiter, "disconnected")
        heard += old.receive_all()
    assert [one["type"] for one in heard] == ["message_text", "disconnected"]
    for one in heard:
        check_letter(Role.USER, one)


def test_both_versions_in_one_conversation_without_a_history():
    with LiveServer.gunicorn(env=SETTINGS) as server, Client.waiter(server, "ada") as ada:
        ada.ready()
        with Client(server, "user") as ann:
            ann.say("auth", {"token": server.token("user", "ann"), "version": 2})
            ann.say("connect")
            chat = until(ann, "connect_success")["payload"]["conversation"]
            user = assert_receives(ada, "new_connection")["payload"]["uuid"]
            ada.say("message_text", {"message": "plainly"}, to=user)
            heard = until(ann, "message_text", message="plainly")
            assert (heard["conversation"], heard["seq"]) == (chat, 2)
            assert say(ann, "fully")["seq"] == 3
            assert_receives(ada, "message_text", message="fully")


@pytest.mark.parametrize("version", [1, 2])
def test_what_is_missed_without_a_history_follows(version):
    """There is nowhere to read it later."""
    env = {**SETTINGS, "CSAPP_GRACE": "30", "CSAPP_OUTBOX_BYTES": "65536"}
    with LiveServer.gunicorn(env=env) as server, Client(server, "waiter") as ada:
        ada.say("auth", {"token": server.token("waiter", "ada"), "version": version})
        ada.say("ready")
        ann = Client(server, "user")
        ann.say("auth", {"token": server.token("user", "ann"), "version": 2})
        ann.say("connect")
        chat = until(ann, "connect_success")["payload"]["conversation"]
        user = until(ada, "new_connection")["payload"]["uuid"]
        ada.say("message_text", {"message": "before"}, to=user)
        until(ann, "message_text", message="before")
        ann.drop()
        server.wait_for_line("disconnect role=user")
        for text in ("in the tunnel", "and still"):
            ada.say("message_text", {"message": text}, to=user)
        for drops, resume in enumerate(({chat: 2}, None), 2):
            with Client(server, "user") as ann:
                auth = {"token": server.token("user", "ann"), "version": 2}
                ann.say("auth", auth if resume is None else {**auth, "resume": resume})
                met = until(ann, "connect_success")["payload"]
                assert (met["conversation"], met["last_seq"]) == (chat, 2 if resume else 4)
                page = assert_receives(ann, "message_history")["payload"]
                assert (page["messages"], page["last_seq"]) == ([], met["last_seq"])
                if resume:
                    for seq, text in ((3, "in the tunnel"), (4, "and still")):
                        news = assert_receives(ann, "message_text", message=text)
                        assert (news["seq"], news["conversation"]) == (seq, chat)
                ann.drop()
                server.wait_for_line("disconnect role=user", count=drops)
        for _ in range(40):
            ada.say("message_text", {"message": "x" * 2000}, to=user)
        assert "no more can be kept" in until(ada, "error")["payload"]["message"]


@pytest.mark.parametrize("running", ["gunicorn"], indirect=True)
def test_pictures_are_told_and_outlive_a_restart(server):
    def come(role: str, sub: str) -> Client:
        client = Client(server, role)
        token = server.token(role, sub, sub.title(), avatar=f"/pictures/{sub}.png")
        client.say("auth", {"token": token, "version": 2})
        me = until(client, "auth_success")
        assert me["payload"]["avatar"] == f"/pictures/{sub}.png"
        client.uuid = me["to"]
        return client

    with come("user", "ann") as user, come("waiter", "wim") as waiter:
        waiter.say("ready")
        until(waiter, "ready")
        user.say("connect")
        until(user, "connect_success", avatar="/pictures/wim.png")
        until(waiter, "new_connection", avatar="/pictures/ann.png")
        say(user, "hello")
        kill(server)
    with come("waiter", "wim") as waiter:
        until(waiter, "new_connection", avatar="/pictures/ann.png")
        waiter.say("get_history_session")
        (past,) = until(waiter, "session_history")["payload"]["sessions"]
        assert past["avatar"] == "/pictures/ann.png"


def test_a_waiter_sees_who_waits_and_takes_one_out_of_turn(come):
    waiter = come("waiter", "wim")
    assert waiter.greeting["take"] is True
    ann, bob = come("user", "ann"), come("user", "bob")
    assert "take" not in ann.greeting
    ann.say("connect", {"page": "https://shop.example/lamps?secret=1"})
    until(ann, "connect_queue")
    began = time.time()
    bob.say("connect", {"question": "x" * 299 + "\U0001f6f6" + "y" * 9})
    until(bob, "connect_queue", location=1)
    asked = waiter.say("get_queue")
    queue = until(waiter, "queue", reply_id=asked)["payload"]
    assert queue["length"] == 2
    first, second = queue["visitors"]
    assert first.keys() == {"uuid", "sub", "name", "avatar", "question", "page", "since"}
    who = first["uuid"], first["sub"], first["name"], first["question"]
    assert who == (ann.uuid, "ann", "Ann", "")
    assert first["page"] == "https://shop.example/lamps"
    assert second["question"] == "x" * 299 + "\U0001f6f6"
    since = datetime.fromisoformat(second["since"]).timestamp()
    assert began - 1 < since < time.time() + 1
    bob.say("connect", {"question": "Is it blue?"})
    until(bob, "connect_queue", location=1)
    asked = waiter.say("take", {"uuid": bob.uuid})
    until(waiter, "take_success", reply_id=asked, uuid=bob.uuid)
    until(waiter, "new_connection", uuid=bob.uuid)
    until(bob, "connect_success", uuid=waiter.uuid)
    say(bob, "It is, is it?")
    asked = waiter.say("get_queue", {})
    queue = until(waiter, "queue", reply_id=asked)["payload"]
    assert [one["uuid"] for one in queue["visitors"]] == [ann.uuid], "who is the first still"


def test_what_a_waiter_cannot_take_is_said(come):
    waiter, ann, bob = come("waiter", "wim"), come("user", "ann"), come("user", "bob")

    def refused(payload: Any) -> str:
        asked = waiter.say("take", payload)
        return str(until(waiter, "error", reply_id=asked)["payload"]["code"])

    assert refused({"uuid": ann.uuid}) == "no_such_user", "she has not asked"
    assert refused({"uuid": "nobody"}) == "no_such_user"
    for payload in ({}, {"uuid": 5}, None):
        assert refused(payload) == "invalid_message"
    waiter.say("ready", {"capacity": 1})
    ann.say("connect")
    until(ann, "connect_success")
    bob.say("connect", {"question": "ab"})
    until(bob, "connect_queue")
    assert refused({"uuid": ann.uuid}) == "no_such_user", "she is served already"
    assert refused({"uuid": bob.uuid}) == "full"
    waiter.say("get_queue")
    (seen,) = until(waiter, "queue")["payload"]["visitors"]
    assert seen["question"] == "ab"
    for key, value in (("question", 5), ("question", "a\0b"), ("page", "a\0b")):
        bob.say("connect", {key: value})
        error = until(bob, "error")["payload"]
        assert (error["code"], key in error["message"]) == ("invalid_message", True)
    for asked in ("get_queue", "take"):
        bob.say(asked, {"uuid": ann.uuid})
        assert until(bob, "error")["payload"]["code"] == "unknown_type"


def test_where_nobody_is_taken_out_of_turn():
    with LiveServer.gunicorn(env={"CSAPP_TAKE": "off"}) as server:
        waiter, user = Client(server, "waiter"), Client.user(server, "ann")
        waiter.say("auth", {"token": server.token("waiter", "wim"), "version": 2})
        assert "take" not in until(waiter, "auth_success")["payload"]
        user.say("connect")
        assert_receives(user, "connect_queue")
        waiter.say("take", {"uuid": user.uuid})
        assert until(waiter, "error")["payload"]["code"] == "forbidden"
        waiter.say("get_queue")
        assert until(waiter, "queue")["payload"]["length"] == 1
        waiter.drop()
        user.drop()


def test_who_signs_in_is_told_how_long_a_text_may_be(come):
    user = come("user", "ann")
    most = user.greeting["max_text"]
    assert most == 4096
    meet(user, come("waiter", "wim"))
    assert say(user, "\U0001f6f6" * most)["payload"]["seq"] == 2
    user.say("message_text", {"message": "\U0001f6f6" * (most + 1)})
    assert assert_receives(user, "error")["payload"]["code"] == "too_large"


@pytest.mark.parametrize(
    ("ends", "reason"),
    [("user leaves", "left"), ("user goes", "left"), ("waiter ends", "ended"),
     ("waiter goes", "ended"), ("user is lost", "lost")],
)  # fmt: skip
def test_both_sides_are_told_why_a_conversation_has_ended(come, server, ends, reason):
    user, waiter = come("user", "ann"), come("waiter", "wim")
    conversation = meet(user, waiter)
    say(user, "hello")
    tab = come("user", "ann") if ends == "user leaves" else None
    match ends:
        case "user leaves":
            user.say("disconnect")
            until(user, "disconnected", reason="left", conversation=conversation)
            until(tab, "disconnected", reason="left")
        case "user goes":
            user.leave()
        case "waiter ends":
            waiter.say("disconnect", {"uuid": user.uuid})
            until(waiter, "disconnected", reason="ended", conversation=conversation)
        case "waiter goes":
            waiter.leave()
        case "user is lost":
            user.drop()
            until(waiter, "presence", state="away")
            let_pass(server, AWAY)
    left = waiter if ends.startswith("user") else user
    gone = user if left is waiter else waiter
    news = until(left, "disconnected", reason=reason, conversation=conversation)
    assert news["from"] == gone.uuid
    back = come("user", "ann")
    history = once_ended(back, conversation)
    assert history["payload"]["reason"] == reason
    again = until(come("user", "ann", {conversation: 1}), "message_history")
    assert (again["payload"]["state"], again["payload"]["reason"]) == ("ended", reason)


def once_ended(client: Client, conversation: str) -> Frame:
    """What the history says of *conversation* when its end is stored, which nobody waits for."""
    while True:
        client.say("get_history", {"conversation": conversation})
        history = until(client, "message_history")
        if history["payload"]["state"] == "ended":
            return history


def test_a_lost_waiter_is_told_as_lost_and_the_conversation_goes_on(come, server):
    user, waiter = come("user", "ann"), come("waiter", "wim")
    conversation = meet(user, waiter)
    say(user, "hello")
    waiter.drop()
    until(user, "presence", state="away")
    let_pass(server, GRACE)
    until(user, "disconnected", reason="lost", conversation=conversation)
    until(user, "connect_queue")
    user.say("get_history", {"conversation": conversation})
    history = until(user, "message_history")
    assert history["payload"]["state"] == "open"
    assert "reason" not in history["payload"]


@pytest.mark.parametrize("running", ["gunicorn"], indirect=True)
def test_who_does_not_come_back_after_a_restart_is_lost(come, server):
    user, waiter = come("user", "ann"), come("waiter", "wim")
    conversation = meet(user, waiter)
    say(user, "hello")
    kill(server)
    waiter = come("waiter", "wim")
    until(waiter, "presence", state="away")
    let_pass(server, GRACE)
    until(waiter, "disconnected", reason="lost", conversation=conversation)
    assert once_ended(come("user", "ann"), conversation)["payload"]["reason"] == "lost"


def test_typing_and_reading_are_passed_on(come):
    user, waiter = come("user", "ann"), come("waiter", "wim")
    conversation = meet(user, waiter)
    say(user, "read me")
    waiter.say("typing", {"on": True}, to=user.uuid)
    waiter.say("read", {"seq": 1}, to=user.uuid)
    assert assert_receives(user, "typing", on=True)["conversation"] == conversation
    assert assert_receives(user, "read", seq=1)["from"] == waiter.uuid


def test_nobody_has_read_what_is_not_there(come):
    user, waiter = come("user", "ann"), come("waiter", "wim")
    meet(user, waiter)
    say(user, "read me")
    waiter.say("read", {"seq": 1 << 40}, to=user.uuid)
    until(user, "read", seq=2)
    user.say("read", {"seq": 1})
    until(waiter, "read", seq=1)
    assert say(waiter, "still kept", to=user.uuid)["seq"] == 3
    asked = user.say("get_history", {"before": 1 << 53, "after": 1 << 40})
    assert texts(until(user, "message_history", reply_id=asked)) == []


@pytest.mark.parametrize("field", ["page", "department"])
def test_nul_in_what_is_kept_of_a_conversation_is_refused(come, field):
    user, waiter = come("user", "ann"), come("waiter", "wim")
    asked = user.say("connect", {field: "a\0b"})
    error = until(user, "error", reply_id=asked, code="invalid_message")
    assert error["payload"]["message"] == f"payload.{field}: NUL is not allowed"
    meet(user, waiter)
    assert say(waiter, "still kept", to=user.uuid)["seq"] == 2
    asked = waiter.say("get_history_session", {"sub": "a\0b"})
    until(waiter, "error", reply_id=asked, code="invalid_message")


def test_nul_in_an_id_is_refused_and_costs_nobody_else_a_message(come):
    user, waiter = come("user", "ann"), come("waiter", "wim")
    meet(user, waiter)
    user.say("message_text", {"message": "good"}, id="good")
    user.say("message_text", {"message": "bad"}, id="b\0d")
    user.say("message_text", {"message": "good, too"}, id="too")
    answers = {frame["reply_id"]: frame for frame in (user.receive() for _ in range(3))}
    assert answers["b\0d"]["payload"]["message"] == "id: NUL is not allowed"
    assert (answers["good"]["seq"], answers["too"]["seq"]) == (2, 3)


@pytest.mark.parametrize("running", ["gunicorn"], indirect=True)
def test_a_token_that_is_not_taken_is_answered_in_the_version_that_was_asked_for(server):
    client = Client(server, "user")
    token = server.token("user", "ann", lifetime=-1)
    client.say("auth", {"token": token, "version": 2})
    assert_receives(client, "error", code="expired_token")
    client.say("auth", {"token": token})
    assert "code" not in assert_receives(client, "error")["payload"]
    client.drop()


def test_a_waiter_who_returns_is_told_its_duty(come):
    first = come("waiter", "wim")
    assert first.duty is None
    first.say("ready", {"capacity": 3})
    assert_receives(first, "ready")
    second = come("waiter", "wim")  # a newer login
    assert second.duty == 3
    second.say("unready")
    assert_receives(second, "unready")
    assert come("waiter", "wim").duty is None


def test_ready_with_a_capacity_and_unready(come):
    waiter, ann, bob = come("waiter", "wim"), come("user", "ann"), come("user", "bob")
    waiter.say("ready", {"capacity": 1})
    assert assert_receives(waiter, "ready")["payload"] == {"capacity": 1}
    ann.say("connect")
    assert_receives(ann, "connect_success")
    bob.say("connect")
    assert_receives(bob, "connect_queue", location=0)
    waiter.say("unready", {"capacity": 2})
    assert until(waiter, "unready")["payload"] == {"capacity": 2}
    waiter.say("take", {"uuid": bob.uuid})
    until(bob, "connect_success")
    bob.say("disconnect")
    until(bob, "disconnected")
    hears_of(bob, "ended")
    waiter.say("unready")
    assert until(waiter, "unready")["payload"] == {"capacity": 2}
    bob.say("connect")
    until(bob, "connect_queue", location=0)
    ann.say("disconnect")
    until(ann, "disconnected")
    assert_quiet(bob)
    waiter.say("ready")
    until(bob, "connect_success")


def test_who_comes_back_is_told_how_far_both_have_read_and_who_is_away(come):
    ada, ann = come("waiter", "ada"), come("user", "ann")
    chat = meet(ann, ada)
    for word in ("one", "two"):
        say(ann, word)
    until(ada, "message_text", seq=2)
    until(ada, "message_text", seq=3)
    ada.say("read", {"seq": 3}, to=ann.uuid)
    until(ann, "read")
    ada.drop()
    until(ann, "presence", state="away")
    ann.drop()
    ada = come("waiter", "ada", resume={chat: 3})
    until(ada, "new_connection", read=3, peer_read=0, sub="ann")
    until(ada, "presence", state="away")
    come("user", "ann")
    until(ada, "presence", state="online")


def test_nothing_is_said_of_the_wait_before_there_is_enough_to_go_by(come, server):
    first, second = come("user", "ann"), come("user", "ben")
    first.say("connect")
    assert "wait" not in until(first, "connect_queue")["payload"]
    ada = come("waiter", "ada")
    assert ada.queue_length == 1
    ada.say("ready", {"capacity": 1})
    until(first, "connect_success")
    let_pass(server, 1)  # the queue is empty for long enough for that to be sent
    second.say("connect")
    assert "wait" not in until(second, "connect_queue")["payload"]
    let_pass(server, 1)
    while until(ada, "queue_status")["payload"]["length"] != 1:
        pass


def test_a_waiter_reads_on_where_others_have_taken_over(come, server):
    ada, ann = come("waiter", "ada"), come("user", "ann")
    chat = meet(ann, ada)
    say(ann, "for Ada")
    until(ada, "message_text")
    say(ada, "from Ada", to=ann.uuid, id="waiter-1")
    ada.drop()  # for longer than the grace period: others take over
    server.wait_for_line("disconnect role=waiter")
    let_pass(server, GRACE)
    until(ann, "connect_queue")
    hears_of(ann, "left")
    bob = come("waiter", "bob")
    bob.say("ready")
    until(bob, "new_connection", conversation=chat, resumed=True)
    page = until(bob, "message_history")
    assert [one["payload"]["what"] for one in entries(page, "event")] == ["joined", "left"]
    history = entries(page, "message_text")
    assert [(one["from"], one.get("author")) for one in history] == [(ann.uuid, None), ("", "ada")]
    say(ann, "for Bob")
    until(bob, "message_text")
    say(bob, "from Bob", to=ann.uuid, id="waiter-1")
    say(ann, "that Bob's ids are his own", id="user-1")

    ada = come("waiter", "ada")
    ada.say("get_history", {"conversation": chat})
    assert [text for _, text in texts(until(ada, "message_history"))] == [
        "for Ada", "from Ada", "for Bob", "from Bob", "that Bob's ids are his own",
    ]  # fmt: skip
    for payload in ({}, {"sub": "ann"}):
        ada.say("get_history_session", payload)
        (found,) = until(ada, "session_history")["payload"]["sessions"]
        assert (found["conversation"], found["state"]) == (chat, "open")
    for before in ("zz", f"0{chat}", f"0x{chat}", f"{chat} "):
        asked = ada.say("get_history_session", {"before": before})
        until(ada, "error", reply_id=asked, code="invalid_message")
    asked = ada.say("get_history_session", {"sub": "ben"})
    until(ada, "error", reply_id=asked, code="forbidden")


def test_a_newer_login_kicks_the_older_one_out(come):
    older = come("waiter", "wim")
    come("waiter", "wim")
    assert_receives(older, "kickout")
    with pytest.raises(Closed) as closed:
        older.receive()
    assert closed.value.code == 4409


# ---- restarts ----------------------------------------------------------------


def kill(server: LiveServer) -> None:
    """The worker dies where it stands; gunicorn starts another."""
    old = server.worker_pid
    os.kill(old, signal.SIGKILL)
    server.wait_for_line(r"Booting worker with pid", count=2)


@pytest.mark.parametrize("running", ["gunicorn"], indirect=True)
def test_a_crash_is_a_pause(come, server):
    user, waiter = come("user", "ann"), come("waiter", "wim")
    conversation = meet(user, waiter)
    say(user, "before")
    kill(server)
    user2 = come("user", "ann", {conversation: 0})
    assert user2.uuid == user.uuid
    assert_receives(user2, "connect_success", conversation=conversation, resumed=True)
    assert texts(assert_receives(user2, "message_history")) == [(2, "before")]
    waiter2 = come("waiter", "wim", {conversation: 2})
    assert waiter2.uuid == waiter.uuid
    assert_receives(waiter2, "new_connection", conversation=conversation)
    assert texts(assert_receives(waiter2, "message_history")) == []
    assert say(user2, "after")["payload"]["seq"] == 3
    assert assert_receives(waiter2, "message_text")["seq"] == 3
    bob = come("user", "bob")  # the waiter is as ready as it was
    bob.say("connect")
    assert_receives(bob, "connect_success")


@pytest.mark.parametrize("running", ["gunicorn"], indirect=True)
def test_a_ticket_takes_the_old_position_in_the_queue(come, server):
    tickets = {}
    for name in ("ann", "bob"):
        user = come("user", name)
        user.say("connect")
        tickets[name] = assert_receives(user, "connect_queue")["payload"]["ticket"]
    kill(server)
    cho, bob, ann = come("user", "cho"), come("user", "bob"), come("user", "ann")
    cho.say("connect")
    assert assert_receives(cho, "connect_queue")["payload"]["location"] == 0
    bob.say("connect", {"ticket": tickets["bob"]})
    assert assert_receives(bob, "connect_queue")["payload"]["location"] == 0
    ann.say("connect", {"ticket": tickets["bob"]})  # not hers: the back of the queue
    assert assert_receives(ann, "connect_queue")["payload"]["location"] == 2


def test_who_leaves_the_queue_leaves_it_on_all_connections(come):
    one, two = come("user", "ann"), come("user", "ann")
    one.say("connect")
    for tab in (one, two):
        assert until(tab, "connect_queue")["payload"]["location"] == 0
    asked = two.say("disconnect")
    left = until(two, "disconnected")
    assert (left["payload"], left["reply_id"]) == ({"reason": "left"}, asked)
    left = until(one, "disconnected")
    assert left["payload"] == {"reason": "left"}
    assert not {"reply_id", "conversation"} & left.keys()
    one.say("connect")
    assert until(two, "connect_queue")["payload"]["location"] == 0


def test_who_leaves_the_queue_after_its_waiter_was_lost_ends_the_conversation(come, server):
    user, tab, waiter = come("user", "ann"), come("user", "ann"), come("waiter", "wim")
    conversation = meet(user, waiter)
    say(user, "hello")
    with Client(server, "user") as plain:
        plain.auth(server.token("user", "ann", "Ann"))
        waiter.drop()
        until(user, "presence", state="away")
        let_pass(server, GRACE)
        until(tab, "event", what="joined")
        for one in (user, tab, plain):
            until(one, "connect_queue")
        for one in (user, tab):
            until(one, "event", what="left", reason="lost")
        asked = user.say("disconnect")
        for one, reply in ((user, asked), (tab, None)):
            left = until(one, "disconnected", reason="left", conversation=conversation)
            assert (left["from"], left.get("reply_id")) == (one.uuid, reply)
            until(one, "event", what="ended", reason="left", conversation=conversation)
        assert_quiet(plain)
    history = once_ended(user, conversation)
    assert history["payload"]["reason"] == "left"
    last = history["payload"]["messages"][-1]
    assert last["payload"] == {"what": "ended", "name": "Ann", "reason": "left"}
    assert meet(user, come("waiter", "eve")) != conversation


@pytest.mark.parametrize("running", ["gunicorn"], indirect=True)
def test_a_ticket_that_has_led_to_a_conversation_is_void_after_a_restart_too(come, server):
    ann = come("user", "ann")
    ann.say("connect")
    ticket = assert_receives(ann, "connect_queue")["payload"]["ticket"]
    waiter = come("waiter", "wim")
    waiter.say("ready")
    until(ann, "connect_success")
    ann.say("disconnect")
    until(waiter, "disconnected")
    hears_of(waiter, "ended")
    bob = come("user", "bob")
    meet(bob, waiter)
    say(bob, "hello")  # what came before is stored by now
    kill(server)
    cho, ann = come("user", "cho"), come("user", "ann")
    cho.say("connect")
    assert until(cho, "connect_queue")["payload"]["location"] == 0
    ann.say("connect", {"ticket": ticket})
    assert until(ann, "connect_queue")["payload"]["location"] == 1


def test_who_is_signed_out_elsewhere_is_closed(come, server, database_url):
    ann, bob = come("user", "ann"), come("user", "bob")
    with closing(open_store(database_url)) as store:  # as another process does
        store.revoke(subject="ann", now=int(time.time() * 1000))
    with pytest.raises(Closed) as closed:
        ann.receive()
    assert closed.value.code == 4401
    bob.say("connect")
    assert_receives(bob, "connect_queue")


# ---- a store that is down ----------------------------------------------------


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Somebody else writes to the file, and does not come to an end."""
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("COMMIT")


@pytest.mark.parametrize(
    ("running", "fault"),
    [("gunicorn", "locked"), ("postgresql", "paused"), ("postgresql", "stopped")],
    indirect=["running"],
)
def test_while_the_store_is_down_nothing_is_acknowledged_and_nothing_lost(
    request, come, server, tmp_path, fault
):
    user, waiter, bob = come("user", "ann"), come("waiter", "wim"), come("user", "bob")
    meet(user, waiter)
    say(user, "before")
    assert_receives(waiter, "message_text", message="before")
    with ExitStack() as stack:
        if fault == "locked":
            stack.enter_context(locked(database(tmp_path)))
        else:
            postgres: Postgres = request.getfixturevalue("postgres")
            if fault == "paused":
                stack.enter_context(postgres.paused())
            else:
                postgres.kill()
                stack.callback(postgres.start)
        asked = user.say("message_text", {"message": "meanwhile"}, id="m")
        error = assert_receives(user, "error", reply_id=asked)["payload"]
        assert (error["code"], error["retry_after"] > 0) == ("unavailable", True)
        bob.say("connect")
        until(bob, "connect_success")
        with pytest.raises(HTTPError, match="503"):
            server.get("/readyz")
    server.wait_for_line("the history is stored again")
    assert say(user, "meanwhile", id="m")["payload"]["seq"] == 3
    assert until(waiter, "message_text")["seq"] == 3
    hears_of(bob, "joined")
    lag = [line for line in server.get("/metrics").splitlines() if "lag_seconds_bucket" in line]
    within = {line.split('"')[1]: float(line.split()[-1]) for line in lag}
    # It would have stood still for as long as the store took: 5 s or 10 s.
    assert within["+Inf"] == within["2.5"], json.dumps(within)
