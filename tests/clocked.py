"""Servers whose time passes when a test says so: nobody waits for a grace period to end.

`let_pass(server, S)` has the server live S seconds and two ticks at once: what is due in
S seconds happens. In each tick it does what it would have done, only sooner. Its steady
clock goes on by S seconds as well; the wall clock stays.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flask import Flask

from services.timers import TICK

if TYPE_CHECKING:
    from testkit import LiveServer

#: what `LiveServer.gunicorn` and `LiveServer.flask` start
GUNICORN, THREADS = "tests.clocked:standalone()", "tests.clocked:threads()"
DEMO = "tests.clocked:demo()"


def add_clock(app: Flask) -> Flask:
    """Put `GET …/debug/pass/S` into an application of csapp."""
    server = app.extensions["csapp"].server
    runtime, steady, passed = server.house.runtime, server.house.runtime.now, [0.0]
    runtime.now = lambda: steady() + passed[0]

    @app.get(f"{server.settings.url_prefix}/debug/pass/<int:seconds>")
    def let_pass(seconds: int) -> str:
        passed[0] += seconds
        for _ in range(math.ceil(seconds / TICK) + 2):
            runtime.call_soon(server.house.wheel.tick)
        return ""

    return app


def standalone() -> Flask:
    """`wsgi:app`, which patches this process."""
    from wsgi import app

    return add_clock(app)


def threads() -> Flask:
    """What `flask --app csapp` runs."""
    from csapp import create_app

    return add_clock(create_app())


def demo() -> Flask:
    """The demo's shop."""
    from csapp import create_demo

    return add_clock(create_demo())


def let_pass(server: LiveServer, seconds: float) -> None:
    """*seconds* pass for all that happens in *server*."""
    server.get(f"/debug/pass/{math.ceil(seconds)}")
