"""Whose console it is: what a link may change, and what the host application says."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from services.wire.codes import CloseCode
from testkit import Client, LiveServer

from .conftest import Axe, Run, Visit
from .console import arrived, get_ready, link, log, reply
from .guest import Guest
from .until import until

pytestmark = pytest.mark.browser

SHORT = 3  # s that a token lives, in tests that outlive it

#: a page whose server says that nobody is signed in says so on the console of the browser
NOBODY = ("status of 401",)


@pytest.fixture
def desk(run: Run) -> LiveServer:
    return run(env={"CSAPP_DATABASE_URL": "off"})


def opened(page: Page, address: str) -> Page:
    """*address* in another tab of the same browser."""
    tab = page.context.new_page()
    tab.goto(address)
    return tab


def expect_me(page: Page, name: str) -> None:
    expect(page.locator(".me")).to_have_text(name)


def signed_in(page: Page) -> str:
    """The token with which this tab is signed in."""
    return str(page.evaluate("JSON.parse(sessionStorage.getItem('csapp:/waiter:login')).token"))


# ---- links -------------------------------------------------------------------


@pytest.mark.parametrize("token", ["garbage", "expired", "of a user"])
def test_a_link_that_is_worth_nothing_changes_nothing(
    desk: LiveServer, visit: Visit, token: str
) -> None:
    bad = {
        "expired": desk.token("waiter", "lin", lifetime=-1),
        "of a user": desk.token("user", "ann"),
    }.get(token, token)
    page = arrived(visit(link(desk), expected=NOBODY))
    before = signed_in(page)
    page.goto(f"{desk.url}/waiter#token={bad}")
    expect(page.get_by_role("alert")).to_contain_text("does not sign you in")
    assert signed_in(arrived(page)) == before
    expect(page).to_have_url(f"{desk.url}/waiter")
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    page.reload()
    expect_me(page, "Ada")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_link_that_is_worth_nothing_says_so_at_the_door(desk: LiveServer, visit: Visit) -> None:
    page = visit(f"{desk.url}/waiter#token=garbage", expected=NOBODY)
    expect(page.get_by_role("alert")).to_have_text(
        "The link that was opened does not sign you in. The token is not valid."
    )
    expect(page.get_by_label("Token")).to_be_visible()


def test_a_link_takes_nobodys_place_unasked(desk: LiveServer, visit: Visit, axe: Axe) -> None:
    page = get_ready(arrived(visit(link(desk))))
    with Guest(desk, "guest", "Guest") as guest:
        guest.is_served()
        page.goto(link(desk, "lin", "Lin"))
        stay = page.get_by_role("button", name="Stay Ada")
        expect(stay).to_be_focused()
        axe(page)
        page.keyboard.press("Enter")
        expect_me(arrived(page), "Ada")
        expect(page).to_have_url(f"{desk.url}/waiter")  # the token is out of sight
        reply(page, "Guest", "Still me")
        assert guest.reads() == "Still me"
    page.goto(link(desk, "lin", "Lin"))
    page.get_by_role("button", name="Sign in as Lin").click()
    expect_me(page, "Lin")
    page.reload()
    expect_me(page, "Lin")


def test_another_link_of_the_same_waiter_needs_no_question(desk: LiveServer, visit: Visit) -> None:
    page = arrived(visit(link(desk)))
    before = signed_in(page)
    page.goto(link(desk))
    expect_me(arrived(page), "Ada")
    assert signed_in(page) != before


def test_who_has_run_out_is_not_asked_about(desk: LiveServer, visit: Visit) -> None:
    page = arrived(visit(link(desk), expected=NOBODY))
    page.evaluate(
        """token => {
            const login = JSON.stringify({ token, who: "before", hand: true });
            sessionStorage.setItem("csapp:/waiter:login", login);
            localStorage.setItem("csapp:/waiter:login", login);
        }""",
        desk.token("waiter", "ada", lifetime=-1),
    )
    page.goto(link(desk, "lin", "Lin"))
    expect_me(page, "Lin")


def test_who_opened_the_console_cannot_steer_it(
    desk: LiveServer, bystander: LiveServer, visit: Visit
) -> None:
    foreign = visit(f"{bystander.url}/healthz", expected=("status of 404", "asked for"))
    with foreign.context.expect_page() as popup:
        foreign.evaluate("url => { window.opened = window.open(url) }", link(desk))
    console = arrived(popup.value)
    assert console.evaluate("window.opener") is None
    until(foreign, "window.opened.closed")  # as far as it can tell


# ---- the host ------------------------------------------------------------------


def test_the_host_decides_on_each_load(run: Run, visit: Visit) -> None:
    """Signed out there, a new tab is nobody's, and then whoever signs in."""
    host = run("tests.host:app", prefix="/support")
    address = f"{host.url}/waiter"
    ada = arrived(visit(address, extra_http_headers={"X-Agent": "ada"}, expected=NOBODY))
    expect_me(ada, "Ada")
    ada.context.set_extra_http_headers({})
    nobody = opened(ada, address)
    expect(nobody.get_by_role("heading", name="Sign in")).to_be_visible()
    assert "login" not in nobody.evaluate("JSON.stringify(localStorage)")
    ada.context.set_extra_http_headers({"X-Agent": "ann"})
    ann = opened(ada, address)
    expect_me(ann, "Ann")
    ada.reload()
    expect_me(ada, "Ann")


def test_a_token_by_hand_is_good_where_the_host_knows_nobody(run: Run, visit: Visit) -> None:
    host = run("tests.host:app", prefix="/support")
    page = arrived(visit(link(host, "zoe", "Zoe"), expected=NOBODY))
    page.reload()
    expect_me(arrived(page), "Zoe")


def test_the_host_is_asked_again_while_the_page_stays_open(run: Run, visit: Visit) -> None:
    host = run("tests.host:app", prefix="/support", env={"CSAPP_RECHECK": str(SHORT)})
    sockets: list[str] = []
    headers = {"X-Agent": "ada"}
    page = visit(f"{host.url}/waiter", extra_http_headers=headers, expected=NOBODY)
    page.on("websocket", lambda socket: sockets.append(socket.url))
    get_ready(arrived(page))
    with Guest(host, "guest", "Guest") as guest:
        guest.is_served()
        with Client(host, "user") as other:
            other.auth(host.token("user", "other", lifetime=SHORT))
            assert other.closed() == CloseCode.UNAUTHENTICATED
        guest.writes("Still there?")
        expect(log(page)).to_contain_text("Still there?")
        reply(page, "Guest", "Yes")
        assert guest.reads() == "Yes"
        assert len(sockets) <= 1
        page.context.set_extra_http_headers({})
        expect(page.get_by_role("alert")).to_have_text("You are signed out.")
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
