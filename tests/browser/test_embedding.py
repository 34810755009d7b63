"""docs/embedding.md, tried: a shop with Flask-Login, its customers and its staff."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from testkit import LiveServer

from .conftest import Axe, Run, View, Visit
from .waiter import Waiter

pytestmark = pytest.mark.browser

EXAMPLE = "examples.flask_login_shop.app:app"


@pytest.fixture
def shop(run: Run, env: dict[str, str]) -> LiveServer:
    return run(EXAMPLE, env=env, prefix="/support")


def home(shop: LiveServer) -> str:
    return shop.url.removesuffix("/support") + "/"


def sign_in(page: Page, name: str) -> Page:
    page.get_by_role("link", name="Sign in").click()
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(name.lower())
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name=f"Welcome, {name}")).to_be_visible()
    return page


def ask(page: Page, text: str) -> None:
    """In the chat, which stays open from page to page."""
    box = page.get_by_role("dialog").get_by_role("textbox")
    box.fill(text)
    box.press("Enter")


def test_whoever_signs_out_takes_the_chat_along(shop: LiveServer, visit: Visit) -> None:
    """Ann chats as Ann; at the same browser the next one is a stranger, then Bob."""
    tall = {"width": 1280, "height": 1000}  # the chat covers no link
    page = sign_in(visit(home(shop), viewport=tall), "Ann")
    with Waiter(shop) as ada:
        page.get_by_role("button", name="Open chat").click()
        ask(page, "Where is my parcel?")
        met = ada.hears("new_connection")["payload"]
        assert met["name"] == "Ann"
        ada.user = met["uuid"]
        assert ada.reads() == "Where is my parcel?"
        ada.writes("On its way.")
        expect(page.get_by_role("log")).to_contain_text("On its way.")
        page.get_by_role("link", name="A shop").click()  # another page, the same chat
        expect(page.get_by_role("log")).to_contain_text("On its way.")

        page.get_by_role("button", name="Sign out Ann").click()
        expect(page.get_by_role("link", name="Sign in")).to_be_visible()
        ask(page, "And who am I?")
        stranger = ada.hears("new_connection")["payload"]
        assert stranger["name"] == ""
        assert stranger["uuid"] != met["uuid"]
        assert stranger["conversation"] != met["conversation"]
        expect(page.get_by_role("log")).not_to_contain_text("parcel")

        ada.user = stranger["uuid"]
        ada.ends()
        expect(page.get_by_role("button", name="Start a new chat")).to_be_visible()
        sign_in(page, "Bob")
        expect(page.get_by_text("How can we help?")).to_be_visible()  # the stranger's is gone
        ask(page, "This is Bob.")
        assert ada.hears("new_connection")["payload"]["name"] == "Bob"


def test_its_pages_are_for_everybody(shop: LiveServer, visit: Visit, axe: Axe, view: View) -> None:
    page = visit(home(shop), **view)
    axe(page)
    page.get_by_role("link", name="Sign in").click()
    axe(page)


def test_a_token_for_a_visitor(run: Run, env: dict[str, str], visit: Visit) -> None:
    """*A token for a visitor*, as it stands there; whoever is not signed in is anonymous."""
    shop = run("tests.browser.token_host:app", env=env, prefix="/support")
    page = visit(home(shop) + "sign-in/ann")
    with Waiter(shop) as ada:
        page.get_by_role("button", name="Open chat").click()
        ask(page, "Where is my parcel?")
        met = ada.hears("new_connection")["payload"]
        assert (met["sub"], met["name"]) == ("ann", "Ann")
        ada.user = met["uuid"]
        assert ada.reads() == "Where is my parcel?"
        ada.writes("On its way.")
        page.reload()
        expect(page.get_by_role("log")).to_contain_text("On its way.")
        stranger = visit(home(shop))
        stranger.get_by_role("button", name="Open chat").click()
        ask(stranger, "Who am I?")
        assert ada.hears("new_connection")["payload"]["name"] == ""
