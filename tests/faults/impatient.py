"""The standalone application with a heartbeat of a second, of which half is left for the answer."""

from __future__ import annotations

from services.transport import connection
from wsgi import app  # noqa: F401

connection.ANSWER = 1.0  # s; half a second goes to the wheel
