"""One process at a time serves a SQLite file, unless a desk in Redis is shared."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from services.history.lock import ServingLock
from services.history.port import InUse, StoreError
from testkit import Client, LiveServer, assert_receives
from testkit.proxy import TO_CLIENT, FaultProxy
from testkit.redis import RedisServer
from testkit.server import PATIENCE, ROOT, SECRET

from . import forks
from .probe import assert_ready_soon, readiness

IN_USE = "another process serves the database"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"CSAPP_DATABASE_URL": f"sqlite:///{tmp_path}/csapp.db", "CSAPP_GRACE": "3"}


def chat(env: dict[str, str], *words: str) -> str:
    """What a command says."""
    env = {"CSAPP_SECRET_KEY": SECRET, **env}
    done = forks.run("flask", "--app", "csapp", "chat", *words, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_second_process_says_why_it_does_not_serve(env):
    with LiveServer.gunicorn(env=env) as first:
        assert readiness(first) == (200, "")
        with Client.waiter(first, "ada") as ada, Client.user(first, "ann") as ann:
            ada.ready()
            ann.say("connect")
            assert_receives(ann, "connect_success", uuid=ada.uuid)
            assert_receives(ada, "new_connection", uuid=ann.uuid)
            with LiveServer.flask(env=env) as second:
                for _ in range(3):
                    status, reason = readiness(second)
                    assert status == 503
                    assert IN_USE in reason
                line = second.wait_for_line("no chat is possible")
                assert f"is served by process {first.worker_pid}" in line
                assert "CSAPP_REDIS_URL" in line
                assert second.log.count("no chat is possible") == 1
                assert "Traceback" not in second.log
            ann.text("still there")
            assert_receives(ada, "message_text", message="still there")
        assert readiness(first) == (200, "")


def test_the_second_takes_over_when_the_first_has_ended(env):
    with LiveServer.gunicorn(env=env) as first, LiveServer.gunicorn(env=env) as second:
        assert_ready_soon(first)
        assert readiness(second)[0] == 503
        assert first.stop() == 0
        assert_ready_soon(second)
        with Client.user(second, "ann") as ann:
            ann.say("connect")
            assert_receives(ann, "connect_queue", location=0)


def test_one_that_was_killed_keeps_nobody_out(env):
    with LiveServer.flask(env=env) as first, LiveServer.flask(env=env) as second:
        assert_ready_soon(first)
        first.process.kill()
        first.process.wait()
        assert_ready_soon(second)


def test_after_a_reload_the_new_worker_serves(env):
    with LiveServer.gunicorn(env=env) as server:
        assert_ready_soon(server)
        before = server.worker_pid
        server.signal(signal.SIGHUP)
        server.wait_for_line(f"Worker exiting.*{before}")
        assert readiness(server) == (200, "")
        assert server.worker_pid != before
        assert "no chat is possible" not in server.log


def test_a_slow_reader_does_not_keep_the_new_worker_waiting(env):
    """The old worker lets go of the database as soon as it has nothing more to write there."""
    env |= {"CSAPP_OUTBOX_SECONDS": "600", "CSAPP_MESSAGE_RATE": "0", "CSAPP_GRACE": "60"}
    with (
        LiveServer.gunicorn(env=env, args=["--graceful-timeout", "600"]) as server,
        FaultProxy(server) as proxy,
    ):
        ada, slow = Client.waiter(server, "ada"), Client.user(proxy, "slow")
        ada.ready()
        slow.say("connect")
        assert_receives(slow, "connect_success", uuid=ada.uuid)
        assert_receives(ada, "new_connection", uuid=slow.uuid)
        proxy.throttle(0, TO_CLIENT)
        while re.search(r"^csapp_outbox_bytes 0(\.0)?$", server.get("/metrics"), re.MULTILINE):
            for _ in range(50):
                ada.text("x" * 4000, to=slow.uuid)
        before = server.worker_pid
        server.signal(signal.SIGHUP)
        assert ada.closed() == 1012
        assert_ready_soon(server)
        with Client.waiter(server, "ada") as again:
            assert_receives(again, "initialize")
            assert_receives(again, "new_connection")  # the slow reader's chat goes on
        os.kill(before, 0)  # it is still there, and busy with the slow reader
        assert "Worker exiting" not in server.log
        os.kill(before, signal.SIGKILL)


def test_commands_work_beside_a_running_server(env, tmp_path):
    with LiveServer.gunicorn(env=env) as server:
        with Client.waiter(server, "ada") as ada, Client.user(server, "ann") as ann:
            ada.ready()
            ann.say("connect")
            assert_receives(ann, "connect_success", uuid=ada.uuid)
            assert_receives(ada, "new_connection", uuid=ann.uuid)
            ann.text("hello")
            assert_receives(ada, "message_text", message="hello")
        assert chat(env, "token", "--role", "user", "--sub", "ann")
        assert "ada" in chat(env, "waiter", "add", "ada", "--generate")
        assert "ada" in chat(env, "export", "--person", "ada", "--format", "json")
        assert chat(env, "erase", "--person", "ada", "--yes")
        assert chat(env, "migrate")
        assert readiness(server) == (200, "")


def test_those_who_share_a_desk_share_the_file_with_nobody_else(env):
    with RedisServer() as redis:
        shared = {**env, "CSAPP_REDIS_URL": redis.url}
        with (
            LiveServer.gunicorn(env=shared) as first,
            LiveServer.gunicorn(env=shared) as second,
            LiveServer.gunicorn(env=env) as alone,
        ):
            assert_ready_soon(first)
            assert_ready_soon(second)
            assert IN_USE in readiness(alone)[1]
            for server in (first, second):
                server.stop()
            assert_ready_soon(alone)
            with LiveServer.gunicorn(env=shared) as late:
                assert IN_USE in readiness(late)[1]
                late.wait_for_line("give it CSAPP_REDIS_URL as well")


# ---- the lock itself -------------------------------------------------------


@pytest.fixture
def locks(tmp_path: Path) -> tuple[ServingLock, ServingLock]:
    """Two on one file."""
    return tuple(ServingLock(str(tmp_path / "csapp.db")) for _ in range(2))  # type: ignore[return-value]


def test_who_holds_it_is_named_and_lets_go(locks):
    one, other = locks
    one.take(shared=False)
    one.take(shared=False)
    with pytest.raises(InUse, match=f"is served by process {os.getpid()}:"):
        other.take(shared=False)
    assert not other.holder_leaves
    one.announce_leaving()
    with pytest.raises(InUse):
        other.take(shared=False)
    assert other.holder_leaves
    one.release()
    assert one.last_holder().leaves  # for its successor
    other.take(shared=False)
    with pytest.raises(InUse):
        one.take(shared=True)
    assert not one.holder_leaves
    other.release()
    assert not os.path.exists(one.path)


def test_one_who_waits_at_a_file_that_is_removed_does_not_hold_another_one(locks, monkeypatch):
    """It has the file open when the holder removes it and a third process makes a new one."""
    one, other = locks
    third = ServingLock(one.path.removesuffix(".lock"))
    one.take(shared=False)
    lock = ServingLock._lock

    def late(self: ServingLock, descriptor: int, shared: bool) -> None:
        if self is other and one._descriptor is not None:
            one.release()
            third.take(shared=False)
        lock(self, descriptor, shared)

    monkeypatch.setattr(ServingLock, "_lock", late)
    with pytest.raises(InUse):
        other.take(shared=False)
    third.release()
    other.take(shared=True)
    one.take(shared=True)
    other.release()
    with pytest.raises(InUse):
        third.take(shared=False)
    one.release()


def test_it_is_the_same_by_another_name(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    one, other = (ServingLock(str(tmp_path / name / "csapp.db")) for name in ("real", "link"))
    one.take(shared=False)
    with pytest.raises(InUse):
        other.take(shared=False)
    one.release()


FORKING = """
import os, sys
from services.history.lock import ServingLock
lock = ServingLock(sys.argv[1])
lock.take(shared=False)
if os.fork() == 0:
    print("forked", flush=True)
    sys.stdin.read()
    os._exit(0)
os.wait() if sys.argv[2] == "stays" else os._exit(0)
"""


@pytest.mark.parametrize(("parent", "is_free"), [("stays", False), ("goes", True)])
def test_a_forked_child_neither_holds_it_nor_lets_it_go(tmp_path, parent, is_free):
    path = str(tmp_path / "csapp.db")
    command = [sys.executable, "-c", FORKING, path, parent]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "forked\n"
        if parent == "goes":
            process.wait(PATIENCE)
        lock = ServingLock(path)
        if is_free:
            lock.take(shared=False)
            lock.release()
        else:
            with pytest.raises(InUse):
                lock.take(shared=False)
        process.communicate()


def test_where_it_cannot_be_made_one_line_says_so(tmp_path):
    with pytest.raises(StoreError, match=r"csapp.db.lock: No such file"):
        ServingLock(str(tmp_path / "nowhere" / "csapp.db")).take(shared=False)
