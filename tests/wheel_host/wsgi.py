"""Somebody's application, which has csapp from its wheel; copied away from here and run there.

`services/`, `blueprints/` and this file are called like those of csapp.
"""

import os
import sys

#: of csapp, before this application asks for it: all workers to come would have the same
INHERITED = sorted(name for name in sys.modules if name.partition(".")[0] == "csapp")

from flask import Flask, Request  # noqa: E402

from blueprints import register  # noqa: E402
from csapp import CSApp, Identity  # noqa: E402
from services.identity import STAFF  # noqa: E402

app = Flask(__name__)
app.config.update((key, value) for key, value in os.environ.items() if key.startswith("CSAPP_"))
chat = CSApp(app, url_prefix="/support")
register(app)


@chat.identify_waiter
def waiter(request: Request) -> Identity | None:
    name = request.headers.get("X-Staff", "")
    return Identity(name, STAFF[name]) if name in STAFF else None


@app.get("/inherited")
def inherited() -> list[str]:
    return INHERITED
