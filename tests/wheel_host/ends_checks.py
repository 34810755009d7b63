"""Whether csapp works with what is installed beside it, run by `tests/test_ends.py`."""

from __future__ import annotations

import os
from pathlib import Path

from csapp.testkit import LiveServer, assert_receives
from csapp.testkit.postgres import Postgres
from csapp.testkit.redis import RedisServer
from csapp.testkit.server import SECRET
from talks import chat, send_files, talk

pytest_plugins = ["csapp.testkit.plugin"]


def assert_works(settings: dict[str, str]) -> None:
    """The host's application starts, and both sides can say something and send files."""
    chat(settings, "migrate")
    with LiveServer.gunicorn("wsgi:app", settings, prefix="/support") as server:
        assert '"ready"' in server.get("/readyz")
        assert "csapp_history_available 1" in server.get("/metrics")
        talk(server)
        send_files(server)
        assert "Traceback" not in server.log, server.log


def test_in_one_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/chat.db"
    assert_works({"CSAPP_SECRET_KEY": SECRET, "CSAPP_DATABASE_URL": url})


def test_with_postgresql_and_redis() -> None:
    with Postgres() as postgres, RedisServer() as redis:
        where = {"CSAPP_DATABASE_URL": postgres.database(), "CSAPP_REDIS_URL": redis.url}
        where["CSAPP_FILES_URL"] = os.environ["BUCKET"]
        assert_works({"CSAPP_SECRET_KEY": SECRET, **where})


def test_the_kits_own_fixtures(join) -> None:
    user = join("user", "ann")
    user.say("connect")
    assert_receives(user, "connect_queue")
