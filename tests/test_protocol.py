"""Version 1, from outside, in every way of running (docs/protocol.md, *Version 1*)."""

from __future__ import annotations

import uuid

import pytest

from testkit import Client, LiveServer, assert_receives
from testkit.client import Closed, assert_quiet

from .clocked import let_pass
from .conftest import AUTH_TIMEOUT, GRACE


@pytest.fixture
def name() -> str:
    """A subject that no other test uses: the servers are shared."""
    return uuid.uuid4().hex[:12]


@pytest.fixture
def waiter(any_server: LiveServer, name: str):
    """A waiter on duty, alone at the desk."""
    with Client.waiter(any_server, f"w-{name}") as waiter:
        waiter.ready()
        yield waiter


@pytest.fixture
def pair(any_server: LiveServer, waiter: Client, name: str):
    """A user and the waiter that serves it."""
    with Client.user(any_server, f"u-{name}") as user:
        connected(user, waiter)
        yield user, waiter


def connected(user: Client, waiter: Client) -> None:
    question = user.say("connect")
    assert_receives(user, "connect_success", uuid=waiter.uuid, to=user.uuid, reply_id=question)
    assert_receives(waiter, "new_connection", uuid=user.uuid, to=waiter.uuid, reply_id=None)


# ---- the six steps ---------------------------------------------------------


def test_the_first_frame_is_initialize_with_a_fresh_uuid(any_server):
    with Client(any_server, "user") as one, Client(any_server, "user") as other:
        assert uuid.UUID(one.uuid) != uuid.UUID(other.uuid)


def test_a_user_and_a_waiter_talk(pair):
    user, waiter = pair
    user.text("你好，这是一条信息!")
    heard = assert_receives(waiter, "message_text", message="你好，这是一条信息!")
    assert heard["from"] == user.uuid
    assert heard["to"] == waiter.uuid
    assert "reply_id" not in heard
    waiter.text('hello\n"you" \u2028 \U0001f600', to=heard["from"])
    assert_receives(
        user,
        "message_text",
        message='hello\n"you" \u2028 \U0001f600',
        from_=waiter.uuid,
        to=user.uuid,
    )


def test_texts_keep_their_order(pair):
    user, waiter = pair
    for number in range(200):
        user.text(str(number))
    for number in range(200):
        assert_receives(waiter, "message_text", message=str(number))


def test_a_good_auth_is_not_answered(any_server, name):
    with Client.user(any_server, name) as user:
        assert_quiet(user)


def test_ids_of_the_server_are_unique(pair):
    user, waiter = pair
    for _ in range(20):
        user.text("x")
    ids = {waiter.receive()["id"] for _ in range(20)}
    assert len(ids) == 20


def test_a_frame_without_id_is_served_and_answered_without_reply_id(any_server, name):
    with Client.user(any_server, name) as user:
        user.send('{"type":"message_text","payload":{"message":"x"}}')
        assert_receives(user, "error", reply_id=None)


# ---- connecting and waiting ------------------------------------------------


def test_connect_while_connected_tells_the_state_again(pair):
    user, waiter = pair
    question = user.say("connect")
    assert_receives(user, "connect_success", uuid=waiter.uuid, reply_id=question)
    assert_quiet(waiter)


def test_a_full_waiter_leaves_users_in_the_queue_and_positions_move_up(any_server, waiter, name):
    users = [Client.user(any_server, f"u{number}-{name}") for number in range(5)]
    connected(users[0], waiter)
    connected(users[1], waiter)
    for place, user in enumerate(users[2:]):
        question = user.say("connect")
        assert_receives(user, "connect_queue", location=place, reply_id=question)
    question = users[4].say("connect")
    assert_receives(users[4], "connect_queue", location=2, reply_id=question)
    users[0].leave()
    assert_receives(waiter, "disconnected", from_=users[0].uuid)
    assert_receives(users[2], "connect_success", uuid=waiter.uuid, reply_id=None)
    assert_receives(users[3], "connect_queue", location=0, reply_id=None)
    assert_receives(users[4], "connect_queue", location=1)
    for user in users[1:]:
        user.leave()


def test_ready_twice_is_harmless(pair):
    user, waiter = pair
    waiter.say("ready")
    assert_quiet(waiter)
    assert_quiet(user)


def test_users_wait_for_a_waiter_who_is_not_ready(any_server, name):
    with Client.waiter(any_server, f"w-{name}") as waiter, Client.user(any_server, name) as user:
        user.say("connect")
        assert_receives(user, "connect_queue", location=0)
        waiter.say("ready")
        assert_receives(user, "connect_success", uuid=waiter.uuid)
        assert_receives(waiter, "new_connection", uuid=user.uuid)


# ---- refusals --------------------------------------------------------------


def test_a_user_without_a_waiter_is_not_connected(any_server, name):
    with Client.user(any_server, name) as user:
        question = user.text("anybody?")
        error = assert_receives(user, "error", reply_id=question)
        assert "connect" in error["payload"]["message"]
        user.say("connect")
        assert_receives(user, "connect_queue")
        assert_receives(user, "error", reply_id=user.text("still nobody?"))


def test_an_outsider_and_nobody_are_the_same_to_a_waiter(any_server, pair, name):
    user, _ = pair
    with Client.waiter(any_server, f"other-{name}") as other:
        other.text("psst", to=user.uuid)
        stranger = assert_receives(other, "error")["payload"]
        for nobody in (str(uuid.uuid4()), "", "nobody"):
            other.text("psst", to=nobody)
            assert assert_receives(other, "error")["payload"] == stranger
        other.text("to whom?")
        assert assert_receives(other, "error")["payload"] == stranger
    assert_quiet(user)


@pytest.mark.parametrize("role", ["user", "waiter"])
def test_everything_before_auth_is_unauthenticated(any_server, role):
    with Client(any_server, role) as client:
        for type_ in ("connect", "ready", "message_text", "disconnect", "whatever"):
            question = client.say(type_)
            error = assert_receives(client, "error", reply_id=question)
            assert error["payload"]["message"] == "send auth first"


def test_without_auth_the_connection_ends(any_server):
    client = Client(any_server, "user")
    let_pass(any_server, AUTH_TIMEOUT)
    assert client.closed() == 4408


@pytest.mark.parametrize(
    ("token", "code"),
    [("", 4401), ("rubbish", 4401), ("expired", 4401), ("truncated", 4401), ("waiter's", 4403)],
)
def test_three_bad_tokens_end_the_connection(any_server, name, token, code):
    tokens = {
        "expired": any_server.token("user", name, lifetime=-1),
        "truncated": any_server.token("user", name)[:-3],
        "waiter's": any_server.token("waiter", name),
    }
    client = Client(any_server, "user")
    for _ in range(3):
        question = client.say("auth", {"token": tokens.get(token, token)})
        assert_receives(client, "error", reply_id=question)
    assert client.closed() == code


def test_auth_again_is_harmless_for_the_same_subject_only(pair, name):
    user, _ = pair
    user.auth(user.server.token("user", f"u-{name}"))
    assert_quiet(user)
    question = user.say("auth", {"token": user.server.token("user", "somebody-else")})
    assert_receives(user, "error", reply_id=question)
    user.auth("rubbish")
    assert_receives(user, "error")


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "garbage",
        "[]",
        "null",
        '"text"',
        "{}",
        '{"type":5}',
        '{"type":"nonsense"}',
        '{"type":"message_text"}',
        '{"type":"message_text","payload":{"message":5}}',
        '{"type":"message_text","payload":{"message":"nul \\u0000"}}',
        '{"type":"message_text","payload":{"message":"\\ud800"}}',
        '{"type":"message_text","payload":{"message":"x","n":NaN}}',
        '{"type":"message_text","payload":{"message":"x","n":1e999}}',
        '{"type":"message_text","payload":{"message":"x"},"n":1e999}',
        '{"type":"message_text","id":"","payload":{"message":"x"}}',
        '{"type":"message_text","id":7,"payload":{"message":"x"}}',
        '{"type":"message_text","id":"' + "x" * 65 + '","payload":{"message":"x"}}',
        '{"type":"message_text","payload":{"message":"x"},"x":' + "[" * 10_000 + "]" * 10_000 + "}",
        '{"type":"message_text","payload":{"message":"x"},"x":' + "1" * 5000 + "}",
    ],
    ids=lambda frame: frame[:60],
)
def test_a_bad_frame_costs_an_error_and_nothing_is_relayed(pair, frame):
    user, waiter = pair
    user.send(frame)
    assert_receives(user, "error")
    user.text("still here")
    assert_receives(waiter, "message_text", message="still here")


def test_an_error_names_the_field(pair):
    user, _ = pair
    question = user.say("message_text", {"massage": "x"})
    error = assert_receives(user, "error", reply_id=question)
    assert error["payload"]["message"].startswith("payload.message:")


def test_ten_bad_frames_end_the_connection(any_server, name):
    user = Client.user(any_server, name)
    for _ in range(10):
        user.send("garbage")
        assert_receives(user, "error")
    assert user.closed() == 4400


def test_what_is_unknown_is_ignored_and_not_passed_on_and_the_last_of_repeated_keys_counts(pair):
    user, waiter = pair
    user.send(
        '{"type":"connect","x":{"deep":[1,2]},"from":"somebody","to":"else","role":"admin",'
        '"payload":{"message":"first"},"type":"message_text",'
        '"payload":{"message":"1","extra":true,"message":"last"}}'
    )
    frame = assert_receives(waiter, "message_text", message="last", from_=user.uuid)
    assert set(frame) == {"id", "from", "to", "type", "payload"}
    assert set(frame["payload"]) == {"message"}
    assert frame["to"] == waiter.uuid


def test_a_text_over_the_limit_is_refused_and_one_at_the_limit_is_not(pair):
    user, waiter = pair
    question = user.text("€" * 4097)
    error = assert_receives(user, "error", reply_id=question)
    assert "4096" in error["payload"]["message"]
    user.text("€" * 4096)
    assert_receives(waiter, "message_text", message="€" * 4096)


# ---- leaving ---------------------------------------------------------------


def test_a_user_who_leaves_is_gone_at_once(pair):
    user, waiter = pair
    user.leave()
    assert_receives(waiter, "disconnected", from_=user.uuid, to=waiter.uuid)
    waiter.text("hello?", to=user.uuid)
    assert_receives(waiter, "error")


def test_a_close_without_a_code_is_deliberate_too(pair):
    user, waiter = pair
    user.ws.send(b"", opcode=8)
    assert_receives(waiter, "disconnected", from_=user.uuid)


def test_a_user_ends_the_conversation_and_may_ask_again(pair):
    user, waiter = pair
    user.say("disconnect")
    assert_receives(waiter, "disconnected", from_=user.uuid)
    assert_receives(user, "error", reply_id=user.text("too late"))
    connected(user, waiter)


def test_a_user_leaves_the_queue(any_server, name):
    with Client.user(any_server, name) as user:
        user.say("connect")
        assert_receives(user, "connect_queue", location=0)
        user.say("disconnect")
        assert_quiet(user)
        with Client.waiter(any_server, f"w-{name}") as waiter:
            waiter.ready()
            assert_quiet(waiter)
        assert_quiet(user)


def test_a_waiter_ends_a_conversation_and_the_user_is_not_queued_again(pair):
    user, waiter = pair
    waiter.say("disconnect", {"uuid": user.uuid})
    assert_receives(user, "disconnected", from_=waiter.uuid, to=user.uuid)
    assert_quiet(user)
    assert_quiet(waiter)
    connected(user, waiter)
    waiter.say("disconnect", to=user.uuid)
    assert_receives(user, "disconnected", from_=waiter.uuid)
    assert_receives(waiter, "error", reply_id=waiter.say("disconnect", {"uuid": user.uuid}))
    error = assert_receives(waiter, "error", reply_id=waiter.say("disconnect"))
    assert error["payload"]["message"].startswith("payload.uuid:")


def test_users_of_a_waiter_who_leaves_deliberately_are_told_and_not_queued(pair):
    user, waiter = pair
    waiter.leave()
    assert_receives(user, "disconnected", from_=waiter.uuid)
    assert_quiet(user)


# ---- grace -----------------------------------------------------------------


def lost(client: Client, code: int | None = None) -> None:
    """The only one of its role is gone, and the server has noticed.

    What is sent to it before that goes down with the line: version 1 has no receipts.
    """
    lines = len(client.server.lines)
    if code is None:
        client.drop()
    else:
        client.leave(code)
    client.server.wait_for_line(rf"disconnect role={client.role} .*open=0$", after=lines)


@pytest.mark.parametrize("how", ["reload", "lost line"])
def test_a_user_who_drops_and_returns_misses_nothing(pair, name, how):
    user, waiter = pair
    server, standing = user.server, user.uuid
    lost(user, 1001 if how == "reload" else None)
    waiter.text("are you there?", to=standing)
    waiter.text("hello?", to=standing)
    user = Client.user(server, f"u-{name}")
    assert user.uuid != standing
    assert_receives(user, "initialize", to=standing)
    assert_receives(user, "message_text", message="are you there?", from_=waiter.uuid)
    assert_receives(user, "message_text", message="hello?", to=standing)
    connect = user.say("connect")
    assert_receives(user, "connect_success", uuid=waiter.uuid, reply_id=connect)
    user.text("yes")
    assert_receives(waiter, "message_text", message="yes", from_=standing)
    user.leave()


def test_a_user_who_stays_away_is_gone(pair):
    user, waiter = pair
    lost(user)
    let_pass(user.server, GRACE)
    assert_receives(waiter, "disconnected", from_=user.uuid)


def test_a_waiter_who_drops_and_returns_keeps_its_users(pair, name):
    user, waiter = pair
    server, standing = waiter.server, waiter.uuid
    lost(waiter)
    user.text("are you there?")
    waiter = Client.waiter(server, f"w-{name}")
    assert_receives(waiter, "initialize", to=standing)
    assert_receives(waiter, "new_connection", uuid=user.uuid)
    assert_receives(waiter, "message_text", message="are you there?", from_=user.uuid)
    waiter.text("yes", to=user.uuid)
    assert_receives(user, "message_text", message="yes")
    waiter.leave()


def test_users_of_a_lost_waiter_are_queued_again_at_the_front_in_their_order(any_server, name):
    gone = Client.waiter(any_server, f"lost-{name}")
    gone.ready()
    served = [Client.user(any_server, f"served{number}-{name}") for number in range(2)]
    for user in served:
        connected(user, gone)
    with Client.user(any_server, f"waiting-{name}") as waiting:
        waiting.say("connect")
        assert_receives(waiting, "connect_queue", location=0)
        lost(gone)
        let_pass(any_server, GRACE)
        for place, user in enumerate(served):
            assert_receives(user, "disconnected", from_=gone.uuid)
            assert_receives(user, "connect_queue", location=place, reply_id=None)
        assert_receives(waiting, "connect_queue", location=2)
        with Client.waiter(any_server, f"next-{name}") as next_waiter:
            next_waiter.say("ready")
            for user in served:
                assert_receives(user, "connect_success", uuid=next_waiter.uuid)
                assert_receives(next_waiter, "new_connection", uuid=user.uuid)
            assert_receives(waiting, "connect_queue", location=0)
            for user in served:
                user.leave()


def test_a_queued_user_who_drops_keeps_the_place(any_server, name):
    first = Client.user(any_server, f"first-{name}")
    first.say("connect")
    assert_receives(first, "connect_queue", location=0)
    with Client.user(any_server, f"second-{name}") as second:
        second.say("connect")
        assert_receives(second, "connect_queue", location=1)
        standing = first.uuid
        first.drop()
        with Client.user(any_server, f"first-{name}") as first:
            assert_receives(first, "initialize", to=standing)
            assert_receives(first, "connect_queue", location=0, reply_id=first.say("connect"))
            with Client.waiter(any_server, f"w-{name}") as waiter:
                waiter.say("ready")
                assert_receives(first, "connect_success")
                assert_receives(second, "connect_success")


# ---- several sockets of one participant ------------------------------------


def test_two_tabs_are_one_participant(pair, name):
    user, waiter = pair
    with Client.user(user.server, f"u-{name}") as tab:
        assert_receives(tab, "initialize", to=user.uuid)
        waiter.text("to both", to=user.uuid)
        assert_receives(user, "message_text", message="to both")
        assert_receives(tab, "message_text", message="to both")
        tab.text("from the tab")
        assert_receives(waiter, "message_text", message="from the tab", from_=user.uuid)
        user.leave()  # the other tab is still there
        waiter.text("still?", to=tab.uuid)
        assert_receives(tab, "message_text", message="still?")
    assert_receives(waiter, "disconnected", from_=tab.uuid)


def test_ending_the_conversation_in_one_tab_ends_it_in_the_other(pair, name):
    user, waiter = pair
    with Client.user(user.server, f"u-{name}") as tab:
        assert_receives(tab, "initialize", to=user.uuid)
        tab.say("disconnect")
        assert_receives(user, "disconnected", from_=waiter.uuid)
        assert_receives(waiter, "disconnected", from_=user.uuid)
        assert_quiet(tab)


def test_a_newer_login_of_a_waiter_replaces_the_older_and_keeps_the_users(pair, name):
    user, older = pair
    newer = Client.waiter(older.server, f"w-{name}")  # another token: another login
    assert_receives(newer, "initialize", to=older.uuid)
    assert_receives(newer, "new_connection", uuid=user.uuid)
    with pytest.raises(Closed) as closed:
        older.receive()
    assert closed.value.code == 4409
    user.text("who is it now?")
    assert_receives(newer, "message_text", message="who is it now?")
    newer.leave()


def test_two_tabs_of_one_login_of_a_waiter_live_together(any_server, name):
    token = any_server.token("waiter", name)
    with Client(any_server, "waiter") as one, Client(any_server, "waiter") as other:
        one.auth(token)
        assert_quiet(one)
        other.auth(token)
        assert_receives(other, "initialize", to=one.uuid)
        assert_quiet(one)
