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
    """Print what is found, or the `problem`. Exits with 1 where gunicorn has said it itself."""
    sys.path[0] = os.getcwd()  # not this folder: its names are not for the application
    try:
        found = _look()
    except Exception as error:
        found = {"problem": _one_line(error)}
    print(MARK + json.dumps(found))


def _look() -> dict[str, Any]:
    from gunicorn.app.base import Application

    class Look(Application):  # type: ignore[misc]  # gunicorn has no types
        target: str | None = None

        def init(self, _parser: Any, _options: Any, args: list[str]) -> None:
            self.target = args[0] if args else None

    look = Look()
    cfg, target = look.cfg, look.target or look.cfg.wsgi_app
    kind = _kind(cfg)
    gevent = kind == "gevent"
    if gevent and not cfg.preload_app:  # its worker does so before it imports the application
        _patch()
    error = _import(target)
    patched_first = not target or _is_patched()
    if gevent:
        _patch()
    return {
        "workers": cfg.workers,
        "worker_class": kind,
        "binds": cfg.settings["bind"].get(),
        "max_requests": cfg.max_requests,
        "graceful_timeout": cfg.graceful_timeout,
        "drains": "drain_on_exit" in _names(cfg.post_worker_init),
        "patched_first": patched_first,
        "blocking": _blocking() if gevent else [],
        "app_error": error,
    }


def _kind(cfg: Any) -> str:
    """`gevent` for all that are made of its worker, else what the class is called."""
    name: str = cfg.worker_class_str
    if name in ("sync", "gthread"):
        return name
    from gunicorn.workers.ggevent import GeventWorker

    return "gevent" if issubclass(cfg.worker_class, GeventWorker) else name


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
        return _one_line(error)
    return ""


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0].strip()


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
