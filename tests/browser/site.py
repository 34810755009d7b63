"""Pages of a host with the chat on them, of which a test writes the markup.

A host of `tests.browser.hosts` gives them out below `/site/`, and so it does the scripts of
others that pages load (`vendor/`).
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from playwright.sync_api import Locator, Page, WebSocket

from testkit import LiveServer
from testkit.server import PATIENCE

from .engines import engine_of
from .until import PAUSE

if TYPE_CHECKING:
    from .conftest import Run, Visit

_FOLDER = TemporaryDirectory(prefix="csapp-pages-")
_NUMBERS = count()

OPEN = re.compile(r'csapp_connections{role="user"} (\S+)')

#: how a page has the chat; `{src}` is the script's address
TAG = "<script async src='{src}'></script>"

PAGE = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>{path}</title>
    <link rel="icon" href="data:,">
    {head}
  </head>
  <body {attributes}><h1>{path}</h1>{body}</body>
</html>
"""


def house(run: Run, app: str = "plain", env: Mapping[str, str] | None = None) -> LiveServer:
    """A host that has pages, its chat under `/support`."""
    settings = {"SITE": _FOLDER.name, "CSAPP_MESSAGE_RATE": "0", **(env or {})}
    return run(f"tests.browser.hosts:{app}", prefix="/support", env=settings)


class Site:
    """A browser session at *server*, a `house`; *expected* and *options* as for `visit`."""

    def __init__(
        self, visit: Visit, server: LiveServer, expected: tuple[str, ...] = (), **options: object
    ) -> None:
        own = str(next(_NUMBERS))
        parts = urlsplit(server.url)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.root = f"{self.origin}/site/{own}"
        self.src = f"{server.url}/widget.js"
        self.page: Page = visit("about:blank", expected=expected, house=parts.netloc, **options)
        self._server = server
        self._sockets: list[WebSocket] = []
        self._tells = engine_of(self.page) == "chromium"
        if self._tells:
            self.page.on("websocket", self._opened)
        self._folder = Path(_FOLDER.name, own)
        self._folder.mkdir()

    def _opened(self, socket: WebSocket) -> None:
        self._sockets.append(socket)

    def file(self, path: str, text: str) -> None:
        """*text* is at *path*; `{src}` in it stands for the address of the widget's script."""
        (self._folder / path).write_text(text.replace("{src}", self.src))

    def has(self, path: str, body: str = TAG, head: str = "", attributes: str = "") -> None:
        """A page at *path*, as `PAGE`."""
        self.file(path, PAGE.format(path=path, body=body, head=head, attributes=attributes))

    def goes(self, path: str) -> Page:
        """The page at *path*, loaded as browsers do."""
        self.page.goto(f"{self.root}/{path}")
        return self.page

    def has_one_connection(self) -> None:
        """Fails unless just one is open; where no browser tells, as soon as the server says so."""
        if self._tells:
            assert sum(not socket.is_closed() for socket in self._sockets) == 1
        else:
            self._counts(1)

    def closes(self) -> None:
        """Wait until none is."""
        for socket in self._sockets:
            if not socket.is_closed():
                socket.wait_for_event("close")
        if not self._tells:
            self._counts(0)

    def _counts(self, expected: int) -> None:
        """Wait until the server has so many visitors' connections."""
        last = time.monotonic() + PATIENCE
        while (count := int(float(OPEN.findall(self._server.get("/metrics"))[0]))) != expected:
            assert time.monotonic() < last, f"{count} connections"
            self.page.wait_for_timeout(PAUSE)


def launchers(page: Page) -> Locator:
    """The buttons that are seen."""
    return page.locator("csapp-widget .launcher").filter(visible=True)


def corner(page: Page) -> list[int]:
    """How far the launcher is from the right and the lower edge of the window."""
    box = page.locator("csapp-widget .launcher").bounding_box()
    assert box
    # without the page's scrollbars
    width, height = page.evaluate("[visualViewport.width, visualViewport.height]")
    return [round(width - box["x"] - box["width"]), round(height - box["y"] - box["height"])]


def focused(page: Page) -> str:
    """The class or the tag of what has the focus in the chat; empty: nothing there."""
    found: str = page.evaluate(
        """() => {
          const one = document.querySelector("csapp-widget").shadowRoot.activeElement;
          return one ? one.className || one.localName : "";
        }"""
    )
    return found
