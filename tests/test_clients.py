"""Clients from other hands: `websockets` and Node's `ws` (websocket-client is in the test kit)."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import websockets.sync.client

from testkit import Client, LiveServer, assert_receives
from testkit.server import PATIENCE, ROOT

NODE_CLIENT = Path(__file__).with_name("node_client.js")
NODE_MODULES = ROOT / ".venv" / "node" / "node_modules"


def test_websockets(any_server: LiveServer):
    url = f"{any_server.ws_url}/v1/ws/user/connect"
    with (
        websockets.sync.client.connect(url, ssl=any_server.tls) as user,
        Client.waiter(any_server, "beside-websockets") as waiter,
    ):
        assert not user.protocol.extensions, "it offers permessage-deflate; we must not take it"
        waiter.ready()
        uuid = json.loads(user.recv())["to"]
        token = any_server.token("user", "websockets")
        user.send(json.dumps({"type": "auth", "payload": {"token": token}}))
        user.send(json.dumps({"type": "connect"}))
        assert json.loads(user.recv())["payload"] == {"uuid": waiter.uuid}
        assert_receives(waiter, "new_connection", uuid=uuid)
        # sent in fragments, with a ping between them
        text = json.dumps({"type": "message_text", "payload": {"message": "分段" * 100}})
        user.send(iter([text[:30], text[30:]]))
        assert user.ping().wait(PATIENCE)
        assert_receives(waiter, "message_text", message="分段" * 100)
        waiter.text("hello", to=uuid)
        assert json.loads(user.recv())["payload"] == {"message": "hello"}
        user.close()
        assert user.close_code == 1000
        assert_receives(waiter, "disconnected", from_=uuid)


def test_node_ws(any_server: LiveServer, tmp_path: Path):
    with Client.waiter(any_server, "beside-node") as waiter:
        waiter.ready()
        node = subprocess.Popen(
            ["node", str(NODE_CLIENT), f"{any_server.ws_url}/v1/ws/user/connect"],
            env={
                **os.environ,
                "NODE_PATH": str(NODE_MODULES),
                "NODE_TLS_REJECT_UNAUTHORIZED": "0",
                "NODE_NO_WARNINGS": "1",
                "TOKEN": any_server.token("user", "node"),
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        user = assert_receives(waiter, "new_connection")["payload"]["uuid"]
        assert_receives(waiter, "message_text", message="hello from node", from_=user)
        waiter.text("hello node \U0001f44b", to=user)
        assert_receives(waiter, "disconnected", from_=user)
        out, _ = node.communicate(timeout=30)
        assert node.returncode == 0
        seen = [json.loads(line) for line in out.splitlines()]
        assert [frame["type"] for frame in seen if "type" in frame] == [
            "initialize",
            "connect_success",
            "message_text",
        ]
        assert seen[-2]["payload"] == {"message": "hello node \U0001f44b"}
        assert seen[-1] == {"closed": 1000, "extensions": ""}


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 1_000_000])
def test_echo_of_every_length_form(echo_server: LiveServer, size: int):
    url = f"{echo_server.ws_url}/echo"
    with websockets.sync.client.connect(url, max_size=None) as ws:
        for message in ("x" * size, b"x" * size):
            ws.send(message)
            assert ws.recv() == message
