"""What a site asks before a chat: the form in the widget, and what the waiter sees of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from testkit import LiveServer

from .conftest import Axe, Run, Screenshot, View, Visit
from .console import arrived, chat, get_ready, link
from .visitor import ask, expect_texts, open_chat, write
from .waiter import Waiter

pytestmark = pytest.mark.browser

FIELDS: list[Any] = [
    "name",
    "email",
    {"name": "order", "label": {"en": "Order number", "de": "Bestellnummer"}, "max": 6},
    {
        "name": "topic", "type": "select", "required": True,
        "label": {"en": "Topic", "de": "Thema"},
        "options": ["Delivery", {"value": "back", "label": {"en": "Returns", "de": "Umtausch"}}],
    },
    {"name": "agreed", "type": "checkbox", "required": True, "label": "This chat may be stored"},
    {"name": "question", "label": {"en": "What went wrong?", "de": "Was ist passiert?"}},
]  # fmt: skip


@pytest.fixture
def shop(run: Run, env: dict[str, str]) -> LiveServer:
    return run(
        env={**env, "CSAPP_MESSAGE_RATE": "0", "CSAPP_FIELDS": json.dumps(FIELDS),
             "CSAPP_QUICK_QUESTIONS": "Where is my order?"}
    )  # fmt: skip


def box(page: Page) -> Locator:
    return page.get_by_role("textbox", name="What went wrong?")


def expect_wrong(page: Page, expected: list[str]) -> None:
    """This is said beside the fields."""
    expect(page.locator("csapp-widget .wrong").filter(visible=True)).to_have_text(expected)


def type_anew(field: Locator, text: str) -> None:
    """As `fill`; the driver of Firefox does not select what an e-mail field has."""
    field.evaluate('field => { field.value = ""; }')
    field.fill(text)


def fill(page: Page) -> None:
    page.get_by_label("Your name").fill("Ann Ash")
    page.get_by_label("E-mail").fill("ann@shop.example")
    page.get_by_label("Topic").select_option("back")
    page.get_by_label("This chat may be stored").check()


FILLED = {"name": "Ann Ash", "email": "ann@shop.example", "topic": "back", "agreed": True}


def test_the_form_comes_before_the_first_message(shop: LiveServer, visit: Visit, axe: Axe) -> None:
    page = open_chat(visit(f"{shop.url}/"))
    with Waiter(shop) as ada:
        box(page).fill("It is broken.")
        box(page).press("Enter")
        name = page.get_by_label("Your name")
        expect(name).to_be_focused()  # the first that is missing
        expect_wrong(page, ["Please fill this in."] * 4)
        expect(name).to_have_attribute("aria-invalid", "true")
        expect(name).to_have_attribute("autocomplete", "name")
        expect(page.get_by_label("E-mail")).to_have_attribute("autocomplete", "email")
        expect(page.get_by_label("Order number (optional)")).to_be_visible()
        axe(page)
        fill(page)
        type_anew(page.get_by_label("E-mail"), "ann@")
        page.get_by_label("Order number").fill("1234567")
        page.get_by_label("Your name").press("Enter")  # as the button does
        expect(page.get_by_label("E-mail")).to_be_focused()
        expect_wrong(page, ["Please check this address.", "1 character too long"])
        type_anew(page.get_by_label("E-mail"), "ann@shop.example")
        page.get_by_label("Order number").fill("")
        expect_wrong(page, [])  # it is said no longer than it is so
        expect(box(page)).to_have_value("It is broken.")
        page.get_by_role("button", name="Send").click()
        ada.meets()
        assert (ada.visitor["fields"], ada.visitor["name"]) == (FILLED, "Ann Ash")
        assert ada.reads() == "It is broken."
        expect_texts(page, ["You: It is broken."])


def test_what_is_typed_outlives_a_reload_and_a_chat_forgets_what_was_its_own(
    shop: LiveServer, visit: Visit
) -> None:
    page = open_chat(visit(f"{shop.url}/"))
    fill(page)
    page.get_by_label("Order number").fill("1042")
    box(page).fill("It is bro")
    page.reload()
    expect(page.get_by_label("Your name")).to_have_value("Ann Ash")
    expect(page.get_by_label("Topic")).to_have_value("back")
    expect(page.get_by_label("This chat may be stored")).to_be_checked()
    expect(box(page)).to_have_value("It is bro")
    box(page).press("Enter")
    with Waiter(shop) as ada:
        ada.meets()
        assert ada.visitor["fields"] == {**FILLED, "order": "1042"}
        ada.reads()
        expect(page.get_by_role("heading", name="Ann Ash")).to_have_count(0)
        page.reload()  # in the chat
        expect(page.get_by_role("heading", name="Ada")).to_be_visible()
        page.get_by_role("button", name="End chat").click()
        page.get_by_role("button", name="End chat").last.click()
        page.get_by_role("button", name="Start a new chat").click()
    expect(page.get_by_label("Your name")).to_have_value("Ann Ash")
    expect(page.get_by_label("Order number")).to_have_value("")
    expect(page.get_by_label("This chat may be stored")).not_to_be_checked()


def test_a_quick_question_waits_for_the_form(shop: LiveServer, visit: Visit) -> None:
    page = open_chat(visit(f"{shop.url}/"))
    page.get_by_role("button", name="Where is my order?").click()
    expect(page.get_by_label("Your name")).to_be_focused()
    expect(box(page)).to_have_value("Where is my order?")
    fill(page)
    with Waiter(shop) as ada:
        box(page).press("Enter")
        ada.meets()
        assert ada.reads() == "Where is my order?"


def test_the_form_speaks_the_languages_of_the_widget(shop: LiveServer, visit: Visit) -> None:
    page = visit(f"{shop.url}/", locale="de")
    page.locator("csapp-widget .launcher").click()
    expect(page.get_by_label("Bestellnummer (freiwillig)")).to_be_visible()
    page.get_by_label("Ihr Name").fill("Anna")
    page.get_by_label("Ihr Name").focus()
    expect(page.get_by_role("textbox", name="Was ist passiert?")).to_be_visible()
    page.evaluate("csapp('setLocale', 'en')")
    expect(page.get_by_label("Your name")).to_have_value("Anna")
    expect(page.get_by_label("Your name")).to_be_focused()
    expect(page.get_by_label("Topic").locator("option")).to_have_text(["", "Delivery", "Returns"])


def test_what_the_server_refuses_is_said_beside_the_field(shop: LiveServer, visit: Visit) -> None:
    """The page is older than the declaration, or a script has changed what was typed."""
    page = visit(f"{shop.url}/")
    page.route("**/v1/welcome*", lambda route: route.fulfill(json=lenient(route.fetch().json())))
    open_chat(page)
    fill(page)
    page.get_by_label("Order number").fill("1234567")
    write_box(page, "Hello?")
    expect(page.get_by_label("Order number")).to_be_focused()
    expect_wrong(page, ["This is not accepted here."])
    expect(box(page)).to_have_value("Hello?")
    page.get_by_label("Order number").fill("1042")
    with Waiter(shop) as ada:
        box(page).press("Enter")
        ada.meets()
        assert ada.visitor["fields"]["order"] == "1042"
        assert ada.reads() == "Hello?"


def lenient(welcome: dict[str, Any]) -> dict[str, Any]:
    for one in welcome["fields"]:
        one.pop("max", None)
    return welcome


def write_box(page: Page, text: str) -> None:
    box(page).fill(text)
    box(page).press("Enter")


def test_nobody_waits_for_a_form_that_does_not_come(shop: LiveServer, visit: Visit) -> None:
    for address in ("**/v1/welcome*", "**/prechat.js*"):
        page = visit(
            f"{shop.url}/", expected=("Failed to load", "net::ERR", "503", "Loading module")
        )
        page.route(address, lambda route: route.fulfill(status=503, body=""))
        with Waiter(shop) as ada:
            ask(page, "Hello?")
            ada.meets()
            assert "fields" not in ada.visitor
            assert ada.reads() == "Hello?"
            ada.ends()


def test_a_question_that_is_quicker_than_the_server_waits_for_the_form(
    shop: LiveServer, visit: Visit
) -> None:
    page = visit(f"{shop.url}/")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/v1/welcome*", hold)
    open_chat(page)
    write(page, "Hello?")
    page.get_by_role("textbox").press("Enter")  # once more, impatiently
    expect(page.get_by_role("textbox").last).to_have_value("Hello?")
    for route in held:
        route.continue_()
    expect(page.get_by_label("Your name")).to_be_focused()
    fill(page)
    with Waiter(shop) as ada:
        box(page).press("Enter")
        ada.meets()
        assert ada.visitor["fields"] == FILLED
        assert ada.reads() == "Hello?"


def test_the_console_shows_what_was_filled_in(
    shop: LiveServer, visit: Visit, view: View, axe: Axe, screenshot: Screenshot
) -> None:
    console = arrived(visit(link(shop), **view))
    page = open_chat(visit(f"{shop.url}/"))
    fill(page)
    write_box(page, "It is broken.")
    waiting = console.get_by_role("region", name="In line").get_by_role("listitem")
    expect(waiting).to_contain_text("Ann Ash")
    said = "E-mail: ann@shop.example · Topic: Returns · This chat may be stored: Yes"
    expect(waiting).to_contain_text(said)
    axe(console)
    screenshot(console, "form-queue")
    get_ready(console)
    chat(console, "Ann Ash").click()
    if console.viewport_size["width"] < 1000:
        console.get_by_role("button", name="About this visitor").click()
    about = console.locator(".visitor dl").filter(visible=True)
    terms = about.locator("dt").all_inner_texts()
    assert terms[:4] == ["Name", "E-mail", "Topic", "This chat may be stored"]
    expect(about.get_by_text("Returns")).to_be_visible()
    address = about.get_by_role("link", name="ann@shop.example")
    expect(address).to_have_attribute("href", "mailto:ann@shop.example")
    axe(console)
    screenshot(console, "form-console")


def test_it_looks_like_a_form_everywhere(
    shop: LiveServer, visit: Visit, view: View, axe: Axe, screenshot: Screenshot
) -> None:
    page = open_chat(visit(f"{shop.url}/", **view))
    expect(page.get_by_label("Your name")).to_be_visible()
    axe(page)
    screenshot(page, "form")
    write_box(page, "Hello?")
    expect(page.get_by_label("Your name")).to_be_focused()
    page.get_by_label("This chat may be stored").scroll_into_view_if_needed()
    axe(page)
    screenshot(page, "form-wrong")
