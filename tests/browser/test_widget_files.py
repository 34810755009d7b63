"""Files in the widget: chosen, dropped, sent through a tunnel, shown, looked at."""

from __future__ import annotations

import io
import math
import re
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from testkit import LiveServer
from testkit.proxy import TO_SERVER, FaultProxy

from .attached import CUT, PIECE, Answers, drawn, photo
from .conftest import PHONE, Axe, Run, Screenshot, View, Visit
from .engines import ENGINES
from .site import house
from .visitor import ask, log, write
from .waiter import Waiter

pytestmark = pytest.mark.browser


def choose(page: Page, *files: tuple[str, str, bytes]) -> None:
    """Choose `(name, type, content)`, as with the paper clip."""
    given: list[Any] = [{"name": a, "mimeType": b, "buffer": c} for a, b, c in files]
    page.locator("csapp-widget input[type=file]").set_input_files(given)


def drop(page: Page, name: str, kind: str, content: bytes) -> None:
    """Drop a file on the panel, as every browser can."""
    page.locator("csapp-widget .head").evaluate(
        """(element, [name, type, codes]) => {
          const dataTransfer = new DataTransfer();
          const blob = Uint8Array.from(codes);
          dataTransfer.items.add(new File([blob], name, { type }));
          for (const event of ["dragover", "drop"]) element.dispatchEvent(new DragEvent(event,
            { dataTransfer, bubbles: true, cancelable: true, composed: true }));
        }""",
        [name, kind, list(content)],
    )


def served(page: Page, waiter: Waiter, question: str = "Hello?") -> Page:
    """*page* asks, and *waiter* is there."""
    ask(page, question)
    waiter.meets()
    assert waiter.reads() == question
    expect(page.get_by_role("button", name="Attach a file")).to_be_visible()
    return page


def pictures(page: Page) -> Locator:
    """Those in the log."""
    return log(page).get_by_role("button", name=re.compile("^Picture: "))


# ---- the main path ---------------------------------------------------------


@pytest.mark.engines(*ENGINES)
def test_both_sides_send_pictures_and_files(desk: LiveServer, visit: Visit) -> None:
    page = visit(f"{desk.url}/")
    with Waiter(desk) as ada:
        served(page, ada)
        drop(page, "cat.png", "image/png", drawn("#b3413a"))
        said, content = ada.reads_file()
        assert (said["name"], said["mime"], said["width"]) == ("cat.png", "image/png", 640)
        assert Image.open(io.BytesIO(content)).size == (640, 480)
        expect(page.get_by_text("Sent", exact=True)).to_be_visible()
        expect(pictures(page)).to_be_enabled()
        ada.sends_file(drawn("#2f7a2f"), "dog.png")
        expect(pictures(page)).to_have_count(2)
        expect(pictures(page).last.locator("img")).to_be_visible()
        assert (
            pictures(page)
            .last.locator("img")
            .evaluate("one => one.decode().then(() => one.naturalWidth)")
        )
        ada.sends_file(b"Dear Ann,\nthe cat is well.\n", "letter.txt")
        row = log(page).get_by_role("link", name="letter.txt")
        expect(row).to_have_attribute("href", re.compile("/v1/files/.*key="))
        pictures(page).first.click()
        gallery = page.get_by_role("dialog", name="1 of 2: cat.png")
        expect(gallery.get_by_role("img", name="cat.png")).to_be_visible()
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("dialog", name="2 of 2: dog.png")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog", name="dog.png")).to_have_count(0)
        expect(page.get_by_role("dialog", name="Ada")).to_be_visible()
        page.reload()
        expect(pictures(page)).to_have_count(2)
        expect(pictures(page).first.locator("img")).to_be_visible()


# ---- through a tunnel -------------------------------------------------------


def test_a_photo_goes_through_a_tunnel(desk: LiveServer, visit: Visit, axe: Axe) -> None:
    """It arrives once, upright, without the place; what had arrived before is not sent again."""
    content = photo()
    with FaultProxy(desk) as network, Waiter(desk) as ada:
        page = visit(
            f"{network.url}/", expected=CUT, viewport=PHONE, has_touch=True, is_mobile=True
        )
        answers = Answers(page)
        served(page, ada)
        network.throttle(1_000_000, TO_SERVER)
        choose(page, ("IMG_1042.jpg", "image/jpeg", content))
        bar = log(page).get_by_role("progressbar")
        expect(bar).to_have_attribute("aria-valuenow", re.compile(r"[3-6]\d"))
        axe(page)
        network.refuse()
        network.reset()
        expect(page.get_by_text("The connection is lost.")).to_be_visible()
        write(page, "I am in a tunnel.")
        network.heal()
        said, received = ada.reads_file()
        expect(bar).to_have_count(0)
        expect(pictures(page)).to_be_enabled()
    assert len(answers.offsets) <= math.ceil(len(content) / PIECE)
    assert answers.offsets == sorted(set(answers.offsets)), "nothing is sent twice"
    assert (said["name"], said["width"], said["height"]) == ("IMG_1042.jpg", 1600, 2400)
    picture = Image.open(io.BytesIO(received))
    assert picture.size == (1600, 2400)
    corner = picture.convert("RGB").crop((1450, 50, 1550, 150))
    darkest, lightest = zip(*corner.getextrema(), strict=True)
    assert darkest[0] > 200, "the red corner is where people saw it"
    assert max(lightest[1:]) < 60
    assert not picture.getexif()
    assert b"Exif" not in received


# ---- what is refused, taken back, tried again ---------------------------------


@pytest.fixture
def small(run: Run, env: dict[str, str]) -> LiveServer:
    """A server that takes small files of two types."""
    types = {"CSAPP_MAX_FILE": "50000", "CSAPP_FILE_TYPES": "image/png, text/plain"}
    return run(env={**env, **types})


def test_what_is_not_taken_is_said_at_once(small: LiveServer, visit: Visit) -> None:
    page = visit(f"{small.url}/", expected=("status of 415", "status of 422"))
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url) if "/v1/files" in one.url else None)
    with Waiter(small) as ada:
        served(page, ada)
        choose(page, ("long.txt", "text/plain", b"x" * 50_001))
        expect(log(page)).to_contain_text("Not sent. Files can have 50 kB at most.")
        choose(page, ("a.zip", "application/zip", b"PK"))
        expect(log(page)).to_contain_text("Not sent. Files of this kind cannot be sent here.")
        assert asked == []
        choose(page, ("lie.png", "image/png", b"<html><script>alert(1)</script>"))
        expect(log(page).get_by_role("button", name="Discard")).to_have_count(3)
        expect(log(page).get_by_role("button", name="Try again")).to_have_count(0)
        for _ in range(3):
            log(page).get_by_role("button", name="Discard").first.click()
        expect(log(page).locator(".line")).to_have_count(1)
        ada.writes("Just write to me.")
        expect(log(page)).to_contain_text("Just write to me.")


def test_an_upload_is_taken_back(desk: LiveServer, visit: Visit) -> None:
    with FaultProxy(desk) as network, Waiter(desk) as ada:
        page = served(visit(f"{network.url}/", expected=CUT), ada)
        network.throttle(200_000, TO_SERVER)
        choose(page, ("photo.jpg", "image/jpeg", photo()))
        log(page).get_by_role("button", name="Cancel").click()
        expect(log(page).locator(".line")).to_have_count(1)
        network.heal()
        write(page, "Not that one.")
        assert ada.reads() == "Not that one."


def test_before_somebody_is_there_files_wait(desk: LiveServer, visit: Visit) -> None:
    page = ask(visit(f"{desk.url}/"), "Hello?")
    expect(page.get_by_role("button", name="Attach a file")).to_be_hidden()
    drop(page, "cat.png", "image/png", drawn("red"))
    expect(
        page.get_by_text("Pictures and files can be sent as soon as somebody is here.")
    ).to_be_visible()


# ---- under a policy ------------------------------------------------------------


def test_under_the_strictest_policy_that_shows_pictures(
    visit: Visit, run: Run, env: dict[str, str]
) -> None:
    host = house(run, "pictured", env=env)
    page = visit(f"{host.url.removesuffix('/support')}/")
    with Waiter(host) as ada:
        served(page, ada)
        choose(page, ("cat.png", "image/png", drawn("#b3413a")))
        ada.reads_file()
        expect(pictures(page).locator("canvas")).to_be_visible()
        ada.sends_file(drawn("#2f7a2f"), "dog.png")
        expect(pictures(page).last.locator("img")).to_be_visible()
        pictures(page).last.click()
        expect(page.get_by_role("dialog").get_by_role("img", name="dog.png")).to_be_visible()


# ---- how it looks ----------------------------------------------------------------


def test_how_files_look(
    desk: LiveServer, visit: Visit, view: View, axe: Axe, screenshot: Screenshot
) -> None:
    with FaultProxy(desk) as network, Waiter(desk) as ada:
        page = served(visit(f"{network.url}/", expected=CUT, **view), ada)
        choose(page, ("cat.png", "image/png", drawn("#b3413a")))
        ada.reads_file()
        ada.sends_file(drawn("#2f7a2f", 480, 800), "The way to our shop in the old town.png")
        ada.sends_file(b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF", "Invoice 2026-1042.pdf")
        expect(pictures(page)).to_have_count(2)
        expect(log(page).get_by_role("link")).to_be_visible()
        choose(page, ("notes of our call.txt", "text/plain", b"Dear Ada," * 500))
        ada.reads_file("message_file")
        expect(page.get_by_text("Sent", exact=True)).to_be_visible()
        axe(page)
        screenshot(page, "files")
        network.throttle(100_000, TO_SERVER)
        long = ("long.txt", "text/plain", b"x" * 900_000)
        choose(page, long, ("photo.jpg", "image/jpeg", photo(600, 400)))
        bar = log(page).get_by_role("progressbar").first
        expect(bar).to_have_attribute("aria-valuenow", re.compile(r"[2-5]\d"))
        choose(page, ("a.zip", "application/zip", b"PK"))
        expect(page.get_by_text("Files of this kind cannot be sent here.")).to_be_visible()
        screenshot(page, "files-coming")
        axe(page)
        network.heal()
        pictures(page).nth(1).click()
        expect(page.get_by_role("dialog").get_by_role("img", name="The way")).to_be_visible()
        axe(page)
        screenshot(page, "gallery")
