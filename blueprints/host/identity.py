"""Asks the host's callbacks who sends a request, and handles their failures.

A callback fails by a bug, or while the host's database cannot be used. That ends no
conversation: a request for a token is answered with 503, and a page is served without the
mark of its visitor. The log has one line a minute.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from flask import Request, current_app
from werkzeug.exceptions import HTTPException

from services.errors import IdentityError
from services.identity import Identity
from services.seldom import Seldom
from services.wire.codes import HTTPRefusal

from ..extension import Who

log = logging.getLogger("csapp")
_say = Seldom(log)


def ask_host(callback: Callable[[Request], Who] | None, incoming: Request) -> Identity | None:
    """Whom *callback* names for *incoming*; None: nobody. Raises `HTTPRefusal` if it fails."""
    if callback is None:
        return None
    try:
        who = current_app.ensure_sync(callback)(incoming)
    except HTTPException:
        raise  # the host refuses the request itself
    except IdentityError as error:
        raise _failed(callback, str(error)) from None
    except Exception as error:  # its text may quote rows of the host's database: not logged
        log.debug("the host cannot say who somebody is", exc_info=True)
        raise _failed(callback, type(error).__name__) from None
    try:
        return identity_of(who)
    except ValueError as error:
        raise _failed(callback, str(error)) from None
    except Exception as error:  # raised by an object of the host's
        raise _failed(callback, type(error).__name__) from None


def identity_of(who: Any) -> Identity | None:
    """The identity that a host means by *who*; None: nobody. Raises `ValueError` for no id.

    1. An id that is no string (a number, a UUID) is taken as its text.
    2. For a user of Flask-Login the id is its `get_id()`: None if it is not signed in.
    3. False means nobody, as in `user.is_authenticated and user.id`.
    4. Any other object is no id: its text would change, or be the same for many.
    """
    if who is None or isinstance(who, Identity):
        return who
    if callable(get_id := getattr(who, "get_id", None)):
        return identity_of(get_id())
    return None if who is False else Identity(who)


def _failed(callback: Callable[[Request], Who], why: str) -> HTTPRefusal:
    name = getattr(callback, "__name__", "a callback")
    _say(name, logging.ERROR, "%s cannot say who somebody is: %s", name, why)
    what = "the application cannot say who this is just now; try again in a moment"
    return HTTPRefusal.not_now(what)
