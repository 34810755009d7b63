"""Every row of `README.md` has its tests, and every test its row."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parent


def test_every_row_is_tested_where_the_table_says():
    table = (FOLDER / "README.md").read_text()
    rows = re.findall(r"^\| (\d+) \|.*\| `(test_\w+\.py)` \|$", table, re.MULTILINE)
    listed = {(int(number), file) for number, file in rows}
    tested = {
        (int(number), file.name)
        for file in FOLDER.glob("test_*.py")
        for numbers in re.findall(r"\brow\((\d+),|def test_row(\d\d)_", file.read_text())
        for number in filter(None, numbers)
    }
    assert listed == tested


def test_rows_that_are_tested_elsewhere_or_not_yet_are_named():
    table = (FOLDER / "README.md").read_text()
    covered = set(map(int, re.findall(r"^\| (\d+) \|", table, re.MULTILINE)))
    (later,) = re.findall(r"^Rows? (.*) (?:is|are) about", table, re.MULTILINE)
    missing = set(map(int, re.findall(r"\d+", later)))
    assert covered | missing >= set(range(1, 41))
    assert not covered & missing


def test_what_is_tested_elsewhere_is_there():
    table = (FOLDER / "README.md").read_text()
    places = re.findall(r"`(tests/[\w./]+)`", table)
    assert places
    assert not [place for place in places if not (FOLDER.parents[1] / place).exists()]
