"""What the fuzzers have found, in the fewest bytes, each with its fix."""

from __future__ import annotations

import pytest

from services.transport.frames import FrameReader
from tests.fuzz import lanes, words, world

GOOD = lanes.encoded(0x81, b"smuggled")


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"\x81\x7e", id="not masked, length in two bytes"),
        pytest.param(b"\x81\x7f", id="not masked, length in eight bytes"),
        pytest.param(b"\xc1\xfe", id="reserved bit, length in two bytes"),
        pytest.param(b"\x91\xff", id="reserved bit, length in eight bytes"),
        pytest.param(b"\x00\x7e", id="not masked, a continuation"),
    ],
)
def test_a_bad_header_is_not_forgotten_when_it_is_cut_before_its_length(head):
    reader = FrameReader(65_536)
    assert reader.feed(head) == []
    assert reader.feed(GOOD) == []
    assert reader.failed is not None
    assert reader.failed.code == 1002
    lanes.check(head + GOOD, [2], 65_536, binary=False)


CONNECT = b'{"type":"connect"}'


@pytest.mark.parametrize(
    "batch",
    [
        [b"", CONNECT + CONNECT],
        [CONNECT + b" " + CONNECT, b" "],
        [b'{"type":', b'"connect"}' + CONNECT],
        [b'{"type":"message_text","payload":', b'{"message":"a"}}', CONNECT + CONNECT],
    ],
)
def test_frames_that_come_together_are_not_glued(batch):
    words.check_batch(batch)


@pytest.mark.parametrize("role", [0, 1])
def test_the_end_of_a_conversation_is_told_even_when_no_more_texts_are_kept(role):
    both = [(0, 0, 1), (1, 0, 1), (9, 0, 0), (9, 1, 0)]  # come, `connect` and `ready`
    away = (4, role, 0)
    texts = [(12, 0, 0x40)] * 4  # the last ones are refused
    back = (role, 0, 1)
    steps = [*both, away, *texts, (11, 0, 0), back]
    world.run_script(bytes((0, 2)) + bytes(byte for step in steps for byte in step))


def test_nobody_needs_to_agree_on_a_number_with_an_exponent_of_thousands_of_digits():
    words.check(b"9" * 180_000 + b"1e-" + b"9" * 440_000)
