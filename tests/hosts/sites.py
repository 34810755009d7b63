"""Each host name has pages of its own here; the chat is at all of them."""

from __future__ import annotations

from .made import PREFIX, made

app, chat = made("sites", host_matching=True, static_host="static.shop.example")
chat.init_app(app, PREFIX)
