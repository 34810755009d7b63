"""Into the console and out of it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from csapp import create_app
from testkit import LiveServer
from testkit.server import SECRET

from .conftest import Axe, Run, Visit
from .console import arrived, box, chat, duty, expect_dialog, get_ready, link, log, reply
from .guest import Guest

pytestmark = pytest.mark.browser


@pytest.fixture
def with_accounts(run: Run, env: dict[str, str]) -> LiveServer:
    """A server with a database of its own, and an account for Ada."""
    command = ("chat", "waiter", "add", "ada", "--display-name", "Ada", "--password-stdin")
    app = create_app({"CSAPP_SECRET_KEY": SECRET, **env})
    made = app.test_cli_runner().invoke(args=command, input="correct horse\n")
    assert made.exit_code == 0, made.output
    return run("tests.cheap:app", env=env)


def test_another_password(with_accounts: LiveServer, visit: Visit, axe: Axe) -> None:
    """With the keyboard alone; what is wrong is said in place; other logins end, this one not."""
    address = f"{with_accounts.url}/waiter"
    elsewhere = arrived(sign_in(visit(address, expected=("status of 401",))))
    page = arrived(sign_in(visit(address, expected=("status of 40",))))
    expect(elsewhere.get_by_text("signed in somewhere else")).to_be_visible()
    tab = page.context.new_page()  # of the same login
    tab.goto(address)
    expect(tab.get_by_text("Connected", exact=True)).to_be_visible()
    page.bring_to_front()  # Firefox gives keys to no other
    get_ready(page)
    with Guest(with_accounts, "ann", "Ann") as ann:
        ann.is_served()
        page.get_by_role("button", name="Change password").press("Enter")
        dialog = expect_dialog(page, "Change password")
        current, new = dialog.get_by_label("Current password"), dialog.get_by_label("New password")
        expect(current).to_be_focused()
        axe(page)
        page.keyboard.type("wrong horse")
        page.keyboard.press("Tab")
        page.keyboard.type("password")
        page.keyboard.press("Enter")
        expect(dialog.get_by_role("alert")).to_have_text("This is not your password.")
        expect(current).to_be_focused()
        expect(current).to_have_attribute("aria-invalid", "true")
        page.keyboard.type("correct horse")  # over the wrong one, which is selected
        page.keyboard.press("Enter")
        expect(dialog.get_by_role("alert")).to_contain_text("one of the most common ones")
        expect(new).to_be_focused()
        axe(page)
        page.keyboard.type("battery staple")
        page.keyboard.press("Enter")
        expect(dialog.get_by_role("status")).to_contain_text("Your password is changed.")
        page.keyboard.press("Enter")
        expect(dialog).to_be_hidden()
        elsewhere.get_by_role("button", name="Use this window").click()
        expect(elsewhere.get_by_role("alert")).to_have_text("This login was signed out.")
        for one in (page, tab):
            ann.writes(f"Still there, {'tab' if one is tab else 'page'}?")
            expect(one.get_by_text("Connected", exact=True)).to_be_visible()
            expect(log(one)).to_contain_text("Still there, ")
            reply(one, "Ann", "Yes")
            ann.reads()
    page.reload()
    expect(page.get_by_text("Connected", exact=True)).to_be_visible()
    arrived(sign_in(elsewhere, "battery staple"))


def test_only_who_has_a_password_can_change_it(with_accounts: LiveServer, visit: Visit) -> None:
    page = arrived(visit(link(with_accounts)))
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    expect(page.get_by_role("button", name="Change password")).to_have_count(0)


def test_with_a_password(with_accounts: LiveServer, visit: Visit) -> None:
    """With the keyboard alone: wrong, then right; and signed out it is out."""
    page = visit(f"{with_accounts.url}/waiter")
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type("Ada")
    page.keyboard.press("Tab")
    page.keyboard.type("wrong horse")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type("correct horse")  # over the wrong one, which is selected
    page.keyboard.press("Enter")
    get_ready(arrived(page))
    with Guest(with_accounts, "ann", "Ann") as ann:
        ann.is_served()
        ann.writes("Hello?")
        expect(log(page)).to_contain_text("Hello?")
        page.reload()
        expect(duty(page, "Ready")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        dialog = expect_dialog(page, "Sign out?")
        expect(dialog).to_contain_text("1 chat of yours will end.")
        with page.expect_response("**/v1/waiter/logout") as answer:
            dialog.get_by_role("button", name="Sign out and end them").click()
        assert answer.value.status == 204
        ann.hears("disconnected")
    expect(page.get_by_label("Name")).to_be_focused()
    expect(page.get_by_label("Name")).to_have_value("")
    page.reload()
    expect(page.get_by_label("Password")).to_be_visible()
    assert page.evaluate("Object.keys(localStorage).filter(key => /draft|login/.test(key))") == []


def test_with_a_token_by_hand(run: Run, visit: Visit) -> None:
    """Wrong ones are refused with the reason; nothing else is asked for without a database."""
    server = run(env={"CSAPP_DATABASE_URL": "off"})
    page = visit(f"{server.url}/waiter")
    expect(page.get_by_label("Password")).to_have_count(0)
    for token, why in [
        ("not a token", "The token is not valid."),
        (server.token("user", "ann"), "This is a token of a user."),
        (server.token("waiter", "ada", lifetime=-1), "The token has expired."),
    ]:
        expect(page.get_by_label("Token")).to_be_focused()
        page.get_by_label("Token").fill(token)
        page.get_by_label("Token").press("Enter")
        expect(page.get_by_role("alert")).to_have_text(why)
    page.get_by_label("Token").fill(server.token("waiter", "ada"))
    page.get_by_label("Token").press("Enter")
    get_ready(arrived(page))
    expect(page.get_by_role("button", name="Canned replies")).to_have_count(0)
    with Guest(server, "ann", "Ann") as ann:
        ann.is_served()
        reply(page, "Ann", "Hello")
        assert ann.reads() == "Hello"
        expect(page.get_by_text("Earlier conversations")).to_have_count(0)
    page.reload()
    expect(duty(page, "Ready")).to_be_visible()


def test_a_link_leaves_no_token_behind(bystander: LiveServer, visit: Visit) -> None:
    page = arrived(visit(link(bystander, "mia")))
    assert page.url == f"{bystander.url}/waiter"
    expect(page.get_by_text("Away", exact=True)).to_be_visible()


def test_the_host_knows_who_it_is(run: Run, visit: Visit) -> None:
    """Under its prefix; and when the token runs out it gives another, unnoticed."""
    host = run("tests.host:app", prefix="/support")
    ada = visit(f"{host.url}/waiter", extra_http_headers={"X-Agent": "ada"})
    get_ready(arrived(ada))
    with Guest(host, "ann", "Ann") as ann:
        ann.is_served()
        box(ada, "Ann").fill("Half a sen")
        expired = host.token("waiter", "agent-ada", lifetime=-1)
        ada.evaluate(
            """token => {
                const key = 'csapp:/support/waiter:login';
                const login = { ...JSON.parse(sessionStorage.getItem(key)), token };
                sessionStorage.setItem(key, JSON.stringify(login));
                localStorage.setItem(key, JSON.stringify(login));
            }""",
            expired,
        )
        ada.reload()
        expect(duty(ada, "Ready")).to_be_visible()
        expect(box(ada, "Ann")).to_have_value("Half a sen")
        reply(ada, "Ann", "Good morning")
        assert ann.reads() == "Good morning"


def test_signed_out_elsewhere(with_accounts: LiveServer, visit: Visit) -> None:
    """One tab signs out: the other is told, and shows the door."""
    first = arrived(sign_in(visit(f"{with_accounts.url}/waiter")))
    second = first.context.new_page()
    second.goto(f"{with_accounts.url}/waiter")
    arrived(second)
    get_ready(first)
    first.get_by_role("button", name="Sign out").click()
    expect(first.get_by_label("Password")).to_be_visible()
    expect(second.get_by_label("Password")).to_be_visible()
    expect(second.get_by_role("alert")).to_have_text(re.compile("signed out"))
    arrived(sign_in(second))


def test_what_was_written_is_there_after_signing_in_again(
    with_accounts: LiveServer, visit: Visit
) -> None:
    """A sign-in that was shut out costs neither the chats nor the drafts."""
    ada = get_ready(arrived(sign_in(visit(f"{with_accounts.url}/waiter"))))
    with Guest(with_accounts, "ann", "Ann") as ann:
        ann.is_served()
        box(ada, "Ann").fill("Half a sen")
        token = ada.evaluate("JSON.parse(sessionStorage.getItem('csapp:/waiter:login')).token")
        with_accounts.post("/v1/waiter/logout", Authorization=f"Bearer {token}")
        sign_in(ada)
        expect(chat(ada, "Ann")).to_be_visible()
        expect(duty(ada, "Ready")).to_be_visible()
        expect(box(ada, "Ann")).to_have_value("Half a sen")


def sign_in(page: Page, word: str = "correct horse") -> Page:
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill(word)
    page.get_by_role("button", name="Sign in", exact=True).click()
    return page
