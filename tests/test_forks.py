"""A server that begins as a fork is as one that has begun by itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from testkit import LiveServer
from testkit.ports import free_port

from . import forks


def said(monkeypatch, popen, port: int, tmp_path) -> dict:
    monkeypatch.setattr(LiveServer, "popen", staticmethod(popen))
    env = {"CSAPP_GRACE": "7"}
    with LiveServer.gunicorn(
        "tests.begun:app", env, health="/", port=port, cwd=tmp_path, args=["-w", "1"]
    ) as server:
        return json.loads(server.get("/"))


def test_a_fork_has_nothing_of_what_it_is_a_fork_of(monkeypatch, tmp_path):
    monkeypatch.setenv("A_LATER_ONE", "yes")
    port = free_port()
    alone = said(monkeypatch, subprocess.Popen, port, tmp_path)
    fork = said(monkeypatch, forks.popen, port, tmp_path)
    assert alone["environ"]["A_LATER_ONE"] == "yes"
    assert alone["environ"]["CSAPP_GRACE"] == "7"
    assert fork == alone


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


def test_another_program_begins_as_ever():
    done = forks.popen([sys.executable, "-c", "raise SystemExit(3)"])
    assert done.wait() == 3


def test_a_command_says_what_it_says(tmp_path):
    def done(*words: str, begin: Any) -> tuple[int, str, str]:
        env = {"CSAPP_SECRET_KEY": "a-secret-for-tests-only-0123456789"}
        found = begin("flask", "--app", "csapp", "chat", *words, cwd=tmp_path, env=env)
        return found.returncode, found.stdout, found.stderr

    def alone(*words: str, cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
        around = {**os.environ, "PYTHONPATH": str(forks.ROOT), **env}
        command = [sys.executable, "-m", *words]
        return subprocess.run(
            command, cwd=cwd, env=around, capture_output=True, text=True, check=False
        )

    for words in (("token", "--help"), ("token",), ("nothing",)):
        assert done(*words, begin=forks.run) == done(*words, begin=alone)
