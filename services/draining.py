"""Hooks into a gunicorn worker: it closes its connections with 1012 before its process ends.

A worker that replaces another one also takes over its database (`succession.py`).
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
    """For gunicorn's `post_worker_init`: let *worker* end only when its connections are closed.

    gunicorn does not know of the connections, which no longer run in its greenlets. A
    `ChatServer` starts to drain as soon as its worker is not `alive`. The worker's `run` returns
    a little later; then this function waits until each outbox is empty.
    """
    runtime = runtimes.current()
    serve = worker.run

    def run() -> None:
        serve()
        _drain_all()  # a server may not have noticed yet
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
    before = worker.cfg.worker_int

    def quit_now(worker: Any) -> None:
        before(worker)
        _drain_all()  # at once: a worker that is to quit (SIGINT, SIGQUIT) exits after 0.1 s

    worker.cfg.set("worker_int", quit_now)
    for server in list(servers):
        runtime.spawn(partial(take_over, server))


def _drain_all() -> None:
    for server in list(servers):
        try:
            server.drain()
        except Exception:  # the other servers drain nevertheless
            log.exception("a server could not say goodbye")
