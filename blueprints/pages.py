"""What the pages share: a strict policy that they themselves keep."""

from __future__ import annotations

from flask import Response

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


def secured(response: Response) -> Response:
    """For `Blueprint.after_request`: these headers go on our pages only, never on a host's."""
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"  # who opened it steers nothing
    return response
