"""csapp whose wall clock is as many seconds off as the file WALL_CLOCK_FILE says.

Tokens keep the real time. The clock is the server's, so it can be set also in a fork.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from flask import Flask

from services.clock import Clock

#: what `LiveServer.gunicorn` and `LiveServer.flask` start
GUNICORN, THREADS = "tests.wall_clock_host:standalone()", "tests.wall_clock_host:threads()"
DEMO = "tests.wall_clock_host:demo()"


def set_clock(file: Path, at: float) -> None:
    """It is *at*, in s since 1970, from now on."""
    whole = file.with_suffix(".new")
    whole.write_text(str(at - time.time()))
    whole.replace(file)


def follow_file(app: Flask) -> Flask:
    """Give the server of *app* that clock, before it starts."""
    file = Path(os.environ["WALL_CLOCK_FILE"])
    app.extensions["csapp"].server.clock = Clock(lambda: time.time() + float(file.read_text()))
    return app


def standalone() -> Flask:
    """`wsgi:app`, which patches this process."""
    from wsgi import app

    return follow_file(app)


def threads() -> Flask:
    """What `flask --app csapp` runs."""
    from csapp import create_app

    return follow_file(create_app())


def demo() -> Flask:
    """The demo's shop."""
    from csapp import create_demo

    return follow_file(create_demo())
