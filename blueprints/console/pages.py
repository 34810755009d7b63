"""The page of the waiters' console."""

from __future__ import annotations

from flask import Blueprint, Response, current_app

from ..door import Door
from ..extension import Extension
from ..host.extensions import locale
from ..pages import one_address, page, secured_where_reached


def blueprint(extension: Extension) -> Blueprint:
    """`GET /waiter`."""
    door = Door(
        "csapp_console",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/csapp-static/console",
    )
    door.after_request(secured_where_reached)

    @door.get("/waiter", strict_slashes=False)
    @one_address
    def waiter() -> Response:
        """The console."""
        return page(
            "csapp/waiter.html",
            locale=locale(current_app),
            accounts=extension.has_store,
            hosted=extension.callbacks.waiter is not None,
            capacity=extension.server.settings.max_users_per_waiter,
        )

    return door
