"""A server that begins as a fork is as one that has begun by itself."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from testkit import LiveServer
from testkit.ports import free_port

from . import forks
from .conftest import LONGEST, STARTED_ALONE


def said(monkeypatch, popen, serve, **options: Any) -> dict:
    monkeypatch.setattr(LiveServer, "popen", staticmethod(popen))
    env = {"CSAPP_GRACE": "7", "CSAPP_FILES_URL": "off"}  # or each has a folder of its own
    with serve("tests.begun:app", env, health="/", **options) as server:
        return json.loads(server.get("/"))


@pytest.mark.parametrize("serve", [LiveServer.gunicorn, LiveServer.flask], ids=forks.PROGRAMS)
def test_a_fork_has_nothing_of_what_it_is_a_fork_of(monkeypatch, serve, tmp_path):
    monkeypatch.setenv("AN_EARLIER_ONE", "yes")
    forking = forks.ForkServer(serve.__name__)
    monkeypatch.delenv("AN_EARLIER_ONE")
    monkeypatch.setenv("A_LATER_ONE", "yes")

    def fork(command: list[str], **options: Any) -> Any:
        return forking.start(command[3:], options["cwd"], options["env"])

    def alone(command: list[str], **options: Any) -> Any:
        return subprocess.Popen(command, **options, stdin=subprocess.DEVNULL)

    options = {"port": free_port(), "cwd": tmp_path}
    found = said(monkeypatch, fork, serve, **options)
    assert found == said(monkeypatch, alone, serve, **options)
    assert found["environ"]["A_LATER_ONE"] == "yes"
    assert found["environ"]["CSAPP_GRACE"] == "7"
    forking.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_its_end_is_known(monkeypatch, number):
    monkeypatch.setattr(LiveServer, "popen", staticmethod(forks.popen))
    with LiveServer.gunicorn("tests.echo:app", health="/") as server:
        assert server.process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(0)
        server.signal(number)
        assert server.wait() == (0 if number == signal.SIGTERM else -signal.SIGKILL)
        assert server.process.poll() == server.process.returncode


def test_what_cannot_start_says_why(monkeypatch):
    monkeypatch.setattr(LiveServer, "popen", staticmethod(forks.popen))
    with pytest.raises(AssertionError, match="unrecognized arguments: --nonsense"):
        LiveServer.gunicorn(args=["--nonsense"])


def test_a_command_that_does_not_end_is_ended(tmp_path):
    (tmp_path / "slow.py").write_text("input_that_never_comes = __import__('signal').pause()")
    with pytest.raises(subprocess.TimeoutExpired):
        forks.run("flask", "--app", "slow", "routes", cwd=tmp_path, env={}, timeout=0.1)


def test_a_fork_server_that_has_ended_is_started_again(monkeypatch):
    monkeypatch.setattr(forks, "_servers", {})  # servers that other tests share go on
    first = forks.server("flask")
    first.close()
    assert forks.server("flask") is not first
    assert forks.run("flask", "--help", env={}).returncode == 0
    forks.close()


def test_the_files_that_are_named_are_there():
    tests = Path(__file__).parent
    assert [name for name in (*LONGEST, *STARTED_ALONE) if not (tests / name).exists()] == []


def test_another_program_begins_as_ever():
    done = forks.popen([sys.executable, "-c", "raise SystemExit(3)"])
    assert done.wait() == 3


def test_a_command_says_what_it_says(tmp_path):
    def done(*words: str, begin: Any) -> tuple[int, str, str]:
        env = {"CSAPP_SECRET_KEY": "a-secret-for-tests-only-0123456789"}
        found = begin("flask", "--app", "csapp", "chat", *words, cwd=tmp_path, env=env)
        return found.returncode, found.stdout, found.stderr

    for words in (("token", "--help"), ("token",), ("nothing",)):
        assert done(*words, begin=forks.run) == done(*words, begin=forks.run_alone)
