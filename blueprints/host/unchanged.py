"""Keeps the chat's answers unchanged, whatever an application does to its answers.

A hook of the application may wrap every body in an envelope, answer everything with 200, set
headers on every answer, return another response, or fail because it does not understand an
answer of the chat. And `app.response_class` may be a class of its own, into which Flask
turns every response of another class.
"""

from __future__ import annotations

import gzip
from functools import cache
from typing import Any, NamedTuple

from flask import Flask, Response, current_app, make_response, request, request_finished
from werkzeug.exceptions import InternalServerError

from .reached import OUTCOME, is_reached

#: headers of a door's answer that no hook of the host changes
KEPT = (
    "Cache-Control",
    "Content-Security-Policy",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
    "Referrer-Policy",
    "X-Content-Type-Options",
)

#: headers that describe a body and must stay with it
OF_BODY = ("Content-Type", "Content-Encoding")

#: headers that are computed from a body
ABOUT_BODY = ("Content-Length", "ETag")

#: headers that an answer may have several times
SEVERAL = ("Set-Cookie", "Vary")

#: key of the WSGI environment: the response of a door
ANSWER = "csapp.answer"

#: header of a host → header of a door. The first is removed if the door has set the second,
#: because the host's report-only policy does not fit the door's answer.
GONE = {"Content-Security-Policy-Report-Only": "Content-Security-Policy"}

NOT_MODIFIED = 304  # a host may make any answer conditional


def of_host(mixin: type, **options: Any) -> Any:
    """A response, made with *options*, of the application's response class extended by *mixin*."""
    kind: Any = current_app.response_class
    return _joined(mixin, kind)(**options)


def attach(app: Flask) -> None:
    """Send the answer of a door of *app* also if a hook returns another response."""
    request_finished.connect(_stand_in_for_ours, app)


def _stand_in_for_ours(_app: Flask, response: Response, **_: Any) -> None:
    answer = request.environ.get(ANSWER)
    if answer is not None and response is not answer and not isinstance(response, _StandIn):
        _stand_in(response, answer)


def take_ours(response: Response) -> Response:
    """For `Blueprint.after_request`: the view's response, if a function that the host gave to
    `after_this_request` has put another one in its place.
    """
    outcome = request.environ.get(OUTCOME)
    if outcome is response or not isinstance(outcome, Response):
        return response
    for name in SEVERAL:
        for value in response.headers.getlist(name):
            outcome.headers.add(name, value)
    return outcome


def keep(response: Response) -> Response:
    """For `Blueprint.after_request`: from here on the answer of a door stays as it is.

    That is: its status, its type, its body unless that is a stream, and the headers `KEPT`.
    """
    if not is_reached():
        return response
    request.environ.pop(OUTCOME, None)
    answer: Response | None = request.environ.get(ANSWER)
    if answer is response:
        return response
    if answer is not None:
        # A hook failed on that answer, and Flask made a 500 of it. The log has the traceback.
        return _stand_in(response, answer)
    request.environ[ANSWER] = response
    if response.status_code < 200:
        return response
    body = b"".join(response.iter_encoded()) if response.is_sequence else None
    names = (*KEPT, *(OF_BODY if body is not None else OF_BODY[:1]))
    headers = {name: response.headers.get(name) for name in names}
    kind: Any = type(response)
    response.__class__ = _joined(_Steady, kind)
    response.kept = _Kept(response.status_code, headers, body)  # type: ignore[attr-defined]
    return response


def recover(error: InternalServerError) -> Any:
    """For `Blueprint.errorhandler`: the answer of the view, or else the host's page for *error*.

    A function that a host gave to `after_this_request` runs before any hook. If it fails, Flask
    runs no hooks; so this function runs those of the door.
    """
    outcome: Any = request.environ.pop(OUTCOME, None)
    if outcome is None or outcome is error.original_exception:
        return _page_of_host(error)
    if isinstance(outcome, Exception):
        outcome = make_response(current_app.handle_user_exception(outcome))
    for hook in reversed(current_app.after_request_funcs.get(request.blueprint, [])):
        outcome = current_app.ensure_sync(hook)(outcome)
    return make_response(outcome)


def _page_of_host(error: InternalServerError) -> Any:
    """What the error handlers of the application make of *error*; found as Flask finds them."""
    for code in (error.code, None):
        handlers = current_app.error_handler_spec[None][code]
        for kind in type(error).__mro__:
            if handler := handlers.get(kind):
                return current_app.ensure_sync(handler)(error)
    return error


def _stand_in(response: Response, answer: Response) -> Response:
    """*response*, changed so that *answer* is sent in its place, with the headers of both."""
    kind: Any = type(response)
    response.__class__ = _joined(_StandIn, kind)
    response.answer = answer  # type: ignore[attr-defined]
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
    """A response that undoes changes by hooks when the web server asks for its headers."""

    kept: _Kept

    def get_data(self, as_text: bool = False) -> Any:
        """See `werkzeug.wrappers.Response`. Hooks read the text, also of a gzipped body."""
        data: bytes = super().get_data()  # type: ignore[misc]
        if data == self.kept.body and self.kept.headers.get("Content-Encoding") == "gzip":
            data = gzip.decompress(data)
        return data.decode() if as_text else data

    @property
    def data(self) -> Any:
        """The same: what Werkzeug has here asks its own `get_data`."""
        return self.get_data()

    @data.setter
    def data(self, value: Any) -> None:
        self.set_data(value)  # type: ignore[attr-defined]

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


class _StandIn:
    """A response that sends the answer of a door, with headers that only it has (cookies)."""

    answer: Response

    def __call__(self, environ: Any, start_response: Any) -> Any:
        response: Any = self
        answer: Response = response.__dict__.pop(
            "answer"
        )  # otherwise a cycle: neither would be freed at once
        for name, value in response.headers.items():
            has = answer.headers.getlist(name)
            is_missing = value not in has if name in SEVERAL else not has
            if is_missing and name not in (*OF_BODY, *ABOUT_BODY):
                answer.headers.add(name, value)
        answer.call_on_close(response.close)
        return answer(environ, start_response)
