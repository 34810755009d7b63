"""The compose file and the image: as far as it goes without Docker."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.desk.facts import look
from services.settings import PREFIX, Settings
from testkit import Client, LiveServer, assert_receives
from testkit.redis import RedisServer
from testkit.server import ROOT

from .published import DEPLOY, of_gunicorn, replaced

#: what a service may say here, and of which type
SERVICE = {
    "build": dict,
    "cap_drop": list,
    "command": list,
    "depends_on": dict,
    "environment": dict,
    "healthcheck": dict,
    "image": str,
    "ports": list,
    "read_only": bool,
    "restart": str,
    "security_opt": list,
    "stop_grace_period": str,
    "tmpfs": list,
    "ulimits": dict,
    "volumes": list,
}
GIVEN = {
    "CSAPP_SITE": "chat.example",
    "CSAPP_SECRET_KEY": "9f2c41d07b6e58a3c90d1e4f9f2c41d0",
    "POSTGRES_PASSWORD": "0a1b2c3d",
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The file with what `.env` gives it."""
    text = (DEPLOY / "compose.yaml").read_text()
    filled = re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: GIVEN[found[1]], text)
    assert "$" not in re.sub(r"^#.*$", "", filled, flags=re.MULTILINE)
    found: dict[str, Any] = yaml.safe_load(filled)
    return found


def test_it_says_nothing_that_compose_does_not_know(compose):
    services = compose["services"]
    assert set(compose) == {"name", "services", "volumes", "x-csapp"}
    for name, service in services.items():
        for key, value in service.items():
            assert isinstance(value, SERVICE[key]), (name, key)
        for key, value in service.get("environment", {}).items():
            assert isinstance(value, str), f"{name}: {key} would not be what it looks like"


def test_what_waits_waits_for_something(compose):
    services = compose["services"]
    for service in services.values():
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert services[other]["healthcheck"]["test"]
            else:
                assert how["condition"] == "service_completed_successfully"
                assert "restart" not in services[other]


def test_volumes_and_files_are_there(compose):
    named = set()
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).is_file()
            else:
                named.add(source)
        if build := service.get("build"):
            assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()
    assert named == set(compose["volumes"])


def test_the_settings_are_those_that_several_workers_need(compose):
    environment = compose["services"]["csapp"]["environment"]
    ours = {key: value for key, value in environment.items() if key.startswith(PREFIX)}
    settings = Settings.load(ours)
    assert settings.redis_url
    assert settings.trusted_proxies == 1
    assert settings.database_url.startswith("postgresql://")
    assert int(environment["WEB_CONCURRENCY"]) > 1
    assert compose["services"]["migrate"]["environment"] == environment


def test_it_waits_for_the_drain_and_allows_the_connections(compose):
    service = compose["services"]["csapp"]
    period = float(service["stop_grace_period"].removesuffix("s"))
    assert period > of_gunicorn("graceful_timeout")
    assert service["ulimits"]["nofile"] == 65_536


def test_redis_takes_these_options_and_keeps_what_it_is_told(compose):
    program, *options = compose["services"]["redis"]["command"]
    assert program == "redis-server"
    names = [option.removeprefix("--") for option in options[::2]]
    with RedisServer() as server:
        for name, value in zip(names, options[1::2], strict=True):
            server.execute("CONFIG", "SET", name, value)
        facts = look(server.url)
    assert (facts.policy, facts.persists, facts.problem) == ("noeviction", True, "")
    assert facts.max_memory


@pytest.fixture
def image(tmp_path: Path) -> Iterator[LiveServer]:
    """Each COPY, and then CMD, with this Python instead of the image's."""
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    for line in lines:
        if line.startswith("COPY "):
            *sources, target = line.split()[1:]
            for source in sources:
                if (ROOT / source).is_dir():
                    ignored = shutil.ignore_patterns("__pycache__")
                    shutil.copytree(ROOT / source, tmp_path / target, ignore=ignored)
                else:
                    shutil.copy(ROOT / source, tmp_path / target)
    program, *args = yaml.safe_load(next(line for line in lines if line.startswith("CMD "))[4:])
    assert program == "gunicorn"
    text = replaced(shlex.join(args), {"0.0.0.0:8000": "127.0.0.1:{port}"})
    command = [sys.executable, "-m", "gunicorn", *shlex.split(text)]
    env = {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    with LiveServer(command, env, cwd=tmp_path) as server:
        yield server


def test_what_the_image_holds_is_enough_to_serve(image):
    with Client.user(image, "u") as user:
        user.say("connect")
        assert_receives(user, "connect_queue")


def test_a_reload_serves_the_code_that_is_there_now(image, tmp_path):
    ops = tmp_path / "blueprints" / "ops.py"
    ops.write_text(replaced(ops.read_text(), {'status="ok"': 'status="newer"'}))
    image.signal(signal.SIGHUP)
    image.wait_for_line("Worker exiting")
    assert json.loads(image.get("/healthz")) == {"status": "newer"}
