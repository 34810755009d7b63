"""Waiting for what only a script can see, under any policy of a page."""

from __future__ import annotations

import time
from typing import Any

from playwright.sync_api import Page, TimeoutError

from testkit.server import PATIENCE

#: ms between two looks
PAUSE = 20


def until(page: Page, expression: str, arg: Any = None) -> None:
    """Wait until *expression* is true of *page*; raises Playwright's `TimeoutError`.

    Playwright's `wait_for_function` calls `eval` in the page from its second look on, and a
    policy without `unsafe-eval` forbids that.
    """
    last = time.monotonic() + PATIENCE
    while not page.evaluate(expression, arg):
        if time.monotonic() > last:
            raise TimeoutError(f"never true: {expression}")
        page.wait_for_timeout(PAUSE)
