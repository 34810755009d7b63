"""The standalone application with a look inside, a bug planted in it, and an echo.

`GET /debug/figures` counts what a worker holds. With `?connections=N` and the
like it answers when at most N are left, or after a while. From `GET
/debug/uncollected` on nothing but its reference counts frees an object.
`GET /debug/loaded` answers once what is revoked is known. `GET /debug/clock/S`
sets the wall clock S seconds off where `tests.faults.clock` has put a clock that
can be set. `tests.clocked` lets other time pass.
A text `PLANTED` raises in the handler. `/echo` is that of `tests.echo`.
"""

from __future__ import annotations

import gc
import os
import time
from typing import Any

import gevent
from flask import request
from greenlet import greenlet

from services.participants import Participant
from services.switchboard import Switchboard
from services.transport.connection import Connection
from tests.clocked import add_clock
from tests.echo import echo
from tests.faults.planted import PLANTED
from wsgi import app

PATIENCE = 25.0  # s that an answer is waited for: less than a test waits

relay = Switchboard.relay


def buggy_relay(self: Switchboard, line: Any, messages: list[str]) -> bool:
    if PLANTED in messages:
        raise RuntimeError("planted in a handler")
    return relay(self, line, messages)


Switchboard.relay = buggy_relay  # type: ignore[method-assign]
add_clock(app)
app.add_url_rule("/echo", view_func=echo, websocket=True)


def living(kind: type) -> list[Any]:
    """Every object of this kind; a dead greenlet is none."""
    found = [one for one in gc.get_objects() if issubclass(type(one), kind)]
    return [one for one in found if not getattr(one, "dead", False)]


def figures() -> dict[str, int]:
    if gc.isenabled():
        gc.collect()
    with open("/proc/self/statm") as statm:
        pages = int(statm.read().split()[1])
    return {
        "greenlets": len(living(greenlet)),
        "connections": len(living(Connection)),
        "participants": len(living(Participant)),
        "backlog": sum(one.backlog for one in living(Connection)),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": len(os.listdir("/proc/self/task")),
        "memory": pages * os.sysconf("SC_PAGE_SIZE"),
    }


@app.get("/debug/figures")
def show() -> dict[str, int]:
    most = {name: int(number) for name, number in request.args.items()}
    end = time.monotonic() + PATIENCE
    now = figures()
    while any(now[name] > most[name] for name in most) and time.monotonic() < end:
        gevent.sleep(0.05)
        now = figures()
    return now


@app.get("/debug/loaded")
def wait_until_loaded() -> str:
    """Answers when all is known that tokens are compared with."""
    end = time.monotonic() + PATIENCE
    while not app.extensions["csapp"].server.house.revocations.loaded:
        assert time.monotonic() < end
        gevent.sleep(0.01)
    return ""


@app.get("/debug/uncollected")
def collect_no_more() -> str:
    gc.collect()
    gc.disable()
    return ""


@app.get("/debug/clock/<int(signed=True):seconds>")
def set_clock(seconds: int) -> str:
    time.time.offset = seconds  # type: ignore[attr-defined]
    return str(time.time())
