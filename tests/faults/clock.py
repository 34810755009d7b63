"""gunicorn with a wall clock that can be set: `python -m tests.faults.clock …`, then its arguments.

The clock is put in before anything else is imported, and goes on into the
workers, which are forked. `tests.faults.inspected` sets it.
"""

from __future__ import annotations

import time


class Clock:
    """`time.time`, *offset* seconds off."""

    def __init__(self) -> None:
        self.offset = 0.0
        self._real = time.time

    def __call__(self) -> float:
        return self._real() + self.offset


if __name__ == "__main__":
    time.time = Clock()  # type: ignore[assignment]

    from gunicorn.app.wsgiapp import run

    run(prog="gunicorn")
