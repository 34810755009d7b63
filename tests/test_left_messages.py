"""Messages that are left when nobody serves a visitor, on running servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.conversation.rows import MESSAGE, ConversationRow
from services.history import tables
from services.history.departments import Change, DepartmentTables, Overflow
from services.history.left_messages import MOST_OF_ONE, Leaving, LeftMessageTable
from services.history.opening import open_store
from services.history.port import Visit
from testkit import Client, LiveServer
from testkit.postgres import Postgres

from . import three_ways
from .probe import next_frame, until
from .three_ways import WAYS, Clients, asks

Frame = dict[str, Any]

SETTINGS = {
    "CSAPP_GRACE": "60", "CSAPP_HEARTBEAT": "3600", "CSAPP_MESSAGE_RATE": "0",
    "CSAPP_OFFLINE": "nobody", "CSAPP_MAX_TEXT": "400",
}  # fmt: skip


@pytest.fixture
def url(tmp_path: Path) -> str:
    """An empty database."""
    url = f"sqlite:///{tmp_path / 'csapp.db'}"
    with closing(open_store(url)) as store:
        store.migrate()
    return url


@pytest.fixture
def departments(url: str) -> str:
    """The same with departments."""
    with closing(open_store(url)) as store:
        departments = DepartmentTables(store)
        departments.add("sales", Change(members={"sue": 0}))
        departments.add("help", Change(members={"hal": 0}))
    return url


class Site(Clients):
    """One server, or two that share a desk, where visitors leave messages."""

    def __init__(self, *servers: LiveServer) -> None:
        super().__init__(*servers)
        self._ids = iter(range(1, 1_000_000))

    def leaves(self, user: Client, text: str = "Do you ship?", id: str = "", **more: Any) -> Frame:
        """What the server answers to the message that *user* leaves."""
        frame_id = id or f"left-{next(self._ids)}"
        return asks(user, "leave_message", {"message": text, **more}, id=frame_id)


def refused(frame: Frame) -> tuple[str, str]:
    assert frame["type"] == "error", frame
    return frame["payload"]["code"], frame["payload"]["message"]


def assert_hears_nothing(client: Client) -> None:
    """No news of messages that were left are on their way to *client*."""
    types = {frame["type"] for frame in client.receive_all()}
    assert types <= {"queue_status"}, types


def inbox(waiter: Client, **payload: Any) -> list[Frame]:
    """The messages that *waiter* is shown."""
    frame = asks(waiter, "get_inbox", payload)
    assert frame["type"] == "inbox", frame
    return list(frame["payload"]["messages"])


def history(client: Client, conversation: str, **payload: Any) -> Frame:
    return asks(client, "get_history", {"conversation": conversation, **payload})["payload"]


def texts(page: Frame) -> list[tuple[int, str]]:
    return [(one["seq"], one["payload"]["message"]) for one in page["messages"]]


@pytest.fixture(params=WAYS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


def serving(kind: str, url: str, **env: str) -> Iterator[Site]:
    with three_ways.serving(kind, {**SETTINGS, "CSAPP_DATABASE_URL": url, **env}) as servers:
        yield Site(*servers)


@pytest.fixture
def site(kind: str, url: str) -> Iterator[Site]:
    yield from serving(kind, url)


@pytest.fixture
def shop(kind: str, departments: str) -> Iterator[Site]:
    """With the departments `sales` of Sue and `help` of Hal."""
    yield from serving(kind, departments)


@pytest.fixture
def one(url: str) -> Iterator[Site]:
    yield from serving("greenlets", url)


# ---- a message and its answer --------------------------------------------------


def test_a_message_is_left_claimed_answered_and_read(site: Site):
    ann, wim = site.come("user", "ann"), site.come("waiter", "wim", at=1)
    assert asks(ann, "connect")["type"] == "offline"
    contact = {"name": "Ann Smith", "email": "ann@example.org", "phone": "ignored"}
    left = site.leaves(
        ann, contact=contact, page="https://shop.example/plates?q=secret", language="de"
    )
    assert (left["type"], left["payload"]["seq"]) == ("leave_message_success", 1)
    conversation, date = left["payload"]["conversation"], left["payload"]["date"]
    assert next_frame(wim, "inbox_changed")["payload"] == {"waiting": 1}
    item = {
        "conversation": conversation, "name": "Ann Smith", "email": "ann@example.org",
        "page": "https://shop.example/plates", "message": "Do you ship?", "date": date,
    }  # fmt: skip
    assert inbox(wim) == [{**item, "state": "open"}]
    assert asks(wim, "claim_message", {"conversation": conversation})["payload"] == {
        "conversation": conversation
    }
    next_frame(wim, "inbox_changed", payload_waiting=1)
    claim = {"claimed_by": {"name": "Wim", "own": True}}
    assert inbox(wim) == [{**item, "state": "claimed", **claim}]
    shown = history(wim, conversation)
    assert texts(shown) == [(1, "Do you ship?")]
    assert (shown["state"], shown["reason"]) == ("ended", "message")
    said = asks(wim, "answer_message", {"conversation": conversation, "message": "Yes"})
    answered = said["payload"]
    assert (said["type"], answered["conversation"], answered["seq"]) == (
        "answer_message_success", conversation, 2,
    )  # fmt: skip
    assert next_frame(ann, "message_answered")["payload"] == {
        "conversation": conversation, "seq": 2, "name": "Wim", "message": "Yes",
        "date": answered["date"],
    }  # fmt: skip
    next_frame(wim, "inbox_changed", payload_waiting=0)
    assert inbox(wim) == []
    answers = [{"name": "Wim", "message": "Yes", "date": answered["date"]}]
    done = {**item, "state": "answered", **claim, "answers": answers}
    assert inbox(wim, state="done") == [done]
    ann.leave()
    again = site.come("user", "ann", at=1)
    assert texts(history(again, conversation, after=1)) == [(2, "Yes")]
    assert_hears_nothing(again)


def test_who_resumes_a_message_that_was_left_is_sent_the_answer(one: Site):
    ann, wim = one.come("user", "ann"), one.come("waiter", "wim")
    conversation = one.leaves(ann)["payload"]["conversation"]
    ann.leave()
    asks(wim, "answer_message", {"conversation": conversation, "message": "Yes"})
    again = Client(one.servers[0], "user")
    token = one.servers[0].token("user", "ann")
    again.say("auth", {"token": token, "version": 2, "resume": {conversation: 1}})
    page = next_frame(again, "message_history")["payload"]
    assert (texts(page), page["last_seq"]) == ([(2, "Yes")], 2)


def test_of_two_waiters_one_gets_the_message(site: Site):
    assert_one_gets_each(site)


def test_of_two_waiters_one_gets_the_message_on_postgresql(postgres: Postgres):
    url = postgres.database()
    with closing(open_store(url)) as store:
        store.migrate()
    for site in serving("two workers", url):
        assert_one_gets_each(site)


def assert_one_gets_each(site: Site) -> None:
    """Two waiters claim the same messages at the same moment."""
    ann = site.come("user", "ann")
    ada, lin = site.come("waiter", "ada"), site.come("waiter", "lin", at=1)
    for n in range(4):
        conversation = site.leaves(ann, f"question {n}")["payload"]["conversation"]
        asked = {
            one: one.say("claim_message", {"conversation": conversation}) for one in (ada, lin)
        }
        answers = {}
        for one, said in asked.items():
            while (frame := one.receive()).get("reply_id") != said:
                pass
            answers[one] = frame
        won = [one for one, frame in answers.items() if frame["type"] == "claim_message_success"]
        assert len(won) == 1
        (loser,) = {ada, lin} - set(won)
        name = "Ada" if won == [ada] else "Lin"
        assert refused(answers[loser]) == ("claimed", f"{name} has claimed this message")
        assert answers[loser]["payload"]["claimed_by"] == name
        (state,) = [one for one in inbox(loser) if one["conversation"] == conversation]
        assert state["claimed_by"] == {"name": name, "own": False}
        for type_, more in {
            "answer_message": {"message": "Yes"}, "release_message": {}, "put_away_message": {},
        }.items():  # fmt: skip
            said = asks(loser, type_, {"conversation": conversation, **more})
            assert refused(said)[0] == "claimed"
        asks(won[0], "release_message", {"conversation": conversation})
        success = asks(loser, "put_away_message", {"conversation": conversation})
        assert success["type"] == "put_away_message_success"
        again = asks(loser, "put_away_message", {"conversation": conversation})
        assert again["type"] == "put_away_message_success", "harmless"
        assert inbox(won[0]) == []


def test_waiters_see_what_was_left_for_their_departments(shop: Site, departments: str):
    ann, sue = shop.come("user", "ann"), shop.come("waiter", "sue")
    shop.leaves(ann, "for sales", department="sales")
    assert next_frame(sue, "inbox_changed")["payload"] == {"waiting": 1}
    hal = shop.come("waiter", "hal", at=1)
    assert_hears_nothing(hal)
    shop.leaves(ann, "for help", department="help")
    assert next_frame(hal, "inbox_changed")["payload"] == {"waiting": 1}
    (item,) = inbox(sue)
    assert (item["message"], item["department"]) == ("for sales", "sales")
    named = asks(hal, "claim_message", {"conversation": item["conversation"]})
    unknown = asks(hal, "claim_message", {"conversation": "abc"})
    assert refused(named) == refused(unknown), "nobody learns of it"
    assert refused(named)[0] == "forbidden"
    assert refused(shop.leaves(ann, department="nowhere"))[0] == "invalid_message"
    with closing(open_store(departments)) as store:
        site = DepartmentTables(store)
        site.change("sales", Change(overflow=Overflow("help", 600)))
        next_frame(hal, "inbox_changed", payload_waiting=2)
        site.change("sales", Change(overflow=Overflow()))
        next_frame(hal, "inbox_changed", payload_waiting=1)
        site.remove("sales")
    next_frame(hal, "inbox_changed", payload_waiting=2)
    assert {one["message"] for one in inbox(hal)} == {"for sales", "for help"}


def test_a_waiter_who_comes_is_told_how_many_wait(site: Site):
    ann, early = site.come("user", "ann"), site.come("waiter", "wim")
    assert_hears_nothing(early)
    site.leaves(ann)
    next_frame(early, "inbox_changed")
    late = Client(site.servers[-1], "waiter")
    token = site.servers[0].token("waiter", "lin")
    until(lambda: greeted(site, token))
    late.say("auth", {"token": token, "version": 2})
    types = [late.receive()["type"] for _ in range(3)]
    assert types == ["auth_success", "queue_status", "inbox_changed"]
    plain = site.come("waiter", "old", version=1)
    assert_hears_nothing(plain)


def greeted(site: Site, token: str) -> bool:
    """The last server knows of the message by now."""
    client = Client(site.servers[-1], "waiter")
    client.say("auth", {"token": token, "version": 2})
    types = {frame["type"] for frame in client.receive_all()}
    client.leave()
    return "inbox_changed" in types


# ---- who may, and what -----------------------------------------------------------


def test_who_waits_or_is_served_leaves_no_message(kind: str, url: str):
    for site in serving(kind, url, CSAPP_OFFLINE="closed"):
        ann = site.come("user", "ann")
        assert asks(ann, "connect")["type"] == "connect_queue"
        assert refused(site.leaves(ann))[0] == "forbidden"
        wim = site.come("waiter", "wim")
        wim.say("ready")
        next_frame(ann, "connect_success")
        assert refused(site.leaves(ann))[0] == "forbidden"
        ann.say("disconnect")
        next_frame(ann, "disconnected")
        assert site.leaves(ann)["type"] == "leave_message_success"


def test_what_does_not_fit_is_named(one: Site):
    ann = one.come("user", "ann")
    for payload, code, what in [
        ({"message": " \n"}, "invalid_message", "payload.message: is required"),
        ({"message": "x" * 401}, "too_large", "payload.message: at most 400 characters"),
        ({"message": "a\0b"}, "invalid_message", "payload.message: NUL is not allowed"),
        ({}, "invalid_message", "payload.message: is required"),
        ({"message": "Hi", "contact": {"email": "nobody"}}, "invalid_message",
         "payload.contact.email: an e-mail address such as name@shop.example"),
        ({"message": "Hi", "contact": {"name": "a\nb"}}, "invalid_message",
         "payload.contact.name: characters that cannot be shown are not allowed"),
        ({"message": "Hi", "contact": {"name": "x" * 201}}, "invalid_message",
         "payload.contact.name: at most 200 characters"),
    ]:  # fmt: skip
        assert refused(asks(ann, "leave_message", payload)) == (code, what)
    wim = one.come("waiter", "wim")
    assert inbox(wim) == []
    for type_, payload, code in [
        ("get_inbox", {"limit": 101}, "invalid_message"),
        ("get_inbox", {"state": "all"}, "invalid_message"),
        ("get_inbox", {"before": "no such"}, "invalid_message"),
        ("claim_message", {"conversation": "no such"}, "forbidden"),
        ("answer_message", {"conversation": "abc", "message": "Yes"}, "forbidden"),
        ("leave_message", {"message": "Hi"}, "unknown_type"),
    ]:
        assert refused(asks(wim, type_, payload))[0] == code
    assert refused(asks(ann, "get_inbox"))[0] == "unknown_type"
    old = one.come("user", "old", version=1)
    assert asks(old, "leave_message", {"message": "Hi"})["type"] == "error"


def test_the_same_id_is_the_same_message_and_the_same_answer(site: Site):
    ann, wim = site.come("user", "ann"), site.come("waiter", "wim", at=1)
    first = site.leaves(ann, id="one")["payload"]
    again = site.come("user", "ann", at=1)
    assert site.leaves(again, id="one")["payload"] == first
    assert refused(site.leaves(again, "Hello?", id="one"))[0] == "id_conflict"
    answer = {"conversation": first["conversation"], "message": "Yes"}
    said = asks(wim, "answer_message", answer, id="a")["payload"]
    assert asks(wim, "answer_message", answer, id="a")["payload"] == said
    other = asks(wim, "answer_message", {**answer, "message": "No"}, id="a")
    assert refused(other)[0] == "id_conflict"
    assert texts(history(ann, first["conversation"])) == [(1, "Do you ship?"), (2, "Yes")]
    (done,) = inbox(wim, state="done")
    assert len(done["answers"]) == 1


def test_a_visitor_and_an_address_leave_so_many(kind: str, url: str):
    for site in serving(kind, url, CSAPP_CONNECTIONS_PER_IP="100"):
        ann = site.come("user", "ann")
        for n in range(MOST_OF_ONE):
            assert site.leaves(ann, f"question {n}", id=f"q{n}")["type"] == "leave_message_success"
        often = site.leaves(ann)
        assert refused(often)[0] == "rate_limited"
        assert "retry_after" not in often["payload"], "a waiter has to answer first"
        assert site.leaves(ann, "question 0", id="q0")["type"] == "leave_message_success"
        left = 0
        for n in range(20):
            user = site.come("user", f"user-{n}", at=n)
            frame = site.leaves(user)
            if frame["type"] == "error":
                assert refused(frame) == (
                    "rate_limited", "too many messages from your address; try again later",
                )  # fmt: skip
                assert 4000 < frame["payload"]["retry_after"] <= 86_400 / 20
                break
            left += 1
        assert left == 20 - MOST_OF_ONE, "on all workers together; what is refused is none"


def test_a_server_without_a_database_stores_nothing():
    with LiveServer.gunicorn(env=SETTINGS) as server:
        site = Site(server)
        ann, wim = site.come("user", "ann"), site.come("waiter", "wim")
        assert refused(site.leaves(ann)) == ("forbidden", "this server stores nothing")
        assert refused(asks(wim, "get_inbox"))[0] == "forbidden"


def test_while_the_database_is_away_the_visitor_is_told_so(one: Site, url: str):
    ann, wim = one.come("user", "ann"), one.come("waiter", "wim")
    conversation = one.leaves(ann, id="first")["payload"]["conversation"]
    with closing(open_store(url)) as store, store.engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE left_message RENAME TO elsewhere")
        connection.commit()
        assert refused(one.leaves(ann, "Hello?", id="second"))[0] == "unavailable"
        answer = {"conversation": conversation, "message": "Yes"}
        assert refused(asks(wim, "answer_message", answer, id="a"))[0] == "unavailable"
        assert refused(asks(wim, "get_inbox"))[0] == "unavailable"
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO left_message")
        connection.commit()
    assert texts(history(ann, conversation)) == [(1, "Do you ship?")]
    assert one.leaves(ann, "Hello?", id="second")["type"] == "leave_message_success"
    assert asks(wim, "answer_message", answer, id="a")["payload"]["seq"] == 2
    assert next_frame(ann, "message_answered")["payload"]["message"] == "Yes"


def test_what_was_left_is_there_after_a_restart(url: str):
    for site in serving("greenlets", url):
        ann = site.come("user", "ann")
        conversation = site.leaves(ann)["payload"]["conversation"]
    for site in serving("greenlets", url):
        wim = Client(site.servers[0], "waiter")
        wim.say("auth", {"token": site.servers[0].token("waiter", "wim"), "version": 2})
        assert next_frame(wim, "inbox_changed")["payload"] == {"waiting": 1}
        asks(wim, "answer_message", {"conversation": conversation, "message": "Yes"})
    for site in serving("greenlets", url):
        ann = site.come("user", "ann")
        assert texts(history(ann, conversation, after=1)) == [(2, "Yes")]


def test_a_repeat_on_another_worker_or_after_a_restart_is_no_second_visit(kind: str, url: str):
    for site in serving(kind, url):
        ann = site.come("user", "ann")
        assert asks(ann, "connect")["type"] == "offline"
        first = site.leaves(ann, id="one")["payload"]
        assert site.leaves(site.come("user", "ann", at=1), id="one")["payload"] == first
    for site in serving(kind, url):
        assert site.leaves(site.come("user", "ann"), id="one")["payload"] == first
    with closing(open_store(url)) as store, store.engine.connect() as connection:
        assert list(connection.scalars(sa.select(tables.visit.c.outcome))) == ["message"]


def test_a_message_whose_first_attempt_may_have_failed_is_a_visit(one: Site, url: str):
    ann = one.come("user", "ann")
    assert asks(ann, "connect")["type"] == "offline"
    with closing(open_store(url)) as store:
        table = LeftMessageTable(store)
        key = 7
        row = ConversationRow(key, "uuid", "ann", opened=key, ended=key, reason=MESSAGE)

        def outcomes() -> list[str]:
            with store.engine.connect() as connection:
                return list(connection.scalars(sa.select(tables.visit.c.outcome)))

        until(lambda: outcomes() == ["nobody"])
        with store.engine.connect() as connection:
            visit = Visit(connection.scalar(sa.select(tables.visit.c.key)), 1, outcome="message")
        # of which nobody was told
        table.leave(Leaving(row, "", "Do you ship?", "one", visit=visit))
        for _ in range(2):
            assert one.leaves(ann, id="one")["type"] == "leave_message_success"
        until(lambda: outcomes() == ["message"])
