"""A WebSocket echo on the production transport, for conformance suites.

    gunicorn -c gunicorn.conf.py tests.echo:app

`/echo` gives back text and binary messages up to 16 MiB.
"""

from __future__ import annotations

from functools import cache

from flask import Flask
from simple_websocket import ConnectionClosed

from blueprints.refusals import answer
from blueprints.sockets import ChatSock
from services import runtime
from services.timers import Wheel
from services.transport.connection import Connection, Context, Limits
from services.transport.outbox import Flusher
from services.wire.codes import HTTPRefusal

MIB = 1024 * 1024


@cache
def context() -> Context:
    """What the connections share; made with the first one, after the fork."""
    here = runtime.current()
    wheel = Wheel(here)
    wheel.start()
    limits = Limits(
        max_frame=16 * MIB,
        outbox_bytes=64 * MIB,
        outbox_seconds=10.0,
        heartbeat=3600.0,  # s: tests that attack it leave its pings unanswered
        binary=True,
    )
    return Context(here, Flusher(here, wheel.lived), wheel, limits)


app = Flask(__name__)
app.register_error_handler(HTTPRefusal, answer)
sock = ChatSock(
    lambda environ: None,
    lambda environ: None,
    lambda environ: Connection(environ, context()),
)


@app.get("/")
def hint() -> str:
    return "a WebSocket echo is at /echo"


@sock.route("/echo", app)
def echo(connection: Connection) -> None:
    """Send back whatever comes, until the other side has enough."""
    try:
        while True:
            connection.send(connection.receive())
    except ConnectionClosed:
        pass
    finally:
        print(f"echo ended code={connection.code}", flush=True)
