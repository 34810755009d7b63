"""What a visitor's browser has to load, packed as it travels."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from blueprints.kit import pages as kit
from blueprints.kit.assets import asset
from blueprints.kit.lean import lean
from blueprints.widget import pages as widget

#: of what address which folder is given out
FOLDERS = {"widget": widget.STATIC, "kit": kit.STATIC}

LAUNCHER = 6 * 1024  # bytes, before anybody has asked for anything
PANEL = 24 * 1024  # bytes, when the panel is opened
AROUND = 4 * 1024  # bytes that come with the panel, or when the page changes before
CATALOGUE = 2048  # bytes of one language

LOCALES = sorted((widget.STATIC / "locales").glob("*.json"))


def read(name: str) -> tuple[bytes, bytes]:
    folder, _, path = name.partition("/")
    return asset(FOLDERS[folder], path)


def size(name: str) -> int:
    return len(read(name)[1])


def test_the_launcher():
    assert size("widget/widget.js") <= LAUNCHER


def test_the_panel():
    sent = read("widget/panel.js")[0].decode()
    assert "class Panel" in sent
    assert "class ChatClient" in sent
    assert not re.search(r"^(?:import|export) .*\bfrom\b", sent, re.MULTILINE), "all is in it"
    assert size("widget/panel.js") + size("widget/panel.css") <= PANEL


def test_what_keeps_page_and_panel_apart():
    assert size("widget/page.js") <= AROUND


@pytest.mark.parametrize("path", LOCALES, ids=lambda path: path.stem)
def test_a_catalogue(path: Path):
    assert size(f"widget/locales/{path.name}") <= CATALOGUE


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
