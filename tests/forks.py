"""Servers and commands that start as forks: what they import is imported once in a run of tests.

A fork server (`python -m tests.forks gunicorn`) patches as `gunicorn.conf.py` does, imports what
a worker of gunicorn imports, and forks for each server that a test starts. From there on the
fork is that server: its own environment, folder and output, and everything that `python -m
gunicorn` does. It takes a tenth of the processor's time. The same goes for `flask run` and the
`flask chat` commands (`run`).

A fork differs from a process that was started alone in three things: csapp is imported before
the fork's first line runs; `hash()` of a text is the same in all forks of one run; variables that
Python itself reads (`PYTHON…`) change nothing. Tests that are about one of them are named in
`conftest.STARTED_ALONE`.
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

from testkit.server import CONFIGURATION, PATIENCE, ROOT, inherited

#: what there may be fork servers of
PROGRAMS = ("gunicorn", "flask")
MAX_REQUEST = 200_000  # bytes: what a process is started with
HIGHEST_DESCRIPTOR = 1024  # that a fork server may have open


class Forked:
    """A process, with what tests use of `subprocess.Popen`."""

    def __init__(self, status: socket.socket, output: int, errors: int | None) -> None:
        self._status = status
        self._reading = threading.Lock()
        self.stdout = _text(output)
        self.stderr = None if errors is None else _text(errors)
        self.returncode: int | None = None
        self.pid = self._read()

    def _read(self) -> int:
        told = self._status.recv(64)
        if not told:
            raise AssertionError("the fork server has ended")
        return int(told)

    def poll(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._await(0)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, once it has ended. Raises `subprocess.TimeoutExpired`."""
        status = self._await(timeout)
        if status is None:
            raise subprocess.TimeoutExpired("a fork", timeout or 0)
        return status

    def _await(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            poller = select.poll()
            poller.register(self._status, select.POLLIN)
            poller.poll(None if timeout is None else timeout * 1000)
        with self._reading:
            if self.returncode is None:
                with contextlib.suppress(BlockingIOError):
                    self._status.setblocking(False)
                    self.returncode = self._read()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.returncode is None and self.poll() is None:
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
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, program, str(theirs.fileno())],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()

    @property
    def is_there(self) -> bool:
        """It has not ended."""
        return self._process.poll() is None

    def start(
        self,
        args: Sequence[Any],
        cwd: Path | None,
        env: Mapping[str, str],
        *,
        separate_errors: bool = False,
    ) -> Forked:
        """Run the program with *args*, in *cwd*, with *env* as its whole environment.

        *separate_errors*: its standard error gets a pipe of its own.
        """
        request = json.dumps([[*map(str, args)], str(cwd or Path.cwd()), dict(env)]).encode()
        assert len(request) < MAX_REQUEST
        output, out = os.pipe()
        errors, err = os.pipe() if separate_errors else (None, os.dup(out))
        status, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with self._lock:
            socket.send_fds(self._requests, [request], [out, err, theirs.fileno()])
        os.close(out)
        os.close(err)
        theirs.close()
        return Forked(status, output, errors)

    def close(self) -> None:
        """End the fork server; what it has started goes on."""
        self._requests.shutdown(socket.SHUT_RDWR)
        self._requests.close()
        self._process.wait(PATIENCE)


_servers: dict[str, ForkServer] = {}
_lock = threading.Lock()


def server(program: str) -> ForkServer:
    """The fork server of *program*, started with its first use."""
    with _lock:
        found = _servers.get(program)
        if found is None or not found.is_there:
            found = _servers[program] = ForkServer(program)
        return found


def close() -> None:
    """End all fork servers."""
    while _servers:
        _servers.popitem()[1].close()


def popen(command: Sequence[Any], **options: Any) -> Any:
    """As `subprocess.Popen`: a fork for flask, and for gunicorn with csapp's configuration."""
    program = command[2] if list(command[:2]) == [sys.executable, "-m"] else ""
    if program == "flask" or (program == "gunicorn" and CONFIGURATION in command):
        return server(program).start(command[3:], options["cwd"], options["env"])
    return subprocess.Popen(command, **options)


def run(
    *command: Any, cwd: Path = ROOT, env: Mapping[str, str], timeout: float = 100
) -> subprocess.CompletedProcess[str]:
    """What `python -m` does and says with *command*; a fork where that is flask.

    The environment is this process's without csapp's settings, and *env*. Raises
    `subprocess.TimeoutExpired`.
    """
    program, *words = command
    if program != "flask":
        return run_alone(*command, cwd=cwd, env=env, timeout=timeout)
    process = server(program).start(words, cwd, _environment(env), separate_errors=True)
    assert process.stderr is not None
    with process.stdout, process.stderr, ThreadPoolExecutor(2) as readers:
        said = [readers.submit(stream.read) for stream in (process.stdout, process.stderr)]
        try:
            status = process.wait(timeout)
        finally:
            process.kill()
    return subprocess.CompletedProcess(command, status, *(one.result() for one in said))


def run_alone(
    *command: Any, cwd: Path = ROOT, env: Mapping[str, str], timeout: float = 100
) -> subprocess.CompletedProcess[str]:
    """The same by a process that is no fork."""
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=cwd,
        env=_environment(env),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def _environment(env: Mapping[str, str]) -> dict[str, str]:
    return {**inherited(), "PYTHONPATH": str(ROOT), **env}


# ---- the fork server's own process -----------------------------------------

#: what workers import sooner or later; all of csapp comes with the first of them
MODULES = (
    "blueprints.app",
    "services.history.writer",
    "services.shared.letter_reader",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite",
)


def load(program: str) -> None:
    """Import what workers of *program* import, after patching as they do.

    gunicorn itself is not: it reads its environment and its folder while it is imported.
    """
    if program == "gunicorn":
        from gevent import monkey

        monkey.patch_all()
    for name in MODULES:
        import_module(name)
    from blueprints.kit.assets import asset
    from blueprints.kit.bundle import BLUEPRINTS

    for folder in BLUEPRINTS.glob("*/static"):  # read and packed once for all forks
        for path in folder.rglob("*.*s"):
            asset(folder, str(path.relative_to(folder)))


def run_program(program: str, request: bytes, path: Sequence[str]) -> None:
    """Do what `python -m` does with *program*. *path*: where Python looks for all modules."""
    args, cwd, env = json.loads(request)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.path[:] = [cwd, *filter(None, env.get("PYTHONPATH", "").split(os.pathsep)), *path]
    sys.argv[:] = [program, *args]
    run_module(program, run_name="__main__", alter_sys=True)


def serve(program: str, requests: int) -> None:
    """Fork for each request, until the process of the tests has closed the socket *requests*."""
    own = {"", str(ROOT), str(Path.cwd())}
    path = [one for one in sys.path if one not in own]
    asked, poller = socket.socket(fileno=requests), select.poll()
    fork, waitpid = os.fork, os.waitpid  # as they are before anything is patched
    interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests
    load(program)
    gc.collect()
    gc.freeze()
    running: dict[int, tuple[int, int]] = {}  # pidfd → pid, the socket for its status
    poller.register(requests, select.POLLIN)
    while True:
        for ready, _ in poller.poll():
            if ready == requests:
                request, descriptors, _, _ = socket.recv_fds(asked, MAX_REQUEST, 3)
                if not request:
                    return
                out, err, status = descriptors
                pid = fork()
                if pid == 0:
                    signal.signal(signal.SIGINT, interrupted)
                    os.dup2(out, 1)
                    os.dup2(err, 2)
                    os.closerange(3, HIGHEST_DESCRIPTOR)
                    run_program(program, request, path)
                    return
                os.close(out)
                os.close(err)
                tell(status, pid)
                end = os.pidfd_open(pid)
                running[end] = pid, status
                poller.register(end, select.POLLIN)
            else:
                pid, status = running.pop(ready)
                poller.unregister(ready)
                os.close(ready)
                _, ended = waitpid(pid, 0)
                tell(status, os.waitstatus_to_exitcode(ended))
                os.close(status)


def tell(status: int, number: int) -> None:
    """Write *number* for the test, which may have been cut off."""
    with contextlib.suppress(OSError):
        os.write(status, b"%d" % number)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
