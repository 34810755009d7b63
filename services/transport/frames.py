"""WebSocket frames out of bytes (RFC 6455, section 5), in two lanes.

Rules of this file:

1. The **fast lane** takes a frame only when it is whole, final, masked,
   unfragmented text, within the limit, and no fragmented message is open. It
   is parsed in place. A whole pong between messages is read here as well: ten
   thousand idle connections send four hundred a second.
2. **Everything else** goes, byte for byte, through the library's own state
   machine (wsproto): control frames, fragments, binary, errors, frames that
   arrive in pieces too large to wait for. One frame at a time, so that the two
   lanes meet only at frame boundaries.
3. Nothing is buffered beyond the limit: an announced length is judged before
   its bytes are taken.

Theory: at a boundary both lanes are in the same state but for "a fragmented
message is open", which only the slow lane can open and close. So the fast lane
may run exactly while no slow message is open, and the slow machine can be
thrown away then: an idle connection keeps none.
"""

from __future__ import annotations

import codecs
import os
import struct
from collections.abc import Mapping

from wsproto.connection import Connection as Machine
from wsproto.connection import ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.frame_protocol import FrameProtocol

from ..wire.codes import CloseCode

try:
    from websockets.speedups import apply_mask  # C
except ImportError:  # a platform without a wheel: correct, and ten times slower
    from websockets.utils import apply_mask

TEXT = 0x81  # final, no reserved bit, opcode 1
PONG = 0x8A  # final, no reserved bit, opcode 10
MASKED = 0x80
SHORT = TEXT << 8 | MASKED  # the first word of a masked text frame, but for its length
CONTROL = 0x08

#: bytes of an incomplete frame kept whole in the hope of the fast lane; a longer
#: one is streamed, so that a sender of single bytes costs no quadratic copying
PATIENCE = 4096

#: a message in more fragments than this, of less than TINY bytes on average, is an attack
MANY_FRAGMENTS = 1024
TINY = 16  # bytes

#: fragments of one message from which on it is read in smaller pieces
PIECES = 16


class Binary(bytes):
    """A binary message; text messages are plain `bytes` of valid UTF-8."""


_two_words = struct.Struct(">HH").unpack_from

Control = Ping | Pong | CloseConnection


class Failed:
    """The peer broke the protocol: close with *code*. Nothing after it is read."""

    __slots__ = ("code", "reason")

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason


class FrameReader:
    """Feed it bytes; it gives messages, and collects control frames in `controls`.

    Does no I/O. *most* is the limit of one message in bytes; *binary* admits
    binary messages, which are refused with 1003 otherwise.
    """

    __slots__ = (
        "_binary",
        "_closed",
        "_fragments",
        "_left",
        "_machine",
        "_most",
        "_open",
        "_parts",
        "_size",
        "_tail",
        "controls",
        "failed",
        "piecemeal",
    )

    def __init__(self, most: int, binary: bool = False) -> None:
        self._most = most
        self._binary = binary
        self._tail = b""  # an incomplete frame, from its first byte
        self._machine: Machine | None = None
        self._left = 0  # bytes of the frame in the slow lane that are still to come
        self._open = False  # a fragmented message is open
        self._parts: list[str | bytes | bytearray] = []
        self._size = 0  # bytes announced for the open message
        self._fragments = 0
        #: a message is coming in many fragments: read less at once, for the others' sake
        self.piecemeal = False
        self._closed = False  # the peer's close frame came: nothing after it counts
        #: control frames in their order, for the connection to take out and answer
        self.controls: list[Control] = []
        #: set once the stream is beyond repair
        self.failed: Failed | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """All messages that *data* completes, in order."""
        if self.failed is not None or self._closed:
            return []
        if self._tail:
            data = self._tail + data
            self._tail = b""
        out: list[bytes] = []
        sound = 0  # so many of them are known to be UTF-8
        position, end, most = 0, len(data), self._most
        last = end - 8  # where a header of the two shorter forms may begin
        fast = not (self._left or self._open)
        while position < end:
            while fast and position <= last:
                kind, wide = _two_words(data, position)
                length = kind - SHORT
                start = position + 6
                if length == 126 and wide > 125:
                    length = wide
                    start += 2
                elif not 0 <= length < 126:
                    break
                stop = start + length
                if stop > end or length > most:
                    break
                out.append(apply_mask(data[start:stop], data[start - 4 : start]))
                position = stop
            if position == end and len(out) == 1 and out[0].isascii():  # mostly
                break
            if not self._are_utf8(out, sound):
                return out
            if position == end:
                break
            position = self._feed_carefully(data, position, end, out)
            if self._over():
                return out
            sound = len(out)
            fast = not (self._left or self._open)
        return out

    def _over(self) -> bool:
        """Nothing that comes now counts."""
        return self.failed is not None or self._closed

    def _are_utf8(self, messages: list[bytes], sound: int) -> bool:
        """Whether all are UTF-8, *sound* of them known to be; what comes with the first is cut."""
        if b"".join(messages[sound:]).isascii():
            return True
        for number in range(sound, len(messages)):
            if not self._is_utf8(messages[number]):
                del messages[number:]
                return False
        return True

    def _feed_carefully(self, data: bytes, position: int, end: int, out: list[bytes]) -> int:
        """What the fast lane does not take at once: a short, partial or other frame.

        Returns where the next frame begins.
        """
        kind = data[position]
        if self._left or self._open or kind not in (TEXT, PONG):
            return self._feed_slowly(data, position, end, out)
        size = _frame_size(data, position, end)
        if size is None:
            self._tail = data[position:]
            return end
        head = _header_size(data, position)
        start, stop = position + head, position + size
        if kind == PONG:
            if not size or stop > end:
                return self._feed_slowly(data, position, end, out)
            self.controls.append(Pong(apply_mask(data[start:stop], data[start - 4 : start])))
            return stop
        whole = stop <= end
        too_long = not whole and end - position > PATIENCE
        if not size or size - head > self._most or too_long:
            return self._feed_slowly(data, position, end, out)
        payload = apply_mask(data[start:stop], data[start - 4 : start])
        if self._is_utf8(payload, whole):
            if whole:
                out.append(payload)
            else:
                self._tail = data[position:]
        return min(stop, end)

    def _is_utf8(self, payload: bytes, whole: bool = True) -> bool:
        """Whether *payload* is UTF-8, or may become it; the connection has failed otherwise."""
        try:
            codecs.utf_8_decode(payload, "strict", whole)
        except UnicodeDecodeError:
            self.failed = Failed(CloseCode.INVALID_UTF8, "text must be UTF-8")
            return False
        return True

    def _feed_slowly(self, data: bytes, position: int, end: int, out: list[bytes]) -> int:
        """Give the library's machine the rest of the frame at *position*; where that ends."""
        if not self._left:
            size = _frame_size(data, position, end)
            if size is None:
                self._tail = data[position:]
                return end
            if size and not self._admit(data[position], size - _header_size(data, position)):
                return end
            self._left = size or end - position
        taken = min(self._left, end - position)
        if self._machine is None:
            self._machine = Machine(ConnectionType.SERVER)
        self._machine.receive_data(data[position : position + taken])
        self._left -= taken
        for event in self._machine.events():
            self._take(event, out)
        if not self._left and not self._open:
            self._machine = None
        return position + taken

    def _admit(self, first: int, length: int) -> bool:
        """Judge a data frame by its header; one out of turn is left to the machine."""
        opcode = first & 0x0F
        if opcode & CONTROL or bool(opcode) == self._open:
            return True
        if opcode == 2 and not self._binary:
            self.failed = Failed(CloseCode.UNSUPPORTED_DATA, "messages must be text")
            return False
        self._size += length
        self._fragments += 1
        self.piecemeal = self._fragments > PIECES
        if self._size > self._most:
            reason = f"a message may have {self._most} bytes"
            self.failed = Failed(CloseCode.TOO_BIG, reason)
        elif self._fragments > MANY_FRAGMENTS and self._size < self._fragments * TINY:
            self.failed = Failed(CloseCode.POLICY_VIOLATION, "too many tiny fragments")
        return self.failed is None

    def _take(self, event: object, out: list[bytes]) -> None:
        if isinstance(event, TextMessage | BytesMessage):
            self._open = not event.message_finished
            self._parts.append(event.data)
            if event.message_finished:
                out.append(_whole(self._parts))
                self._parts = []
                self._size = self._fragments = 0
                self.piecemeal = False
        elif isinstance(event, CloseConnection) and self._machine_failed():
            self.failed = Failed(event.code, event.reason or "")
        elif isinstance(event, Ping | Pong | CloseConnection):
            self.controls.append(event)
            self._closed = isinstance(event, CloseConnection)

    def _machine_failed(self) -> bool:
        """A close event without a close frame: the machine gave up on the stream."""
        return self._machine is not None and self._machine.state.name == "OPEN"


def _whole(parts: list[str | bytes | bytearray]) -> bytes:
    if isinstance(parts[0], str):
        return "".join(parts).encode()  # type: ignore[arg-type]
    return Binary(b"".join(parts))  # type: ignore[arg-type]


def _header_size(data: bytes, position: int) -> int:
    short = data[position + 1] & 0x7F
    return 6 + (2 if short == 126 else 8 if short == 127 else 0)


def _frame_size(data: bytes, position: int, end: int) -> int | None:
    """The whole frame's size in bytes; None while its header is incomplete.

    0 for a header that the machine will refuse: it must see it, and nothing of
    what follows matters.
    """
    if end - position < 2:
        return None
    first, second = data[position], data[position + 1]
    short = second & 0x7F
    opcode = first & 0x0F
    if 2 < opcode < 8 or opcode > 10:
        return 0
    if first & CONTROL and (short > 125 or not first & 0x80):
        return 0
    size = _header_size(data, position)
    if not second & MASKED or first & 0x70:  # refused once its length is there
        return 0 if end - position >= size - 4 else None
    if end - position < size:
        return None
    if short < 126:
        return size + short
    length = int.from_bytes(data[position + 2 : position + size - 4], "big")
    minimal = length > 125 if short == 126 else 0xFFFF < length < 1 << 63
    return size + length if minimal else 0


# ---- the server's own frames ----------------------------------------------

_library = FrameProtocol(client=False, extensions=[])


def _head(opcode: int, length: int) -> bytes:
    if length < 126:
        return bytes((opcode, length))
    if length < 65_536:
        return bytes((opcode, 126, length >> 8, length & 0xFF))
    return bytes((opcode, 127)) + length.to_bytes(8, "big")


class _Heads(dict[int, bytes]):
    """Headers of whole, unmasked text frames by their length in bytes; ordinary ones are kept."""

    def __missing__(self, length: int) -> bytes:
        head = _head(TEXT, length)
        if length < 4096:
            self[length] = head
        return head


HEADS: Mapping[int, bytes] = _Heads()


def frame(payload: bytes) -> bytes:
    """A whole, unmasked text frame: encoded once, sent to many."""
    return HEADS[len(payload)] + payload


def binary_frame(payload: bytes) -> bytes:
    """A whole, unmasked binary frame."""
    return _head(0x82, len(payload)) + payload


def ping() -> bytes:
    """A ping whose payload cannot be guessed ahead."""
    return bytes(_library.ping(os.urandom(4)))


def pong(payload: bytes) -> bytes:
    return bytes(_library.pong(payload))


def close(code: int, reason: str = "") -> bytes:
    """A close frame; 1005 and 1006 become one without a code, as they may not travel."""
    if code in (CloseCode.NO_STATUS, CloseCode.ABNORMAL):
        return bytes(_library.close())
    return bytes(_library.close(code, reason))
