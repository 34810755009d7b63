"""Where the content of files is, as `chat doctor` looks at it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from services.doctor import Level, SetUp, files
from services.doctor.files import FileFacts
from services.files.folder import MARK, FolderStore
from services.history.files import FileTables
from services.history.opening import open_store

from .conftest import Sick, says


def test_a_folder_that_is_not_there_yet_is_well_and_not_made(good: SetUp, tmp_path: Path):
    facts = files.look(good.settings, None)
    assert facts is not None
    assert (facts.problem, facts.elsewhere, facts.missing) == ("", "", ())
    assert facts.free > 0
    assert not (tmp_path / "instance" / "files").exists()


def test_no_files_are_no_fault(good: SetUp, sick: Sick):
    assert files.look(replace(good.settings, files_url="off"), None) is None
    assert sick(files=None) == []
    assert sick(files=FileFacts(free=10**12)) == []


def test_a_folder_that_cannot_be_written_is_a_fault(good: SetUp, sick: Sick, tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    for url in (f"file://{tmp_path}/file", f"file://{tmp_path}/file/below"):
        facts = files.look(replace(good.settings, files_url=url), None)
        assert str(tmp_path / "file") in facts.problem
        says(sick(files=facts), Level.FAULT, "files cannot be stored")


def test_a_bucket_that_cannot_be_reached_is_a_fault(good: SetUp, sick: Sick, monkeypatch):
    monkeypatch.setattr("services.files.bucket.RETRIES", 0)
    url = "s3://key:topsecret@files?endpoint=http://127.0.0.1:1"
    facts = files.look(replace(good.settings, files_url=url), None)
    found = says(sick(files=facts, files_url=url), Level.FAULT, "files cannot be stored")
    assert "topsecret" not in found.what + found.remedy


def test_a_folder_of_another_machine_is_a_fault(good: SetUp, sick: Sick, tmp_path: Path):
    store = open_store(f"sqlite:///{tmp_path}/files.db")
    try:
        store.migrate()
        FileTables(store).claim_place("the-first-machine")
        facts = files.look(good.settings, store)
        found = says(sick(files=facts), Level.FAULT, "in which the files of this site are")
        assert "CSAPP_FILES_URL" in found.remedy
        folder = tmp_path / "instance" / "files"
        assert not folder.exists()
        folder.mkdir(parents=True)
        (folder / MARK).write_text("the-first-machine")
        assert files.look(good.settings, store).elsewhere == ""
    finally:
        store.close()


def test_a_folder_of_another_database_is_a_fault(good: SetUp, sick: Sick, tmp_path: Path):
    store = open_store(f"sqlite:///{tmp_path}/files.db")
    try:
        store.migrate()
        folder = FolderStore(tmp_path / "instance" / "files")
        folder.mark("another.one")
        facts = files.look(good.settings, store)
        found = says(sick(files=facts), Level.FAULT, "holds the files of another database")
        assert "name another folder or bucket in CSAPP_FILES_URL" in found.remedy
        assert folder.marks() == ["another.one"]
        assert FileTables(store).known_owner() is None
    finally:
        store.close()


def test_a_disk_that_is_almost_full_is_named(sick: Sick):
    says(sick(files=FileFacts(free=10_485_760 * 3)), Level.WARNING, "room for 3 files")


def test_images_that_cannot_be_read_are_named(sick: Sick):
    says(sick(files=FileFacts(free=10**12, missing=("WEBP",))), Level.FAULT, "WEBP")
