"""Closed departments on the wire, on running servers whose clock the test sets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.departments import Departments
from services.desk.departments import Load
from services.desk.port import Figures
from services.history.departments import Change, DepartmentTables, Overflow
from services.history.opening import open_store
from services.identity import Tokens
from services.offline import Offline, Reason, offline
from services.settings import OfflineWhen
from testkit import Client, LiveServer, assert_receives
from testkit.redis import RedisServer
from testkit.server import SECRET

from .probe import next_frame, until
from .wall_clock_host import GUNICORN, THREADS, set_clock

Frame = dict[str, Any]

MONDAY = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
OPENS = "2026-06-01T07:00:00.000Z"  # nine o'clock in Berlin
SHOP = {"hours": "mo-fr 9:00-17:00", "zone": "Europe/Berlin"}


class Clock:
    """The clock of the servers of a test."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(MONDAY)

    def set(self, at: float) -> None:
        set_clock(self._file, at)


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path / "clock")


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A site with a shop that has hours."""
    url = f"sqlite:///{tmp_path / 'csapp.db'}"
    with closing(open_store(url)) as store:
        store.migrate()
        tables = DepartmentTables(store)
        tables.add("help")
        tables.add("shop", Change(**SHOP))
        tables.add("gone", Change(enabled=False, overflow=Overflow("help", 0)))
        tables.add("guided", Change(overflow=Overflow("help", 0), **SHOP))
        tables.add("patient", Change(overflow=Overflow("help", 60), **SHOP))
    return url


@pytest.fixture(params=["greenlets", "threads", "redis"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


def serving(kind: str, url: str, tmp_path: Path, **env: str) -> Iterator[LiveServer]:
    env = {
        "CSAPP_GRACE": "60", "CSAPP_HEARTBEAT": "3600", "CSAPP_MESSAGE_RATE": "0",
        "CSAPP_DATABASE_URL": url, "WALL_CLOCK_FILE": str(tmp_path / "clock"),
    } | env  # fmt: skip
    is_threads = kind == "threads"
    start, app = (LiveServer.flask, THREADS) if is_threads else (LiveServer.gunicorn, GUNICORN)
    with ExitStack() as stack:
        if kind == "redis":
            env["CSAPP_REDIS_URL"] = stack.enter_context(RedisServer()).url
        yield stack.enter_context(start(app, env=env))


@pytest.fixture
def server(kind: str, url: str, clock: Clock, tmp_path: Path) -> Iterator[LiveServer]:
    yield from serving(kind, url, tmp_path)


@pytest.fixture
def lenient(kind: str, url: str, clock: Clock, tmp_path: Path) -> Iterator[LiveServer]:
    """`CSAPP_OFFLINE=never`."""
    yield from serving(kind, url, tmp_path, CSAPP_OFFLINE="never")


@pytest.fixture
def strict(kind: str, url: str, clock: Clock, tmp_path: Path) -> Iterator[LiveServer]:
    """`CSAPP_OFFLINE=nobody`."""
    yield from serving(kind, url, tmp_path, CSAPP_OFFLINE="nobody")


def come(server: LiveServer, role: str, sub: str, version: int = 2, **identity: Any) -> Client:
    client = Client(server, role)
    token = server.token(role, sub, sub.title(), **identity)
    client.say("auth", {"token": token} | ({"version": 2} if version > 1 else {}))
    if version > 1:
        next_frame(client, "auth_success")
    return client


def ask(client: Client, department: str = "", **payload: Any) -> Frame:
    """What the next `connect` is answered."""
    said = client.say("connect", {"department": department, **payload})
    while (frame := client.receive()).get("reply_id") != said:
        pass
    return frame


def answered(client: Client, department: str = "", **payload: Any) -> tuple[str, Frame]:
    frame = ask(client, department, **payload)
    return frame["type"], frame["payload"]


CLOSED = ("offline", {"reason": "closed", "opens": OPENS})


# ---- hours -----------------------------------------------------------------


def test_a_shop_that_opens_and_closes(server: LiveServer, clock: Clock) -> None:
    ann, bob = come(server, "user", "ann"), come(server, "user", "bob")
    assert answered(ann, "shop") == CLOSED
    clock.set(MONDAY + 7 * 3600)
    type_, queued = answered(ann, "shop")
    assert (type_, queued["department"], queued["location"]) == ("connect_queue", "shop", 0)
    clock.set(MONDAY + 15 * 3600)
    tomorrow = {"reason": "closed", "opens": "2026-06-02T07:00:00.000Z"}
    assert answered(bob, "shop") == ("offline", tomorrow)
    assert answered(ann, "shop")[1]["location"] == 0, "who waits when it closes goes on waiting"
    waiter = come(server, "waiter", "wim", departments="shop")
    waiter.say("ready")
    next_frame(waiter, "new_connection", payload_sub="ann")
    next_frame(ann, "connect_success")
    assert answered(ann, "shop")[0] == "connect_success", "and who is served is served"


def test_who_has_a_good_ticket_is_let_in_again(server: LiveServer, clock: Clock) -> None:
    clock.set(MONDAY + 7 * 3600)
    ann = come(server, "user", "ann")
    ticket = ask(ann, "shop")["payload"]["ticket"]
    ann.leave()
    clock.set(MONDAY + 15 * 3600)
    again = come(server, "user", "ann")
    assert answered(again, "shop")[0] == "offline"
    assert answered(again, "shop", ticket="no such")[0] == "offline"
    assert answered(again, "shop", ticket=ticket)[0] == "offline", "void: ann has left the queue"
    bob, before_a_restart = come(server, "user", "bob"), round((MONDAY + 14 * 3600) * 1e6)
    good = Tokens([SECRET], 3600).sign_ticket("bob", before_a_restart, "shop")
    assert answered(bob, "shop", ticket=good)[0] == "connect_queue"


def test_a_department_without_hours_is_open(server: LiveServer) -> None:
    ann = come(server, "user", "ann")
    assert answered(ann, "help")[0] == "connect_queue"
    type_, error = answered(ann, "shop")
    assert (type_, error["code"]) == ("error", "invalid_message"), "it goes on waiting"
    assert error["message"] == "payload.department: shop takes nobody now"
    assert answered(ann)[1]["department"] == "help"


def test_a_disabled_department_is_closed_for_ever(server: LiveServer) -> None:
    ann = come(server, "user", "ann")
    assert answered(ann, "gone") == ("offline", {"reason": "closed"})
    assert answered(ann, "nowhere")[1]["code"] == "invalid_message"
    usual = come(server, "user", "bob", departments="gone")
    assert answered(usual) == ("offline", {"reason": "closed"})


def test_a_closed_department_passes_visitors_on_at_once_or_not(server: LiveServer) -> None:
    ann, bob = come(server, "user", "ann"), come(server, "user", "bob")
    assert answered(ann, "guided")[1]["department"] == "help"
    assert answered(bob, "patient") == CLOSED


def test_version_1_gets_an_error(server: LiveServer, clock: Clock) -> None:
    ann = come(server, "user", "ann", version=1, departments="shop")
    asked = ann.say("connect")
    error = assert_receives(ann, "error", reply_id=asked)
    assert error["payload"] == {"message": f"we are closed; we open at {OPENS}"}
    clock.set(MONDAY + 7 * 3600)
    ann.say("connect")
    assert next_frame(ann, "connect_queue")["payload"] == {"location": 0}


def test_no_overflow_leads_into_a_closed_department(
    server: LiveServer, clock: Clock, url: str
) -> None:
    with closing(open_store(url)) as store:
        DepartmentTables(store).change("help", Change(overflow=Overflow("shop", 1)))
    ann = come(server, "user", "ann")
    assert answered(ann, "help")[1]["department"] == "help"
    clock.set(MONDAY + 7 * 3600)  # each worker sees it, and tells the desk
    next_frame(ann, "connect_queue", payload_department="shop")


def test_what_is_shown_before_a_visitor_asks(server: LiveServer, clock: Clock) -> None:
    def shown(department: str = "") -> Frame:
        found = json.loads(server.get(f"/v1/welcome?department={department}"))
        return {key: found[key] for key in ("open", "reason", "opens") if key in found}

    assert shown() == shown("help") == {"open": True}
    assert shown("nowhere") == {}, "nobody is let in there, and it is not closed"
    assert shown("shop") == {"open": False, "reason": "closed", "opens": OPENS}
    assert shown("gone") == {"open": False, "reason": "closed"}
    assert shown("guided") == {"open": True}
    status = json.loads(server.get("/v1/status"))
    assert status["open"]
    by_department = status["departments"]
    for key, one in by_department.items():
        assert {name: one[name] for name in ("open", "reason", "opens") if name in one} == shown(
            key
        )
    assert (by_department["shop"]["open"], by_department["shop"]["opens"]) == (False, OPENS)
    assert by_department["help"]["open"]
    clock.set(MONDAY + 7 * 3600)
    assert shown("shop") == {"open": True}


# ---- CSAPP_OFFLINE ---------------------------------------------------------


def test_never(lenient: LiveServer) -> None:
    ann, bob = come(lenient, "user", "ann"), come(lenient, "user", "bob")
    assert answered(ann, "shop")[0] == "connect_queue"
    assert answered(bob, "gone") == ("offline", {"reason": "closed"})
    assert json.loads(lenient.get("/v1/welcome?department=shop"))["open"]
    by_department = json.loads(lenient.get("/v1/status"))["departments"]
    assert (by_department["shop"]["open"], by_department["gone"]["open"]) == (True, False)


def test_nobody(strict: LiveServer) -> None:
    ann, bob = come(strict, "user", "ann"), come(strict, "user", "bob", version=1)
    assert answered(ann, "help") == ("offline", {"reason": "nobody"})
    assert answered(ann, "shop") == CLOSED
    assert answered(ann, "patient") == CLOSED
    bob.say("connect")
    next_frame(bob, "connect_queue")  # it waits in line
    found = json.loads(strict.get("/v1/welcome?department=help"))
    assert (found["open"], found["reason"]) == (False, "nobody")
    help_ = json.loads(strict.get("/v1/status"))["departments"]["help"]
    assert (help_["open"], help_["reason"]) == (False, "nobody")
    waiter = come(strict, "waiter", "wim", departments="help")
    waiter.say("ready")
    next_frame(waiter, "ready")
    assert answered(ann, "help")[0] == "connect_success"
    until(lambda: json.loads(strict.get("/v1/welcome?department=help"))["open"])


def test_a_site_without_departments_says_if_it_is_open_where_it_may_be_closed() -> None:
    def shown(server: LiveServer) -> list[Frame]:
        answers = [json.loads(server.get(f"/v1/{one}")) for one in ("status", "welcome")]
        return [{key: one[key] for key in ("open", "reason") if key in one} for one in answers]

    env = {"CSAPP_DATABASE_URL": "off"}
    with LiveServer.flask(env=env) as server:
        assert shown(server) == [{}, {}]
    with LiveServer.flask(env=env | {"CSAPP_OFFLINE": "nobody"}) as server:
        assert shown(server) == [{"open": False, "reason": "nobody"}] * 2
        waiter = come(server, "waiter", "wim")
        waiter.say("ready")
        next_frame(waiter, "ready")
        until(lambda: shown(server) == [{"open": True}] * 2)


# ---- what is decided -------------------------------------------------------


def busy(**ready: int) -> Figures:
    loads = {key.replace("any", ""): Load(number, 0, 0.0) for key, number in ready.items()}
    return Figures(9, sum(ready.values()), 0, 0, 0.0, loads)


def test_somebody_may_be_ready_where_overflows_lead(tmp_path: Path) -> None:
    class Now:
        """Does at once what it is given."""

        def blocking(self, function, *args):
            return function(*args)

    with closing(open_store(f"sqlite:///{tmp_path / 'csapp.db'}")) as store:
        store.migrate()
        tables = DepartmentTables(store)
        tables.add("help")
        tables.add("sales", Change(overflow=Overflow("help", 60)))
        site: Any = Departments(tables, Now())  # type: ignore[arg-type]
        site.read()
    for ready, expected in (
        ({"any": 1, "help": 0, "sales": 0}, Offline(Reason.NOBODY)),
        ({"any": 0, "help": 1, "sales": 0}, None),
        ({"any": 0, "help": 0, "sales": 1}, None),
    ):
        figures = busy(**ready)
        assert (
            offline(OfflineWhen.NOBODY, site, "sales", lambda figures=figures: figures) == expected
        )


def test_without_departments_any_waiter_counts() -> None:
    nobody, somebody = Figures(3, 0, 0, 0, 0.0), Figures(3, 1, 0, 0, 0.0)
    when = OfflineWhen.NOBODY
    assert offline(when, Departments(), "", lambda: nobody) == Offline(Reason.NOBODY)
    assert offline(when, Departments(), "", lambda: somebody) is None
    assert offline(OfflineWhen.CLOSED, Departments(), "", pytest.fail) is None
