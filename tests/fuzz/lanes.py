"""What the frame reader must make of bytes, told by the library's own state machine.

`check` feeds the same pieces to our `FrameReader` and to wsproto and compares
what each piece brought: messages in order, control frames in order, the end.
Our limits, which wsproto does not have, are judged by a walk over the headers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from wsproto.connection import Connection as Machine
from wsproto.connection import ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from services.transport.frames import MANY_FRAGMENTS, PATIENCE, TINY, Binary, FrameReader
from tests.fuzz.choices import Choices

PROTOCOL_ERROR = 1002
HEADER = 14  # bytes, the longest


@dataclass
class Brought:
    """What one piece of the stream brought."""

    messages: list[tuple[bool, bytes]] = field(default_factory=list)
    controls: list[tuple[str, object]] = field(default_factory=list)
    #: the code the stream failed with
    failed: int | None = None


@dataclass(frozen=True)
class Breach:
    """The first frame that breaks one of our limits."""

    begin: int
    header_end: int
    code: int


class OurReader:
    """The reader under test."""

    def __init__(self, most: int, binary: bool) -> None:
        self._most = most
        self.reader = FrameReader(most, binary)

    def feed(self, piece: bytes) -> Brought:
        reader = self.reader
        assert reader.failed is None, "fed after it had failed"
        brought = Brought()
        for message in reader.feed(piece):
            assert type(message) in (bytes, Binary), type(message)
            brought.messages.append((type(message) is Binary, bytes(message)))
        for event in reader.controls:
            brought.controls.append(_control(event))
        reader.controls.clear()
        if reader.failed is not None:
            brought.failed = int(reader.failed.code)
        self._check_bounds()
        return brought

    def _check_bounds(self) -> None:
        reader = self.reader
        assert len(reader._tail) <= max(PATIENCE, HEADER), "keeps more than it may"
        assert sum(map(len, reader._parts)) <= self._most, "keeps more than the limit"


class Library:
    """The reference: wsproto's machine, which is told of our limits from outside."""

    def __init__(self, breach: Breach | None) -> None:
        self._machine = Machine(ConnectionType.SERVER)
        self._parts: list[str | bytes | bytearray] = []
        self._breach = breach
        self._fed = 0
        self.over = False

    def feed(self, piece: bytes) -> Brought:
        brought = Brought()
        if self.over:
            return brought
        begin, self._fed = self._fed, self._fed + len(piece)
        if self._breach is not None:
            piece = piece[: max(0, self._breach.begin - begin)]
        self._machine.receive_data(piece)
        for event in self._machine.events():
            self._take(event, brought)
            if self.over:
                return brought
        if self._breach is not None and self._fed >= self._breach.header_end:
            brought.failed, self.over = self._breach.code, True
        return brought

    def _take(self, event: object, brought: Brought) -> None:
        if isinstance(event, TextMessage | BytesMessage):
            self._parts.append(event.data)
            if event.message_finished:
                binary = isinstance(event, BytesMessage)
                whole = b"".join(self._parts) if binary else "".join(self._parts).encode()
                brought.messages.append((binary, whole))
                self._parts = []
        elif isinstance(event, CloseConnection) and self._machine.state.name == "OPEN":
            brought.failed, self.over = int(event.code), True
        else:
            brought.controls.append(_control(event))
            self.over = isinstance(event, CloseConnection)


def _control(event: object) -> tuple[str, object]:
    if isinstance(event, CloseConnection):
        return "close", (int(event.code), event.reason or "")
    assert isinstance(event, Ping | Pong), event
    return type(event).__name__, bytes(event.payload)


def _headers(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """First byte, begin, end of header and payload length of each frame.

    Up to the first that wsproto refuses by its header, or that is incomplete.
    """
    begin = 0
    while len(data) - begin >= 2:
        first, second = data[begin], data[begin + 1]
        short = second & 127
        opcode = first & 15
        header_end = begin + 6 + {126: 2, 127: 8}.get(short, 0)
        if len(data) < header_end or second < 128 or first & 0x70:
            return
        if opcode not in (0, 1, 2, 8, 9, 10) or (opcode >= 8 and (short > 125 or first < 128)):
            return
        length = int.from_bytes(data[begin + 2 : header_end - 4], "big") if short > 125 else short
        if length >= 1 << 63 or length < {126: 126, 127: 1 << 16}.get(short, 0):
            return
        yield first, begin, header_end, length
        begin = header_end + length


def breach(data: bytes, most: int, binary: bool) -> Breach | None:
    """The first frame of *data* that must not be taken, if none before it ends the stream."""
    is_open, size, fragments = False, 0, 0
    for first, begin, header_end, length in _headers(data):
        opcode = first & 15
        if opcode >= 8 or (opcode == 0) != is_open:
            continue
        if opcode == 2 and not binary:
            return Breach(begin, header_end, 1003)
        size += length
        fragments += 1
        if size > most:
            return Breach(begin, header_end, 1009)
        if fragments > MANY_FRAGMENTS and size < fragments * TINY:
            return Breach(begin, header_end, 1008)
        is_open = first < 128
        if not is_open:
            size = fragments = 0
    return None


def pieces(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    """*data* cut at *cuts*, whatever numbers those are."""
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[begin:end] for begin, end in pairwise(edges)]


def check(data: bytes, cuts: Iterable[int], most: int, binary: bool) -> None:
    """Both make the same of *data*. Raises `AssertionError`."""
    after = bytes(HEADER)  # completes a header that the stream ends in
    ours = OurReader(most, binary)
    reference = Library(breach(data + after, most, binary))
    apart: tuple[int | None, int | None] | None = None
    for piece in [*pieces(data, cuts), *pieces(after, range(HEADER))]:
        if apart is None:
            mine, its = ours.feed(piece), reference.feed(piece)
            assert mine.messages == its.messages, (mine, its)
            assert mine.controls == its.controls, (mine, its)
            if mine.failed != its.failed:
                apart = mine.failed, its.failed
            elif mine.failed is not None:
                break
        # A bad header may be refused before or after the rest of it has come, not never.
        elif apart[0] is None:
            late = ours.feed(piece)
            assert not late.messages, (late, apart)
            assert not late.controls, (late, apart)
            apart = late.failed, apart[1]
        else:
            late = reference.feed(piece)
            assert not late.messages, (late, apart)
            assert not late.controls, (late, apart)
            apart = apart[0], late.failed
        if apart is not None:
            assert set(apart) <= {None, PROTOCOL_ERROR}, apart
            if apart[0] == apart[1]:
                break
    else:
        assert apart is None, f"failed with (ours, wsproto's): {apart}"
    _check_rest(ours.reader)


def _check_rest(reader: FrameReader) -> None:
    """Nothing is kept between messages."""
    if reader.failed is None and not reader._left and not reader._open:
        assert reader._machine is None
        assert not reader._parts
        assert not reader._size
        assert not reader.piecemeal


# ---- streams out of a fuzzer's bytes ---------------------------------------

#: limits worth trying: tiny ones are reached, large ones let everything pass
LIMITS = (0, 1, 10, 125, 126, 1000, 5000, 65_536, 100_000, 1 << 40)

KEYS = (b"\0\0\0\0", b"\x01\x02\x03\x04", b"\xff\0\xff\0", b"ABCD")

SIZES = (0, 1, 2, 124, 125, 126, 127, 128, 999, 1000, 1001, 4085, 4088, 4089, 4090, 4096)
LARGE = (5000, 9000, 65_535, 65_536)

WORDS = (
    b"plain words",
    "žluťoučký kůň €".encode(),
    "🙂".encode(),
    b"\xf0\x9f",
    b"\x99\x82",
    b"\xc0",
)


def encoded(
    first: int, payload: bytes, key: bytes = KEYS[1], announced: int | None = None
) -> bytes:
    """A client frame; *announced*: another length than the payload's."""
    length = len(payload) if announced is None else announced
    if length < 126:
        head = struct.pack("!BB", first, 128 | length)
    elif length < 1 << 16:
        head = struct.pack("!BBH", first, 128 | 126, length)
    else:
        head = struct.pack("!BBQ", first, 128 | 127, length)
    whole = -(-len(payload) // 4)
    pad = int.from_bytes((key * whole)[: len(payload)], "big")
    masked = (int.from_bytes(payload, "big") ^ pad).to_bytes(len(payload), "big")
    return head + key + masked


def _frame(choices: Choices) -> bytes:
    """One frame: mostly right, sometimes wrong in one way."""
    kind = choices.byte()
    first = (0x81, 0x01, 0x80, 0x00, 0x89, 0x82, 0x8A, 0x81)[kind & 7]
    source = kind >> 3 & 7
    if source == 0:
        payload = choices.take(choices.byte())
    elif source == 1:
        size = choices.byte()
        payload = b"x" * (LARGE[size & 3] if size > 250 else SIZES[size & 15])
    elif source == 2:
        payload = b"".join(WORDS[choices.byte() % len(WORDS)] for _ in range(choices.byte() & 7))
    elif source == 3:
        return encoded(0x88, choices.take(choices.byte() & 127), KEYS[kind >> 6])
    elif source == 4:
        return encoded(choices.byte(), choices.take(choices.byte()), KEYS[kind >> 6])
    elif source == 5:
        count = choices.byte()
        count = count & 15 if count < 253 else 1200  # more than there may be tiny ones
        return encoded(first & 15, b"") + encoded(0, choices.take(kind >> 6)) * count
    elif source == 6:
        announced = int.from_bytes(choices.take(choices.byte() % 9), "big")
        return encoded(first, choices.take(choices.byte()), KEYS[kind >> 6], announced)
    else:
        return choices.take(choices.byte())
    return encoded(first, payload, KEYS[kind >> 6])


def check_script(data: bytes) -> None:
    """`check` what a fuzzer's bytes say: limits, cuts, and a stream, raw or made of frames."""
    choices = Choices(data)
    mode = choices.byte()
    most = LIMITS[choices.byte() % len(LIMITS)]
    cuts = [choices.byte() << 8 | choices.byte() for _ in range(mode >> 4)]
    if mode & 1:
        stream = b""
        while choices.more and len(stream) < 1 << 13:
            stream += _frame(choices)
    else:
        stream = choices.take(len(data))
    if mode & 8 and len(stream) <= 300:
        cuts = list(range(len(stream)))
    elif mode & 4:  # near the beginning, where headers are
        cuts = [cut & 31 for cut in cuts]
    check(stream, cuts, most, binary=bool(mode & 2))


def _seeds() -> list[bytes]:
    """Every kind of frame with every kind of payload, in every mode, at an ordinary limit."""
    modes = (0x01, 0x0B, 0x23, 0x37)
    found = [bytes((mode, 8, kind, 5, 0x81, 2, 3)) * 2 for mode in modes for kind in range(256)]
    return found[::7]


SEEDS = _seeds()
