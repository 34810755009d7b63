"""Servers and commands that begin as forks: what they import is imported once in a run of tests.

A fork server (`python -m tests.forks gunicorn`) patches as `gunicorn.conf.py` does, imports what
a worker of gunicorn imports, and forks for each server that a test starts. From there on the
fork is that server: its own environment, folder and output, and everything that `python -m
gunicorn` does. It takes a tenth of the processor's time. The same goes for `flask run` and the
`flask chat` commands (`run`).

Tests of starting, reloading and upgrading take processes that have begun as any other:
`conftest.BEGUN_ALONE`.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from runpy import run_module
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[1]
#: the programs that there are fork servers of
PROGRAMS = ("gunicorn", "flask")
#: most bytes of what a server is started with
MOST = 200_000


class Forked:
    """A process, with what tests use of `subprocess.Popen`."""

    def __init__(self, answers: socket.socket, output: int, errors: int) -> None:
        self._answers = answers
        self._waiting = threading.Lock()
        self.pid = int(answers.recv(64))
        self.returncode: int | None = None
        self.stdout = _text(output)
        self.stderr = _text(errors)

    def poll(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, once it has ended. Raises `subprocess.TimeoutExpired`."""
        status = self._look(timeout)
        if status is None:
            raise subprocess.TimeoutExpired("a fork", timeout or 0)
        return status

    def _look(self, timeout: float | None) -> int | None:
        with self._waiting:
            if self.returncode is None:
                there, _, _ = select.select([self._answers], [], [], timeout)
                if there:
                    self.returncode = int(self._answers.recv(64))
                    self._answers.close()
            return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL, unless it has ended."""
        self.send_signal(signal.SIGKILL)


def _text(descriptor: int) -> IO[str]:
    return os.fdopen(descriptor, encoding="utf-8", errors="replace")


class ForkServer:
    """Forks processes of one *program*; ends with the process that has started it."""

    def __init__(self, program: str) -> None:
        self._asks, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, program, str(theirs.fileno())],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()

    def start(
        self, args: Sequence[Any], cwd: Path | None, env: Mapping[str, str], *, apart: bool
    ) -> Forked:
        """Run the program with *args*, in *cwd*, with nothing but *env* around it.

        *apart*: what it says of errors is kept apart.
        """
        sent = json.dumps([[*map(str, args)], str(cwd or Path.cwd()), dict(env)]).encode()
        assert len(sent) < MOST
        output, written = os.pipe()
        errors, complained = os.pipe() if apart else (os.dup(output), os.dup(written))
        answers, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with self._lock:
            socket.send_fds(self._asks, [sent], [written, complained, theirs.fileno()])
        os.close(written)
        os.close(complained)
        theirs.close()
        return Forked(answers, output, errors)

    def close(self) -> None:
        """No more of them; those that run go on."""
        self._asks.close()
        self._process.wait()


_servers: dict[str, ForkServer] = {}
_lock = threading.Lock()


def _server(program: str) -> ForkServer:
    with _lock:
        if program not in _servers:
            _servers[program] = ForkServer(program)
        return _servers[program]


def close() -> None:
    """End all fork servers that were needed."""
    while _servers:
        _servers.popitem()[1].close()


def popen(command: Sequence[Any], **options: Any) -> Any:
    """As `subprocess.Popen`; a fork where *command* is `python -m` one of `PROGRAMS`."""
    program = command[2] if list(command[:2]) == [sys.executable, "-m"] else ""
    if program not in PROGRAMS:
        return subprocess.Popen(command, **options)
    return _server(program).start(command[3:], options["cwd"], options["env"], apart=False)


def run(
    *command: Any, cwd: Path = ROOT, env: Mapping[str, str], timeout: float = 100
) -> subprocess.CompletedProcess[str]:
    """What `python -m` does and says with *command*, one of `PROGRAMS` and its words.

    Of the environment of this process it has what is not csapp's, and *env*.
    """
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("CSAPP_")}
    around = {**inherited, "PYTHONPATH": str(ROOT), **env}
    done = _server(command[0]).start(command[1:], cwd, around, apart=True)
    end = threading.Timer(timeout, done.kill)
    end.start()
    with done.stdout, done.stderr, ThreadPoolExecutor(2) as readers:
        said = [readers.submit(stream.read) for stream in (done.stdout, done.stderr)]
    end.cancel()
    return subprocess.CompletedProcess(command, done.wait(), *(one.result() for one in said))


# ---- the fork server itself ------------------------------------------------


#: what workers import sooner or later; all of csapp comes with the first of them
MODULES = (
    "blueprints.app",
    "services.history.writer",
    "services.shared.switchboard",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite",
)


def load(program: str) -> None:
    """Import what workers of *program* import, after patching as they do.

    The program itself is not: it looks at its environment while it is imported.
    """
    if program == "gunicorn":
        from gevent import monkey

        monkey.patch_all()
    for name in MODULES:
        import_module(name)


def become(program: str, args: list[str], cwd: str, env: dict[str, str], path: list[str]) -> None:
    """Be that program, as `python -m` runs it."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.path[:] = [cwd, *filter(None, env.get("PYTHONPATH", "").split(os.pathsep)), *path]
    sys.argv[:] = [program, *args]
    run_module(program, run_name="__main__", alter_sys=True)


def serve(program: str, asks: int) -> None:
    """Fork until whoever asks is gone."""
    own = {"", str(ROOT), str(Path.cwd()), *os.environ["PYTHONPATH"].split(os.pathsep)}
    path = [one for one in sys.path if one not in own]
    door, look = socket.socket(fileno=asks), select.poll()
    fork, waitpid = os.fork, os.waitpid  # as they are before anything is patched
    load(program)
    gc.collect()
    gc.freeze()
    running: dict[int, tuple[int, int]] = {}  # pidfd → pid, whom to answer
    look.register(asks, select.POLLIN)
    while True:
        for ready, _ in look.poll():
            if ready == asks:
                sent, fds, _, _ = socket.recv_fds(door, MOST, 3)
                if not sent:
                    return
                output, errors, answers = fds
                pid = fork()
                if pid == 0:
                    os.dup2(output, 1)
                    os.dup2(errors, 2)
                    os.closerange(3, 1024)
                    args, cwd, env = json.loads(sent)
                    become(program, args, cwd, env, path)
                    return
                os.close(output)
                os.close(errors)
                os.write(answers, b"%d" % pid)
                end = os.pidfd_open(pid)
                running[end] = pid, answers
                look.register(end, select.POLLIN)
            else:
                pid, answers = running.pop(ready)
                look.unregister(ready)
                os.close(ready)
                _, status = waitpid(pid, 0)
                with contextlib.suppress(OSError):  # nobody wants to know any more
                    os.write(answers, b"%d" % os.waitstatus_to_exitcode(status))
                os.close(answers)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
