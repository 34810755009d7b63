"""Disk, files and clock."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace

import pytest

from services.doctor import Level

from .conftest import says


def test_too_few_files(sick):
    said = says(sick(descriptors=4096), Level.WARNING, "4096 open files")
    assert "LimitNOFILE=65536" in said.remedy
    assert sick(descriptors=4096, max_connections=3800) == []


def test_a_clock_in_the_past(sick):
    says(sick(clock=0.0), Level.FAULT, "in the past")


@pytest.mark.parametrize(
    ("size", "level", "words"),
    [("2m", Level.FAULT, "is full (2 MB"), ("200m", Level.WARNING, "is nearly full (200 MB")],
)
def test_a_disk_without_room(sick, good, tmp_path, size, level, words):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk needs mount(8), and leave to use it")
    try:
        store = replace(good.store, path=disk / "instance" / "csapp.db")
        says(sick(store=store), level, words)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
