"""Debian's WebKit: its MiniBrowser, driven by WebDriver, on a screen that nobody sees.

`WebKitPage` is as much of Playwright's `Page` as tests use; its locators are Playwright's
(`finder.py`). What WebDriver cannot do (answer in the network's place, be offline, run a script
before the page's own) skips the test with that reason, and so do windows that a page opens: the
driver often never answers for one of these.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn, cast

from playwright._impl.isomorphic import locator_utils as selectors
from playwright.sync_api import Browser, Locator, Page, Playwright, TimeoutError

from testkit.ports import free_port
from testkit.server import PATIENCE

from .finder import PAUSE, Frame
from .lacking import lacking
from .webdriver import Refused, Session, keystrokes

BROWSERS = sorted(Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser"))
DRIVER = "WebKitWebDriver"
#: ends what it starts with the process of the tests, however that ends (util-linux)
HELD = ("setpriv", "--pdeathsig", "TERM")
SCREEN = {"width": 2600, "height": 1800}
SIDES = (("x", "width"), ("y", "height"))
SIZE = "{width}x{height}x24".format_map(SCREEN)
#: MiniBrowser's own bar is wider than a phone
NARROW = """
toolbar *, headerbar *, entry, button {
  min-width: 0; min-height: 0; margin: 0; padding: 0; border-width: 0; font-size: 1px;
  -gtk-icon-transform: scale(0.1);
}
"""
#: options of `new_context` that change nothing here: a picture is as sharp as the screen
LEFT_OUT = {"device_scale_factor"}


@functools.cache
def locales() -> frozenset[str]:
    """The system's, of which WebKit takes its languages."""
    return frozenset(subprocess.check_output(["locale", "-a"], text=True).split())


def waited(look: Callable[[], Any], what: str) -> Any:
    """What *look* returns as soon as that is something."""
    last = time.monotonic() + PATIENCE
    while not (seen := look()):
        if time.monotonic() > last:
            raise TimeoutError(f"Timeout: {what}")
        time.sleep(PAUSE)
    return seen


class Keyboard:
    """As Playwright's."""

    def __init__(self, page: WebKitPage) -> None:
        self._page = page

    def press(self, key: str) -> None:
        self._page.act("key", keystrokes(key))

    def type(self, text: str) -> None:
        keys = ["Enter" if one == "\n" else one for one in text]
        self._page.act("key", [stroke for key in keys for stroke in keystrokes(key)])

    def down(self, key: str) -> None:
        self._page.act("key", keystrokes(key)[:1])

    def up(self, key: str) -> None:
        self._page.act("key", keystrokes(key)[-1:])

    def insert_text(self, text: str) -> None:
        self._page.run("document.execCommand('insertText', false, arguments[0])", text)


class Mouse:
    """As Playwright's."""

    def __init__(self, page: WebKitPage) -> None:
        self._page = page

    def move(self, x: float, y: float) -> None:
        self._act([{"type": "pointerMove", "x": int(x), "y": int(y)}])

    def click(self, x: float, y: float, *, click_count: int = 1) -> None:
        press = [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        self._act([{"type": "pointerMove", "x": int(x), "y": int(y)}, *press * click_count])

    def wheel(self, delta_x: float, delta_y: float) -> None:
        lacking("WebKit", "turn a wheel")

    def _act(self, actions: list[dict[str, Any]]) -> None:
        self._page.act("pointer", actions, pointerType="mouse")


class WebKitPage:
    """One window."""

    def __init__(self, context: WebKitContext, handle: str) -> None:
        self.context, self.handle = context, handle
        self._frame = self._impl_obj = Frame(self, context.browser.playwright)
        self.keyboard, self.mouse = Keyboard(self), Mouse(self)
        self.viewport_size: dict[str, int] | None = None
        self.main_frame = self

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """`expect` takes it for Playwright's, and asks `_impl_obj`."""
        return Page

    # ---- the driver ----

    @property
    def session(self) -> Session:
        """The driver's, with this window in front."""
        self.context.to_front(self)
        return self.context.session

    def run(self, script: str, *arguments: Any) -> Any:
        return self.session.run(script, *arguments)

    def act(self, kind: str, actions: list[dict[str, Any]], **parameters: str) -> None:
        self.session.act(kind, actions, **parameters)

    # ---- where it is ----

    @property
    def url(self) -> str:
        return str(self.session.get("/url"))

    def goto(self, url: str, **options: Any) -> None:
        self.session.post("/url", url=url)

    def reload(self, **options: Any) -> None:
        self.session.post("/refresh")

    def go_back(self, **options: Any) -> None:
        self.session.post("/back")

    def go_forward(self, **options: Any) -> None:
        self.session.post("/forward")

    def title(self) -> str:
        return str(self.session.get("/title"))

    def close(self) -> None:
        self.session.delete("/window")
        self.context.pages.remove(self)
        self.context.front = None

    def bring_to_front(self) -> None:
        """Give it the focus: the others go into the corner."""
        for other in self.context.pages:
            other.session.post("/window/rect", x=0, y=0)
        assert self.viewport_size
        self._put(self.viewport_size)

    def set_viewport_size(self, size: dict[str, int]) -> None:
        """The window's frame has a bar above the page.

        Without a window manager the window under the pointer has the focus, and the pointer
        is in the middle of the screen.
        """
        self.viewport_size = size
        session, wanted = self.session, [size["width"], size["height"]]
        inner = "return [innerWidth, innerHeight]"

        def fits() -> bool:
            if session.run(inner) == wanted:
                return True
            self._put(size)
            return False

        waited(fits, f"no window for a page of {size}")

    def _put(self, size: dict[str, int]) -> None:
        bar = self.run("return outerHeight - innerHeight")
        frame = {"width": size["width"], "height": size["height"] + bar}
        corner = {side: (SCREEN[of] - frame[of]) // 2 for side, of in SIDES}
        self.session.post("/window/rect", **frame, **corner)

    # ---- what is on it ----

    def evaluate(self, expression: str, arg: Any = None) -> Any:
        value = expression.strip().rstrip(";") or "undefined"
        body = f"const it = (\n{value}\n);"
        try:
            return self.run(f"{body} return typeof it === 'function' ? it(arguments[0]) : it;", arg)
        except Refused as error:
            if "Unexpected" not in str(error):
                raise
            return self.run(value)  # statements, which have no value

    def wait_for_timeout(self, milliseconds: float) -> None:
        time.sleep(milliseconds / 1000)

    def wait_for_url(self, url: str, **options: Any) -> None:
        waited(lambda: fnmatchcase(self.url, url), url)

    def content(self) -> str:
        return str(self.session.get("/source"))

    def screenshot(self, *, path: Path | str | None = None, **options: Any) -> bytes:
        taken = base64.b64decode(self.session.get("/screenshot"))
        if path:
            Path(path).write_bytes(taken)
        return taken

    def locator(self, selector: str, **inner: Any) -> Locator:
        return self._frame.located(selector, **inner)

    def get_by_role(self, role: Any, **which: Any) -> Locator:
        return self.locator(selectors.get_by_role_selector(role, **which))

    def get_by_text(self, text: Any, *, exact: bool = False) -> Locator:
        return self.locator(selectors.get_by_text_selector(text, exact=exact))

    def get_by_label(self, text: Any, *, exact: bool = False) -> Locator:
        return self.locator(selectors.get_by_label_selector(text, exact=exact))

    def get_by_placeholder(self, text: Any, *, exact: bool = False) -> Locator:
        return self.locator(selectors.get_by_placeholder_selector(text, exact=exact))

    def get_by_title(self, text: Any, *, exact: bool = False) -> Locator:
        return self.locator(selectors.get_by_title_selector(text, exact=exact))

    def click(self, selector: str, **options: Any) -> None:
        self.locator(selector).click()

    def fill(self, selector: str, value: str, **options: Any) -> None:
        self.locator(selector).fill(value)

    # ---- not to be had ----

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        lacking("WebKit", f"do what `page.{name}` does")


class WebKitContext:
    """One browser, with storage and cookies of its own."""

    def __init__(self, browser: WebKit, **options: Any) -> None:
        self.browser, self._end = browser, ExitStack()
        self.pages: list[WebKitPage] = []
        self.front: WebKitPage | None = None
        self._size = options.pop("viewport", {"width": 1280, "height": 720})
        self.session = self._started(options)
        self._first: str | None = self.session.get("/window")

    def _started(self, options: dict[str, Any]) -> Session:
        home = Path(self._end.enter_context(tempfile.TemporaryDirectory()))
        settings = home / "gtk-3.0"
        settings.mkdir()
        (settings / "gtk.css").write_text(NARROW)
        still = options.pop("reduced_motion", None) == "reduce"
        (settings / "settings.ini").write_text(
            f"[Settings]\ngtk-enable-animations={int(not still)}"
        )
        arguments = ["--automation", *options.pop("arguments", ())]
        if options.pop("color_scheme", None) == "dark":
            arguments.append("--dark-mode")
        if zone := options.pop("timezone_id", None):
            arguments.append(f"--time-zone={zone}")
        language = options.pop("locale", "en-US").replace("-", "_")
        if language != "en_US" and f"{language}.utf8" not in locales():
            lacking("WebKit", f"speak {language} where the system has no such locale")
        for name in options.keys() - LEFT_OUT:
            lacking("WebKit", f"make a session with {name}")
        port = free_port()
        driver = subprocess.Popen(
            [*HELD, DRIVER, f"--port={port}"],
            stderr=subprocess.DEVNULL,
            env=os.environ
            | {
                "DISPLAY": self._end.enter_context(screen()),
                "GDK_BACKEND": "x11",
                "XDG_CONFIG_HOME": str(home),
                "LANG": f"{language}.UTF-8",
                "LANGUAGE": language,
                "NO_AT_BRIDGE": "1",
                "LIBGL_ALWAYS_SOFTWARE": "1",
                # Root has no sandbox, and the pages are our own.
                "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1",
            },
        )
        self._end.callback(driver.wait)
        self._end.callback(driver.terminate)
        binary = {"binary": str(BROWSERS[-1]), "args": arguments}

        def made() -> Session | None:
            with contextlib.suppress(ConnectionError):
                return Session(port, {"webkitgtk:browserOptions": binary})
            return None

        session: Session = waited(made, f"{DRIVER} does not answer")
        self._end.callback(self._closed, session)
        return session

    def _closed(self, session: Session) -> None:
        with contextlib.suppress(Refused):
            session.delete()

    def to_front(self, page: WebKitPage) -> None:
        """What is asked of the driver is asked of one window."""
        if self.front is not page:
            self.session.post("/window", handle=page.handle)
            self.front = page

    def new_page(self) -> WebKitPage:
        handle, self._first = self._first, None
        page = WebKitPage(self, handle or self.session.post("/window/new", type="window")["handle"])
        self.pages.append(page)
        page.set_viewport_size(self._size)
        return page

    def cookies(self) -> list[dict[str, Any]]:
        """Those of the page in front."""
        return list(self.session.get("/cookie"))

    def clear_cookies(self) -> None:
        self.session.delete("/cookie")

    def on(self, event: str, heard: Any) -> None:
        """Nothing is told: the driver has no events."""

    def close(self) -> None:
        self._end.close()

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        lacking("WebKit", f"do what `context.{name}` does")


class WebKit:
    """As much of Playwright's `Browser` as tests use; each session is a browser of its own."""

    browser_type = SimpleNamespace(name="webkit")

    def __init__(self, playwright: Playwright) -> None:
        self.playwright = playwright

    def new_context(self, **options: Any) -> WebKitContext:
        """A session."""
        return WebKitContext(self, **options)

    @property
    def version(self) -> str:
        """As WebKit says it."""
        context = self.new_context()
        context.close()
        return context.session.version


@contextmanager
def screen() -> Iterator[str]:
    """The name of a screen that nobody sees.

    Each browser has its own: without a window manager only one on a screen has the focus.
    """
    server = subprocess.Popen(
        [*HELD, "Xvfb", "-displayfd", "1", "-screen", "0", SIZE, "-nolisten", "tcp"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert server.stdout
    try:
        yield f":{int(server.stdout.readline())}"
    finally:
        server.terminate()
        server.wait()


@contextmanager
def launched(playwright: Playwright) -> Iterator[Browser]:
    """A browser, closed at the end."""
    assert BROWSERS, "Debian's webkit2gtk-driver is missing"
    yield cast(Browser, WebKit(playwright))
