"""Whatever a page does to its looks, the chat is in the corner of the window."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from testkit import LiveServer

from .conftest import DESK, PHONE, Visit
from .site import TAG, Site, corner, launchers

pytestmark = pytest.mark.browser

LONG = "<div style='height: 3000px'>A long page.</div>"

#: each of these makes an element the window of what is fixed in it
TRAPPING = {
    "filter": "filter: grayscale(1)",
    "transform": "transform: translateX(0)",
    "scale": "scale: 0.9",
    "will-change": "will-change: transform",
    "contain": "contain: paint",
    "perspective": "perspective: 100px",
    "backdrop": "backdrop-filter: blur(2px)",
    "container": "container-type: inline-size",
}


@pytest.fixture
def site(visit: Visit, plain: LiveServer) -> Site:
    return Site(visit, plain)


def middle(page: Page) -> tuple[float, float]:
    """Of the launcher."""
    box = page.locator("csapp-widget .launcher").bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def is_in_the_corner(page: Page, gap: int = 24) -> None:
    """Launcher and panel, whole, where one can click them; and the page has not moved."""
    expect(launchers(page)).to_be_visible()
    assert corner(page) == [gap, gap]
    page.evaluate("csapp('open')")
    panel = page.locator("csapp-widget .panel")
    expect(panel).to_be_visible()
    panel.evaluate("panel => Promise.all(panel.getAnimations().map((one) => one.finished))")
    box, size = panel.bounding_box(), page.viewport_size
    assert box
    assert size
    assert box["x"] >= 0
    assert box["y"] >= 0
    assert box["x"] + box["width"] <= size["width"]
    assert box["y"] + box["height"] <= size["height"]
    assert corner(page) == [gap, gap]
    assert page.evaluate("scrollY") == 0
    page.keyboard.type("Hello")
    expect(page.get_by_role("textbox", name="Your question")).to_have_value("Hello")
    page.mouse.click(*middle(page))
    expect(panel).to_be_hidden()
    assert page.evaluate("scrollY") == 0


@pytest.mark.parametrize("trap", TRAPPING)
@pytest.mark.parametrize("where", ["body", "html", "own"])
def test_nothing_is_the_window_but_the_window(site: Site, where: str, trap: str) -> None:
    element = f"<div style='{TRAPPING[trap]}'><csapp-widget></csapp-widget></div>"
    head = f"<style>{where if where != 'own' else 'i'} {{ {TRAPPING[trap]} }}</style>"
    site.has("one", LONG + (element if where == "own" else "") + TAG, head)
    page = site.goes("one")
    is_in_the_corner(page)
    page.mouse.move(0, 0)
    expect(launchers(page)).to_have_css("transform", "none")
    page.evaluate("scrollTo(0, 500)")
    assert corner(page) == [24, 24]


@pytest.mark.parametrize(
    ("where", "size"),
    [("body", DESK), ("html", DESK), ("body", PHONE)],
    ids=["body-desk", "html-desk", "body-phone"],
)
@pytest.mark.parametrize("zoom", [0.8, 1.5])
def test_pages_that_are_zoomed(
    visit: Visit, plain: LiveServer, zoom: float, where: str, size: dict[str, int]
) -> None:
    site = Site(visit, plain, viewport=size)
    site.has("one", LONG + TAG, f"<style>{where} {{ zoom: {zoom} }}</style>")
    gap = round(24 * zoom) if where == "html" else 24
    page = site.goes("one")
    if size == DESK:
        is_in_the_corner(page, gap)
        return
    page.evaluate("csapp('open')")
    panel = page.locator("csapp-widget .panel")
    expect(panel).to_be_visible()
    panel.evaluate("panel => Promise.all(panel.getAnimations().map((one) => one.finished))")
    box = panel.bounding_box()
    assert box
    # without the page's scrollbar, which takes room in Firefox
    seen = page.evaluate("[visualViewport.width, visualViewport.height].map(Math.round)")
    assert [round(box[side]) for side in ("x", "y", "width", "height")] == [0, 0, *seen]


def test_a_page_that_becomes_such_a_window_later(site: Site) -> None:
    site.has("one", f"<main>{LONG}<csapp-widget></csapp-widget></main>" + TAG)
    page = site.goes("one")
    expect(launchers(page)).to_be_visible()
    page.evaluate("document.querySelector('main').style.transform = 'translateX(0)'")
    page.evaluate("csapp('open')")
    expect(page.locator("csapp-widget .panel")).to_be_visible()
    assert corner(page) == [24, 24]


def test_whoever_writes_meanwhile_goes_on(site: Site) -> None:
    """The chat is drawn anew then: the focus stays, and what is seen of a long text."""
    site.has("one", TAG)
    page = site.goes("one")
    page.evaluate("csapp('open')")
    box = page.get_by_role("textbox", name="Your question")
    expect(box).to_be_focused()
    box.fill("line\n" * 40)
    page.keyboard.type("Hel")
    scrolled = box.evaluate("box => box.scrollTop")
    assert scrolled > 0
    page.evaluate("document.documentElement.style.transform = 'translateX(0)'")
    page.evaluate("dispatchEvent(new Event('resize'))")
    assert corner(page) == [24, 24]
    page.keyboard.type("lo")
    expect(box).to_have_value(re.compile("\nHello$"))
    assert box.evaluate("box => box.scrollTop") == scrolled
