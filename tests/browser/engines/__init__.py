"""The browsers in which the pages are tried: Debian's Chromium, Firefox and WebKit.

Each is started by its own module, and speaks as a `Browser` of Playwright does, so
that a test is written once. Chromium and Firefox are driven by Playwright itself; WebKit by
WebDriver (`webkit.py`), behind what tests use of Playwright's pages.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from playwright.sync_api import Browser, Page, Playwright

from . import chromium, firefox, webkit

#: a browser, closed at the end
Launched = Callable[[Playwright], AbstractContextManager[Browser]]

ENGINES: dict[str, Launched] = {
    "chromium": chromium.launched,
    "firefox": firefox.launched,
    "webkit": webkit.launched,
}
#: the whole Chromium, for what its headless shell does not have: `@pytest.mark.engines(WHOLE)`
WHOLE = "whole"
LAUNCHED = ENGINES | {WHOLE: chromium.whole}


def engine_of(page: Page) -> str:
    """The name of the engine that *page* is in: `chromium`, `firefox` or `webkit`."""
    browser = page.context.browser
    assert browser
    return browser.browser_type.name
