"""The visitor's try-out page."""

from __future__ import annotations

from flask import Blueprint, render_template

from ..extension import Extension
from ..pages import secured


def blueprint(extension: Extension) -> Blueprint:
    """`GET /`."""
    doors = Blueprint(
        "csapp_widget",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/csapp-static/widget",
    )
    doors.after_request(secured)

    @doors.get("/")
    def tryout() -> str:
        """A visitor's side of a chat."""
        return render_template("csapp/tryout.html")

    return doors
