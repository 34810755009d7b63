"""What the server may send, to the letter: frames of version 1, one in a WebSocket frame."""

from __future__ import annotations

import json
from typing import Any

from services.desk.port import Role

#: what a frame to a client of each role holds besides `id`, `to` and `type`: from the
#: founding document, typed in here. `?` marks what may be left out.
LETTER: dict[Role, dict[str, tuple[set[str], dict[str, type] | None]]] = {
    Role.USER: {
        "initialize": (set(), None),
        "connect_success": ({"reply_id?"}, {"uuid": str}),
        "connect_queue": ({"reply_id?"}, {"location": int}),
        "disconnected": ({"from"}, None),
        "message_text": ({"from"}, {"message": str}),
        "error": ({"reply_id?"}, {"message": str}),
    },
    Role.WAITER: {
        "initialize": (set(), None),
        "new_connection": (set(), {"uuid": str}),
        "disconnected": ({"from"}, None),
        "message_text": ({"from"}, {"message": str}),
        "error": ({"reply_id?"}, {"message": str}),
    },
}


def unframed(data: bytes) -> list[dict[str, Any]]:
    """The JSON objects in *data*, each in an unmasked text frame with the shortest header."""
    assert type(data) is bytes
    found = []
    while data:
        assert data[0] == 0x81
        if data[1] < 126:
            length, head = data[1], 2
        elif data[1] == 126:
            length, head = int.from_bytes(data[2:4], "big"), 4
            assert length > 125
        else:
            assert data[1] == 127
            length, head = int.from_bytes(data[2:10], "big"), 10
            assert length > 65_535
        assert len(data) >= head + length
        found.append(json.loads(data[head : head + length].decode()))
        assert type(found[-1]) is dict
        data = data[head + length :]
    return found


def check_letter(role: Role, frame: dict[str, Any]) -> None:
    """*frame* is in the founding document's table for *role*, to the letter."""
    fields, payload = LETTER[role][frame["type"]]
    may = {"id", "to", "type"} | {name.rstrip("?") for name in fields}
    must = {"id", "to", "type"} | {name for name in fields if not name.endswith("?")}
    if payload is not None:
        may, must = may | {"payload"}, must | {"payload"}
        assert {name: type(value) for name, value in frame["payload"].items()} == payload, frame
    assert must <= set(frame) <= may, frame
    assert all(type(frame[name]) is str for name in set(frame) - {"payload"}), frame
