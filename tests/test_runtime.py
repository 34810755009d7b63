"""What runs calls for others goes on, whatever these raise, and though the log fails as well."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: a log that cannot be written, calls that raise, and then one that must come nevertheless
SCRIPT = """
import sys
if sys.argv[1] == "gevent":
    from gevent import monkey
    monkey.patch_all()
import logging, threading
from services import runtime

class Full(logging.Handler):
    def emit(self, record):
        raise OSError("no space left")

logging.getLogger("csapp").addHandler(Full())
here = runtime.current()
assert here.name == sys.argv[1]
done = threading.Event()

def fail(*args):
    raise OSError("planted")

run = here.native()
run(lambda: None, fail)
ways = {
    "call_soon": here.call_soon,
    "spawn": here.spawn,
    "native": lambda function: run(lambda: None, lambda error: function()),
}
if here.name == "gevent":
    ways["aside"] = here.aside
for name, way in ways.items():
    if name != "spawn" or here.name == "gevent":
        way(fail)
    done.clear()
    way(done.set)
    assert done.wait(30), name
print("well")
"""


@pytest.mark.parametrize("name", ["gevent", "threads"])
def test_calls_go_on_after_one_that_raises_though_the_log_fails(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, name],
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.stdout == "well\n", done.stderr
