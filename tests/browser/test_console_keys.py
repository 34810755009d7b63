"""Keys of the console: those of input methods, of other layouts, and those pressed by accident."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from testkit import LiveServer

from .conftest import PHONE, Visit
from .console import (
    arrived,
    box,
    chat,
    chats,
    duty,
    expect_chosen,
    expect_dialog,
    get_ready,
    link,
    log,
)
from .guest import Guest

pytestmark = pytest.mark.browser

#: as Safari does it: the composing has ended before its key is told of
COMPOSED = """
    (place, key) => {
      const tell = (event) => place.dispatchEvent(event);
      tell(new CompositionEvent("compositionstart", { bubbles: true }));
      tell(new CompositionEvent("compositionend", { bubbles: true, data: "你好" }));
      return tell(new KeyboardEvent("keydown",
        { key, code: key, keyCode: 229, bubbles: true, cancelable: true, composed: true }));
    }
"""

PRESSED = """
    (press) => document.activeElement.dispatchEvent(
      new KeyboardEvent("keydown", { bubbles: true, cancelable: true, composed: true, ...press }))
"""


def compose(page: Page, key: str) -> None:
    """An input method takes *key* where the focus is."""
    focused = page.evaluate_handle("document.activeElement").as_element()
    assert focused
    page.evaluate(f"([place, key]) => ({COMPOSED})(place, key)", [focused, key])


def press(page: Page, key: str, code: str, **more: Any) -> None:
    """A key of any layout: what is on it, and where it is."""
    page.evaluate(PRESSED, {"key": key, "code": code, **more})


# ---- input methods -----------------------------------------------------------------


def test_a_key_of_an_input_method_sends_and_chooses_nothing(desk: LiveServer, visit: Visit) -> None:
    ada = get_ready(arrived(visit(link(desk))))
    header = {"Authorization": f"Bearer {desk.token('waiter', 'ada')}"}
    for shortcut in ("hello", "thanks"):
        kept = {"shortcut": shortcut, "text": f"The text of {shortcut}", "shared": False}
        assert ada.request.post(f"{desk.url}/v1/canned", data=kept, headers=header).ok
    ada.reload()
    expect(duty(ada, "Ready")).to_be_visible()
    with Guest(desk, "ann", "Ann") as ann:
        ann.is_served()
        chat(ada, "Ann").click()
        box(ada, "Ann").fill("ni hao")
        compose(ada, "Enter")
        expect(box(ada, "Ann")).to_have_value("ni hao")
        expect(log(ada).locator(".line")).to_have_count(0)

        box(ada, "Ann").fill("/")
        option = ada.get_by_role("option")
        expect(option).to_have_count(2)
        for key in ("ArrowDown", "Enter", "Tab", "Escape"):
            compose(ada, key)
        expect(option).to_have_count(2)
        expect(option.first).to_have_attribute("aria-selected", "true")
        expect(box(ada, "Ann")).to_have_value("/")
        box(ada, "Ann").fill("／than")  # a slash as an input method makes it
        expect(option).to_have_count(1)
        ada.keyboard.press("Enter")
        expect(box(ada, "Ann")).to_have_value("The text of thanks")

        ada.keyboard.press("Control+k")
        finder = expect_dialog(ada, "Find")
        ada.keyboard.type("an")
        expect(finder.get_by_role("option")).to_have_count(1)
        for key in ("ArrowDown", "Enter", "Escape"):
            compose(ada, key)
        expect(finder).to_be_visible()
        ada.keyboard.press("Escape")
        expect(finder).to_be_hidden()

        ada.keyboard.press("Escape")
        compose(ada, "Enter")
        compose(ada, "?")
        expect(ada.get_by_role("dialog")).to_have_count(0)
        expect(box(ada, "Ann")).not_to_be_focused()


# ---- layouts ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("next_", "end", "undo", "ready", "find", "question"),
    [
        ("о", "у", "г", "к", "л", "?"),  # Russian
        ("ξ", "ε", "θ", "ρ", "κ", "?"),  # Greek
        ("ت", "ث", "ع", "ق", "ن", "؟"),  # Arabic
        ("Unidentified",) * 6,
        ("ㅓ", "ㄷ", "ㅕ", "ㄱ", "ㅏ", "？"),  # Korean
    ],
    ids=["russian", "greek", "arabic", "unidentified", "korean"],
)
def test_a_layout_without_latin_letters(
    desk: LiveServer, visit: Visit, next_: str, end: str, undo: str, ready: str, find: str,
    question: str,
) -> None:  # fmt: skip
    ada = arrived(visit(link(desk)))
    press(ada, ready, "KeyR")
    expect(duty(ada, "Ready")).to_be_visible()
    with Guest(desk, "ann", "Ann") as ann, Guest(desk, "bob", "Bob") as bob:
        ann.is_served()
        bob.is_served()
        expect_chosen(ada, "Ann")
        expect(chats(ada)).to_have_count(2)
        press(ada, next_, "KeyJ")
        expect_chosen(ada, "Bob")
        ada.keyboard.press("Escape")
        press(ada, end, "KeyE")
        asked = expect_dialog(ada, "End the chat with Bob?")
        asked.get_by_role("button", name="End chat").click()
        expect(ada.get_by_text("This chat ends in")).to_be_visible()
        press(ada, undo, "KeyU")
        expect(ada.get_by_text("This chat ends in")).to_be_hidden()
        press(ada, find, "KeyK", ctrlKey=True)
        expect_dialog(ada, "Find")
        ada.keyboard.press("Escape")
        press(ada, question, "Slash", shiftKey=True)
        expect_dialog(ada, "Keyboard")


def test_a_latin_layout_goes_by_what_is_on_its_keys(desk: LiveServer, visit: Visit) -> None:
    """What stands where others have our letters is none of them."""
    ada = get_ready(arrived(visit(link(desk))))
    with Guest(desk, "ann", "Ann") as ann, Guest(desk, "bob", "Bob") as bob:
        ann.is_served()
        bob.is_served()
        expect_chosen(ada, "Ann")
        for key, code in [("é", "KeyJ"), (".", "KeyE"), ("p", "KeyR"), ("ş", "KeyK")]:
            press(ada, key, code)
        expect_chosen(ada, "Ann")
        expect(ada.get_by_role("dialog")).to_have_count(0)
        ada.keyboard.press("Escape")
        press(ada, "j", "KeyC")  # Dvorak
        expect_chosen(ada, "Bob")


# ---- by accident --------------------------------------------------------------------


def test_what_is_typed_beside_the_box_ends_nothing(desk: LiveServer, visit: Visit) -> None:
    ada = get_ready(arrived(visit(link(desk))))
    with Guest(desk, "ann", "Ann") as ann:
        ann.is_served()
        ann.writes("Hello?")
        log(ada).focus()
        ada.keyboard.type("here")
        expect(box(ada, "Ann")).to_have_value("here")
        ada.keyboard.press("Escape")
        box(ada, "Ann").fill("")
        log(ada).focus()
        ada.keyboard.type("every error, really\n")  # asks, and what follows does not answer
        expect(ada.get_by_role("dialog")).to_have_count(0)
        log(ada).focus()
        ada.keyboard.type("r")
        asked = expect_dialog(ada, "Take no more visitors?")
        ada.keyboard.type("eally ")
        expect(asked).to_be_hidden()
        log(ada).focus()
        ada.keyboard.down("e")
        ada.keyboard.down("e")  # held
        expect_dialog(ada, "End the chat with Ann?")
        ada.keyboard.press("Escape")
        expect(ada.get_by_role("dialog")).to_have_count(0)
        expect(duty(ada, "Ready")).to_be_visible()
        expect(ada.get_by_text("This chat ends in")).to_have_count(0)
        ann.writes("Still there?")
        expect(log(ada)).to_contain_text("Still there?")


@pytest.mark.parametrize("count", [1, 2])
def test_to_the_next_chat_and_on_writing_at_once(
    desk: LiveServer, visit: Visit, count: int
) -> None:
    ada = get_ready(arrived(visit(link(desk))))
    guests = [Guest(desk, name.lower(), name) for name in ("Ann", "Bob")[:count]]
    for guest in guests:
        guest.is_served()
    expect(chats(ada)).to_have_count(count)
    ada.keyboard.press("j")
    ada.keyboard.type("Hello, just keep reading.\n")
    assert guests[-1].reads() == "Hello, just keep reading."
    expect(ada.get_by_role("dialog")).to_have_count(0)
    expect(duty(ada, "Ready")).to_be_visible()
    guests[-1].tells("disconnect")  # an ended chat has no box, and is not put away by writing
    expect(ada.get_by_text("This chat has ended.")).to_be_visible()
    ada.keyboard.press("k")
    ada.keyboard.press("j")
    ada.keyboard.press("Escape")
    log(ada).focus()
    ada.keyboard.type("Hello there\n")
    expect(ada.get_by_role("dialog")).to_have_count(0)
    expect(chats(ada)).to_have_count(count)
    for guest in guests:
        guest.client.drop()


def test_single_letters_are_switched_off(desk: LiveServer, visit: Visit) -> None:
    """In the settings, for all tabs, and from then on; other keys stay."""
    ada = get_ready(arrived(visit(link(desk))))
    with Guest(desk, "ann", "Ann") as ann, Guest(desk, "bob", "Bob") as bob:
        ann.is_served()
        bob.is_served()
        other = ada.context.new_page()
        other.goto(f"{desk.url}/waiter")
        expect(duty(other, "Ready")).to_be_visible()
        chat(other, "Ann").click()
        ada.bring_to_front()
        expect(ada.get_by_role("button", name="End chat")).to_have_attribute("title", "E")
        ada.get_by_role("button", name="Settings").click()
        ada.get_by_label("Single letters are shortcuts").uncheck()
        ada.keyboard.press("Escape")
        for page in (ada, other):
            expect(page.get_by_role("button", name="End chat")).not_to_have_attribute("title", "E")
        ada.reload()
        for page in (ada, other):
            page.bring_to_front()
            expect_chosen(page, "Ann")
            log(page).focus()
            page.keyboard.type("jerk?u")
            expect(page.get_by_role("dialog")).to_have_count(0)
            expect_chosen(page, "Ann")
            expect(box(page, "Ann")).to_have_value("")
            page.keyboard.press("Alt+ArrowDown")
            expect_chosen(page, "Bob")
            expect(box(page, "Bob")).to_be_focused()
            page.keyboard.press("Control+k")
            expect_dialog(page, "Find")
            page.keyboard.press("Escape")
        ada.get_by_role("button", name="Keyboard").click()
        shown = expect_dialog(ada, "Keyboard")
        expect(shown.get_by_text("Single letters are switched off")).to_be_visible()
        expect(shown.get_by_text("Undo the end")).to_have_count(0)


def test_a_phone_is_told_of_no_keys(desk: LiveServer, visit: Visit) -> None:
    ada = get_ready(arrived(visit(link(desk), viewport=PHONE, has_touch=True, is_mobile=True)))
    with Guest(desk, "ann", "Ann") as ann:
        ann.is_served()
        expect(ada.get_by_role("button", name="Keyboard")).to_have_count(0)
        chat(ada, "Ann").tap()
        expect(box(ada, "Ann")).not_to_be_focused()
        expect(ada.get_by_role("button", name="End chat")).not_to_have_attribute("title", "E")
        ada.get_by_role("button", name="Settings").tap()
        expect_dialog(ada, "Settings")
        expect(ada.get_by_label("Single letters are shortcuts")).to_have_count(0)
        ada.keyboard.press("Escape")
        shown = ada.evaluate("[...document.querySelectorAll('[title]')].map(({ title }) => title)")
        assert not [one for one in shown if "Ctrl" in one or one in ("E", "Esc")]
