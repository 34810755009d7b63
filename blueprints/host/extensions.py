"""Exempts the chat from other extensions of the application, by their public functions.

So the host needs no code for them; `docs/extensions.md` lists the extensions. This module
imports none of these packages, because a host may not have them.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from flask import Blueprint, Flask, current_app
from werkzeug.middleware.proxy_fix import ProxyFix

log = logging.getLogger("csapp")

#: attributes in which middlewares hold the application that they wrap
INNER = ("app", "wsgi_app", "application", "_app", "wrapped_app")

#: the most middlewares that are looked through
LAYERS = 20


def attach(doors: Sequence[Blueprint]) -> None:
    """Exempt *doors*, those of one application, before the first request for them.

    Not earlier, because an extension may be added after csapp; and before any hook of the host.
    """
    lock, settled = threading.Lock(), threading.Event()

    def settle_once(_endpoint: str | None, _values: dict[str, Any] | None) -> None:
        if settled.is_set():
            return
        with lock:
            if not settled.is_set():
                settle(current_app._get_current_object(), doors)  # type: ignore[attr-defined]
                settled.set()

    for door in doors:
        door.url_value_preprocessor(settle_once)


def settle(app: Flask, doors: Sequence[Blueprint]) -> None:
    """Make the agreement with each extension of *app* that is known here. Never raises."""
    for one in _extensions(app):
        for package, agree in AGREEMENTS.items():
            if not _is_of(one, package):
                continue
            try:
                agree(one, app, doors)
                log.info("the chat's addresses are exempt from %s (docs/extensions.md)", package)
            except Exception:  # a version that nobody has tried
                log.warning("csapp and %s do not agree", package, exc_info=True)


def locale(app: Flask) -> str:
    """The language of this request by Flask-Babel, as a language tag; "" if it has none.

    It has none without a locale selector, where nobody has set the default locale either.
    """
    babel = app.extensions.get("babel")
    package = sys.modules.get(type(babel).__module__.partition(".")[0])
    ask: Callable[[], Any] | None = getattr(package, "get_locale", None)
    if ask is None or not _is_chosen(babel):
        return ""
    try:
        found = ask()
    except Exception:
        log.debug("the host's locale cannot be found", exc_info=True)
        return ""
    return str(found).replace("_", "-") if found else ""


def nonce(app: Flask) -> str | None:
    """The nonce of this response's policy, if the templates have a function `csp_nonce`.

    Flask-Talisman adds one, and hosts with a nonce of their own use the same name.
    """
    nonce = app.jinja_env.globals.get("csp_nonce")
    try:
        found = nonce() if callable(nonce) else nonce
    except Exception:
        log.debug("the host's nonce cannot be found", exc_info=True)
        return None
    return str(found) if found else None


def proxies_believed(app: Flask) -> int:
    """How many proxies Werkzeug's ProxyFix round *app* believes to name their client; 0: none."""
    layer: Any = app.wsgi_app
    for _ in range(LAYERS):
        if isinstance(layer, ProxyFix):
            return layer.x_for
        layer = next((getattr(layer, name) for name in INNER if hasattr(layer, name)), None)
    return 0


def _is_chosen(babel: Any) -> bool:
    if getattr(babel, "locale_selector", None) or getattr(babel, "locale_selector_func", None):
        return True
    return str(getattr(babel, "default_locale", "en")) != "en"


def _extensions(app: Flask) -> Iterator[Any]:
    """The extensions that *app* has, those included that show only in its hooks."""
    seen: set[int] = set()
    for one in (*_flat(app.extensions.values()), *_owners(app)):
        if id(one) not in seen:
            seen.add(id(one))
            yield one


def _flat(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, set | list | tuple):  # several limiters
            yield from value
        else:
            yield value


def _owners(app: Flask) -> Iterator[Any]:
    for hook in (*app.before_request_funcs.get(None, ()), *app.after_request_funcs.get(None, ())):
        owner = getattr(hook, "__self__", None)
        if owner is not None:
            yield owner


def _is_of(one: Any, package: str) -> bool:
    """Whether *one* is an object of *package*, or of a class made from one of its own."""
    return any(kind.__module__.partition(".")[0] == package for kind in type(one).__mro__)


def _views(app: Flask, *doors: Blueprint) -> Iterator[Any]:
    names = {door.name for door in doors}
    for endpoint, view in app.view_functions.items():
        name, _, last = endpoint.rpartition(".")
        if name in names and last != "static":
            yield view


# ---- one by one ------------------------------------------------------------


def _flask_wtf(csrf: Any, _app: Flask, doors: Sequence[Blueprint]) -> None:
    """The chat has no forms: a request shows a token, or comes from a page of this origin."""
    if hasattr(csrf, "exempt"):
        for door in doors:
            csrf.exempt(door)


def _flask_seasurf(csrf: Any, app: Flask, doors: Sequence[Blueprint]) -> None:
    """The same as for Flask-WTF, view by view."""
    for view in _views(app, *doors):
        csrf.exempt(view)


def _flask_limiter(limiter: Any, _app: Flask, doors: Sequence[Blueprint]) -> None:
    """Defaults for pages are not for scripts and probes, and csapp has bounds of its own.

    Limits that a host sets for these blueprints by name stand.
    """
    if not hasattr(limiter, "exempt"):
        return
    scope = getattr(sys.modules.get("flask_limiter"), "ExemptionScope", None)
    flags = {} if scope is None else {"flags": scope.DEFAULT | scope.APPLICATION}
    for door in doors:
        limiter.exempt(door, **flags)


#: package → what is settled with its extension
AGREEMENTS: dict[str, Callable[[Any, Flask, Sequence[Blueprint]], None]] = {
    "flask_wtf": _flask_wtf,
    "flask_seasurf": _flask_seasurf,
    "flask_limiter": _flask_limiter,
}
