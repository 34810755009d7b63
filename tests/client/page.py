"""A page in Node, driven from here: what it shows is what `csapp-client.js` shows."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from testkit.proxy import FaultProxy
from testkit.server import PATIENCE, ROOT, LiveServer

NODE_MODULES = ROOT / ".venv" / "node" / "node_modules"
HASTE = 5  # times faster than the client's own pauses

State = dict[str, Any]


class Page:
    """A visitor's or a waiter's page on *line*. A context manager, which closes it.

    *tokens*: the path where it fetches its tokens, which say who it is.
    """

    def __init__(
        self, line: LiveServer | FaultProxy, role: str, sub: str, *, tokens: str = ""
    ) -> None:
        self.name = sub
        settings = {
            "url": f"{line.ws_url}/v1/ws/{role}/connect",
            "role": role,
            "token": line.token(role, sub),
            "haste": HASTE,
            "tokens": f"{line.ws_url.replace('ws', 'http', 1)}{tokens}" if tokens else "",
        }
        self._node = subprocess.Popen(
            ["node", str(Path(__file__).with_suffix(".mjs")), json.dumps(settings)],
            env={**os.environ, "NODE_PATH": str(NODE_MODULES)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._ids = itertools.count()
        self._changed = threading.Condition()
        self._answers: dict[int, Any] = {}
        #: what it shows now
        self.state: State = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def kill(self) -> None:
        """End it as a crash does: nobody is told."""
        self._node.kill()

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *error: object) -> None:
        assert self._node.stdin is not None
        self._node.stdin.close()
        self._node.wait(PATIENCE)
        self._reader.join(PATIENCE)

    def _read(self) -> None:
        assert self._node.stdout is not None
        for line in self._node.stdout:
            said = json.loads(line)
            with self._changed:
                if "state" in said:
                    self.state = said["state"]
                else:
                    self._answers[said["id"]] = said
                self._changed.notify_all()
        self._node.stdout.close()
        with self._changed:
            self._changed.notify_all()

    def call(self, method: str, *args: Any) -> Any:
        """Call a method of the client, or `reload`; its result. Raises `PageError`."""
        assert self._node.stdin is not None
        number = next(self._ids)
        call = {"id": number, "method": method, "args": args}
        self._node.stdin.write(json.dumps(call) + "\n")
        self._node.stdin.flush()
        self._wait(lambda: number in self._answers, f"no answer to {method}")
        answer = self._answers.pop(number)
        if "error" in answer:
            raise PageError(answer["error"])
        return answer.get("result")

    def wait(self, condition: Callable[[State], object], what: str = "") -> None:
        """Wait until it shows what *condition* wants."""
        self._wait(lambda: self.state and condition(self.state), what)

    def _wait(self, condition: Callable[[], object], what: str) -> None:
        with self._changed:
            self._changed.wait_for(lambda: condition() or not self._reader.is_alive(), 2 * PATIENCE)
            if not condition():
                raise AssertionError(f"{self.name}: {what}: {json.dumps(self.state, indent=1)}")

    @property
    def chats(self) -> dict[str, Any]:
        """All chats, by conversation."""
        chats: dict[str, Any] = self.state["chats"]
        return chats

    @property
    def messages(self) -> list[Any]:
        """Those of the only chat."""
        (chat,) = self.chats.values()
        messages: list[Any] = chat["messages"]
        return messages


class PageError(Exception):
    """A method of the client has thrown."""
