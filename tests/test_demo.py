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

from blueprints import password_hashing
from blueprints.demo.people import STILL_THERE, TOPICS
from blueprints.demo.shop import PIECES
from blueprints.demo.waiters import WAITERS
from csapp import create_app, create_demo
from services.history.accounts import Accounts
from services.identity import Identity, TokenRole
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


@pytest.fixture
def started(monkeypatch, tmp_path) -> list[tuple[list[str], dict[str, str]]]:
    """Commands and environments of the servers that a demo would become; in a folder of its own."""
    servers: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr("os.execve", lambda path, *rest: servers.append(rest))
    monkeypatch.chdir(tmp_path)
    return servers


def test_it_makes_two_waiters_and_tells_how_they_sign_in(started, app):
    first = chat(app, "demo", "--port", "8123").output
    logins = re.findall(r"name (\S+), password (.+)", first)
    assert len(logins) == 2
    shop = create_demo()
    for name, word in logins:
        assert sign_in(shop, name, word) == 200
    assert "http://127.0.0.1:8123/waiter\n" in first
    assert chat(app, "demo", "--port", "8123").output == first
    command, environment = started[0]
    assert command[-3:] == ["-b", "127.0.0.1:8123", "csapp:create_demo()"]
    assert environment["DEMO_WAITERS"] == "demo-ada demo-lin"
    chat(create_demo(), "waiter", "disable", logins[0][0])
    assert logins[0][1] not in chat(app, "demo").output
    assert started[-1][1]["DEMO_WAITERS"] == "demo-lin"


def sign_in(app: Flask, name: str, word: str) -> int:
    body = {"name": name, "password": word}
    return app.test_client().post("/v1/waiter/login", json=body).status_code


def test_what_the_demo_has_made_is_nothing_in_production(started, tmp_path):
    """`make demo`, then the real thing in the same folder."""
    assert chat(create_app(), "demo").exit_code == 0
    production, shop = create_app(), create_demo()
    demo, real = (tmp_path / "instance" / where for where in ("demo", "."))
    assert (demo / "csapp.db").exists()
    assert not (real / "csapp.db").exists()
    for waiter in WAITERS:
        assert sign_in(production, waiter.name, waiter.password) == 401
        assert sign_in(shop, waiter.name, waiter.password) == 200
    token = (
        create_demo()
        .extensions["csapp"]
        .server.tokens.sign(Identity("demo-ada", "", TokenRole.WAITER))
    )
    header = {"Authorization": f"Bearer {token}"}
    assert production.test_client().get("/v1/canned", headers=header).status_code == 401
    assert (demo / "csapp-secret").read_text() != (real / "csapp-secret").read_text()
    assert chat(production, "waiter", "list").output.startswith("There are no accounts")


@pytest.mark.parametrize("url", ["off", "postgresql://127.0.0.1:1/csapp", "sqlite:///real.db"])
def test_it_has_nothing_to_do_with_what_the_environment_names(started, monkeypatch, tmp_path, url):
    real = {
        "CSAPP_DATABASE_URL": url,
        "CSAPP_SECRET_KEY": SECRET,
        "CSAPP_REDIS_URL": "" if url == "off" else "redis://127.0.0.1:1",
        "CSAPP_AUDIENCE": "the real one",
        "CSAPP_MAX_QUEUE": "7",
    }
    for key, value in real.items():
        monkeypatch.setenv(key, value)
    said = chat(create_app(), "demo")
    assert said.exit_code == 0, said.output
    assert "The demo keeps to itself: CSAPP_DATABASE_URL, " in said.output
    _, environment = started[0]
    assert {key for key in environment if key.startswith("CSAPP_")} == {"CSAPP_MAX_QUEUE"}
    assert not (tmp_path / "real.db").exists()
    assert (tmp_path / "instance" / "demo" / "csapp.db").exists()


def test_the_doctor_names_what_an_older_demo_has_left_behind(app):
    store = app.extensions["csapp"].store()
    for waiter in WAITERS:
        Accounts(store, password_hashing.HASHING).add(waiter.name, waiter.password)
    Accounts(store, password_hashing.HASHING).disable(WAITERS[1].name)
    store.close()
    found = chat(app, "doctor").output
    assert f"the account {WAITERS[0].name} has a password that everybody can read" in found
    assert WAITERS[1].name not in found
    assert WAITERS[0].password not in found


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


def come_and_go(server: LiveServer, *options: str, count: int = 7) -> subprocess.Popen[bytes]:
    """*count* at once, a hundred times as quick as people."""
    command = [sys.executable, "-m", "blueprints.demo.visitors", server.url, "http://shop"]
    crowd = subprocess.Popen(
        [*command, str(count), "--pace", "0.01", *options], stdin=subprocess.PIPE, cwd=ROOT
    )
    tokens = [server.token("user", f"visitor-{number}") for number in range(2 * count)]
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
        assert said in known, "\n".join(said)
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


def test_a_visitor_does_not_answer_what_another_connection_of_its_own_says(server):
    others = [Client.user(server, f"visitor-{number}") for number in range(2)]
    said: list[str] = []
    with Client.waiter(server, "ada") as ada:
        ada.say("ready")
        crowd = come_and_go(server, "--patience", "0.05", count=1)
        while not said or said[-1] not in STILL_THERE:
            frame = ada.receive()
            if frame["type"] != "message_text":
                continue
            said.append(frame["payload"]["message"])
            if len(said) == 1:
                for other in others:  # one of them is in this chat
                    other.text("It is me.")
    assert said[0] in [topic.question for topic in TOPICS]
    assert said[1:-1] == ["It is me."]
    for other in others:
        other.leave()
    crowd.stdin.close()
    assert crowd.wait(PATIENCE) == 0


def test_they_are_gone_with_their_server(env, tmp_path):
    command = [sys.executable, "-m", "flask", "--app", "csapp", "chat", "demo", "--visitors", "2"]
    with LiveServer([*command, "--port", "{port}"], env, cwd=tmp_path) as server:
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
        crowd = [
            int(pid)
            for pid in children.read_text().split()
            if b"blueprints.demo.visitors" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        assert len(crowd) == 1
        end = os.pidfd_open(crowd[0])
        assert "Morrow Clay" in server.get("/")
        server.wait_for_line("Visitors  2 come")
    assert select.select([end], [], [], PATIENCE)[0], "they are still there"
    os.close(end)
    assert "Traceback" not in server.log
