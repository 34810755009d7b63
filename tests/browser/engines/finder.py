"""Playwright's locators and expectations, asked of a page that Playwright does not drive.

A `Locator` of Playwright is a selector and a frame that it asks. `Frame` answers as Playwright's
own does, and finds elements by the script that Playwright itself puts into pages, so a locator
means the same in all engines. Both come from inside the pinned package (there is no public way
to them): after an update `test_engines.py` says what has moved.
"""

from __future__ import annotations

import ast
import asyncio
import functools
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn, cast

import playwright
from playwright._impl.locator import Locator as Asked
from playwright.sync_api import Locator, TimeoutError

from testkit.server import PATIENCE

from .lacking import lacking
from .webdriver import Refused

if TYPE_CHECKING:
    from .webkit import WebKitPage

BUNDLE = Path(playwright.__file__).parent / "driver" / "package" / "lib" / "coreBundle.js"
SCRIPT = re.compile(
    r"generated/injectedScriptSource\.ts\"\(\) \{\s*\"use strict\";\s*\w+ = ('.*');\n"
)
#: seconds between two looks at a page that is not yet as it should be
PAUSE = 0.02

#: finds elements and does something with them; `absent` where a new document has no finder yet
ASK = """
const finder = window[Symbol.for("csapp.tests.finder")];
if (!finder) return { absent: true };
const [selector, strict, arg] = arguments;
const parsed = finder.parseSelector(selector);
const elements = finder.querySelectorAll(parsed, document);
if (strict && elements.length > 1) throw finder.strictModeViolationError(parsed, elements);
return Promise.resolve((%s)(finder, elements, arg)).then((value) => ({ value }));
"""
#: where an element is in the window: WebKit's own numbers leave out any `zoom` around it
PLACE = """(element, box = element.getBoundingClientRect()) => {
  let zoom = 1;
  const around = (one) => one.assignedSlot ?? one.parentElement ?? one.getRootNode().host;
  for (let one = element; one; one = around(one)) zoom *= getComputedStyle(one).zoom;
  const { x, y, width, height } = box;
  return { x: x * zoom, y: y * zoom, width: width * zoom, height: height * zoom };
}"""
#: what a click or a key needs: an element that is there, seen, enabled and at rest
ABLE = """async (finder, [element], states) => {
  if (!element) return { not: "there" };
  const state = await finder.checkElementStates(element, states, true);
  if (state) return { not: state.missingState ?? state };
  element.scrollIntoViewIfNeeded();
  const { x, y, width, height } = (PLACE)(element, element.getClientRects()[0]);
  const point = { x: Math.floor(x + width / 2), y: Math.floor(y + height / 2) };
  const hit = finder.expectHitTarget(point, finder.retarget(element, "button-link"));
  return hit === "done" ? point : { not: `free of ${hit.hitTargetDescription}` };
}""".replace("PLACE", PLACE)
FOCUSED = """async (finder, [element]) => {
  if (!element) return { not: "there" };
  finder.focusNode(element);
}"""
#: the text is put in as if it were typed in one go
FILLED = """async (finder, [element], text) => {
  if (!element) return { not: "there" };
  const state = await finder.checkElementStates(element, ["visible", "enabled", "editable"], true);
  if (state) return { not: state.missingState ?? state };
  if (finder.fill(element, text) === "needsinput")
    document.execCommand(text ? "insertText" : "delete", false, text);
}"""
#: the same rules for elements that are missing as in Playwright's own frame
EXPECTED = """async (finder, elements, options) => {
  const { expression, isNot } = options;
  const all = expression === "to.have.count" || expression.endsWith(".array");
  if (elements.length || all) return finder.expect(elements[0], options, elements, true);
  const gone = ["to.be.hidden", "to.be.detached"].includes(expression);
  const seen = ["to.be.visible", "to.be.attached", "to.be.in.viewport"].includes(expression);
  if (isNot ? seen : gone) return { matches: !isNot };
  return { matches: isNot, received: { value: "no such element" } };
}"""


@functools.cache
def script() -> str:
    """What Playwright puts into pages, as the body of a function that installs it."""
    found = SCRIPT.search(BUNDLE.read_text())
    assert found, f"{BUNDLE} has no injected script where {SCRIPT.pattern!r} looks for it"
    options = (
        '{isUnderTest: false, sdkLanguage: "python", frameSeq: 0, testIdAttributeName: '
        '"data-testid", stableRafCount: 1, browserName: "webkit", isUtilityWorld: true, '
        "customEngines: []}"
    )
    return f"""
    const module = {{}};
    {ast.literal_eval(found[1])}
    window[Symbol.for("csapp.tests.finder")] =
        new (module.exports.InjectedScript())(globalThis, {options});
    """


class Frame:
    """What `Locator` and `expect(page)` ask; all of it in the page's only frame."""

    def __init__(self, page: WebKitPage, api: Any) -> None:
        self.page, self.main_frame = page, self
        self.context = SimpleNamespace(_options={})
        # a locator's methods run on Playwright's own loop
        self._loop, self._dispatcher_fiber = api._loop, api._dispatcher_fiber
        self._channel = self

    def located(self, selector: str, **inner: Any) -> Locator:
        """A locator of Playwright that asks here."""
        if isinstance(inner.get("has"), Locator):
            inner["has"] = inner["has"]._impl_obj
        return Locator(cast(Any, Asked(cast(Any, self), selector, **inner)))

    def locator(self, selector: str, **inner: None) -> Asked:
        """What `expect(page)` holds on to."""
        return Asked(cast(Any, self), selector)

    def look(self, selector: str, do: str, arg: Any = None, *, strict: bool = True) -> Any:
        """What `do(finder, elements, arg)` returns in the page, now."""
        answer = self.page.run(ASK % do, selector, strict, arg)
        if answer and "absent" in answer:
            self.page.run(script())
            answer = self.page.run(ASK % do, selector, strict, arg)
        return answer["value"]

    async def _able(self, selector: str, do: str, arg: Any = None, timeout: Any = None) -> Any:
        """The same, as soon as it returns anything but `{not: …}`."""

        def looked() -> tuple[bool, Any]:
            seen = self.look(selector, do, arg)
            return not (isinstance(seen, dict) and "not" in seen), seen

        done, seen = await self._until(looked, timeout)
        if not done:
            raise TimeoutError(f"Timeout: {selector} is not {seen['not']}")
        return seen

    async def _until(
        self, look: Callable[[], tuple[bool, Any]], timeout: float | None
    ) -> tuple[bool, Any]:
        last = self._loop.time() + self._timeout(timeout) / 1000
        while True:
            over = self._loop.time() > last
            try:
                done, seen = look()
            except Refused as refused:
                # between two documents there is nothing to run a script in
                if over or refused.code in {"javascript error", "no such window"}:
                    raise
                done, seen = False, {"not": str(refused)}
            if done or over:
                return done, seen
            await asyncio.sleep(PAUSE)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        lacking("WebKit", f"do what a locator asks `frame.{name}` for")

    def _timeout(self, timeout: float | None = None) -> float:
        return PATIENCE * 1000 if timeout is None else timeout

    def _wrap_api_call(self, func: Callable[[Any], Any], options: Any = None) -> Any:
        return func(None)

    # ---- done as by a person ----

    async def click(self, selector: str, timeout: Any = None, **options: Any) -> None:
        states = [] if options.get("force") else ["visible", "enabled", "stable"]
        point = await self._able(selector, ABLE, states, timeout)
        self.page.mouse.click(point["x"], point["y"], click_count=options.get("click_count") or 1)

    async def dblclick(self, selector: str, **options: Any) -> None:
        await self.click(selector, **{**options, "click_count": 2})

    async def check(self, selector: str, **options: Any) -> None:
        if not await self.is_checked(selector):
            await self.click(selector, **options)

    async def uncheck(self, selector: str, **options: Any) -> None:
        if await self.is_checked(selector):
            await self.click(selector, **options)

    async def hover(self, selector: str, timeout: Any = None, **options: Any) -> None:
        point = await self._able(selector, ABLE, ["visible", "stable"], timeout)
        self.page.mouse.move(point["x"], point["y"])

    async def focus(self, selector: str, timeout: Any = None, **options: Any) -> None:
        await self._able(selector, FOCUSED, timeout=timeout)

    async def press(self, selector: str, key: str, timeout: Any = None, **options: Any) -> None:
        await self.focus(selector, timeout=timeout)
        self.page.keyboard.press(key)

    async def type(self, selector: str, text: str, timeout: Any = None, **options: Any) -> None:
        await self.focus(selector, timeout=timeout)
        self.page.keyboard.type(text)

    async def fill(self, selector: str, value: str, timeout: Any = None, **options: Any) -> None:
        await self._able(selector, FILLED, value, timeout)

    async def select_option(self, selector: str, value: Any = None, **options: Any) -> list[str]:
        wanted = [{"value": one} for one in ([value] if isinstance(value, str) else value)]
        do = "(finder, [element], wanted) => element ? finder.selectOptions(element, wanted)"
        return list(await self._able(selector, do + ' : { not: "there" }', wanted))

    # ---- read ----

    async def _read(self, selector: str, expression: str, arg: Any = None) -> Any:
        do = f'(finder, [one], arg) => one ? {{ value: {expression} }} : {{ not: "there" }}'
        return (await self._able(selector, do, arg))["value"]

    async def text_content(self, selector: str, **options: Any) -> Any:
        return await self._read(selector, "one.textContent")

    async def inner_text(self, selector: str, **options: Any) -> Any:
        return await self._read(selector, "one.innerText")

    async def inner_html(self, selector: str, **options: Any) -> Any:
        return await self._read(selector, "one.innerHTML")

    async def input_value(self, selector: str, **options: Any) -> Any:
        return await self._read(selector, "one.value")

    async def get_attribute(self, selector: str, name: str, **options: Any) -> Any:
        return await self._read(selector, "one.getAttribute(arg)", name)

    async def is_checked(self, selector: str, **options: Any) -> Any:
        return await self._read(selector, 'finder.elementState(one, "checked").matches')

    async def is_enabled(self, selector: str, **options: Any) -> Any:
        return await self._read(selector, 'finder.elementState(one, "enabled").matches')

    async def is_disabled(self, selector: str, **options: Any) -> Any:
        return not await self.is_enabled(selector)

    async def is_editable(self, selector: str, **options: Any) -> Any:
        return await self._read(selector, 'finder.elementState(one, "editable").matches')

    async def is_visible(self, selector: str, **options: Any) -> bool:
        seen = '(finder, [one]) => !!one && finder.elementState(one, "visible", true).matches'
        return bool(self.look(selector, seen))

    async def is_hidden(self, selector: str, **options: Any) -> bool:
        return not await self.is_visible(selector)

    async def eval_on_selector_all(self, selector: str, expression: str, arg: Any) -> Any:
        do = f"(finder, elements, arg) => ({expression})(elements, arg)"
        return self.look(selector, do, arg, strict=False)

    async def dispatch_event(
        self, selector: str, type: str, event_init: Any = None, **options: Any
    ) -> None:
        await self._read(selector, "finder.dispatchEvent(one, ...arg)", [type, event_init or {}])

    async def _query_count(self, selector: str) -> int:
        return int(self.look(selector, "(finder, elements) => elements.length", strict=False))

    # ---- waited for ----

    async def waitForSelector(
        self, selector: str, state: str | None, timeout: Any, **options: Any
    ) -> dict[str, Any]:
        result = await self._expect(selector, f"to.be.{state or 'visible'}", {"timeout": timeout})
        if not result["matches"]:
            raise TimeoutError(f"Timeout: {selector} is not {state}")
        return {"element": SimpleNamespace(_object=Element(self, selector))}

    async def _expect(
        self,
        selector: str | None,
        expression: str,
        options: dict[str, Any],
        title: str | None = None,
    ) -> dict[str, Any]:
        selector = selector or ":root"
        is_not = bool(options.get("isNot"))
        asked = {**options, "expression": expression, "isNot": is_not}
        strict = not (expression == "to.have.count" or expression.endswith(".array"))

        def looked() -> tuple[bool, Any]:
            seen = self.look(selector, EXPECTED, asked, strict=strict)
            return seen["matches"] != is_not, seen

        done, seen = await self._until(looked, options.get("timeout"))
        result = {"matches": done != is_not, "log": [f"waiting for {selector}"]}
        return result | {"received": seen.get("received")}


class Element:
    """What `Locator` does with an element that it has waited for: the element is found again."""

    def __init__(self, frame: Frame, selector: str) -> None:
        self._frame, self._selector = frame, selector

    async def evaluate(self, expression: str, arg: Any) -> Any:
        do = f"(finder, [element], arg) => ({expression})(element, arg)"
        return self._frame.look(self._selector, do, arg)

    async def bounding_box(self) -> Any:
        return await self.evaluate(f"(element) => ({PLACE})(element)", None)

    async def scroll_into_view_if_needed(self, timeout: Any = None) -> None:
        await self.evaluate("element => element.scrollIntoViewIfNeeded()", None)

    async def dispose(self) -> None:
        """Nothing is kept in the page."""
