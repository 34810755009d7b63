"""The host's own: its pages."""

from flask import Flask

from .pages import pages


def register(app: Flask) -> None:
    """Of the same name as a function of csapp, and with other parameters."""
    app.register_blueprint(pages)
