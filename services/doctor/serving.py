"""How gunicorn serves it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..place import CONFIGURATION
from ..words import counted
from .finding import Finding, fault, warning
from .setup import Check, Serving, SetUp

#: s: clients are asked to come back within five, outboxes are flushed within half of it
LEAST_GRACE = 10.0

OUR_FILE = f"start it with csapp's own: gunicorn -c {CONFIGURATION}"


def known(setup: SetUp) -> Iterator[Finding]:
    """It is known, and would start."""
    if setup.serving is None:
        yield warning(
            "there is no gunicorn.conf.py here: how the chat is served could not be looked at",
            "run it where gunicorn is started, or give gunicorn's arguments with --gunicorn",
        )
    elif isinstance(setup.serving, str):
        yield fault(f"gunicorn would not start: {setup.serving}", "mend its configuration")
    elif setup.serving.app_error:
        yield fault(
            f"gunicorn could not import the application: {setup.serving.app_error}",
            "mend it, or name another one with --gunicorn",
        )


def workers(setup: SetUp, serving: Serving) -> Iterator[Finding]:
    """All of them are one desk."""
    if serving.workers > 1 and setup.settings.redis_url is None:
        yield fault(
            f"{serving.workers} workers without CSAPP_REDIS_URL are separate desks: "
            "visitors and waiters on different workers never meet, and chats are refused",
            "set CSAPP_REDIS_URL in the application's configuration, or run one worker (-w 1)",
        )
    elif serving.workers > 1 and not setup.environment.get("CSAPP_REDIS_URL"):
        yield warning(
            "CSAPP_REDIS_URL is not in the environment, where gunicorn.conf.py looks for it: "
            "it refuses several workers",
            "set it in gunicorn's environment as well",
        )


def worker_class(_setup: SetUp, serving: Serving) -> Iterator[Finding]:
    """It can hold many sockets."""
    if serving.worker_class == "gthread":
        yield warning(
            "each chat takes one of the gthread worker's threads, and there are few",
            "worker_class = 'gevent'",
        )
    elif serving.worker_class != "gevent":
        yield fault(
            f"{serving.worker_class} workers cannot carry chats: each one is refused with 503",
            f"worker_class = 'gevent'; or {OUR_FILE}",
        )


def patching(_setup: SetUp, serving: Serving) -> Iterator[Finding]:
    """gevent patches before anything that matters is imported."""
    if serving.worker_class != "gevent":
        return
    if not serving.patched_first:
        yield fault(
            "preload_app imports the application before gevent patches: "
            "its locks are real ones, and a worker can stand still for ever",
            "gevent.monkey.patch_all() on top of gunicorn.conf.py, or preload_app = False",
        )
    for driver in serving.blocking:
        yield warning(
            f"{driver} is not patched: each query of your application stops every chat meanwhile",
            "gevent.monkey.patch_all() on top of gunicorn.conf.py, before psycopg is imported"
            if driver == "psycopg"
            else "psycogreen.gevent.patch_psycopg(), or use psycopg 3",
        )


def drain(_setup: SetUp, serving: Serving) -> Iterator[Finding]:
    """A worker that stops says goodbye first."""
    if not serving.drains:
        yield warning(
            "workers that stop do not wait for their clients: slow ones miss what is theirs",
            "post_worker_init = csapp.drain_on_exit",
        )
    if serving.graceful_timeout < LEAST_GRACE:
        yield warning(
            f"graceful_timeout is {serving.graceful_timeout:g} s: "
            "slow clients are cut off before they have what is theirs",
            f"graceful_timeout = 30 (at least {LEAST_GRACE:g})",
        )
    if serving.max_requests:
        yield warning(
            f"max_requests is {serving.max_requests}: "
            "a worker restarts after so many, and all of its clients have to come back",
            "max_requests = 0",
        )


def connections(setup: SetUp) -> Iterator[Finding]:
    """The database has a connection for each worker that may want one."""
    store, serving = setup.store, setup.serving
    if store is None or not store.connections or not isinstance(serving, Serving):
        return
    wanted = serving.workers * store.connections_per_worker
    if wanted > store.connections:
        yield warning(
            f"{counted(serving.workers, 'worker')} may want "
            f"{counted(wanted, 'connection')} of the database, "
            f"which has {store.connections}",
            "raise max_connections of PostgreSQL, or run fewer workers",
        )


def _of_gunicorn(*checks: Callable[[SetUp, Serving], Iterator[Finding]]) -> Check:
    def check(setup: SetUp) -> Iterator[Finding]:
        if isinstance(setup.serving, Serving):
            for one in checks:
                yield from one(setup, setup.serving)

    return check


CHECKS: tuple[Check, ...] = (
    known,
    _of_gunicorn(workers, worker_class, patching, drain),
    connections,
)
