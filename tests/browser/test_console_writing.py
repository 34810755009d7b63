"""Writing on the console: texts that are too long, what is pasted and dropped, what has failed."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from testkit import LiveServer

from .conftest import Axe, Run, Screenshot, View, Visit
from .console import (
    arrived,
    box,
    chat,
    expect_dialog,
    get_ready,
    line,
    link,
    log,
    reply,
    unaware,
)
from .guest import Guest
from .until import until

pytestmark = pytest.mark.browser

#: drop or paste what *make* puts into a DataTransfer; whether the browser would still act on it
GIVEN = """
    (place, [type, make]) => {
      const data = new DataTransfer();
      const file = (name) => new File([new Uint8Array(8)], name, { type: "image/png" });
      if (make.file) data.items.add(file(make.file));
      for (const [kind, text] of Object.entries(make.texts ?? {})) data.setData(kind, text);
      const options = { bubbles: true, cancelable: true, composed: true };
      if (type === "paste") {
        const event = new ClipboardEvent("paste", options);
        Object.defineProperty(event, "clipboardData", { value: data }); // Firefox makes one empty
        return place.dispatchEvent(event);
      }
      const over = place.dispatchEvent(
        new DragEvent("dragover", { ...options, dataTransfer: data }));
      const drop = place.dispatchEvent(new DragEvent("drop", { ...options, dataTransfer: data }));
      return over || drop;
    }
"""

NO_FILES = "Pictures and files cannot be sent here."


def given(page: Page, where: str, how: str, **make: object) -> bool:
    """Whether the browser may still do what it does by itself."""
    return bool(page.locator(where).first.evaluate(GIVEN, [how, make]))


# ---- long texts --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("most", "text", "over"),
    [
        ("4096", "a" * 5997 + "END", 1904),
        ("500", "a" * 600, 100),
        ("500", "😀" * 500 + "ab", 2),
        ("500", "  " + "a" * 501 + "\n\n", 1),
        ("20000", "😀" * 20_000, 5000),  # more bytes than a frame holds
    ],
    ids=["default", "small", "emoji", "blanks", "bytes"],
)
def test_too_long_is_said_before_it_is_sent(
    run: Run, env: dict[str, str], visit: Visit, most: str, text: str, over: int
) -> None:
    """Nothing is cut, and it is counted as the server counts."""
    server = run(env={**env, "CSAPP_MAX_TEXT": most})
    ada = get_ready(arrived(visit(link(server))))
    with Guest(server, "ann", "Ann") as ann:
        ann.is_served()
        box(ada, "Ann").fill(text)
        expect(box(ada, "Ann")).to_have_value(text)
        said = ada.locator(".said")
        expect(said).to_have_text(re.compile(rf"^{over} characters? too long$"))
        expect(box(ada, "Ann")).to_have_attribute("aria-invalid", "true")
        expect(ada.get_by_role("button", name="Send")).to_be_disabled()
        box(ada, "Ann").press("Enter")
        expect(box(ada, "Ann")).to_have_value(text)
        expect(log(ada).locator(".line")).to_have_count(0)
        fitting = text.strip()[: min(int(most), 14_000)]
        box(ada, "Ann").fill(fitting)
        expect(said).to_be_empty()
        box(ada, "Ann").press("Enter")
        assert ann.reads() == fitting


def test_as_many_emoji_as_the_server_takes(run: Run, env: dict[str, str], visit: Visit) -> None:
    server = run(env=env)
    ada = get_ready(arrived(visit(link(server))))
    with Guest(server, "ann", "Ann") as ann:
        ann.is_served()
        reply(ada, "Ann", "😀" * 3000)
        assert ann.reads() == "😀" * 3000


def test_nothing_else_is_cut_either(run: Run, env: dict[str, str], visit: Visit) -> None:
    """Canned replies and the words of a search."""
    server = run(env={**env, "CSAPP_MAX_TEXT": "500"})
    ada = arrived(visit(link(server)))
    ada.get_by_role("button", name="Canned replies").click()
    dialog = expect_dialog(ada, "Canned replies")
    dialog.get_by_role("button", name="New reply").click()
    dialog.get_by_label("Shortcut").fill("long")
    dialog.get_by_label("Text", exact=True).fill("a" * 600)
    expect(dialog.get_by_text("100 characters too long")).to_be_visible()
    expect(dialog.get_by_role("button", name="Save")).to_be_disabled()
    dialog.get_by_label("Text", exact=True).fill("a" * 500)
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("listitem")).to_have_count(1)
    ada.keyboard.press("Escape")
    ada.keyboard.press("Control+k")
    finder = expect_dialog(ada, "Find")
    finder.get_by_role("combobox").fill("a" * 203)
    expect(finder.get_by_role("combobox")).to_have_value("a" * 203)
    expect(finder.get_by_text("3 characters too long")).to_be_visible()


def test_what_failed_is_edited_and_sent_again(run: Run, env: dict[str, str], visit: Visit) -> None:
    """Also what this page held for short enough: the server's word counts."""
    server = run(env={**env, "CSAPP_MAX_TEXT": "10"})
    page = visit(link(server))
    unaware(page, 10)
    page.reload()
    ada = get_ready(arrived(page))
    with Guest(server, "ann", "Ann") as ann:
        ann.is_served()
        reply(ada, "Ann", "So is this, by far.")
        failed = line(ada, "So is this, by far.")
        expect(failed).to_contain_text("Not sent. At most 10 characters.")
        expect(log(ada)).not_to_contain_text("payload")
        box(ada, "Ann").fill("Begun.")
        failed.get_by_role("button", name="Edit").click()
        expect(failed).to_have_count(0)
        expect(box(ada, "Ann")).to_be_focused()
        expect(box(ada, "Ann")).to_have_value("Begun.\nSo is this, by far.")
        reply(ada, "Ann", "Shorter.")
        assert ann.reads() == "Shorter."


# ---- pasted and dropped ------------------------------------------------------------


@pytest.mark.parametrize("how", ["paste", "drop"])
@pytest.mark.parametrize("where", ["#composer", ".log", ".row", "body"])
def test_a_picture_is_never_taken_in_silence(run: Run, visit: Visit, how: str, where: str) -> None:
    """Where the site takes no files."""
    server = run(env={"CSAPP_FILES_URL": "off"})
    ada = get_ready(arrived(visit(link(server))))
    with Guest(server, "ann", "Ann") as ann:
        ann.is_served()
        expect(box(ada, "Ann")).to_be_visible()
        assert not given(ada, where, how, file="shot.png")
        expect(ada.locator(".said")).to_have_text(NO_FILES)
        expect(box(ada, "Ann")).to_have_value("")
        box(ada, "Ann").fill("Well")
        expect(ada.locator(".said")).to_be_empty()
        assert not given(ada, where, how, texts={"text/html": "<img src='a.png'>"})
        expect(ada.locator(".said")).to_have_text(NO_FILES)
        box(ada, "Ann").fill("Well, well")
        expect(ada.locator(".said")).to_be_empty()
        ann.leaves()
        expect(ada.get_by_text("This chat has ended.")).to_be_visible()
        assert not given(ada, "body", how, file="shot.png")
        expect(ada.get_by_role("alert")).to_contain_text(NO_FILES)


def test_a_table_is_pasted_as_text(server: LiveServer, visit: Visit) -> None:
    """Which office programs hand over as a picture, too."""
    ada = get_ready(arrived(visit(link(server))))
    with Guest(server, "ann", "Ann") as ann:
        ann.is_served()
        texts = {"text/plain": "1\t2"}
        assert given(ada, "#composer", "paste", file="table.png", texts=texts)
        expect(ada.locator(".said")).to_be_empty()


@pytest.mark.parametrize("how", ["paste", "drop"])
@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ({"text/plain": "Some words"}, "Some words"),
        ({"text/uri-list": "https://shop.example/a"}, "https://shop.example/a"),
    ],
    ids=["text", "link"],
)
def test_text_beside_the_box_goes_into_it(
    server: LiveServer, visit: Visit, how: str, texts: dict[str, str], expected: str
) -> None:
    if how == "paste" and "text/plain" not in texts:
        texts = {"text/plain": expected}
    ada = get_ready(arrived(visit(link(server))))
    with Guest(server, "ann", "Ann") as ann:
        ann.is_served()
        box(ada, "Ann").fill("See: ")
        given(ada, ".log", how, texts=texts)
        expect(box(ada, "Ann")).to_have_value(f"See: {expected}")
        expect(box(ada, "Ann")).to_be_focused()
        assert given(ada, "#composer", how, texts=texts)  # that is the browser's to do
    if how == "drop":
        assert not given(ada, ".bar", how, texts=texts)  # or a link would be followed


# ---- the box -----------------------------------------------------------------------


def test_the_box_grows_with_its_text(server: LiveServer, visit: Visit) -> None:
    """By script: `field-sizing` is not in every browser."""
    ada = get_ready(arrived(visit(link(server))))
    with Guest(server, "ann", "Ann") as ann:
        ann.is_served()
        place = box(ada, "Ann")

        def height() -> float:
            found = place.bounding_box()
            assert found
            return found["height"]

        assert place.evaluate("box => getComputedStyle(box).fieldSizing") in (None, "fixed")
        one = height()
        place.fill("\n".join("123456"))
        six = height()
        assert six > one + 5 * 20
        place.fill("\n".join("1" * 60))
        assert six < height() <= 192
        place.fill("")
        assert height() == one
        place.fill("words " * 60)
        wide = height()
        ada.set_viewport_size({"width": 390, "height": 844})
        until(ada, "([box, was]) => box.offsetHeight > was", arg=[
            place.element_handle(), wide])  # fmt: skip
        place.fill("\n".join("123456"))
        ada.reload()
        expect(place).to_have_value("\n".join("123456"))
        assert height() == six


def test_a_slash_without_canned_replies_says_how_to_make_one(
    run: Run, env: dict[str, str], visit: Visit, axe: Axe, screenshot: Screenshot, view: View
) -> None:
    server = run(env=env)
    ada = get_ready(arrived(visit(link(server), **view)))
    with Guest(server, "ann", "Ann") as ann:
        ann.is_served()
        if not log(ada).is_visible():
            chat(ada, "Ann").click()
        box(ada, "Ann").press_sequentially("Well /")
        option = ada.get_by_role("option")
        expect(option).to_have_text("No canned replies yet Write the first one")
        screenshot(ada, "console-no-canned")
        axe(ada)
        ada.keyboard.type("etc")  # a path, perhaps
        expect(option).to_have_count(0)
        for _ in "etc":
            ada.keyboard.press("Backspace")
        expect(option).to_have_count(1)
        ada.keyboard.press("Enter")
        expect_dialog(ada, "Canned replies")
        ada.keyboard.press("Escape")
        expect(box(ada, "Ann")).to_have_value("Well ")
