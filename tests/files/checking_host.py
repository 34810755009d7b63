"""A host that looks at each file before it is taken."""

from __future__ import annotations

from flask import Flask

from csapp import create_app


def checked(app: Flask) -> Flask:
    """*app* takes no file that says what it must not."""
    chat = app.extensions["csapp"].owner

    @chat.check_file
    def look(incoming) -> str | None:
        with incoming.open() as content:
            text = content.read()
        if b"fault" in text:
            raise RuntimeError("the scanner is gone")
        if b"virus" not in text:
            return None
        who = f"{incoming.role} {incoming.subject} in {incoming.conversation}"
        return f"{incoming.name} ({incoming.mime}, {incoming.size}) of {who} is not for us"

    return app


def threads() -> Flask:
    """What `flask --app` runs."""
    return checked(create_app())


def greenlets() -> Flask:
    """`wsgi:app`, which patches this process."""
    from wsgi import app

    return checked(app)
