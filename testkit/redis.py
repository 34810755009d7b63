"""A real Redis on a free port of the loopback, with its data in a directory of its own.

    with RedisServer() as server:
        url = server.url
        server.pause()

It can be stopped, killed, paused, emptied and started again while it runs. With
*keep* it writes down every change before it answers, so that a killed one comes
back with what it knew; otherwise it comes back empty. With *cluster* it is the
only node of a Redis Cluster.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from .server import PATIENCE, free_port

#: nothing of the machine's own configuration, nothing that leaves the loopback
OPTIONS = {
    "bind": "127.0.0.1",
    "protected-mode": "yes",
    "daemonize": "no",
    "save": "",
    "appendfsync": "always",
}


class RedisServer:
    """Runs while it is used as a context manager, or from `start` until `close`."""

    def __init__(self, *, keep: bool = False, cluster: bool = False) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise FileNotFoundError("Redis is missing: apt-get install redis-server")
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="csapp-redis-"))
        self._cluster = cluster
        options = OPTIONS | {
            "appendonly": "yes" if keep else "no",
            "cluster-enabled": "yes" if cluster else "no",
        }
        self._command = [program, "--port", str(self.port), "--dir", str(self.directory)]
        for name, value in options.items():
            self._command += [f"--{name}", value]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Where it is."""
        return self.url_at(self.port)

    def url_at(self, port: int) -> str:
        """The same server behind a proxy on *port*."""
        return f"redis://127.0.0.1:{port}/0"

    def client(self) -> redis.Redis:
        """A connection beside everybody else's; close it."""
        return redis.Redis(
            port=self.port, socket_timeout=PATIENCE, retry=Retry(NoBackoff(), 0), protocol=2
        )

    def execute(self, *command: str) -> Any:
        """Run one command; its answer."""
        with contextlib.closing(self.client()) as client:
            return client.execute_command(*command)

    def flush(self) -> None:
        """Empty it, as by a mistake: FLUSHALL."""
        self.execute("FLUSHALL")

    # ---- starting and ending -------------------------------------------

    def start(self) -> None:
        """Start it, on the same port as before; returns when it answers."""
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=subprocess.STDOUT, cwd=self.directory
            )
        end = time.monotonic() + PATIENCE
        while True:
            try:
                if self._cluster and not self.execute("CLUSTER", "SLOTS"):
                    self.execute("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
                self.execute("EXISTS", "anything")
            except redis.RedisError as error:
                if self._process.poll() is not None or time.monotonic() > end:
                    raise AssertionError(f"Redis does not start:\n{self.log}") from error
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """Stop it as an operator would: SIGTERM."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, as when the machine loses its power."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Kill it and start it again at once."""
        self.kill()
        self.start()

    def close(self) -> None:
        """End it, and leave nothing behind."""
        self.resume()
        try:
            self.kill()
        finally:
            shutil.rmtree(self.directory)

    def _end(self, number: int) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"Redis does not stop:\n{self.log}") from None

    # ---- standing still ------------------------------------------------

    def pause(self) -> None:
        """Have it stand still (SIGSTOP); the kernel still takes in what clients send."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """`pause`, and `resume` in the end."""
        self.pause()
        try:
            yield
        finally:
            self.resume()

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    @property
    def log(self) -> str:
        """All it has written."""
        return (self.directory / "log").read_text()
