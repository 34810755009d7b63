"""What is true of chats whichever store keeps them."""

from __future__ import annotations

import pytest

from services.conversation.rows import key_of, public_id


@pytest.mark.parametrize("key", [1, 10, 255, 1 << 40, (1 << 63) - 1])
def test_a_conversation_is_found_by_its_name(key):
    assert key_of(public_id(key)) == key


@pytest.mark.parametrize(
    "name",
    ["", "0", "-1", "+1", "0x1f", "0X1F", "01f", "001f", "1F", " 1f", "1f ", "1f\n", "1_f", "\t1f",
     "1f.0", "g", "\u0661", "8000000000000000", "f" * 5000, "\uff11"],
)  # fmt: skip
def test_no_other_spelling_is_a_name(name):
    assert key_of(name) is None
