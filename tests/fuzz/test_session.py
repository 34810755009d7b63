"""Users and waiters who do anything at all, in one thread, held to a model."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import world

byte = st.sampled_from(range(256))  # all alike, other than `integers`
#: who is slow to notice, and how many frames come at once
manners = st.sampled_from([0, 0, 0, 0x30, 0x40, 0x80, 0xC0])
verbs = st.builds(lambda verb, manner: verb | manner, st.sampled_from(range(16)), manners)
steps = st.tuples(verbs, byte, byte).map(bytes)
comings = st.tuples(st.sampled_from([0, 1]), byte, byte.map(lambda what: what | 1)).map(bytes)
calls = st.tuples(st.sampled_from([9, 10]), byte, st.just(0)).map(bytes)
words = st.tuples(st.sampled_from([12, 12, 11, 4]), byte, st.sampled_from([0, 1, 0x40])).map(bytes)
scenes = st.sampled_from(world.SCENES)
scripts = st.builds(
    lambda setting, begin, steps: bytes(setting) + begin + b"".join(steps),
    st.tuples(st.just(0) | byte, st.sampled_from(range(4))),
    st.sampled_from([b"", world.MEETING, world.MEETING]),
    st.lists(st.one_of(steps, comings, calls, words, words, scenes), min_size=10, max_size=50),
)


@settings(max_examples=80)
@given(scripts)
def test_nobody_hears_what_is_not_meant_for_them_and_nothing_is_left(script):
    world.run_script(script)


@pytest.mark.parametrize("seed", world.SEEDS)
def test_the_seeds_run(seed):
    world.run_script(seed)
