"""What a visitor's browser has to load, packed as it travels."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from blueprints.widget.assets import STATIC, asset, lean

LAUNCHER = 5 * 1024  # bytes, before anybody has asked for anything
PANEL = 20 * 1024  # bytes, when the panel is opened
CATALOGUE = 1536  # bytes of one language

LOCALES = sorted((STATIC / "locales").glob("*.json"))


def size(name: str) -> int:
    return len(asset(name)[1])


def loaded_with(name: str) -> set[str]:
    """The module *name* and all that it imports before it runs."""
    text = asset(name)[0].decode()
    found = {name}
    for other in re.findall(r'^import .* from "\./(.+)";$', text, re.MULTILINE):
        found |= loaded_with(other)
    return found


def test_the_launcher():
    assert size("widget.js") <= LAUNCHER


def test_the_panel():
    modules = loaded_with("panel.js")
    assert {"csapp-client.js", "log.js"} <= modules
    assert sum(map(size, modules)) + size("panel.css") <= PANEL


@pytest.mark.parametrize("path", LOCALES, ids=lambda path: path.stem)
def test_a_catalogue(path: Path):
    assert size(f"locales/{path.name}") <= CATALOGUE


@pytest.mark.parametrize("path", LOCALES, ids=lambda path: path.stem)
def test_every_catalogue_says_the_same_as_the_english_one(path: Path):
    english = json.loads((STATIC / "locales" / "en.json").read_text())
    theirs = json.loads(path.read_text())
    assert list(theirs) == list(english)

    def filled(text: str | dict[str, str]) -> set[str]:
        return set(re.findall(r"\{\w+\}", text if isinstance(text, str) else text["other"]))

    for key, text in english.items():
        assert filled(theirs[key]) == filled(text), key


def test_every_text_is_in_the_catalogue_and_nothing_else_is():
    english = json.loads((STATIC / "locales" / "en.json").read_text())
    code = "".join(asset(f"{name}.js")[0].decode() for name in ("widget", "panel", "visit", "log"))
    for key in english:
        assert re.search(rf'[".]{key}\b', code), f"{key} is never said"
    for key in re.findall(r'(?:\bt|#t)\(\s*"(\w+)"', code):
        assert key in english, f"there is no text {key}"


def test_the_launcher_knows_its_languages():
    known = re.search(r"LOCALES = (\[.*?\]);", asset("widget.js")[0].decode())
    assert known
    assert json.loads(known[1]) == [path.stem for path in LOCALES]


def test_lean_leaves_code_alone():
    written = """
    /**
     * What it is for.
     */
    const url = "http://host/*";  // behind
    // alone
    const odd = "it's // no comment"; /* but this stays: it might be a string */
      return x / y; /* behind, too */
    """
    assert lean(written).splitlines() == [
        'const url = "http://host/*";',
        'const odd = "it\'s // no comment"; /* but this stays: it might be a string */',
        "return x / y;",
    ]
