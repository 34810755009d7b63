"""The two lanes against wsproto: the same bytes, cut anywhere, bring the same."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.fuzz import lanes

firsts = st.sampled_from([0x81, 0x81, 0x01, 0x80, 0x00, 0x82, 0x89, 0x8A, 0x88])
payloads = st.one_of(
    st.text(max_size=50).map(str.encode),
    st.sampled_from(lanes.SIZES + lanes.LARGE).map(lambda size: b"x" * size),
    st.sampled_from([0, 999, 1000, 1001, 1005, 3000, 5000]).map(lambda code: code.to_bytes(2)),
    st.lists(st.sampled_from(lanes.WORDS), max_size=4).map(b"".join),
    st.binary(max_size=20),
)
keys = st.sampled_from(lanes.KEYS)
good = st.builds(lanes.encoded, firsts, payloads, keys)
odd = st.one_of(
    st.builds(lanes.encoded, st.integers(0, 255), payloads, keys),
    st.builds(lanes.encoded, firsts, payloads, keys, st.sampled_from([0, 1, 126, 70_000, 2**63])),
    good.map(lambda frame: frame[:1] + bytes((frame[1] & 127,)) + frame[2:]),  # not masked
    st.builds(lambda length, rest: b"\x81" + length + rest, st.binary(max_size=9), good),
    st.binary(max_size=20),
)
streams = st.lists(st.one_of(good, good, good, odd), max_size=8).map(b"".join)


@settings(max_examples=200)
@given(
    streams,
    st.lists(st.integers(0, 12_000) | st.integers(0, 30), max_size=8),
    st.sampled_from(lanes.LIMITS) | st.just(65_536),
    st.booleans(),
)
def test_both_lanes_bring_what_wsproto_brings(stream, cuts, most, binary):
    lanes.check(stream, cuts, most, binary)


@settings(max_examples=60)
@given(st.lists(good.filter(lambda frame: len(frame) < 200) | odd, max_size=4).map(b"".join))
@example(lanes.encoded(0x81, b"x" * 300))
def test_so_they_do_byte_by_byte(stream):
    lanes.check(stream[:500], range(500), 65_536, binary=True)
