"""What the driver of an engine cannot do."""

from __future__ import annotations

from typing import NoReturn

import pytest


def lacking(engine: str, what: str) -> NoReturn:
    """End a test that wants *what* of *engine*."""
    pytest.skip(f"{engine}'s driver cannot {what}")
