"""What the widget and the console share in the browser: modules, given out as `assets` says."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response

from ..extension import Extension
from ..pages import secured
from .assets import send

STATIC = Path(__file__).parent / "static"


def blueprint(extension: Extension) -> Blueprint:
    """`GET /csapp-static/kit/…`."""
    doors = Blueprint("csapp_kit", __name__)
    doors.after_request(secured)

    @doors.get("/csapp-static/kit/<path:filename>")
    def static(filename: str) -> Response:
        """One module."""
        return send(STATIC, filename)

    return doors
