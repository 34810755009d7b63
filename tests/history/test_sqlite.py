"""What is special about a file: its locks, its journal, its disk, its place."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import stat
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from services.history.port import Batch, Conflict, OutcomeUnknown, StoreError
from testkit.entries import note

from .conftest import LOCK_WAIT, chat, text, texts

NOBODY = 65534


@pytest.fixture
def path():
    """Where others may go: pytest's own directories are the owner's only."""
    directory = Path(tempfile.mkdtemp(prefix="csapp-history-"))
    directory.chmod(0o777)
    yield directory / "history.db"
    directory.chmod(0o777)
    shutil.rmtree(directory)


@pytest.fixture
def url(path):
    return f"sqlite:///{path}"


@contextlib.contextmanager
def as_nobody():
    """Nothing is forbidden to root."""
    if os.geteuid():
        yield
        return
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def refused(store, match=None):
    """Every kind of writing is refused."""
    for write in (
        lambda: store.commit(texts(9, 1, 1)),
        lambda: store.write_for_staff(note(1, "bob", "x", 1)),
        lambda: store.revoke(sid="x", now=1),
        store.check,
    ):
        with pytest.raises(StoreError, match=match) as error:
            write()
        assert not isinstance(error.value, Conflict)


def works(store):
    """It takes the same that it refused."""
    store.commit(Batch([chat(1)]))
    store.commit(texts(9, 1, 1))
    store.write_for_staff(note(1, "bob", "x", 1))
    store.check()
    assert len(store.entries(9)) == 1


# ---- durability --------------------------------------------------------


def test_every_connection_is_durable(store):
    store.commit(texts(1, 1, 1))
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(store.engine.connect()) for _ in range(8)]
        for connection in [*connections, store._writing]:
            found = [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("journal_mode", "synchronous", "busy_timeout")
            ]
            assert found == ["wal", 2, int(LOCK_WAIT * 1000)]


def test_what_is_acknowledged_survives_a_copy_of_the_files_as_they_are(store, path, opened):
    """The journal is complete: as after SIGKILL."""
    store.commit(texts(1, 1, 300))
    other = path.with_name("copy.db")
    for end in ("", "-wal"):
        shutil.copy(f"{path}{end}", f"{other}{end}")
    assert len(opened(f"sqlite:///{other}").entries(1, limit=999)) == 300


def test_the_file_is_private(store, path):
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    store.commit(texts(1, 1, 1))
    assert stat.S_IMODE(Path(f"{path}-wal").stat().st_mode) == 0o600


def test_a_place_where_nothing_can_be_written_ahead_is_refused(store):
    class Elsewhere:
        def execute(self, _statement):
            return self

        def fetchone(self):
            return ("delete",)

    with pytest.raises(StoreError, match="journal_mode is delete"):
        store._set_up(Elsewhere(), SimpleNamespace(info={}))


def test_readers_in_turn_do_not_let_the_journal_grow_for_ever(store, path, monkeypatch):
    monkeypatch.setattr(store, "_journal", 1_000_000)
    monkeypatch.setattr("services.history.sqlite.JOURNAL", 1_000_000)
    store.commit(texts(1, 1, 50))
    stop = threading.Event()

    def read():
        while not stop.is_set():
            store.entries(1)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    longest = 0
    try:
        for seq in range(51, 451):  # 16 MB
            store.commit(Batch(entries=[text(2, seq, "x" * 40_000)]))
            longest = max(longest, Path(f"{path}-wal").stat().st_size)
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert longest < 5_000_000


def test_a_reader_that_stays_is_waited_for_ever_less_often(store, path, monkeypatch):
    monkeypatch.setattr(store, "_journal", 100_000)
    monkeypatch.setattr("services.history.sqlite.READERS_WAIT", 0)
    monkeypatch.setattr("services.history.sqlite.JOURNAL", 100_000)
    store.commit(texts(1, 1, 1))
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM message").fetchall()
        for seq in range(2, 22):
            store.commit(Batch(entries=[text(1, seq, "x" * 40_000)]))
        assert store._journal > 400_000
    store.commit(Batch(entries=[text(1, 22, "x" * 4_000_000)]))
    assert store._journal == 100_000
    assert len(store.entries(1, limit=99)) == 22


# ---- faults ------------------------------------------------------------


def test_a_lock_of_somebody_else_is_waited_for_and_then_refused(store, path):
    store.commit(texts(1, 1, 1))
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        before = time.monotonic()
        with pytest.raises(StoreError, match="locked"):
            store.commit(texts(1, 2, 2))
        assert time.monotonic() - before > LOCK_WAIT * 0.9
        assert len(store.entries(1)) == 1  # reading goes on
        refused(store, "locked")
        other.execute("ROLLBACK")
    store.commit(texts(1, 2, 2))
    works(store)


def test_a_command_does_not_wait_for_a_lock_as_long_as_a_migration_does(opened, store, path):
    """The tables are current: nothing is to be written but what the command is for."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            opened().prepare()
        other.execute("ROLLBACK")
    opened().prepare()


def test_a_short_lock_is_waited_for(opened, store, path):
    patient = opened(lock_wait=20)
    with contextlib.closing(
        sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    ) as other:
        other.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.3, lambda: other.execute("ROLLBACK"))
        timer.start()
        patient.commit(texts(1, 1, 1))
        timer.join()


def test_a_full_disk(store):
    store.commit(texts(1, 1, 1))
    pages = store._writing.exec_driver_sql("PRAGMA page_count").scalar_one()

    def limit(connection, _record):
        connection.execute(f"PRAGMA max_page_count = {pages}")

    sa.event.listen(store.engine, "connect", limit)
    store.engine.dispose()
    store._undo()
    for _ in range(2):
        with pytest.raises(StoreError, match="full"):
            store.commit(texts(1, 2, 2000))
    assert len(store.entries(1)) == 1
    sa.event.remove(store.engine, "connect", limit)
    store.engine.dispose()
    store._undo()
    store.commit(texts(1, 2, 2000))


def test_a_file_that_may_only_be_read(opened, path):
    maker = opened()
    maker.migrate()
    maker.commit(Batch([chat(1)]))
    maker.close()
    path.chmod(0o444)
    store = opened()
    with as_nobody():
        refused(store)
    for file in path.parent.iterdir():  # the journal, made meanwhile, is like the file
        file.chmod(0o666)
    with as_nobody():
        works(store)
        store.close()


def test_a_connection_that_was_opened_while_the_file_could_only_be_read_does_not_stay(
    store, opened, path
):
    path.chmod(0o666)
    store.close()
    store.commit(texts(1, 1, 1))  # its journal is there, and may be written
    store.commit(Batch([chat(1)]))
    path.chmod(0o444)
    other = opened()
    with as_nobody():
        assert len(other.entries(1)) == 1
        refused(other, "readonly")
    path.chmod(0o666)
    with as_nobody():
        assert other.write_for_staff(note(1, "bob", "x", 1))
        works(other)
        other.close()


def test_a_directory_that_may_only_be_read(opened, path):
    maker = opened()
    maker.migrate()
    maker.close()
    path.chmod(0o666)
    path.parent.chmod(0o555)
    store = opened()
    with as_nobody():
        refused(store)
        path_of_none = opened(f"sqlite:///{path.parent / 'deep' / 'new.db'}")
        with pytest.raises(StoreError, match="Permission denied"):
            path_of_none.migrate()
    path.parent.chmod(0o777)
    with as_nobody():
        works(store)
        store.close()


def test_a_file_that_is_deleted_takes_nothing_more_and_is_not_replaced_by_an_empty_one(store, path):
    store.commit(texts(1, 1, 1))
    assert len(store.entries(1)) == 1
    for end in ("", "-wal", "-shm"):
        Path(f"{path}{end}").unlink()
    refused(store, "unable to open")
    with pytest.raises(StoreError, match="unable to open"):
        store.entries(1)
    assert not path.exists()
    store.migrate()
    works(store)
    assert store.entries(1) == []


def test_a_file_that_is_replaced_is_the_one_that_counts(store, opened, path):
    other = opened(f"sqlite:///{path.with_name('backup.db')}")
    other.migrate()
    other.commit(texts(5, 1, 5))
    other.close()
    store.commit(texts(1, 1, 1))
    for end in ("-wal", "-shm"):
        Path(f"{path}{end}").unlink()
    path.with_name("backup.db").rename(path)
    assert len(store.entries(5)) == 5
    works(store)


def test_a_file_that_is_no_database(opened, path):
    path.write_bytes(b"x" * 8192)
    store = opened()
    refused(store, "not a database")
    with pytest.raises(StoreError, match="not a database"):
        store.migrate()


def test_a_disk_that_fails_at_commit_leaves_the_outcome_open(store, monkeypatch):
    """What it did not confirm may be found in the journal after a crash."""

    def failing(_connection):
        cause = sqlite3.OperationalError("disk I/O error")
        cause.sqlite_errorname = "SQLITE_IOERR_FSYNC"
        raise sa.exc.OperationalError("COMMIT", None, cause)

    with monkeypatch.context() as patch:
        patch.setattr(store, "_commit", failing)
        with pytest.raises(OutcomeUnknown, match="disk I/O error"):
            store.commit(texts(1, 1, 1))
    store.commit(texts(1, 1, 1))
