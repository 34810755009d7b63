"""Who somebody is: what the host's callbacks say, and what follows where they fail.

A bug in a callback, or a host's database that is away, ends no chat: whoever asks
for a token is told to ask again, and a page is served without the mark of its
visitor. The log has one line a minute.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from flask import Request, current_app
from werkzeug.exceptions import HTTPException

from services.identity import Identity, NoIdentity
from services.seldom import Seldom
from services.wire.codes import HTTPRefusal

from ..extension import Who

log = logging.getLogger("csapp")
_say = Seldom(log)


def ask_host(callback: Callable[[Request], Who] | None, asked: Request) -> Identity | None:
    """Whom *callback* sees in *asked*; None: nobody. Raises `HTTPRefusal` where it fails."""
    if callback is None:
        return None
    try:
        who = current_app.ensure_sync(callback)(asked)
    except HTTPException:
        raise  # the host answers by itself
    except NoIdentity as error:
        raise _failed(callback, str(error)) from None
    except Exception as error:  # not its words: they may quote rows of the host's database
        log.debug("the host cannot say who somebody is", exc_info=True)
        raise _failed(callback, type(error).__name__) from None
    try:
        return identity_of(who)
    except ValueError as error:
        raise _failed(callback, str(error)) from None
    except Exception as error:  # of the host's own objects
        raise _failed(callback, type(error).__name__) from None


def identity_of(who: Any) -> Identity | None:
    """Whom a host means by *who*; None: nobody. Raises `ValueError` for what is no id.

    1. An id that is no string (a number, a UUID) is taken as its text.
    2. A user of Flask-Login is its `get_id()`; one who is not signed in has none.
    3. False is nobody: `user.is_authenticated and user.id`.
    4. The text of anything else would be an id that many share, or that changes.
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
