"""A client that speaks the protocol in sentences (on websocket-client)."""

from __future__ import annotations

import itertools
import json
import time
from collections import deque
from collections.abc import Iterable
from typing import Any

import websocket

from .server import PATIENCE, LiveServer


class Closed(Exception):
    """The server has closed with *code*; 1006 where it just hung up."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


class Client:
    """One connection at the door of *role*; already greeted with `initialize`."""

    def __init__(self, server: LiveServer, role: str, **options: Any) -> None:
        sslopt = {"context": server.tls} if server.tls else {}
        self.ws = websocket.create_connection(
            f"{server.ws_url}/v1/ws/{role}/connect",
            timeout=PATIENCE,
            sslopt=sslopt,
            suppress_origin=True,
            **options,
        )
        self.server = server
        self.role = role
        self._ids = (f"{role}-{number}" for number in itertools.count(1))
        self._put_back: deque[dict[str, Any]] = deque()
        #: its UUID: the one in the newest `initialize`
        self.uuid = ""
        assert_receives(self, "initialize")

    @classmethod
    def user(cls, server: LiveServer, sub: str, **options: Any) -> Client:
        """A visitor who has shown a token."""
        client = cls(server, "user", **options)
        client.auth(server.token("user", sub))
        return client

    @classmethod
    def waiter(cls, server: LiveServer, sub: str, **options: Any) -> Client:
        """A waiter who has shown a token."""
        client = cls(server, "waiter", **options)
        client.auth(server.token("waiter", sub))
        return client

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.leave()

    # ---- speaking ------------------------------------------------------

    def send(self, data: str | bytes) -> None:
        """Any text at all."""
        self.ws.send(data)

    def say(self, type_: str, payload: Any = None, **fields: Any) -> str:
        """Send a frame; its `id`."""
        frame = {"id": next(self._ids), "type": type_, **fields}
        if payload is not None:
            frame["payload"] = payload
        self.send(json.dumps(frame))
        return str(frame["id"])

    def auth(self, token: str) -> None:
        """Show a token; version 1 gives no answer to a good one."""
        self.say("auth", {"token": token})

    def text(self, message: str, to: str | None = None) -> str:
        """Send a `message_text`; its `id`."""
        fields = {} if to is None else {"to": to}
        return self.say("message_text", {"message": message}, **fields)

    def ready(self) -> None:
        """As a waiter: take users, and return when the server knows."""
        self.say("ready")
        assert_quiet(self)

    # ---- receiving -------------------------------------------------------

    def put_back(self, frames: Iterable[dict[str, Any]]) -> None:
        """`receive` returns *frames* before all else: they were looked at, and not used."""
        self._put_back.extend(frames)

    def receive(self) -> dict[str, Any]:
        """The next frame. Raises `Closed`, and `TimeoutError` where only pings come."""
        if self._put_back:
            return self._put_back.popleft()
        end = time.monotonic() + PATIENCE
        while True:
            if time.monotonic() > end:
                raise TimeoutError(f"no frame for {PATIENCE:g} s")
            try:
                frame = self.ws.recv_frame()  # type: ignore[no-untyped-call]
            except (websocket.WebSocketConnectionClosedException, ConnectionError):
                raise Closed(1006) from None
            if frame.opcode == websocket.ABNF.OPCODE_PING:
                self.ws.pong(frame.data)
            elif frame.opcode == websocket.ABNF.OPCODE_CLOSE:
                code = int.from_bytes(frame.data[:2], "big") if frame.data else 1005
                raise Closed(code, frame.data[2:].decode())
            elif frame.opcode == websocket.ABNF.OPCODE_TEXT:
                message: dict[str, Any] = json.loads(frame.data)
                if message["type"] == "initialize":
                    self.uuid = message["to"]
                return message

    def receive_all(self) -> list[dict[str, Any]]:
        """Everything on its way to this (authenticated) client.

        Found by asking something harmless that must be refused: what comes
        before the refusal was on its way.
        """
        marker = self.say("auth", {"token": "is there anything else?"})
        frames = []
        while (frame := self.receive()).get("reply_id") != marker:
            frames.append(frame)
        return frames

    def closed(self) -> int:
        """Skip frames until the server closes; the code."""
        try:
            while True:
                self.receive()
        except Closed as closed:
            return closed.code

    # ---- going ---------------------------------------------------------

    def leave(self, code: int = 1000) -> None:
        """Close with a close frame."""
        self.ws.close(status=code, timeout=PATIENCE)

    def drop(self) -> None:
        """Lose the connection without a close frame."""
        self.ws.shutdown()  # type: ignore[no-untyped-call]


def assert_receives(client: Client, type_: str, **expected: Any) -> dict[str, Any]:
    """The next frame has this type, and these payload keys and fields; returns it.

    `from_`, `to`, `reply_id` and `id` are fields of the frame, everything else
    is looked for in the payload.
    """
    frame = client.receive()
    assert frame["type"] == type_, f"expected {type_}, got {frame}"
    payload = frame.get("payload") or {}
    for name, value in expected.items():
        if name in ("from_", "to", "reply_id", "id"):
            found = frame.get(name.rstrip("_"))
        else:
            found = payload.get(name)
        assert found == value, f"expected {name}={value!r} in {frame}"
    return frame


def assert_quiet(client: Client) -> None:
    """Nothing is on its way to this client."""
    frames = client.receive_all()
    assert not frames, f"expected nothing, got {frames}"
