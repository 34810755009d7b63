"""File systems without hard links, and folders that cannot be written."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import subprocess
import sys
import threading
import urllib.error
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from services.instance import SECRET_FILE, generated_secret
from services.whole_files import take_name
from testkit import LiveServer
from testkit.server import ROOT, STANDALONE, inherited

from .probe import assert_ready_soon

Links = Callable[[], None]


@pytest.fixture(params=["links", "no links"])
def links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """A file system with hard links, and one that answers as FAT does."""
    if request.param == "links":
        return True

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    return False


def test_a_name_is_taken_once(links, tmp_path):
    first, second, path = tmp_path / "first", tmp_path / "second", tmp_path / "path"
    first.write_text("1")
    second.write_text("2")
    take_name(first, path)
    with pytest.raises(FileExistsError):
        take_name(second, path)
    assert path.read_text() == "1"
    assert sorted(tmp_path.iterdir()) == [path, second]


def test_the_secret_is_made_once_and_private(links, tmp_path):
    secret = generated_secret(tmp_path / "instance")
    assert generated_secret(tmp_path / "instance") == secret
    path = tmp_path / "instance" / SECRET_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir() if one.name != ".gitignore"] == [SECRET_FILE]


_MAKE = """
import errno, os, sys
def refuse(*_, **__):
    raise OSError(errno.EPERM, "Operation not permitted")
os.link = refuse
from pathlib import Path
from services.instance import generated_secret
sys.stdin.readline()
print(generated_secret(Path(sys.argv[1])))
"""


def test_workers_that_start_together_have_one_secret_without_hard_links(tmp_path):
    command = [sys.executable, "-c", _MAKE, str(tmp_path / "instance")]
    workers = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         text=True)
        for _ in range(6)
    ]  # fmt: skip
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    secrets = {worker.communicate(timeout=60)[0] for worker in workers}
    assert len(secrets) == 1
    assert len(secrets.pop().strip()) > 40


def test_a_secret_that_is_being_written_is_waited_for(tmp_path):
    """Between the empty file and its words, whoever reads waits."""
    path = tmp_path / SECRET_FILE
    path.touch(0o600)
    looked = threading.Event()

    def write() -> None:
        looked.wait(30)
        path.write_text("x" * 64)

    writer = threading.Thread(target=write)
    writer.start()
    looked.set()
    assert generated_secret(tmp_path) == "x" * 64
    writer.join()


# ---- folders that cannot be written ----------------------------------------


def powerless(*command: str) -> Sequence[str]:
    """*command* without root's right to write everywhere."""
    if os.geteuid() != 0:
        return command
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("root writes everywhere, and setpriv (util-linux) is missing")
    rights = "-dac_override,-dac_read_search"
    return [setpriv, f"--bounding-set={rights}", f"--inh-caps={rights}", *command]


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A folder in which the instance folder cannot be written."""
    (tmp_path / "instance").mkdir()
    (tmp_path / "instance").chmod(0o555)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "setting"),
    [
        ("token --role user --sub ann", "CSAPP_SECRET_KEY"),
        ("waiter add ada --generate", "CSAPP_DATABASE_URL"),
        ("migrate", "CSAPP_DATABASE_URL"),
        ("search word", "CSAPP_DATABASE_URL"),
        ("export --person ann", "CSAPP_DATABASE_URL"),
        ("demo", "instance"),
    ],
)
def test_a_command_says_in_one_line_which_setting_helps(closed, words, setting):
    done = subprocess.run(
        powerless(sys.executable, "-m", "flask", "--app", "csapp", "chat", *words.split()),
        cwd=closed, capture_output=True, text=True, timeout=60, check=False,
        env={**inherited(), "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 1, done.stdout
    lines = done.stderr.strip().splitlines()
    assert len([line for line in lines if line.startswith("Error: ")]) == 1
    assert setting in lines[-1]
    assert "Traceback" not in done.stderr


def test_a_server_says_so_and_works_as_soon_as_it_can(closed):
    command = powerless(
        sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"), "-b",
        "127.0.0.1:{port}", STANDALONE,
    )  # fmt: skip
    env = {"CSAPP_SECRET_KEY": "", "CSAPP_DATABASE_URL": ""}  # those that it makes itself
    with LiveServer(command, env, cwd=closed) as server:
        for method, path in (("GET", "/readyz"), ("POST", "/v1/visitor/token")):
            with pytest.raises(urllib.error.HTTPError) as refused:
                server.request(method, path)
            assert refused.value.code == 503
            assert json.loads(refused.value.read())
        server.wait_for_line("CSAPP_(SECRET_KEY|DATABASE_URL)")
        (closed / "instance").chmod(0o755)
        assert_ready_soon(server)  # at most once a second it tries again
        assert json.loads(server.post("/v1/visitor/token"))["token"]
    assert "Traceback" not in server.log
