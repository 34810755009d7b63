"""Every state of the widget, on phone and desk, light and dark: axe-core, and screenshots."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from testkit import LiveServer

from .conftest import Axe, Screenshot, View, Visit
from .engines import engine_of
from .visitor import open_chat, write
from .waiter import Waiter

pytestmark = pytest.mark.browser

#: cutting the network says so on the console
CUT = ("ERR_INTERNET_DISCONNECTED",)


def test_every_state(
    desk: LiveServer, visit: Visit, view: View, axe: Axe, screenshot: Screenshot
) -> None:
    page = visit(f"{desk.url}/", expected=CUT, **view)

    def looks(name: str) -> None:
        axe(page)
        screenshot(page, name)

    expect(page.get_by_role("button", name="Open chat")).to_be_visible()
    looks("closed")
    open_chat(page)
    expect(page.get_by_text("Nobody is here right now.", exact=True)).to_be_visible()
    looks("start-offline")
    write(page, "Hello! My order 1042 has not arrived. Can you see where it is?")
    expect(page.get_by_text("Your question is in line.")).to_be_visible()
    looks("queued")
    with Waiter(desk) as ada:
        ada.meets()
        assert ada.reads().startswith("Hello! My order")
        expect(page.get_by_role("heading", name="Ada")).to_be_visible()
        expect(page.get_by_text("Sent")).to_be_visible()
        ada.tells("typing", on=True)
        expect(page.get_by_text("Ada is typing")).to_be_visible()
        looks("typing")
        ada.writes("Hello! Let me look that up for you.")
        ada.writes("It left our warehouse this morning: https://parcels.example/1042")
        write(page, "Wonderful, thank you.\nWill it come before noon?")
        ada.reads()
        ada.tells("read", seq=5)
        expect(page.get_by_text("Read", exact=True)).to_be_visible()
        looks("served")
        page.get_by_role("textbox").fill("x" * 5000)
        expect(page.get_by_text("904 characters too long")).to_be_visible()
        looks("too-long")
        page.get_by_role("textbox").fill("")
        page.get_by_role("button", name="End chat").click()
        expect(page.get_by_text("End this chat?")).to_be_visible()
        looks("end-question")
        page.get_by_role("button", name="Keep chatting").click()
        if engine_of(page) != "chromium":  # no other can be cut off from the network
            return
        page.context.set_offline(True)
        write(page, "One more thing.")
        page.evaluate("dispatchEvent(new Event('offline'))")
        expect(page.get_by_text("The connection is lost.")).to_be_visible()
        looks("lost")
        ada.ends()
        page.context.set_offline(False)
        expect(page.get_by_text("The connection is lost.")).to_be_hidden()
        expect(page.get_by_text("Not sent.")).to_be_visible()
        expect(page.get_by_role("button", name="Start a new chat")).to_be_visible()
        looks("ended")
        page.get_by_role("button", name="Start a new chat").click()
        expect(page.get_by_text("Somebody is here for you.")).to_be_visible()
        looks("start")
