"""The table is complete: every phase knows every frame type of its role."""

from __future__ import annotations

from typing import get_args

import pytest

from services.conversation.kinds import Side, requests
from services.participants import Phase
from services.session import TABLE
from services.wire import frames

USER_PHASES = {Phase.IDLE, Phase.QUEUED, Phase.SERVED}
WAITER_PHASES = {Phase.OFF_DUTY, Phase.ON_DUTY}


def test_every_phase_is_in_the_table():
    assert set(TABLE) == set(Phase) == {Phase.GREETED} | USER_PHASES | WAITER_PHASES


@pytest.mark.parametrize("phase", sorted(USER_PHASES))
def test_users(phase):
    known = get_args(frames.FromUser) + get_args(frames.FromUser2)
    assert set(TABLE[phase]) == {*known, *requests(Side.USER), frames.ChosenText}


@pytest.mark.parametrize("phase", sorted(WAITER_PHASES))
def test_waiters(phase):
    known = get_args(frames.FromWaiter) + get_args(frames.FromWaiter2)
    assert set(TABLE[phase]) == {*known, *requests(Side.WAITER)}


def test_before_auth_there_is_only_auth():
    assert set(TABLE[Phase.GREETED]) == {frames.Auth}
