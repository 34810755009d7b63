"""Debian's Chromium, as every test starts it.

Its headless shell where there is one: the same engine without the browser's own windows, for a
third of the processor's time. What the shell does not have (notifications, pages that are kept
for *Back*) is tried in the whole browser, and `CHROMIUM=/usr/bin/chromium` chooses that for all.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Playwright

WHOLE = "/usr/bin/chromium"
EXECUTABLE = os.environ.get("CHROMIUM") or shutil.which("chromium-headless-shell") or WHOLE
#: it runs as root in containers, and has no business outside this machine
FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@contextmanager
def launched(playwright: Playwright) -> Iterator[Browser]:
    """A browser, closed at the end."""
    browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=FLAGS)
    yield browser
    browser.close()


@contextmanager
def whole(playwright: Playwright) -> Iterator[Browser]:
    """The whole browser, which keeps pages for *Back*: `go_back(wait_until="commit")`."""
    browser = playwright.chromium.launch(
        executable_path=WHOLE, args=FLAGS, ignore_default_args=["--disable-back-forward-cache"]
    )
    yield browser
    browser.close()
