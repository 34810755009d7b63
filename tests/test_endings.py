"""Words are cut where their inflected endings begin."""

from __future__ import annotations

import pytest

from services.endings import LANGUAGES, SHORTEST, beginnings


@pytest.mark.parametrize(
    ("word", "languages", "cut"),
    [
        ("Orders", ["english"], ["order"]),
        ("running", ["english"], ["run"]),
        ("cities", ["english"], ["citi", "city"]),
        ("its", ["english"], ["its"]),  # "it" would find too much
        ("Bestellungen", ["german"], ["bestell"]),
        ("Bestellungen", ["english"], ["Bestellungen"]),
        ("plates", ["english", "french"], ["plat"]),  # which "plate" begins with
        ("заказы", ["russian"], ["заказ"]),
        ("O'Neil", ["english"], ["O'Neil"]),
        ("1042", ["english"], ["1042"]),
        ("订单", ["english"], ["订单"]),
        ("orders", [], ["orders"]),
    ],
)
def test_a_word_is_cut(word: str, languages: list[str], cut: list[str]):
    assert beginnings(word, languages) == cut


def test_no_beginning_is_too_short_or_begins_with_another():
    words = ("was", "is", "cats", "boxes", "happily", "ladies", "dying", "ties", "sky", "ya", "iii")
    for word in words:
        found = beginnings(word, LANGUAGES)
        assert found, word
        assert all(len(one) >= min(SHORTEST, len(word)) for one in found), found
        for one in found:
            assert not any(one != other and one.startswith(other) for other in found), found
