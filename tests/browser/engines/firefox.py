"""Debian's Firefox, driven by Playwright over WebDriver BiDi.

Playwright emulates colours and motion by a command that Firefox does not have; `bidi.py`
answers it in Firefox's place. What it asks for is set by Firefox's own preferences instead, so
there is one Firefox for each look, started when a test wants it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from playwright.sync_api import Browser, BrowserContext, Error, Page, Playwright

from .lacking import lacking

#: starts Firefox behind `bidi.py`
EXECUTABLE = Path(__file__).with_name("firefox.sh")
#: options of `new_context` that preferences stand for; as most tests want them
USUAL = {"color_scheme": "light", "reduced_motion": "reduce", "forced_colors": "none"}


def preferences(look: dict[str, str]) -> dict[str, str | float | bool]:
    """What makes Firefox look so."""
    chosen: dict[str, str | float | bool] = {
        "layout.css.prefers-color-scheme.content-override": int(look["color_scheme"] != "dark"),
        "ui.prefersReducedMotion": int(look["reduced_motion"] == "reduce"),
    }
    if look.get("scripts") == "off":
        chosen["javascript.enabled"] = False
    if look["forced_colors"] == "active":
        chosen |= {"ui.useAccessibilityTheme": 1, "browser.display.document_color_use": 2}
    return chosen


def _refuse(page: Page) -> None:
    """Skip what *page* would take, and nothing would happen."""
    listens = page.on

    def on(event: Any, heard: Any) -> None:
        if event == "websocket":
            lacking("Firefox", "tell of connections")
        listens(event, heard)

    page.on = on  # type: ignore[method-assign,assignment]
    page.emulate_media = lambda **look: lacking("Firefox", "change its look")  # type: ignore[method-assign]
    page.expect_download = lambda **options: lacking("Firefox", "tell of downloads")  # type: ignore[method-assign]


class Firefox:
    """As much of Playwright's `Browser` as tests use."""

    def __init__(self, playwright: Playwright, **preset: str | float | bool) -> None:
        self._playwright, self._preset = playwright, preset
        self._started: dict[tuple[tuple[str, str], ...], Browser] = {}

    def new_context(self, **options: Any) -> BrowserContext:
        """A session, in the Firefox that has its look."""
        look = USUAL | {name: options.pop(name) for name in USUAL if name in options}
        if options.pop("java_script_enabled", True) is False:
            look["scripts"] = "off"
        browser = self._started.get(key := tuple(sorted(look.items())))
        if not browser or not browser.is_connected():  # or it has crashed
            browser = self._started[key] = self._playwright.firefox.launch(
                channel="moz-firefox",
                executable_path=EXECUTABLE,
                env=os.environ | {"CSAPP_TEST_PYTHON": sys.executable},
                firefox_user_prefs=preferences(look) | self._preset,
            )
        for name in options.keys() & {"has_touch", "is_mobile", "permissions"}:
            lacking("Firefox", f"make a session with {name}")
        context = browser.new_context(**options)
        # It takes these, and nothing happens.
        context.set_offline = lambda offline: lacking("Firefox", "cut connections")  # type: ignore[method-assign]
        context.on("page", _refuse)
        close = context.close

        def leave(**options: Any) -> None:
            """Leave the pages first: closed ones may stay connected while the next test begins."""
            for page in context.pages:
                with suppress(Error):
                    page.goto("about:blank")
            close(**options)

        context.close = leave  # type: ignore[method-assign]
        return context

    @property
    def version(self) -> str:
        """As Firefox says it."""
        context = self.new_context()
        said = context.browser.version if context.browser else ""
        context.close()
        return said

    def close(self) -> None:
        """All of them."""
        for browser in self._started.values():
            with suppress(Error):  # it has crashed
                browser.close()


@contextmanager
def launched(playwright: Playwright, **preset: str | float | bool) -> Iterator[Browser]:
    """A browser with *preset* preferences, closed at the end."""
    browser = Firefox(playwright, **preset)
    yield cast(Browser, browser)
    browser.close()
