"""A database server on a free port of the loopback, which tests start, pause and kill."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from .ports import free_port
from .server import PATIENCE


class Daemon:
    """Runs while it is used as a context manager, or from `start` until `close`.

    A subclass names its *program* and knows when it answers. *directory* is
    where its data are; it goes with it.
    """

    program: ClassVar[str]
    #: how it is asked to end, with what it holds safe; and how in the end
    STOP: ClassVar[signal.Signals] = signal.SIGTERM
    CLOSE: ClassVar[signal.Signals] = signal.SIGKILL

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    # ---- what differs --------------------------------------------------

    def command(self) -> Sequence[str | Path]:
        """How it is started."""
        raise NotImplementedError

    def options(self) -> dict[str, Any]:
        """More for `Popen`."""
        return {}

    def answers(self) -> bool:
        """Whether it is ready; False while it starts."""
        raise NotImplementedError

    # ---- starting and ending -------------------------------------------

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def start(self) -> None:
        """Start it, on the same port and data as before; returns when it answers."""
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), stdout=log, stderr=log, cwd=self.directory, **self.options()
            )
        end = time.monotonic() + PATIENCE
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"{self.program} does not start:\n{self.log}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop it as an operator would, in a hurry: sessions are cut off, data is safe."""
        self._end(self.STOP)

    def kill(self) -> None:
        """SIGKILL all of it, as when the machine loses its power; returns when all is gone."""
        with contextlib.ExitStack() as stack:
            ends = []
            for pid in self.pids():
                with contextlib.suppress(ProcessLookupError):
                    ends.append(os.pidfd_open(pid))
                    stack.callback(os.close, ends[-1])
            self._signal(signal.SIGKILL)
            self._end(signal.SIGKILL)
            for end in ends:  # the last one lets go of the memory that they share
                gone = select.poll()
                gone.register(end, select.POLLIN)
                gone.poll(PATIENCE * 1000)

    def close(self) -> None:
        """End it, and leave nothing behind."""
        self.resume()
        try:
            self._end(self.CLOSE)
        finally:
            shutil.rmtree(self.directory)

    def _end(self, number: int) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(number)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{self.program} does not stop:\n{self.log}") from None

    # ---- standing still ------------------------------------------------

    def pids(self) -> list[int]:
        """Its processes, the first one first."""
        if self._process is None or self._process.poll() is not None:
            return []
        first = self._process.pid
        children = Path(f"/proc/{first}/task/{first}/children").read_text()
        return [first, *map(int, children.split())]

    def pause(self) -> None:
        """Have all of it stand still; the kernel still takes in what clients send."""
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
        for pid in self.pids():  # the first one first: it starts no more of them
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    @property
    def log(self) -> str:
        """All it has written."""
        return (self.directory / "log").read_text()
