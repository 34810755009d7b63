"""What the pages share: their headers, among them a strict Content-Security-Policy."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from flask import Response, current_app, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from .answers import rendered
from .host.reached import is_reached

#: nothing inline, no framing by other sites, and from other sites only avatars
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
    "Cross-Origin-Opener-Policy": "same-origin",  # a page that opened ours cannot control it
}


def page(template: str, **values: object) -> Response:
    """The page that *template* makes of *values*."""
    # Extensions that insert scripts into pages skip streams; the policy would block the scripts.
    body = iter([rendered(template, **values).encode()])
    return current_app.response_class(body, mimetype="text/html")


def one_address(view: Callable[[], Response]) -> Callable[[], BaseResponse]:
    """Decorator: a request with a slash too many or too few is redirected to the view's address.

    An application may accept both (`url_map.strict_slashes`). But a page's relative addresses
    depend on its own, and browsers store data by it.
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
    """For `Blueprint.after_request`: set these headers, on our pages only."""
    response.headers.update(HEADERS)
    return response


def secured_where_reached(response: Response) -> Response:
    """`secured`, but leave an answer alone that the host has given in the place of the view."""
    return secured(response) if is_reached() else response
