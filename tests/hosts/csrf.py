"""Flask-WTF looks for its token in every form that is sent."""

from __future__ import annotations

from flask_wtf import CSRFProtect

from .made import PREFIX, made

app, chat = made("csrf")
chat.init_app(app, PREFIX)
CSRFProtect(app)  # after the chat, as in a factory that nobody has put in an order
