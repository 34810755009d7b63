"""What commands do with files: erase, sweep, export, backup."""

from __future__ import annotations

import errno
import json
import zipfile
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from csapp import create_app
from services.conversation.kinds import FILE, Side
from services.conversation.rows import EntryRow
from services.files.choose import content_store
from services.files.port import ALWAYS, NoContent
from services.files.uploads import Files
from services.history.files import FileTables
from services.history.opening import own_store
from services.history.port import Batch
from services.history.sql import SQLStore
from services.settings import Settings

from ..history.people import keep
from .test_uploads import kept

SECRET = "s" * 40


class Site:
    """An application with files of two visitors, and its commands."""

    def __init__(self, folder: Path) -> None:
        self.config = {
            "CSAPP_SECRET_KEY": SECRET,
            "CSAPP_DATABASE_URL": f"sqlite:///{folder}/csapp.db",
            "CSAPP_FILES_URL": f"file://{folder}/files",
        }
        self.app: Flask = create_app(self.config)
        self.settings = Settings.load(self.config)
        self.store: SQLStore = own_store(self.settings)
        self.store.migrate()
        contents = content_store(self.settings)
        self.files = Files(FileTables(self.store), contents, self.settings, lambda: 1)
        self.rows = {}
        for key, user in ((7, "ann"), (8, "bob")):
            keep(self.store, key, ["hi"], user=user)
            row = kept(self.files, f"of {user}".encode(), chat=key, author=user, name="a.txt")
            self.rows[user] = self.files.tables.name(row.id, key, Side.USER, user, 1)

    def run(self, *args: str) -> Result:
        return self.app.test_cli_runner().invoke(args=["chat", *args])

    def content(self) -> list[str]:
        return sorted(self.files.contents.older_than("content/", ALWAYS))


@pytest.fixture
def site(tmp_path: Path):
    made = Site(tmp_path)
    yield made
    made.store.close()


def test_an_erasure_deletes_files_at_once(site: Site):
    done = site.run("erase", "--person", "ann", "--yes")
    assert done.exit_code == 0, done.output
    assert "Deleted 1 file." in done.output
    assert site.content() == [f"content/{site.rows['bob'].id}"]
    assert site.files.tables.marked() == []


def test_a_sweep_deletes_files_at_once(site: Site):
    done = site.run("sweep", "--older-than", "0")
    assert done.exit_code == 0, done.output
    assert "Deleted 2 files." in done.output
    assert site.content() == []


def test_what_could_not_be_deleted_is_said_and_deleted_later(site: Site):
    folder = site.files.contents.root
    aside = folder.with_name("aside")
    folder.rename(aside)
    done = site.run("erase", "--person", "ann", "--yes")
    assert done.exit_code == 0, done.output
    assert "could not be deleted" in done.output
    aside.rename(folder)
    assert len(site.content()) == 2
    assert site.files.remove_marked() == 1
    assert site.content() == [f"content/{site.rows['bob'].id}"]


def test_where_files_are_off_it_is_said_that_they_are_left(site: Site):
    off = create_app(site.config | {"CSAPP_FILES_URL": "off"})
    done = off.test_cli_runner().invoke(args=["chat", "erase", "--person", "ann", "--yes"])
    assert done.exit_code == 0, done.output
    assert "CSAPP_FILES_URL" in done.output
    assert len(site.content()) == 2


def test_no_name_of_a_file_stays_in_the_database(site: Site, tmp_path: Path):
    row = kept(site.files, b"x y", chat=7, author="ann", name="MyDiagnosis.txt")
    site.files.tables.name(row.id, 7, Side.USER, "ann", 1)
    folder = site.files.contents.root
    folder.rename(folder.with_name("aside"))
    site.run("erase", "--person", "ann", "--yes")
    site.store.close()
    for one in tmp_path.glob("csapp.db*"):
        assert b"MyDiagnosis" not in one.read_bytes(), one


def message_of(site: Site, user: str) -> None:
    row = site.rows[user]
    data = f'{{"file":"{row.id}","size":{row.size},"mime":"text/plain"}}'
    entry = EntryRow(row.chat, 2, Side.USER, user, None, FILE.number, row.name, 5, data)
    site.store.commit(Batch(entries=[entry]))


@pytest.mark.parametrize("form", ["json", "csv", "html"])
def test_an_export_holds_the_files(site: Site, tmp_path: Path, form: str):
    message_of(site, "ann")
    output = tmp_path / "out.zip"
    args = ("export", "--person", "ann", "--format", form, "--files", "--output", str(output))
    done = site.run(*args)
    assert done.exit_code == 0, done.output
    row = site.rows["ann"]
    with zipfile.ZipFile(output) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"conversations.{form}", f"files/{row.id}-a.txt"]
        assert archive.read(f"files/{row.id}-a.txt") == b"of ann"
        said = archive.read(f"conversations.{form}").decode()
    assert "a.txt" in said
    assert form != "json" or json.loads(said)["conversations"][0]["messages"][1]["payload"][
        "file"
    ] == row.id  # fmt: skip
    assert output.stat().st_mode & 0o777 == 0o600
    assert "exists" in site.run(*args).output


def test_an_export_with_files_needs_a_place(site: Site):
    assert "--output FILE.zip" in site.run("export", "--person", "ann", "--files").output


def test_an_export_says_what_is_missing(site: Site, tmp_path: Path):
    site.files.contents.delete([f"content/{site.rows['ann'].id}"])
    output = str(tmp_path / "out.zip")
    done = site.run("export", "--person", "ann", "--files", "--output", output)
    assert done.exit_code == 0
    assert "1 file could not be found" in done.output


@pytest.mark.parametrize("links", [True, False])
def test_a_backup_holds_the_files_and_a_server_can_use_it(
    site: Site, tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
):
    def no_links(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "no links here")

    if not links:
        monkeypatch.setattr("services.files.backup.os.link", no_links)
    unnamed = kept(site.files, b"nobody names it", chat=7, author="ann")
    copy = tmp_path / "copy" / "backup.db"
    copy.parent.mkdir()
    done = site.run("backup", str(copy))
    assert done.exit_code == 0, done.output
    assert "2 files" in done.output
    site.run("erase", "--person", "ann", "--yes")
    config = site.config | {
        "CSAPP_DATABASE_URL": f"sqlite:///{copy}", "CSAPP_FILES_URL": f"file://{copy}.files",
    }  # fmt: skip
    settings = Settings.load(config)
    store = own_store(settings)
    restored = Files(FileTables(store), content_store(settings), settings, lambda: 1)
    for user in ("ann", "bob"):
        assert restored.open(site.rows[user]).read(0, 99) == f"of {user}".encode()
    with pytest.raises(NoContent):
        restored.open(unnamed)
    store.close()
    assert sorted(one.name for one in copy.parent.iterdir()) == ["backup.db", "backup.db.files"]
    assert "exists" in site.run("backup", str(copy)).output
    assert site.run("backup", str(copy), "--force").exit_code == 0


def test_a_backup_says_what_is_not_in_it(site: Site, tmp_path: Path):
    url = "s3://key:topsecret@files/live?endpoint=http://127.0.0.1:1"
    app = create_app(site.config | {"CSAPP_FILES_URL": url})
    done = app.test_cli_runner().invoke(args=["chat", "backup", str(tmp_path / "backup.db")])
    assert done.exit_code == 0, done.output
    assert "not in this copy: s3://files/live/" in done.output
    assert "topsecret" not in done.output
