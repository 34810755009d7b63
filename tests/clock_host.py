"""csapp on a clock of its own: as many seconds off as the file CLOCK_FILE says."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

assert "services" not in sys.modules, "csapp keeps the clock that it was imported with"
_real = time.time
_file = Path(os.environ["CLOCK_FILE"])


def _wrong() -> float:
    return _real() + (float(_file.read_text() or 0) if _file.exists() else 0.0)


time.time = _wrong

from csapp import create_app  # noqa: E402  # the clock comes first

app = create_app()
