"""Visitors who are handed over, on a running server: who is told what, what is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from services.history.departments import Change, DepartmentTables
from services.history.opening import open_store
from testkit import Client, LiveServer, assert_receives
from testkit.client import assert_quiet

from .probe import next_frame
from .three_ways import WAYS, Clients, served

SETTINGS = {
    "CSAPP_GRACE": "60",
    "CSAPP_HEARTBEAT": "3600",
    "CSAPP_MESSAGE_RATE": "0",
    "CSAPP_MAX_USERS_PER_WAITER": "1",
}

Frame = dict[str, Any]
Open = Callable[..., Client]


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database with the department `sales`, and one that is disabled."""
    url = f"sqlite:///{tmp_path / 'csapp.db'}"
    with closing(open_store(url)) as store:
        store.migrate()
        tables = DepartmentTables(store)
        tables.add("sales", Change(names={"en": "Sales"}))
        tables.add("closed", Change(enabled=False))
    return url


@pytest.fixture(params=WAYS)
def servers(request: pytest.FixtureRequest, url: str) -> Iterator[list[LiveServer]]:
    """The server that users come to, and the one that waiters other than Wanda come to."""
    env = {**SETTINGS, "CSAPP_DATABASE_URL": url}
    with served(request, env) as servers:
        yield servers


class Shop(Clients):
    """A site with waiters of departments."""

    def serves(self, sub: str, *departments: Any, at: int = 0, version: int = 2) -> Client:
        """A waiter who takes visitors."""
        waiter = self.come("waiter", sub, at=at, version=version, departments=departments)
        waiter.say("ready")
        if version > 1:
            next_frame(waiter, "ready")
        return waiter

    def joins(self, sub: str, *departments: Any, at: int = 0) -> Client:
        """A waiter who takes visitors only by hand."""
        return self.come("waiter", sub, at=at, departments=departments)

    def asks(self, sub: str, at: int = 0, version: int = 2) -> Client:
        user = self.come("user", sub, at=at, version=version)
        user.say("connect")
        return user


@pytest.fixture
def shop(servers: list[LiveServer]) -> Iterator[Shop]:
    shop = Shop(*servers)
    yield shop
    shop.close()


def met(user: Client, waiter: Client) -> str:
    """*waiter* serves *user*; the UUID of the user."""
    next_frame(user, "connect_success")
    return next_frame(waiter, "new_connection")["payload"]["uuid"]


def says(sender: Client, text: str, to: str | None = None) -> None:
    """The text is stored."""
    sender.text(text, to)
    next_frame(sender, "message_text_success")


def hands_over(waiter: Client, user: str, **to: Any) -> Frame:
    """The answer to a `transfer`."""
    asked = waiter.say("transfer", {"uuid": user, **to})
    while True:
        frame = waiter.receive()
        if frame.get("reply_id") == asked:
            return frame


def refused(frame: Frame) -> tuple[str, str]:
    assert frame["type"] == "error"
    return frame["payload"]["code"], frame["payload"]["message"]


def items(page: Frame) -> list[Any]:
    """What a history shows: texts, and what events say."""
    return [
        one["payload"].get("message") or (one["payload"]["what"], one["payload"].get("name"))
        for one in page["payload"]["messages"]
    ]


# ---- to a waiter -------------------------------------------------------------


def test_a_visitor_is_handed_to_a_waiter_who_reads_all_and_the_note(shop: Shop) -> None:
    wanda, lin = shop.serves("wanda"), shop.joins("lin", at=1)
    ann = shop.asks("ann")
    user = met(ann, wanda)
    says(ann, "Where is my parcel?")
    says(wanda, "I ask Lin.", user)

    done = hands_over(wanda, user, to_waiter=lin.uuid, note="She is kind.")
    assert (done["type"], done["payload"]) == ("transfer_success", {"uuid": user})
    end = next_frame(wanda, "disconnected")
    assert (end["from"], end["payload"]) == (user, {"reason": "transferred"})

    new = next_frame(ann, "connect_success")["payload"]
    assert (new["uuid"], new["name"], new["resumed"]) == (lin.uuid, "Lin", True)
    peer = next_frame(lin, "new_connection")["payload"]
    assert (peer["uuid"], peer["conversation"]) == (user, new["conversation"])
    page = next_frame(lin, "message_history")
    assert items(page)[:3] == [("joined", "Wanda"), "Where is my parcel?", "I ask Lin."]
    assert [one["payload"]["text"] for one in page["payload"]["staff"]] == ["She is kind."]

    says(lin, "Hello, I am Lin.", user)
    assert next_frame(ann, "message_text")["payload"] == {"message": "Hello, I am Lin."}
    ann.text("Hello Lin")
    assert next_frame(lin, "message_text")["payload"] == {"message": "Hello Lin"}
    assert refused(hands_over(wanda, user, to_waiter=lin.uuid))[0] == "no_such_user"


def test_both_sides_see_every_number_once(shop: Shop) -> None:
    wanda, lin = shop.serves("wanda"), shop.joins("lin", at=1)
    ann = shop.asks("ann")
    user = met(ann, wanda)
    for number in range(5):
        ann.text(f"text {number}")
    hands_over(wanda, user, to_waiter=lin.uuid)
    met(ann, lin)
    lin.text("the last", user)

    def seen(client: Client, type_: str, **fields: str) -> list[int]:
        """The numbers that *client* is shown until this frame."""
        found: list[int] = []
        while True:
            frame = client.receive()
            if frame["type"] == "message_history":
                found += [one["seq"] for one in frame["payload"]["messages"]]
            elif "seq" in frame:
                found.append(frame["seq"])
            if frame["type"] == type_ and fields.items() <= frame["payload"].items():
                return found

    of_ann, of_lin = (
        seen(ann, "message_text", message="the last"),
        seen(lin, "message_text_success"),
    )
    assert of_ann == list(range(of_ann[0], of_ann[-1] + 1))
    assert of_lin == list(range(1, of_ann[-1] + 1))
    history = shop.come("waiter", "lin", at=1)
    page = items(next_frame(history, "message_history"))
    events = [one for one in page if isinstance(one, tuple)]
    assert events == [("joined", "Wanda"), ("transferred", "Wanda"), ("joined", "Lin")]


def test_a_full_waiter_gets_nobody_and_no_note(shop: Shop) -> None:
    wanda, lin = shop.serves("wanda"), shop.serves("lin", at=1)
    ann, bob = shop.asks("ann"), shop.asks("bob")
    user = met(ann, wanda)
    met(bob, lin)
    next_frame(ann, "event")
    code, message = refused(hands_over(wanda, user, to_waiter=lin.uuid, note="take her"))
    assert (code, message.split(":")[0]) == ("full", "payload.to_waiter")
    assert_quiet(ann)
    says(wanda, "I stay.", user)
    wanda.say("get_history", {})
    page = next_frame(wanda, "message_history")["payload"]
    assert page.get("staff", []) == []


def test_what_cannot_be_is_refused(shop: Shop) -> None:
    wanda, lin = shop.serves("wanda"), shop.serves("lin", at=1)
    ann, bob = shop.asks("ann"), shop.asks("bob")
    user, other = met(ann, wanda), met(bob, lin)
    for payload, code, field in (
        ({}, "invalid_message", "payload.to_waiter"),
        ({"to_waiter": lin.uuid, "department": ""}, "invalid_message", "payload.to_waiter"),
        ({"to_waiter": wanda.uuid}, "invalid_message", "payload.to_waiter"),
        ({"to_waiter": "nobody", "note": "x"}, "no_such_user", "payload.to_waiter"),
        ({"department": "gone"}, "invalid_message", "payload.department"),
        ({"department": "closed"}, "invalid_message", "payload.department"),
        ({"department": "", "note": "\0"}, "invalid_message", "payload.note"),
        ({"department": "", "note": "x" * 5000}, "too_large", "payload.note"),
        ({"department": "", "note": 1}, "invalid_message", ""),
    ):
        answer = refused(hands_over(wanda, user, **payload))
        assert (answer[0], field in answer[1]) == (code, True), (payload, answer)
    nobody = refused(hands_over(wanda, "nobody", department=""))
    assert refused(hands_over(wanda, other, to_waiter=lin.uuid)) == nobody
    assert nobody[0] == "no_such_user"
    says(wanda, "still here", user)
    wanda.say("get_history", {})
    assert next_frame(wanda, "message_history")["payload"].get("staff", []) == []


# ---- to a department -----------------------------------------------------------


def test_a_visitor_is_handed_to_a_department_and_waits_in_front(shop: Shop) -> None:
    wanda = shop.serves("wanda", "", "sales")
    ann = shop.asks("ann")
    user = met(ann, wanda)
    bob = shop.come("user", "bob", at=1)
    bob.say("connect", {"department": "sales"})
    next_frame(bob, "connect_queue")
    wanda.say("unready")
    assert hands_over(wanda, user, department="sales", note="wants to buy")["type"] == (
        "transfer_success"
    )
    assert next_frame(wanda, "disconnected")["payload"] == {"reason": "transferred"}
    queued = next_frame(ann, "connect_queue")["payload"]
    assert (queued["location"], queued["department"]) == (0, "sales")

    sam = shop.serves("sam", "sales", at=1)
    new = next_frame(sam, "new_connection")["payload"]
    assert (new["uuid"], new["department"]) == (user, "sales")
    page = next_frame(sam, "message_history")
    events = items(page)
    while ("joined", "Sam") not in events:
        events.append((*next_frame(sam, "event")["payload"].values(),))
    assert events == [("joined", "Wanda"), ("transferred", "Wanda"), ("joined", "Sam")]
    assert [one["payload"]["text"] for one in page["payload"]["staff"]] == ["wants to buy"]
    assert next_frame(ann, "connect_success")["payload"]["name"] == "Sam"


def test_the_waiter_does_not_get_it_back(shop: Shop) -> None:
    wanda = shop.serves("wanda")
    ann = shop.asks("ann")
    user = met(ann, wanda)
    hands_over(wanda, user, department="")
    assert "department" not in next_frame(ann, "connect_queue")["payload"]
    bob = shop.asks("bob")
    met(bob, wanda)
    lin = shop.serves("lin", at=1)
    assert next_frame(lin, "new_connection")["payload"]["uuid"] == user


def test_asking_for_the_same_again_does_not_undo_it(shop: Shop) -> None:
    wanda = shop.serves("wanda", "", "sales")
    ann = shop.come("user", "ann")
    ann.say("connect", {"department": "sales"})
    user = met(ann, wanda)
    wanda.say("unready")
    hands_over(wanda, user, department="")
    next_frame(ann, "connect_queue")
    ann.say("connect", {"department": "sales"})  # as a client does that has come back
    assert "department" not in next_frame(ann, "connect_queue")["payload"]


# ---- version 1 -----------------------------------------------------------------


def test_version_1_is_sent_its_new_waiter_and_nothing_else(shop: Shop) -> None:
    wanda, lin = shop.serves("wanda"), shop.joins("lin", at=1)
    ann = shop.asks("ann", version=1)
    first = assert_receives(ann, "connect_success")
    user = next_frame(wanda, "new_connection")["payload"]["uuid"]
    hands_over(wanda, user, to_waiter=lin.uuid, note="old client")
    frame = ann.receive()
    assert (frame["type"], frame["payload"]) == ("connect_success", {"uuid": lin.uuid})
    assert {*frame} == {"id", "to", "type", "payload"} == {*first} - {"reply_id"}
    next_frame(lin, "new_connection")
    lin.text("Hello", user)
    assert assert_receives(ann, "message_text")["from"] == lin.uuid

    wanda.say("unready")
    next_frame(wanda, "unready")
    hands_over(lin, user, department="")
    frame = ann.receive()
    assert (frame["type"], frame["payload"]) == ("connect_queue", {"location": 0})


def test_a_waiter_of_version_1_gets_a_visitor(shop: Shop) -> None:
    wanda, lin = shop.serves("wanda"), shop.come("waiter", "lin", at=1, version=1)
    uuid = lin.uuid
    ann = shop.asks("ann")
    user = met(ann, wanda)
    wanda.say("get_waiters")
    while uuid not in [one["uuid"] for one in next_frame(wanda, "waiters")["payload"]]:
        wanda.say("get_waiters")
    hands_over(wanda, user, to_waiter=uuid)
    frame = assert_receives(lin, "new_connection")
    assert frame["payload"] == {"uuid": user}
    lin.text("Hello", user)
    assert next_frame(ann, "message_text")["payload"] == {"message": "Hello"}
    lin.say("transfer", {"uuid": user, "department": ""})
    assert assert_receives(lin, "error")["payload"].keys() == {"message"}


def test_an_absent_visitor_of_version_1_finds_its_new_waiter(shop: Shop) -> None:
    wanda, lin = shop.serves("wanda"), shop.joins("lin", at=1)
    ann = shop.asks("ann", version=1)
    assert_receives(ann, "connect_success")
    user = next_frame(wanda, "new_connection")["payload"]["uuid"]
    ann.drop()
    next_frame(wanda, "presence")
    wanda.text("Are you there?", user)
    next_frame(wanda, "message_text_success")
    hands_over(wanda, user, to_waiter=lin.uuid)
    next_frame(lin, "new_connection")
    lin.text("I am Lin", user)
    next_frame(lin, "message_text_success")
    ann = shop.come("user", "ann", version=1)
    found = [ann.receive() for _ in range(4)]
    assert [one["type"] for one in found] == [
        "initialize", "message_text", "connect_success", "message_text",
    ]  # fmt: skip
    assert found[2]["payload"] == {"uuid": lin.uuid}


# ---- who is there ----------------------------------------------------------------


def test_waiters_see_who_is_there(shop: Shop) -> None:
    wanda, lin = shop.serves("wanda"), shop.joins("lin", "sales", at=1)
    met(shop.asks("ann"), wanda)
    lin.say("get_waiters")
    assert next_frame(lin, "waiters")["payload"] == [
        {"uuid": wanda.uuid, "name": "Wanda", "departments": [""], "ready": True, "load": 1,
         "capacity": 1},
        {"uuid": lin.uuid, "name": "Lin", "departments": ["sales"], "ready": False, "load": 0,
         "capacity": 1},
    ]  # fmt: skip


# ---- drops and restarts ------------------------------------------------------------


def test_a_visitor_that_was_away_resumes_with_its_new_waiter(shop: Shop) -> None:
    wanda, lin = shop.serves("wanda"), shop.joins("lin", at=1)
    ann = shop.asks("ann")
    peer = next_frame(ann, "connect_success")["payload"]
    user = next_frame(wanda, "new_connection")["payload"]["uuid"]
    says(ann, "hello")
    ann.drop()
    next_frame(wanda, "presence")
    hands_over(wanda, user, to_waiter=lin.uuid)
    next_frame(lin, "new_connection")
    shown = items(next_frame(lin, "message_history"))
    while ("joined", "Lin") not in shown:  # of two workers the other one may write it
        shown.append(("joined", next_frame(lin, "event", payload_what="joined")["payload"]["name"]))
    says(lin, "I am Lin", user)
    ann = shop.come("user", "ann", at=1, resume={peer["conversation"]: 2})
    assert next_frame(ann, "connect_success")["payload"]["uuid"] == lin.uuid
    assert items(next_frame(ann, "message_history")) == [
        ("transferred", "Wanda"), ("joined", "Lin"), "I am Lin",
    ]  # fmt: skip


def test_the_old_waiter_is_out_of_it_for_good(shop: Shop) -> None:
    wanda, lin = shop.serves("wanda"), shop.joins("lin", at=1)
    ann = shop.asks("ann")
    user = met(ann, wanda)
    hands_over(wanda, user, to_waiter=lin.uuid)
    met(ann, lin)
    wanda.text("one more word", user)
    assert next_frame(wanda, "error")["payload"]["code"] == "no_such_user"
    wanda.leave()
    ann.text("who is there?")
    assert next_frame(lin, "message_text")["payload"] == {"message": "who is there?"}
    lin.leave()
    end = next_frame(ann, "disconnected")
    assert (end["from"], end["payload"]) == (lin.uuid, {"reason": "ended"})


@pytest.mark.parametrize("shared", [False, True])
def test_a_transfer_outlives_a_restart(shared: bool, url: str, request: Any) -> None:
    env = {**SETTINGS, "CSAPP_DATABASE_URL": url}
    if shared:
        env["CSAPP_REDIS_URL"] = request.getfixturevalue("own_redis").url
    with LiveServer.gunicorn(env=env) as server:
        shop = Shop(server)
        wanda, lin = shop.serves("wanda"), shop.joins("lin")
        ann = shop.asks("ann")
        user = met(ann, wanda)
        hands_over(wanda, user, to_waiter=lin.uuid)
        met(ann, lin)
        says(lin, "Hello", user)
        bob = shop.asks("bob")
        other = met(bob, wanda)
        wanda.say("unready")
        hands_over(wanda, other, department="sales")
        next_frame(bob, "connect_queue")
    with LiveServer.gunicorn(env=env) as server:
        shop = Shop(server)
        ann, lin = shop.come("user", "ann"), shop.come("waiter", "lin")
        assert next_frame(ann, "connect_success")["payload"]["uuid"] == lin.uuid
        assert next_frame(lin, "new_connection")["payload"]["uuid"] == ann.uuid
        sam = shop.serves("sam", "sales")
        bob = shop.come("user", "bob")
        new = next_frame(sam, "new_connection")["payload"]
        assert (new["uuid"], new["department"]) == (bob.uuid, "sales")
        assert ("transferred", "Wanda") in items(next_frame(sam, "message_history"))
        shop.close()


# ---- without a database ------------------------------------------------------------


@pytest.fixture
def unstored() -> Iterator[Shop]:
    with LiveServer.gunicorn(env={**SETTINGS, "CSAPP_DATABASE_URL": "off"}) as server:
        shop = Shop(server)
        yield shop
        shop.close()


def test_without_a_database_visitors_are_handed_over_without_a_note(unstored: Shop) -> None:
    wanda, lin = unstored.serves("wanda"), unstored.joins("lin")
    ann = unstored.asks("ann")
    user = met(ann, wanda)
    code, message = refused(hands_over(wanda, user, to_waiter=lin.uuid, note="lost"))
    assert (code, message) == ("unavailable", "this server keeps no history")
    assert hands_over(wanda, user, to_waiter=lin.uuid)["type"] == "transfer_success"
    met(ann, lin)
    ann.text("Hello Lin")
    assert next_frame(lin, "message_text")["payload"] == {"message": "Hello Lin"}


def test_without_a_database_an_absent_visitor_misses_nothing(unstored: Shop) -> None:
    wanda, lin = unstored.serves("wanda"), unstored.joins("lin")
    ann = unstored.asks("ann")
    peer = next_frame(ann, "connect_success")["payload"]
    user = next_frame(wanda, "new_connection")["payload"]["uuid"]
    joined = next_frame(ann, "event")["seq"]
    ann.drop()
    next_frame(wanda, "presence")
    hands_over(wanda, user, to_waiter=lin.uuid)
    next_frame(lin, "new_connection")
    says(lin, "I am Lin", user)
    ann = unstored.come("user", "ann", resume={peer["conversation"]: joined})
    assert next_frame(ann, "connect_success")["payload"]["uuid"] == lin.uuid
    events = [next_frame(ann, "event") for _ in range(2)]
    assert [one["payload"]["what"] for one in events] == ["transferred", "joined"]
    text = next_frame(ann, "message_text")
    assert [one["seq"] for one in (*events, text)] == [joined + 1, joined + 2, joined + 3]
