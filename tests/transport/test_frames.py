"""The two lanes: the same bytes, cut anywhere, give the same messages and the same end."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto.connection import Connection as Machine
from wsproto.connection import ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from services.transport import frames
from services.transport.frames import Binary, FrameReader
from tests.raw import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame

LIMIT = 100_000


def read(data: bytes, cuts: list[int], reader: FrameReader) -> list[object]:
    """Everything *reader* makes of *data* when it arrives in pieces."""
    out: list[object] = []
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for begin, end in pairwise(edges):
        if begin == end or reader.failed:
            continue
        out += [("message", type(m) is Binary, bytes(m)) for m in reader.feed(data[begin:end])]
        for event in reader.controls:
            if isinstance(event, CloseConnection):
                out.append(("close", int(event.code), event.reason or ""))
            else:
                out.append((type(event).__name__, bytes(event.payload)))
        reader.controls.clear()
    if reader.failed:
        out.append(("failed", int(reader.failed.code)))
    return out


def library(data: bytes) -> list[object]:
    """What the library's own state machine makes of *data* in one piece."""
    machine = Machine(ConnectionType.SERVER)
    machine.receive_data(data)
    out: list[object] = []
    parts: list = []
    for event in machine.events():
        if isinstance(event, TextMessage | BytesMessage):
            parts.append(event.data)
            if event.message_finished:
                if isinstance(event, TextMessage):
                    out.append(("message", False, "".join(parts).encode()))
                else:
                    out.append(("message", True, b"".join(parts)))
                parts = []
        elif isinstance(event, CloseConnection):
            if machine.state.name == "OPEN":
                out.append(("failed", int(event.code)))
            else:
                out.append(("close", int(event.code), event.reason or ""))
            break
        elif isinstance(event, Ping | Pong):
            out.append((type(event).__name__, bytes(event.payload)))
    return out


def sorted_by_kind(found: list[object]) -> tuple[list, list]:
    """Messages and controls each in their order; a control may overtake a message."""
    return [f for f in found if f[0] == "message"], [f for f in found if f[0] != "message"]


text = st.text(max_size=200).map(str.encode)
good = st.one_of(
    text.map(frame),
    text.map(frame),
    text.map(frame),
    st.binary(max_size=200).map(lambda data: frame(data, BINARY)),
    st.integers(100, 9000).map(lambda size: frame(b"x" * size)),
    st.binary(max_size=125).map(lambda data: frame(data, PING)),
    st.binary(max_size=125).map(lambda data: frame(data, PONG)),
    st.tuples(text, st.lists(text, max_size=3), text).map(
        lambda parts: (
            frame(parts[0], fin=False)
            + b"".join(
                frame(part, CONTINUATION, fin=False) + frame(b"p", PING) for part in parts[1]
            )
            + frame(parts[2], CONTINUATION)
        )
    ),
    st.just(frame("é".encode()[:1], fin=False) + frame("é".encode()[1:], CONTINUATION)),
)
bad = st.one_of(
    st.binary(min_size=1, max_size=30),
    st.binary(min_size=1, max_size=200).map(frame),
    st.just(frame(b"x", CONTINUATION)),
    st.just(frame(b"x", fin=False) + frame(b"y")),
    st.integers(1, 7).map(lambda rsv: frame(b"x", rsv=rsv)),
    st.integers(3, 15).map(lambda opcode: frame(b"x", opcode)),
    st.just(frame(b"x", masked=False)),
    st.just(frame(b"x", PING, fin=False)),
    st.just(frame(b"x" * 126, PING)),
    st.just(frame(b"", CLOSE)),
    st.just(frame(b"\x03", CLOSE)),
    st.integers(0, 6000).map(lambda code: frame(code.to_bytes(2, "big") + b"why", CLOSE)),
    st.just(frame(b"\x03\xe8\xff\xff", CLOSE)),
    st.just(b"\x81\xfe\x00\x05aaaahello"),  # five bytes announced in two
    st.just(b"\x81\xff" + (200).to_bytes(8, "big") + b"aaaa" + b"x" * 200),
)


@settings(max_examples=400)
@given(
    st.lists(good, max_size=6),
    st.lists(bad, max_size=1),
    st.lists(good, max_size=2),
    st.lists(st.integers(0, 10_000), max_size=8),
)
def test_both_lanes_agree_however_the_bytes_are_cut(before, middle, after, cuts):
    data = b"".join([*before, *middle, *after])
    found = read(data, cuts, FrameReader(LIMIT, binary=True))
    expected = library(data)
    messages, controls = sorted_by_kind(found)
    expected_messages, expected_controls = sorted_by_kind(expected)
    if controls and controls[-1][0] == "failed" and expected_controls[-1:] != controls[-1:]:
        # Cut inside a frame, broken UTF-8 is seen before the rest of the frame has come.
        assert controls[-1] == ("failed", 1007)
        assert not expected_controls or expected_controls[-1][0] != "close"
        controls.pop()
        assert messages == expected_messages[: len(messages)]
        assert controls == expected_controls[: len(controls)]
        return
    assert messages == expected_messages
    assert controls == expected_controls


@settings(max_examples=60)
@given(st.lists(good, min_size=1, max_size=5))
def test_byte_by_byte_is_the_same_as_in_one_piece(pieces):
    data = b"".join(pieces)
    whole = read(data, [], FrameReader(LIMIT, binary=True))
    single = read(data, list(range(len(data))), FrameReader(LIMIT, binary=True))
    assert sorted_by_kind(single) == sorted_by_kind(whole)


def fed(data: bytes, limit: int = LIMIT, binary: bool = False) -> FrameReader:
    reader = FrameReader(limit, binary)
    reader.feed(data)
    return reader


def test_an_ordinary_text_never_touches_the_machine(monkeypatch):
    monkeypatch.setattr(frames, "Machine", None)  # calling it would raise
    reader = FrameReader(LIMIT)
    assert reader.feed(frame(b"one") + frame(b"x" * 300) + frame(b"")) == [b"one", b"x" * 300, b""]


def test_a_long_frame_in_small_pieces_is_streamed_not_collected():
    reader = FrameReader(LIMIT)
    data = frame(b"x" * 60_000)
    found = []
    for position in range(0, len(data), 100):
        found += reader.feed(data[position : position + 100])
        assert len(reader._tail) <= frames.PATIENCE + 100
    assert found == [b"x" * 60_000]


def test_the_machine_is_thrown_away_at_rest():
    reader = fed(frame(b"", PING) + frame(b"a", fin=False) + frame(b"b", CONTINUATION))
    assert reader._machine is None
    assert not reader._parts


def test_the_limit_counts_bytes_and_is_judged_by_the_header():
    three_bytes = "€".encode()
    assert fed(frame(three_bytes * 10), limit=30).failed is None
    assert fed(frame(three_bytes * 11), limit=30).failed.code == 1009
    announced_only = frame(b"", length=10**9)
    assert fed(announced_only, limit=65_536).failed.code == 1009
    fragments = frame(b"x" * 20, fin=False) + frame(b"", CONTINUATION, length=20)
    assert fed(fragments, limit=30).failed.code == 1009


def test_binary_is_refused_where_it_is_not_wanted():
    assert fed(frame(b"x", BINARY)).failed.code == 1003
    assert fed(frame(b"x", BINARY), binary=True).failed is None


def test_endless_empty_continuations_end():
    reader = FrameReader(LIMIT)
    reader.feed(frame(b"x", fin=False))
    for _ in range(2000):
        reader.feed(frame(b"", CONTINUATION, fin=False))
    assert reader.failed.code == 1008


def test_many_honest_fragments_are_fine():
    piece = b"x" * 64
    data = frame(piece, fin=False) + frame(piece, CONTINUATION, fin=False) * 1400
    reader = FrameReader(LIMIT)
    assert reader.feed(data) == []
    assert reader.feed(frame(piece, CONTINUATION)) == [piece * 1402]


def test_broken_utf8_is_seen_before_the_frame_is_whole():
    data = frame(b"hello \xc0\xaf and much more")
    reader = fed(data[:16])
    assert reader.failed.code == 1007


def test_nothing_after_a_close_frame_counts():
    reader = FrameReader(LIMIT)
    assert reader.feed(frame(b"a") + frame(b"\x03\xe8", CLOSE) + frame(b"b")) == [b"a"]
    assert reader.feed(frame(b"c")) == []
    assert len(reader.controls) == 1


def test_server_frames_have_the_shortest_header():
    assert frames.frame(b"") == b"\x81\x00"
    assert frames.frame(b"x" * 125)[:2] == b"\x81\x7d"
    assert frames.frame(b"x" * 126)[:4] == b"\x81\x7e\x00\x7e"
    assert frames.frame(b"x" * 1024)[:4] == b"\x81\x7e\x04\x00"
    assert frames.frame(b"x" * 65_535)[:4] == b"\x81\x7e\xff\xff"
    assert frames.frame(b"x" * 65_536)[:10] == b"\x81\x7f" + (65_536).to_bytes(8, "big")
    assert frames.close(1005) == frames.close(1006) == b"\x88\x00"
    assert TEXT == 1
