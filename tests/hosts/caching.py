"""Flask-Caching keeps a page with the widget on it, made for whoever came first."""

from __future__ import annotations

from flask import render_template_string
from flask_caching import Cache

from .made import PAGE, PREFIX, made

app, chat = made("caching")
cache = Cache(app, config={"CACHE_TYPE": "SimpleCache"})
chat.init_app(app, PREFIX)


@app.get("/kept")
@cache.cached(timeout=600)
def kept() -> str:
    return render_template_string(PAGE)
