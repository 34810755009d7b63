"""What the pages share: a strict policy that they themselves keep."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from flask import Response, current_app, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from .answers import rendered
from .host.reached import is_reached

#: nothing inline, in no frame of others, and nothing from elsewhere but pictures of people
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' https:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",  # who opened it steers nothing
}


def page(template: str, **values: object) -> Response:
    """The page that *template* makes of *values*."""
    # Whoever writes into pages leaves streams alone; the policy would stop its scripts here.
    body = iter([rendered(template, **values).encode()])
    return current_app.response_class(body, mimetype="text/html")


def one_address(view: Callable[[], Response]) -> Callable[[], BaseResponse]:
    """Decorator: with a slash too many or too few, who asks is led to the address of *view*.

    An application may leave such slashes open (`url_map.strict_slashes`). What a page asks
    for goes by the page's own address, and browsers keep things by it.
    """

    @wraps(view)
    def view_or_redirect() -> BaseResponse:
        rule, query = request.url_rule, request.query_string.decode("latin-1")
        if rule is None or request.path == rule.rule:
            return view()
        where = url_for(rule.endpoint)
        return redirect(f"{where}?{query}" if query else where, 308)

    return view_or_redirect


def secured(response: Response) -> Response:
    """For `Blueprint.after_request`: these headers go on our pages only, never on a host's."""
    response.headers.update(HEADERS)
    return response


def secured_where_reached(response: Response) -> Response:
    """The same for a door in whose place the host may have answered."""
    return secured(response) if is_reached() else response
