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
    for top in ("blueprints", "services", "tests")
    for hashes in sorted((ROOT / top).glob("**/vendor/HASHES"))
]


def test_there_are_some():
    assert ROOT / "blueprints" / "console" / "static" / "vendor" in FOLDERS
    assert ROOT / "services" / "history" / "vendor" in FOLDERS


def files(folder: Path) -> dict[str, Path]:
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path for name, path in found.items() if name not in OURS}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_every_file_has_its_hash(folder: Path):
    listed = dict(line.split()[::-1] for line in (folder / "HASHES").read_text().splitlines())
    there = {
        name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files(folder).items()
    }
    assert there == listed


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_everything_has_its_licence(folder: Path):
    for name, path in files(folder).items():
        if path.suffix in (".js", ".gz"):
            own = path.with_name(f"{path.name.partition('.')[0]}.LICENSE")
            common = path.with_name("LICENSE")
            assert own.exists() or common.exists(), name
