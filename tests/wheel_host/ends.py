"""Whether csapp works with what is installed beside it, run by `tests/test_ends.py`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from csapp.testkit import Client, LiveServer, assert_receives
from csapp.testkit.postgres import Postgres
from csapp.testkit.redis import RedisServer
from csapp.testkit.server import SECRET


def migrate(url: str) -> None:
    """As an operator does it."""
    env = {**os.environ, "CSAPP_SECRET_KEY": SECRET, "CSAPP_DATABASE_URL": url}
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "chat", "migrate"]
    subprocess.run(command, env=env, check=True)


def talk(**settings: str) -> None:
    """Start the host's application, and let both sides say something."""
    with LiveServer.gunicorn("wsgi:app", settings, prefix="/support") as server:
        assert '"ready"' in server.get("/readyz")
        assert "csapp_history_available 1" in server.get("/metrics")
        with Client.waiter(server, "ada") as ada, Client.user(server, "ann") as ann:
            ada.ready()
            ann.say("connect")
            assert_receives(ann, "connect_success", uuid=ada.uuid)
            assert_receives(ada, "new_connection", uuid=ann.uuid)
            ann.text("hello")
            assert_receives(ada, "message_text", message="hello", from_=ann.uuid)
            ada.text("good morning", to=ann.uuid)
            assert_receives(ann, "message_text", message="good morning")
        assert "Traceback" not in server.log, server.log


with tempfile.TemporaryDirectory() as folder:
    url = f"sqlite:///{folder}/chat.db"
    migrate(url)
    talk(CSAPP_DATABASE_URL=url)
with Postgres() as postgres, RedisServer() as redis:
    url = postgres.database()
    migrate(url)
    talk(CSAPP_DATABASE_URL=url, CSAPP_REDIS_URL=redis.url)
