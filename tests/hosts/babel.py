"""Flask-Babel: the page is in the language that the session says."""

from __future__ import annotations

from flask import session
from flask_babel import Babel

from .made import PREFIX, made

app, chat = made("babel")
chat.init_app(app, PREFIX)
Babel(app, locale_selector=lambda: session.get("language"))


@app.get("/speak/<language>")
def speak(language: str) -> str:
    session["language"] = language
    return language
