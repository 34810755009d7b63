"""The package beside a host's own pins, the least that it asks for, and the newest."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from testkit.server import ROOT

from .test_wheel import HOST, built

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

#: what pip says where there is no index: that is no fault of what it was to install
NO_INDEX = r"Connection|Temporary failure|Read timed out|--no-index"


def asked() -> Iterator[Requirement]:
    """All that csapp asks for, with what its drivers and its test kit bring."""
    extras = PROJECT["optional-dependencies"].values()
    yield from map(
        Requirement, [*PROJECT["dependencies"], *(one for some in extras for one in some)]
    )


def least(requirement: Requirement) -> str:
    (bound,) = requirement.specifier
    assert bound.operator == ">=", f"{requirement}: a host may have any newer one"
    return bound.version


def test_what_is_pinned_is_within_what_is_asked_for():
    """And nothing is asked for that the standalone application does without."""
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    texts = (line.partition("#")[0].strip() for line in lines)
    pinned = {canonicalize_name(one.name): one for one in map(Requirement, filter(None, texts))}
    for one in asked():
        if one.name != "websocket-client":  # of the test kit
            pin = pinned[canonicalize_name(one.name)]
            (version,) = (each.version for each in pin.specifier)
            assert Version(version) in one.specifier, one
            assert one.extras <= pin.extras, one


@pytest.mark.timeout(600)  # a slow index
@pytest.mark.parametrize("end", ["least", "newest"])
def test_it_runs_with(end, tmp_path):
    wheel = built(ROOT, tmp_path)
    pins = tmp_path / "pins.txt"
    pins.write_text("".join(f"{one.name}=={least(one)}\n" for one in asked()))
    python = tmp_path / "venv" / "bin" / "python"
    venv.create(tmp_path / "venv", with_pip=True)
    options = ["-c", str(pins)] if end == "least" else ["--upgrade"]
    done = subprocess.run(
        [python, "-m", "pip", "install", "-q", *options, f"{wheel}[postgresql,redis,test]"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and re.search(NO_INDEX, done.stderr):
        pytest.skip(f"pip finds no index: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    host = shutil.copytree(HOST, tmp_path / "host", ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [python, "ends.py"],
        cwd=host,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_a_type_checker_of_a_host_believes_the_annotations(tmp_path):
    site = tmp_path / "site"
    wheel = built(ROOT, tmp_path)
    target = ["--no-index", "--no-deps", "-q", "--target", str(site)]
    subprocess.run([sys.executable, "-m", "pip", "install", *target, str(wheel)], check=True)
    (tmp_path / "shop.py").write_text(
        "from csapp import CSApp, Identity\nchat: CSApp = CSApp()\nwho: Identity = chat\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-incremental", "shop.py"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "MYPYPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Incompatible types in assignment" in done.stdout, done.stdout + done.stderr
    assert (site / "csapp" / "py.typed").exists()
