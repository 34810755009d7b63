"""Asking a server again and again, as balancers and clients do, and waiting for what it sends."""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
import urllib.error
from collections.abc import Callable
from typing import Any, TypeVar

import websocket

from testkit import Client, LiveServer
from testkit.server import PATIENCE

T = TypeVar("T")
Frame = dict[str, Any]

PAUSE = 0.05  # s between two questions: what is asked has work to do


def until(answer: Callable[[], T], failure: Callable[[], str] = str) -> T:
    """The first *answer* that is true. Fails after a long while; *failure* says of what."""
    end = time.monotonic() + PATIENCE
    while not (found := answer()):
        assert time.monotonic() < end, failure()
        threading.Event().wait(PAUSE)
    return found


def next_frame(client: Client, type_: str, **fields: Any) -> Frame:
    """The next frame of *type_* with these fields, `payload_…` of its payload; skips others."""
    while True:
        frame = client.receive()
        payload = frame.get("payload")
        named = payload.items() if isinstance(payload, dict) else ()
        found = {**frame, **{f"payload_{k}": v for k, v in named}}
        if frame["type"] == type_ and all(found.get(k) == v for k, v in fields.items()):
            return frame


def readiness(server: LiveServer) -> tuple[int, str]:
    """The status of `/readyz`, and its reason."""
    try:
        server.get("/readyz")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read()).get("reason", "")
    return 200, ""


def outbox_bytes(server: LiveServer) -> int:
    """`csapp_outbox_bytes`: what waits for slow readers, or for the history."""
    found = re.search(r"^csapp_outbox_bytes (\S+)$", server.get("/metrics"), re.MULTILINE)
    assert found is not None
    return int(float(found[1]))


def assert_ready_soon(server: LiveServer) -> None:
    """`/readyz` says 200 before a test's patience ends."""
    until(lambda: readiness(server)[0] == 200, lambda: server.log)


def sign_in(client: Client, server: LiveServer, role: str, sub: str, version: int) -> None:
    """Show a token for *sub*; returns when the server has handled it."""
    token = {"token": server.token(role, sub, sub.title())}
    client.say("auth", token if version == 1 else token | {"version": version})
    if version > 1:
        next_frame(client, "auth_success")
    else:
        marker = client.say("auth", {"token": "marker"})
        next_frame(client, "error", reply_id=marker)


def come_back(server: LiveServer, role: str) -> Client:
    """What every client does after 1012: it tries again while the answer is 503."""

    def connect() -> Client | None:
        with contextlib.suppress(ConnectionError):
            try:
                return Client(server, role)
            except websocket.WebSocketBadStatusException as refused:
                if refused.status_code != 503:
                    raise
        return None

    client = until(connect, lambda: server.log)
    assert client is not None
    return client
