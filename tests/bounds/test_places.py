"""Places in the queue and in chats: who asks and hangs up holds up nobody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.bounds import ANONYMOUS_GRACE, PLACES
from testkit import LiveServer, assert_receives

from ..clocked import GUNICORN, let_pass
from .conftest import Come, assert_gone, client, status

SEATS = 20  # of four waiters
ANONYMOUS = [f"anonymous-{number}" for number in range(60)]

ONE = ["127.0.0.1"] * 60
SIXTY = [f"127.0.1.{number}" for number in range(1, 61)]


@pytest.fixture
def server() -> Iterator[LiveServer]:
    """With the settings that everybody has."""
    with LiveServer.gunicorn(GUNICORN, {"CSAPP_GRACE": "3600"}) as server:
        yield server


@pytest.fixture
def waiters(come: Come) -> None:
    for name in ("Wanda", "Will", "Wu", "Wim"):
        come("waiter", name, "127.0.0.9").ready()


def ask_and_go(server: LiveServer, sources: list[str], subjects: list[str]) -> None:
    """One socket at a time: connect, ask, hang up."""
    after = len(server.lines)
    gone = []
    for sub, source in zip(subjects, sources, strict=True):
        user = client(server, "user", sub, source)
        user.say("connect")
        user.receive()
        user.ws.shutdown()
        gone.append(user)
    assert_gone(server, gone, after)


@pytest.mark.usefixtures("waiters")
@pytest.mark.parametrize("sources", [ONE, SIXTY], ids=["one-address", "sixty-addresses"])
@pytest.mark.parametrize("known", [False, True], ids=["anonymous", "known-to-the-host"])
def test_whoever_asks_and_goes_holds_up_nobody(server, come, sources, known):
    subjects = [f"user-{name}" for name in ANONYMOUS] if known else ANONYMOUS
    ask_and_go(server, sources, subjects)
    for number in range(SEATS * 3 // 4):
        honest = come("user", f"anonymous-honest-{number}", f"127.0.2.{number + 1}")
        honest.say("connect")
        assert_receives(honest, "connect_success")


@pytest.mark.usefixtures("waiters")
def test_nor_does_it_at_the_address_of_the_attacker(server, come):
    ask_and_go(server, ONE, ANONYMOUS)
    honest = come("user", "anonymous-honest", ONE[0])
    honest.say("connect")
    assert_receives(honest, "connect_success")


def test_an_address_holds_so_many_places_however_many_ask(server, come):
    answers = []
    for sub in ANONYMOUS:
        user = come("user", sub)
        user.say("connect")
        answers.append(user.receive())
    assert [one["type"] for one in answers] == ["connect_queue"] * PLACES + ["error"] * 10
    assert "too many visitors of your address" in answers[-1]["payload"]["message"]
    assert status(server)["queue_length"] == PLACES
    honest = come("user", "anonymous-honest", "127.0.0.2")
    honest.say("connect")
    assert_receives(honest, "connect_queue", location=PLACES)


def test_an_anonymous_visitor_who_has_said_nothing_keeps_its_place_for_seconds(server, come):
    first, second = come("user", "anonymous-ann"), come("user", "anonymous-bob", "127.0.0.2")
    for user in (first, second):
        user.say("connect")
        assert_receives(user, "connect_queue")
    assert_gone(server, [first], len(server.lines))
    back = come("user", "anonymous-ann")  # a page that was loaded again
    assert_receives(back, "initialize", to=first.uuid)
    back.say("connect")
    assert_receives(back, "connect_queue", location=0)
    assert_gone(server, [back], len(server.lines))
    let_pass(server, ANONYMOUS_GRACE)
    assert_receives(second, "connect_queue", location=0)


@pytest.mark.usefixtures("waiters")
def test_who_has_said_something_keeps_its_conversation(server, come):
    speaker = come("user", "anonymous-ann")
    speaker.say("connect")
    waiter = assert_receives(speaker, "connect_success")["payload"]["uuid"]
    speaker.text("hello")
    assert speaker.receive_all() == []
    assert_gone(server, [speaker], len(server.lines))
    let_pass(server, 2 * ANONYMOUS_GRACE)
    ask_and_go(server, SIXTY, ANONYMOUS)
    back = come("user", "anonymous-ann")
    assert_receives(back, "initialize", to=speaker.uuid)
    back.say("connect")
    assert_receives(back, "connect_success", uuid=waiter)


def test_without_bounds_by_address_as_many_as_come(come):
    with LiveServer.gunicorn(env={"CSAPP_CONNECTIONS_PER_IP": "0"}) as server:
        for sub in ANONYMOUS:
            user = client(server, "user", sub)
            user.say("connect")
            assert_receives(user, "connect_queue")
        assert status(server)["queue_length"] == len(ANONYMOUS)
