"""The standalone application, of which a test can break the background loops.

`GET /debug/loops` names them. `GET /debug/break?loop=NAME&times=N` makes each of
the next N rounds of one raise an `OSError`, and answers when one has;
`/debug/mend` lets all of them be, and answers when none fails any more. With
`what=transmit` it is the mailbox's way to Redis that raises, in the middle of a
round.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import gevent
from flask import request

from services.desk.mailbox import Mailbox
from services.loops import Loop, Loops
from wsgi import app

PATIENCE = 25.0  # s that an answer waits: less than a test does
turns: dict[Loop, Callable[[], Any]] = {}


def server() -> Any:
    return app.extensions["csapp"].server


def loops() -> Loops:
    server().house  # noqa: B018  # started
    found: Loops = server().loops
    return found


class Broken:
    """Raises the first *times* times that it is called; then it is *whole* again."""

    def __init__(self, whole: Callable[..., Any], times: int) -> None:
        self.whole = whole
        self.left = times
        self.raised = 0

    def __call__(self, *args: Any) -> Any:
        if self.left:
            self.left -= 1
            self.raised += 1
            raise OSError("planted")
        return self.whole(*args)


def until(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < end:
        gevent.sleep(0.01)
    return condition()


@app.get("/debug/loops")
def name_them() -> list[dict[str, Any]]:
    return [{"name": one.name, "vital": one.vital} for one in loops().all]


@app.get("/debug/break")
def break_one() -> dict[str, bool]:
    loop = next(one for one in loops().all if one.name == request.args["loop"])
    if request.args.get("what") == "transmit":
        mailbox = server()._mailbox
        mailbox._transmit = Broken(partial(Mailbox._transmit, mailbox), int(request.args["times"]))
        return {"failed": True}
    turns.setdefault(loop, loop.turn)
    broken = Broken(turns[loop], int(request.args["times"]))
    loop.turn = broken
    _nudge(loop)
    return {"failed": until(lambda: loop.failures > 0 or not broken.left)}


@app.get("/debug/mend")
def mend() -> dict[str, bool]:
    server()._mailbox.__dict__.pop("_transmit", None)
    for loop, turn in turns.items():
        loop.turn = turn
        _nudge(loop)
    return {"well": until(lambda: not any(one.failures for one in loops().all))}


def _nudge(loop: Loop) -> None:
    """Let it have something to do."""
    if not loop.vital:  # some of them have their turn once a day
        loop.once()
    server().house.switchboard.delivery.doubt()
    server()._mailbox.post("nobody", b"hello")
