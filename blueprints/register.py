"""Adds the doors and commands of the chat to an application."""

from __future__ import annotations

from flask import Flask

from . import (
    api,
    auth,
    canned,
    files,
    ops,
    refusals,
    request_limits,
    search,
    sockets,
)
from .cli import chat
from .console import pages as console
from .extension import Extension
from .host import extensions, intercepted, unchanged
from .kit import pages as kit
from .widget import pages as widget

DOORS = (sockets, auth, api, canned, search, files, ops, kit, widget, console)


def register(app: Flask, extension: Extension, url_prefix: str) -> None:
    """Add all doors to *app* under *url_prefix* (empty: the root), and the command group."""
    extension.doors = tuple(door.blueprint(extension) for door in DOORS)
    unchanged.attach(app)
    extensions.attach(extension.doors)
    for blueprint in extension.doors:
        refusals.attach(blueprint, extension.server)
    intercepted.attach(extension.doors)
    for blueprint in extension.doors:
        if blueprint.name != "csapp_sockets":  # a WebSocket stays open for hours
            request_limits.attach(blueprint, extension.server)
        blueprint.after_request(unchanged.take_ours)  # the hook that is registered last runs first
        app.register_blueprint(blueprint, url_prefix=url_prefix or None)
    app.cli.add_command(chat)
