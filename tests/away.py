"""The standalone application, in which a question for the history meets what is not there now."""

from __future__ import annotations

from typing import Any

from flask import Flask

import services.desk.port
import services.history.port
import services.instance  # noqa: F401  # with these two, all kinds of `Unavailable` are known
from csapp import create_app
from services.errors import Unavailable
from services.feeds.history import HistoryFeed


def kinds(root: type[Unavailable] = Unavailable) -> dict[str, type[Unavailable]]:
    """*root* and all kinds of it that csapp has, by name."""
    found = {root.__name__: root}
    for one in root.__subclasses__():
        if one.__module__.startswith("services."):
            found |= kinds(one)
    return found


def fail(self: HistoryFeed, frame: Any, me: Any) -> None:
    """`payload.conversation` names what is raised."""
    raise kinds()[frame.payload.conversation]("10.0.0.7 is away")


def standalone() -> Flask:
    """What `LiveServer.gunicorn` starts."""
    HistoryFeed.get_history = fail  # type: ignore[method-assign]
    return create_app()
