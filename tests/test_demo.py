"""`make demo`: its logins, its shop, and the visitors who come by themselves."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from blueprints.demo.people import STILL_THERE, TOPICS
from blueprints.demo.shop import PIECES
from csapp import create_app, create_demo
from testkit import Client, LiveServer
from testkit.server import PATIENCE, ROOT, SECRET


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"CSAPP_SECRET_KEY": SECRET, "CSAPP_DATABASE_URL": f"sqlite:///{tmp_path}/csapp.db"}


@pytest.fixture
def app(env: dict[str, str]) -> Flask:
    return create_app(env)


def chat(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=["chat", *words])


# ---- logins ----------------------------------------------------------------


def test_it_makes_two_waiters_and_tells_how_they_sign_in(app, env, monkeypatch):
    started: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr("os.execve", lambda path, *rest: started.append(rest))
    first = chat(app, "demo", "--port", "8123").output
    logins = re.findall(r"name (\S+), password (.+)", first)
    assert len(logins) == 2
    for name, word in logins:
        body = {"name": name, "password": word}
        shop = create_demo(env)
        assert shop.test_client().post("/v1/waiter/login", json=body).status_code == 200
    assert "http://127.0.0.1:8123/waiter\n" in first
    assert chat(app, "demo", "--port", "8123").output == first
    command, environment = started[0]
    assert command[-3:] == ["-b", "127.0.0.1:8123", "csapp:create_demo()"]
    assert environment["DEMO_WAITERS"] == "demo-ada demo-lin"
    chat(app, "waiter", "disable", logins[0][0])
    assert logins[0][1] not in chat(app, "demo").output
    assert started[-1][1]["DEMO_WAITERS"] == "demo-lin"


def test_it_puts_known_passwords_into_no_other_database(monkeypatch):
    started: list[dict[str, str]] = []
    monkeypatch.setattr("os.execve", lambda path, command, environ: started.append(environ))
    for url in ("off", "postgresql://127.0.0.1:1/csapp"):
        app = create_app({"CSAPP_SECRET_KEY": SECRET, "CSAPP_DATABASE_URL": url})
        said = chat(app, "demo")
        assert said.exit_code == 0, said.output
        assert "password" not in said.output
        assert said.output.count("/waiter#token=") == 2
        assert started[-1]["DEMO_WAITERS"] == ""


# ---- the shop --------------------------------------------------------------


def test_the_shop_shows_the_passwords_that_are_good_and_no_others(env, monkeypatch):
    for shown, expected in (("demo-lin", [False, True]), ("", [False, False])):
        monkeypatch.setenv("DEMO_WAITERS", shown)
        page = create_demo(env).test_client().get("/").text
        assert [word in page for word in ("ada-at-the-desk", "lin-at-the-desk")] == expected


def test_every_piece_has_a_page_and_a_drawing(env):
    client = create_demo(env).test_client()
    for piece in PIECES:
        page = client.get(f"/pieces/{piece.slug}")
        assert piece.text in page.text
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        drawing = client.get(f"/demo-static/pieces/{piece.slug}.svg")
        assert drawing.mimetype == "image/svg+xml"
    assert client.get("/pieces/none").status_code == 404
    assert {topic.page for topic in TOPICS} <= {"/", *(f"/pieces/{one.slug}" for one in PIECES)}


def test_the_shop_is_the_demos_alone(app):
    assert "Morrow Clay" not in app.test_client().get("/").text
    assert app.test_client().get("/pieces/dawn-mug").status_code == 404


# ---- visitors --------------------------------------------------------------


@pytest.fixture
def server(env):
    with LiveServer.gunicorn(env={**env, "CSAPP_MESSAGE_RATE": "0"}) as started:
        yield started


def come_and_go(server: LiveServer, *options: str) -> subprocess.Popen[bytes]:
    """Seven at once, a hundred times as quick as people."""
    command = [sys.executable, "-m", "blueprints.demo.visitors", server.url, "http://shop", "7"]
    crowd = subprocess.Popen(
        [*command, "--pace", "0.01", *options], stdin=subprocess.PIPE, cwd=ROOT
    )
    tokens = [server.token("user", f"visitor-{number}") for number in range(14)]
    crowd.stdin.write("".join(f"{token}\n" for token in [*tokens, ""]).encode())
    crowd.stdin.flush()
    return crowd


def whole_chats(server: LiveServer, count: int, answer: str = "") -> list[list[str]]:
    """What visitors said in the first *count* chats in which they spoke and then left."""
    chats: dict[str, list[str]] = {}
    whole = []
    with Client.waiter(server, "ada") as ada:
        ada.say("ready")
        while len(whole) < count:
            frame = ada.receive()
            who = frame.get("from", "")
            if frame["type"] == "new_connection":
                chats[frame["payload"]["uuid"]] = []
            elif frame["type"] == "message_text":
                chats[who].append(frame["payload"]["message"])
                if answer:
                    ada.text(answer, to=who)
            elif frame["type"] == "disconnected" and chats.get(who):
                whole.append(chats.pop(who))
    return whole


def test_visitors_ask_wait_answer_and_go(server):
    crowd = come_and_go(server)
    known = [[topic.question, *topic.replies] for topic in TOPICS]
    for said in whole_chats(server, 20, answer="Let me see."):
        assert said in known
    crowd.stdin.close()
    assert crowd.wait(PATIENCE) == 0


def test_visitors_without_an_answer_ask_once_more_and_leave(server):
    crowd = come_and_go(server, "--patience", "0.01")
    questions = [topic.question for topic in TOPICS]
    for asked, *further in whole_chats(server, 8):
        assert asked in questions
        assert len(further) == 1
        assert further[0] in STILL_THERE
    crowd.stdin.close()
    assert crowd.wait(PATIENCE) == 0


def test_they_are_gone_with_their_server(env):
    command = [sys.executable, "-m", "flask", "--app", "csapp", "chat", "demo", "--visitors", "2"]
    with LiveServer([*command, "--port", "{port}"], env) as server:
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
        crowd = [
            int(pid)
            for pid in children.read_text().split()
            if b"blueprints.demo.visitors" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        assert len(crowd) == 1
        end = os.pidfd_open(crowd[0])
        assert "Morrow Clay" in server.get("/")
        assert "Visitors  2 come" in server.log
    assert select.select([end], [], [], PATIENCE)[0], "they are still there"
    os.close(end)
    assert "Traceback" not in server.log
