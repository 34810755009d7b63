"""Row 31: killed at random moments, and every promise of the message contract is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from .fleet import Fleet
from .scenario import Report, Scenario
from .victim import Victim, model, real

KILLS = 50
FLEET_KILLS = 20


@pytest.fixture
def database(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/chaos.db"


def assert_kept(report: Report) -> None:
    assert report.ok, "\n".join([str(report), *report.stories, *report.problems])


@pytest.mark.timeout(300)
def test_killed_at_random_moments_everybody_has_everything(database):
    report = Scenario(Victim(real(database)), database, KILLS).run()
    print(report)
    assert_kept(report)


@pytest.mark.timeout(300)
def test_several_servers_are_killed_and_their_redis_too(database):
    stage = Fleet(database)
    report = Scenario(stage, database, FLEET_KILLS).run()
    print(report, dict(stage.strikes))
    assert_kept(report)


def test_the_harness_finds_nothing_with_a_model_that_keeps_its_promises(database):
    assert_kept(
        Scenario(Victim(model(database)), database, kills=3, users=2, version_1=False).run()
    )


def test_the_harness_finds_a_bug_of_the_model(tmp_path):
    # Whether a kill falls between a commit and its receipt is chance: so there are several runs.
    for seed in range(10):
        database = f"sqlite:///{tmp_path}/{seed}.db"
        report = Scenario(
            Victim(model(database, "NO_DEDUPE")),
            database,
            kills=3,
            seed=seed,
            users=2,
            version_1=False,
        ).run()
        if any(anomaly.kind == "doubled" for anomaly in report.anomalies):
            return
    raise AssertionError("nothing was doubled in ten runs")
