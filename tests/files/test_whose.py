"""A folder or bucket of files is that of one database, and all workers of a site use the same."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from services import file_places
from services.files import whose
from services.files.bucket import BucketStore
from services.files.folder import MARK, FolderStore
from services.files.port import ContentStore, FilesUnavailable
from services.files.uploads import Files
from services.history.files import FileTables
from services.history.opening import open_store
from services.history.sql import SQLStore

from .conftest import Clock, settings
from .test_uploads import TEXT_FILE, everything, kept, send

Place = Callable[[str], ContentStore]


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """The place of this name, opened as another worker does."""
    if request.param == "folder":
        return lambda name: FolderStore(tmp_path / name)
    address = request.getfixturevalue("address")
    return lambda name: BucketStore(file_places.read(address.replace("chat/live", name)))


@pytest.fixture
def tables(store: SQLStore) -> FileTables:
    return FileTables(store)


@pytest.fixture
def other(tmp_path: Path):
    """The tables of another database."""
    store = open_store(f"sqlite:///{tmp_path}/other.db")
    store.migrate()
    yield FileTables(store)
    store.close()


def made(tables: FileTables, contents: ContentStore, clock: Clock) -> Files:
    return Files(tables, contents, settings(), clock)


# ---- two databases ---------------------------------------------------------------


def test_two_databases_do_not_sweep_each_others_files(
    tables: FileTables, other: FileTables, place: Place, clock: Clock, caplog
):
    files = made(tables, place("files"), clock)
    row = kept(files)
    before = everything(files)
    clock.hours(2)
    foreign = made(other, place("files"), clock)
    for use in (foreign.sweep, lambda: send(foreign), lambda: foreign.open(row)):
        with pytest.raises(FilesUnavailable, match="holds the files of another database: name"):
            use()
    assert "CSAPP_FILES_URL" in caplog.text
    assert everything(files) == before
    assert "another database" in whose.find_fault(place("files"), other)
    assert whose.find_fault(place("files"), tables) == ""
    kept(made(other, place("other"), clock))
    kept(made(tables, place("files"), clock))


def test_marks_of_a_foreign_place_change_nothing_where_one_has_ones_own(
    tables: FileTables, other: FileTables, place: Place, clock: Clock
):
    kept(made(tables, place("files"), clock))
    kept(made(other, place("other"), clock))
    foreign = made(other, place("files"), clock)
    with pytest.raises(FilesUnavailable, match="in which the files of this site are"):
        foreign.sweep()


def test_of_two_databases_at_the_same_moment_at_most_one_has_it(
    tables: FileTables, other: FileTables, place: Place
):
    agreed: list[FileTables] = []
    barrier = threading.Barrier(6)

    def begin(ours: FileTables) -> None:
        contents = place("files")
        barrier.wait()
        try:
            whose.check_place(contents, ours)
        except FilesUnavailable:
            return
        agreed.append(ours)

    run_together([lambda ours=ours: begin(ours) for ours in (tables, other) * 3])
    assert len(set(map(id, agreed))) <= 1
    assert sum(ours.place() is not None for ours in (tables, other)) <= 1


def test_one_that_marks_it_between_two_looks_is_seen(
    tables: FileTables, other: FileTables, place: Place, monkeypatch: pytest.MonkeyPatch
):
    contents = place("files")
    real = contents.mark

    def mark(name: str) -> None:
        monkeypatch.undo()
        whose.check_place(place("files"), other)
        real(name)

    monkeypatch.setattr(contents, "mark", mark)
    with pytest.raises(FilesUnavailable, match="another database"):
        whose.check_place(contents, tables)
    assert tables.place() is None
    whose.check_place(place("files"), other)


def test_a_database_whose_predecessor_is_gone_may_have_it(
    tables: FileTables, other: FileTables, place: Place, clock: Clock
):
    old = made(other, place("files"), clock)
    gone = kept(old)
    files = made(tables, place("files"), clock)
    with pytest.raises(FilesUnavailable, match="delete"):
        send(files)
    unmark(place("files"))
    row = kept(files)  # without a restart
    files.tables.name(row.id, row.chat, row.side, row.author, clock())
    files.sweep_orphans(1 << 62)
    assert everything(files) == [f"content/{row.id}"]
    with pytest.raises(FilesUnavailable):
        made(other, place("files"), clock).open(gone)


def unmark(contents: ContentStore) -> None:
    if isinstance(contents, FolderStore):
        (contents.root / MARK).unlink()
    else:
        contents.delete([f"owner/{name}" for name in contents.marks()])


# ---- one database, also restored -------------------------------------------------


def test_a_restored_backup_finds_its_files(
    store: SQLStore, tables: FileTables, place: Place, clock: Clock, url: str
):
    row = kept(made(tables, place("files"), clock))
    again = open_store(url)
    try:
        assert made(FileTables(again), place("files"), clock).open(row).read(0, 99) == TEXT_FILE
    finally:
        again.close()


def test_a_process_that_died_after_the_mark_is_no_other(
    tables: FileTables, place: Place, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patched:
        patched.setattr(tables, "claim_place", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            whose.check_place(place("files"), tables)
    assert whose.find_fault(place("files"), tables) == ""
    kept(made(tables, place("files"), clock))


def test_workers_that_begin_at_the_same_time_agree(tables: FileTables, place: Place):
    run_together([lambda: whose.check_place(place("files"), tables)] * 6)
    assert tables.place() in place("files").marks()


def run_together(calls: list[Callable[[], None]]) -> None:
    errors: list[Exception] = []

    def run(call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


# ---- several machines ------------------------------------------------------------


def test_another_place_than_that_of_the_other_workers_is_refused_and_named(
    tables: FileTables, place: Place, clock: Clock, caplog
):
    files = made(tables, place("files"), clock)
    row = kept(files)
    elsewhere = made(tables, place("elsewhere"), clock)
    for use in (lambda: send(elsewhere), lambda: elsewhere.open(row), elsewhere.sweep):
        with pytest.raises(FilesUnavailable, match="one folder that they share"):
            use()
    assert "CSAPP_FILES_URL" in caplog.text
    assert place("elsewhere").marks() == []
    assert everything(elsewhere) == []
    assert "one folder that they share" in whose.find_fault(place("elsewhere"), tables)


def test_a_place_that_is_shared_is_one(tables: FileTables, place: Place, clock: Clock):
    row = kept(made(tables, place("files"), clock))
    assert made(tables, place("files"), clock).open(row).read(0, 99) == TEXT_FILE


def test_what_was_moved_is_taken_as_the_fault_says(tables: FileTables, place: Place, clock: Clock):
    kept(made(tables, place("files"), clock))
    contents = place("moved")
    moved = made(tables, contents, clock)
    with pytest.raises(FilesUnavailable) as refused:
        send(moved)
    how = str(refused.value).rpartition("moved here, ")[2]
    if isinstance(contents, FolderStore):
        name, path = how.removeprefix("write ").split(" into ")
        Path(path).parent.mkdir()
        Path(path).write_text(name)
    else:
        assert how.startswith("store an object called moved/owner/")
        contents.mark(how.rpartition("/")[2])
    kept(moved)  # without a restart


def test_a_folder_has_one_mark_and_no_drafts(tables: FileTables, tmp_path: Path):
    folders = [FolderStore(tmp_path / "files") for _ in range(6)]
    run_together([lambda one=one: whose.check_place(one, tables) for one in folders])
    assert [one.name for one in folders[0].root.iterdir() if "folder" in one.name] == [MARK]
