"""Sentry watches all that the application raises; an event is a line of the log."""

from __future__ import annotations

import gc

import sentry_sdk
from sentry_sdk.integrations.flask import FlaskIntegration
from sentry_sdk.types import Event, Hint
from werkzeug.debug import DebuggedApplication

from .made import PREFIX, made


def _told(event: Event, _hint: Hint) -> None:
    values = event.get("exception", {}).get("values", [{}])
    print(f"sentry event: {values[-1].get('type') or event.get('logentry')}", flush=True)


sentry_sdk.init(
    dsn="http://key@127.0.0.1:9/1",  # nothing is sent there
    integrations=[FlaskIntegration()],
    traces_sample_rate=1.0,
    before_send=_told,
    before_send_transaction=lambda event, hint: None,
    auto_session_tracking=False,
)

app, chat = made("sentry")
chat.init_app(app, PREFIX)


@app.get(f"{PREFIX}/fails")
def fails() -> str:
    raise LookupError("the shop's own")


@app.get(f"{PREFIX}/kept")
def kept() -> str:
    """How many frames of failures the debugger keeps, if there is one."""
    debuggers = [one for one in gc.get_objects() if isinstance(one, DebuggedApplication)]
    return str(sum(len(one.frames) for one in debuggers))
