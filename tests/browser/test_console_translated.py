"""The console under a browser's translator, which puts elements in the place of texts."""

from __future__ import annotations

from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from testkit import LiveServer

from .conftest import Visit
from .console import arrived, box, chat, get_ready, link, log, reply
from .guest import Guest
from .until import until

pytestmark = pytest.mark.browser

#: What translators do to all texts that are there, and to those that come: another text, in two
#: elements, takes the place of each.
TRANSLATOR = """
    () => {
      const skipped = "script, style, textarea, font";
      const translate = (root) => {
        const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
        const found = [];
        while (walker.nextNode()) found.push(walker.currentNode);
        for (const text of found) {
          if (!text.parentElement || text.parentElement.closest(skipped)) continue;
          const [outer, inner] = [document.createElement("font"), document.createElement("font")];
          inner.append(document.createTextNode(text.data));
          outer.append(inner);
          text.replaceWith(outer);
        }
      };
      translate(document.body);
      if (window.goesOn) {
        const come = (records) => records.flatMap(({ addedNodes }) => [...addedNodes])
          .forEach((node) => node.parentElement && translate(node.parentElement));
        new MutationObserver(come).observe(document.body, { childList: true, subtree: true });
      }
    }
"""

#: Both tabs are looked at, so nothing is new in only one of them; in Chromium's driver they are
#: anyway, in Firefox only the one in front.
LOOKED_AT = """
    document.hasFocus = () => true;
    Object.defineProperty(document, "hidden", { value: false });
    Object.defineProperty(document, "visibilityState", { value: "visible" });
"""

#: whether this page and the one that opened it show the same, counters left out
SAME = """
    () => {
      const shown = ({ body }) => {
        const page = body.cloneNode(true);
        page.querySelectorAll(".since, .banner, .unseen").forEach((one) => one.remove());
        return page.textContent.replace(/\\s+/g, " ");
      };
      return shown(document) === shown(opener.document);
    }
"""


def looked_at(desk: LiveServer, visit: Visit) -> Page:
    """A console that is ready, all of whose tabs are looked at."""
    page = visit("about:blank", house=urlsplit(desk.url).netloc)
    page.context.add_init_script(LOOKED_AT)
    page.goto(link(desk))
    return get_ready(arrived(page))


@pytest.mark.parametrize("goes_on", [False, True], ids=["once", "always"])
def test_a_translated_console_shows_what_an_untranslated_one_shows(
    desk: LiveServer, visit: Visit, goes_on: bool
) -> None:
    """Two tabs of one login: whatever happens, both show the same, and nothing of before."""
    plain = looked_at(desk, visit)
    plain.get_by_role("button", name="Fewer chats at once").click(click_count=3)
    expect(plain.get_by_text("0 of 2 chats")).to_be_visible()
    with plain.expect_popup() as opened:
        plain.evaluate("() => { window.open(location.href) }")
    page = arrived(opened.value)
    expect(page.get_by_text("0 of 2 chats")).to_be_visible()
    page.evaluate(f"window.goesOn = {str(goes_on).lower()}")
    page.evaluate(TRANSLATOR)

    def same() -> None:
        until(page, SAME)

    def both(name: str) -> None:
        for one in (plain, page):
            chat(one, name).click()
        same()

    same()
    with ExitStack() as stack:
        ann = stack.enter_context(Guest(desk, "ann", "Ann", page="https://shop.example/a"))
        ann.is_served()
        bob = stack.enter_context(Guest(desk, "bob", "Bob"))
        bob.is_served()
        both("Ann")
        expect(page.get_by_role("main").get_by_role("heading")).to_have_text("Ann")
        both("Bob")
        expect(page.get_by_role("main").get_by_role("heading")).to_have_text("Bob")
        # nobody, two, nobody in line
        with Guest(desk, "cleo", "Cleo") as cleo, Guest(desk, "dan", "Dan") as dan:
            for one in (plain, page):
                expect(one.get_by_role("region", name="In line")).to_contain_text("2 visitors")
            same()
            for guest in (cleo, dan):
                guest.tells("disconnect")
            for one in (plain, page):
                expect(one.get_by_role("region", name="In line")).not_to_contain_text("visitors")
            same()
        bob.writes("Where is it?")
        bob.tells("typing", on=True)
        expect(log(plain)).to_contain_text("Bob is typing")
        same()
        reply(plain, "Bob", "On its way.")
        assert bob.reads() == "On its way."
        bob.tells("read", seq=3)
        expect(log(plain)).to_contain_text("Read")
        same()
        if not goes_on:
            page.evaluate(TRANSLATOR)
        both("Ann")
        both("Bob")
        bob.leaves()
        expect(plain.get_by_text("This chat has ended.")).to_be_visible()
        same()
        plain.get_by_role("button", name="Away", exact=True).click()
        same()


def test_counters_go_on(desk: LiveServer, visit: Visit) -> None:
    page = get_ready(arrived(visit(link(desk))))
    with Guest(desk, "ann", "Ann") as ann:
        ann.is_served()
        ann.writes("Hello?")
        waits = chat(page, "Ann").locator(".since")
        expect(waits).to_be_visible()
        page.evaluate(TRANSLATOR)
        before = waits.inner_text()
        expect(waits).not_to_have_text(before)
        box(page, "Ann").fill("Good day")
        page.get_by_role("button", name="End chat").click()
        counts = page.locator(".ending .since")
        expect(counts).to_be_visible()
        page.evaluate(TRANSLATOR)
        before = counts.inner_text()
        expect(counts).not_to_have_text(before)
        page.get_by_role("button", name="Undo").click()
        expect(page.locator(".ending")).to_have_count(0)


def test_a_language_that_is_chosen_leaves_nothing_of_the_one_before(
    desk: LiveServer, visit: Visit
) -> None:
    page = arrived(visit(link(desk)))
    page.get_by_role("button", name="Settings").click()
    page.evaluate(TRANSLATOR)
    page.locator(".settings select").select_option("zh")
    expect(page.locator("html")).to_have_attribute("lang", "zh")
    left = "() => [...document.querySelectorAll('.settings, .bar')].map((one) => one.textContent)"
    until(page, f"() => !/Settings|Sound|Console|browser/.test(({left})().join())")
