"""The widget: its script, its files, the tag that puts it into a page, and a page that has it."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, render_template

from ..extension import Extension
from ..kit.assets import send
from ..pages import secured
from .tag import tag

STATIC = Path(__file__).parent / "static"


def blueprint(extension: Extension) -> Blueprint:
    """`GET /widget.js`, `GET /`, and `csapp_widget()` in every template of the application."""
    doors = Blueprint("csapp_widget", __name__, template_folder="templates")
    doors.after_request(secured)
    doors.add_app_template_global(tag(extension), "csapp_widget")

    @doors.get("/widget.js")
    def script() -> Response:
        """The launcher."""
        return send(STATIC, "widget.js")

    @doors.get("/csapp-static/widget/<path:filename>")
    def static(filename: str) -> Response:
        """What the launcher loads, and what belongs to the pages."""
        return send(STATIC, filename)

    @doors.get("/")
    def visitor() -> str:
        """A page with the widget on it."""
        return render_template("csapp/visitor.html")

    return doors
