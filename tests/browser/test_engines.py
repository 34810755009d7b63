"""The engines themselves: a page means the same to a test in all three."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from playwright.sync_api import Error, Page, expect

from .conftest import Visit
from .engines import ENGINES

pytestmark = [pytest.mark.browser, pytest.mark.engines(*ENGINES)]

PAGE = """<!doctype html><html lang="en"><title>A page</title>
<h1>Two  words</h1>
<p hidden>Not to be seen</p>
<label>Name <input></label>
<div id="host"></div>
<script>
  const root = host.attachShadow({ mode: "open" });
  root.innerHTML = "<button>Open it</button><button aria-pressed=true>Open</button><textarea>" +
    "</textarea><ul><li>One<li>Two</ul>";
  window.heard = [];
  for (const type of ["click", "keydown", "input"])
    addEventListener(type, (event) => heard.push(
      `${type} ${event.key ?? event.composedPath()[0].localName} ${event.isTrusted}`));
  root.querySelector("button").onclick = () => setTimeout(() => root.querySelector("h2") ||
    root.prepend(Object.assign(document.createElement("h2"), { textContent: "Opened" })), 50);
</script>"""


@pytest.fixture
def page(visit: Visit) -> Page:
    return visit(f"data:text/html,{quote(PAGE)}")


def test_elements_are_found_by_what_they_are_to_people(page: Page) -> None:
    expect(page.get_by_role("heading", name="two words")).to_have_text("Two words")
    expect(page.get_by_text("Not to be seen")).to_be_hidden()
    expect(page.get_by_role("button", name="Open")).to_have_count(2)
    expect(page.get_by_role("button", name="Open", exact=True)).to_be_visible()
    expect(page.get_by_role("button", pressed=True)).to_have_text(re.compile("^open$", re.I))
    expect(page.locator("li").filter(has_text="Two")).to_have_text("Two")
    expect(page.get_by_role("listitem").nth(1)).to_have_text("Two")
    assert page.get_by_role("listitem").all_inner_texts() == ["One", "Two"]
    assert not page.get_by_role("heading", name="Opened").is_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page).to_have_title("A page")
    expect(page).not_to_have_url("about:blank")


def test_clicks_and_keys_are_a_persons(page: Page) -> None:
    page.get_by_role("button", name="Open it").click()
    expect(page.get_by_role("heading", name="Opened")).to_be_visible()  # it is waited for
    page.get_by_label("Name").fill("Ann")
    expect(page.get_by_label("Name")).to_have_value("Ann")
    box = page.locator("textarea")
    box.press("Shift+Enter")
    page.keyboard.type("a/B")
    expect(box).to_be_focused()
    expect(box).to_have_value("\na/B")
    heard = page.evaluate("heard")
    assert "click button true" in heard
    assert [one for one in heard if one.startswith("keydown")][-3:] == [
        "keydown a true", "keydown / true", "keydown B true",
    ]  # fmt: skip


def test_what_is_wrong_is_said(page: Page) -> None:
    with pytest.raises(Error, match="strict mode violation"):
        page.get_by_role("button", name="Open").click()
    with pytest.raises(Error, match="Timeout"):
        page.get_by_role("button", name="Shut").click(timeout=100)
    with pytest.raises(AssertionError, match=r"(?s)expected to have text 'Three'.*Two words"):
        expect(page.locator("h1")).to_have_text("Three", timeout=100)
    with pytest.raises(AssertionError, match="expected not to be visible"):
        expect(page.locator("h1")).not_to_be_visible(timeout=100)
    with pytest.raises(AssertionError, match="expected to be visible"):
        expect(page.get_by_text("Nowhere")).to_be_visible(timeout=100)
    with pytest.raises(AssertionError, match=r"(?s)title expected to be 'Another'.*A page"):
        expect(page).to_have_title("Another", timeout=100)
    with pytest.raises(Error, match="too bad"):
        page.evaluate("() => { throw new Error('too bad') }")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_windows_are_as_large_and_as_dark_as_asked(visit: Visit, scheme: str) -> None:
    size = {"width": 390, "height": 844}
    page = visit("data:text/html,", viewport=size, color_scheme=scheme, reduced_motion="reduce")
    assert page.evaluate("[innerWidth, innerHeight]") == [390, 844]
    assert page.evaluate(f"matchMedia('(prefers-color-scheme: {scheme})').matches")
    assert page.evaluate("matchMedia('(prefers-reduced-motion: reduce)').matches")
    assert page.evaluate("document.hasFocus()")
