"""The demo as it is met: a shop, its chat, and what is behind its counter."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from testkit import LiveServer

from .conftest import Axe, Run, Screenshot, View, Visit
from .engines import engine_of

pytestmark = pytest.mark.browser


@pytest.fixture
def demo(run: Run) -> LiveServer:
    """The shop; its waiters are said to be able to sign in."""
    return run("csapp:create_demo()", env={"DEMO_WAITERS": "demo-ada demo-lin"})


def test_every_page_of_the_shop(
    demo: LiveServer, visit: Visit, view: View, axe: Axe, screenshot: Screenshot
) -> None:
    page = visit(f"{demo.url}/", **view)
    expect(page.get_by_role("button", name="Open chat")).to_be_visible()
    axe(page)
    screenshot(page, "shop")
    page.get_by_text("Behind the counter").click()
    expect(page.get_by_text("ada-at-the-desk")).to_be_visible()
    axe(page)
    screenshot(page, "shop-counter")
    page.get_by_role("link", name="Harbour teapot").click()
    expect(page.get_by_role("heading", name="Harbour teapot")).to_be_visible()
    axe(page)
    screenshot(page, "shop-piece")
    assert page.evaluate("document.documentElement.scrollWidth") <= view["viewport"]["width"]
    page.get_by_role("button", name="Ask about it").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    screenshot(page, "shop-chat")
    if engine_of(page) == "firefox":
        pytest.skip(
            "Firefox 153 crashes when axe-core looks at this panel; all before it was tried"
        )
    axe(page)


def test_the_console_has_a_window_of_its_own(demo: LiveServer, visit: Visit) -> None:
    page = visit(f"{demo.url}/")
    page.get_by_text("Behind the counter").click()
    with page.expect_popup() as opened:
        page.get_by_role("link", name="console").click()
    expect(opened.value.get_by_role("heading", name="Sign in")).to_be_visible()
