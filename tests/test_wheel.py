"""The wheel: complete, and at home in an application that has folders of the same names."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import csapp
from blueprints import app
from testkit.server import ROOT

HOST = Path(__file__).with_name("wheel_host")
FOLDERS = ("blueprints", "services", "testkit")


def python(*args: str, cwd: Path, **env: str) -> None:
    """A program of the tests' interpreter that must do its work; nothing of here is on its path."""
    inherited = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "CSAPP_SECRET_KEY")}
    done = subprocess.run(
        [sys.executable, "-m", *args],
        cwd=cwd,
        env={**inherited, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def built(source: Path, folder: Path) -> Path:
    """The wheel of *source*, a checkout or an sdist, made without a network."""
    options = ["--no-index", "--no-deps", "--no-build-isolation"]
    python("pip", "wheel", *options, "-w", str(folder), str(source), cwd=folder)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def contents(wheel: Path) -> dict[str, bytes]:
    """All that is in the wheel, by name."""
    with ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which only csapp is installed."""
    folder = tmp_path_factory.mktemp("site")
    python(
        "pip", "install", "--no-index", "--no-deps", "--target", str(folder), str(wheel), cwd=folder
    )
    return folder


# ---- what is in it ---------------------------------------------------------


def test_what_it_offers_is_there():
    assert csapp.__all__ == app.__all__
    assert csapp.CSApp is app.CSApp
    with pytest.raises(ImportError):
        from csapp import Chat  # noqa: F401


def in_repository() -> Iterator[Path]:
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(ROOT)


def test_every_file_is_in_it_and_nothing_else(contents):
    files = {f"csapp/{path.as_posix()}" for path in in_repository()}
    own = {f"csapp/{name}" for name in ("__init__.py", "gunicorn_conf.py", "py.typed", "wsgi.py")}
    assert {name for name in contents if ".dist-info/" not in name} == files | own


def test_what_is_no_python_is_as_it_was(contents):
    others = [path for path in in_repository() if path.suffix != ".py"]
    assert {".css", ".html", ".js", ".json", ".lua", ".svg"} <= {path.suffix for path in others}
    for path in others:
        assert contents[f"csapp/{path.as_posix()}"] == (ROOT / path).read_bytes(), path


def imports(contents: dict[str, bytes]) -> Iterator[tuple[str, str]]:
    """Each module of the wheel with what it imports by its full name."""
    for name, data in contents.items():
        if name.endswith(".py"):
            for node in ast.walk(ast.parse(data)):
                if isinstance(node, ast.Import):
                    yield from ((name, alias.name) for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    yield name, node.module


def test_no_module_imports_a_folder_of_the_host(contents):
    found = list(imports(contents))
    assert ("csapp/__init__.py", "csapp.blueprints.app") in found
    assert not [one for one in found if one[1].partition(".")[0] in FOLDERS]


def needed(requirement: str, extra: str = "") -> set[str]:
    """The distributions that *requirement* brings."""
    one = Requirement(requirement)
    if one.marker and not one.marker.evaluate({"extra": extra}):
        return set()
    below = [needed(inner, e) for inner in requires(one.name) or () for e in one.extras or {""}]
    return {canonicalize_name(one.name)}.union(*below)


def test_it_asks_for_all_that_it_imports(contents):
    (metadata,) = (data.decode() for name, data in contents.items() if name.endswith("/METADATA"))
    asked = [line.split(": ", 1)[1] for line in metadata.splitlines() if "Requires-Dist: " in line]
    assert "gunicorn[gevent]>=" in "".join(asked)
    brought = set[str]().union(
        *(needed(one, extra) for one in asked for extra in ("postgresql", "redis", "s3", "test"))
    )
    there = {*sys.stdlib_module_names, "csapp"}
    known = packages_distributions()
    for module, name in imports(contents):
        top = name.partition(".")[0]
        if top not in there:
            assert canonicalize_name(known.get(top, [top])[0]) in brought, module


# ---- how it is made --------------------------------------------------------


def test_making_it_leaves_nothing_behind(tmp_path):
    def there() -> set[Path]:
        folders = (ROOT, ROOT / "setup")
        return {*in_repository(), *(path for folder in folders for path in folder.glob("[!_]*"))}

    before, temporary = there(), tmp_path / "temporary"
    temporary.mkdir()
    target = ["-t", "wheel", "-d", str(tmp_path)]
    python("hatchling", "build", *target, cwd=ROOT, TMPDIR=str(temporary))
    assert there() == before
    assert not list(temporary.iterdir())


def test_the_sdist_makes_the_same_wheel(wheel, tmp_path):
    python("hatchling", "build", "-t", "sdist", "-d", str(tmp_path), cwd=ROOT)
    (sdist,) = tmp_path.glob("*.tar.gz")
    assert built(sdist, tmp_path).read_bytes() == wheel.read_bytes()


# ---- where it is installed -------------------------------------------------


@pytest.mark.timeout(300)  # four servers and as many commands, one after the other
def test_a_host_with_folders_of_the_same_names(site, tmp_path):
    """The host's own tests run outside of this checkout: `wheel_host/chat_checks.py`."""
    host = shutil.copytree(HOST, tmp_path / "host", ignore=shutil.ignore_patterns("__pycache__"))
    ours = ["-q", "-rA", f"--basetemp={tmp_path / 'temporary'}"]
    python("pytest", *ours, str(host), cwd=host, PYTHONPATH=str(site))
    kept = [one.name for one in (host / "instance").iterdir()]
    assert kept == ["demo"], "the demo's own; otherwise a database and a secret are given"
