"""Whether a request has reached a view of the chat, or the application has answered it itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response, make_response, request

#: key of the WSGI environment: present if a door answers
REACHED = "csapp.reached"

#: key of the WSGI environment: the response of the view, or the exception that it raised
OUTCOME = "csapp.outcome"

#: key of the WSGI environment: a list, to which each reached view adds its path during an
#: examination (`intercepted.examine`). No client can set it, because it is no header.
EXAMINED = "csapp.examined"


def mark_reached() -> None:
    """Note that a door answers this request."""
    request.environ[REACHED] = True


def is_reached() -> bool:
    """Whether a door answers this request, and not the application itself."""
    return REACHED in request.environ


def is_examined() -> bool:
    """Whether this request is part of an examination, in which no view runs."""
    return EXAMINED in request.environ


def marked(view: Callable[..., Any]) -> Callable[..., Any]:
    """*view*, which first notes that it was reached. In an examination that is all (204)."""

    @wraps(view)
    def reached(**values: Any) -> Any:
        if is_examined():
            request.environ[EXAMINED].append(request.path)
            return Response(status=204)
        mark_reached()
        try:
            outcome = make_response(view(**values))
        except Exception as error:
            request.environ[OUTCOME] = error
            raise
        request.environ[OUTCOME] = outcome
        return outcome

    return reached
