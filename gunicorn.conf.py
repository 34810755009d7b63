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
worker_connections = 65_536  # gunicorn hangs the next client silently; csapp refuses earlier
preload_app = False  # fork first, connect after
control_socket_disable = True  # its default path is shared by all of a user's instances
keepalive = 5  # s: also the time that request headers may take
graceful_timeout = 30  # s: outboxes are flushed within half of it
limit_request_line = 8190
forwarder_headers = ""  # CSAPP_URL_PREFIX says where it hangs; a wrong SCRIPT_NAME would be a 500


def post_worker_init(worker):
    """Say goodbye when the worker stops, which gunicorn's first process tells it.

    Ctrl-C reaches both of them: once will do. csapp is imported by the worker, because what
    the first process has imported would be the code of all workers to come, after SIGHUP too.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from csapp import drain_on_exit

    drain_on_exit(worker)
    _blame_the_client(worker)
    _collect_less()


def _blame_the_client(worker):
    """Answer an unknown transfer coding with 400: gunicorn's 501 looks like a fault of the server.

    Proxies and alerts take it for one, and anybody can send such a request.
    """
    from gunicorn.http import errors

    unknown = getattr(errors, "UnsupportedTransferCoding", ())  # older ones read past it
    answer = worker.handle_error

    def handle_error(req, client, addr, exc):
        if isinstance(exc, unknown):
            exc = errors.InvalidHeader("Transfer-Encoding")
        answer(req, client, addr, exc)

    worker.handle_error = handle_error


def _collect_less():
    """Look for garbage less often, and never again at what the worker has loaded.

    A collection looks at every open connection, and everybody waits for it. Hardly any garbage
    needs one: an ended connection is freed without.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


def ssl_context(config, default_ssl_context_factory):
    """A TLS handshake may take as long as request headers may; gevent would wait for ever."""
    context = default_ssl_context_factory()
    wrap = context.wrap_socket

    def wrap_in_time(sock, **options):
        sock.settimeout(config.keepalive)
        try:
            wrapped = wrap(sock, **options)
        except OSError:  # too late, or no TLS at all: nothing that needs a traceback
            raise GreenletExit from None
        wrapped.settimeout(None)
        return wrapped

    context.wrap_socket = wrap_in_time
    return context


def on_starting(server):
    """Refuse what cannot work; allow as many sockets as the system lets us have."""
    _refuse_workers(server.cfg.workers)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def nworkers_changed(server, new_value, old_value):
    """Signal TTIN would add a worker with a desk of its own."""
    if old_value and new_value > 1 and not os.environ.get("CSAPP_REDIS_URL"):
        server.log.error("csapp stays at one worker: more need CSAPP_REDIS_URL")
        server.num_workers = 1


def _refuse_workers(workers):
    if workers > 1 and not os.environ.get("CSAPP_REDIS_URL"):
        raise SystemExit(
            f"csapp: {workers} workers without CSAPP_REDIS_URL would be {workers} separate desks: "
            "visitors and waiters on different workers would never meet. Use -w 1."
        )
