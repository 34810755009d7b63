"""The systemd unit: understood by systemd, and what it starts can stop in time."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from services.settings import Settings
from testkit.server import ROOT

from .published import DEPLOY, of_gunicorn, unit

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing"
)


@needs_systemd
def test_systemd_understands_it_and_finds_it_well_closed_in(tmp_path):
    there = tmp_path / "csapp.service"
    text = (DEPLOY / "csapp.service").read_text()
    # where it is installed nothing is yet
    text = text.replace("/opt/csapp/.venv/bin/gunicorn", sys.executable)
    there.write_text(text.replace("file:///opt/csapp/docs/deploy.md", f"file://{ROOT}"))
    command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(there)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    limits = ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(there)]
    done = subprocess.run(limits, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-300:]


def test_it_waits_for_the_drain_and_allows_the_connections():
    settings = unit()
    assert float(settings["TimeoutStopSec"]) > of_gunicorn("graceful_timeout")
    assert settings["KillMode"] == "mixed", "only gunicorn's first process is told to stop"
    connections = Settings.load({"CSAPP_SECRET_KEY": "0123456789abcdef"}).max_connections
    assert int(settings["LimitNOFILE"]) > 2 * connections


def test_nobody_but_the_proxy_reaches_the_socket():
    settings = unit()
    assert settings["RuntimeDirectoryMode"] == "0750"
    assert settings["StateDirectoryMode"] == "0700"
    assert settings["WorkingDirectory"] == f"/var/lib/{settings['StateDirectory']}"
    assert f"unix:/run/{settings['RuntimeDirectory']}/" in settings["ExecStart"]
