"""A real server in a process of its own, on a free port of the loopback."""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from services import under_test
from services.identity import Identity, TokenRole, Tokens
from services.place import CONFIGURATION, ROOT, STANDALONE

from .ports import free_port

#: settings that an application does not choose itself here
OWN = ("CSAPP_SECRET_KEY", "CSAPP_DATABASE_URL", "CSAPP_FILES_URL")

SECRET = "a-secret-for-tests-only-0123456789"
#: s until a wait for something that must happen is given up: long, for a busy machine
PATIENCE = 60.0
#: s that a server may take to end: gunicorn gives its workers half as long, and one that was just
#: being started may not have heard that it is to go
STOPPING = 60.0


def inherited() -> dict[str, str]:
    """This process's environment without csapp's settings."""
    return {key: value for key, value in os.environ.items() if not key.startswith("CSAPP_")}


class LiveServer:
    """Starts *command* (`{port}` is filled in) and is ready when it answers; *port* is a free one.

    It is asked for *health* once it has written a line that matches *ready*.

    A context manager; leaving it ends the server at once (`quit`). *env* adds to
    this process's environment, of which `CSAPP_*` variables are left out; it
    runs in *cwd*, by default where this process does.

    Whatever the application is configured with, it has a secret, a database and a folder for
    files of the test's own, unless *env* names others; empty: the application's.
    """

    #: how its process is started; what it returns does what `subprocess.Popen` does
    popen: Callable[..., subprocess.Popen[str]] = staticmethod(subprocess.Popen)

    #: the database of servers that are not given another; `{folder}` is one of the server's own
    database = "sqlite:///{folder}/csapp.db"

    def __init__(
        self,
        command: Sequence[str],
        env: Mapping[str, str] | None = None,
        *,
        prefix: str = "",
        tls: ssl.SSLContext | None = None,
        cwd: Path | None = None,
        health: str = "/healthz",
        port: int | None = None,
        ready: str = r"Listening at|Running on",
    ) -> None:
        self.port = port or free_port()
        #: what a client needs to trust a TLS server; None: plain
        self.tls = tls
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}{prefix}"
        self.ws_url = self.url.replace("http", "ws", 1)
        #: everything the server has written so far
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._folder = tempfile.TemporaryDirectory(prefix="csapp-test-")
        around = inherited()
        paths = filter(None, [around.get("PYTHONPATH"), str(ROOT)])
        own = {
            "CSAPP_SECRET_KEY": SECRET,
            "CSAPP_DATABASE_URL": self.database.format(folder=self._folder.name),
            "CSAPP_FILES_URL": f"file://{self._folder.name}/files",
            **(env or {}),
        }
        under_test.pass_on(around, {key: own[key] for key in OWN})
        self.process = self.popen(
            [part.replace("{port}", str(self.port)) for part in command],
            cwd=cwd,
            env={
                **around,
                "PYTHONPATH": os.pathsep.join(paths),
                "PYTHONUNBUFFERED": "1",
                # an empty secret is no secret: the application would not start
                **{key: value for key, value in own.items() if value or key not in OWN},
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.wait_for_line(ready)
            self.get(health)
        except BaseException:
            self.process.kill()
            raise

    @classmethod
    def gunicorn(
        cls,
        app: str = STANDALONE,
        env: Mapping[str, str] | None = None,
        args: Sequence[str] = (),
        **options: Any,
    ) -> LiveServer:
        """gunicorn with csapp's configuration; by default, the standalone application."""
        command = [sys.executable, "-m", "gunicorn", "-c", CONFIGURATION]
        return cls([*command, "-b", "127.0.0.1:{port}", *args, app], env, **options)

    @classmethod
    def flask(
        cls, app: str = "csapp", env: Mapping[str, str] | None = None, **options: Any
    ) -> LiveServer:
        """The Flask development server: threads."""
        command = [sys.executable, "-m", "flask", "--app", app, "run", "--port", "{port}"]
        return cls(command, env, **options)

    def __enter__(self) -> LiveServer:
        return self

    def __exit__(self, *error: object) -> None:
        self.quit()

    # ---- asking --------------------------------------------------------

    def get(self, path: str, **headers: str) -> str:
        """The body of a GET. Raises `urllib.error.HTTPError`."""
        return self.request("GET", path, **headers)

    def post(self, path: str, **headers: str) -> str:
        """The body of a POST without a body. Raises `urllib.error.HTTPError`."""
        return self.request("POST", path, **headers)

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> str:
        """Header names are given with `_` for `-`; a *body* goes as JSON."""
        asked = urllib.request.Request(
            self.url + path,
            None if body is None else json.dumps(body).encode(),
            method=method,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )
        with urllib.request.urlopen(asked, timeout=PATIENCE, context=self.tls) as response:
            answer: bytes = response.read()
            return answer.decode()

    def token(
        self,
        role: str,
        sub: str,
        name: str = "",
        lifetime: float | None = None,
        *,
        avatar: str = "",
        departments: Any = (),
        priority: int = 0,
    ) -> str:
        """A token that this server accepts; *departments* as `Identity` takes them."""
        identity = Identity(sub, name, TokenRole(role), "", avatar, departments, priority)
        return Tokens([SECRET], 3600).sign(identity, lifetime)

    # ---- watching ------------------------------------------------------

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        self.process.stdout.close()
        with self._changed:
            self._changed.notify_all()

    @property
    def log(self) -> str:
        """All it has written."""
        return "\n".join(self.lines)

    def wait_for_line(self, pattern: str, count: int = 1, after: int = 0) -> str:
        """Wait until *count* lines match; the latest of them. Fails when the server ends first.

        The first *after* lines of the log do not count.
        """

        def found() -> list[str]:
            return [line for line in self.lines[after:] if re.search(pattern, line)]

        with self._changed:
            self._changed.wait_for(
                lambda: len(found()) >= count or not self._reader.is_alive(), PATIENCE
            )
            if len(found()) < count:
                raise AssertionError(f"no line {pattern!r} ({count}) from the server:\n{self.log}")
            return found()[-1]

    @property
    def worker_pid(self) -> int:
        """The process that holds the connections (gunicorn's worker; itself otherwise)."""
        return self.worker_pids[0]

    @property
    def worker_pids(self) -> list[int]:
        """The same where there are several."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(child) for child in children.split()] or [self.process.pid]

    # ---- stopping ------------------------------------------------------

    def signal(self, number: int) -> None:
        """Send a signal to the server's first process."""
        self.process.send_signal(number)

    def stop(self) -> int:
        """SIGTERM: it says goodbye to everybody; the exit status."""
        return self._end(signal.SIGTERM)

    def quit(self) -> int:
        """SIGQUIT: it ends without goodbyes; the exit status."""
        return self._end(signal.SIGQUIT)

    def _end(self, number: int) -> int:
        if self.process.poll() is None:
            self.signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for the end; the exit status. SIGKILL after a long while, which is a failure."""
        try:
            status = self.process.wait(STOPPING)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the server does not stop:\n{self.log}") from None
        self._reader.join(PATIENCE)
        self._folder.cleanup()
        return status
