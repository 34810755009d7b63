"""A WebSocket client made of bare bytes, for everything a well-behaved one cannot do."""

from __future__ import annotations

import os
import socket
import struct

from testkit.server import PATIENCE, LiveServer

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # for KEY; RFC 6455, section 1.3

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10


def frame(
    payload: bytes = b"",
    opcode: int = TEXT,
    *,
    fin: bool = True,
    rsv: int = 0,
    masked: bool = True,
    length: int | None = None,
) -> bytes:
    """One client frame, right or wrong. *length*: announce another one than is sent."""
    announced = len(payload) if length is None else length
    first = fin << 7 | rsv << 4 | opcode
    bit = masked << 7
    if announced < 126:
        head = struct.pack("!BB", first, bit | announced)
    elif announced < 65_536:
        head = struct.pack("!BBH", first, bit | 126, announced)
    else:
        head = struct.pack("!BBQ", first, bit | 127, announced)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + _masked(payload, mask)


def _masked(payload: bytes, mask: bytes) -> bytes:
    """*payload* with *mask* over it again and again; as one number, since some are large."""
    size = len(payload)
    over = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload) ^ int.from_bytes(over)).to_bytes(size)


def request(path: str, host: str = "127.0.0.1", **changed: str | None) -> bytes:
    """An opening handshake; a header given as None is left out."""
    headers: dict[str, str | None] = {
        "Host": host,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
    }
    headers.update({name.replace("_", "-"): value for name, value in changed.items()})
    lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return "\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode()


class Raw:
    """A TCP connection to *server*, from the address *source*."""

    def __init__(
        self, server: LiveServer, receive_buffer: int = 0, source: str = "127.0.0.1"
    ) -> None:
        self.sock = socket.socket()
        self.sock.bind((source, 0))
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(("127.0.0.1", server.port))
        if server.tls is not None:
            self.sock = server.tls.wrap_socket(self.sock, server_hostname="127.0.0.1")
        self.buffer = bytearray()

    @classmethod
    def open(cls, server: LiveServer, path: str, *, receive_buffer: int = 0) -> Raw:
        """A WebSocket to *path*, upgraded."""
        raw = cls(server, receive_buffer)
        raw.send(request(path))
        head = raw.head()
        assert head.startswith("HTTP/1.1 101 "), head
        assert ACCEPT in head
        return raw

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *error: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def _more(self) -> None:
        try:
            data = self.sock.recv(65_536)
        except ConnectionError:
            data = b""
        if not data:
            raise EOFError
        self.buffer += data

    def _take(self, count: int) -> bytes:
        while len(self.buffer) < count:
            self._more()
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    def head(self) -> str:
        """The head of an HTTP response."""
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        return head.decode()

    def body(self, head: str) -> str:
        """The body that *head* announces."""
        lengths = [line for line in head.lower().splitlines() if line.startswith("content-length:")]
        return self._take(int(lengths[0].partition(":")[2])).decode()

    def receive(self) -> tuple[int, bytes]:
        """Opcode and payload of the next frame. Raises `EOFError`."""
        first, second = self._take(2)
        assert first & 0xF0 == 0x80, f"not a final frame without extensions: {first:#x}"
        assert second < 128, "a server must not mask"
        length = second
        if second == 126:
            length = int.from_bytes(self._take(2), "big")
        elif second == 127:
            length = int.from_bytes(self._take(8), "big")
        return first & 15, self._take(length)

    def close_code(self) -> int:
        """Skip to the close frame: its code; 1005 without one, 1006 when the line just ends."""
        try:
            while True:
                opcode, payload = self.receive()
                if opcode == CLOSE:
                    return int.from_bytes(payload[:2], "big") if payload else 1005
        except EOFError:
            return 1006

    def assert_ends(self) -> None:
        """Nothing more comes: no frame and, above all, no HTTP."""
        rest = bytearray()
        try:
            while True:
                self._more()
        except EOFError:
            rest = self.buffer
        assert rest == b"", rest
