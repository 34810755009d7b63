"""What commands do with files: erase, sweep."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from csapp import create_app
from services.conversation.kinds import Side
from services.files.choose import content_store
from services.files.port import ALWAYS
from services.files.uploads import Files
from services.history.files import FileTables
from services.history.opening import own_store
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
