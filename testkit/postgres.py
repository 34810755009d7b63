"""A real PostgreSQL on a free port of the loopback, with its data in a directory of its own.

    with Postgres() as server:
        url = server.database()
        server.pause()

It writes as in production (fsync is on), and can be stopped, killed and paused
while it runs. Its files are in memory where there is room: a new database for
each test is many small files. Debian's packages are enough; no cluster of
theirs is touched.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from .daemon import Daemon

#: small and quick to start; nothing that weakens what a commit promises
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "autovacuum": "off",
    "logging_collector": "off",
}

#: bytes: a database takes 8 MB, and the journal
ROOM = 4 << 30


def programs() -> Path | None:
    """The newest PostgreSQL of this machine; None where there is none."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"),
        key=lambda path: float(path.parent.parent.name),
    )
    if found:
        return found[-1].parent
    elsewhere = shutil.which("postgres")
    return Path(elsewhere).resolve().parent if elsewhere else None


def _place() -> str | None:
    """Where its files go; None: where temporary files do."""
    with contextlib.suppress(OSError):
        if shutil.disk_usage("/dev/shm").free > ROOM:
            return "/dev/shm"
    return None


class Postgres(Daemon):
    """*options* are settings of `postgresql.conf`, instead of or beside `OPTIONS`."""

    program = "PostgreSQL"
    STOP = signal.SIGINT
    CLOSE = signal.SIGQUIT

    def __init__(self, **options: str) -> None:
        self._options = OPTIONS | options
        bin_ = programs()
        if bin_ is None:
            raise FileNotFoundError("PostgreSQL is missing: apt-get install postgresql")
        self.bin = bin_
        self._names = itertools.count(1)
        # PostgreSQL refuses to run as root
        self._owner = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        super().__init__(Path(tempfile.mkdtemp(prefix="csapp-postgres-", dir=_place())))
        try:
            if self._owner:
                os.chown(self.directory, self._owner.pw_uid, self._owner.pw_gid)
            self._run("initdb", "-U", "csapp", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        except BaseException:
            shutil.rmtree(self.directory)
            raise

    @property
    def url(self) -> str:
        """The database that is always there."""
        return self.url_of("postgres")

    def url_of(self, name: str, port: int | None = None) -> str:
        """The URL of database *name*; on another *port* when a proxy stands before it."""
        return f"postgresql+psycopg://csapp@127.0.0.1:{port or self.port}/{name}"

    def database(self) -> str:
        """Make an empty database; its URL."""
        name = f"test_{next(self._names)}"
        self.execute(f'CREATE DATABASE "{name}"')
        return self.url_of(name)

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run one statement beside everybody else; its rows."""
        with psycopg.connect(
            f"host=127.0.0.1 port={self.port} user=csapp dbname={database} connect_timeout=30",
            autocommit=True,
        ) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    # ---- starting and ending -------------------------------------------

    def command(self) -> list[str | Path]:
        """How it is started."""
        options = [f"-c{name}={value}" for name, value in self._options.items()]
        return [
            self.bin / "postgres", "-D", self.directory / "data", f"-p{self.port}", *options,
        ]  # fmt: skip

    def answers(self) -> bool:
        """Whether it is ready."""
        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *args: str) -> None:
        done = subprocess.run(
            [self.bin / program, "-D", self.directory / "data", *args],
            check=False,
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=120,
            **self.options(),
        )
        if done.returncode:
            raise AssertionError(f"{program} has failed:\n{done.stdout}{done.stderr}")

    def options(self) -> dict[str, Any]:
        """Whose processes they are."""
        if self._owner is None:
            return {}
        return {"user": self._owner.pw_uid, "group": self._owner.pw_gid}
