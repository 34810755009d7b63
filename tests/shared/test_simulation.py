"""Each connection gets every `seq` once and ascending, and receipts as stored: many seeds."""

from __future__ import annotations

import pytest

from .plain import simulated_plainly
from .simulation import simulated

#: 392 and 1504 have found a letter that came after the first look at the history
SEEDS = (*range(32), 392, 1504)
DISTURBANCES = 90

#: of version 1. Most have found a text that was lost, sent twice or out of order
PLAIN_SEEDS = (
    *range(10),
    25,
    29,
    31,
    33,
    59,
    92,
    101,
    118,
    141,
    278,
    313,
    349,
    393,
    629,
    1039,
    1209,
)


@pytest.mark.parametrize("seed", SEEDS)
def test_receipts_are_part_of_the_order(seed):
    with simulated(seed) as world:
        world.play(DISTURBANCES)
        assert world.judge() == []


@pytest.mark.parametrize("deadly", [True, False])
@pytest.mark.parametrize("seed", PLAIN_SEEDS)
def test_version_1_gets_all_that_is_written_while_it_moves(seed, deadly):
    with simulated_plainly(seed, deadly=deadly) as world:
        world.play(DISTURBANCES)
        assert world.judge() == []
