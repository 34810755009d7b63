"""What the host's checks have in common."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

from csapp.testkit import Client, LiveServer, assert_receives


def chat(settings: Mapping[str, str], *words: str) -> str:
    """What a command of the host's says."""
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "chat", *words],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def talk(server: LiveServer) -> None:
    """Let a visitor and a waiter meet and say something."""
    with Client.waiter(server, "ada") as ada, Client.user(server, "ann") as ann:
        ada.ready()
        ann.say("connect")
        assert_receives(ann, "connect_success", uuid=ada.uuid)
        assert_receives(ada, "new_connection", uuid=ann.uuid)
        ann.text("hello")
        assert_receives(ada, "message_text", message="hello", from_=ann.uuid)
        ada.text("good morning", to=ann.uuid)
        assert_receives(ann, "message_text", message="good morning")
