"""gunicorn with gevent workers. `-b` and `-w` on the command line win over this file."""

import gc
import os
import resource
import signal

from gevent import GreenletExit, monkey

monkey.patch_all()

bind = f"127.0.0.1:{os.environ.get('PORT', '8000')}"
workers = int(os.environ.get("WEB_CONCURRENCY", "1"))
worker_class = "gevent"
worker_connections = (
    65_536  # beyond it gunicorn lets clients wait without a word; csapp refuses earlier
)
preload_app = False  # fork first, connect after
control_socket_disable = True  # its default path is shared by all of a user's instances
keepalive = 5  # s: also the time that request headers may take
graceful_timeout = 30  # s: outboxes are flushed within half of it
limit_request_line = 8190
forwarder_headers = ""  # CSAPP_URL_PREFIX names the path; a wrong SCRIPT_NAME would be a 500


def post_worker_init(worker):
    """Let *worker* close its connections with 1012 when gunicorn's first process stops it.

    The worker ignores Ctrl-C (SIGINT), because the first process gets it, too, and passes it
    on. The worker imports csapp, not the first process: what that has imported stays the code
    of all later workers, also after SIGHUP.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from csapp import drain_on_exit

    drain_on_exit(worker)
    _blame_the_client(worker)
    _collect_less()


def _blame_the_client(worker):
    """Answer an unknown transfer coding with 400 instead of gunicorn's 501.

    Anybody can send such a request. Proxies and alerts take a 501 for a fault of the server.
    """
    from gunicorn.http import errors

    unknown = getattr(
        errors, "UnsupportedTransferCoding", ()
    )  # older versions of gunicorn ignore the header
    answer = worker.handle_error

    def handle_error(req, client, addr, exc):
        if isinstance(exc, unknown):
            exc = errors.InvalidHeader("Transfer-Encoding")
        answer(req, client, addr, exc)

    worker.handle_error = handle_error


def _collect_less():
    """Run the garbage collector less often, and never over what the worker has loaded.

    A collection looks at every open connection while all of them wait. Little garbage needs it:
    an ended connection is freed without a collection.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


def ssl_context(config, default_ssl_context_factory):
    """Give a TLS handshake as much time as request headers; gevent would wait for ever."""
    context = default_ssl_context_factory()
    wrap = context.wrap_socket

    def wrap_in_time(sock, **options):
        sock.settimeout(config.keepalive)
        try:
            wrapped = wrap(sock, **options)
        except OSError:  # too late, or no TLS at all: no traceback is needed
            raise GreenletExit from None
        wrapped.settimeout(None)
        return wrapped

    context.wrap_socket = wrap_in_time
    return context


def on_starting(server):
    """Refuse settings that cannot work. Allow as many open files as the system permits."""
    _refuse_workers(server.cfg.workers)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def nworkers_changed(server, new_value, old_value):
    """Undo signal TTIN without Redis: it would add a worker with a desk of its own."""
    if old_value and new_value > 1 and not os.environ.get("CSAPP_REDIS_URL"):
        server.log.error("csapp stays at one worker: more need CSAPP_REDIS_URL")
        server.num_workers = 1


def _refuse_workers(workers):
    if workers > 1 and not os.environ.get("CSAPP_REDIS_URL"):
        raise SystemExit(
            f"csapp: {workers} workers without CSAPP_REDIS_URL would be {workers} separate desks: "
            "visitors and waiters on different workers would never meet. Use -w 1."
        )
