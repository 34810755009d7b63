"""Every state of the console, on a phone and a desk, in light and dark, looked at by axe-core."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from playwright.sync_api import Page, expect

from testkit import LiveServer

from .conftest import Axe, Picture, Run, Screenshot, View, Visit
from .console import arrived, box, chat, chats, duty, expect_dialog, get_ready, link, log, reply
from .guest import Guest

pytestmark = pytest.mark.browser

#: what the console of a browser says when it is cut off
CUT = ("ERR_INTERNET", "WebSocket")

REPLIES = [
    ("hello", "Good day! How can I help you?", True),
    ("thanks", "Thank you for writing to us.", False),
    ("shipping", "Shipping takes two to three working days within Europe.", True),
]


def can(server: LiveServer, page: Page) -> None:
    """Keep the canned replies."""
    header = {"Authorization": f"Bearer {server.token('waiter', 'ada')}"}
    for shortcut, text, shared in REPLIES:
        data = {"shortcut": shortcut, "text": text, "shared": shared}
        answer = page.request.post(f"{server.url}/v1/canned", data=data, headers=header)
        assert answer.status == 201


def talk(server: LiveServer, stack: ExitStack, page: Page) -> None:
    """A desk with much to do on *page*: Ann is answered, the others wait."""
    guests = [
        ("cust-1", "Ann Berg", "https://shop.example/tables/oak"),
        ("anonymous-3fQ7Kq2x", "", "https://shop.example/delivery"),
        ("cust-3", "李明", "https://shop.example/cn/sizes"),
        ("cust-4", "Sam Okafor", ""),
        ("cust-5", "Maria dos Santos", ""),
        ("cust-6", "Noor Haddad", "https://shop.example/lamps"),
    ]
    questions = {"cust-6": "Does the lamp come with a bulb?"}
    ann, two, three, sam, *_ = (
        stack.enter_context(Guest(server, *who, question=questions.get(who[0], "")))
        for who in guests
    )
    for guest in (ann, two, three, sam):
        guest.is_served()
    ann.writes(
        "Hello! My order 1042 has not arrived. Can you see where it is?",
        "The page https://shop.example/orders/1042 says nothing.",
    )
    two.writes("Do you deliver to Norway?")
    three.writes("您好，请问可以换尺码吗？")
    expect(chats(page)).to_have_count(5)
    expect(page.locator(".waiting")).to_contain_text("Does the lamp")
    if page.get_by_role("log").count() == 0:
        chat(page, "Ann Berg").click()
    expect(log(page)).to_contain_text("says nothing")
    reply(page, "Ann Berg", "Hello Ann, let me look that up for you.")
    reply(page, "Ann Berg", "It left our warehouse this morning.\nYou will have it before noon.")
    assert [ann.reads(), ann.reads()][0].startswith("Hello Ann")
    ann.tells("read", seq=5)
    expect(log(page).get_by_text("Read", exact=True)).to_be_visible()
    two.tells("typing", on=True)


def test_every_state(desk: LiveServer, visit: Visit, axe: Axe, screenshot: Screenshot, view: View):
    """From the door to the last dialog."""
    page = visit(f"{desk.url}/waiter", **view)
    expect(page.get_by_label("Name")).to_be_visible()
    look(page, axe, screenshot, "door")
    page.goto("about:blank")
    page.goto(link(desk, name="Ada Lovelace"))
    can(desk, page)
    expect(page.get_by_text("Nobody is waiting")).to_be_visible()
    look(page, axe, screenshot, "away")
    page.get_by_role("button", name="Not now").click()
    page.get_by_role("button", name="Ready", exact=True).click()
    expect(duty(page, "Ready")).to_be_visible()
    page.reload()
    expect(duty(page, "Ready")).to_be_visible()
    with ExitStack() as stack:
        talk(desk, stack, page)
        look(page, axe, screenshot, "chat")
        back = page.get_by_role("button", name="Back to my chats")
        if back.is_visible():
            back.click()
            look(page, axe, screenshot, "list")
            chat(page, "Ann Berg").click()
        box(page, "Ann Berg").fill("One more thing: /")
        expect(page.get_by_role("option")).to_have_count(3)
        look(page, axe, screenshot, "canned")
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        page.keyboard.press("e")
        expect_dialog(page, "End the chat with Ann Berg?")
        look(page, axe, screenshot, "end-question")
        page.keyboard.press("Escape")
        page.get_by_role("button", name="End chat").click()
        expect(page.get_by_text("This chat ends in")).to_be_visible()
        look(page, axe, screenshot, "ending")  # which may take longer than one can undo it
        for name, dialog in [
            ("Canned replies", "Canned replies"),
            ("Settings", "Settings"),
            ("Keyboard", "Keyboard"),
            ("Sign out", "Sign out?"),
        ]:
            page.get_by_role("toolbar").get_by_role("button", name=name).click()
            shown = expect_dialog(page, dialog)
            look(page, axe, screenshot, name.lower().replace(" ", "-"))
            if name == "Canned replies":
                shown.get_by_role("button", name="New reply").click()
                look(page, axe, screenshot, "new-reply")
            page.keyboard.press("Escape")
            expect(shown).to_be_hidden()
        page.keyboard.press("Control+k")
        page.keyboard.type("order")
        expect(page.get_by_role("option")).to_have_count(2)
        look(page, axe, screenshot, "find")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(page.locator(".aimed")).to_contain_text("My order 1042")
        look(page, axe, screenshot, "found")


def test_a_connection_that_is_lost(
    run: Run, visit: Visit, axe: Axe, screenshot: Screenshot, view: View
) -> None:
    """The server is gone, and says what becomes of what one writes."""
    server = run()
    page = visit(link(server), expected=("ERR_CONNECTION", "WebSocket connection to"), **view)
    page.get_by_role("button", name="Ready", exact=True).click()
    expect(duty(page, "Ready")).to_be_visible()
    server.stop()
    expect(page.get_by_text("What you write is kept")).to_be_visible()
    look(page, axe, screenshot, "lost")


def test_picture(desk: LiveServer, visit: Visit, picture: Picture) -> None:
    """The one in docs/console.md."""
    page = visit(
        link(desk, name="Ada Lovelace"),
        viewport={"width": 1280, "height": 800},
        device_scale_factor=2,
        reduced_motion="reduce",
    )
    can(desk, page)
    page.get_by_role("button", name="Not now").click()
    page.get_by_role("button", name="Ready", exact=True).click()
    expect(duty(page, "Ready")).to_be_visible()
    with ExitStack() as stack:
        talk(desk, stack, page)
        box(page, "Ann Berg").press_sequentially("Is there any")
        picture("console", page)


def look(page: Page, axe: Axe, screenshot: Screenshot, name: str) -> None:
    screenshot(page, f"console-{name}")
    axe(page)


#: what of an element is seen where the page has no colours of its own
LINES = """
    (one, pseudo) => {
      const style = getComputedStyle(one, pseudo);
      const names = ["borderWidth", "borderStyle", "outlineWidth", "outlineStyle", "content"];
      return names.map((name) => style[name]).join();
    }
"""


def test_without_colours_everything_differs_by_lines(
    desk: LiveServer, visit: Visit, axe: Axe, screenshot: Screenshot
) -> None:
    page = visit(
        link(desk, name="Ada Lovelace"),
        viewport={"width": 1280, "height": 800},
        forced_colors="active",
        reduced_motion="reduce",
    )
    can(desk, page)
    page.reload()
    page.get_by_role("button", name="Not now").click()
    page.get_by_role("button", name="Ready", exact=True).click()
    expect(duty(page, "Ready")).to_be_visible()

    def differ(one: str, other: str, pseudo: str | None = None) -> None:
        lines = [page.locator(each).first.evaluate(LINES, pseudo) for each in (one, other)]
        assert lines[0] != lines[1], (one, other)

    with ExitStack() as stack:
        talk(desk, stack, page)
        look(page, axe, screenshot, "forced")
        differ(".switch .ready", ".switch .away")
        differ(".row[aria-current=true]", ".row[aria-current=false]")
        differ(".mine .bubble", ".theirs .bubble")
        page.locator(".face.online").first.evaluate(
            """one => {
                one.closest("li").insertAdjacentHTML("beforeend", '<i class="face away"></i>');
            }"""
        )
        differ(".row .face.online", "i.face.away", "::after")
        box(page, "Ann Berg").fill("/")
        differ(".completion [aria-selected=true]", ".completion [aria-selected=false]")
        look(page, axe, screenshot, "forced-canned")
        page.keyboard.press("Escape")
        page.keyboard.press("Control+k")
        expect(page.get_by_role("option")).to_have_count(5)
        differ(".finder [aria-selected=true]", ".finder [aria-selected=false]")
        look(page, axe, screenshot, "forced-find")


@pytest.mark.usefixtures("cuttable")
def test_a_lost_connection_moves_nothing_in_the_heads(
    desk: LiveServer, visit: Visit, view: View
) -> None:
    """Neither the sign of the connection nor the words about the visitor."""
    page = get_ready(arrived(visit(link(desk), expected=CUT, **view)))
    boxes = """() => {
      const box = (one) => document.querySelector(one).getBoundingClientRect();
      const [head, title, bar, state] = [".head", ".title", ".bar", ".state"].map(box);
      return [title.top >= head.top && title.bottom <= head.bottom, bar.height, head.height,
        state.height, state.left];
    }"""
    with Guest(desk, "ann", "Ann") as ann:
        ann.is_served()
        ann.writes("Hello?")
        if log(page).count() == 0:
            chat(page, "Ann").click()
        expect(page.get_by_text("Online", exact=True)).to_be_visible()
        before = page.evaluate(boxes)
        assert before[0]
        page.context.set_offline(True)
        expect(page.locator(".state.waiting")).to_be_attached()
        expect(page.get_by_text("Not known while the connection is lost")).to_be_visible()
        assert page.evaluate(boxes) == before
        page.context.set_offline(False)
        expect(page.get_by_text("Online", exact=True)).to_be_visible()
