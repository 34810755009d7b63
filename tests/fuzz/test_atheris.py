"""The coverage-guided fuzzers run, and find nothing in a few seconds. `make fuzz` takes hours."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SECONDS = 5
TARGETS = ("decoder", "frames", "session")

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="atheris is not installed: it has no wheel for this Python or platform "
    f"({sys.version_info.major}.{sys.version_info.minor}, {sys.platform})",
)

Fuzzers = dict[str, "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def fuzzers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzers]:
    """All of them at once: a few seconds in all."""
    running: Fuzzers = {}
    for target in TARGETS:
        folder = tmp_path_factory.mktemp(target)
        options = ["-seed=1", f"-max_total_time={SECONDS}", f"-artifact_prefix={folder}/"]
        running[target] = subprocess.Popen(
            [sys.executable, "-m", f"tests.fuzz.fuzz_{target}", *options, str(folder / "corpus")],
            cwd=ROOT,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    yield running
    for fuzzer in running.values():
        fuzzer.kill()
        fuzzer.communicate()


@pytest.mark.parametrize("target", TARGETS)
def test_a_few_seconds_find_nothing(target: str, fuzzers: Fuzzers):
    output, _ = fuzzers[target].communicate(timeout=SECONDS + 100)
    assert fuzzers[target].returncode == 0, output[-4000:]
    assert "Done " in output, output[-4000:]
