"""hosts.md row 14: a run of a host's tests with the kit leaves the host's database alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from testkit import LiveServer
from testkit.server import ROOT

HOST = """
from flask import Flask
from csapp import CSApp
app = Flask("shop", instance_path={instance!r})
app.config.update({config!r})
CSApp(app, url_prefix="/support")
"""

TESTS = """
import pytest
from csapp.testkit import Client, LiveServer, assert_receives
from shop import app

@pytest.fixture(scope="session")
def live_server():
    with LiveServer.gunicorn("shop:app", prefix="/support") as server:
        yield server

def test_a_chat_with_a_history(live_server, join):
    ada, ann = join("waiter", "ada"), join("user", "ann")
    ada.ready()
    ann.say("connect")
    assert_receives(ann, "connect_success", uuid=ada.uuid)
    assert "csapp_history_available 1" in live_server.get("/metrics")

def test_in_this_process():
    assert app.test_client().post("/support/v1/visitor/token").status_code == 200
    assert app.test_client().get("/support/v1/status").status_code == 200
"""


def host(folder: Path, **config: str) -> Path:
    """A shop with its own database, real and there, which nobody may touch; its folder."""
    instance = folder / "shop-instance"
    instance.mkdir()
    (folder / "shop.py").write_text(HOST.format(instance=str(instance), config=config))
    (folder / "conftest.py").write_text('pytest_plugins = ["testkit.plugin"]\n')
    (folder / "test_shop.py").write_text(TESTS.replace("csapp.testkit", "testkit"))
    return instance


def run_tests(folder: Path, *args: str) -> None:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("TESTKIT_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *args, "test_shop.py"],
        cwd=folder,
        env={**inherited, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_database_in_the_instance_folder_is_not_touched(tmp_path):
    instance = host(tmp_path)
    run_tests(tmp_path)
    assert list(instance.iterdir()) == []


def test_a_served_application_does_not_get_its_configured_database(tmp_path):
    real = tmp_path / "real.db"
    secret = "the-real-secret-of-the-shop"
    host(tmp_path, CSAPP_DATABASE_URL=f"sqlite:///{real}", CSAPP_SECRET_KEY=secret)
    run_tests(tmp_path, "-k", "history")
    assert not real.exists()


def test_it_is_used_where_the_test_says_so(tmp_path):
    real, named = tmp_path / "real.db", tmp_path / "named.db"
    host(tmp_path, CSAPP_DATABASE_URL=f"sqlite:///{real}")
    for url, used in [(f"sqlite:///{named}", named), ("", real)]:
        env = {"CSAPP_DATABASE_URL": url}
        with LiveServer.gunicorn("shop:app", env, cwd=tmp_path, prefix="/support") as server:
            assert "ready" in server.get("/readyz")
        assert used.exists()


@pytest.mark.parametrize("attribute", ["sqlite:///{folder}/csapp.db"])
def test_its_own_database_goes_with_the_server(tmp_path, monkeypatch, attribute):
    monkeypatch.setattr(LiveServer, "database", attribute)
    host(tmp_path)
    with LiveServer.gunicorn("shop:app", cwd=tmp_path, prefix="/support") as server:
        assert "csapp_history_available 1" in server.get("/metrics")
        assert (Path(server._folder.name) / "csapp.db").exists()
    assert not Path(server._folder.name).exists()
