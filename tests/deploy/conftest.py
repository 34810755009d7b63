"""A server as the systemd unit starts it, and the proxies in front of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from testkit import LiveServer
from tests.conftest import trusting

from . import fronts
from .published import unit_command

#: `behind("nginx", "unix", CSAPP_GRACE="3")`: the server, and the proxy in front of it
Behind = Callable[..., tuple[LiveServer, LiveServer]]


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory, certificate: Path) -> Iterator[Behind]:
    """Starts the unit's server behind a proxy that reaches it by `unix` socket or by `tcp`."""
    with ExitStack() as stack:

        def start(
            kind: str, line: str = "unix", *, main: dict[str, str] | None = None, **settings: str
        ) -> tuple[LiveServer, LiveServer]:
            runtime, state, proxy = map(tmp_path_factory.mktemp, ("run", "state", "proxy"))
            env = {"CSAPP_TRUSTED_PROXIES": "1", **settings}
            command = [*unit_command(runtime), "-b", "127.0.0.1:{port}"]
            prefix = settings.get("CSAPP_URL_PREFIX", "")
            server = stack.enter_context(LiveServer(command, env, cwd=state, prefix=prefix))
            socket = runtime / "gunicorn.sock"
            tcp = f"127.0.0.1:{server.port}"
            if kind == "nginx":
                target = f"server unix:{socket};" if line == "unix" else f"server {tcp};"
                trust = trusting(certificate)
                front = fronts.nginx(proxy, certificate, trust, target, main, prefix)
            else:
                front = fronts.caddy(proxy, f"unix/{socket}" if line == "unix" else tcp, prefix)
            return server, stack.enter_context(front)

        yield start
