"""Flask-Limiter with the limits of its README, of which a page with its scripts takes many."""

from __future__ import annotations

from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from .made import PREFIX, made

DEFAULTS = ["200 per day", "50 per hour"]

app, chat = made("limiter")
chat.init_app(app, PREFIX)
Limiter(get_remote_address, app=app, default_limits=DEFAULTS, storage_uri="memory://")
