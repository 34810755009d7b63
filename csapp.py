"""csapp: live chat between visitors and agents for Flask applications.

    from csapp import CSApp
    chat = CSApp(app, url_prefix="/support")

`CSApp` puts the chat into an existing Flask application; `create_app` is the
same as an application of its own, configured by the environment.

Nothing is imported before it is asked for: gunicorn's configuration, which is
in here where csapp is installed, patches first, and what gunicorn's first
process has imported would be the code of all workers to come.
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
