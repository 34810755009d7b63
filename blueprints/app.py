"""The Flask extension, and the standalone applications. `csapp` offers the names of this file."""

from __future__ import annotations

import logging
import os
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask, Request, current_app, has_app_context

from services import under_test, webserver
from services.draining import drain_on_exit
from services.errors import CSAppError, SettingsError
from services.files.uploads import Check
from services.identity import Identity, TokenRole
from services.server import ChatServer
from services.setting_parsers import MAX_AUDIENCE
from services.settings import PREFIX, Settings

from . import refusals
from .demo import shop
from .extension import Blueprints, Callbacks, Extension, Who
from .host.identity import identity_of
from .register import register

#: what `csapp` offers
__all__ = [
    "CSApp",
    "Identity",
    "SettingsError",
    "TokenRole",
    "create_app",
    "create_demo",
    "drain_on_exit",
]

log = logging.getLogger("csapp")

#: folder in the instance folder, so that the demo has a database and a secret of its own
DEMO = "demo"


class CSApp:
    """The Flask extension. State is in `app.extensions["csapp"]`; one object serves many apps."""

    def __init__(self, app: Flask | None = None, url_prefix: str | None = None) -> None:
        self._callbacks = Callbacks()
        self._apps: weakref.WeakSet[Flask] = weakref.WeakSet()
        if app is not None:
            self.init_app(app, url_prefix)

    def init_app(self, app: Flask, url_prefix: str | None = None) -> None:
        """Add the chat to *app* under *url_prefix* (or `CSAPP_URL_PREFIX`).

        Reads the `CSAPP_*` keys of `app.config` and writes the defaults of
        those that are missing. Raises `SettingsError` for a value that
        cannot be used, and `RuntimeError` where the chat is in *app* already.
        Touches nothing else of the application: no headers, error handlers,
        logging, session or `SOCK_SERVER_OPTIONS`.
        """
        if "csapp" in app.extensions:
            raise RuntimeError("the chat is in this application already: init_app was called twice")
        config = {key: value for key, value in app.config.items() if key.startswith(PREFIX)}
        config |= under_test.settings(os.environ)
        if url_prefix is not None:
            config["CSAPP_URL_PREFIX"] = url_prefix
        if not config.get("CSAPP_AUDIENCE"):
            config["CSAPP_AUDIENCE"] = app.name[:MAX_AUDIENCE]
        instance = under_test.instance(os.environ, Path(app.instance_path))
        settings = Settings.load(config, instance)
        for key, one in Settings.keys().items():
            if key != "CSAPP_SECRET_KEY":
                app.config.setdefault(key, getattr(settings, one.name))
        if why := webserver.unfit_here():
            log.critical("no chat is possible: %s", why)
        if "*" in settings.allowed_origins:
            log.warning("CSAPP_ALLOWED_ORIGINS=*: pages of any site may open chats here")
        extension = Extension(ChatServer(settings), self._callbacks, owner=self)
        app.extensions["csapp"] = extension
        self._apps.add(app)
        register(app, extension, settings.url_prefix)

    def identify_visitor(self, callback: Callable[[Request], Who]) -> Callable[[Request], Who]:
        """Decorator: *callback* says which visitor a request comes from.

        It returns an `Identity`, a subject (a user id as a string), or None
        for a visitor whom the host does not know.
        """
        self._callbacks.visitor = callback
        return callback

    def identify_waiter(self, callback: Callable[[Request], Who]) -> Callable[[Request], Who]:
        """Decorator: *callback* says which waiter a request comes from; None: no waiter."""
        self._callbacks.waiter = callback
        return callback

    def check_file(self, callback: Check) -> Check:
        """Decorator: *callback* looks at each file before it is taken.

        It is given an `Incoming` and returns None, or a text for the sender, which says why
        the file is not taken. It runs in a native thread, outside of any request. If it
        raises an exception, that is logged, and the file is not taken.
        """
        self._callbacks.file = callback
        return callback

    def revoke(self, who: Any = None, /, *, user: Any = None, **_: Any) -> None:
        """Sign *who* (a subject, an `Identity`, a user of Flask-Login) out, in every role.

        Connections are closed (4401) within 5 s, on every worker, and every token that
        was signed until now is worthless. Raises `StoreError` where the database cannot be
        written, so that other workers do not learn of it; this worker revokes all the same.

        It may also be connected to a signal that sends a `user` (an id, or a user of
        Flask-Login): `user_logged_out.connect(chat.revoke)`. *who* is then the sender. As a
        receiver it logs an error instead of raising one: the host's sign-out must not fail.
        """
        if user is None and not isinstance(who, Flask):
            identity = identity_of(who)
            if identity is None:
                raise ValueError("subject: nobody is named")
            self._extension().revoke(identity.subject, "host")
            return
        try:
            identity = identity_of(user)
            if identity is None:  # nobody was signed in
                return
            extension = who.extensions["csapp"] if isinstance(who, Flask) else self._extension()
            extension.revoke(identity.subject, "host")
        except (CSAppError, ValueError, RuntimeError, KeyError) as error:
            log.error("a sign-out of the host cannot be kept: %s", error)

    #: another name of `revoke`
    sign_out = revoke

    @property
    def blueprints(self) -> Blueprints:
        """The chat's blueprints, so that a host can exempt them from what it does to requests.

        `if request.blueprint in chat.blueprints: return` in a hook; `for one in
        chat.blueprints: limiter.exempt(one)` where an extension takes blueprints.
        Iterating raises `RuntimeError` before `init_app`.
        """
        return Blueprints(self._apps)

    def _extension(self) -> Extension:
        """The state in the current application, or in the only one that has the chat."""
        apps = [current_app] if has_app_context() else list(self._apps)
        if len(apps) != 1:
            what = "whose subject? Call it inside of an application context"
            raise RuntimeError(what)
        extension: Extension = apps[0].extensions["csapp"]
        return extension


def create_app(config: dict[str, Any] | None = None) -> Flask:
    """The standalone application. *config* wins over the `CSAPP_*` keys of the environment."""
    app = _standalone(config)
    CSApp(app)
    return app


def create_demo(config: dict[str, Any] | None = None) -> Flask:
    """The demo (`flask --app csapp chat demo`): a shop with the chat, in a folder of its own."""
    app = _standalone(config, DEMO)
    app.register_blueprint(shop.blueprint())  # first, so that its page `/` wins over the chat's
    CSApp(app)
    app.extensions["csapp"].public_passwords = frozenset()  # the demo's waiters sign in with them
    return app


def _standalone(config: dict[str, Any] | None, *folder: str) -> Flask:
    app = Flask(
        "csapp_standalone",
        static_folder=None,
        template_folder=None,
        instance_path=os.path.join(os.getcwd(), "instance", *folder),
    )
    for key, value in os.environ.items():
        if key.startswith(PREFIX):
            app.config[key] = value
    app.config.update(config or {})
    refusals.attach_to_app(app)
    _log_to_stderr()
    return app


def _log_to_stderr() -> None:
    """Write csapp's log to stderr, unless the logger has a handler already."""
    root = logging.getLogger("csapp")
    if not root.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
        root.addHandler(handler)
        root.setLevel(logging.INFO)
        root.propagate = False
