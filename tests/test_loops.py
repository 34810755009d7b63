"""One loop by itself: its pauses, its log lines, what it says of itself."""

from __future__ import annotations

import ast
import logging
from pathlib import Path
from typing import Any

import pytest

from services import loops as module
from services.loops import LONGEST_PAUSE, LONGEST_REST, Loop, Loops
from services.seldom import PAUSE

SERVICES = Path(module.__file__).parent


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


class Turn:
    """Does what it is told, round after round."""

    def __init__(self, *outcomes: object) -> None:
        self.outcomes = list(outcomes)

    def __call__(self) -> object:
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


class Here:
    """A runtime that runs what is spawned at once and notes how long it was to sleep."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def spawn(self, function: Any, *args: Any) -> None:
        function(*args)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def test_a_loop_runs_until_it_has_enough():
    here = Here()
    loop = Loops(here).start("it", Turn(None, True, False))
    assert (loop.failures, loop.ended, loop.trouble) == (0, False, "")
    assert here.slept == []


def test_what_a_round_raises_does_not_end_the_loop():
    here = Here()
    turn = Turn(OSError("one"), ValueError("two"), None, False)
    loops = Loops(here)
    loops.start("it", turn)
    assert turn.outcomes == []
    assert here.slept == [0.25, 0.5]
    assert loops.trouble == ""


def test_the_pause_grows_up_to_a_bound():
    here = Here()
    Loops(here).start("it", Turn(*[OSError()] * 50, False))
    assert here.slept[-1] == LONGEST_PAUSE
    assert here.slept == sorted(here.slept)
    here = Here()
    Loops(here).every(86_400, "it", Turn(*[OSError()] * 50, False))
    assert here.slept[0] == 86_400
    assert here.slept[-1] == LONGEST_REST


def test_a_vital_loop_says_what_is_wrong():
    loops = Loops(Here())
    vital = loops.add("this", Turn(OSError("with a secret"), None))
    other = loops.add("that", Turn(OSError()), vital=False)
    vital.once()
    other.once()
    assert loops.trouble == "this fails: OSError"
    assert other.trouble == "that fails: OSError"
    vital.once()
    assert loops.trouble == ""


def test_a_loop_that_is_killed_has_ended():
    loops = Loops(Here())
    with pytest.raises(SystemExit):
        loops.start("it", Turn(None, SystemExit()))
    assert loops.trouble == "it has ended"


def test_it_logs_once_a_minute(caplog):
    caplog.set_level(logging.INFO, "csapp")
    clock = Clock()
    loop = Loop("it", Turn(*[OSError()] * 100, None, OSError(), None, OSError()), now=clock)
    for _ in range(99):
        loop.once()
    clock.time += PAUSE
    loop.once()
    assert [one.message for one in caplog.records] == ["it failed (1)", "it failed (99)"]
    assert all(one.exc_info for one in caplog.records)
    caplog.clear()
    loop.once()
    loop.once()
    loop.once()  # it fails and recovers again and again
    clock.time += PAUSE
    loop.once()
    assert [one.message for one in caplog.records] == ["it goes on", "it failed (2)"]


def test_a_log_that_fails_does_not_end_a_loop():
    class Full(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError("no space left")

    handler, log = Full(), logging.getLogger("csapp")
    log.addHandler(handler)
    try:
        loop = Loops(Here()).start("it", Turn(OSError(), None, OSError(), False))
    finally:
        log.removeHandler(handler)
    assert (loop.failures, loop.ended) == (0, False)


#: what may be spawned without a `Loop`: it ends by itself, or says itself that it is unwell
SHORT = {
    ("services/loops.py", "self._run"),
    ("services/database.py", "loop.once"),
    ("services/last_waiters.py", "self._look"),
    ("services/feeds/history.py", "_take_back"),
    ("services/shared/delivery.py", "self.catch_up"),
    ("services/shared/delivery.py", "self._send_where_they_are"),
    ("services/shared/handover.py", "self._find"),
    ("services/shared/order.py", "self._mend"),
    ("services/shared/order.py", "self._check_them"),
    ("services/shared/returns.py", "self._read"),
    ("services/shared/returns.py", "self._read_ahead"),
    ("services/shared/missing_rows.py", "self._read"),
    ("services/history/writer.py", "self._try_again"),  # until then: `history_available` 0
    ("services/feeds/turns.py", "self._act"),
    ("services/transport/connection.py", "self._run"),
    ("services/transport/outbox.py", "self._write_on"),
    ("services/revocation.py", "self._look"),  # a round of a `Loop`
    ("services/revocation.py", "self._forgetting.once"),
    ("services/server.py", "self._others.leave"),
    ("services/server.py", "self.drain"),
    ("services/draining.py", "partial(take_over, server)"),  # until the former worker has gone
}


def test_whatever_runs_for_ever_is_a_loop():
    """Everything that is spawned is known to end, or begun by `Loops`."""
    found = set()
    for folder in (SERVICES, SERVICES.parent / "blueprints"):
        for path in folder.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".spawn"):
                    name = path.relative_to(SERVICES.parent).as_posix()
                    found.add((name, ast.unparse(node.args[0])))
    found.discard(("services/greenlets.py", "self._aside.run"))
    new = found - SHORT
    assert not new, f"{new}: begin it by `Loops`, or add it to SHORT if it ends by itself"
