"""What the applications of this folder share: a page, a session, and the chat."""

from __future__ import annotations

from flask import Flask, Request, render_template_string, session

from csapp import CSApp, Identity
from testkit.server import SECRET

PREFIX = "/support"

PAGE = """<!doctype html>
<html{% if lang %} lang="{{ lang }}"{% endif %}>
  <head><meta charset="utf-8"><title>A shop</title><link rel="icon" href="data:,"></head>
  <body><h1>A shop</h1>{{ csapp_widget() }}</body>
</html>
"""


def made(name: str, **options: object) -> tuple[Flask, CSApp]:
    """An application with a page that has the widget on it, and its chat, not yet hung in."""
    app = Flask(f"{__package__}.{name}", **options)  # type: ignore[arg-type]
    app.secret_key = "the shop's own key"
    app.config.update(CSAPP_SECRET_KEY=SECRET, CSAPP_DATABASE_URL="off")
    chat = CSApp()

    @chat.identify_visitor
    def visitor(request: Request) -> Identity | None:
        return Identity(session["user"], session["user"].title()) if "user" in session else None

    @chat.identify_waiter
    def waiter(request: Request) -> Identity | None:
        return Identity(session["user"]) if session.get("user") == "ada" else None

    @app.get("/")
    def page() -> str:
        return render_template_string(PAGE)

    @app.get("/sign-in/<name>")
    def sign_in(name: str) -> str:
        session["user"] = name
        return page()

    return app, chat
