"""Tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence


def tabular(rows: Sequence[Sequence[str]]) -> str:
    """*rows* with columns below each other; the first row is the head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
