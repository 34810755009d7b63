"""The modules that widget and console share in the browser, sent by `assets.send`."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response

from ..door import Door
from ..extension import Extension
from ..pages import secured_where_reached
from .assets import send

STATIC = Path(__file__).parent / "static"


def blueprint(extension: Extension) -> Blueprint:
    """`GET /csapp-static/kit/…`."""
    door = Door("csapp_kit", __name__)
    door.after_request(secured_where_reached)

    @door.get("/csapp-static/kit/<path:filename>")
    def static(filename: str) -> Response:
        """One module."""
        return send(STATIC, filename)

    return door
