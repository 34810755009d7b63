"""Numbers in sentences that people read."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """*number* of something: `1 message`, `2,000 messages`; *many* where an s is not enough."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
