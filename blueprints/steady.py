"""Responses that stay what they are in an application that has ideas of its own about responses.

An application may set headers on all that it answers, and `app.response_class` may be
a class of its own, into which Flask turns every response of another one.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from flask import current_app


def of_host(mixin: type, **options: Any) -> Any:
    """A response of the application's own class with what *mixin* does, made with *options*."""
    kind: Any = current_app.response_class
    return _joined(mixin, kind)(**options)


@cache
def _joined(mixin: type, kind: type) -> type:
    return type(mixin.__name__, (mixin, kind), {})


class Steady:
    """For `of_host`: headers that no hook of the application changes.

    They are set when the web server asks for them, which is after all hooks.
    """

    #: header → value; None: there is none
    kept: dict[str, str | None]

    def get_wsgi_headers(self, environ: Any) -> Any:
        """See `werkzeug.wrappers.Response`."""
        headers = super().get_wsgi_headers(environ)  # type: ignore[misc]
        for name, value in self.kept.items():
            if value is None:
                headers.remove(name)
            else:
                headers[name] = value
        return headers
