"""Which doors an application gets."""

from __future__ import annotations

from flask import Flask

from . import (
    accounts,
    api,
    auth,
    backup,
    canned,
    care,
    doctor,
    erase,
    intercepted,
    ops,
    other_extensions,
    refusals,
    search,
    sockets,
    steady,
    visits,
)
from .console import pages as console
from .demo import command as demo
from .extension import Extension
from .kit import pages as kit
from .widget import pages as widget

DOORS = (sockets, auth, api, canned, search, ops, kit, widget, console)


def register(app: Flask, extension: Extension, url_prefix: str) -> None:
    """Hang all doors into *app* under *url_prefix* (empty: the root)."""
    extension.doors = tuple(door.blueprint(extension) for door in DOORS)
    steady.hang(app)
    other_extensions.hang(extension.doors)
    for blueprint in extension.doors:
        refusals.attach(blueprint, extension.server)
    intercepted.hang(extension.doors)
    for blueprint in extension.doors:
        if blueprint.name != "csapp_sockets":  # a conversation lasts for hours
            visits.hang(blueprint, extension.server)
        blueprint.after_request(steady.take_ours)  # what is hung last is done first
        app.register_blueprint(blueprint, url_prefix=url_prefix or None)
    # One group, made in commands.py; the other modules add to it.
    for commands in (accounts, backup, care, demo, doctor, erase):
        app.cli.add_command(commands.chat)
