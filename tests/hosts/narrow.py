"""A shop that lets the chat give out one token a day: its limits stand."""

from __future__ import annotations

from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from .made import PREFIX, made

app, chat = made("narrow")
chat.init_app(app, PREFIX)
limiter = Limiter(get_remote_address, app=app, storage_uri="memory://")
for blueprint in chat.blueprints:
    if blueprint.name in ("csapp_auth", "csapp_api"):
        limiter.limit("1 per day")(blueprint)
