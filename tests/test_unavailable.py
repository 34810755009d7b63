"""The database or Redis is not there: when the server starts, and when a request needs it.

Every door says 503 in JSON, the log says so once, and it recovers by itself.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import traceback
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from blueprints.host.reached import marked
from csapp import create_app
from services import starting, webserver
from services.desk.port import DeskUnavailable
from services.errors import CSAppError
from services.history.port import OutcomeUnknown, StoreError
from services.instance import NoSecret
from services.starting import Start
from testkit import Client, LiveServer, assert_receives
from testkit.redis import RedisServer
from testkit.server import ROOT, SECRET, free_port

from .probe import assert_ready_soon, sign_in
from .raw import Raw, request

USER = "/v1/ws/user/connect"
LOGIN = {"name": "ada", "password": "correct horse"}


def asked(server: LiveServer, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """The status of an answer, and its JSON."""
    token = server.token("waiter", "wim")
    try:
        text = server.request(method, path, body, Authorization=f"Bearer {token}")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())  # whatever goes wrong is told in JSON
    return 200, text


def everybody_is_told(server: LiveServer) -> None:
    """Every door that needs the database or the desk says the same, and no page of HTML."""
    for method, path, body in [
        ("GET", "/v1/status", None),
        ("GET", "/v1/welcome", None),
        ("GET", "/metrics", None),
        ("POST", "/v1/waiter/login", LOGIN),
        ("POST", "/v1/waiter/logout", None),
        ("GET", "/v1/search?q=word", None),
        ("GET", "/v1/canned", None),
        ("POST", "/v1/canned", {"shortcut": "bye", "text": "Goodbye!"}),
        ("DELETE", "/v1/canned/1", None),
    ]:
        status, answer = asked(server, method, path, body)
        assert (status, answer.get("code")) == (503, "unavailable"), (path, answer)
    with Raw(server) as raw:
        raw.send(request(USER))
        assert raw.head().startswith("HTTP/1.1 503 ")


def unready(server: LiveServer, reason: str) -> None:
    status, answer = asked(server, "GET", "/readyz")
    assert (status, answer["status"]) == (503, "unavailable")
    assert reason in answer["reason"]


def recovered(server: LiveServer) -> None:
    """Within some seconds, and whoever asks for a waiter then stands in line."""
    assert_ready_soon(server)
    assert "csapp_history_available 1" in asked(server, "GET", "/metrics")[1]
    with Client.user(server, "ann") as user:
        user.say("connect")
        assert_receives(user, "connect_queue", location=0)


def told_once(server: LiveServer) -> None:
    lines = [line for line in server.lines if "no chat is possible" in line]
    assert len(lines) == 1, lines
    assert "Traceback" not in server.log
    assert len(server.lines) < 100, "nothing else grows with the number of requests"
    server.wait_for_line("chats are possible again")


def test_a_database_that_is_not_there_at_the_start(tmp_path):
    (tmp_path / "csapp.db").mkdir()
    env = {"CSAPP_DATABASE_URL": f"sqlite:///{tmp_path}/csapp.db"}
    with LiveServer.gunicorn(env=env) as server:
        assert asked(server, "GET", "/healthz")[0] == 200
        unready(server, "the database cannot be used")
        for _ in range(5):
            everybody_is_told(server)
        assert str(tmp_path) not in str(asked(server, "GET", "/readyz"))
        (tmp_path / "csapp.db").rmdir()
        recovered(server)
        assert asked(server, "POST", "/v1/waiter/login", LOGIN)[0] == 401
        told_once(server)


def test_redis_that_is_not_there_at_the_start(tmp_path):
    redis = RedisServer()
    env = {"CSAPP_DATABASE_URL": f"sqlite:///{tmp_path}/csapp.db", "CSAPP_REDIS_URL": redis.url}
    try:
        with LiveServer.gunicorn(env=env) as server:
            unready(server, "Redis")
            for _ in range(5):
                everybody_is_told(server)
            redis.start()
            recovered(server)
            told_once(server)
    finally:
        redis.close()


def test_postgresql_that_is_not_there_tells_no_address_but_the_log(tmp_path):
    port = free_port()
    env = {"CSAPP_DATABASE_URL": f"postgresql://clerk:hidden@127.0.0.1:{port}/desk"}
    with LiveServer.flask(env=env) as server:
        unready(server, "the database cannot be used")
        everybody_is_told(server)
        for word in ("clerk", "hidden", str(port), "desk"):
            assert word not in asked(server, "GET", "/readyz")[1]["reason"]
        assert str(port) in server.wait_for_line("no chat is possible")
        assert "hidden" not in server.log


# ---- the start itself ------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


@pytest.mark.parametrize("kind", [DeskUnavailable, NoSecret, OutcomeUnknown, StoreError])
def test_each_attempt_raises_an_error_of_its_own(kind):
    def fail() -> None:
        raise kind("it is away")

    clock = Clock()
    start: Start[None] = Start(fail, clock)
    depths, errors = set(), []
    for _ in range(50):
        clock.time += 0.3
        with pytest.raises(kind, match="it is away") as raised:
            start.get()
        errors.append(raised.value)
        depths.add(len(traceback.extract_tb(raised.value.__traceback__)))
    assert len(set(map(id, errors))) == 50
    assert max(depths) < 6, "the traceback grows"


def test_it_is_tried_once_a_second_and_made_once():
    clock, attempts, away = Clock(), [], [True]

    def make() -> str:
        attempts.append(clock.time)
        if away[0]:
            raise StoreError("away")
        return "made"

    start = Start(make, clock)
    for tenth in range(25):
        clock.time = tenth / 10
        with pytest.raises(StoreError):
            start.get()
    assert attempts == [0, starting.START_AGAIN, 2 * starting.START_AGAIN]
    away[0], clock.time = False, 4.0
    assert {start.get() for _ in range(3)} == {"made"}
    assert len(attempts) == 4


def test_nobody_waits_for_the_attempt_of_another():
    trying, gate, clock = threading.Event(), threading.Event(), Clock()

    def make() -> str:
        if clock.time:
            trying.set()
            gate.wait(30)
        raise DeskUnavailable("away")

    start = Start(make, clock)
    with pytest.raises(DeskUnavailable):
        start.get()
    clock.time = 5.0

    def ask() -> None:
        with pytest.raises(DeskUnavailable):
            start.get()

    slow = threading.Thread(target=ask)
    slow.start()
    assert trying.wait(30)
    with pytest.raises(DeskUnavailable):
        start.get()
    assert slow.is_alive(), "the other one still tries"
    gate.set()
    slow.join(30)


@pytest.mark.parametrize("who_ends", ["user", "waiter"])
def test_what_was_decided_is_not_refused_besides_though_the_answer_of_the_desk_was_lost(who_ends):
    def answers(client: Client, asked: str, error: str) -> list[str]:
        """All that answers the frame *asked*, until a bad frame behind it gets its *error*."""
        client.say("auth", {"token": ""}, id=error)
        found = []
        while (answer := client.receive()).get("reply_id") != error:
            found += [answer["type"]] if answer.get("reply_id") == asked else []
        return found

    with LiveServer.gunicorn("tests.lost_answers_host:app") as server:
        waiter, user = Client(server, "waiter"), Client(server, "user")
        with waiter, user:
            for client in (waiter, user):
                sign_in(client, server, client.role, client.role, 2)
            answers(waiter, waiter.say("ready"), "e0")
            assert answers(user, user.say("connect"), "e1") == ["connect_success"]
            ends = {"user": user, "waiter": waiter}[who_ends]
            asked = ends.say("disconnect", None if who_ends == "user" else {"uuid": user.uuid})
            assert answers(ends, asked, "e2") == ["disconnected"]


# ---- later -----------------------------------------------------------------


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    url = f"sqlite:///{tmp_path}/csapp.db"
    return create_app({"CSAPP_SECRET_KEY": SECRET, "CSAPP_DATABASE_URL": url})


@pytest.mark.parametrize(
    "error", [DeskUnavailable("10.0.0.7 is away"), StoreError("10.0.0.7 is away"),
              OutcomeUnknown("10.0.0.7 is away")],
)  # fmt: skip
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/status"), ("GET", "/metrics"), ("POST", "/v1/waiter/logout"),
     ("GET", "/v1/search?q=word"), ("POST", "/v1/visitor/token"), ("GET", "/widget.js"),
     ("GET", "/waiter"), ("GET", "/readyz"), ("POST", "/v1/waiter/login")],
)  # fmt: skip
def test_whichever_view_meets_it_the_answer_is_503(app, monkeypatch, method, path, error, caplog):
    """In one place: a view of tomorrow is covered as well."""

    def fail(*_: object, **__: object) -> None:
        raise error

    views = {rule.rule: rule.endpoint for rule in app.url_map.iter_rules()}
    monkeypatch.setitem(app.view_functions, views[path.partition("?")[0]], marked(fail))
    answer = app.test_client().open(path, method=method)
    assert answer.status_code == 503
    assert answer.get_json()["code"] == "unavailable"
    assert "10.0.0.7" not in answer.text
    assert answer.headers["Retry-After"] == "5"


def test_what_is_a_bug_stays_one(app, monkeypatch):
    def fail() -> None:
        raise CSAppError("not one of those that pass")

    monkeypatch.setitem(app.view_functions, "csapp_api.status", fail)
    assert app.test_client().get("/v1/status").status_code == 500


# ---- web servers that cannot carry a chat ----------------------------------


SERVED = {"wsgi.multithread": True, "wsgi.multiprocess": False, "SERVER_SOFTWARE": "x"}


@pytest.mark.parametrize(
    ("environ", "fits"),
    [
        ({"gunicorn.socket": object()}, True),
        ({"werkzeug.socket": object()}, True),
        ({"gunicorn.socket": None}, False),
        ({}, False),  # waitress, CherryPy, mod_wsgi
        ({"uwsgi.version": b"2.0", "uwsgi.core": 1}, False),
        ({"uwsgi.version": b"2.0", "wsgi.multithread": False}, False),
        ({"gunicorn.socket": object(), "wsgi.multithread": False}, False),
        ({"gunicorn.socket": object(), "wsgi.multiprocess": True}, False),
    ],
)
def test_which_web_servers_can_carry_a_chat(environ, fits):
    environ = SERVED | environ
    assert (webserver.unfit(environ, shared=False) == "") is fits
    assert not webserver.is_test_client(environ)


@pytest.mark.parametrize(
    "environ",
    [
        {"wsgi.multithread": True},
        {"wsgi.multiprocess": True},  # Hypercorn, a2wsgi
        {"uwsgi.version": b"2.0"},  # --http-socket tells no port
    ],
)
def test_a_web_server_that_does_not_name_itself_is_no_test_client(environ):
    assert not webserver.is_test_client(environ)
    why = webserver.unfit(environ, shared=False)
    assert "keeps its sockets" in why, "one worker would not help"


def test_a_hosts_own_tests_get_tokens(app):
    """Flask's test client is no web server: there is no chat to be refused."""
    client = app.test_client()
    assert client.get("/readyz").status_code == 503
    assert client.post("/v1/visitor/token").status_code == 200


#: uWSGI as its documentation serves WebSockets
UWSGI = Path(sys.executable).with_name("uwsgi")


def command(kind: str) -> list[str]:
    gunicorn = [sys.executable, "-m", "gunicorn", "-c", "/dev/null", "--no-control-socket",
                "-b", "127.0.0.1:{port}"]  # fmt: skip
    return {
        "sync": [*gunicorn, "-k", "sync", "wsgi:app"],
        "two": [*gunicorn, "-k", "gevent", "-w", "2", "wsgi:app"],
        "waitress": [
            sys.executable, "-m", "waitress", "--listen=127.0.0.1:{port}", "--call",
            "csapp:create_app",
        ],
        "uwsgi": [
            str(UWSGI), "--http", "127.0.0.1:{port}", "--http-websockets", "--gevent", "100",
            "--master", "--module", "wsgi:app", "--pythonpath", str(ROOT), "-H", sys.prefix,
        ],
    }[kind]  # fmt: skip


NO_UWSGI = pytest.mark.skipif(not UWSGI.exists(), reason="no uWSGI here; setup/system.sh makes it")


@pytest.fixture(params=["sync", "two", "waitress", pytest.param("uwsgi", marks=NO_UWSGI)])
def unfit(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, LiveServer]]:
    env = {"CSAPP_DATABASE_URL": f"sqlite:///{tmp_path}/csapp.db"}
    ready = r"Listening at|Serving on|spawned uWSGI http"
    with LiveServer(command(request.param), env, ready=ready) as server:
        yield request.param, server


def test_an_unfit_web_server_says_so_everywhere(unfit):
    """No token for a chat that cannot be, and `/readyz` is red."""
    way, server = unfit
    why = {
        "sync": "one request at a time", "two": "CSAPP_REDIS_URL", "waitress": "waitress",
        "uwsgi": "uWSGI keeps its sockets; use gunicorn -k gevent",
    }[way]  # fmt: skip
    status, answer = asked(server, "GET", "/readyz")
    assert (status, answer["status"]) == (503, "unfit")
    assert why in answer["reason"]
    for path in ("/v1/visitor/token", "/v1/waiter/login"):
        status, answer = asked(server, "POST", path)
        assert (status, answer["code"]) == (503, "unavailable"), path
        assert why in answer["message"]
    status, answer = asked(server, "GET", USER)  # as somebody looks in a browser
    assert (status, answer["code"]) == (503, "unavailable")
    for _ in range(3):
        with Raw(server) as raw:
            raw.send(request(USER))
            head = raw.head()
            assert head.startswith("HTTP/1.1 503 "), head
            assert why in raw.body(head)
    server.wait_for_line("no chat is possible: ")
    assert "Traceback" not in server.log
    lines = re.findall(r"no chat is possible: (.*)", server.log)
    assert 1 <= len(lines) <= 2, "once for each worker, or at the start and at the first chat"
    if way == "uwsgi":
        assert server.log.index("no chat is possible") < server.log.index("spawned uWSGI worker")
