"""Code of others is, byte for byte, what was looked at when it came in."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from testkit.server import ROOT

#: files of a vendored folder that are ours
OURS = {"HASHES", "README.md"}

FOLDERS = [
    hashes.parent
    for top in ("blueprints", "tests")
    for hashes in sorted((ROOT / top).glob("**/vendor/HASHES"))
]


def test_there_are_some():
    assert ROOT / "blueprints" / "console" / "static" / "vendor" in FOLDERS


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_every_file_has_its_hash(folder: Path):
    listed = dict(line.split()[::-1] for line in (folder / "HASHES").read_text().splitlines())
    there = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.name not in OURS
    }
    assert there == listed


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_every_package_has_its_licence(folder: Path):
    names = {path.name for path in folder.iterdir()}
    scripts = {name.removesuffix(".js") for name in names if name.endswith(".js")}
    assert scripts <= {name.removesuffix(".LICENSE") for name in names}
