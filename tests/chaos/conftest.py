"""The database that the killed servers have, and what is asked of them in the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from .scenario import Report


@pytest.fixture
def database(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/chaos.db"


def assert_kept(report: Report) -> None:
    assert report.ok, "\n".join([str(report), *report.stories, *report.problems])
