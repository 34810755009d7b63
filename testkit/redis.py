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
import tempfile
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from .daemon import Daemon
from .server import PATIENCE

#: nothing of the machine's own configuration, nothing that leaves the loopback
OPTIONS = {
    "bind": "127.0.0.1",
    "protected-mode": "yes",
    "daemonize": "no",
    "save": "",
    "appendfsync": "always",
}


class RedisServer(Daemon):
    """*keep*: it comes back with what it knew. *cluster*: it is a cluster of one node."""

    program = "Redis"

    def __init__(self, *, keep: bool = False, cluster: bool = False) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise FileNotFoundError("Redis is missing: apt-get install redis-server")
        super().__init__(Path(tempfile.mkdtemp(prefix="csapp-redis-")))
        self._cluster = cluster
        options = OPTIONS | {
            "appendonly": "yes" if keep else "no",
            "cluster-enabled": "yes" if cluster else "no",
        }
        self._command = [program, "--port", str(self.port), "--dir", str(self.directory)]
        for name, value in options.items():
            self._command += [f"--{name}", value]

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

    def command(self) -> list[str]:
        """How it is started."""
        return self._command

    def answers(self) -> bool:
        """Whether it is ready."""
        try:
            if self._cluster and not self.execute("CLUSTER", "SLOTS"):
                self.execute("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
            self.execute("EXISTS", "anything")
        except redis.RedisError:
            return False
        return True

    def restart(self) -> None:
        """Kill it and start it again at once."""
        self.kill()
        self.start()
