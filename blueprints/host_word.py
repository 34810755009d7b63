"""Who somebody is: what the host's callbacks say, and what follows where they fail.

A bug in a callback, or a host's database that is away, ends no chat: whoever asks
for a token is told to ask again, and a page is served without the mark of its
visitor. The log has one line a minute.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from flask import Request
from werkzeug.exceptions import HTTPException

from services.identity import Identity
from services.seldom import Seldom
from services.server import RETRY
from services.wire.codes import ErrorCode

from .denial import Denied
from .extension import Who

log = logging.getLogger("csapp")
_say = Seldom(log)


def ask_host(callback: Callable[[Request], Who] | None, asked: Request) -> Identity | None:
    """Whom *callback* sees in *asked*; None: nobody. Raises `Denied` where it cannot be told.

    A subject that is no string is taken as its text, `str(subject)`.
    """
    if callback is None:
        return None
    try:
        who = callback(asked)
    except HTTPException:
        raise  # the host answers by itself
    except Exception as error:  # not its words: they may quote rows of the host's database
        log.debug("the host cannot say who somebody is", exc_info=True)
        raise _failed(callback, type(error).__name__) from None
    try:
        return who if who is None or isinstance(who, Identity) else Identity(str(who))
    except ValueError as error:
        raise _failed(callback, str(error)) from None


def _failed(callback: Callable[[Request], Who], why: str) -> Denied:
    name = getattr(callback, "__name__", "a callback")
    _say(name, logging.ERROR, "%s cannot say who somebody is: %s", name, why)
    what = "the application cannot say who this is just now; try again in a moment"
    return Denied(503, ErrorCode.UNAVAILABLE, what, RETRY)
