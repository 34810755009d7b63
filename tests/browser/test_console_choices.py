"""Choices and ratings as the waiter reads them."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from testkit import Client, LiveServer

from .conftest import Axe, Screenshot, View, Visit
from .console import arrived, chat, get_ready, link, log
from .guest import Guest

pytestmark = pytest.mark.browser


def test_the_waiter_asks_for_a_rating_and_reads_it(
    desk: LiveServer, visit: Visit, view: View, axe: Axe, screenshot: Screenshot
) -> None:
    ada = get_ready(arrived(visit(link(desk), **view)))
    with Guest(desk, "ann", "Ann Berg") as ann:
        ann.is_served()
        chat(ada, "Ann Berg").click()
        ada.get_by_role("button", name="Ask for a rating").click()
        ann.hears("rate")
        asked = ada.get_by_role("button", name="The visitor was asked for a rating")
        expect(asked).to_be_disabled()
        ann.client.say("rate", {"rate": 4, "comment": "Quick and kind."})
        expect(log(ada).get_by_text("The visitor gave 4 stars.")).to_be_visible()
        expect(log(ada)).to_contain_text("Quick and kind.")
        axe(ada)
        screenshot(ada, "console-rated")


def test_the_waiter_sees_which_choice_was_taken(
    desk: LiveServer, visit: Visit, view: View, axe: Axe, screenshot: Screenshot
) -> None:
    address = link(desk)
    ada = get_ready(arrived(visit(address, **view)))
    with Guest(desk, "ann", "Ann Berg") as ann:
        ann.is_served()
        other = Client(desk, "waiter")  # of the same login
        other.say("auth", {"token": address.split("token=")[1], "version": 2})
        choices = [{"id": "s", "text": "Small"}, {"id": "l", "text": "Large"}]
        asked = {"message": "Which size?", "choices": choices}
        other.say("message_choice", asked, to=ann.client.uuid)
        ann.hears("message_choice")
        chat(ada, "Ann Berg").click()
        expect(ada.get_by_role("list", name="Choices").get_by_role("listitem")).to_have_count(2)
        ann.client.say("message_text", {"message": "Small", "choice": "s"})
        expect(ada.get_by_role("list", name="Choices")).to_contain_text("chosen by the visitor")
        axe(ada)
        screenshot(ada, "console-choices")
        other.drop()
