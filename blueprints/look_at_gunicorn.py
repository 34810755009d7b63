"""What gunicorn would do with a command line, as one line of JSON: a program of its own.

    python look_at_gunicorn.py [-c FILE] [-w 2] [APP]

It does what gunicorn does before it serves: reads its configuration, patches
when and where gunicorn would, imports the application. So nothing of csapp may
be imported before.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

#: the first character of the line, which nothing else prints
MARK = "\0"


def main() -> None:
    """Print what is found. Exits with 1 where gunicorn itself would not start."""
    sys.path[0] = os.getcwd()  # not this folder: its names are not for the application
    from gunicorn.app.base import Application

    class Look(Application):  # type: ignore[misc]  # gunicorn has no types
        target: str | None = None

        def init(self, _parser: Any, _options: Any, args: list[str]) -> None:
            self.target = args[0] if args else None

    look = Look()
    cfg, target = look.cfg, look.target or look.cfg.wsgi_app
    gevent = cfg.worker_class_str == "gevent"
    if gevent and not cfg.preload_app:  # its worker does so before it imports the application
        _patch()
    error = _import(target)
    patched_first = _is_patched()
    if gevent:
        _patch()
    found = {
        "workers": cfg.workers,
        "worker_class": cfg.worker_class_str,
        "binds": cfg.settings["bind"].get(),
        "max_requests": cfg.max_requests,
        "graceful_timeout": cfg.graceful_timeout,
        "drains": "drain_on_exit" in _names(cfg.post_worker_init),
        "patched_first": patched_first,
        "blocking": _blocking() if gevent else [],
        "app_error": error,
    }
    print(MARK + json.dumps(found))


def _is_patched() -> bool:
    monkey = sys.modules.get("gevent.monkey")
    return bool(monkey and monkey.is_module_patched("socket"))


def _patch() -> None:
    from gevent import monkey

    monkey.patch_all()


def _import(target: str | None) -> str:
    """Why *target* cannot be imported; empty: it can, or there is none."""
    if not target:
        return ""
    from gunicorn.util import import_app

    try:
        import_app(target)
    except BaseException as error:  # some applications exit
        return f"{type(error).__name__}: {error}"
    return ""


def _names(hook: Any) -> tuple[str, ...]:
    """What *hook* is called, and what it calls."""
    return getattr(hook, "__name__", ""), *getattr(getattr(hook, "__code__", None), "co_names", ())


def _blocking() -> list[str]:
    """Drivers that wait without letting other greenlets run."""
    found = []
    waiting = sys.modules.get("psycopg.waiting")
    if waiting is not None and waiting.wait is getattr(waiting, "wait_c", None):
        found.append("psycopg")
    psycopg2 = sys.modules.get("psycopg2.extensions")
    if psycopg2 is not None and psycopg2.get_wait_callback() is None:
        found.append("psycopg2")
    return found


if __name__ == "__main__":
    main()
