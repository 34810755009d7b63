"""The schema: from nothing, again, side by side, too new; and the models agree with it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from services.conversation.kinds import NOTE, Side
from services.history import tables
from services.history.accounts import Accounts, Hashing
from services.history.files import FileRow, FileTables
from services.history.left_messages import Leaving, LeftMessageTable
from services.history.port import Batch, StoreError
from testkit.entries import note
from testkit.server import ROOT

from .conftest import chat, texts

MIGRATE = (
    "import sys; from services.history.opening import open_store; open_store(sys.argv[1]).migrate()"
)


def test_migrating_again_changes_nothing(store):
    store.commit(Batch([chat(1)], entries=texts(1, 1, 2).entries))
    store.migrate()
    store.check()
    assert len(store.entries(1)) == 2


def test_an_empty_database_is_told_what_it_needs(opened):
    store = opened()
    with pytest.raises(StoreError, match=r"empty.*chat migrate|unable to open"):
        store.check()
    with pytest.raises(StoreError):
        store.commit(texts(1, 1, 1))
    with pytest.raises(StoreError):
        store.open_conversations()
    store.migrate()
    store.check()
    store.commit(texts(1, 1, 1))


@pytest.mark.parametrize("call", ["check", "migrate"])
def test_a_newer_schema_is_named(store, call):
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match=r"9999.*newer than this csapp: upgrade"):
        getattr(store, call)()


def test_a_migration_that_fails_leaves_nothing(opened, monkeypatch):
    from services.history.migrations.versions import v0001_first

    store = opened()
    assert v0001_first.TABLES

    def broken(*args, **kwargs):
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr("services.history.tables.metadata", None)
        patch.setattr("alembic.op.execute", broken)  # after the tables
        with pytest.raises(RuntimeError):
            store.migrate()
    with pytest.raises(StoreError, match="empty"):
        store.check()
    store.migrate()
    store.check()


def test_processes_that_migrate_at_the_same_time_do_no_harm(url, opened):
    running = [
        subprocess.Popen([sys.executable, "-c", MIGRATE, url], cwd=ROOT, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    for process in running:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()
    opened().check()


def test_models_and_migrations_agree(store):
    def ours(thing, name, kind, reflected, _other):
        return not (reflected and str(name).startswith("message_words"))

    with store.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"include_object": ours, "compare_server_default": store.name == "postgresql"},
        )
        assert compare_metadata(context, tables.metadata) == []


def test_who_has_served_is_found_in_what_an_older_csapp_has_stored(opened, monkeypatch):
    store = opened()
    with monkeypatch.context() as patch:
        patch.setattr("services.history.schema._TARGET", "0001")
        store.migrate()
    with store.engine.begin() as connection:
        connection.exec_driver_sql(
            """INSERT INTO chat (key, "user", user_subject, waiter_subject, opened)
            VALUES (7, 'uuid', 'ann', 'bob', 1), (8, 'uuid', 'ann', NULL, 2)"""
        )
        connection.exec_driver_sql(
            """INSERT INTO message (chat, seq, side, author, kind, body, date)
            VALUES (7, 1, 2, 'ada', 1, 'hi', 3), (7, 2, 2, 'ada', 1, 'ho', 4),
                   (8, 1, 1, 'ann', 1, 'hi', 5)"""
        )
    store.migrate()
    for waiter in ("ada", "bob"):
        assert [one.key for one in store.conversations_of(Side.WAITER, waiter)] == [7]
        assert store.knows(waiter, "ann")
    assert not store.knows("ann", "ann")


def test_of_what_an_older_csapp_has_revoked_the_last_word_stays(opened, monkeypatch):
    store = opened()
    with monkeypatch.context() as patch:
        patch.setattr("services.history.schema._TARGET", "0003")
        store.migrate()
    with store.engine.begin() as connection:
        connection.exec_driver_sql(
            """INSERT INTO revoked (sid, subject, at) VALUES
            ('s-1', '', 5), ('', 'ann', 7), ('', 'ann', 9), ('', 'ann', 9), ('', 'ann', 8),
            ('', 'bob', 1), ('s-1', '', 6)"""
        )
    store.migrate()
    assert [row[1:] for row in store.revoked(0)] == [
        ("s-1", "", 5),
        ("", "ann", 9),
        ("", "bob", 1),
        ("s-1", "", 6),
    ]


def test_conversations_of_before_they_had_a_reason_are_read(opened, monkeypatch):
    store = opened()
    with monkeypatch.context() as patch:
        patch.setattr("services.history.schema._TARGET", "0007")
        store.migrate()
    with store.engine.begin() as connection:
        connection.exec_driver_sql(
            """INSERT INTO chat (key, "user", user_subject, opened, ended)
            VALUES (7, 'uuid', 'ann', 1, 2)"""
        )
    store.migrate()
    assert (store.conversation(7).ended, store.conversation(7).reason) == (2, "")
    store.commit(Batch([replace(store.conversation(7), reason="left")]))
    assert store.conversation(7).reason == "left"


def test_people_of_before_they_had_pictures_are_read(opened, monkeypatch):
    store = opened()
    with monkeypatch.context() as patch:
        patch.setattr("services.history.schema._TARGET", "0008")
        store.migrate()
    with store.engine.begin() as connection:
        connection.exec_driver_sql(
            """INSERT INTO chat (key, "user", user_subject, opened) VALUES (7, 'uuid', 'ann', 1)"""
        )
        connection.exec_driver_sql(
            """INSERT INTO account (name, display_name, password, created)
            VALUES ('ada', 'Ada', 'hash', 1)"""
        )
    store.migrate()
    assert (store.conversation(7).user_avatar, store.conversation(7).waiter_avatar) == ("", "")
    accounts = Accounts(store, Hashing(str, str.__eq__))
    assert accounts.get("ada").avatar == ""
    assert accounts.show("ada", avatar="/ada.png").avatar == "/ada.png"


def test_notes_of_before_they_had_numbers_get_their_places(opened, monkeypatch):
    store = opened()
    with monkeypatch.context() as patch:
        patch.setattr("services.history.schema._TARGET", "0011")
        store.migrate()
    with store.engine.begin() as connection:
        connection.exec_driver_sql(
            """INSERT INTO message (chat, seq, side, author, kind, body, date)
            VALUES (7, 1, 1, 'ann', 1, 'hi', 10), (7, 2, 1, 'ann', 1, 'ho', 20)"""
        )
        connection.exec_driver_sql(
            """INSERT INTO note (chat, author, text, date)
            VALUES (7, 'ada', 'before', 5), (8, 'ada', 'elsewhere', 9), (7, 'bob', 'between', 15),
                   (7, 'ada', 'behind', 30)"""
        )
    store.migrate()
    found = [(one.n, one.after, one.author, one.body) for one in store.staff_entries(7)]
    assert found == [
        (1, 0, "ada", "before"), (2, 1, "bob", "between"), (3, 2, "ada", "behind"),
    ]  # fmt: skip
    assert {one.kind for one in store.staff_entries(7)} == {NOTE.number}
    store.commit(Batch([chat(7)]))
    stored, _ = store.write_for_staff(note(7, "ada", "new"))
    assert (stored.n, stored.after) == (4, 2)


def test_messages_are_left_in_a_database_of_before(opened, monkeypatch):
    store = opened()
    with monkeypatch.context() as patch:
        patch.setattr("services.history.schema._TARGET", "0016")
        store.migrate()
    store.commit(Batch([chat(7)], entries=texts(7, 1, 2).entries))
    with pytest.raises(StoreError):
        LeftMessageTable(store).waiting()
    store.migrate()
    table = LeftMessageTable(store)
    assert table.waiting() == (0, {})
    row = replace(chat(9, waiter=None), reason="message")
    assert table.leave(Leaving(row, "", "hello", "one")).key == 9
    assert [one.key for one in store.conversations_of(Side.USER, "ann")] == [9, 7]


def test_files_come_to_a_database_of_before(opened, monkeypatch):
    store = opened()
    with monkeypatch.context() as patch:
        patch.setattr("services.history.schema._TARGET", "0021")
        store.migrate()
    store.commit(Batch([chat(7)], entries=texts(7, 1, 2).entries))
    files = FileTables(store)
    with pytest.raises(StoreError):
        files.find("one")
    store.migrate()
    assert files.find("one") is None
    row = files.begin(FileRow("one", 7, Side.USER, "ann", None, "a.txt", 5))
    assert files.find("one") == row
    assert len(store.entries(7)) == 2
