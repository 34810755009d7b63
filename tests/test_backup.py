"""The embedded database as an operator copies it: by `chat backup`, and by hand after a stop."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shlex
import shutil
import sqlite3
import stat
import subprocess
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click import ClickException

from blueprints.cli.new_file import new_file
from services.history.opening import open_store
from services.history.search import search
from testkit import Client, LiveServer
from testkit.postgres import Postgres

from .history.people import keep
from .probe import next_frame
from .test_operation import run


def _history(path: Path) -> list[str]:
    """What was said in the database of this file, in order."""
    with contextlib.closing(sqlite3.connect(path)) as found:
        assert found.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = found.execute("SELECT body FROM message WHERE kind = 1 ORDER BY n")
        return [row[0] for row in rows]


def _backup(database: Path, *args: str | Path) -> tuple[int, str]:
    """`chat backup …`: its exit status, and what it has said."""
    done = run(
        "flask", "--app", "csapp", "chat", "backup", *map(str, args),
        CSAPP_DATABASE_URL=f"sqlite:///{database}",
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def _value(path: Path, query: str) -> Any:
    with contextlib.closing(sqlite3.connect(path)) as found:
        return found.execute(query).fetchone()[0]


class Talker:
    """A visitor and a waiter; the visitor says something and knows what is acknowledged."""

    def __init__(self, server: LiveServer) -> None:
        self._user, self._waiter = Client(server, "user"), Client(server, "waiter")
        for client in (self._waiter, self._user):
            token = server.token(client.role, f"the-{client.role}")
            client.say("auth", {"token": token, "version": 2})
            next_frame(client, "auth_success")
        self._waiter.say("ready")
        self._user.say("connect")
        next_frame(self._user, "connect_success")
        self.acknowledged: list[str] = []

    def say(self, text: str) -> None:
        """Say it, and wait until it is durable."""
        name = str(uuid.uuid4())
        frame = {"type": "message_text", "id": name, "payload": {"message": text}}
        self._user.send(json.dumps(frame))
        next_frame(self._user, "message_text_success")
        self.acknowledged.append(text)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "data" / "csapp.db"


@pytest.fixture
def server(database: Path) -> Iterator[LiveServer]:
    with serving(database) as server:
        yield server


def serving(database: Path) -> LiveServer:
    """A server on this file."""
    env = {"CSAPP_DATABASE_URL": f"sqlite:///{database}", "CSAPP_MESSAGE_RATE": "0"}
    return LiveServer.gunicorn(env=env)


# ---- stopping --------------------------------------------------------------


def test_after_a_stop_everything_is_in_the_one_file(
    server: LiveServer, database: Path, tmp_path: Path
):
    talker = Talker(server)
    for number in range(50):
        talker.say(f"text {number}")
    assert server.stop() == 0
    copy = tmp_path / "copy.db"
    shutil.copyfile(database, copy)
    assert _history(copy) == talker.acknowledged
    there = {file.name for file in database.parent.iterdir()}
    assert there - {f"{database.name}.lock"} == {database.name}, "a lock holds no words"


def test_after_a_stop_of_the_development_server_too(database: Path, tmp_path: Path):
    env = {"CSAPP_DATABASE_URL": f"sqlite:///{database}"}
    with LiveServer.flask(env=env) as server:
        talker = Talker(server)
        talker.say("hello")
        server.signal(2)  # Ctrl-C
        server.wait()
    copy = tmp_path / "copy.db"
    shutil.copyfile(database, copy)
    assert _history(copy) == ["hello"]


# ---- a backup --------------------------------------------------------------


def test_a_backup_under_load_has_all_that_was_acknowledged_before(
    server: LiveServer, database: Path, tmp_path: Path
):
    talker = Talker(server)
    for number in range(100):
        talker.say(f"text {number}")
    before = list(talker.acknowledged)
    enough = threading.Event()

    def go_on() -> None:
        number = 100
        while not enough.is_set():
            talker.say(f"text {number}")
            number += 1

    talking = threading.Thread(target=go_on)
    talking.start()
    copy = tmp_path / "backup.db"
    try:
        status, said = _backup(database, copy)
    finally:
        enough.set()
        talking.join()
    assert status == 0, said
    assert "the copy is whole" in said
    assert "1 conversation," in said
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    found = _history(copy)
    assert found == talker.acknowledged[: len(found)]
    assert found[: len(before)] == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["backup.db", "data"]


def test_a_new_server_starts_from_a_backup(server: LiveServer, database: Path, tmp_path: Path):
    talker = Talker(server)
    talker.say("before")
    copy = tmp_path / "backup.db"
    assert _backup(database, copy)[0] == 0
    talker.say("after")
    server.stop()

    restored = tmp_path / "restored" / "csapp.db"
    restored.parent.mkdir()
    shutil.copyfile(copy, restored)
    with serving(restored) as again, Client(again, "user") as user:
        user.say("auth", {"token": again.token("user", "the-user"), "version": 2})
        next_frame(user, "auth_success")
        user.say("get_history", {"conversation": f"{_value(copy, 'SELECT key FROM chat'):x}"})
        page = next_frame(user, "message_history")["payload"]["messages"]
        assert [one["payload"].get("message") for one in page] == [None, "before"]  # joined
        again.stop()
    assert _history(restored) == ["before"]
    with contextlib.closing(open_store(f"sqlite:///{copy}")) as store:
        store.check()  # its tables are known to be of this version


def test_a_backup_may_have_the_longest_name(database: Path, tmp_path: Path):
    with contextlib.closing(open_store(f"sqlite:///{database}")) as store:
        store.prepare()
    status, said = _backup(database, tmp_path / ("x" * 255))
    assert status == 0, said


def test_a_backup_overwrites_nothing_unless_it_is_told_to(
    server: LiveServer, database: Path, tmp_path: Path
):
    Talker(server).say("hello")
    copy = tmp_path / "backup.db"
    copy.write_text("precious")
    status, said = _backup(database, copy)
    assert status == 1
    assert "--force" in said
    assert copy.read_text() == "precious"
    assert _backup(database, copy, "--force")[0] == 0
    assert _history(copy) == ["hello"]


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    file = tmp_path / "file"
    with new_file(file, force=False) as draft:
        draft.write_text("new")
    assert file.read_text() == "new"
    with pytest.raises(ClickException, match="--force"), new_file(file, force=False) as draft:
        draft.write_text("newer")
    assert file.read_text() == "new"
    with new_file(file, force=True) as draft:
        draft.write_text("newest")
    assert file.read_text() == "newest"
    assert list(tmp_path.iterdir()) == [file]


def test_a_backup_onto_the_database_itself_is_refused(
    server: LiveServer, database: Path, tmp_path: Path
):
    Talker(server).say("hello")
    link = tmp_path / "link.db"
    os.link(database, link)
    for target in (
        database,
        link,
        Path(f"{database}-wal"),
        Path(f"{database}.lock"),
        database.parent / "." / database.name,
    ):
        status, said = _backup(database, target, "--force")
        assert status == 1
        assert "is the database itself" in said
    link.unlink()
    server.stop()
    assert _history(database) == ["hello"]


def test_a_backup_that_cannot_be_written_says_so_in_a_line(
    server: LiveServer, database: Path, tmp_path: Path
):
    Talker(server).say("hello")
    status, said = _backup(database, tmp_path / "nowhere" / "backup.db")
    assert status == 1
    assert f"{tmp_path / 'nowhere'}: there is no such folder" in said
    assert "Traceback" not in said


def test_of_postgresql_it_is_said_how_and_a_dump_can_be_restored(
    postgres: Postgres, tmp_path: Path
):
    url, other = postgres.database(), postgres.database()
    with contextlib.closing(open_store(url)) as store:
        store.migrate()
        keep(store, 1, ["hello"])
    file = tmp_path / "a backup"
    done = run(
        "flask", "--app", "csapp", "chat", "backup", str(file),
        CSAPP_DATABASE_URL=url.replace("csapp@", "csapp:secret-word@"),
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert "secret-word" not in said
    assert list(tmp_path.iterdir()) == []

    dump = shlex.split(said[said.index("pg_dump") :].splitlines()[0])
    restore = ["pg_restore", "--no-owner", f"--dbname={other.replace('+psycopg', '')}", str(file)]
    for program, *words in (dump, restore):
        subprocess.run([postgres.bin / program, *words], check=True, capture_output=True)
    with contextlib.closing(open_store(other)) as store:
        store.migrate()
        store.check()
        assert [one.body for one in store.entries(1)] == ["hello"]
        assert [hit.chat for hit in search(store, "hello").hits] == [1]
