"""Runs atheris on one target."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import atheris


def fuzz(target: Callable[[bytes], None], seeds: Iterable[bytes], longest: int) -> None:
    """Run *target* with inputs of up to *longest* bytes, as the command line says.

    A corpus folder that does not exist or is empty begins with *seeds*.
    """
    folders = [Path(one) for one in sys.argv[1:] if not one.startswith("-")]
    if folders and not folders[0].is_file():
        folders[0].mkdir(parents=True, exist_ok=True)
        if not any(folders[0].iterdir()):
            for number, seed in enumerate(seeds):
                (folders[0] / f"seed-{number}").write_bytes(seed)
    options = ["-len_control=20", f"-max_len={longest}"]  # what is asked for comes later and wins
    atheris.Setup([sys.argv[0], *options, *sys.argv[1:]], target)
    atheris.Fuzz()
