"""The ports that test runs take do not get in each other's way (`testkit/ports.py`)."""

from __future__ import annotations

import socket
import subprocess
import sys

from testkit.ports import BLOCK, free_port
from testkit.server import ROOT

ANOTHER = "from testkit.ports import free_port; print(*(free_port() for _ in range(20)))"


def test_no_port_is_given_out_twice_in_a_row():
    given = [free_port() for _ in range(BLOCK // 2)]
    assert len(set(given)) == len(given)


def test_a_port_that_is_in_use_is_left_out():
    with socket.create_server(("127.0.0.1", free_port())) as used:
        assert used.getsockname()[1] not in [free_port() for _ in range(BLOCK)]


def test_another_process_gets_others():
    mine = {free_port() // BLOCK for _ in range(20)}
    asked = [sys.executable, "-c", ANOTHER]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True)
    assert mine.isdisjoint(int(port) // BLOCK for port in done.stdout.split())
