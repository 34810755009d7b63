"""Rows 28 to 30: people who vanish, come twice, or all at once."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from testkit import Client, LiveServer, assert_receives
from testkit.client import Closed, assert_quiet
from testkit.proxy import FaultProxy

from ..clocked import let_pass
from .bystanders import Bystanders
from .conftest import SETTINGS, Join, joining, meet, row, running, stopped

SEATS = 2  # of each waiter
GRACE = 60  # s, of which nobody waits for one


@pytest.fixture(scope="module")
def two_seats() -> Iterator[LiveServer]:
    """A server where a waiter serves two."""
    settings = {"CSAPP_GRACE": str(GRACE), "CSAPP_HEARTBEAT": "3600"}
    with running(CSAPP_MAX_USERS_PER_WAITER=str(SEATS), **settings) as server:
        yield server


@pytest.fixture
def come(two_seats: LiveServer) -> Iterator[Join]:
    """Opens clients on it, beside bystanders whose waiter is full."""
    with Bystanders(two_seats, SEATS), joining(two_seats) as join:
        yield join


@pytest.fixture
def proxy(two_seats: LiveServer) -> Iterator[FaultProxy]:
    """The line of whoever is to die."""
    with FaultProxy(two_seats) as proxy:
        yield proxy


def sit_down(user: Client, waiter: Client) -> Client:
    """One more user for a waiter that is ready."""
    user.say("connect")
    assert_receives(user, "connect_success", uuid=waiter.uuid)
    assert_receives(waiter, "new_connection", uuid=user.uuid)
    return user


def stand_in_line(user: Client, location: int) -> Client:
    user.say("connect")
    assert_receives(user, "connect_queue", location=location)
    return user


# ---- row 28: somebody dies -------------------------------------------------


def die_noticed(
    die: Callable[[FaultProxy], int], proxy: FaultProxy, server: LiveServer, count: int = 1
) -> None:
    """*count* people die, and the server knows: what is said to them now is kept."""
    deaths = server.log.count("code=1006 by=line")
    assert die(proxy) == count
    server.wait_for_line("code=1006 by=line", deaths + count)


RESET = row(28, "reset", FaultProxy.reset)
HUNG_UP = row(28, "hung-up", FaultProxy.close)


@pytest.mark.parametrize("die", [RESET])
def test_a_waiter_who_dies_in_a_conversation_gives_its_users_back_to_the_front(
    come, proxy, two_seats, die
):
    lost = Client.waiter(proxy, "lost")
    lost.ready()
    served = [sit_down(come("user"), lost) for _ in range(SEATS)]
    behind = stand_in_line(come("user"), 0)
    die_noticed(die, proxy, two_seats)
    served[0].text("are you there?")  # kept during the grace, and not refused
    assert_quiet(served[0])
    let_pass(two_seats, GRACE)
    for place, user in enumerate(served):
        assert_receives(user, "disconnected", from_=lost.uuid)
        assert_receives(user, "connect_queue", location=place)
    assert_receives(behind, "connect_queue", location=SEATS)
    waiter = come("waiter")
    waiter.say("ready")
    for user in served:
        assert_receives(user, "connect_success", uuid=waiter.uuid)
        assert_receives(waiter, "new_connection", uuid=user.uuid)
    assert_receives(behind, "connect_queue", location=0)
    for client in (*served, behind, waiter):
        assert_quiet(client)


@pytest.mark.parametrize("die", [RESET])
def test_a_waiter_who_comes_back_in_time_keeps_its_users(come, proxy, two_seats, die):
    lost = Client.waiter(proxy, "comes-back")
    lost.ready()
    served = [sit_down(come("user"), lost) for _ in range(SEATS)]
    die_noticed(die, proxy, two_seats)
    for user in served:
        user.text("are you there?")
    let_pass(two_seats, GRACE / 2)
    with Client.waiter(proxy, "comes-back") as waiter:
        assert_receives(waiter, "initialize", to=lost.uuid)
        for user in served:
            assert_receives(waiter, "new_connection", uuid=user.uuid)
        asked = [assert_receives(waiter, "message_text", message="are you there?") for _ in served]
        assert {frame["from"] for frame in asked} == {user.uuid for user in served}
        for user in served:
            waiter.text("yes", to=user.uuid)
            assert_receives(user, "message_text", message="yes")
            assert_quiet(user)


@pytest.mark.parametrize("die", [HUNG_UP])
def test_a_user_who_dies_in_the_queue_keeps_its_position_and_then_loses_it(
    come, proxy, two_seats, die
):
    back, gone = (Client.user(proxy, name) for name in ("comes-back", "stays-away"))
    stand_in_line(back, 0)
    first = stand_in_line(come("user"), 1)
    stand_in_line(gone, 2)
    last = stand_in_line(come("user"), 3)
    die_noticed(die, proxy, two_seats, 2)
    let_pass(two_seats, GRACE / 2)
    with Client.user(proxy, "comes-back") as again:
        assert_receives(again, "initialize", to=back.uuid)
        assert_receives(again, "connect_queue", location=0, reply_id=again.say("connect"))
        let_pass(two_seats, GRACE / 2)  # and the grace of the other is over
        assert_receives(last, "connect_queue", location=2)
        assert_quiet(first)
        with Client.user(proxy, "stays-away") as late:
            assert_quiet(late)  # a new participant, who has not asked yet
            assert late.uuid != gone.uuid
            stand_in_line(late, 3)
            late.say("disconnect")
        for client in (again, last, first):
            client.say("disconnect")
            assert_quiet(client)


@pytest.mark.parametrize("die", [HUNG_UP])
def test_a_user_who_dies_in_a_conversation_is_waited_for_and_then_gone(come, proxy, two_seats, die):
    user, waiter = meet(Client.user(proxy, "dies"), come("waiter"))
    die_noticed(die, proxy, two_seats)
    waiter.text("are you there?", to=user.uuid)
    assert_quiet(waiter)
    let_pass(two_seats, GRACE)
    assert_receives(waiter, "disconnected", from_=user.uuid)
    assert_receives(waiter, "error", reply_id=waiter.text("hello?", to=user.uuid))
    other = sit_down(come("user"), waiter)
    other.say("disconnect")
    assert_receives(waiter, "disconnected", from_=other.uuid)


def test_row28_both_die_and_meet_again(come, proxy, two_seats):
    user, waiter = meet(Client.user(proxy, "both-user"), Client.waiter(proxy, "both-waiter"))
    proxy.reset()
    with (
        Client.user(two_seats, "both-user") as again,
        Client.waiter(proxy, "both-waiter") as waiting,
    ):
        assert_receives(again, "initialize", to=user.uuid)
        assert_receives(waiting, "initialize", to=waiter.uuid)
        assert_receives(waiting, "new_connection", uuid=user.uuid)
        again.text("here we are")
        assert_receives(waiting, "message_text", message="here we are")
        again.leave()
        assert_receives(waiting, "disconnected", from_=again.uuid)


# ---- row 29: the same waiter twice -----------------------------------------


def test_row29_the_newer_login_takes_over_and_the_users_stay(come, two_seats):
    older = come("waiter", "twice")
    older.ready()
    served = [sit_down(come("user"), older) for _ in range(SEATS)]
    logins = [older]
    for _ in range(3):
        newer = come("waiter", "twice")
        assert_receives(newer, "initialize", to=older.uuid)
        for user in served:
            assert_receives(newer, "new_connection", uuid=user.uuid)
        assert closing(logins[-1]) == 4409
        logins.append(newer)
    for user in served:
        user.text("who is it now?")
        assert_receives(newer, "message_text", message="who is it now?", from_=user.uuid)
        newer.text("me", to=user.uuid)
        assert_receives(user, "message_text", message="me", from_=older.uuid)
        assert_quiet(user)
    assert_quiet(newer)


def test_row29_many_logins_at_the_same_moment_leave_one(come, two_seats):
    older = come("waiter", "many-times")
    older.ready()
    user = sit_down(come("user"), older)
    logins = [Client(two_seats, "waiter") for _ in range(10)]
    with stopped(two_seats):
        for login in logins:
            login.auth(two_seats.token("waiter", "many-times"))
    assert closing(older) == 4409
    user.text("who is it now?")
    ends = [heard_until_the_end(login, "who is it now?") for login in logins]
    assert ends.count("heard") == 1
    assert ends.count("4409") == len(logins) - 1
    logins[ends.index("heard")].leave()
    assert_receives(user, "disconnected", from_=older.uuid)


def closing(client: Client) -> int:
    """The next thing that happens is that the server closes: the code."""
    with pytest.raises(Closed) as closed:
        client.receive()
    return closed.value.code


def heard_until_the_end(client: Client, text: str) -> str:
    """`heard` when *text* comes, the close code when it does not."""
    try:
        while True:
            frame = client.receive()
            if frame["type"] == "message_text" and frame["payload"]["message"] == text:
                return "heard"
    except Closed as closed:
        return str(closed.code)


# ---- row 30: races ---------------------------------------------------------


@pytest.fixture(scope="module", params=["gunicorn", "flask"])
def racing(request: pytest.FixtureRequest) -> Iterator[LiveServer]:
    """Greenlets, and real threads."""
    settings = {**SETTINGS, "CSAPP_MAX_USERS_PER_WAITER": str(SEATS)}
    start = LiveServer.gunicorn if request.param == "gunicorn" else LiveServer.flask
    with start(env=settings) as server:
        yield server


@pytest.mark.parametrize(
    ("users", "waiters"),
    [
        row(30, "one-user-and-twenty-waiters", 1, 20),
        row(30, "twenty-users-and-one-waiter", 20, 1),
        row(30, "as-many-users-as-seats", 50, 25),
        row(30, "more-users-than-seats", 50, 10),
    ],
)
def test_everybody_at_the_same_moment(racing, users, waiters):
    served = min(users, SEATS * waiters)
    with Bystanders(racing, SEATS), joining(racing) as join:
        asking = [join("user") for _ in range(users)]
        taking = [join("waiter") for _ in range(waiters)]
        everybody = [*asking, *taking]
        at_once(
            racing, [*((one, "connect") for one in asking), *((one, "ready") for one in taking)]
        )
        assert_matched(racing, asking, taking, served)
        at_once(racing, [(one, "disconnect") for one in asking])
        hear_all(everybody)
        at_once(racing, [(one, "connect") for one in asking])
        assert_matched(racing, asking, taking, served)


def at_once(server: LiveServer, said: list[tuple[Client, str]]) -> None:
    """All of it is there, in any order, when the server looks."""
    random.Random(len(said)).shuffle(said)
    with stopped(server):
        for client, type_ in said:
            client.say(type_)


def hear_all(clients: list[Client]) -> dict[str, list[tuple[str, str]]]:
    """What has come for each (by its UUID): types, and whom they are about.

    A thread that tells both sides of a match may be set aside between the two,
    so all are asked again until nobody has heard anything new.
    """
    heard: dict[Client, list[dict[str, Any]]] = {client: [] for client in clients}
    for quiet in itertools.count():
        news = {client: client.receive_all() for client in clients}
        for client, found in news.items():
            heard[client] += found
        if quiet and not any(news.values()):
            break
    return {
        client.uuid: [(f["type"], (f.get("payload") or {}).get("uuid", "")) for f in found]
        for client, found in heard.items()
    }


def assert_matched(
    server: LiveServer, asking: list[Client], taking: list[Client], served: int
) -> None:
    """Each user has one waiter or waits; no waiter has too many; both sides say the same."""
    heard = hear_all([*asking, *taking])
    successes = {
        (user.uuid, waiter)
        for user in asking
        for type_, waiter in heard[user.uuid]
        if type_ == "connect_success"
    }
    connections = {(user, waiter.uuid) for waiter in taking for type_, user in heard[waiter.uuid]}
    assert successes == connections
    assert len(successes) == len({user for user, _ in successes}) == served
    for waiter in taking:
        assert {type_ for type_, _ in heard[waiter.uuid]} <= {"new_connection"}
        assert len(heard[waiter.uuid]) <= SEATS
    for user in asking:
        assert {type_ for type_, _ in heard[user.uuid]} <= {"connect_success", "connect_queue"}
    status = json.loads(server.get("/v1/status"))
    assert status["users_served"] == served + SEATS, "and the bystanders"
    assert status["queue_length"] == len(asking) - served
