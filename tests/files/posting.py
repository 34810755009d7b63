"""Uploading and reading files over HTTP, as a client does."""

from __future__ import annotations

import http.client
import json
import struct
import zlib
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from testkit import LiveServer
from testkit.server import PATIENCE

BOUNDARY = "csapp-test-boundary"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"


class Answer(NamedTuple):
    """What a server has answered."""

    status: int
    headers: http.client.HTTPMessage
    data: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.data)


def ask(
    server: LiveServer, method: str, path: str, body: bytes | None = None, token: str = "",
    **headers: str,
) -> Answer:  # fmt: skip
    """One request; header names are given with `_` for `-`."""
    there = _connection(server)
    try:
        if token:
            headers["Authorization"] = f"Bearer {token}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        there.request(method, f"{urlsplit(server.url).path}{path}", body, named)
        response = there.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        there.close()


def _connection(server: LiveServer) -> http.client.HTTPConnection:
    where = "127.0.0.1", server.port
    if server.tls is None:
        return http.client.HTTPConnection(*where, timeout=PATIENCE)
    return http.client.HTTPSConnection(*where, timeout=PATIENCE, context=server.tls)


def form(content: bytes, name: str = "cat.png", **fields: Any) -> bytes:
    """A form with *fields* and a file."""
    parts = [_part(f'name="{key}"', str(value).encode()) for key, value in fields.items()]
    file = _part(f'name="file"; filename="{name}"', content)
    return b"".join([*parts, file, f"--{BOUNDARY}--\r\n".encode()])


def _part(named: str, value: bytes) -> bytes:
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; {named}\r\n\r\n"
    return head.encode() + value + b"\r\n"


def post(
    server: LiveServer, token: str, content: bytes, name: str = "cat.png", **fields: Any
) -> Answer:
    """Upload *content*."""
    body = form(content, name, **fields)
    return ask(server, "POST", "/v1/files", body, token, Content_Type=TYPE)


def uploaded(server: LiveServer, token: str, conversation: str, content: bytes, name: str) -> str:
    """The id of the file that *content* is now."""
    answer = post(server, token, content, name, conversation=conversation)
    assert answer.status == 201, answer
    file: str = answer.json["file"]
    return file


def links(server: LiveServer, token: str, *files: str) -> dict[str, dict[str, str]]:
    """Links to those of *files* that one may read."""
    body = json.dumps({"files": files}).encode()
    answer = ask(server, "POST", "/v1/files/links", body, token)
    assert answer.status == 200, answer
    found: dict[str, dict[str, str]] = answer.json["links"]
    return found


def png(width: int = 2, height: int = 2, *chunks: tuple[bytes, bytes]) -> bytes:
    """A small picture, with further chunks before its pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress((b"\0" + b"\x80\x20\xc0" * width) * height)
    every = [(b"IHDR", head), *chunks, (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*one) for one in every)


def _chunk(name: bytes, data: bytes) -> bytes:
    check = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)
