"""Which web servers can carry a chat, by the WSGI environment of a request."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from typing import Any

#: where a web server puts the socket of a request, for whoever takes it over
SOCKETS = ("gunicorn.socket", "werkzeug.socket")

#: what web servers say of themselves and of whoever asks, and test clients do not
_SIGNS = ("SERVER_SOFTWARE", "REMOTE_PORT", "uwsgi.version")

#: what is true of web servers that say nothing of themselves, and of no test client
_AT_ONCE = ("wsgi.multithread", "wsgi.multiprocess")

_REMEDY = "use gunicorn -k gevent"
_UWSGI = f"uWSGI keeps its sockets; {_REMEDY}"


def unfit_here() -> str:
    """Why the web server of this process cannot carry a chat, known before any request; or `""`."""
    return _UWSGI if "uwsgi" in sys.modules else ""  # it puts the module there itself


def worker() -> Any:
    """gunicorn's worker in this process, which is `alive` until it is asked to stop; or None."""
    owner = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return owner if hasattr(owner, "alive") and hasattr(owner, "cfg") else None


def unfit(environ: Mapping[str, Any], *, shared: bool) -> str:
    """Why the web server that made *environ* cannot carry a chat; `""` if it can.

    *shared*: several processes are one desk.
    """
    if type(environ.get("wsgi.input")).__module__ == "gevent.pywsgi":
        # simple-websocket would take its socket unpatched, and stop the loop with it
        return f"gevent.pywsgi cannot carry a chat; {_REMEDY}"
    if "uwsgi.version" in environ:  # with --gevent it says that it serves one request at a time
        return _UWSGI
    if not any(environ.get(name) for name in SOCKETS):
        return f"this web server (such as waitress) keeps its sockets; {_REMEDY}"
    if environ.get("wsgi.multiprocess") and not shared:
        return "several workers without CSAPP_REDIS_URL are separate desks; run one worker"
    if not environ.get("wsgi.multithread"):
        return f"this web server serves one request at a time; {_REMEDY}"
    return ""


def socket_of(environ: Mapping[str, Any]) -> Any:
    """The socket of the request; None where the web server keeps it."""
    return next((environ[name] for name in SOCKETS if name in environ), None)


def is_test_client(environ: Mapping[str, Any]) -> bool:
    """Whether no web server made *environ*: a host's tests may ask for tokens all the same."""
    if any(name in environ for name in (*_SIGNS, *SOCKETS)):
        return False
    return not any(environ.get(name) for name in _AT_ONCE)
