"""Whether a request has reached a door, or the application has answered it itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response, make_response, request

#: where the WSGI environment says that the answer is ours
REACHED = "csapp.reached"

#: where it has what the view has come to: its answer, or what it has raised
OUTCOME = "csapp.outcome"

#: where it has the list of an examination, which is told what was reached; no client can put it
EXAMINED = "csapp.examined"


def mark_reached() -> None:
    """What answers this request is ours."""
    request.environ[REACHED] = True


def is_reached() -> bool:
    """Whether the answer to this request is ours."""
    return REACHED in request.environ


def is_examined() -> bool:
    """Whether somebody only looks at the way to the door."""
    return EXAMINED in request.environ


def marked(view: Callable[..., Any]) -> Callable[..., Any]:
    """*view*, which says that it was reached; in an examination, only that."""

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
