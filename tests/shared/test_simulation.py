"""Each connection gets every `seq` once and ascending, and receipts as stored: many seeds."""

from __future__ import annotations

import pytest

from .plain import simulated_plainly
from .simulation import simulated

#: 392 and 1504 have found a letter that came after the first look at the history
SEEDS = (*range(32), 392, 1504)
DISTURBANCES = 90

#: 0, 9, 27 and 476 have found what was sent to the waiter of before, and not to the next one; 51,
#: 202 and 217 an entry that came before the page of its conversation; 378 a page with what gets a
#: receipt behind it
HANDED_OVER = (*range(10), 27, 51, 90, 110, 193, 202, 217, 285, 378, 476)

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


@pytest.mark.parametrize("seed", HANDED_OVER)
def test_it_is_so_when_users_are_handed_over(seed):
    with simulated(seed, transfers=True) as world:
        world.play(DISTURBANCES)
        assert world.judge() == []


@pytest.mark.parametrize("deadly", [True, False])
@pytest.mark.parametrize("seed", PLAIN_SEEDS)
def test_version_1_gets_all_that_is_written_while_it_moves(seed, deadly):
    with simulated_plainly(seed, deadly=deadly) as world:
        world.play(DISTURBANCES)
        assert world.judge() == []
