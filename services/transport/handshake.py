"""The opening handshake, checked before anything is answered (RFC 6455, section 4.2).

simple-websocket hands whatever it is given to its state machine, which raises:
a bad handshake ends in HTTP 500. Here it ends in 400 or 426 with a reason, and
no extension is ever negotiated: permessage-deflate costs 100 KiB a connection
and lets anybody send bombs.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from typing import Any

from ..runtime import WOULD_BLOCK
from ..wire.codes import ErrorCode, HTTPRefusal

#: where the WSGI environment of a request that was checked has the bytes that accept it
ACCEPTING = "csapp.accepting"

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_NAME = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_PARAMETER = rf"\s*;\s*{_NAME}(?:\s*=\s*(?:{_NAME}|\"{_NAME}\"))?"
#: a name, an IPv4 or a bracketed IPv6 address, and perhaps a port (RFC 9110, section 7.2)
_HOST = re.compile(r"(?:[\w.~%!$&'()*+;=-]+|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?")
_EXTENSIONS = re.compile(rf"\s*{_NAME}(?:{_PARAMETER})*(?:\s*,\s*{_NAME}(?:{_PARAMETER})*)*\s*")


def check(environ: Mapping[str, Any]) -> bytes:
    """The bytes that accept this WSGI request as a WebSocket. Raises `HTTPRefusal`."""
    if environ.get("REQUEST_METHOD") != "GET":
        raise _refusal(400, "a WebSocket opens with GET")
    if environ.get("SERVER_PROTOCOL") != "HTTP/1.1":
        raise _refusal(400, "a WebSocket opens over HTTP/1.1")
    if "websocket" not in _tokens(environ, "HTTP_UPGRADE"):
        raise _refusal(426, "this address speaks WebSocket", {"Upgrade": "websocket"})
    if "upgrade" not in _tokens(environ, "HTTP_CONNECTION"):
        raise _refusal(400, "the header Connection must name Upgrade")
    if not _HOST.fullmatch(environ.get("HTTP_HOST", "")):
        raise _refusal(400, "the header Host is missing or cannot be read")
    if environ.get("HTTP_SEC_WEBSOCKET_VERSION") != "13":
        version = {"Sec-WebSocket-Version": "13"}
        raise _refusal(426, "the header Sec-WebSocket-Version must be 13", version)
    extensions = environ.get("HTTP_SEC_WEBSOCKET_EXTENSIONS")
    if extensions and not _EXTENSIONS.fullmatch(extensions):
        raise _refusal(400, "the header Sec-WebSocket-Extensions cannot be read")
    return _accept(_key(environ.get("HTTP_SEC_WEBSOCKET_KEY", "")))


def _refusal(status: int, what: str, headers: Mapping[str, str] | None = None) -> HTTPRefusal:
    return HTTPRefusal(status, ErrorCode.INVALID_MESSAGE, what, headers)


def _tokens(environ: Mapping[str, Any], header: str) -> list[str]:
    return [token.strip().lower() for token in environ.get(header, "").split(",")]


def _key(value: str) -> bytes:
    key = value.strip().encode("latin-1")
    try:
        valid = len(base64.b64decode(key, validate=True)) == 16
    except binascii.Error:
        valid = False
    if not valid:
        raise _refusal(400, "the header Sec-WebSocket-Key must be 16 bytes in base64")
    return key


def _accept(key: bytes) -> bytes:
    digest = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + digest + b"\r\n\r\n"
    )


def early_bytes(environ: Mapping[str, Any]) -> bytes:
    """What the client sent right behind its handshake and the web server has read already.

    simple-websocket reads the bare socket, so these bytes would be lost. Each
    server keeps them in a place of its own. The socket must not block by now.
    """
    body = environ.get("wsgi.input")
    unreader = getattr(getattr(body, "reader", None), "unreader", None)
    if unreader is not None:  # gunicorn
        return _buffered(unreader)
    buffered: Any = getattr(body, "rfile", body)  # gevent.pywsgi wraps it, Werkzeug does not
    if not hasattr(buffered, "peek"):
        return b""
    try:
        waiting = buffered.peek() or b""
    except WOULD_BLOCK:  # TLS says so, where a plain socket has nothing
        return b""
    return bytes(buffered.read(len(waiting))) if waiting else b""


def _buffered(unreader: Any) -> bytes:
    """What gunicorn's reader holds; its older versions have no method for it."""
    if hasattr(unreader, "take_buffered"):
        return bytes(unreader.take_buffered())
    held = bytes(unreader.buf.getvalue())
    unreader.buf = type(unreader.buf)()
    return held
