"""The same by Flask-SeaSurf, which knows views only."""

from __future__ import annotations

from flask_seasurf import SeaSurf

from .made import PREFIX, made

app, chat = made("seasurf")
SeaSurf(app)
chat.init_app(app, PREFIX)
