"""Row 31 for a desk of several servers: killed at random moments, and their Redis as well."""

from __future__ import annotations

import pytest

from .conftest import assert_kept
from .fleet import Fleet
from .scenario import Scenario

KILLS = 20


@pytest.mark.timeout(900)  # a busy machine
def test_several_servers_are_killed_and_their_redis_too(database):
    stage = Fleet(database)
    report = Scenario(stage, database, KILLS, transfers=True, departments=True).run()
    print(report, dict(stage.strikes))
    assert_kept(report)
