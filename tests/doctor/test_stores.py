"""Real databases and a real Redis, each with something wrong."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.desk import facts as redis
from services.doctor import Level
from services.doctor.stores import filesystem
from services.history import facts as history
from services.history import serving, tables
from services.history.holder import Holder
from services.history.lock import ServingLock
from services.history.opening import open_store
from services.history.owner import Owner
from services.history.search import MAX_NEW
from testkit.ports import free_port
from testkit.postgres import Postgres

from .conftest import SERVING, says


def migrated(url: str) -> str:
    with closing(open_store(url)) as store:
        store.migrate()
    return url


@pytest.fixture(scope="module")
def database(postgres: Postgres) -> str:
    """One with all its tables."""
    return migrated(postgres.database())


# ---- PostgreSQL ------------------------------------------------------------


def test_nothing_is_wrong_with_a_database_in_use(sick, database):
    facts = history.look(database)
    assert (facts.kind, facts.problem) == ("postgresql", "")
    assert facts.version >= 14
    assert sick(store=facts) == []


def test_no_database(sick):
    says(sick(store=None), Level.WARNING, "forgets all chats")


def test_a_database_that_does_not_answer(sick):
    url = f"postgresql://csapp:open-sesame@127.0.0.1:{free_port()}/csapp"
    said = says(sick(store=history.look(url)), Level.FAULT, "the database cannot be used")
    assert "sesame" not in str(said)


def test_a_database_without_its_tables(sick, postgres):
    said = says(sick(store=history.look(postgres.database())), Level.FAULT, "schema is empty")
    assert "chat migrate" in said.remedy


def test_tables_where_an_older_csapp_made_them(sick, postgres):
    url = postgres.database()
    migrated(f"{url}?options=-csearch_path%3Dpublic")
    said = says(sick(store=history.look(url)), Level.HINT, "in the schema public")
    assert "--into-schema" in said.remedy


def test_a_database_that_takes_no_changes(sick, database):
    url = f"{database}?options=-cdefault_transaction_read_only%3Don"
    says(sick(store=history.look(url)), Level.FAULT, "read-only")


def test_a_database_whose_commits_promise_nothing(sick, database):
    url = f"{database}?options=-csynchronous_commit%3Doff"
    says(sick(store=history.look(url)), Level.FAULT, "synchronous_commit of PostgreSQL is off")
    with Postgres(fsync="off", full_page_writes="off") as careless:
        found = sick(store=history.look(migrated(careless.database())))
    assert [(one.level, one.remedy) for one in found] == [
        (Level.FAULT, "fsync = on"),
        (Level.FAULT, "full_page_writes = on"),
    ]


def test_a_database_whose_log_shows_what_people_say(sick, database):
    for option in ("log_min_duration_statement%3D100", "log_statement%3Dall"):
        url = f"{database}?options=-c{option}"
        said = says(sick(store=history.look(url)), Level.WARNING, "shows what people say")
        assert said.remedy == "log_parameter_max_length = 0"
        assert sick(store=history.look(f"{url}%20-clog_parameter_max_length%3D0")) == []


def test_more_workers_than_the_database_takes(sick, database):
    facts = history.look(database)
    few, many = (replace(SERVING, workers=number) for number in (6, 7))
    there = {"redis_url": "redis://x", "environment": {"CSAPP_REDIS_URL": "redis://x"}}
    assert sick(store=facts, serving=few, **there) == []
    says(sick(store=facts, serving=many, **there), Level.WARNING, "63 connections of the database")


def test_an_old_server(sick, database):
    facts = history.look(database)
    says(sick(store=replace(facts, version=13)), Level.WARNING, "PostgreSQL 13")


@pytest.mark.parametrize(("shift", "words"), [(-60, "ahead"), (60, "behind")])
def test_clocks_that_disagree(sick, database, redis_server, shift, words):
    now = lambda: time.time() + shift  # noqa: E731
    assert abs(history.look(database).clock_ahead) < 0.5
    says(sick(store=history.look(database, now=now)), Level.WARNING, f"60.0 s {words}")
    facts = redis.look(redis_server.url, now=now)
    says(sick(redis=facts), Level.WARNING, f"the clock of Redis is 60.0 s {words}")


# ---- SQLite ----------------------------------------------------------------


def test_a_file_that_is_in_use(sick, good):
    url = migrated(good.settings.database_url)
    with closing(open_store(url)) as server:
        server.check()
        assert sick(store=history.look(url)) == []


def test_older_tables_of_a_file_are_no_fault(sick, good):
    good.instance.mkdir()
    good.store.path.touch(mode=0o600)
    facts = history.look(good.settings.database_url)
    assert sick(store=facts) == []


def test_looking_makes_nothing(good):
    assert history.look(good.settings.database_url).problem == ""
    assert not good.instance.exists()


def test_a_file_of_another_application(sick, good):
    url = good.settings.database_url
    with closing(open_store(url, Owner("shop"))) as store:
        store.migrate()
    found = sick(store=history.look(url, find=partial(open_store, owner=Owner("blog"))))
    said = says(found, Level.FAULT, "belongs to the application 'shop', and this one is 'blog'")
    assert "says" in said.remedy


def test_tables_that_are_newer(sick, good):
    url = migrated(good.settings.database_url)
    with closing(sqlite3.connect(good.store.path, isolation_level=None)) as other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")
    says(sick(store=history.look(url)), Level.FAULT, "newer than this csapp")


def test_a_file_that_is_no_database(sick, good):
    good.instance.mkdir()
    good.store.path.write_bytes(b"something else" * 1000)
    good.store.path.chmod(0o600)
    found = sick(store=history.look(good.settings.database_url))
    says(found, Level.FAULT, "not a database")


def test_a_file_that_cannot_write_ahead(sick, good):
    good.instance.mkdir()
    good.store.path.touch(mode=0o600)
    with closing(sqlite3.connect(good.store.path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")
        facts = history.look(good.settings.database_url, find=partial(open_store, lock_wait=0.1))
    says(sick(store=facts), Level.FAULT, "locked")


def test_a_folder_that_is_none(sick, good):
    good.instance.write_text("not a folder")
    found = sick(store=history.look(good.settings.database_url))
    says(found, Level.FAULT, "it cannot be made")


def test_processes_that_serve_one_postgresql_and_are_separate_desks(sick, database, monkeypatch):
    redis_url = "redis://127.0.0.1"
    monkeypatch.setattr(serving, "GONE", 3600.0)  # however slow this test is
    with closing(open_store(database)) as store:
        serving.beat(store, "a", serving.Server("process 1 on shop", shared=True))
        facts = history.look(database)
        assert sick(store=facts, redis_url=redis_url) == []
        said = says(sick(store=facts), Level.FAULT, "it has CSAPP_REDIS_URL")
        assert "is served by process 1 on shop: " in said.what
        serving.beat(store, "b", serving.Server("process 2 on shop", shared=True))
        assert sick(store=history.look(database), redis_url=redis_url) == []
        serving.beat(store, "c", serving.Server("process 3 on shop", shared=False))
        for configured in (redis_url, None):
            found = sick(store=history.look(database), redis_url=configured)
            said = says(found, Level.FAULT, "3 processes served the database within the last 15 s")
            assert "(process 1 on shop, process 2 on shop, process 3 on shop)" in said.what
        for key in "ab":
            serving.leave(store, key)
        facts = history.look(database)
        assert sick(store=facts) == []
        says(sick(store=facts, redis_url=redis_url), Level.FAULT, "this configuration has CSAPP_R")


def test_a_process_with_another_configuration_serves_the_file(sick, good):
    url, path = migrated(good.settings.database_url), str(good.store.path)
    assert sick(store=history.look(url)) == []
    for shared, redis_url in ((True, None), (False, "redis://127.0.0.1")):
        lock = ServingLock(path)
        lock.take(shared=shared)
        try:
            facts = history.look(url)
            assert facts.holder == Holder(f"process {os.getpid()}", shared)
            assert facts.problem == ""
            said = says(sick(store=facts, redis_url=redis_url), Level.FAULT, "is served by process")
            assert "the same CSAPP_REDIS_URL" in said.remedy
            alike = None if redis_url else "redis://127.0.0.1"
            assert not [one for one in sick(store=facts, redis_url=alike) if "served" in one.what]
        finally:
            lock.release()
            Path(lock.path).unlink(missing_ok=True)


def test_a_file_of_an_older_version_that_is_left(sick, good, tmp_path):
    url, former = good.settings.database_url, f"sqlite:///{tmp_path}/old/csapp.db"
    find = partial(open_store, owner=Owner("shop"), former=former)
    migrated(url)
    assert sick(store=history.look(url, find=find)) == []
    migrated(former)
    said = says(sick(store=history.look(url, find=find)), Level.HINT, "is not in use")
    assert f"{tmp_path}/old/csapp.db" in said.what
    with closing(open_store(former, Owner("blog"))) as theirs:
        theirs.prepare()
    assert sick(store=history.look(url, find=find)) == [], "another application uses it"


def test_an_index_that_is_far_behind(sick, good):
    url = migrated(good.settings.database_url)
    with closing(sqlite3.connect(good.store.path, isolation_level=None)) as other:
        other.execute(
            "WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted "
            f"WHERE n <= {MAX_NEW}) INSERT INTO message (chat, seq, side, author, kind, body, date)"
            " SELECT 1, n, 0, '', 0, '', 0 FROM counted"
        )
        said = says(sick(store=history.look(url)), Level.HINT, f"{MAX_NEW + 1:,} texts are not in")
        assert "let a server run" in said.remedy
        other.execute("UPDATE message_words_done SET n = 1")
    assert sick(store=history.look(url)) == []


def test_a_text_from_the_future(sick, good, database):
    now = time.time()
    for url in (migrated(good.settings.database_url), database):
        row = {"chat": 1, "seq": 1, "side": 0, "author": "", "kind": 0, "body": ""}
        with closing(open_store(url)) as store, store.engine.begin() as connection:
            connection.execute(sa.insert(tables.message), {**row, "date": int(now * 1000)})
        facts = history.look(url)
        assert sick(store=facts, clock=now) == []
        says(sick(store=facts, clock=now - 3600), Level.WARNING, "dated 3600 s after")


def test_a_file_in_memory(sick, good):
    path = Path("/dev/shm/csapp-doctor/csapp.db")
    if filesystem(path, good.mounts) != "tmpfs":
        pytest.skip("/dev/shm of this machine is no tmpfs")
    found = sick(store=history.look(f"sqlite:///{path}"))
    says(found, Level.FAULT, "gone after a restart of the machine")


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "9p", "fuse.sshfs"])
def test_a_file_on_a_network(sick, good, kind):
    beside = f"server:/x {good.instance}-2 {kind} rw 0 0"
    above = f"server:/x {good.instance.parent} {kind} rw 0 0"
    assert sick(mounts=f"{good.mounts}{beside}\n") == []
    said = says(sick(mounts=f"{good.mounts}{above}\n"), Level.FAULT, "network file system")
    assert kind in said.what


def test_the_nearest_mount_counts(tmp_path):
    folder = tmp_path / "with space" / "x"
    mounts = (
        "disk / ext4 rw 0 0\n"
        f"net {tmp_path}/with\\040space nfs rw 0 0\n"
        f"disk {tmp_path}/with\\040space/x xfs rw 0 0\n"
    )
    assert filesystem(folder / "y.db", mounts) == "xfs"
    assert filesystem(folder.parent / "y.db", mounts) == "nfs"
    assert filesystem(tmp_path / "y.db", mounts) == "ext4"


# ---- Redis -----------------------------------------------------------------


def test_nothing_is_wrong_with_a_redis_that_keeps_everything(sick, redis_server):
    facts = redis.look(redis_server.url)
    assert facts.version >= (6, 2)
    assert sick(redis=facts) == []


def test_a_redis_that_does_not_answer(sick):
    facts = redis.look(f"redis://:open-sesame@127.0.0.1:{free_port()}/0")
    said = says(sick(redis=facts), Level.FAULT, "Redis cannot be used")
    assert "sesame" not in str(said)


def test_a_redis_that_stands_still(sick, redis_server):
    with redis_server.paused():
        facts = redis.look(redis_server.url, timeout=0.1)
    says(sick(redis=facts), Level.FAULT, "Redis cannot be used: Timeout")


def test_a_redis_that_wants_a_password(sick, redis_server):
    redis_server.execute("ACL", "SETUSER", "chat", "on", ">word", "~*", "+@all", "-config")
    try:
        url = f"redis://chat:{{}}@127.0.0.1:{redis_server.port}/0"
        says(sick(redis=redis.look(url.format("sesame"))), Level.FAULT, "Redis cannot be used")
        assert sick(redis=redis.look(url.format("word"))) == [], "it need not show its settings"
    finally:
        redis_server.execute("ACL", "DELUSER", "chat")


def test_a_redis_that_throws_away(sick, redis_server):
    redis_server.execute("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        assert sick(redis=redis.look(redis_server.url)) == [], "there is no limit"
        redis_server.execute("CONFIG", "SET", "maxmemory", "1gb")
        said = says(sick(redis=redis.look(redis_server.url)), Level.FAULT, "allkeys-lru")
        assert said.remedy == "maxmemory-policy noeviction"
        redis_server.execute("CONFIG", "SET", "maxmemory-policy", "noeviction")
        assert sick(redis=redis.look(redis_server.url)) == []
        redis_server.execute("CONFIG", "SET", "maxmemory", "1mb")
        says(sick(redis=redis.look(redis_server.url)), Level.WARNING, "of its maxmemory")
    finally:
        redis_server.execute("CONFIG", "SET", "maxmemory", "0", "maxmemory-policy", "noeviction")


def test_a_redis_that_keeps_nothing(sick, redis_server):
    redis_server.execute("CONFIG", "SET", "appendonly", "no")
    try:
        says(sick(redis=redis.look(redis_server.url)), Level.WARNING, "nothing on a disk")
        redis_server.execute("CONFIG", "SET", "save", "60 1")
        assert sick(redis=redis.look(redis_server.url)) == []
    finally:
        redis_server.execute("CONFIG", "SET", "save", "", "appendonly", "yes")


def test_a_redis_that_may_not_be_told_to_forget(sick, redis_server):
    url = f"redis://chat:word@127.0.0.1:{redis_server.port}/0"
    for rule, command in (("-bgrewriteaof", "BGREWRITEAOF"), ("-bgsave", "BGSAVE")):
        redis_server.execute("ACL", "SETUSER", "chat", "on", ">word", "~*", "+@all", rule)
        try:
            redis_server.execute("CONFIG", "SET", "save", "")
            found = sick(redis=redis.look(url))
            if command == "BGSAVE":
                assert found == [], "there is no snapshot to rewrite"
                redis_server.execute("CONFIG", "SET", "save", "60 1")
                found = sick(redis=redis.look(url))
            said = says(found, Level.HINT, f"may not run {command}: after an erasure")
            assert f"+{command.lower()}" in said.remedy
            redis_server.execute("ACL", "SETUSER", "chat", "-acl")
            assert sick(redis=redis.look(url)) == [], "what is not known is not told"
        finally:
            redis_server.execute("ACL", "DELUSER", "chat")
            redis_server.execute("CONFIG", "SET", "save", "")


def test_a_redis_that_never_rewrites(sick, redis_server):
    redis_server.execute("CONFIG", "SET", "auto-aof-rewrite-percentage", "0")
    try:
        says(sick(redis=redis.look(redis_server.url)), Level.HINT, "never rewrites")
    finally:
        redis_server.execute("CONFIG", "SET", "auto-aof-rewrite-percentage", "100")


def test_a_redis_that_takes_no_changes(sick, redis_server):
    redis_server.execute("REPLICAOF", "127.0.0.1", str(free_port()))
    try:
        says(sick(redis=redis.look(redis_server.url)), Level.FAULT, "replica")
    finally:
        redis_server.execute("REPLICAOF", "NO", "ONE")


def test_an_old_redis(sick, redis_server):
    facts = redis.look(redis_server.url)
    says(sick(redis=replace(facts, version=(6, 0))), Level.FAULT, "Redis 6.0 is too old")
