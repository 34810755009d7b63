"""The package beside a host's own pins, the least that it asks for, and the newest."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from testkit.server import ROOT

from . import buckets
from .test_wheel import HOST, built

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]

#: what pip says where there is no index: that is no fault of what it was to install
NO_INDEX = r"Connection|Temporary failure|Read timed out|--no-index"


def asked() -> Iterator[Requirement]:
    """All that csapp asks for, with what its drivers and its test kit bring."""
    lines = [*PROJECT["dependencies"], *(one for some in EXTRAS.values() for one in some)]
    yield from map(Requirement, lines)


def least(requirement: Requirement) -> str:
    (bound,) = requirement.specifier
    assert bound.operator == ">=", f"{requirement}: a host may have any newer one"
    return bound.version


def pins(file: str) -> dict[str, Requirement]:
    """What a file of requirements pins, by name."""
    lines = (ROOT / file).read_text("utf-8").splitlines()
    texts = (re.sub(r"#.*|^-r .*", "", line).strip() for line in lines)
    return {canonicalize_name(one.name): one for one in map(Requirement, filter(None, texts))}


@pytest.mark.parametrize(
    ("what", "file"),
    [
        ("dependencies", "requirements.txt"),
        *((extra, "requirements-dev.txt" if extra == "test" else "requirements.txt")
          for extra in EXTRAS),
    ],
)  # fmt: skip
def test_what_is_pinned_is_within_what_is_asked_for(what, file):
    """And nothing is asked for that the standalone application, or its tests, do without."""
    pinned = pins(file)
    for one in map(Requirement, EXTRAS.get(what) or PROJECT["dependencies"]):
        pin = pinned[canonicalize_name(one.name)]
        (version,) = (each.version for each in pin.specifier)
        assert Version(version) in one.specifier, one
        assert one.extras <= pin.extras, one


def imported(file: Path) -> set[str]:
    """The distributions whose modules *file* imports."""
    nodes = list(ast.walk(ast.parse(file.read_text("utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in nodes
              if isinstance(node, ast.ImportFrom) and not node.level}  # fmt: skip
    tops = {name.partition(".")[0] for name in names}
    known = packages_distributions()
    others = tops - sys.stdlib_module_names - {"csapp", "blueprints", "services", "testkit"}
    return {canonicalize_name(known[top][0]) for top in others}


def brought(*extras: str) -> set[str]:
    """What csapp and these extras ask for by name."""
    lines = [*PROJECT["dependencies"], *(one for extra in extras for one in EXTRAS[extra])]
    return {canonicalize_name(Requirement(one).name) for one in lines}


@pytest.mark.parametrize(
    "file", sorted((ROOT / "testkit").glob("*.py")), ids=lambda file: file.stem
)
def test_the_test_kit_is_whole_with_its_extra(file):
    """Its databases need the extra that an application needs which uses them."""
    needs = {"postgres": ("postgresql",), "redis": ("redis",)}.get(file.stem, ())
    assert imported(file) <= brought("test", *needs)


@pytest.mark.parametrize(("extra", "modules"), [("postgresql", "history"), ("redis", "desk")])
def test_an_extra_brings_a_driver_that_nothing_else_brings(extra, modules):
    own = brought(extra) - brought()
    assert own & set().union(*map(imported, (ROOT / "services" / modules).glob("*.py")))
    assert not own & set().union(*(brought(other) for other in EXTRAS if other != extra))


def test_every_extra_is_documented_and_every_one_that_is_named_is_there():
    texts = [
        *ROOT.glob("README*.md"),
        *(ROOT / "docs").glob("*.md"),
        ROOT / "services" / "settings.py",
    ]
    said = "".join(file.read_text("utf-8") for file in texts)
    named = set(re.findall(r"csapp\[([a-z0-9]+)\]", said))
    assert named == set(EXTRAS)


@pytest.mark.timeout(600)  # a slow index
@pytest.mark.parametrize("end", ["least", "newest"])
def test_it_runs_with(end, tmp_path):
    wheel = built(ROOT, tmp_path)
    pins = tmp_path / "pins.txt"
    pins.write_text("".join(f"{one.name}=={least(one)}\n" for one in asked()))
    python = tmp_path / "venv" / "bin" / "python"
    venv.create(tmp_path / "venv", with_pip=False)  # the pip of this environment installs into it
    options = ["-c", str(pins)] if end == "least" else ["--upgrade"]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "--python",
            python,
            "install",
            "-q",
            "--no-compile",
            *options,
            f"{wheel}[postgresql,redis,s3,test]",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and re.search(NO_INDEX, done.stderr):
        pytest.skip(f"pip finds no index: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    host = shutil.copytree(HOST, tmp_path / "host", ignore=shutil.ignore_patterns("__pycache__"))
    with buckets.serving() as endpoint:
        done = subprocess.run(
            [python, "-m", "pytest", "-q", "ends_checks.py"],
            cwd=host,
            env={**os.environ, "BUCKET": buckets.made(endpoint, "files")},
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
        # what csapp itself builds on would take a minute to read, and is not what this is about
        [
            sys.executable,
            "-m",
            "mypy",
            "--no-incremental",
            "--no-site-packages",
            "--ignore-missing-imports",
            "shop.py",
        ],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "MYPYPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Incompatible types in assignment" in done.stdout, done.stdout + done.stderr
    assert (site / "csapp" / "py.typed").exists()
