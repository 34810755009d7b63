"""Responses that stay what they are in an application that has ideas of its own about responses.

An application may set headers on all that it answers, and `app.response_class` may be
a class of its own, into which Flask turns every response of another one.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from flask import Response, current_app

from .reached import is_reached

#: headers that mean something where a door sets them: its policy, and who may keep and show what
KEPT = (
    "Cache-Control",
    "Content-Security-Policy",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
    "Referrer-Policy",
    "X-Content-Type-Options",
)

#: of a host's that go where a door has the header beside: it cannot know what it would report
GONE = {"Content-Security-Policy-Report-Only": "Content-Security-Policy"}


def of_host(mixin: type, **options: Any) -> Any:
    """A response of the application's own class with what *mixin* does, made with *options*."""
    kind: Any = current_app.response_class
    return _joined(mixin, kind)(**options)


def keep(response: Response) -> Response:
    """For `Blueprint.after_request`: of an answer of ours, `KEPT` stays as it is by now."""
    kept = {name: response.headers[name] for name in KEPT if name in response.headers}
    if kept and is_reached():
        kind: Any = type(response)
        response.__class__ = _joined(_Steady, kind)
        response.kept = kept  # type: ignore[attr-defined]
    return response


@cache
def _joined(mixin: type, kind: type) -> type:
    return type(mixin.__name__, (mixin, kind), {})


class _Steady:
    """Sets headers when the web server asks for them, which is after all hooks."""

    kept: dict[str, str]

    def get_wsgi_headers(self, environ: Any) -> Any:
        """See `werkzeug.wrappers.Response`."""
        headers = super().get_wsgi_headers(environ)  # type: ignore[misc]
        for name, beside in GONE.items():
            if beside in self.kept:
                headers.remove(name)
        headers.update(self.kept)
        return headers
