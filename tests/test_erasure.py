"""Somebody is erased beside running servers: its words are nowhere any more.

The raw files of the databases and of Redis are read, all keys of Redis, and what
is alive in the workers.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import threading
import uuid
import weakref
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from services.conversation.kinds import Side
from services.desk.traces import remove_traces
from services.history import care, cleaning
from services.history.opening import open_store
from services.threads import ThreadRuntime
from testkit import Client, LiveServer
from testkit.entries import note
from testkit.postgres import Postgres
from testkit.redis import RedisServer
from testkit.server import PATIENCE

from . import probe
from .history.people import keep, no_pause
from .probe import next_frame
from .test_operation import run

SUBJECT = "quittenbrot-4711"
NAME = "Zwetschgenmus Paradeiser"
PAGE = "https://shop.example/mirabellengelee"
AVATAR = "/berberitzen.png"
QUESTION = "Where are my rosinenbrötchen?"
WORDS = [f"{fruit}{number}" for number in range(8) for fruit in ("sanddornsaft", "schlehenlikör")]
#: nothing of this may be found anywhere
MARKS = [SUBJECT, "zwetschgenmus", "paradeiser", "mirabellengelee", "sanddornsaft", "schlehenlik",
         "berberitzen", "rosinenbr"]  # fmt: skip


def _say(client: Client, text: str, **fields: str) -> None:
    frame = {"type": "message_text", "id": str(uuid.uuid4()), "payload": {"message": text}}
    client.send(json.dumps(frame | fields))
    next_frame(client, "message_text_success")


class Life:
    """A visitor talks with a waiter who is on another server where there is one."""

    def __init__(self, servers: list[LiveServer]) -> None:
        self.user = self.come(servers[0], "user", SUBJECT, NAME, AVATAR)
        self.waiter = self.come(servers[-1], "waiter", "wim", "Wim")
        self.user.say("connect", {"page": PAGE, "question": QUESTION})
        next_frame(self.user, "connect_queue")
        self.waiter.say("get_queue")
        (seen,) = next_frame(self.waiter, "queue")["payload"]["visitors"]
        assert seen["question"] == QUESTION
        self.waiter.say("ready")
        next_frame(self.user, "connect_success")
        met = next_frame(self.waiter, "new_connection")
        self.to = met["payload"]["uuid"]
        self.conversation = int(met["payload"]["conversation"], 16)
        for number, word in enumerate(WORDS):
            one, other = (self.user, self.waiter) if number % 2 else (self.waiter, self.user)
            _say(one, f"where is my {word} now", **({} if number % 2 else {"to": self.to}))
            next_frame(other, "message_text")

    @staticmethod
    def come(server: LiveServer, role: str, sub: str, name: str, avatar: str = "") -> Client:
        client = Client(server, role)
        token = server.token(role, sub, name, avatar=avatar)
        client.say("auth", {"token": token, "version": 2})
        next_frame(client, "auth_success")
        return client


def found_in(data: bytes) -> list[str]:
    """The marks that are in it, whatever their case."""
    small = data.lower()
    return [mark for mark in MARKS if mark.encode() in small]


def found_in_files(folder: Path) -> dict[str, list[str]]:
    """File → the marks that are in it; a name may vanish meanwhile."""
    found = {}
    for file in folder.rglob("*"):
        with contextlib.suppress(OSError):
            if file.is_file() and (marks := found_in(file.read_bytes())):
                found[str(file.relative_to(folder))] = marks
    return found


def found_in_redis(redis: RedisServer) -> dict[str, list[str]]:
    """Key → the marks that are in it, as it would be stored."""
    found = {}
    with contextlib.closing(redis.client()) as client:
        for key in client.scan_iter(count=1000):
            if marks := found_in(key + (client.dump(key) or b"") + _value(client, key)):
                found[key.decode()] = marks
        slow = repr(client.slowlog_get(128)).encode()
        if marks := found_in(slow):
            found["SLOWLOG"] = marks
    return found


def _value(client: Any, key: bytes) -> bytes:
    """All of a key: what `dump` may have packed."""
    read = {
        b"hash": client.hgetall,
        b"stream": client.xrange,
        b"set": client.smembers,
        b"zset": lambda one: client.zrange(one, 0, -1),
        b"string": client.get,
    }
    return repr(read[client.type(key)](key)).encode()


def alive(server: LiveServer) -> dict[str, list[str]]:
    """What the worker still holds of the words, the name and the page; not of the id."""
    found: dict[str, list[str]] = json.loads(server.get(f"/alive?words={','.join(MARKS[1:])}"))
    return found


def erase(**env: str) -> subprocess.CompletedProcess[str]:
    """`chat erase` of the visitor; what it has said."""
    done = run("flask", "--app", "csapp", "chat", "erase", "--person", SUBJECT, "--yes", **env)
    assert done.returncode == 0, done.stderr
    assert "Erased 1 conversation, 18 entries, 1 note." in done.stdout
    return done


SETTINGS = {"CSAPP_GRACE": "1", "CSAPP_MESSAGE_RATE": "0"}


def _note(url: str, life: Life) -> None:
    with contextlib.closing(open_store(url)) as store:
        store.write_for_staff(note(life.conversation, "wim", f"{NAME} is rude", 1))


def test_sqlite(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'csapp.db'}"
    env = SETTINGS | {"CSAPP_DATABASE_URL": url}
    with LiveServer.gunicorn("tests.memory_host:app", env=env) as server:
        life = Life([server])
        _note(url, life)
        assert found_in_files(tmp_path), "the search for bytes finds what is there"
        assert alive(server), "and so does the one for objects"
        done = erase(**env)
        assert found_in_files(tmp_path) == {}
        assert "were open" not in done.stderr
        assert (tmp_path / "csapp.db-wal").stat().st_size == 0
        assert alive(server) == {}
        assert SUBJECT not in server.log.replace(f"subject={SUBJECT}", "")


def _traces(file: Path) -> str:
    """The URL of a database in which a killed erasure has left bytes of what it has deleted."""
    url = f"sqlite:///{file}"
    with contextlib.closing(open_store(url)) as store:
        store.prepare()
        keep(store, 1, WORDS, user=SUBJECT, waiter="wim", user_name=NAME, page=PAGE)
    with contextlib.closing(sqlite3.connect(file)) as raw:
        raw.execute("PRAGMA secure_delete = OFF")
        for table in ("message", "service", "chat"):
            raw.execute(f"DELETE FROM {table}")
        raw.commit()
    assert found_in_files(file.parent)
    return url


def test_an_erasure_that_was_interrupted_is_ended_by_another_one(tmp_path: Path):
    with RedisServer() as redis:
        env = {"CSAPP_DATABASE_URL": _traces(tmp_path / "csapp.db"), "CSAPP_REDIS_URL": redis.url}
        redis.execute("CONFIG", "SET", "slowlog-log-slower-than", "0")
        redis.execute("SET", "csapp:{main}:x", WORDS[0])
        redis.execute("DEL", "csapp:{main}:x")
        done = run("flask", "--app", "csapp", "chat", "erase", "--person", SUBJECT, "--yes", **env)
        assert (done.returncode, found_in_redis(redis)) == (1, {})
    assert f"there is nobody called {SUBJECT}" in done.stderr
    assert found_in_files(tmp_path) == {}


def test_what_is_told_to_be_done_about_traces_needs_no_age(tmp_path: Path):
    env = {"CSAPP_DATABASE_URL": _traces(tmp_path / "csapp.db")}
    done = run("flask", "--app", "csapp", "chat", "sweep", **env)
    assert "--vacuum" in done.stderr
    done = run("flask", "--app", "csapp", "chat", "sweep", "--vacuum", **env)
    assert (done.returncode, done.stdout[:23]) == (0, "Deleted 0 conversations"), done.stderr
    assert found_in_files(tmp_path) == {}


def test_a_waiter_whose_visitor_waits_for_another(tmp_path: Path):
    """The visitor is queued anew, and what the server writes of it later names nobody."""
    url = f"sqlite:///{tmp_path / 'csapp.db'}"
    env = SETTINGS | {"CSAPP_DATABASE_URL": url}
    with LiveServer.gunicorn(env=env) as server:
        waiter = Life.come(server, "waiter", SUBJECT, NAME)
        waiter.say("ready")
        user = Life.come(server, "user", "bob", "Bob")
        user.say("connect")
        next_frame(user, "connect_success")
        _say(user, "hello")
        done = run("flask", "--app", "csapp", "chat", "erase", "--person", SUBJECT, "--yes", **env)
        assert "Replaced the name in 1 conversation and" in done.stdout, done.stderr
        assert found_in_files(tmp_path) == {}
        next_frame(user, "connect_queue")
        user.drop()
        with contextlib.closing(open_store(url)) as store:
            (chat,) = store.conversations_of(Side.USER, "bob")
            _ended(url, chat.key)
        assert found_in_files(tmp_path) == {}


def test_sweep_beside_a_server(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'csapp.db'}"
    env = SETTINGS | {"CSAPP_DATABASE_URL": url}
    with LiveServer.gunicorn(env=env) as server:
        life = Life([server])
        _note(url, life)
        life.user.say("disconnect")
        next_frame(life.waiter, "disconnected")
        life.waiter.say("disconnect_user")
        _ended(url, life.conversation)
        done = run("flask", "--app", "csapp", "chat", "sweep", "--older-than", "0", **env)
        assert "Deleted 1 conversation," in done.stdout, done.stderr
        assert found_in_files(tmp_path) == {}


def _ended(url: str, conversation: int) -> None:
    with contextlib.closing(open_store(url)) as store:
        while (chat := store.conversation(conversation)) is None or chat.ended is None:
            pass


# ---- PostgreSQL ------------------------------------------------------------


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[Postgres]:
    """A server of these tests' own: its files are read, and each test leaves them clean."""
    with Postgres() as server:
        yield server


def _migrated(postgres: Postgres) -> str:
    url = postgres.database()
    with contextlib.closing(open_store(url)) as store:
        store.migrate()
    return url


def _found_in_tables(postgres: Postgres) -> dict[str, list[str]]:
    """In the files of all tables and indexes, the system's own included."""
    postgres.execute("CHECKPOINT")
    return found_in_files(postgres.directory / "data" / "base")


def test_postgresql(own_postgres: Postgres):
    url = _migrated(own_postgres)
    env = SETTINGS | {"CSAPP_DATABASE_URL": url}
    with LiveServer.gunicorn(env=env) as server:
        life = Life([server])
        _note(url, life)
        own_postgres.execute("ANALYZE", url.rpartition("/")[2])  # the planner's samples quote rows
        assert _found_in_tables(own_postgres)
        done = erase(**env)
        assert _found_in_tables(own_postgres) == {}
        assert "pg_wal" in done.stderr, "what is not reached is named"


def test_sweep_of_postgresql(own_postgres: Postgres):
    url = _migrated(own_postgres)
    env = SETTINGS | {"CSAPP_DATABASE_URL": url}
    with LiveServer.gunicorn(env=env) as server:
        life = Life([server])
        _note(url, life)
        life.user.say("disconnect")
        next_frame(life.waiter, "disconnected")
        _ended(url, life.conversation)
        done = run("flask", "--app", "csapp", "chat", "sweep", "--older-than", "0", **env)
        assert "Deleted 1 conversation," in done.stdout, done.stderr
        assert _found_in_tables(own_postgres) == {}


def test_a_table_that_is_big_is_not_locked_for_long_and_it_is_said(
    own_postgres: Postgres, monkeypatch: pytest.MonkeyPatch
):
    """Its indexes are written anew beside the others' work; of the rest the command is named."""
    url = _migrated(own_postgres)
    monkeypatch.setattr(cleaning, "SMALL_TABLE", 0)
    with contextlib.closing(open_store(url)) as store:
        keep(store, 1, WORDS, user=SUBJECT, waiter="wim", user_name=NAME, page=PAGE)
        keep(store, 2, ["something else"], user="bob")
        left = care.erase(store, SUBJECT, pause=no_pause).left
        assert any("chat sweep --vacuum" in sentence for sentence in left)
        data = own_postgres.directory / "data"
        own_postgres.execute("CHECKPOINT")
        indexes = own_postgres.execute(
            "SELECT pg_relation_filepath(oid) FROM pg_class WHERE relkind = 'i' "
            "AND relnamespace = 'csapp_chat'::regnamespace",
            url.rpartition("/")[2],
        )
        assert len(indexes) > 10
        for row in indexes:
            assert found_in((data / str(row[0])).read_bytes()) == []
        care.sweep(store, 0, 0, vacuum=True, pause=no_pause)
    assert _found_in_tables(own_postgres) == {}


def test_others_who_use_the_tables_all_the_time_are_named(
    own_postgres: Postgres, monkeypatch: pytest.MonkeyPatch
):
    url = _migrated(own_postgres)
    for name in ("HELD_UP", "PATIENCE", "SEEN_TRIES"):
        monkeypatch.setattr(cleaning, name, 1)
    with contextlib.closing(open_store(url)) as store:
        keep(store, 1, WORDS, user=SUBJECT, waiter="wim", user_name=NAME, page=PAGE)
        with psycopg.connect(url.replace("+psycopg", "")) as reader:
            reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            reader.execute("SELECT 1 FROM csapp_chat.message").fetchone()
            left = care.erase(store, SUBJECT, pause=no_pause).left
        assert any("long transaction" in sentence for sentence in left)
        assert any("free room of message" in sentence for sentence in left)
        monkeypatch.undo()
        assert len(care.sweep(store, 0, 0, vacuum=True, pause=no_pause).left) == 1
    assert _found_in_tables(own_postgres) == {}


# ---- Redis -----------------------------------------------------------------


def test_two_workers_and_a_redis_that_writes_everything_down(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'csapp.db'}"
    with RedisServer(keep=True) as redis:
        redis.execute("CONFIG", "SET", "slowlog-log-slower-than", "0")
        redis.execute("CONFIG", "SET", "save", "3600 1000000")
        env = SETTINGS | {"CSAPP_DATABASE_URL": url, "CSAPP_REDIS_URL": redis.url}
        start = LiveServer.gunicorn
        app = "tests.memory_host:app"
        with start(app, env=env) as one, start(app, env=env) as other:
            life = Life([one, other])
            _note(url, life)
            redis.execute("BGSAVE")
            assert found_in_files(redis.directory)
            assert found_in_redis(redis)
            done = erase(**env)
            assert "keep" not in done.stderr.replace("keeps", ""), done.stderr
            assert found_in_files(tmp_path) == {}
            assert found_in_redis(redis) == {}
            assert found_in_files(redis.directory) == {}
            # what has ended is known for some seconds, so that its end reaches everybody
            probe.until(lambda: [alive(server) for server in (one, other)] == [{}, {}])


def test_what_redis_must_not_be_asked_for_is_named(tmp_path: Path):
    with RedisServer(keep=True) as redis:
        redis.execute(
            "ACL", "SETUSER", "default", "-bgrewriteaof", "-config", "-slowlog", "-bgsave"
        )
        left = remove_traces(redis.url, "ann")
    assert any("run BGREWRITEAOF" in sentence for sentence in left)
    assert any("run BGSAVE" in sentence for sentence in left)
    assert any("SLOWLOG RESET" in sentence for sentence in left)
    (away,) = remove_traces(redis.url, "ann")
    assert "could not be reached" in away


def test_a_mailbox_that_nobody_reads_is_named():
    with RedisServer() as redis:
        redis.execute("XADD", "csapp:{main}:box:stuck", "1-1", "f", "#", "n", "1", "b", WORDS[0])
        ticks = iter(range(1000))
        left = remove_traces(redis.url, "ann", sleep=lambda _: None, now=lambda: float(next(ticks)))
    assert any("mailbox" in sentence for sentence in left)


# ---- memory ----------------------------------------------------------------


def test_a_native_thread_holds_nothing_of_what_it_has_done():
    class Words:
        """Something that a weak reference can tell of."""

    words, done = Words(), threading.Event()
    gone = threading.Event()
    weakref.finalize(words, gone.set)
    ThreadRuntime().native()(partial(len, [words]), lambda _: done.set())
    del words
    assert done.wait(PATIENCE)
    assert gone.wait(PATIENCE)
