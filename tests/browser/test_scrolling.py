"""Whoever scrolls up is not pulled back by what comes in the same moment."""

from __future__ import annotations

import pytest

from testkit import LiveServer

from .conftest import Visit

MESSAGES = """
const messages = Array.from({ length: 100 }, (_, number) => ({
  id: `m${number}`, seq: number + 1, own: false, state: "sent", text: `Message ${number}`,
  date: "2026-11-26T12:00:00Z",
}));
const [earlier, now] = [messages.slice(0, 99), messages];
document.body.replaceChildren();
const place = document.createElement("div");
document.body.append(place);
"""

CONSOLE = (
    MESSAGES
    + """
const { html, render } = await import("/csapp-static/console/lib.js");
const { Messages } = await import("/csapp-static/console/components/messages.js");
const show = (messages) => render(
  html`<${Messages} chat=${{ messages, notes: [], complete: true, state: "open" }}
        name="Ann" label="Messages"
        look=${() => {}} older=${async () => {}} />`, place);
show(earlier);
const log = place.querySelector(".log");
log.style.cssText = "height: 200px; overflow-y: scroll";
"""
)

WIDGET = (
    MESSAGES
    + """
const { Log } = await import("/csapp-static/widget/log.js");
const shown = new Log({ scrolled() {}, older() {}, face() {}, now: Date.now });
shown.relabel((key) => key, "en");
const show = (messages) => shown.show(messages);
const log = shown.element;
place.append(log);
log.style.cssText = "height: 200px; overflow-y: scroll";
show(earlier);
"""
)

pytestmark = pytest.mark.browser

#: the frame in which it got its size is over, and its scrolling has been noticed
SETTLED = """
const frame = () => new Promise((done) => requestAnimationFrame(done));
for (let n = 0; n < 3; n += 1) await frame();
const atEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 64;
const found = [atEnd()];
"""

#: a message comes before the event of scrolling does; and one more after it
PULL = """
log.scrollTop = 0;
show(now);
found.push(log.scrollTop);
for (let n = 0; n < 3; n += 1) await frame();
show(now.slice());
found.push(log.scrollTop);
return found;
"""

#: nobody has scrolled
FOLLOW = "show(now); found.push(atEnd()); return found;"


@pytest.fixture(params=[CONSOLE, WIDGET], ids=["console", "widget"])
def face(request: pytest.FixtureRequest) -> str:
    script: str = request.param
    return script


def test_a_page_that_moves_the_widget_leaves_it_at_its_end(
    server: LiveServer, visit: Visit
) -> None:
    page = visit(f"{server.url}/")
    moved = "document.body.prepend(place); const top = log.scrollTop; shown.moved();"
    found = page.evaluate(
        f"(async () => {{ {WIDGET} {SETTLED} {moved} return [...found, top, atEnd()]; }})()"
    )
    assert found == [True, 0, True]


@pytest.mark.parametrize(
    ("then", "found"), [(PULL, [True, 0, 0]), (FOLLOW, [True, True])], ids=["scrolled", "at rest"]
)
def test_who_has_scrolled_up_stays_there(
    server: LiveServer, visit: Visit, face: str, then: str, found: list[object]
) -> None:
    page = visit(f"{server.url}/")
    assert page.evaluate(f"(async () => {{ {face} {SETTLED} {then} }})()") == found
