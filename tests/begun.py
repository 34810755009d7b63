"""An application that says how its process has begun."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import sys
import threading
from typing import Any

from flask import Flask
from gevent import monkey

from services import unconfirmed


def descriptors() -> list[str]:
    """What the open ones are, but for sockets, pipes and what is only gevent's."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # it was that of the folder
            name = os.readlink(f"/proc/self/fd/{number}")
            found.append(re.sub(r":\[.*|-\w+ \(deleted\)$", "", name))
    return sorted(one for one in found if not one.endswith("/fd"))


def begun() -> dict[str, Any]:
    """All that a fork could have from the process it is a fork of."""
    return {
        "argv": sys.argv,
        "environ": dict(os.environ),
        "folder": os.getcwd(),
        "path": sys.path,
        "patched": sorted(monkey.saved),
        "lock made by an import": type(unconfirmed._lock).__module__,
        "signals": {str(one): str(signal.getsignal(one)).partition(" at 0x")[0]
                    for one in sorted(signal.valid_signals())},
        "descriptors": descriptors(),
        "limits": resource.getrlimit(resource.RLIMIT_NOFILE),
        "input": os.readlink("/proc/self/fd/0"),
        "threads": sorted(thread.name.partition("-")[0] for thread in threading.enumerate()),
        "interpreter": [sys.executable, sys.flags.optimize, sys.dont_write_bytecode],
    }  # fmt: skip


app = Flask(__name__)
found = begun()  # before any request has a thread of its own


@app.get("/")
def say() -> dict[str, Any]:
    """As it was found."""
    return found
