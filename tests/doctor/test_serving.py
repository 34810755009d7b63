"""What gunicorn would do: found out by gunicorn itself, told by the command."""

from __future__ import annotations

import json
import resource
import secrets
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from blueprints.cli.doctor import serving
from services.doctor import Level
from services.history.opening import open_store
from testkit.server import ROOT, inherited

from .. import forks
from .conftest import SERVING, says

KEY = secrets.token_hex(32)

#: all wrong
CARELESS = """\
import psycopg
import psycopg2

workers = 2
worker_class = "gevent"
preload_app = True
bind = ["127.0.0.1:8000"]
graceful_timeout = 1
max_requests = 500
"""

#: an application that does not read the environment
HOST = """\
from flask import Flask
from csapp import CSApp

app = Flask(__name__)
app.config["CSAPP_SECRET_KEY"] = {key!r}
app.config["CSAPP_DATABASE_URL"] = "off"
CSApp(app)
"""


def run(
    *args: str, app: str = "csapp", cwd: Path = ROOT, files: int | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    """The command, with these settings and so many open files at most."""
    settings = {"CSAPP_SECRET_KEY": KEY, "CSAPP_TRUSTED_PROXIES": "1", **env}

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    words = ["--app", app, "chat", "doctor", *args]
    if not files:
        return forks.run("flask", *words, cwd=cwd, env=settings)
    return subprocess.run(
        [sys.executable, "-m", "flask", *words],
        cwd=cwd,
        env={**inherited(), "PYTHONPATH": str(ROOT), **settings},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        preexec_fn=limit,
    )


def told(done: subprocess.CompletedProcess[str]) -> list[tuple[str, str]]:
    """Level and text of each finding."""
    assert not done.stderr
    found = json.loads(done.stdout)
    findings = [(one["level"], one["what"]) for one in found["findings"]]
    assert found["ok"] == (done.returncode == 0) == ("fault" not in dict(findings))
    return findings


def test_a_good_set_up_of_several_workers(postgres, redis_server):
    url = postgres.database()
    with closing(open_store(url)) as store:
        store.migrate()
    env = {"CSAPP_DATABASE_URL": url, "CSAPP_REDIS_URL": redis_server.url, "WEB_CONCURRENCY": "2"}
    done = run("--gunicorn", "wsgi:app", **env)
    assert (done.stdout, done.returncode) == ("Nothing to complain about.\n", 0)


def test_all_that_a_configuration_can_do_wrong(tmp_path):
    (tmp_path / "gunicorn.conf.py").write_text(CARELESS)
    (tmp_path / "host.py").write_text(HOST.format(key=KEY))
    args = ["--gunicorn", "host:app"]
    where = {"app": "host:app", "cwd": tmp_path, "CSAPP_TRUSTED_PROXIES": "0"}
    found = told(run("--json", *args, files=1000, **where))
    expected = [
        ("fault", "2 workers without CSAPP_REDIS_URL"),
        ("fault", "preload_app imports the application before gevent patches"),
        ("warning", "psycopg is not patched"),
        ("warning", "psycopg2 is not patched"),
        ("warning", "workers that stop do not wait for their clients"),
        ("warning", "graceful_timeout is 1 s"),
        ("warning", "max_requests is 500"),
        ("hint", "gunicorn is reached from this machine only"),
        ("warning", "CSAPP_DATABASE_URL is 'off'"),
        ("warning", "a process may have 1000 open files"),
    ]
    expected.sort(key=lambda one: ["fault", "warning", "hint"].index(one[0]))
    assert [level for level, _ in found] == [level for level, _ in expected]
    for (_, what), (_, words) in zip(found, expected, strict=True):
        assert what.startswith(words), what
    text = run(*args, files=1000, **where)
    assert text.returncode == 1
    lines = text.stdout.splitlines()
    assert lines[0].startswith("fault    2 workers without CSAPP_REDIS_URL are separate desks")
    assert lines[1].startswith("         → set CSAPP_REDIS_URL")
    assert lines[-1] == "2 faults, 7 warnings, 1 hint"


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ("-k sync", [("fault", "sync workers cannot carry chats")]),
        ("-k gthread --threads 4", [("warning", "each chat takes one of the gthread worker's")]),
        ("-k gevent_pywsgi", []),
        ("-k nonsense", [("fault", "gunicorn would not start: RuntimeError: class uri")]),
        ("nowhere:app", [("fault", "gunicorn could not import the application: ModuleNotFound")]),
        ("-c nowhere.py", [("fault", "gunicorn would not start: Error: 'nowhere.py' doesn't exi")]),
        ("--nonsense", [("fault", "gunicorn would not start: ")]),
        ("-b 0.0.0.0:8000", [("hint", "CSAPP_TRUSTED_PROXIES is 1, and gunicorn listens")]),
        ("--preload wsgi:app", []),  # it patches itself
    ],
)
def test_what_gunicorn_is_told(sick, monkeypatch, args, expected):
    monkeypatch.chdir(ROOT)
    found = sick(serving=serving(args))
    assert len(found) == len(expected), found
    for one, (level, words) in zip(found, expected, strict=True):
        assert (one.level, one.what[: len(words)]) == (level, words)


def test_nothing_says_how_it_is_served(tmp_path):
    found = told(run("--json", cwd=tmp_path))
    assert [(level, what[:29]) for level, what in found] == [
        ("warning", "there is no gunicorn.conf.py here"[:29])
    ]


def test_redis_for_the_application_but_not_for_gunicorn(sick):
    found = sick(redis_url="redis://127.0.0.1", serving=replace(SERVING, workers=2))
    says(found, Level.WARNING, "CSAPP_REDIS_URL is not in the environment")


def test_the_environment_alone_does_not_make_one_desk(tmp_path, redis_server):
    (tmp_path / "host.py").write_text(HOST.format(key=KEY))
    args = ["--json", "--gunicorn", f"-c {ROOT}/gunicorn.conf.py -w 2"]
    env = {"CSAPP_REDIS_URL": redis_server.url}
    found = told(run(*args, app="host:app", cwd=tmp_path, **env))
    assert found[0][1].startswith("2 workers without CSAPP_REDIS_URL")
    assert any(what.startswith("CSAPP_REDIS_URL is in the env") for _, what in found)


def test_a_setting_that_is_no_more_stops_it_and_is_named():
    done = run(CSAPP_PRESENCE="1")
    assert done.returncode != 0
    assert "CSAPP_PRESENCE" in done.stderr.splitlines()[-1]
