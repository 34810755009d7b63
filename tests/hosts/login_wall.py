"""Everybody has to sign in with Flask-Login, whatever they ask for."""

from __future__ import annotations

from flask import Flask, redirect, render_template_string, request, session, url_for
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from werkzeug.wrappers import Response

from csapp import CSApp

from .made import PAGE, PREFIX, made


def walled(name: str, *, lets_the_chat_through: bool) -> tuple[Flask, CSApp]:
    """With the line of `docs/extensions.md`, or without."""
    app, chat = made(name)
    chat.init_app(app, PREFIX)
    manager = LoginManager(app)

    @manager.user_loader
    def load(user_id: str) -> UserMixin:
        user = UserMixin()
        user.id = user_id
        return user

    @app.before_request
    def wall() -> Response | None:
        if lets_the_chat_through and request.blueprint in chat.blueprints:
            return None
        if current_user.is_authenticated or request.endpoint in ("login", "enter"):
            return None
        return redirect(url_for("login", next=request.full_path))

    @app.get("/login")
    def login() -> str:
        return render_template_string(PAGE)

    @app.get("/enter/<name>")
    def enter(name: str) -> str:
        login_user(load(name))
        session["user"] = name
        return name

    @app.get("/leave")
    def leave() -> str:
        who = session.pop("user")
        logout_user()
        chat.revoke(who)
        return ""

    return app, chat


app, chat = walled("login_wall", lets_the_chat_through=True)
closed, _ = walled("closed_login_wall", lets_the_chat_through=False)
