"""Flask-DebugToolbar writes itself into pages, and shows redirects instead of following them."""

from __future__ import annotations

from flask_debugtoolbar import DebugToolbarExtension

from .made import PREFIX, made

app, chat = made("toolbar")
app.debug = True
DebugToolbarExtension(app)
chat.init_app(app, PREFIX)
