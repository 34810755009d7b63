"""Set-ups without a fault, to be spoilt."""

from __future__ import annotations

import resource
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.doctor import Finding, Level, Serving, SetUp, examine
from services.history import facts
from services.settings import Settings
from testkit.redis import RedisServer

#: `sick(redis_url="…")`: what is found in a good set-up with these settings, fields or facts
Sick = Callable[..., list[Finding]]

SERVING = Serving(
    workers=1,
    worker_class="gevent",
    binds=["unix:/run/csapp/gunicorn.sock"],
    max_requests=0,
    graceful_timeout=30,
    drains=True,
    patched_first=True,
    blocking=[],
    app_error="",
)


def says(findings: list[Finding], level: Level, words: str) -> Finding:
    """The one finding, which has *words* in it."""
    assert [(one.level, words in one.what) for one in findings] == [(level, True)], findings
    assert findings[0].remedy
    return findings[0]


@pytest.fixture
def good(tmp_path: Path) -> SetUp:
    """One worker on SQLite behind one proxy."""
    secret = secrets.token_hex(32)
    configured = {
        "CSAPP_SECRET_KEY": secret,
        "CSAPP_TRUSTED_PROXIES": 1,
        "CSAPP_DATABASE_URL": f"sqlite:///{tmp_path}/instance/csapp.db",
    }
    settings = Settings.load(configured, tmp_path / "instance")
    return SetUp(
        settings=settings,
        configured=configured,
        environment={"CSAPP_SECRET_KEY": secret, "HOME": "/root"},
        instance=tmp_path / "instance",
        serving=SERVING,
        store=facts.look(settings.database_url),
        redis=None,
        descriptors=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        clock=time.time(),
        mounts=Path("/proc/self/mounts").read_text(),
    )


@pytest.fixture
def sick(good: SetUp) -> Sick:
    """Spoils the good set-up: settings by their names, everything else by its field."""
    names = {one.name for one in Settings.keys().values()}

    def spoilt(**changes: Any) -> list[Finding]:
        settings = {name: value for name, value in changes.items() if name in names}
        fields = {name: value for name, value in changes.items() if name not in names}
        return examine(replace(good, settings=replace(good.settings, **settings), **fields))

    return spoilt


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One that keeps what it is told; who breaks it mends it."""
    with RedisServer(keep=True) as server:
        yield server
