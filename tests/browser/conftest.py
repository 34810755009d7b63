"""A real browser: pages in sessions of their own, looked at by axe-core, in every shape and colour.

`SCREENSHOTS=folder` keeps every screenshot that tests take; `PICTURES=1` (`make
pictures`) takes those in docs/images anew.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from testkit import LiveServer
from testkit.server import PATIENCE, ROOT

from . import axe as axe_core
from .engines import LAUNCHED
from .engines.lacking import lacking
from .site import house

#: `run(app, env=…)`: a server that ends with the test
Run = Callable[..., LiveServer]
#: `visit(url, expected=(), **options)`: a page in a browser session of its own
Visit = Callable[..., Page]
#: `axe(page)`: fails when axe-core finds something
Axe = Callable[[Page], None]
#: `screenshot(page, name)`: keeps what a page looks like, when that was asked for
Screenshot = Callable[[Page, str], None]
#: `picture(name, page, …)`: the pages side by side as docs/images/NAME.png, when asked for
Picture = Callable[..., None]
#: options of a browser session: a window's size, a colour scheme
View = dict[str, Any]

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}
VIEWS: dict[str, View] = {
    f"{shape}-{scheme}": {"viewport": size, "color_scheme": scheme, "reduced_motion": "reduce"}
    for shape, size in (("phone", PHONE), ("desk", DESK))
    for scheme in ("light", "dark")
}

IMAGES = ROOT / "docs" / "images"

#: what is no complaint about the page
USUAL = (
    "status of 401",  # the waiter's page asks who is signed in, and "nobody" is a 401
    # Playwright puts a style sheet `body {}` into a page before it takes a picture: Firefox tells
    "sha256-YjaKGiklmzC6wjXA513HAMmzus8VE61XCOT",
)

#: what Firefox says where Chromium says what a test expects
FIREFOX = {
    "WebSocket connection to": "Firefox can’t establish a connection|was interrupted while",
    "Content Security Policy": "page’s settings blocked",
}

expect.set_options(timeout=PATIENCE * 1000)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test marked `engines` runs in these; with `ENGINES=…` every test runs in those."""
    marked = metafunc.definition.get_closest_marker("engines")
    wanted = os.environ.get("ENGINES", "").split() or (marked.args if marked else ())
    if wanted and "engine" in metafunc.fixturenames:
        metafunc.parametrize("engine", wanted, indirect=True, scope="package")


@pytest.fixture(scope="package")
def engine(request: pytest.FixtureRequest) -> str:
    """The name of the engine."""
    return str(getattr(request, "param", "chromium"))


@pytest.fixture
def heard(engine: str) -> None:
    """For tests of sounds: there is one to be heard without a sound device."""
    if engine == "firefox":
        lacking("Firefox", "play anything on a machine without a sound device")


@pytest.fixture
def cuttable(engine: str) -> None:
    """For tests that cut the network: skipped where the driver cannot, before anything begins."""
    if engine in ("firefox", "webkit"):
        lacking(engine.replace("firefox", "Firefox").replace("webkit", "WebKit"), "cut connections")


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """One for all engines."""
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="package")
def browser(engine: str, playwright: Playwright) -> Iterator[Browser]:
    with LAUNCHED[engine](playwright) as started:
        yield started


@pytest.fixture
def run() -> Iterator[Run]:
    """Starts servers with a desk of their own: nobody else is in its queue."""
    with ExitStack() as stack:

        def started(app: str = "wsgi:app", **options: Any) -> LiveServer:
            return stack.enter_context(LiveServer.gunicorn(app, **options))

        yield started


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Settings with a database of the test's own. A module may add to them."""
    return {"CSAPP_DATABASE_URL": f"sqlite:///{tmp_path}/csapp.db"}


@pytest.fixture
def desk(run: Run, env: dict[str, str]) -> LiveServer:
    """The standalone application with the settings of `env`."""
    return run(env=env)


@pytest.fixture
def shop(run: Run, env: dict[str, str]) -> LiveServer:
    """A `house` (`site.py`) with the settings of `env`."""
    return house(run, env=env)


@pytest.fixture
def server(run: Run) -> LiveServer:
    """The standalone application as it comes."""
    return run()


@pytest.fixture(scope="module")
def bystander() -> Iterator[LiveServer]:
    """For tests that leave nothing behind at its desk."""
    with LiveServer.gunicorn() as started:
        yield started


@pytest.fixture(scope="module")
def plain() -> Iterator[LiveServer]:
    """A `house` (`site.py`) for tests that leave nothing behind at its desk."""
    with ExitStack() as stack:

        def started(app: str, **options: Any) -> LiveServer:
            return stack.enter_context(LiveServer.gunicorn(app, **options))

        yield house(started)


@pytest.fixture(params=VIEWS)
def view(request: pytest.FixtureRequest) -> View:
    """Phone and desk, light and dark in turn: `visit(url, **view)`."""
    return VIEWS[request.param]


@pytest.fixture
def visit(browser: Browser, run: Run) -> Iterator[Visit]:
    """Opens pages, which must keep in order.

    A test fails when any page of a session, tabs and pop-ups included, wrote
    an error or a warning to its console, broke its policy or asked another
    server for anything than that of *url*, or *house*. *expected* are patterns of
    what may be heard; the other options are those of Playwright's `new_context`.

    The pages are closed before the servers of `run` end, or they would miss them.
    """
    complaints: list[str] = []
    contexts = []

    def visited(
        url: str, *, expected: tuple[str, ...] = (), house: str = "", **options: Any
    ) -> Page:
        house = house or urlsplit(url).netloc
        also = [said for word, said in FIREFOX.items() if any(one in word for one in expected)]
        context = browser.new_context(**options)
        contexts.append(context)

        def heard(text: str) -> None:
            if not any(re.search(pattern, text) for pattern in (*USUAL, *expected, *also)):
                complaints.append(text)

        def asked(address: str) -> None:
            if urlsplit(address).netloc not in ("", house):
                heard(f"asked for {address}")

        # Chromium reports violations of the policy on the console as well.
        context.on("console", lambda said: said.type in ("error", "warning") and heard(said.text))
        context.on("weberror", lambda error: heard(str(error.error)))
        context.on("request", lambda request: asked(request.url))
        page = context.new_page()
        page.goto(url)
        return page

    yield visited
    for context in contexts:
        context.close()
    assert complaints == [], "\n".join(complaints)


@pytest.fixture
def axe() -> Axe:
    """Fails when axe-core finds something wrong with a page."""

    def looked(page: Page) -> None:
        if found := axe_core.findings(page):
            pytest.fail("\n".join([f"axe-core on {page.url}:", *found]), pytrace=False)

    return looked


@pytest.fixture
def screenshot(request: pytest.FixtureRequest) -> Screenshot:
    """Keeps what a page looks like as NAME-VIEW.png in the folder of `SCREENSHOTS`."""
    folder = os.environ.get("SCREENSHOTS")
    shape = request.node.callspec.params.get("view") if hasattr(request.node, "callspec") else None

    def shot(page: Page, name: str) -> None:
        if folder:
            full = f"{name}-{shape}" if shape else name
            page.screenshot(path=Path(folder) / f"{full}.png")

    return shot


@pytest.fixture
def picture(browser: Browser) -> Picture:
    """Takes a picture of the documentation anew, where `PICTURES` says so."""

    def taken(name: str, *pages: Page) -> None:
        if os.environ.get("PICTURES") != "1":
            return
        heights = [page.viewport_size["height"] for page in pages if page.viewport_size]
        shots = [base64.b64encode(page.screenshot()).decode() for page in pages]
        frame = browser.new_page(device_scale_factor=2, viewport={"width": 1600, "height": 900})
        frame.set_content(
            f"""<style>
            body {{ margin: 0 }}
            main {{ display: flex; gap: 24px; padding: 24px; width: max-content;
                    background: #dfe3ea }}
            img {{ height: {min(heights)}px; border-radius: 16px;
                   box-shadow: 0 8px 32px rgb(16 24 40 / 16%) }}
            </style><main>"""
            + "".join(f'<img src="data:image/png;base64,{shot}">' for shot in shots)
        )
        frame.evaluate("Promise.all([...document.images].map(image => image.decode()))")
        frame.locator("main").screenshot(path=IMAGES / f"{name}.png")
        frame.close()

    return taken
