"""What the pages share: a strict policy that they themselves keep."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from flask import Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from .intercepted import is_reached
from .steady import Steady, of_host

#: nothing from elsewhere, nothing inline, in no frame of others
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
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
    """The page that *template* makes of *values*, with its own policy instead of the host's."""
    # Whoever writes into pages leaves streams alone; the policy would stop its scripts here.
    made: Response = of_host(Steady, response=iter([render_template(template, **values).encode()]))
    made.mimetype = "text/html"  # whatever `app.response_class` says
    # A policy of the host's that only reports would complain of our pages, which it cannot know.
    made.kept = {**HEADERS, "Content-Security-Policy-Report-Only": None}  # type: ignore[attr-defined]
    return made


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
