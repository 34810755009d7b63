"""Pages that were made for one visitor and are seen by another: caches, going back, signing out."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from testkit import LiveServer

from .conftest import Run, Visit
from .engines import WHOLE, engine_of
from .site import TAG, Site, house, launchers
from .test_pages_swapped import ROUTED, turn
from .visitor import ask, close_chat, expect_texts, log, write
from .waiter import Waiter

pytestmark = pytest.mark.browser

SECRET = "My secret."

#: a page that the browser has kept whole is shown again
BACK = "dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))"


def tag(visitor: str) -> str:
    return TAG.replace("script ", f"script data-visitor='{visitor}' ")


@pytest.fixture
def shop(run: Run, env: dict[str, str]) -> LiveServer:
    """People sign in here."""
    return house(run, "shop", env)


@pytest.fixture
def site(visit: Visit, shop: LiveServer) -> Site:
    site = Site(visit, shop, ("status of 503", "status of 404", "Back-Forward Cache"))
    site.has("cached", tag(""))
    return site


def host(site: Site, path: str) -> str:
    return site.origin + path


def talks(site: Site, ada: Waiter, name: str) -> Page:
    """*name* signs in, and is served."""
    page = site.page
    page.goto(host(site, f"/sign-in/{name}"))
    ask(page, SECRET)
    met = ada.hears("new_connection")["payload"]
    assert met["name"] == name
    ada.user = met["uuid"]
    assert ada.reads() == SECRET
    expect(page.get_by_role("heading", name="Ada")).to_be_visible()
    return page


def signs_out(site: Site) -> None:
    """Nobody tells the page."""
    site.page.request.get(host(site, "/sign-out"))


def kept(page: Page) -> str:
    found: str = page.evaluate("JSON.stringify(localStorage)")
    return found


def test_a_page_that_was_cached_for_an_anonymous_visitor(site: Site, shop: LiveServer) -> None:
    with Waiter(shop) as ada:
        page = talks(site, ada, "ann")
        close_chat(page)
        site.goes("cached")
        ada.writes("On its way.")
        expect(launchers(page)).to_have_accessible_name("Open chat, 1 unread message")
        launchers(page).click()
        expect_texts(page, [f"You: {SECRET}", "On its way."])
        page.goto(host(site, "/"))
        expect(log(page)).to_contain_text("On its way.")
        write(page, "Thank you.")
        assert ada.reads() == "Thank you."


def test_a_page_that_was_cached_for_an_anonymous_visitor_after_signing_out(
    site: Site, shop: LiveServer
) -> None:
    with Waiter(shop) as ada:
        page = talks(site, ada, "ann")
        signs_out(site)
        site.goes("cached")
        expect(page.get_by_role("heading", name="How can we help?")).to_be_visible()
        assert SECRET not in kept(page)
        expect(page.get_by_text(SECRET)).to_have_count(0)


def test_while_nobody_can_say_nothing_is_shown_and_nothing_is_lost(
    site: Site, shop: LiveServer
) -> None:
    with Waiter(shop) as ada:
        page = talks(site, ada, "ann")
        close_chat(page)
        asked = "**/v1/visitor/me"
        page.route(asked, lambda route: route.fulfill(status=503, json={}))
        site.goes("cached")
        launchers(page).click()
        expect(page.get_by_text("The chat cannot be loaded.")).to_be_visible()
        expect(page.get_by_role("dialog")).to_have_count(0)
        page.unroute(asked)
        launchers(page).click()
        expect_texts(page, [f"You: {SECRET}"])


@pytest.mark.parametrize("shown", ["open", "closed"])
def test_back_after_signing_out(site: Site, shop: LiveServer, shown: str) -> None:
    with Waiter(shop) as ada:
        page = talks(site, ada, "ann")
        if shown == "closed":
            close_chat(page)
            ada.writes("Are you there?")
            expect(launchers(page)).to_have_accessible_name("Open chat, 1 unread message")
        signs_out(site)
        page.evaluate(BACK)
        expect(page.get_by_text(SECRET)).to_have_count(0)
        expect(launchers(page)).to_have_accessible_name("Open chat")
        assert SECRET not in kept(page)
        ada.hears("disconnected")
        launchers(page).click()
        expect(page.get_by_role("heading", name="How can we help?")).to_be_visible()


@pytest.mark.engines(WHOLE)
@pytest.mark.parametrize("out", [True, False], ids=["signed-out", "signed-in"])
def test_back_to_a_page_that_the_browser_has_kept(site: Site, shop: LiveServer, out: bool) -> None:
    with Waiter(shop) as ada:
        page = talks(site, ada, "ann")
        page.evaluate("window.kept = true")
        page.goto(host(site, "/sign-out" if out else "/host.css"))
        page.go_back(wait_until="commit")
        is_kept = page.evaluate("window.kept")
        if not is_kept and engine_of(page) == "firefox":
            pytest.skip("Firefox keeps no page that has a WebSocket open")
        assert is_kept
        if out:  # the chat itself ends with the grace period: the browser has cut its connection
            expect(page.get_by_text(SECRET)).to_have_count(0)
            expect(launchers(page)).to_have_accessible_name("Open chat")
            assert SECRET not in kept(page)
        else:
            ada.writes("On its way.")
            expect_texts(page, [f"You: {SECRET}", "On its way."])


def test_back_without_signing_out(site: Site, shop: LiveServer) -> None:
    with Waiter(shop) as ada:
        page = talks(site, ada, "ann")
        with page.expect_response("**/v1/visitor/me"):
            page.evaluate(BACK)
        ada.writes("On its way.")
        expect_texts(page, [f"You: {SECRET}", "On its way."])


def test_back_to_what_was_forgotten_meanwhile(visit: Visit, run: Run) -> None:
    """Where only the page's own script knows who signs out."""
    shop = house(run)
    site = Site(visit, shop)
    site.has("one")
    page = site.goes("one")
    with Waiter(shop) as ada:
        ask(page, SECRET)
        ada.meets()
        page.evaluate("localStorage.clear()")  # as `reset` on another page does
        page.evaluate(BACK)
        ada.hears("disconnected")
        expect(page.get_by_text(SECRET)).to_have_count(0)


def test_what_one_tab_forgets_is_forgotten_in_all(visit: Visit, run: Run) -> None:
    shop = house(run)
    # The other tab may forget before its connection is there: Chromium tells of that.
    site = Site(visit, shop, ("closed before the connection is established",))
    site.has("one")
    page = site.goes("one")
    with Waiter(shop) as ada:
        ask(page, SECRET)
        ada.meets()
        other = page.context.new_page()
        other.goto(f"{site.root}/one")
        expect(launchers(other)).to_be_visible()
        other.evaluate("csapp('reset')")
        ada.hears("disconnected")
        expect(page.get_by_text(SECRET)).to_have_count(0)


# ---- without a load -----------------------------------------------------------------


@pytest.mark.parametrize("how", ["script", "element", "attribute", "none between"])
def test_another_signs_in_without_a_load(visit: Visit, run: Run, how: str) -> None:
    """Where the chat does not know who signs in, the page's word counts."""
    shop = house(run)
    site = Site(visit, shop)
    element = "<csapp-widget data-visitor='{}'></csapp-widget>" + TAG
    for path in ("ann", "", "bob"):
        body = tag(path) if how in ("script", "none between") else element.replace("{}", path)
        site.has(path or "nobody", body, ROUTED)
    page = site.goes("ann")
    with Waiter(shop) as ada:
        ask(page, SECRET)
        ada.meets()
        expect(page.get_by_role("heading", name="Ada")).to_be_visible()
        if how == "attribute":
            for name in ("", "bob"):
                page.locator("csapp-widget").evaluate("(it, it2) => it.dataset.visitor = it2", name)
        else:
            for path in ("nobody", "bob")[how == "none between" :]:
                turn(page, path)
        ada.hears("disconnected")
        expect(page.get_by_text(SECRET)).to_have_count(0)
        assert SECRET not in kept(page)
        page.evaluate("csapp('open')")
        expect(page.get_by_role("heading", name="How can we help?")).to_be_visible()
        write(page, "I am Bob.")
        ada.meets()
        expect_texts(page, ["You: I am Bob."])
        site.has_one_connection()


def test_another_signs_in_without_a_load_where_the_chat_knows(site: Site, shop: LiveServer) -> None:
    with Waiter(shop) as ada:
        page = talks(site, ada, "ann")
        page.evaluate(f"() => {{ {ROUTED.removeprefix('<script>').removesuffix('</script>')} }}")
        page.request.get(host(site, "/sign-in/bob"))
        turn(page, host(site, "/second"))
        ada.hears("disconnected")
        expect(page.get_by_text(SECRET)).to_have_count(0)
        page.evaluate("csapp('open')")
        write(page, "I am Bob.")
        assert ada.hears("new_connection")["payload"]["name"] == "bob"
        expect_texts(page, ["You: I am Bob."])


def test_the_token_of_one_is_not_shown_for_another(visit: Visit, run: Run) -> None:
    shop = house(run)
    site = Site(visit, shop)
    for path in ("ann", "bob"):
        site.has(path, tag(path), ROUTED)
    page = site.goes("ann")
    expect(launchers(page)).to_be_visible()
    page.evaluate("token => csapp('identify', token)", shop.token("user", "user-7", "Ann"))
    with Waiter(shop) as ada:
        ask(page, SECRET)
        met = ada.hears("new_connection")["payload"]
        assert met["name"] == "Ann"
        turn(page, "bob")
        ada.hears("disconnected")
        page.evaluate("csapp('open')")
        write(page, "I am Bob.")
        assert ada.hears("new_connection")["payload"]["name"] != "Ann"
