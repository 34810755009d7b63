"""axe-core, which finds what keeps people out of a page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

SOURCE = (Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js").read_text()


def findings(page: Page) -> list[str]:
    """What axe-core finds wrong with the page as it is now, one sentence or more for each element.

    All rules, shadow roots included. It comes in through the debugger, so a
    page's own policy may be as strict as it likes.
    """
    # Nothing is to be caught in mid-fade: half a colour has half a contrast.
    page.evaluate(
        "Promise.allSettled(document.getAnimations().filter("
        "one => one.effect.getComputedTiming().endTime !== Infinity).map(one => one.finished))"
    )
    if not page.evaluate("'axe' in window"):
        page.evaluate(SOURCE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [_told(rule, node) for rule in found["violations"] for node in rule["nodes"]]


def _told(rule: dict[str, Any], node: dict[str, Any]) -> str:
    # A target inside shadow roots is a list of selectors, from the outside in.
    where = " ".join(" >>> ".join(one) if isinstance(one, list) else one for one in node["target"])
    why = re.sub(r"\s+", " ", node["failureSummary"])
    return f"{rule['id']} ({rule['impact']}): {rule['help']}\n  {where}\n  {node['html']}\n  {why}"
