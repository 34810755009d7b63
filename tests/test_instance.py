"""Nothing is written before it is needed, and what cannot be is said."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import urllib.error
from pathlib import Path

import pytest

from services import instance
from services.history.opening import open_store, own_store
from services.instance import SECRET_FILE, NoSecret, generated_secret
from services.settings import Settings
from testkit import Client, LiveServer, assert_receives
from testkit.server import ROOT, inherited

HOST = """
from flask import Flask, render_template_string
from csapp import CSApp, Identity
app = Flask({name!r}, instance_path={instance!r})
chat = CSApp(app, url_prefix="/support")
@chat.identify_visitor
def visitor(request):
    return "42"
@app.get("/")
def page():
    return render_template_string("the host's page {{{{ csapp_widget() }}}}")
@app.get("/health")
def health():
    return "ok"
"""


def host(folder: Path, name: str, instance: Path) -> str:
    """A Flask application in *folder*, with nothing but defaults; what gunicorn calls it."""
    (folder / f"{name}.py").write_text(HOST.format(name=name, instance=str(instance)))
    return f"{name}:app"


def served(folder: Path, name: str, instance: Path) -> LiveServer:
    env = {"CSAPP_DATABASE_URL": "", "CSAPP_SECRET_KEY": ""}
    app = host(folder, name, instance)
    return LiveServer.gunicorn(app, env, cwd=folder, prefix="/support", health="/healthz")


def run(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *args],
        cwd=folder,
        env={**inherited(), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def status(server: LiveServer, path: str) -> tuple[int, str]:
    try:
        return 200, server.get(path)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_importing_an_application_writes_nothing(tmp_path):
    host(tmp_path, "shop", tmp_path / "shop-data")
    for args in (["-c", "import shop"], ["-m", "flask", "--app", "shop", "routes"]):
        done = run(tmp_path, *args)
        assert done.returncode == 0, done.stderr
    assert {one.name for one in tmp_path.iterdir()} <= {"shop.py", "__pycache__"}


def test_two_applications_side_by_side_are_two(tmp_path):
    """A waiter of one reads no chat of the other."""
    with (
        served(tmp_path, "shop", tmp_path / "shop-data") as shop,
        served(tmp_path, "blog", tmp_path / "blog-data") as blog,
    ):
        for server in (shop, blog):
            assert json.loads(server.get("/readyz"))["status"] == "ready"
    for name in ("shop-data", "blog-data"):
        there = {one.name for one in (tmp_path / name).iterdir()}
        assert there >= {".gitignore", "csapp-secret", "csapp.db"}
    assert not (tmp_path / "instance").exists()


@pytest.fixture
def blocked(tmp_path: Path) -> Path:
    """An instance folder that nobody can make, root neither."""
    (tmp_path / "file").touch()
    return tmp_path / "file" / "instance"


def test_a_folder_that_cannot_be_written_to_stops_nothing_but_the_chat(tmp_path, blocked):
    with served(tmp_path, "shop", blocked) as server:
        server.url = server.url.removesuffix("/support")
        assert "the host's page" in server.get("/")
        code, answer = status(server, "/support/readyz")
        assert code == 503
        assert "CSAPP_" in json.loads(answer)["reason"] or "database" in answer
        for method, path in [("POST", "/v1/visitor/token"), ("GET", "/v1/status")]:
            with pytest.raises(urllib.error.HTTPError) as error:
                server.request(method, f"/support{path}")
            assert error.value.code == 503
        line = server.wait_for_line("no chat is possible")
        assert "csapp-secret" in line or "csapp.db" in line
        assert "CSAPP_" in line
        assert "Traceback" not in server.log


def test_a_command_says_it_in_one_line(tmp_path, blocked):
    host(tmp_path, "shop", blocked)
    for words, helps in [
        (["token", "--role", "user", "--sub", "ann"], "CSAPP_SECRET_KEY"),
        (["waiter", "list"], "CSAPP_DATABASE_URL"),
    ]:
        done = run(tmp_path, "-m", "flask", "--app", "shop", "chat", *words)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert done.stderr.startswith("Error: ")
        assert helps in done.stderr


def test_a_read_only_folder_is_enough_where_both_are_elsewhere(tmp_path, blocked):
    elsewhere = tmp_path / "data" / "chat.db"
    env = {"CSAPP_DATABASE_URL": f"sqlite:///{elsewhere}"}
    app = host(tmp_path, "shop", blocked)
    source = tmp_path / "shop.py"
    source.write_text(
        source.read_text().replace(
            "chat = ", "import os\napp.config.from_mapping(os.environ)\nchat = ", 1
        )
    )
    with LiveServer.gunicorn(app, env, cwd=tmp_path, prefix="/support") as server:
        assert json.loads(server.get("/readyz"))["status"] == "ready"
        with Client.user(server, "ann") as ann:
            ann.say("connect")
            assert_receives(ann, "connect_queue")
    assert elsewhere.exists()


@pytest.mark.parametrize("name", ["a b", "grün", "100%41", "100%", "who?", "a#1", "//twice"])
def test_the_default_database_is_in_the_folder_whatever_that_is_called(tmp_path, name):
    """Also where a URL has to escape the name, and where two slashes would name a host."""
    folder = Path(f"{tmp_path}/{name}")
    settings = Settings.load({"CSAPP_SECRET_KEY": "x" * 20}, folder)
    with contextlib.closing(own_store(settings)) as store:
        store.prepare()
    assert [one.name for one in folder.glob("*.db")] == ["csapp.db"]


def test_a_path_may_begin_with_two_slashes(tmp_path):
    with contextlib.closing(open_store(f"sqlite:////{tmp_path}/chat.db")) as store:
        store.prepare()
    assert (tmp_path / "chat.db").exists()


@pytest.mark.parametrize("what", [b"", b"short", b"\xff\xfe" * 20])
def test_a_secret_that_is_damaged_is_named(tmp_path, what, monkeypatch):
    monkeypatch.setattr(instance, "WRITTEN", 0.0)
    (tmp_path / SECRET_FILE).write_bytes(what)
    with pytest.raises(NoSecret, match="damaged"):
        generated_secret(tmp_path)
