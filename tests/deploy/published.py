"""The files of `deploy/` as they are published, and their few places that a test must change."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from testkit.server import ROOT

DEPLOY = ROOT / "deploy"
PAGE = (ROOT / "docs" / "deploy.md").read_text()
EMBEDDING = (ROOT / "docs" / "embedding.md").read_text()


def replaced(text: str, changes: Mapping[str, str]) -> str:
    """*text* with each key of *changes*, which is in it just once, replaced."""
    for old, new in changes.items():
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        text = text.replace(old, new)
    return text


def block(language: str, page: str = PAGE) -> str:
    """The first block of *language* on the page."""
    found = re.search(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert found, language
    return found[1]


def unit() -> dict[str, str]:
    """The settings of the systemd unit; none that this needs is there twice."""
    lines = (DEPLOY / "csapp.service").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def unit_command(runtime: Path) -> list[str]:
    """What the unit starts, from this checkout and with its socket in *runtime*."""
    program, *args = shlex.split(unit()["ExecStart"])
    assert program == "/opt/csapp/.venv/bin/gunicorn"
    moved = {"/opt/csapp": str(ROOT), "/run/csapp": str(runtime)}
    text = replaced(shlex.join(args), moved)
    return [sys.executable, "-m", "gunicorn", *shlex.split(text)]


def of_gunicorn(name: str) -> float:
    """Seconds of the setting *name* in `gunicorn.conf.py`."""
    text = (ROOT / "gunicorn.conf.py").read_text()
    found = re.search(rf"^{name} = (\d+)\b", text, re.MULTILINE)
    assert found, name
    return float(found[1])
