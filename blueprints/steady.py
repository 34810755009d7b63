"""Answers that stay what they are in an application that has ideas of its own about answers.

An application may wrap every body in an envelope, answer everything with 200, set
headers on all that it answers; and `app.response_class` may be a class of its own, into
which Flask turns every response of another one.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

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

#: headers that belong to a body
OF_BODY = ("Content-Type", "Content-Encoding")

#: of a host's that go where a door has the header beside: it cannot know what it would report
GONE = {"Content-Security-Policy-Report-Only": "Content-Security-Policy"}

NOT_MODIFIED = 304  # which a host may find out for all that it answers


def of_host(mixin: type, **options: Any) -> Any:
    """A response of the application's own class with what *mixin* does, made with *options*."""
    kind: Any = current_app.response_class
    return _joined(mixin, kind)(**options)


def keep(response: Response) -> Response:
    """For `Blueprint.after_request`: an answer of ours stays as it is by now.

    Its status, its body where that is no stream, and `KEPT`.
    """
    if not is_reached() or response.status_code < 200:
        return response
    body = b"".join(response.iter_encoded()) if response.is_sequence else None
    names = (*KEPT, *(OF_BODY if body is not None else ()))
    headers = {name: response.headers.get(name) for name in names}
    kind: Any = type(response)
    response.__class__ = _joined(_Steady, kind)
    response.kept = _Kept(response.status_code, headers, body)  # type: ignore[attr-defined]
    return response


@cache
def _joined(mixin: type, kind: type) -> type:
    return type(mixin.__name__, (mixin, kind), {})


class _Kept(NamedTuple):
    status: int
    #: None: it has none
    headers: dict[str, str | None]
    #: None: it is a stream
    body: bytes | None


class _Steady:
    """Becomes what it was when the web server asks for its headers, which is after all hooks."""

    kept: _Kept

    def get_wsgi_headers(self, environ: Any) -> Any:
        """See `werkzeug.wrappers.Response`."""
        response: Any = self
        status, kept, body = self.kept
        has_body = response.status_code != NOT_MODIFIED
        if has_body:
            response.status_code = status
            if body is not None:
                response.set_data(body)
        headers = super().get_wsgi_headers(environ)  # type: ignore[misc]
        for name, value in kept.items():
            if name in OF_BODY and (value is None or not has_body):
                headers.remove(name)
            elif value is not None:
                headers[name] = value
        for name, beside in GONE.items():
            if kept[beside] is not None:
                headers.remove(name)
        return headers
