"""Entries in order: the same as a sorted list, in few steps."""

from __future__ import annotations

from bisect import bisect_left, insort

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.desk import ranked
from services.desk.ranked import Ranked

DOINGS = st.lists(st.tuples(st.booleans(), st.integers(0, 40)), max_size=200)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranked, "BLOCK", 8)


@given(DOINGS)
def test_it_is_a_sorted_list(doings: list[tuple[bool, int]]) -> None:
    entries, plain = Ranked(), []
    for adds, number in doings:
        entry = number, str(number)
        if adds and entry not in plain:
            entries.add(entry)
            insort(plain, entry)
        elif not adds and entry in plain:
            entries.remove(entry)
            plain.remove(entry)
        assert list(entries) == plain
        assert entries.first() == (plain[0] if plain else None)
        assert entries._lasts == [block[-1] for block in entries._blocks]
    for number in range(42):
        assert entries.rank(number) == bisect_left(plain, (number,))
        assert list(entries.since(number)) == plain[number:]


def test_those_who_stay_when_all_others_have_gone_lie_close_together() -> None:
    entries = Ranked()
    for number in range(1000):
        entries.add((number, ""))
    for number in range(1000):
        if number % 16:
            entries.remove((number, ""))
    assert len(entries) == 63
    assert len(entries._blocks) <= 63 // 2 + 1
    assert entries.rank(500) == 32
