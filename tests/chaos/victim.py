"""A server that is killed and comes back, on the same port and with the same history."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from testkit.server import LiveServer

#: how a worker announces itself
BOOTING = "Booting worker with pid"

#: one in so many kills is of the whole server
SERVERS = 10

#: `start(port)`: the server, on this port, or a free one for None
Start = Callable[[int | None], LiveServer]

#: users that a waiter serves at once
CAPACITY = 2

SETTINGS = {
    "CSAPP_GRACE": "600",  # longer than any run: nobody is taken for gone
    "CSAPP_MESSAGE_RATE": "0",
    "CSAPP_CONNECTIONS_PER_IP": "0",
    "CSAPP_MAX_USERS_PER_WAITER": str(CAPACITY),
}


def real(database: str, workers: int = 1, redis: str = "") -> Start:
    """csapp under gunicorn."""
    env = {**SETTINGS, "CSAPP_DATABASE_URL": database, "CSAPP_REDIS_URL": redis}
    return lambda port: LiveServer.gunicorn(env=env, args=["-w", str(workers)], port=port)


def model(database: str, *bugs: str) -> Start:
    """The model, in a process of its own."""
    command = [sys.executable, "-m", "tests.chaos.model_server", "{port}"]
    env = {"CSAPP_DATABASE_URL": database, "MODEL_BUGS": ",".join(bugs)}
    return lambda port: LiveServer(command, env, port=port)


class Victim:
    """Runs while it is used as a context manager."""

    def __init__(self, start: Start) -> None:
        self._start = start
        #: the logs of those that were killed
        self.logs: list[str] = []

    def __enter__(self) -> Victim:
        self.server = self._start(None)
        return self

    def __exit__(self, *error: object) -> None:
        self._kill_all()

    # ---- what a device needs of a server -------------------------------

    @property
    def ws_url(self) -> str:
        """Where to connect."""
        return self.server.ws_url

    def token(self, role: str, sub: str) -> str:
        """One that the server accepts."""
        return self.server.token(role, sub)

    # ---- what is done to it --------------------------------------------

    def strike(self, chance: random.Random) -> str:
        """Kill something; says what."""
        if chance.randrange(SERVERS) == 0:
            self.kill_server()
            return "a server"
        self.kill_worker(chance)
        return "a worker"

    def settle(self) -> list[str]:
        """Nothing more is done to it. What is wrong by itself, without any client."""
        return []

    def kill_worker(self, chance: random.Random) -> None:
        """SIGKILL to a process that holds connections; returns when another one begins."""
        if self.server.worker_pid == self.server.process.pid:
            self.kill_server()
            return
        seen = len(self.server.lines)
        os.kill(chance.choice(self.server.worker_pids), signal.SIGKILL)
        self.server.wait_for_line(BOOTING, after=seen)

    def kill_server(self) -> None:
        """SIGKILL to all of its processes, and a new server."""
        self._kill_all()
        self.logs.append(self.server.log)
        self.server = self._start(self.server.port)

    def _kill_all(self) -> None:
        process = self.server.process
        if process.poll() is None:
            process.send_signal(signal.SIGSTOP)  # so that it starts no more workers
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
            process.kill()
            for child in children.split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(child), signal.SIGKILL)
        self.server.wait()

    @property
    def log(self) -> str:
        """All that was ever written."""
        return "\n".join([*self.logs, self.server.log])
