"""An application that says how its process has begun."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from gevent import monkey


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """All that a fork could have from the process it is a fork of."""
    found = {
        "argv": sys.argv,
        "environ": dict(os.environ),
        "folder": os.getcwd(),
        "path": sys.path,
        "patched": sorted(monkey.saved),
        "signals": {str(one): str(signal.getsignal(one)).partition(" at 0x")[0]
                    for one in sorted(signal.valid_signals())},
        "threads": [thread.name for thread in threading.enumerate()],
        "interpreter": [sys.executable, sys.flags.optimize, sys.dont_write_bytecode],
    }  # fmt: skip
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(found).encode()]
