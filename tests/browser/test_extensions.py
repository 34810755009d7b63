"""The faces in applications with other extensions (`tests/hosts`), in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.hosts.made import PREFIX

from .conftest import Run, Visit
from .visitor import write
from .waiter import Waiter

pytestmark = pytest.mark.browser


def home(server) -> str:
    return server.url.removesuffix(PREFIX)


@pytest.mark.parametrize("name", ["talisman", "everything", "toolbar"])
def test_the_console_keeps_its_policy_and_its_page(run: Run, visit: Visit, name: str) -> None:
    server = run(f"tests.hosts.{name}:app", prefix=PREFIX)
    page = visit(f"{home(server)}/sign-in/ada", expected=("^JQMIGRATE",))  # the toolbar, there
    page.goto(f"{server.url}/waiter")
    ready = re.compile("^(Ready|接待中)$")  # one of them has Flask-Babel, in Chinese
    expect(page.get_by_role("button", name=ready)).to_be_visible()


@pytest.mark.parametrize("name", ["talisman", "everything"])
def test_the_widget_under_a_policy_of_nonces(run: Run, visit: Visit, name: str) -> None:
    server = run(f"tests.hosts.{name}:app", prefix=PREFIX)
    page = visit(f"{home(server)}/")
    with Waiter(server) as ada:
        page.locator("csapp-widget .launcher").click()
        write(page, "Does it work?")
        ada.meets()
        assert ada.reads() == "Does it work?"


def test_whoever_meets_a_limit_is_told_so(run: Run, visit: Visit) -> None:
    """One token a day, and one look at the desk: the second visitor has neither."""
    server = run("tests.hosts.narrow:app", prefix=PREFIX)
    with Waiter(server) as ada:
        first = visit(f"{home(server)}/")
        first.locator("csapp-widget .launcher").click()
        expect(first.get_by_text("Somebody is here for you.")).to_be_visible()
        write(first, "Am I in?")
        ada.meets()
    second = visit(f"{home(server)}/", expected=("status of 429",))
    second.locator("csapp-widget .launcher").click()
    expect(second.get_by_text("Too many people are waiting. We keep trying")).to_be_visible()
    expect(second.locator("csapp-widget .skeleton")).to_have_count(0)


def test_a_page_before_a_wall_has_no_error_of_a_script(run: Run, visit: Visit) -> None:
    server = run("tests.hosts.login_wall:closed", prefix=PREFIX)
    page = visit(f"{home(server)}/login")  # a "status of 401" is all that is heard
    expect(page.get_by_role("heading", name="A shop")).to_be_visible()
    assert page.locator("csapp-widget").count() == 0


def test_who_signs_out_behind_a_wall_leaves_nothing_to_read(run: Run, visit: Visit) -> None:
    """No request reaches the chat from then on: visitor's page and console know all the same."""
    server = run("tests.hosts.login_wall:closed", prefix=PREFIX)
    refused = ("status of 401", "WebSocket")
    ann = visit(f"{home(server)}/enter/ann", expected=refused)
    ann.goto(f"{home(server)}/")
    ada = visit(f"{home(server)}/enter/ada", expected=refused)
    ada.goto(f"{server.url}/waiter")
    ada.get_by_role("button", name="Ready", exact=True).click()
    ann.locator("csapp-widget .launcher").click()
    write(ann, "My secret.")
    expect(ada.locator(".log")).to_contain_text("My secret.")
    for page in (ann, ada):
        page.context.request.get(f"{home(server)}/leave")
        expect(page.get_by_text("My secret.")).to_have_count(0)
    expect(ada.get_by_text("You are signed out.")).to_be_visible()
    kept = ann.evaluate("JSON.stringify([localStorage, sessionStorage])")
    assert "My secret." not in kept
    assert "token" not in kept
