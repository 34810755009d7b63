"""Files in the console: chosen, pasted, dropped, sent while the server dies, shown, looked at."""

from __future__ import annotations

import base64
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from testkit import LiveServer
from testkit.proxy import TO_SERVER, FaultProxy

from .attached import CUT, Answers, drawn, photo
from .conftest import PHONE, Axe, Run, Screenshot, View, Visit
from .console import arrived, box, chat, get_ready, link, log, reply
from .guest import Guest
from .visitor import ask

pytestmark = pytest.mark.browser

#: not compressed on its way, and the same on arrival
PDF = b"%PDF-1.4\n" + os.urandom(2_500_000) + b"\n%%EOF\n"


def choose(page: Page, *files: tuple[str, str, bytes]) -> None:
    """Choose `(name, type, content)`, as with the paper clip."""
    given: list[Any] = [{"name": a, "mimeType": b, "buffer": c} for a, b, c in files]
    page.locator(".composer input[type=file]").set_input_files(given)


def pictures(page: Page) -> Locator:
    """Those among the messages."""
    return log(page).get_by_role("button", name=re.compile("^Picture: "))


def served(ada: Page, visitor: Page, question: str = "Hello?") -> Page:
    """The *visitor* asks and is served; the console shows the chat."""
    ask(visitor, question)
    expect(visitor.get_by_role("button", name="Attach a file")).to_be_visible()
    if ada.viewport_size == PHONE:
        chat(ada, question).click()  # nothing opens by itself there
    expect(log(ada).get_by_text(question)).to_be_visible()
    return visitor


def attach(visitor: Page, *files: tuple[str, str, bytes]) -> None:
    """The visitor chooses files."""
    given: list[Any] = [{"name": a, "mimeType": b, "buffer": c} for a, b, c in files]
    visitor.locator("csapp-widget input[type=file]").set_input_files(given)


def downloaded(page: Page, name: str) -> bytes:
    """What a click on the row of the file *name* brings."""
    row = log(page).get_by_role("link", name=name)
    expect(row).to_have_attribute("href", re.compile("/v1/files/.*key="))
    with page.expect_download() as coming:
        row.click()
    assert coming.value.suggested_filename == name
    return Path(coming.value.path()).read_bytes()


# ---- the main path ---------------------------------------------------------


def test_a_photo_of_a_phone_is_looked_at(desk: LiveServer, visit: Visit, axe: Axe) -> None:
    ada = get_ready(arrived(visit(link(desk))))
    phone = visit(f"{desk.url}/", viewport=PHONE, has_touch=True, is_mobile=True)
    served(ada, phone)
    attach(phone, ("IMG_1042.jpg", "image/jpeg", photo(1200, 800)))
    expect(pictures(ada)).to_be_enabled()
    shown = pictures(ada).locator("img")
    expect(shown).to_be_visible()
    assert shown.evaluate("one => one.decode().then(() => one.naturalWidth < one.naturalHeight)")
    expect(ada.get_by_role("region", name="My chats")).to_contain_text("IMG_1042.jpg")
    attach(phone, ("cat.png", "image/png", drawn("#b3413a")))
    expect(pictures(ada)).to_have_count(2)
    pictures(ada).first.focus()
    ada.keyboard.press("Enter")
    gallery = ada.get_by_role("dialog", name="1 of 2: IMG_1042.jpg")
    expect(gallery.get_by_role("img", name="IMG_1042.jpg")).to_be_visible()
    axe(ada)
    ada.keyboard.press("ArrowRight")
    expect(ada.get_by_role("dialog", name="2 of 2: cat.png")).to_be_visible()
    ada.keyboard.press("j")  # no shortcut of the page behind it
    ada.keyboard.press("Escape")
    expect(ada.get_by_role("dialog")).to_have_count(0)
    expect(pictures(ada).first).to_be_focused()
    ada.reload()
    expect(pictures(ada)).to_have_count(2)
    expect(pictures(ada).first.locator("img")).to_be_visible()


def test_the_visitor_gets_the_very_file(desk: LiveServer, visit: Visit) -> None:
    ada = get_ready(arrived(visit(link(desk))))
    visitor = served(ada, visit(f"{desk.url}/"))
    choose(ada, ("Invoice 2026-1042.pdf", "application/pdf", PDF))
    expect(ada.locator(".composer textarea")).to_be_focused()
    assert downloaded(visitor, "Invoice 2026-1042.pdf") == PDF
    assert downloaded(ada, "Invoice 2026-1042.pdf") == PDF


def test_nothing_jumps_when_a_picture_comes(desk: LiveServer, visit: Visit) -> None:
    """It has its room before its address is known."""
    ada = get_ready(arrived(visit(link(desk), viewport={"width": 1280, "height": 500})))
    visitor = served(ada, visit(f"{desk.url}/"))
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    ada.route(re.compile("/v1/files/links"), hold)
    with ada.expect_request(re.compile("/v1/files/links")):
        attach(visitor, ("cat.png", "image/png", drawn("#b3413a")))
    bubble = log(ada).locator(".photo")
    before = bubble.bounding_box()
    assert before
    assert (before["width"], before["height"]) == (280, 210)
    held[0].continue_()
    expect(bubble.locator("img")).to_be_visible()
    assert bubble.locator("img").evaluate("one => one.decode().then(() => true)")
    assert bubble.bounding_box() == before


PUT = """
    async (code) => {
      const bytes = Uint8Array.from(atob(code), (one) => one.charCodeAt(0));
      const blob = new Blob([bytes], { type: "image/png" });
      await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
    }
"""


def test_a_picture_is_pasted(desk: LiveServer, visit: Visit) -> None:
    permissions = ["clipboard-read", "clipboard-write"]
    ada = get_ready(arrived(visit(link(desk), permissions=permissions)))
    visitor = served(ada, visit(f"{desk.url}/"))
    ada.evaluate(PUT, base64.b64encode(drawn("#2f7a2f")).decode())
    ada.locator(".composer textarea").press("ControlOrMeta+V")
    expect(pictures(ada).locator("canvas")).to_be_visible()
    expect(pictures(ada)).to_be_enabled()
    theirs = visitor.get_by_role("log").get_by_role("button", name=re.compile("^Picture: "))
    expect(theirs.locator("img")).to_be_visible()
    ada.locator("body").evaluate("one => one.focus()")
    ada.keyboard.press("Escape")  # out of the box
    ada.keyboard.press("ControlOrMeta+V")
    expect(theirs).to_have_count(2)


DRAG = """
    (place, [types, name, text]) => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([text], name, { type: "text/plain" }));
      for (const type of types)
        place.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
    }
"""

#: a file is held over the page, of which browsers tell it again and again
HELD = """
    () => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File(["hello"], "a.txt"));
      const tell = () => document.body.dispatchEvent(
        new DragEvent("dragover", { dataTransfer, bubbles: true, cancelable: true }));
      return setInterval(tell, 100);
    }
"""


def test_a_file_is_dropped_into_a_frame(
    desk: LiveServer, visit: Visit, axe: Axe, screenshot: Screenshot, view: View
) -> None:
    ada = get_ready(arrived(visit(link(desk), **view)))
    with Guest(desk, "ann", "Ann Berg") as ann:
        ann.is_served()
        chat(ada, "Ann Berg").click()
        expect(log(ada)).to_be_visible()
        held = ada.evaluate_handle(HELD)
        expect(ada.get_by_text("Drop to send to Ann Berg")).to_be_visible()
        axe(ada)
        screenshot(ada, "console-dropping")
        held.evaluate("clearInterval")
        expect(ada.get_by_text("Drop to send to Ann Berg")).to_have_count(0)
        ada.locator("body").evaluate(DRAG, [["dragover", "drop"], "a.txt", "hello"])
        expect(ada.get_by_text("Drop to send to Ann Berg")).to_have_count(0)
        assert ann.hears("message_file")["payload"]["name"] == "a.txt"


# ---- what goes wrong -------------------------------------------------------------


def test_the_server_dies_during_an_upload(desk: LiveServer, visit: Visit) -> None:
    """It goes on where it stopped, and arrives once and whole."""
    with FaultProxy(desk) as network:
        ada = get_ready(arrived(visit(link(network), expected=(*CUT, "status of 50"))))  # type: ignore[arg-type]
        visitor = served(ada, visit(f"{desk.url}/", expected=CUT))
        answers = Answers(ada)
        network.throttle(1_000_000, TO_SERVER)
        choose(ada, ("plan.pdf", "application/pdf", PDF))
        bar = log(ada).get_by_role("progressbar")
        expect(bar).to_have_attribute("aria-valuenow", re.compile(r"[3-6]\d"))
        os.kill(desk.worker_pid, signal.SIGKILL)
        expect(ada.get_by_text("What you write is kept")).to_be_visible()
        network.heal()
        expect(bar).to_have_count(0)
        assert downloaded(visitor, "plan.pdf") == PDF
    assert answers.offsets == sorted(set(answers.offsets)), "nothing is sent twice"
    expect(log(visitor).get_by_role("link", name="plan.pdf")).to_have_count(1)


@pytest.fixture
def small(run: Run, env: dict[str, str]) -> LiveServer:
    """A server that takes small files of two types."""
    types = {"CSAPP_MAX_FILE": "50000", "CSAPP_FILE_TYPES": "image/png, text/plain"}
    return run(env={**env, **types})


def test_what_is_not_taken_is_said_at_once(
    small: LiveServer, visit: Visit, axe: Axe, screenshot: Screenshot, view: View
) -> None:
    ada = get_ready(arrived(visit(link(small), expected=("status of 4",), **view)))
    asked: list[str] = []
    ada.on("request", lambda one: asked.append(one.url) if "/v1/files" in one.url else None)
    with Guest(small, "ann", "Ann Berg") as ann:
        ann.is_served()
        chat(ada, "Ann Berg").click()
        choose(ada, ("long.txt", "text/plain", b"x" * 50_001))
        expect(log(ada)).to_contain_text("Not sent. Files can have 50 kB at most.")
        choose(ada, ("a.zip", "application/zip", b"PK"))
        expect(log(ada)).to_contain_text("Not sent. Files of this kind cannot be sent here.")
        assert asked == []
        choose(ada, ("lie.png", "image/png", b"<html><script>alert(1)</script>"))
        expect(log(ada).get_by_role("button", name="Discard")).to_have_count(3)
        expect(log(ada).get_by_role("button", name="Try again")).to_have_count(0)
        expect(log(ada).get_by_role("button", name="Edit")).to_have_count(0)
        axe(ada)
        screenshot(ada, "console-files-refused")
        for _ in range(3):
            log(ada).get_by_role("button", name="Discard").first.click()
        expect(log(ada).locator(".line")).to_have_count(0)
        reply(ada, "Ann Berg", "Just write to me.")
        assert ann.reads() == "Just write to me."


def test_an_upload_is_taken_back_and_one_is_tried_again(desk: LiveServer, visit: Visit) -> None:
    with FaultProxy(desk) as network, Guest(desk, "ann", "Ann Berg") as ann:
        ada = get_ready(arrived(visit(link(network), expected=(*CUT, "status of 503"))))  # type: ignore[arg-type]
        ann.is_served()
        expect(box(ada, "Ann Berg")).to_be_visible()
        network.throttle(200_000, TO_SERVER)
        choose(ada, ("photo.jpg", "image/jpeg", photo()))
        log(ada).get_by_role("button", name="Cancel").click()
        expect(log(ada).locator(".line")).to_have_count(0)
        expect(box(ada, "Ann Berg")).to_be_focused()
        network.heal()
        said = {"code": "rate_limited", "message": "too much"}
        often: dict[str, Any] = {"status": 429, "headers": {"Retry-After": "3600"}, "json": said}
        ada.route(re.compile("/v1/files$"), lambda route: route.fulfill(**often), times=1)
        choose(ada, ("note.txt", "text/plain", b"hello"))
        log(ada).get_by_role("button", name="Try again").click()
        assert ann.hears("message_file")["payload"]["name"] == "note.txt"
        ann.leaves()
        expect(ada.get_by_text("This chat has ended.")).to_be_visible()
        ada.locator("body").evaluate(DRAG, [["dragover", "drop"], "a.txt", "hello"])
        expect(ada.get_by_role("alert")).to_contain_text("Open a chat first")


# ---- how it looks ----------------------------------------------------------------


def test_how_files_look(
    desk: LiveServer, visit: Visit, view: View, axe: Axe, screenshot: Screenshot
) -> None:
    with FaultProxy(desk) as network:
        ada = get_ready(arrived(visit(link(network), expected=CUT, **view)))  # type: ignore[arg-type]
        visitor = visit(f"{desk.url}/")
        served(ada, visitor)
        attach(visitor, ("cat.png", "image/png", drawn("#b3413a")))
        expect(pictures(ada)).to_have_count(1)
        attach(visitor, ("notes of our call.txt", "text/plain", b"Dear Ada," * 500))
        expect(log(ada).get_by_role("link", name="notes of our call.txt")).to_be_visible()
        tall = drawn("#2f7a2f", 480, 800)
        choose(ada, ("The way to our shop in the old town.png", "image/png", tall))
        choose(ada, ("Invoice 2026-1042.pdf", "application/pdf", PDF))
        expect(log(ada).get_by_role("link", name="Invoice")).to_be_visible()
        expect(log(ada).get_by_role("progressbar")).to_have_count(0)
        axe(ada)
        screenshot(ada, "console-files")
        network.throttle(100_000, TO_SERVER)
        long = ("long.txt", "text/plain", b"x" * 900_000)
        choose(ada, long, ("photo.jpg", "image/jpeg", photo(600, 400)))
        bar = log(ada).get_by_role("progressbar").first
        expect(bar).to_have_attribute("aria-valuenow", re.compile(r"[2-5]\d"))
        screenshot(ada, "console-files-coming")
        axe(ada)
        network.heal()
        pictures(ada).nth(1).click()
        expect(ada.get_by_role("dialog").get_by_role("img", name="The way")).to_be_visible()
        axe(ada)
        screenshot(ada, "console-gallery")
