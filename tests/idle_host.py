"""csapp with both clocks in a test's hands, which looks for idle visitors when a test says so.

`clocked.let_pass` moves the steady clock, `wall_clock_host.set_clock` the wall clock, and
`look(server)` is one round of the loop that calls `Idle.look`, which never runs by itself.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from flask import Flask

from .clocked import add_clock, let_pass
from .wall_clock_host import follow_file

if TYPE_CHECKING:
    from testkit import LiveServer

#: what `LiveServer.gunicorn` and `LiveServer.flask` start
GUNICORN, THREADS = "tests.idle_host:standalone()", "tests.idle_host:threads()"


def add_look(app: Flask) -> Flask:
    """Put `GET …/debug/look` into an application of csapp that has not started."""
    from services import background

    background.IDLE_LOOK = 86_400.0  # s
    server = follow_file(app).extensions["csapp"].server
    add_clock(app)

    @app.get(f"{server.settings.url_prefix}/debug/look")
    def look() -> str:
        passed = threading.Event()
        server.house.runtime.call_soon(passed.set)  # behind the ticks of `let_pass`
        passed.wait()
        (loop,) = (one for one in server.loops.all if one.name == "the look at who is idle")
        loop.once()
        return ""

    return app


def standalone() -> Flask:
    """`wsgi:app`, which patches this process."""
    from wsgi import app

    return add_look(app)


def threads() -> Flask:
    """What `flask --app csapp` runs."""
    from csapp import create_app

    return add_look(create_app())


def look(server: LiveServer) -> None:
    """*server* looks for idle visitors once, and warns or ends what it is time for."""
    server.get("/debug/look")


def passes(seconds: float, *servers: LiveServer) -> None:
    """Each of *servers* looks, lives *seconds*, and looks again."""
    for server in servers:
        look(server)
    for server in servers:
        let_pass(server, seconds)
    for server in servers:
        look(server)
