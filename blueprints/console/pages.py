"""The waiters' console."""

from __future__ import annotations

from flask import Blueprint, render_template

from ..extension import Extension
from ..pages import secured


def blueprint(extension: Extension) -> Blueprint:
    """`GET /waiter`."""
    doors = Blueprint(
        "csapp_console",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/csapp-static/console",
    )
    doors.after_request(secured)

    @doors.get("/waiter")
    def waiter() -> str:
        """The console: my chats, the line, a conversation, who this is."""
        return render_template(
            "csapp/waiter.html",
            accounts=extension.has_store,
            hosted=extension.callbacks.waiter is not None,
            capacity=extension.server.settings.max_users_per_waiter,
        )

    return doors
