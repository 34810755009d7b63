"""Choices below a message, of which the visitor takes one; and what it thinks of the chat."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from testkit import LiveServer

from .conftest import Axe, Screenshot, View, Visit
from .visitor import ask, close_chat, expect_texts, log, open_chat, write
from .waiter import Waiter

pytestmark = pytest.mark.browser

SIZES = [
    {"id": "s", "text": "Small"},
    {"id": "m", "text": "Medium"},
    {"id": "l", "text": "Large, with a lid for the journey and a spare handle in the box"},
]


def offers(ada: Waiter, message: str = "Which size do you need?") -> None:
    """Ada offers sizes."""
    asked = ada.client.say("message_choice", {"message": message, "choices": SIZES}, to=ada.user)
    while ada.hears("message_choice_success")["reply_id"] != asked:
        pass


def served(page: Page, ada: Waiter) -> Page:
    ada.meets()
    ada.reads()
    ada.writes("Hello!")
    expect(log(page)).to_contain_text("Hello!")
    return page


def group(page: Page) -> Locator:
    return page.get_by_role("radiogroup", name="Which size do you need?")


def test_the_visitor_takes_one_with_a_click(
    desk: LiveServer, visit: Visit, view: View, axe: Axe, screenshot: Screenshot
) -> None:
    page = ask(visit(f"{desk.url}/", **view), "I need a pot.")
    with Waiter(desk) as ada:
        served(page, ada)
        offers(ada)
        expect(group(page).get_by_role("radio")).to_have_count(3)
        axe(page)
        screenshot(page, "choices")
        group(page).get_by_role("radio", name="Medium").click()
        said: dict[str, Any] = ada.hears("message_text")["payload"]
        assert said == {"message": "Medium", "choice": "m"}
        expect(page.get_by_role("radio", name="Medium")).to_be_checked()
        expect(page.get_by_role("radio", name="Small")).to_have_attribute("aria-disabled", "true")
        expect(log(page).get_by_text("Sent").or_(log(page).get_by_text("Read"))).to_be_visible()
        axe(page)
        screenshot(page, "choices-taken")
        page.get_by_role("radio", name="Small").click(force=True)  # nothing comes of it
        write(page, "Thanks")
        assert ada.hears("message_text")["payload"] == {"message": "Thanks"}
        page.reload()
        expect(page.get_by_role("radio", name="Medium")).to_be_checked()
        ada.ends()
        expect(page.get_by_text("Ada has ended this chat.").last).to_be_visible()
        expect(page.get_by_role("radio", name="Medium")).to_be_checked()


def test_with_the_keyboard_arrows_go_and_enter_takes(desk: LiveServer, visit: Visit) -> None:
    page = ask(visit(f"{desk.url}/"), "I need a pot.")
    with Waiter(desk) as ada:
        served(page, ada)
        offers(ada)
        first, second, third = (group(page).get_by_role("radio").nth(n) for n in range(3))
        first.focus()
        page.keyboard.press("ArrowDown")
        expect(second).to_be_focused()
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowUp")
        expect(third).to_be_focused()
        expect(third).not_to_be_checked()
        page.keyboard.press("Enter")
        assert ada.hears("message_text")["payload"]["choice"] == "l"
        expect(third).to_be_checked()
        expect(third).to_be_focused()


def test_in_another_tab_it_is_taken_too(desk: LiveServer, visit: Visit) -> None:
    page = ask(visit(f"{desk.url}/"), "I need a pot.")
    with Waiter(desk) as ada:
        served(page, ada)
        other = page.context.new_page()
        other.goto(f"{desk.url}/")
        open_chat(other)
        offers(ada)
        expect(group(other)).to_be_visible()
        page.get_by_role("radio", name="Small").click()
        for tab in (page, other):
            expect(tab.get_by_role("radio", name="Small")).to_be_checked()
            expect_texts(
                tab, ["You: I need a pot.", "Hello!", "Which size do you need?", "You: Small"]
            )


def rating(page: Page) -> Locator:
    return page.get_by_role("group", name="How was this chat?")


def ended(page: Page, ada: Waiter) -> None:
    served(page, ada)
    ada.ends()
    expect(rating(page)).to_be_visible()


def test_at_the_end_the_visitor_rates_and_may_change_it(
    desk: LiveServer, visit: Visit, view: View, axe: Axe, screenshot: Screenshot
) -> None:
    page = ask(visit(f"{desk.url}/", **view), "I need a pot.")
    with Waiter(desk) as ada:
        ended(page, ada)
        axe(page)
        screenshot(page, "rating")
        page.get_by_role("radio", name="4 stars").check()
        page.get_by_role("textbox", name="Comment").fill("Quick and kind.\nThank you, Ada!")
        axe(page)
        screenshot(page, "rating-comment")
        page.get_by_role("button", name="Send rating").click()
        said = ada.hears("rate_user_success")["payload"]
        assert said == {"rate": 4, "comment": "Quick and kind.\nThank you, Ada!"}
        thanks = page.get_by_role("group", name="Thank you for your rating.")
        expect(thanks.get_by_role("img", name="4 stars")).to_be_visible()
        axe(page)
        screenshot(page, "rated")
        page.reload()
        expect(thanks.get_by_role("img", name="4 stars")).to_be_visible()
        thanks.get_by_role("button", name="Change").click()
        expect(page.get_by_role("textbox", name="Comment")).to_have_value(
            "Quick and kind.\nThank you, Ada!"
        )
        page.get_by_role("radio", name="1 star").focus()
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("radio", name="2 stars")).to_be_focused()
        page.get_by_role("button", name="Send rating").click()
        assert ada.hears("rate_user_success")["payload"]["rate"] == 2
        expect(thanks.get_by_role("img", name="2 stars")).to_be_visible()


def test_the_waiter_asks_for_a_rating_and_the_chat_goes_on(
    desk: LiveServer, visit: Visit, view: View, axe: Axe, screenshot: Screenshot
) -> None:
    page = ask(visit(f"{desk.url}/", **view), "I need a pot.")
    with Waiter(desk) as ada:
        served(page, ada)
        ada.client.say("rate", {}, to=ada.user)
        expect(rating(page)).to_be_visible()
        axe(page)
        screenshot(page, "rating-asked")
        write(page, "One more thing.")
        assert ada.hears("message_text")["payload"] == {"message": "One more thing."}
        page.get_by_role("radio", name="5 stars").check()
        page.get_by_role("button", name="Send rating").click()
        assert ada.hears("rate_user_success")["payload"] == {"rate": 5, "comment": ""}
        thanks = page.get_by_role("group", name="Thank you for your rating.")
        thanks.get_by_role("button", name="Close").click()
        expect(thanks).to_be_hidden()
        ada.client.say("rate", {}, to=ada.user)
        ada.ends()
        expect(thanks.get_by_role("img", name="5 stars")).to_be_visible()


def test_who_does_not_want_to_rate_puts_it_away(desk: LiveServer, visit: Visit) -> None:
    page = ask(visit(f"{desk.url}/"), "I need a pot.")
    with Waiter(desk) as ada:
        served(page, ada)
        close_chat(page)
        ada.client.say("rate", {}, to=ada.user)
        open_chat(page)
        page.get_by_role("button", name="Not now").click()
        expect(rating(page)).to_have_count(0)


def test_a_site_without_ratings_asks_for_none(run: Any, env: dict[str, str], visit: Visit) -> None:
    desk = run(env={**env, "CSAPP_RATINGS": "off"})
    page = ask(visit(f"{desk.url}/"), "I need a pot.")
    with Waiter(desk) as ada:
        served(page, ada)
        ada.ends()
        expect(page.get_by_role("button", name="Start a new chat")).to_be_visible()
        expect(rating(page)).to_have_count(0)
