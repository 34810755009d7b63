"""What visitors are shown before they ask: `GET /v1/welcome`."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from csapp import create_app
from services.clock import Clock
from services.departments import Departments
from services.desk.port import DeskUnavailable, Face
from services.history import departments as history
from services.history.departments import Change, DepartmentRow, DepartmentTables
from services.history.opening import open_store
from services.history.port import StoreError
from services.settings import Settings
from services.welcome import ENOUGH, REPLY_FRESH, TEAM_FRESH, Welcome
from testkit import Client, LiveServer, assert_receives
from testkit.server import SECRET

from .clocked import GUNICORN, let_pass
from .probe import next_frame
from .test_left_messages import Site as LeftSite
from .test_left_messages import inbox

ADA = Face("Ada", "/ada.png")


class Runtime:
    """Time that a test sets; nothing waits."""

    def __init__(self) -> None:
        self.time = 100.0
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def now(self) -> float:
        return self.time

    def blocking(self, function: Any, *values: Any) -> Any:
        return function(*values)

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """As a wheel; `run_out` calls what is due."""
        self.timers.append((self.time + seconds, call))

    def run_out(self) -> None:
        for due, call in self.timers:
            if due <= self.time:
                call()


class Asked:
    """A desk and a store that count what they are asked."""

    def __init__(self) -> None:
        self.faces: list[Face] = [ADA]
        self.times: list[int] = []
        self.count = {"team": 0, "reply": 0}
        self.is_down = False

    def team(self, most: int, department: str | None = None) -> list[Face]:
        self.count["team"] += 1
        if self.is_down:
            raise DeskUnavailable
        return [Face(department, "")] if department else self.faces[:most]

    def reply_times(self, after: int, limit: int) -> list[int]:
        self.count["reply"] += 1
        if self.is_down:
            raise StoreError
        return self.times


class Site:
    """What the history knows of departments."""

    def __init__(self, *rows: DepartmentRow) -> None:
        self.rows = rows

    def number(self) -> int:
        return len(self.rows)

    def read(self) -> history.Departments:
        return history.Departments(self.number(), self.rows, ())


def welcome(
    asked: Asked, runtime: Runtime, departments: Departments | None = None, **settings: str
) -> Welcome:
    loaded = Settings.load({"CSAPP_SECRET_KEY": SECRET, **settings})
    parts: Any = (asked, asked, runtime, runtime, Clock(), departments)
    return Welcome(loaded, *parts)


def test_desk_and_history_are_asked_seldom():
    asked, runtime = Asked(), Runtime()
    shown = welcome(asked, runtime)
    for _ in range(50):
        assert (shown.team(), shown.reply()) == ([ADA], None)
    assert asked.count == {"team": 1, "reply": 1}
    asked.faces = []
    runtime.time += TEAM_FRESH
    assert shown.team() == []
    asked.times = [1000, 2000, 30_000, 3000, 500_000]
    runtime.time += REPLY_FRESH - TEAM_FRESH
    assert shown.reply() == 3, "the median"
    assert asked.count == {"team": 2, "reply": 2}


def test_a_few_answers_are_nothing_to_go_by():
    asked, runtime = Asked(), Runtime()
    shown = welcome(asked, runtime)
    asked.times = [1] * (ENOUGH - 1)
    assert shown.reply() is None
    asked.times = [1] * ENOUGH
    runtime.time += REPLY_FRESH
    assert shown.reply() == 1, "never 0 s"


def test_who_was_shown_is_forgotten_though_nobody_asks_again():
    asked, runtime = Asked(), Runtime()
    shown = welcome(asked, runtime)
    asked.faces = [Face(Named("Ada"), "")]
    face = weakref.ref(asked.faces[0].name)
    shown.team()
    asked.faces = []
    assert face() is not None
    runtime.time += TEAM_FRESH
    runtime.run_out()
    assert face() is None


class Named(str):
    """A name that a weak reference can tell of."""


def test_each_department_has_its_team_and_nobody_makes_more_of_them():
    asked, runtime = Asked(), Runtime()
    site = Site(DepartmentRow("sales", {"en": "Sales"}), DepartmentRow("old", enabled=False))
    departments = Departments(site, runtime)  # type: ignore[arg-type]
    departments.read()
    shown = welcome(asked, runtime, departments)
    for _ in range(2):
        assert shown.team("sales") == [Face("sales", "")]
        assert shown.team() == [ADA]
    for number in range(1000):
        assert shown.team(f"no-{number}") == shown.team("old") == [ADA], "as if none were named"
    assert asked.count["team"] == 2
    assert [one.key for one in shown.departments()] == ["sales"]
    site.rows = (DepartmentRow("new"), DepartmentRow("sales", enabled=False))
    departments.read()
    assert shown.team("new") == [Face("new", "")]
    assert shown.team("sales") == [ADA]
    assert len(shown._teams) == 2, "what there is no more is forgotten"


def test_what_is_out_of_reach_is_left_out():
    asked, runtime = Asked(), Runtime()
    asked.is_down = True
    shown = welcome(asked, runtime)
    assert (shown.team(), shown.reply()) == ([], None)


def test_a_site_may_show_nobody():
    asked = Asked()
    assert welcome(asked, Runtime(), CSAPP_TEAM="off").team() == []
    assert asked.count["team"] == 0


# ---- over HTTP -------------------------------------------------------------


def application(**config: Any) -> Flask:
    usual = {"CSAPP_SECRET_KEY": SECRET, "CSAPP_DATABASE_URL": "off"}
    return create_app({**usual, **config})


QUESTIONS = "Where is my order?| Can I return it? ||\nOpening hours?"


def test_the_answer_has_what_the_site_has_set():
    app = application(CSAPP_QUICK_QUESTIONS=QUESTIONS, CSAPP_ALLOWED_ORIGINS="https://a.example")
    answer = app.test_client().get("/v1/welcome", headers={"Origin": "https://a.example"})
    assert answer.get_json() == {
        "team": [],
        "reply": None,
        "questions": ["Where is my order?", "Can I return it?", "Opening hours?"],
    }
    assert answer.headers["Cache-Control"] == "public, max-age=5"
    assert answer.headers["Access-Control-Allow-Origin"] == "https://a.example"
    assert "Origin" in answer.vary


def test_departments_have_names_in_the_language_that_is_asked_for(tmp_path):
    url = f"sqlite:///{tmp_path}/csapp.db"
    store = open_store(url)
    store.migrate()
    tables = DepartmentTables(store)
    tables.add("sales", Change(names={"en": "Sales", "de": "Verkauf"}))
    tables.add("old", Change(enabled=False))
    store.close()
    client = application(CSAPP_DATABASE_URL=url).test_client()

    def named(locale: str) -> Any:
        return client.get("/v1/welcome", query_string={"locale": locale}).get_json()["departments"]

    assert named("de-AT") == [{"key": "sales", "name": "Verkauf"}]
    for other in ("", "en", "sv", "\x00", "x" * 5000):
        assert named(other) == [{"key": "sales", "name": "Sales"}]


def test_the_team_of_a_running_server_and_its_usual_reply(tmp_path):
    env = {
        "CSAPP_DATABASE_URL": f"sqlite:///{tmp_path}/csapp.db",
        "CSAPP_MESSAGE_RATE": "0",
        "CSAPP_HEARTBEAT": "3600",
        "CSAPP_GRACE": "60",
    }
    with LiveServer.gunicorn(GUNICORN, env) as server:

        def shown() -> Any:
            let_pass(server, REPLY_FRESH)
            return json.loads(server.get("/v1/welcome"))

        assert shown() == {"team": [], "reply": None, "questions": [], "messages": True}
        with ready(server) as ada:
            assert shown()["team"] == [{"name": "Ada", "avatar": "/ada.png"}]
            for number in range(ENOUGH):
                is_answered(server, ada, f"ann-{number}")
            assert shown()["reply"] >= 1, "however long this machine takes"


def ready(server: LiveServer) -> Client:
    """A waiter with a name and a picture."""
    ada = Client(server, "waiter")
    token = server.token("waiter", "ada", "Ada", avatar="/ada.png")
    ada.say("auth", {"token": token, "version": 2})
    assert_receives(ada, "auth_success")
    ada.say("ready")
    next_frame(ada, "ready")
    return ada


#: a mail server that nobody asks here: what waits for it is tried later
MAIL = {"CSAPP_SMTP_URL": "smtp://127.0.0.1:9", "CSAPP_MAIL_FROM": "help@shop.example"}


@pytest.mark.parametrize("mail", [MAIL, {}], ids=["mailed", "only here"])
def test_it_is_said_whether_answers_are_mailed(mail, tmp_path):
    """To visitors and, of each message that was left, to waiters."""
    env = {"CSAPP_DATABASE_URL": f"sqlite:///{tmp_path}/csapp.db", "CSAPP_OFFLINE": "nobody"}
    with LiveServer.gunicorn(GUNICORN, {**env, **mail}) as server:
        site = LeftSite(server)
        welcome = json.loads(server.get("/v1/welcome"))
        assert welcome["messages"] is True
        assert welcome.get("mail", False) is bool(mail)
        site.leaves(site.come("user", "ann"), contact={"email": "ann@example.org"})
        site.leaves(site.come("user", "bob"), contact={"name": "Bob"})
        shown = inbox(site.come("waiter", "ada"))
        assert [one.get("mail", False) for one in shown] == [bool(mail), False]


def is_answered(server: LiveServer, ada: Client, name: str) -> None:
    """A visitor asks, is answered and leaves."""
    with Client.user(server, name) as ann:
        ann.say("connect")
        assert_receives(ann, "connect_success")
        ann.text("hello")
        asked = next_frame(ada, "message_text")
        ada.say("message_text", {"message": "hi"}, to=asked["from"])
        assert_receives(ann, "message_text")
        ann.leave()
        next_frame(ada, "disconnected")


@pytest.mark.parametrize("value", [["A?", "B?"], ("A?", "B?"), "A?|B?", "A?\nB?", " A? |\n| B?"])
def test_quick_questions_in_every_spelling(value):
    settings = Settings.load({"CSAPP_SECRET_KEY": SECRET, "CSAPP_QUICK_QUESTIONS": value})
    assert settings.quick_questions == ("A?", "B?")
