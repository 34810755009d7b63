"""What commands say in numbers, and the files that they write."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from csapp import create_app
from services.history.opening import open_store
from services.words import counted
from testkit.server import ROOT, SECRET

from .history.people import keep


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """One conversation of Ada's with one text and one note."""
    path = tmp_path / "of the shop" / "csapp.db"
    path.parent.mkdir()
    with contextlib.closing(open_store(f"sqlite:///{path}")) as store:
        store.migrate()
        keep(store, 0x1A, ["Hello"], notes=["kind"])
    return path


@pytest.fixture
def app(database: Path) -> Flask:
    app = create_app({"CSAPP_SECRET_KEY": SECRET})
    server = app.extensions["csapp"].server
    server.settings = dataclasses.replace(server.settings, database_url=f"sqlite:///{database}")
    return app


def run(app: Flask, *words: str | Path) -> Result:
    return app.test_cli_runner().invoke(args=["chat", *map(str, words)])


EXPORT = ("export", "--person", "ada", "--output")
BACKUP = ("backup",)
WRITERS = pytest.mark.parametrize("command", [EXPORT, BACKUP], ids=["export", "backup"])


# ---- numbers ---------------------------------------------------------------


@pytest.mark.parametrize(("number", "said"), [
    (0, "0 texts"), (1, "1 text"), (2, "2 texts"), (12_345, "12,345 texts")
])  # fmt: skip
def test_a_number_and_its_plural(number, said):
    assert counted(number, "text") == said


def test_another_plural():
    assert [counted(number, "was", "were") for number in (1, 2)] == ["1 was", "2 were"]


def test_one_of_each(app: Flask, tmp_path: Path):
    assert "1 conversation, 1 message;" in run(app, "backup", tmp_path / "copy.db").output
    assert (
        "Deleted 0 conversations, 0 entries, 0 notes."
        in run(app, "sweep", "--older-than", "36500").output
    )
    said = run(app, "erase", "--person", "wim", "--yes").output
    assert "Erased 0 conversations, 0 entries, 0 notes." in said
    assert "Replaced the name in 1 conversation and 1 text of others." in said
    assert "Removed 0 rows of duty, account and membership." in said
    assert (
        "Erased 1 conversation, 1 entry, 1 note."
        in run(app, "erase", "--person", "ada", "--yes").output
    )


def test_a_sweep_of_one(app: Flask):
    assert (
        "Deleted 1 conversation, 1 entry, 1 note." in run(app, "sweep", "--older-than", "1").output
    )


def test_the_doctor_counts_one_connection(app: Flask):
    server = app.extensions["csapp"].server
    server.settings = dataclasses.replace(server.settings, connections_per_ip=1)
    assert "visitors share 1 connection and 1 place\n" in run(app, "doctor").output


# ---- files -----------------------------------------------------------------


def test_a_dash_is_standard_output(app: Flask, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for dash in ("-", "--force -"):
        said = run(app, "export", "--person", "ada", "--output", *dash.split()[::-1])
        assert said.exit_code == 0
        assert [one["id"] for one in json.loads(said.stdout)["conversations"]] == ["1a"]
    assert not Path("-").exists()
    assert run(app, *EXPORT, "./-").exit_code == 0
    assert json.loads(Path("-").read_text())["conversations"]


def test_a_backup_is_no_text(app: Flask, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in (["-"], ["--force", "-"]):
        said = run(app, "backup", *words)
        assert said.exit_code == 2
        assert "FILE: a backup is made in a file, not on standard output" in said.output
    assert not Path("-").exists()
    assert run(app, "backup", "./-").exit_code == 0
    assert Path("-").read_bytes().startswith(b"SQLite format 3")


@WRITERS
def test_what_cannot_be_a_file_is_named(app: Flask, tmp_path: Path, command: tuple[str, ...]):
    (tmp_path / "folder").mkdir()
    (tmp_path / "to folder").symlink_to(tmp_path / "folder")
    (tmp_path / "file").write_text("precious")
    (tmp_path / "loose").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to(os.devnull)
    before = sorted(tmp_path.iterdir())
    for name, said in {
        "folder": "is a directory",
        "folder/": "is a directory",
        "none/": "a file needs a name",
        "to folder": "is a directory",
        "file/x": f"{tmp_path / 'file'}: is no folder",
        "none/x": f"{tmp_path / 'none'}: there is no such folder",
        "pipe": "pipe is no plain file",
        "null": "null is no plain file",
    }.items():
        for force in ((), ("--force",)):
            done = run(app, *force_after(command, force), f"{tmp_path}/{name}")
            assert done.exit_code in (1, 2), done.output
            assert said in done.output
    for name in ("file", "loose"):
        done = run(app, *command, tmp_path / name)
        assert (done.exit_code, done.output) == (
            1, f"Error: {tmp_path / name} exists; --force overwrites it\n"
        )  # fmt: skip
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "file").read_text() == "precious"


def force_after(command: tuple[str, ...], force: tuple[str, ...]) -> tuple[str, ...]:
    """The option behind the command's name, because the file comes last."""
    return (command[0], *force, *command[1:])


@WRITERS
def test_the_database_is_not_overwritten(
    app: Flask, database: Path, command: tuple[str, ...], tmp_path: Path
):
    os.link(database, tmp_path / "link")
    for target in (database, tmp_path / "link"):
        done = run(app, *force_after(command, ("--force",)), target)
        assert (done.exit_code, "is the database itself" in done.output) == (1, True)
    assert run(app, "export", "--person", "ada").exit_code == 0


@WRITERS
def test_a_place_that_cannot_be_written_is_named(app: Flask, command: tuple[str, ...]):
    done = run(app, *command, "/proc/x")  # not even by root
    assert done.exit_code == 1
    assert done.output.splitlines()[-1].startswith("Error: /proc/x: ")
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("command", "others"),
    [
        (EXPORT[:-1], 1),  # for whom it is
        (("waiter", "list"), 0),
        (("token", "--role", "user", "--sub", "ann"), 0),
    ],
    ids=["export", "waiter-list", "token"],
)
def test_a_full_standard_output_is_said(database: Path, command: tuple[str, ...], others: int):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "flask", "--app", "csapp", "chat", *command],
            cwd=ROOT,
            env={
                **os.environ,
                "CSAPP_SECRET_KEY": SECRET,
                "CSAPP_DATABASE_URL": f"sqlite:///{database}",
                "CSAPP_AUDIENCE": "",
            },
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    said = done.stderr.splitlines()[others:]
    assert said == ["Error: standard output: No space left on device"]
