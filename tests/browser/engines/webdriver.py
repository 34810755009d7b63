"""The WebDriver protocol (W3C, 2018) in as far as `webkit.py` speaks it."""

from __future__ import annotations

import http.client
import json
from typing import Any

from playwright.sync_api import Error

from testkit.server import PATIENCE

#: keys that have no character, by the names that Playwright gives them (WebDriver, section 17.4.2)
KEYS = {
    "Backspace": "\ue003",
    "Tab": "\ue004",
    "Enter": "\ue007",
    "Shift": "\ue008",
    "Control": "\ue009",
    "ControlOrMeta": "\ue009",
    "Alt": "\ue00a",
    "Escape": "\ue00c",
    "Space": " ",
    "PageUp": "\ue00e",
    "PageDown": "\ue00f",
    "End": "\ue010",
    "Home": "\ue011",
    "ArrowLeft": "\ue012",
    "ArrowUp": "\ue013",
    "ArrowRight": "\ue014",
    "ArrowDown": "\ue015",
    "Delete": "\ue017",
    "Meta": "\ue03d",
}


class Refused(Error):
    """The driver's answer is an error; `code` is WebDriver's word for it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Session:
    """One browser. Every method answers when the browser has done it."""

    def __init__(self, port: int, capabilities: dict[str, Any]) -> None:
        self._port, self._path = port, "/session"
        made = self.post("", capabilities={"alwaysMatch": capabilities})
        self.version = str(made["capabilities"]["browserVersion"])
        self._path += f"/{made['sessionId']}"

    def get(self, path: str) -> Any:
        return self._call("GET", path, None)

    def post(self, path: str, **body: Any) -> Any:
        return self._call("POST", path, body)

    def delete(self, path: str = "") -> Any:
        return self._call("DELETE", path, None)

    def run(self, script: str, *arguments: Any) -> Any:
        """What the body of a function returns, or what its promise comes to."""
        return self.post("/execute/sync", script=script, args=arguments)

    def act(self, kind: str, actions: list[dict[str, Any]], **parameters: str) -> None:
        """Keys or a mouse, as a person's."""
        source = {"type": kind, "id": kind, "actions": actions, "parameters": parameters}
        self.post("/actions", actions=[source])

    def _call(self, method: str, path: str, body: Any) -> Any:
        line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        try:
            content = None if body is None else json.dumps(body)
            line.request(method, self._path + path, content)
            value = json.loads(line.getresponse().read())["value"]
        finally:
            line.close()
        if isinstance(value, dict) and "error" in value and "stacktrace" in value:
            raise Refused(value["error"], value["message"])
        return value


def keystrokes(keys: str) -> list[dict[str, str]]:
    """*keys* as Playwright writes them ("Control+k"), pressed and let go."""
    names = keys.split("+") if len(keys) > 1 else [keys]
    codes = [KEYS.get(name, name) for name in names]
    down = [{"type": "keyDown", "value": code} for code in codes]
    return down + [{"type": "keyUp", "value": code} for code in reversed(codes)]
