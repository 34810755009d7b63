"""The security log: one line an event, nothing forged, no flood, the same table in the docs."""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from csapp import create_app
from services.history import care, slices, tables
from services.history.opening import open_store
from services.history.sql import SQLStore
from services.security_log import BURST, LIMITED, Event, SecurityLog
from services.security_log import security as the_log
from testkit import Client, LiveServer
from testkit.server import ROOT, SECRET

from .history.people import BEGAN, keep, no_pause

WORD = "correct horse"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


class LoggedLines(logging.Handler):
    """Remembers the lines, whatever other tests have done to the loggers above."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []
        self.levels: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
        self.levels.append(record.levelname)


@pytest.fixture
def logged() -> Iterator[LoggedLines]:
    logger, handler = logging.getLogger("csapp.security"), LoggedLines()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.setLevel(logging.NOTSET)
    logger.removeHandler(handler)


@pytest.fixture
def log(clock: Clock, logged: LoggedLines) -> SecurityLog:
    return SecurityLog(now=clock)


def test_a_line_names_its_event_and_what_is_known(log, logged):
    log.record(Event.SIGN_IN, subject="ada", role="waiter", address="203.0.113.7")
    assert logged.messages == ["event=sign_in subject=ada role=waiter address=203.0.113.7"]
    assert logged.levels == ["INFO"]
    log.record(Event.EXPORT, by="command/root", count=0)
    assert logged.messages[1] == "event=export by=command/root count=0"


@pytest.mark.parametrize(
    "value",
    [
        "ada\nevent=sign_in subject=root",
        "ada\r",
        "\x1b[2Jada",
        "\x9b31m",
        "a b",
        'a"b',
        "a=b",
        "\u202egnp.ada",
        "\u2028",
        "\ud800",
        "\x7f",
        "王小明",
        "\0",
    ],
)
def test_nothing_that_a_client_writes_forges_a_line(log, logged, value):
    log.record(Event.SIGN_IN_FAILED, subject=value)
    (line,) = logged.messages
    assert re.fullmatch(r"[\x20-\x7e]+", line)
    assert json.loads(line.removeprefix("event=sign_in_failed subject=")) == value


def test_a_long_value_is_cut(log, logged):
    log.record(Event.ORIGIN_REFUSED, origin="x" * 100_000)
    assert len(logged.messages[0]) < 300


@pytest.mark.parametrize("event", sorted(LIMITED))
def test_a_flood_is_counted_instead_of_written(log, logged, clock, event):
    for _ in range(10 * BURST):
        log.record(event, address="203.0.113.7")
    assert len(logged.messages) == BURST
    clock.now += 1
    log.record(event, address="203.0.113.8")
    assert logged.messages[-1] == f"event={event} address=203.0.113.8 left_out={9 * BURST}"
    log.record(event, address="203.0.113.8")
    assert "left_out" not in logged.messages[-1]


def test_what_somebody_known_has_done_is_never_left_out(log, logged):
    for _ in range(3 * BURST):
        log.record(Event.SIGN_OUT, subject="ada")
    assert len(logged.messages) == 3 * BURST


def test_operations_has_the_same_events():
    page = (ROOT / "docs" / "operations.md").read_text()
    section = page.split("## The security log")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == [event.value for event in Event]


# ---- who writes it ---------------------------------------------------------


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    url = f"sqlite:///{tmp_path}/csapp.db"
    return create_app({"CSAPP_SECRET_KEY": SECRET, "CSAPP_DATABASE_URL": url})


def chat(app: Flask, *words: str, typed: str = "") -> None:
    done = app.test_cli_runner().invoke(args=["chat", *words], input=typed)
    assert done.exit_code == 0, done.output


def by_operator(logged: LoggedLines) -> list[str]:
    return [re.sub(r" by=command/\S+", " by=OPERATOR", line) for line in logged.messages]


def test_sign_ins_and_sign_outs(app: Flask, logged: LoggedLines):
    chat(app, "waiter", "add", "ada", "--password-stdin", typed=f"{WORD}\n")
    logged.messages.clear()
    web = app.test_client()
    for name, word in (("ada", "not her word"), ("my-secret-word", "x" * 8), ("Ada", WORD)):
        answer = web.post("/v1/waiter/login", json={"name": name, "password": word})
    token = answer.get_json()["token"]
    assert web.post(
        "/v1/waiter/logout", headers={"Authorization": f"Bearer {token}"}
    ).status_code == 204  # fmt: skip
    assert logged.messages == [
        "event=sign_in_failed subject=ada role=waiter address=127.0.0.1",
        "event=sign_in_failed role=waiter address=127.0.0.1",
        "event=sign_in subject=ada role=waiter address=127.0.0.1",
        "event=sign_out subject=ada role=waiter address=127.0.0.1",
    ]


def test_pages_of_other_origins(app: Flask, logged: LoggedLines):
    web, foreign = app.test_client(), {"Origin": "https://evil.example"}
    assert web.post("/v1/visitor/token", headers=foreign).status_code == 403
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    server = {"werkzeug.socket": object(), "wsgi.multithread": True}  # one that can carry a chat
    answer = web.get(
        "/v1/ws/user/connect", headers={**foreign, **upgrade}, environ_overrides=server
    )
    assert answer.status_code == 403
    assert logged.messages == [
        "event=origin_refused address=127.0.0.1 origin=https://evil.example reason=token",
        "event=origin_refused address=127.0.0.1 origin=https://evil.example reason=connection",
    ]


def test_commands(app: Flask, logged: LoggedLines, tmp_path: Path):
    chat(app, "waiter", "add", "ada", "--password-stdin", typed=f"{WORD}\n")
    chat(app, "waiter", "password", "ada", "--password-stdin", typed=f"{WORD} 2\n")
    chat(app, "waiter", "disable", "ada")
    chat(app, "waiter", "enable", "ada")
    chat(app, "revoke", "--sub", "ann")
    chat(app, "revoke", "--sid", "login-1")
    store = open_store(f"sqlite:///{tmp_path}/csapp.db")
    keep(store, 1, user="ann", waiter="zoe")
    store.close()
    chat(app, "export", "--person", "ann", "--output", str(tmp_path / "ann.json"))
    chat(app, "export", "--conversation", "1", "--output", str(tmp_path / "1.json"))
    chat(app, "erase", "--person", "ann", "--yes")
    assert by_operator(logged) == [
        "event=account_changed subject=ada by=OPERATOR reason=added",
        "event=account_changed subject=ada by=OPERATOR reason=password",
        "event=account_changed subject=ada by=OPERATOR reason=disabled",
        "event=account_changed subject=ada by=OPERATOR reason=enabled",
        "event=revoked subject=ann by=OPERATOR",
        'event=revoked by=OPERATOR reason="one login"',
        "event=export subject=ann by=OPERATOR",
        'event=export by=OPERATOR reason="conversation 1"',
        "event=erasure by=OPERATOR count=1 entries=2",
    ]


def test_what_is_too_old_and_deleted(app: Flask, logged: LoggedLines, tmp_path: Path):
    chat(app, "waiter", "list")  # makes the tables
    logged.messages.clear()
    store = open_store(f"sqlite:///{tmp_path}/csapp.db")
    for key in (1, 2):
        keep(store, key)
    care.daily(store, 0, BEGAN, pause=no_pause)
    care.daily(store, 7, BEGAN + 8 * care.DAY, pause=no_pause)
    keep(store, 3)
    store.close()
    chat(app, "sweep", "--older-than", "7")
    assert by_operator(logged) == [
        'event=erasure by=server reason="older than 7 days" count=2 entries=4',
        'event=erasure by=OPERATOR reason="older than 7 days" count=1 entries=2',
    ]


def test_entries_that_a_server_left_of_an_erased_conversation(
    app: Flask, logged: LoggedLines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """They are deleted, and so it is recorded; Redis holds traces of them as of any."""
    chat(app, "waiter", "list")  # makes the tables
    logged.messages.clear()
    cleaned: list[str] = []
    for command in ("sweep", "erase"):
        module = importlib.import_module(f"blueprints.cli.{command}")
        monkeypatch.setattr(module, "remove_traces_in_redis", lambda _, who: cleaned.append(who))
    with contextlib.closing(open_store(f"sqlite:///{tmp_path}/csapp.db")) as store:
        leave(store)
        care.daily(store, 7, BEGAN + 8 * care.DAY, pause=no_pause)
        leave(store)
        chat(app, "sweep", "--older-than", "7")
        leave(store)
        chat(app, "erase", "--person", "ada", "--yes")
    assert by_operator(logged) == [
        'event=erasure by=server reason="older than 7 days" count=0 entries=2',
        'event=erasure by=OPERATOR reason="older than 7 days" count=0 entries=2',
        "event=erasure by=OPERATOR count=0 entries=2",
    ]
    assert cleaned == ["", "ada"]


def leave(store: SQLStore) -> None:
    """Two texts of a conversation that is gone."""
    keep(store, 1)
    with slices.writing(store) as connection:
        connection.execute(sa.delete(tables.chat))


def test_a_person_of_whom_only_entries_are_left_is_looked_for_again(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    chat(app, "waiter", "list")  # makes the tables
    with contextlib.closing(open_store(f"sqlite:///{tmp_path}/csapp.db")) as store:
        erase, later = care.erase, [leave]

        def erase_while_a_server_writes(*args: Any, **options: Any) -> care.Erased:
            erased = erase(*args, **options)
            while later:
                later.pop()(store)
            return erased

        monkeypatch.setattr(care, "erase", erase_while_a_server_writes)
        leave(store)
        chat(app, "erase", "--person", "ada", "--yes")
        assert store.entries(1) == []


def test_a_host_signs_somebody_out(app: Flask, logged: LoggedLines):
    app.extensions["csapp"].revoke("42", "host")
    assert logged.messages == ["event=revoked subject=42 by=host"]


def test_tokens_on_connections():
    with LiveServer.gunicorn() as server:
        others = server.token("user", "bob")
        with Client(server, "user") as stranger:
            stranger.auth("not-a-token")
            stranger.receive()
            server.wait_for_line(
                r"event=token_refused role=user address=127.0.0.1 reason=invalid_token$"
            )
        with Client.user(server, "ann") as ann:
            ann.auth(others)
            ann.receive()
            server.wait_for_line(
                "event=renewal_refused subject=ann role=user address=127.0.0.1 "
                'reason="another subject"$'
            )
        assert others not in server.log


def test_there_is_one_log_for_a_process(logged: LoggedLines):
    the_log.record(Event.UNBANNED, subject="ann")
    assert logged.messages == ["event=unbanned subject=ann"]
