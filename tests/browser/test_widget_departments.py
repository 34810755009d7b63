"""Where a question goes: departments in the widget, chosen by the page or by the visitor."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Locator, Page, expect

from services.history.departments import Change, DepartmentTables
from services.history.opening import open_store
from testkit import LiveServer
from tests.probe import until

from .conftest import Axe, Run, Screenshot, View, Visit
from .site import Site, house
from .visitor import ask, close_chat, expect_texts, open_chat, write
from .waiter import Waiter

pytestmark = pytest.mark.browser

NAMES = {
    "billing": {"en": "Invoices", "de": "Rechnungen", "ar": "الفواتير"},
    "sales": {"en": "Sales", "de": "Verkauf", "ar": "المبيعات"},
    "support": {"en": "Support", "de": "Hilfe", "ar": "الدعم"},
}
LIST = "<script async src='{src}' data-departments='support sales gone sales'></script>"


@pytest.fixture
def tables(env: dict[str, str]) -> DepartmentTables:
    """Three departments, which the server will have."""
    store = open_store(env["CSAPP_DATABASE_URL"])
    store.migrate()
    found = DepartmentTables(store)
    for key, names in NAMES.items():
        found.add(key, Change(names=names))
    return found


@pytest.fixture
def shop(tables: DepartmentTables, run: Run, env: dict[str, str]) -> LiveServer:
    return house(run, env=env)


@pytest.fixture
def counter(tables: DepartmentTables, run: Run, env: dict[str, str]) -> LiveServer:
    """The standalone application, whose page axe-core has nothing against."""
    return run(env={**env, "CSAPP_MESSAGE_RATE": "0"})


def offer(page: Page, departments: str) -> Page:
    """The page lets visitors choose."""
    page.evaluate(
        "said => document.querySelector('script[src*=widget]').dataset.departments = said",
        departments,
    )
    return page


def choice(page: Page) -> Locator:
    return page.get_by_role("group", name="Department").get_by_role("radio")


def waits(page: Page, name: str) -> None:
    expect(page.locator("csapp-widget .for p").first).to_have_text(f"Waiting for {name}")


def queue_has(server: LiveServer, *expected: tuple[str, str]) -> None:
    """Wait until these questions are in the queue."""
    until(lambda: look(server) == list(expected), lambda: str(look(server)))


def look(server: LiveServer) -> list[tuple[str, str]]:
    status = json.loads(server.get("/v1/status"))
    return sorted(
        (key, str(one["queue_length"]))
        for key, one in status["departments"].items()
        if one["queue_length"]
    )


def test_the_visitor_chooses_and_is_seen_where_it_waits(shop: LiveServer, visit: Visit) -> None:
    site = Site(visit, shop)
    site.has("one", LIST)
    page = open_chat(site.goes("one"))
    expect(choice(page)).to_have_count(2)
    group = page.get_by_role("group", name="Department")
    expect(group.locator("label")).to_have_text(["Support", "Sales"])  # as the page says
    expect(choice(page).first).to_be_checked()  # one is always chosen
    page.get_by_role("radio", name="Sales").check()
    page.get_by_role("textbox").fill("A half-written ques")
    page.reload()
    expect(choice(page).last).to_be_checked()  # a reload forgets nothing
    expect(page.get_by_role("textbox")).to_have_value("A half-written ques")
    write(page, "What does it cost?")
    waits(page, "Sales")
    queue_has(shop, ("sales", "1"))


def test_without_a_choice_the_first_one_gets_the_question(shop: LiveServer, visit: Visit) -> None:
    site = Site(visit, shop)
    site.has("all", "<script async src='{src}' data-departments='*'></script>")
    with Waiter(shop, departments=["sales"]):
        page = open_chat(site.goes("all"))
        expect(page.get_by_text("Nobody is here right now.", exact=True)).to_be_visible()
        page.get_by_role("radio", name="Sales").check()
        expect(page.get_by_text("Somebody is here for you.")).to_be_visible()
        page.get_by_role("radio", name="Invoices").check()
        write(page, "Hello?")
        waits(page, "Invoices")
    queue_has(shop, ("billing", "1"))


@pytest.mark.parametrize("tag", ["data-departments='support'", "data-department='support'",
                                 "data-departments='support gone'"])  # fmt: skip
def test_the_page_alone_says_where(shop: LiveServer, visit: Visit, tag: str) -> None:
    site = Site(visit, shop)
    site.has("one", f"<script async src='{{src}}' {tag}></script>")
    page = ask(site.goes("one"), "Hello?")
    waits(page, "Support")
    expect(page.get_by_role("radio")).to_have_count(0)
    expect(page.get_by_role("button", name="Change")).to_be_hidden()
    queue_has(shop, ("support", "1"))


def test_a_script_of_the_page_says_where(shop: LiveServer, visit: Visit) -> None:
    site = Site(visit, shop)
    site.has("one", "<script>window.csapp = function () { (csapp.q ||= []).push(arguments) };"
             "csapp('department', 'sales')</script>"
             "<script async src='{src}' data-department='billing'></script>")  # fmt: skip
    page = ask(site.goes("one"), "Hello?")
    waits(page, "Sales")
    page.evaluate("csapp('department', 'support')")  # at once, because it waits
    waits(page, "Support")
    queue_has(shop, ("support", "1"))
    with Waiter(shop, departments=["support"]) as ada:
        ada.meets()
        expect(page.get_by_role("heading", name="Ada")).to_be_visible()
        page.evaluate("csapp('department', null)")  # for the next one
        ada.ends()
    page.get_by_role("button", name="Start a new chat").click()
    write(page, "And now?")
    waits(page, "Invoices")


def test_who_waits_may_go_elsewhere_until_somebody_comes(
    counter: LiveServer, visit: Visit, axe: Axe
) -> None:
    page = ask(offer(visit(f"{counter.url}/"), "support sales"), "Hello?")
    waits(page, "Support")
    change = page.get_by_role("button", name="Change")
    change.press("Enter")
    expect(change).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_text("You then wait at the end of that line.")).to_be_visible()
    axe(page)
    others = page.get_by_role("group", name="Department").get_by_role("button")
    expect(others).to_have_text(["Sales"])
    others.press("Enter")
    waits(page, "Sales")
    expect(change).to_be_focused()
    expect(others).to_have_count(0)
    queue_has(counter, ("sales", "1"))
    page.reload()
    offer(page, "support sales")
    waits(page, "Sales")
    with (
        Waiter(counter, departments=["support"]),
        Waiter(counter, "bea", departments=["sales"]) as bea,
    ):
        bea.meets()
        assert bea.reads() == "Hello?"
        expect(page.locator("csapp-widget .queue")).to_be_hidden()
        bea.ends()
    page.get_by_role("button", name="Start a new chat").click()
    expect(choice(page).first).to_be_checked()  # the choice was for one chat


def test_the_list_is_for_the_keyboard_and_shows_who_is_there(
    counter: LiveServer, visit: Visit, axe: Axe
) -> None:
    with (
        Waiter(counter, "ada", "Ada", departments=["support"]),
        Waiter(counter, "bob", "Bob", departments=["sales"]),
    ):
        page = open_chat(offer(visit(f"{counter.url}/"), "support sales"))
        expect(page.locator("csapp-widget .team")).to_have_text("AAda")
        choice(page).first.focus()
        page.keyboard.press("ArrowDown")
        expect(choice(page).last).to_be_checked()
        expect(choice(page).last).to_be_focused()
        expect(page.locator("csapp-widget .team")).to_have_text("BBob")
        expect(page.get_by_text("Somebody is here for you.")).to_be_visible()
        expect(choice(page).last).to_be_focused()  # what was loaded has not taken it
        axe(page)
        page.evaluate("csapp('setLocale', 'de')")
        group = page.get_by_role("group", name="Abteilung")
        expect(group.locator("label")).to_have_text(["Hilfe", "Verkauf"])
        expect(group.get_by_role("radio").last).to_be_checked()


def test_a_department_that_is_gone_costs_nothing_that_was_typed(
    shop: LiveServer, visit: Visit, tables: DepartmentTables
) -> None:
    site = Site(visit, shop)
    site.has("one", LIST)
    page = open_chat(site.goes("one"))
    page.get_by_role("radio", name="Sales").check()
    page.route("**/v1/welcome*", lambda route: route.abort())  # it has not heard of it yet
    tables.remove("sales")
    until(lambda: "sales" not in shop.get("/v1/welcome"))
    page.unroute("**/v1/welcome*")
    write(page, "What does it cost?")
    expect(page.get_by_role("alert").filter(has_text="cannot be reached now")).to_be_visible()
    expect(page.get_by_role("textbox")).to_have_value("What does it cost?")
    expect(choice(page)).to_have_count(0)  # one is left
    page.get_by_role("textbox").press("Enter")
    waits(page, "Support")
    expect_texts(page, ["You: What does it cost?"])
    queue_has(shop, ("support", "1"))


def test_who_waits_stays_where_a_script_of_the_page_names_what_there_is_not(
    shop: LiveServer, visit: Visit
) -> None:
    site = Site(visit, shop)
    site.has("one", "<script async src='{src}' data-department='support'></script>")
    page = ask(site.goes("one"), "Hello?")
    waits(page, "Support")
    page.evaluate("csapp('department', 'gone')")
    expect(page.get_by_role("alert").filter(has_text="cannot be reached now")).to_be_visible()
    waits(page, "Support")
    expect_texts(page, ["You: Hello?"])
    queue_has(shop, ("support", "1"))


def test_a_page_that_names_what_there_is_not_loses_no_visitor(
    shop: LiveServer, visit: Visit
) -> None:
    site = Site(visit, shop)
    site.has("one", "<script async src='{src}' data-department='slaes'></script>")
    page = ask(site.goes("one"), "Hello?")
    expect(page.get_by_role("alert").filter(has_text="cannot be reached now")).to_be_visible()
    page.get_by_role("textbox").press("Enter")
    with Waiter(shop, departments=[""]) as ada:
        ada.meets()
        assert ada.reads() == "Hello?"


def test_a_site_without_departments_shows_nothing_of_them(run: Run, visit: Visit) -> None:
    shop = house(run)
    site = Site(visit, shop)
    site.has("one", "<script async src='{src}' data-departments='*'></script>")
    asked: list[str] = []
    site.page.on("request", lambda request: asked.append(request.url))
    with Waiter(shop) as ada:
        page = ask(site.goes("one"), "Hello?")
        ada.meets()
        expect(page.get_by_role("radio")).to_have_count(0)
    assert not [one for one in asked if "prechat" in one]


@pytest.mark.parametrize("view", ["phone-light", "desk-dark"], indirect=True)
@pytest.mark.parametrize("app", ["wsgi:app", "csapp:create_demo()"], ids=["page", "shop"])
def test_the_pages_that_come_along_offer_a_choice(
    tables: DepartmentTables, run: Run, env: dict[str, str], visit: Visit, view: View,
    screenshot: Screenshot, app: str,
) -> None:  # fmt: skip
    """`/` of the standalone application, and the shop of the demo."""
    tables.change("billing", Change(enabled=False))
    server = run(app, env=env)
    page = open_chat(visit(f"{server.url}/", **view))
    group = page.get_by_role("group", name="Department")
    expect(group.locator("label")).to_have_text(["Sales", "Support"])
    expect(choice(page).first).to_be_checked()
    page.get_by_role("radio", name="Support").check()
    screenshot(page, "departments-page" if app == "wsgi:app" else "departments-shop")
    write(page, "Hello?")
    waits(page, "Support")
    queue_has(server, ("support", "1"))


def test_it_looks_like_a_choice_everywhere(
    counter: LiveServer, visit: Visit, view: View, axe: Axe, screenshot: Screenshot
) -> None:
    page = open_chat(visit(f"{counter.url}/", **view))
    expect(choice(page)).to_have_count(3)
    axe(page)
    screenshot(page, "departments")
    write(page, "Hello?")
    waits(page, "Invoices")
    page.get_by_role("button", name="Change").click()
    axe(page)
    screenshot(page, "departments-queued")
    close_chat(page)
    page.evaluate("csapp('setLocale', 'ar')")
    page.locator("csapp-widget .launcher").click()
    expect(page.locator("csapp-widget .for p").first).to_contain_text("الفواتير")
    axe(page)
    screenshot(page, "departments-rtl")
