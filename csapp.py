"""csapp: live chat between visitors and waiters for Flask applications.

    from csapp import CSApp
    chat = CSApp(app, url_prefix="/support")

`CSApp` puts the chat into an existing Flask application. `create_app` makes a
standalone application of it, which the environment configures.

This module imports a name only when somebody asks for it, for two reasons. In the
installed package gunicorn's configuration is a module of `csapp` and has to patch
before anything else is imported. And what gunicorn's first process has imported
stays the code of all later workers, also after a reload.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = [
    "CSApp",
    "Identity",
    "SettingsError",
    "TokenRole",
    "create_app",
    "create_demo",
    "drain_on_exit",
]

if TYPE_CHECKING:
    from blueprints.app import (
        CSApp,
        Identity,
        SettingsError,
        TokenRole,
        create_app,
        create_demo,
        drain_on_exit,
    )
else:

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from blueprints import app

        return getattr(app, name)
