"""pages.md rows 11, 17, 18, 20: what a visitor types, pastes and drops, on every keyboard."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import JSHandle, Page, expect

from blueprints.widget.pages import STATIC
from testkit import LiveServer

from .conftest import Axe, Visit
from .engines import ENGINES
from .visitor import ask, expect_texts, log, open_chat, write
from .waiter import Waiter

pytestmark = pytest.mark.browser

#: cutting the network says so on the console
CUT = ("ERR_INTERNET_DISCONNECTED", "WebSocket connection to")

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


@pytest.mark.engines(*ENGINES)
def test_the_enter_that_ends_composing_sends_nothing(page: Page) -> None:
    box = page.get_by_role("textbox")
    box.fill("にほんご")
    assert box.evaluate(SAFARI, "Enter"), "the key stays the input method's"
    expect(box).to_have_value("にほんご")
    expect(log(page)).to_be_hidden()


@pytest.mark.engines(*ENGINES)
def test_the_escape_that_ends_composing_closes_nothing(page: Page) -> None:
    box = page.get_by_role("textbox")
    box.fill("にほんご")
    assert box.evaluate(SAFARI, "Escape")
    expect(page.get_by_role("dialog")).to_be_visible()


# ---- long texts ------------------------------------------------------------


def paste(page: Page, text: str) -> None:
    """As a clipboard does: no `maxlength` and no key is in between."""
    box = page.get_by_role("textbox")
    box.fill("")
    box.evaluate("(box, text) => document.execCommand('insertText', false, text)", text)


@pytest.fixture(scope="module")
def longer() -> Iterator[LiveServer]:
    """A server that takes long texts."""
    with LiveServer.gunicorn(env={"CSAPP_MAX_TEXT": "20000"}) as started:
        yield started


@pytest.fixture(scope="module")
def shorter() -> Iterator[LiveServer]:
    """A server that takes short texts only."""
    with LiveServer.gunicorn(env={"CSAPP_MAX_TEXT": "500"}) as started:
        yield started


def too_long(page: Page, by: str) -> None:
    expect(page.get_by_text(f"{by} too long")).to_be_visible()
    expect(page.get_by_role("button", name="Send")).to_be_disabled()


def test_a_text_that_is_too_long_is_told_so_before_it_is_sent(page: Page) -> None:
    paste(page, "x" * 5997 + "END")
    too_long(page, "1904 characters")
    box = page.get_by_role("textbox")
    box.press("Enter")
    expect(box).to_have_value("x" * 5997 + "END")  # nothing is cut, nothing is sent
    expect(log(page)).to_be_hidden()
    box.press("Control+End")
    box.press("Backspace")
    too_long(page, "1903 characters")


def test_short_limits_count_like_the_server(shorter: LiveServer, visit: Visit) -> None:
    page = open_chat(visit(f"{shorter.url}/"))
    for text, by in [("x" * 600, "100 characters"), ("🙂" * 501, "1 character")]:
        paste(page, text)
        too_long(page, by)
    with Waiter(shorter) as ada:
        paste(page, "🙂" * 500)
        expect(page.get_by_text("too long")).to_have_count(0)
        page.get_by_role("textbox").press("Enter")
        ada.meets()
        assert ada.reads() == "🙂" * 500


def test_what_the_server_takes_arrives_whole(longer: LiveServer, visit: Visit) -> None:
    page = open_chat(visit(f"{longer.url}/"))
    texts = ["x" * 5997 + "END", "🙂" * 3000, "中" * 19_990 + "END", "x" * 20_000]
    with Waiter(longer) as ada:
        for at, text in enumerate(texts):
            paste(page, text)
            page.get_by_role("textbox").press("Enter")
            if at == 0:
                ada.meets()
            assert ada.reads() == text
        paste(page, "中" * 20_003)  # more than a frame holds
        too_long(page, "3 characters")


@pytest.mark.usefixtures("cuttable")
def test_what_was_not_sent_can_be_written_anew(bystander: LiveServer, visit: Visit) -> None:
    page = open_chat(visit(f"{bystander.url}/", expected=CUT))
    with Waiter(bystander) as ada:
        write(page, "Hello?")
        ada.meets()
        ada.reads()
        expect(page.get_by_text("Sent", exact=True)).to_be_visible()
        page.context.set_offline(True)
        write(page, "My number is 12.")
        ada.ends()
        page.context.set_offline(False)
        expect(page.get_by_text("Not sent.")).to_be_visible()
        page.get_by_role("button", name="Edit").click()
        box = page.get_by_role("textbox")
        expect(box).to_be_focused()
        expect(box).to_have_value("My number is 12.")
        box.fill("My number is 13.")
        box.press("Enter")
        ada.meets()
        assert ada.reads() == "My number is 13."
        expect_texts(page, ["You: My number is 13."])
        ada.ends()


@pytest.mark.engines(*ENGINES)
def test_the_box_grows_with_its_text(bystander: LiveServer, page: Page) -> None:
    box = page.get_by_role("textbox")
    one = box.bounding_box()
    assert one
    box.fill("\n".join("abcdef"))
    six = box.bounding_box()
    assert six
    assert one["height"] == 40
    assert round(six["height"]) == 136  # its most: then it scrolls
    box.fill("one\ntwo")
    two = box.bounding_box()
    assert two
    assert two["height"] == 64
    box.press("Enter")
    expect(page.get_by_role("button", name="Leave the line")).to_be_visible()
    sent = box.bounding_box()
    assert sent
    assert sent["height"] == 40  # WebKit went on with the text that was sent
    with Waiter(bystander) as ada:  # so nobody is left in line for another test
        ada.meets()
        assert ada.reads() == "one\ntwo"
        ada.ends()
        expect(page.get_by_role("button", name="Start a new chat")).to_be_visible()
    assert "field-sizing" not in (STATIC / "panel.css").read_text()  # which not all browsers have


# ---- pictures and files, which this server does not take ---------------------

#: what comes with a paste or a drop: a picture, as a screen shot is
PICTURE = """
    () => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(8)], "shot.png", { type: "image/png" }));
      return data;
    }
"""

SORRY = "This cannot be sent here."


def let_fall(page: Page, where: str, data: JSHandle) -> bool:
    """Drop *data* there; whether the browser would have opened it in place of the page."""
    opens: bool = page.locator(where).evaluate(
        """(element, data) => {
          const happens = (type) => element.dispatchEvent(new DragEvent(type,
            { dataTransfer: data, bubbles: true, cancelable: true, composed: true }));
          return happens("dragover") | happens("drop");
        }""",
        data,
    )
    return bool(opens)


@pytest.mark.parametrize("where", ["textarea", ".start", ".head", ".composer", ".launcher"])
def test_a_dropped_picture_does_not_open_and_is_told_of(page: Page, where: str) -> None:
    assert not let_fall(page, where, page.evaluate_handle(PICTURE))
    expect(page.get_by_text(SORRY)).to_be_visible()
    page.get_by_role("textbox").press_sequentially("x")
    expect(page.get_by_text(SORRY)).to_have_count(0)


def test_in_a_chat_and_after_it_too(bystander: LiveServer, visit: Visit) -> None:
    page = ask(visit(f"{bystander.url}/"), "Look at this!")
    with Waiter(bystander) as ada:
        ada.meets()
        assert ada.reads() == "Look at this!"
        picture = page.evaluate_handle(PICTURE)
        assert not let_fall(page, ".log", picture)
        expect(page.get_by_text(SORRY)).to_be_visible()
        ada.ends()
        expect(page.get_by_role("button", name="Start a new chat")).to_be_visible()
        assert not let_fall(page, ".log", picture)
        expect(page.get_by_text(SORRY)).to_be_visible()


def put_in(page: Page, where: str, data: JSHandle) -> bool:
    """Paste *data* there; whether the browser would still do with it what it does by itself."""
    own: bool = page.locator(where).evaluate(
        """(element, data) => {
          const event = new ClipboardEvent("paste",
            { bubbles: true, cancelable: true, composed: true });
          Object.defineProperty(event, "clipboardData", { value: data });
          return element.dispatchEvent(event);
        }""",
        data,
    )
    return own


def transfer(page: Page, kind: str, text: str) -> JSHandle:
    """What is pasted or dropped, with *text* in it."""
    return page.evaluate_handle(
        """([kind, text]) => {
          const data = new DataTransfer();
          data.setData(kind, text);
          return data;
        }""",
        [kind, text],
    )


@pytest.mark.parametrize("where", ["textarea", ".start"])
def test_a_pasted_picture_is_told_of(page: Page, where: str) -> None:
    assert not put_in(page, where, page.evaluate_handle(PICTURE))
    expect(page.get_by_text(SORRY)).to_be_visible()


@pytest.mark.parametrize("give", [put_in, let_fall])
def test_a_picture_of_a_page_is_told_of(page: Page, give: Callable[..., bool]) -> None:
    """It comes as markup, without a file."""
    for where in ("textarea", ".start"):
        assert not give(page, where, transfer(page, "text/html", "<img src='a.png'>"))
        expect(page.get_by_text(SORRY)).to_be_visible()
        page.get_by_role("textbox").press_sequentially("x")
        expect(page.get_by_text(SORRY)).to_have_count(0)


def test_a_pasted_table_is_text_although_it_comes_with_a_picture(page: Page) -> None:
    data = page.evaluate_handle(PICTURE)
    data.evaluate("data => data.setData('text/plain', 'a\\tb')")
    assert put_in(page, "textarea", data)
    expect(page.get_by_text(SORRY)).to_have_count(0)


@pytest.mark.parametrize("give", [put_in, let_fall])
@pytest.mark.parametrize("kind", ["text/plain", "text/uri-list"])
def test_text_beside_the_box_goes_into_it(page: Page, kind: str, give: Callable[..., bool]) -> None:
    box = page.get_by_role("textbox")
    box.fill("See: ")
    assert not give(page, ".start", transfer(page, kind, "https://shop.example/a"))
    expect(box).to_have_value("See: https://shop.example/a")


# ---- emoji -----------------------------------------------------------------


def test_an_emoji_goes_where_the_caret_is_by_keyboard_alone(page: Page, axe: Axe) -> None:
    box = page.get_by_role("textbox")
    box.fill("Thanks! Bye.")
    for _ in range(5):
        box.press("ArrowLeft")
    box.press("Tab")
    opener = page.get_by_role("button", name="Emoji")
    expect(opener).to_be_focused()
    page.keyboard.press("Enter")
    grid = page.get_by_role("group", name="Emoji")
    expect(grid).to_be_visible()
    expect(opener).to_have_attribute("aria-expanded", "true")
    expect(grid.get_by_role("button").first).to_be_focused()
    axe(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(box).to_have_value("Thanks!😄 Bye.")
    page.keyboard.press("Escape")
    expect(grid).to_be_hidden()
    expect(opener).to_be_focused()
    expect(page.get_by_role("dialog")).to_be_visible()
