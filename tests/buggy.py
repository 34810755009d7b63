"""The standalone application with a bug planted in a handler of its session."""

from __future__ import annotations

from typing import Any

from csapp import create_app
from services.session import Session


def broken(self: Session, *anything: Any) -> None:
    raise RuntimeError("planted in a handler")


Session._authenticate = broken  # type: ignore[method-assign,assignment]
app = create_app()
