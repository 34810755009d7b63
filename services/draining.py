"""A gunicorn worker that stops: every connection gets its goodbye before the process ends.

A worker that comes in the place of another one takes its database over (`succession.py`).
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from . import runtime as runtimes
from .server import servers
from .succession import take_over

log = logging.getLogger("csapp")


def drain_on_exit(worker: Any) -> None:
    """For gunicorn's `post_worker_init`: wait until all have their goodbye (1012) when it stops.

    gunicorn does not know of chats, which have left its greenlets. A server says goodbye as
    soon as its worker is not `alive` any more; the worker's `run` returns a little later,
    and here it waits until what is queued for each connection is sent.
    """
    runtime = runtimes.current()
    serve = worker.run

    def run() -> None:
        serve()
        _say_goodbye()  # the server may be late
        end = runtime.now() + worker.cfg.graceful_timeout
        while not all(server.settled for server in list(servers)) and runtime.now() < end:
            worker.notify()
            for server in list(servers):
                server.make_room()
            runtime.sleep(0.1)
        for server in list(servers):
            server.close()
        runtime.sleep(0)  # the last lines of the log

    worker.run = run
    for server in list(servers):
        runtime.spawn(partial(take_over, server))


def _say_goodbye() -> None:
    for server in list(servers):
        try:
            server.drain()
        except Exception:  # the others say goodbye nevertheless
            log.exception("a server could not say goodbye")
