"""Debian's Chromium, as every test starts it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Playwright

EXECUTABLE = "/usr/bin/chromium"
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
