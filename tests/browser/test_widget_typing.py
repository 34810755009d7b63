"""pages.md rows 11, 17, 18, 20: what a visitor types, pastes and drops, on every keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from testkit import LiveServer

from .conftest import Visit
from .visitor import log, open_chat

pytestmark = pytest.mark.browser

#: the order of Safari: the composing ends before the key that ends it is told of
SAFARI = """
    (box, key) => {
      const say = (type, init) =>
        box.dispatchEvent(new (type === "keydown" ? KeyboardEvent : CompositionEvent)(type, {
          bubbles: true, cancelable: true, composed: true, ...init,
        }));
      say("compositionstart");
      say("compositionend", { data: box.value });
      return say("keydown", { key, keyCode: 229, isComposing: false });
    }
"""


@pytest.fixture
def page(bystander: LiveServer, visit: Visit) -> Page:
    return open_chat(visit(f"{bystander.url}/"))


# ---- input methods ---------------------------------------------------------


def test_the_enter_that_ends_composing_sends_nothing(page: Page) -> None:
    box = page.get_by_role("textbox")
    box.fill("にほんご")
    assert box.evaluate(SAFARI, "Enter"), "the key stays the input method's"
    expect(box).to_have_value("にほんご")
    expect(log(page)).to_be_hidden()


def test_the_escape_that_ends_composing_closes_nothing(page: Page) -> None:
    box = page.get_by_role("textbox")
    box.fill("にほんご")
    assert box.evaluate(SAFARI, "Escape")
    expect(page.get_by_role("dialog")).to_be_visible()
