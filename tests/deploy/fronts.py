"""The published proxies in front of a server: real ones, on free ports of the loopback."""

from __future__ import annotations

import os
import re
import shutil
import ssl
from collections.abc import Mapping
from pathlib import Path

from testkit import LiveServer
from testkit.ports import free_port

from .published import DEPLOY, EMBEDDING, block, replaced

NGINX_READY = "start worker process "

SOCKET = "unix:/run/csapp/gunicorn.sock"

#: of this machine, around what is published
NGINX = """\
daemon off;
pid {directory}/pid;
error_log stderr notice;
{user}
{main}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    {site}
}}
"""


def nginx(
    directory: Path,
    certificate: Path,
    trust: ssl.SSLContext,
    upstreams: str,
    main: Mapping[str, str] | None = None,
    prefix: str = "",
) -> LiveServer:
    """nginx before *upstreams* (lines of `server …;`); *main* changes what the page says to set."""
    port, plain = free_port(), free_port()
    site = replaced(
        (DEPLOY / "nginx.conf").read_text(),
        {
            "listen 80;": f"listen 127.0.0.1:{plain};",
            "listen [::]:80;": "",
            "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
            "listen [::]:443 ssl;": "",
            "/etc/letsencrypt/live/chat.example/fullchain.pem": str(certificate),
            "/etc/letsencrypt/live/chat.example/privkey.pem": str(certificate),
            f"server {SOCKET};": upstreams,
        },
    )
    command = _nginx(directory, replaced(block("nginx"), main or {}), site)
    return LiveServer(command, port=port, tls=trust, prefix=prefix, ready=NGINX_READY)


def nginx_of_a_host(directory: Path, server: int, changes: Mapping[str, str]) -> LiveServer:
    """nginx as docs/embedding.md has it, before one process on port *server* that is both."""
    port = free_port()
    locations = block("nginx", EMBEDDING).replace("127.0.0.1:8001", f"127.0.0.1:{server}")
    locations = locations.replace("127.0.0.1:8000", f"127.0.0.1:{server}")
    for old, new in changes.items():
        assert old in locations
        locations = locations.replace(old, new)
    site = f"server {{\nlisten 127.0.0.1:{port};\n{locations}\n}}"
    command = _nginx(directory, "events {}", site)
    return LiveServer(command, port=port, prefix="/support", ready=NGINX_READY)


def _nginx(directory: Path, main: str, site: str) -> list[str]:
    """The command that starts it with this configuration."""
    config = directory / "nginx.conf"
    # the socket is where only this user may go
    user = "user root;" if os.geteuid() == 0 else ""
    config.write_text(NGINX.format(directory=directory, user=user, main=main, site=site))
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") or "nginx"
    return [program, "-p", str(directory), "-c", str(config), "-e", "stderr"]


def caddy(directory: Path, upstreams: str, prefix: str = "") -> LiveServer:
    """Caddy before *upstreams*, without TLS: it would have to be given a certificate."""
    port = free_port()
    env = {
        "CSAPP_SITE": f"http://127.0.0.1:{port}",
        "CSAPP_UPSTREAMS": upstreams,
        "CSAPP_URL_PREFIX": prefix,
        "CADDY_ADMIN": f"127.0.0.1:{free_port()}",
        "HOME": str(directory),
        "XDG_CONFIG_HOME": str(directory),
        "XDG_DATA_HOME": str(directory),
    }
    command = ["caddy", "run", "--config", str(DEPLOY / "Caddyfile"), "--adapter", "caddyfile"]
    return LiveServer(command, env, port=port, prefix=prefix, ready="serving initial configuration")


def directive(name: str) -> float:
    """Seconds of the one nginx directive *name*."""
    found = re.findall(rf"\b{name} (\d+)s;", (DEPLOY / "nginx.conf").read_text())
    assert len(found) == 1, name
    return float(found[0])
