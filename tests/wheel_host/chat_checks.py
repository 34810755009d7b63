"""What the host checks with csapp's own kit, run by `tests/test_wheel.py` where only the wheel is.

Everything is looked at through the servers and commands that the host would use.
"""

from __future__ import annotations

import json
import re
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin
from urllib.request import urlopen

import pytest
from csapp.testkit import LiveServer, assert_receives
from csapp.testkit.server import PATIENCE, SECRET
from talks import chat, talk

pytest_plugins = ["csapp.testkit.plugin"]

HOST = Path(__file__).parent
SERVED = "-c python:csapp.gunicorn_conf wsgi:app"


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    database = tmp_path_factory.mktemp("database") / "chat.db"
    return {"CSAPP_SECRET_KEY": SECRET, "CSAPP_DATABASE_URL": f"sqlite:///{database}"}


@pytest.fixture(scope="session")
def host(settings: dict[str, str]) -> Iterator[LiveServer]:
    with LiveServer.gunicorn("wsgi:app", settings, prefix="/support") as server:
        yield server


def get(server: LiveServer, address: str) -> str:
    """A page of the host's, or a file."""
    with urlopen(f"http://127.0.0.1:{server.port}{address}", timeout=PATIENCE) as response:
        text: str = response.read().decode()
        return text


# ---- served by gunicorn ----------------------------------------------------


def test_visitor_and_waiter_talk(host: LiveServer):
    talk(host)


def test_the_host_says_who_its_waiters_are(host: LiveServer):
    told = json.loads(host.post("/v1/waiter/login", X_Staff="ada"))
    assert told["name"] == "Ada of the host"


def test_nothing_is_mixed_up(host: LiveServer):
    process = json.loads(get(host, "/process"))
    assert {"blueprints", "services.identity", "wsgi"} <= set(process["own"])
    assert {str(HOST)} == {file[: len(str(HOST))] for file in process["own"].values()}
    assert not process["csapp"].startswith(str(HOST))


def test_gevent_patches_first_and_workers_have_code_of_their_own(host: LiveServer):
    """Else psycopg would stop the loop, and SIGHUP would bring no new code."""
    process = json.loads(get(host, "/process"))
    assert process["patched"]
    assert not process["psycopg_blocks"]
    assert json.loads(get(host, "/inherited")) == ["csapp", "csapp.gunicorn_conf"]


def loaded(server: LiveServer, page: str) -> dict[str, str]:
    """Scripts, sheets and icons of *page*, and the modules that they load, by their addresses."""
    found: dict[str, str] = {}
    named = re.findall(r'(?:src|href)="(/[^"]+\.(?:js|css|svg))"', get(server, page))
    while named:
        address = named.pop()
        if address not in found:
            found[address] = get(server, address)
            modules = re.findall(r'from "(\..+)";$', found[address], re.MULTILINE)
            named += [urljoin(address, module) for module in modules]
    return found


def test_the_widget(host: LiveServer):
    assert list(loaded(host, "/")) == ["/support/widget.js"]
    for part in ("panel.js", "panel.css", "csapp-client.js", "locales/zh.json"):
        assert host.get(f"/csapp-static/widget/{part}")


def test_the_console(host: LiveServer):
    parts = {address.rpartition("/")[2] for address in loaded(host, "/support/waiter")}
    assert {"main.js", "preact.js", "desk.css", "conversation.js"} <= parts


# ---- its commands ----------------------------------------------------------


def test_commands(settings: dict[str, str]):
    chat(settings, "migrate")
    assert "ada" in chat(settings, "waiter", "add", "ada", "--generate")


def test_the_doctor_has_nothing_against_how_it_is_served(settings: dict[str, str]):
    safe = {**settings, "CSAPP_SECRET_KEY": secrets.token_hex(32)}
    told = json.loads(chat(safe, "doctor", "--json", "--gunicorn", SERVED))
    assert told["ok"]
    assert not [one for one in told["findings"] if re.search("patch|drain|worker", one["what"])]


# ---- without a host --------------------------------------------------------


def test_standalone(join):
    """The kit's own server: csapp's `wsgi`, not the one in this folder."""
    ann = join("user", "ann")
    assert "The host's own page" not in ann.server.get("/")
    ann.say("connect")
    assert_receives(ann, "connect_queue")


def test_demo(settings: dict[str, str]):
    command = "-m flask --app csapp chat demo --port {port} --visitors 20"
    with LiveServer([sys.executable, *command.split()], settings) as server:
        assert "svg" in server.get("/demo-static/sign.svg")
        server.wait_for_line("connect role=user")
