"""When a worker goes, the next one of the same server gets its SQLite file, and no bystander."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.client import HTTPException
from pathlib import Path

import pytest

from services.history import processes
from services.history.holder import LastHolder
from services.history.lock import SUCCESSION, ServingLock
from services.history.port import InUse
from services.history.processes import Process, find, lineage
from testkit import LiveServer
from testkit.server import CONFIGURATION, PATIENCE, ROOT, STANDALONE

from .probe import assert_ready_soon, readiness, until
from .test_one_process import IN_USE


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "csapp.db"


@pytest.fixture
def env(file: Path) -> dict[str, str]:
    return {"CSAPP_DATABASE_URL": f"sqlite:///{file}"}


class Bystander:
    """A second server, which is asked all the time whether it serves by now."""

    def __init__(self, env: dict[str, str]) -> None:
        self._server = LiveServer.flask(env=env)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def _ask(self) -> None:
        with contextlib.suppress(OSError, HTTPException):  # its end cuts the last request off
            while not self._stopped.is_set() and readiness(self._server)[0] != 200:
                self._stopped.wait(0.02)  # the pause of an eager health check

    def __enter__(self) -> LiveServer:
        assert IN_USE in readiness(self._server)[1]
        self._thread.start()
        return self._server

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        self._server.quit()
        self._thread.join(PATIENCE)


def reload(server: LiveServer) -> None:
    server.signal(signal.SIGHUP)


def kill(server: LiveServer) -> None:
    os.kill(server.worker_pid, signal.SIGKILL)


def send_away(server: LiveServer) -> None:
    """As gunicorn's `max_requests` does."""
    os.kill(server.worker_pid, signal.SIGTERM)


@pytest.mark.parametrize("how", [(), ("--preload",)], ids=["fork first", "preload"])
@pytest.mark.parametrize("leave", [reload, kill, send_away])
def test_the_next_worker_of_the_server_goes_first(
    env: dict[str, str], file: Path, leave: Callable[[LiveServer], None], how: tuple[str, ...]
):
    """Although nobody asks the server anything, and somebody asks the bystander all the time."""
    lock = ServingLock(str(file))
    with LiveServer.gunicorn(env=env, args=how) as server:
        assert_ready_soon(server)
        before = f"process {server.worker_pid}"
        with Bystander(env) as bystander:
            leave(server)
            until(lambda: lock.last_holder().name not in (before, "another process"))
            assert readiness(server) == (200, "")
            assert lock.last_holder().name in [f"process {pid}" for pid in server.worker_pids]
            assert IN_USE in readiness(bystander)[1]


def test_an_upgraded_server_goes_first(env: dict[str, str], file: Path, tmp_path: Path):
    """gunicorn's USR2: a new first process, and the old one ends soon."""
    note, lock = tmp_path / "pid", ServingLock(str(file))
    script = Path(sys.executable).with_name("gunicorn")  # `-m gunicorn` cannot start itself again
    command = [sys.executable, str(script), "-c", CONFIGURATION, "-b", "127.0.0.1:{port}"]
    with (
        LiveServer([*command, "--pid", str(note), STANDALONE], env) as server,
        contextlib.ExitStack() as after,
    ):
        assert_ready_soon(server)
        before = f"process {server.worker_pid}"
        with Bystander(env) as bystander:
            server.signal(signal.SIGUSR2)
            server.wait_for_line("Booting worker", count=2)
            upgraded = int(Path(f"{note}.2").read_text())
            after.callback(os.kill, upgraded, signal.SIGQUIT)
            server.signal(signal.SIGTERM)
            while (last := lock.last_holder()).name in (before, "another process"):
                threading.Event().wait(0.02)  # the pause of who looks again and again
            assert last.server == find(upgraded)
            assert readiness(server) == (200, "")
            assert IN_USE in readiness(bystander)[1]


def test_when_the_whole_server_is_gone_a_bystander_serves(env: dict[str, str]):
    with LiveServer.gunicorn(env=env) as server:
        assert_ready_soon(server)
        with Bystander(env) as bystander:
            server.process.kill()  # its worker notices, and ends
            assert_ready_soon(bystander)


# ---- the lock itself -------------------------------------------------------


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has started neither this one nor what started this one."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def leave_note(lock: ServingLock, server: Process | None, shared: bool = False) -> None:
    """What a worker of *server* leaves behind."""
    with open(lock.path, "w+") as file:
        LastHolder("process 99999999", True, server, shared).write(file.fileno())


def test_a_server_that_sends_nobody_is_waited_for_a_while(file, other):
    clock = Clock()
    lock = ServingLock(str(file), clock)
    leave_note(lock, find(other.pid))
    for clock.now in (100.0, 100.0 + SUCCESSION / 2, 99.99 + SUCCESSION):
        with pytest.raises(InUse, match=rf"99999999 until now.*\(process {other.pid}\) goes first"):
            lock.take(shared=False)
        assert lock.holder_leaves
    clock.now = 100.0 + SUCCESSION
    lock.take(shared=False)
    assert lock.last_holder().name == f"process {os.getpid()}"
    lock.release()
    assert not os.path.exists(lock.path)


def test_the_wait_begins_anew_with_each_holder(file, other):
    clock = Clock()
    lock, successor = ServingLock(str(file), clock), ServingLock(str(file))
    leave_note(lock, find(other.pid))
    with pytest.raises(InUse):
        lock.take(shared=False)
    leave_note(lock, None)
    successor.take(shared=False)
    with pytest.raises(InUse, match="is served by"):
        lock.take(shared=False)
    assert not lock.holder_leaves
    successor.release()
    leave_note(lock, find(other.pid))
    clock.now += SUCCESSION
    with pytest.raises(InUse, match="goes first"):
        lock.take(shared=False)


def test_the_server_that_takes_the_place_of_one_that_has_ended_is_waited_for(file, other):
    """gunicorn's USR2: the worker's last note names the new server, a child of the old one."""
    lock, gone = ServingLock(str(file)), Process(99_999_999, 1)
    heir = find(other.pid)
    assert heir is not None
    with open(lock.path, "w+") as note:
        LastHolder("process 99999998", True, gone, False, (gone, heir)).write(note.fileno())
    with pytest.raises(InUse, match="goes first"):
        lock.take(shared=False)
    with open(lock.path, "w+") as note:
        us = find(os.getpid())
        assert us is not None
        LastHolder("process 99999998", True, gone, False, (heir, us)).write(note.fileno())
    lock.take(shared=False)
    lock.release()


def test_what_else_its_server_has_started_is_named(other):
    script = (
        "from services.history.processes import siblings; print([p.number for p in siblings()])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert other.pid in json.loads(done.stdout)


def test_nobody_waits_for_a_server_that_has_ended(file, other):
    lock = ServingLock(str(file))
    leave_note(lock, find(other.pid))
    with pytest.raises(InUse):
        lock.take(shared=False)
    other.kill()
    other.wait()
    lock.take(shared=False)
    lock.release()


@pytest.mark.parametrize("server", [None, *lineage()])
def test_nobody_waits_where_nobody_else_is_known(file, server):
    lock = ServingLock(str(file))
    leave_note(lock, server)
    lock.take(shared=False)
    lock.release()


@pytest.mark.parametrize(("then", "now", "waits"), [
    (True, True, False), (True, False, True), (False, True, True), (False, False, True)
])  # fmt: skip
def test_those_who_share_wait_for_nobody_who_shared(file, other, then, now, waits):
    lock = ServingLock(str(file))
    leave_note(lock, find(other.pid), then)
    if waits:
        with pytest.raises(InUse):
            lock.take(shared=now)
    else:
        lock.take(shared=now)
        lock.release()


def test_a_successor_is_not_put_off_by_somebody_who_only_looks(file):
    """A bystander holds the lock for a moment, to find out that it is free."""
    lock, looks = ServingLock(str(file)), ServingLock(str(file))
    leave_note(lock, None)
    looks.take(shared=False)
    with open(lock.path, "r+") as file_:
        LastHolder("process 99999999", False, find(os.getppid())).write(file_.fileno())
    with pytest.raises(InUse):
        lock.take(shared=False)
    assert lock.holder_leaves
    looks.release()


@pytest.mark.parametrize(
    "text", ["", "\n", "\xff\n", "process 1\nserver x 1 alone\n", "a\nb c d e"]
)
def test_a_file_that_says_nothing_keeps_nobody_out(file, text):
    lock = ServingLock(str(file))
    Path(lock.path).write_text(text, "latin-1")
    assert lock.last_holder().server is None
    lock.take(shared=False)
    lock.release()


@pytest.mark.parametrize("leaves", [True, False])
@pytest.mark.parametrize("shared", [True, False])
def test_what_it_says_is_read(file, leaves, shared, other):
    said = LastHolder.ours(leaves=leaves, shared=shared)
    said = replace(said, heirs=(*said.heirs, Process(other.pid, 7), Process(other.pid, 8)))
    with open(file, "w+") as open_file:
        LastHolder("process 99999999999", True, find(1)).write(open_file.fileno())
        said.write(open_file.fileno())
        assert LastHolder.read(open_file.fileno()) == said
    assert said.server == find(os.getppid())


def test_who_reads_meanwhile_reads_the_one_or_the_other(file, other, monkeypatch):
    """A successor looks every few milliseconds, and a busy machine may stop a writer anywhere."""
    long = LastHolder("process 99999999999", True, find(other.pid), False, (Process(7, 8),))
    short = LastHolder("process 7", False, find(other.pid))
    seen = []
    with open(file, "w+") as note:

        def looked_at(call):
            def looked(*args):
                seen.append(LastHolder.read(note.fileno()))
                done = call(*args)
                seen.append(LastHolder.read(note.fileno()))
                return done

            return looked

        long.write(note.fileno())
        for name in ("pwrite", "ftruncate", "write", "truncate"):
            monkeypatch.setattr(os, name, looked_at(getattr(os, name)))
        for one in (short, long, short):
            one.write(note.fileno())
            assert LastHolder.read(note.fileno()) == one
    assert set(seen) == {long, short}


# ---- processes -------------------------------------------------------------


def test_a_process_that_nobody_has_waited_for_has_ended():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert find(pid) is None
    os.waitpid(pid, 0)
    assert find(pid) is None
    assert find(0) is None


def test_a_later_process_of_the_same_number_is_another(other):
    one = find(other.pid)
    assert one is not None
    assert one.lives()
    assert not Process(one.number, one.began + 1).lives()


def test_the_server_before_an_upgrade_is_in_the_lineage():
    """gunicorn's USR2: the new server is a child of the old one."""
    script = "from services.history.processes import lineage; print([p.number for p in lineage()])"
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {script!r}]); input()"
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", nested]
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().partition(",")[2] == f" {process.pid}, {os.getpid()}]\n"
        process.communicate("\n")


def test_an_orphan_knows_what_started_it():
    """A worker whose server was killed: its new parent, the system's first process, is none."""
    script = (
        "import os, signal; from services.history.holder import LastHolder; "
        "LastHolder.ours(leaves=False, shared=False); os.kill(os.getppid(), signal.SIGKILL); "
        "\nwhile os.getppid() == PARENT: pass\n"
        "left = LastHolder.ours(leaves=True, shared=False); "
        "print(left.server.number, left.server.lives(), left.heirs)"
    )
    nested = (
        "import os, subprocess, sys; "
        f"script = {script!r}.replace('PARENT', str(os.getpid())); "
        "subprocess.run([sys.executable, '-c', script])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", nested], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.wait()
        assert process.stdout.read() == f"{process.pid} False ()\n"


def test_where_the_system_tells_nothing_numbers_do(monkeypatch, other):
    monkeypatch.setattr(processes, "_fields", lambda number: [])
    monkeypatch.setattr(os.path, "exists", lambda path: False)
    assert find(other.pid) == Process(other.pid, 0)
    other.kill()
    other.wait()
    assert find(other.pid) is None
