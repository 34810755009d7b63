"""Row 31: killed at random moments, and every promise of the message contract is kept."""

from __future__ import annotations

import pytest

from .conftest import assert_kept
from .scenario import Scenario
from .victim import Victim, model, real

KILLS = 50


@pytest.mark.timeout(900)  # a busy machine
def test_killed_at_random_moments_everybody_has_everything(database):
    stage = Victim(real(database))
    report = Scenario(stage, database, KILLS, transfers=True, departments=True).run()
    print(report)
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
