"""The console in the oldest browsers that it is for: what they lack is not used.

Safari 16.4, Firefox ESR 115, Chromium 109. None of them is tried, so this holds sheets and scripts
to what all three know: whoever uses something new looks up who has it, and adds it here.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from testkit.server import ROOT

CONSOLE = ROOT / "blueprints" / "console" / "static"
KIT = ROOT / "blueprints" / "kit" / "static"
SHEETS = sorted(CONSOLE.glob("*.css"))
SCRIPTS = sorted(
    path for folder in (CONSOLE, KIT) for path in folder.rglob("*.js") if "vendor" not in path.parts
)

#: in all three for years
FUNCTIONS = {
    "calc", "cubic-bezier", "format", "inset", "linear-gradient", "max", "min", "minmax",
    "not", "nth-child", "radial-gradient", "repeat", "rgb", "rotate", "scale", "translate",
    "translateX", "translateY", "url", "var",
}  # fmt: skip
PSEUDO = {
    "active", "after", "backdrop", "before", "checked", "disabled", "empty", "first-child",
    "first-of-type", "focus", "focus-visible", "hover", "last-child", "not", "nth-child",
    "placeholder", "root",
}  # fmt: skip
RULES = {"media", "keyframes", "supports"}
MEDIA = {
    "min-width", "max-width", "prefers-color-scheme", "prefers-reduced-motion", "forced-colors",
    "hover", "pointer",
    "scripting",  # Safari 17, Chromium 120: without it, one sentence more where scripts are off
}  # fmt: skip
#: properties that one of them lacks
LACKING = {
    "field-sizing": "Safari, Firefox; Chromium 123",
    "text-wrap": "Safari 17.5, Firefox 121, Chromium 114",
    "text-wrap-mode": "Safari 17.4, Firefox 124, Chromium 130",
    "anchor-name": "Firefox 147, Chromium 125",
    "animation-timeline": "Chromium 115",
    "interpolate-size": "Chromium 129",
    "scrollbar-color": "Safari 18.2, Chromium 121",
    "scrollbar-width": "Safari 18.2, Chromium 121",
    "transition-behavior": "Safari 17.4, Firefox 129, Chromium 117",
    "view-transition-name": "Safari 18, Chromium 111",
}
#: … and what of the language and of the browser's own objects
NEW = [
    r"Array\.fromAsync", r"Promise\.(?:try|withResolvers)", r"(?:Object|Map)\.groupBy",
    r"\.(?:toSorted|toReversed|toSpliced|isWellFormed|toWellFormed|checkVisibility|setHTML)\(",
    r"\bURL\.(?:canParse|parse)\(", r"AbortSignal\.any\(", r"\.(?:union|intersection|difference)\(",
    r"/[a-z]*v[a-z]*\.(?:test|exec)", r"\bwith \{ type", r"\bIterator\b",
    r"\bIntl\.(?:Segmenter|DurationFormat)\b",
    r"\.(?:showPopover|moveBefore|startViewTransition)\(",
    r"\bnavigation\.", r"\bscheduler\.", r"\busing \w+ =", r"RegExp\.escape",
]  # fmt: skip


def code(path: Path) -> str:
    return re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)


EACH_SHEET = pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.name)


@EACH_SHEET
def test_every_function_and_selector_is_known_to_the_oldest(sheet: Path):
    text = code(sheet)
    assert set(re.findall(r"([a-zA-Z-]+)\(", text)) - {"and", "or"} <= FUNCTIONS
    selectors = " ".join(re.findall(r"([^{};]+)\{", text))
    names = re.sub(r"@media[^{]*", "", " ".join(re.findall(r"([^{};]+)\{", text)))
    assert set(re.findall(r"::?([a-z-]+)", names)) <= PSEUDO, selectors
    assert "&" not in selectors  # nesting


@EACH_SHEET
def test_every_rule_and_property_is_known_to_the_oldest(sheet: Path):
    text = code(sheet)
    assert set(re.findall(r"@([a-z-]+)", text)) <= RULES
    asked = " ".join(re.findall(r"@media([^{]+)\{", text))
    assert set(re.findall(r"\(([a-z-]+)", asked)) <= MEDIA
    assert "<" not in asked
    used = set(re.findall(r"^\s*([a-z-]+):", text, re.MULTILINE))
    assert not used & LACKING.keys()


@EACH_SHEET
def test_selections_differ_without_colours(sheet: Path):
    """Where the page's own colours are taken away, whatever is chosen has a line of its own."""
    text = code(sheet)
    forced = "".join(re.findall(r"@media \(forced-colors: active\) \{(.*?)\n\}", text, re.DOTALL))
    usual = re.sub(r"@media \(forced-colors: active\) \{.*?\n\}", "", text, flags=re.DOTALL)
    states = r"[^\n{},]*\[aria-(?:selected|current|pressed)=\"true\"\]"
    for chosen in re.findall(states, usual):
        more = ".ready" in chosen or "aria-busy" in chosen  # more looks of what is chosen already
        assert more or chosen.strip() in forced, chosen


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_script_is_known_to_the_oldest(script: Path):
    text = re.sub(r"^\s*(?:/?\*|//).*$", "", script.read_text(), flags=re.MULTILINE)
    for new in NEW:
        found = re.search(new, text)
        assert not found, found
