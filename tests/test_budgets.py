"""What a visitor's browser has to load, packed as it travels."""

from __future__ import annotations

import posixpath
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
PANEL = 34 * 1024  # bytes, all that the first click brings
AROUND = 4 * 1024  # bytes, when the page changes before the first click
CATALOGUE = 2048  # bytes of one language, and as many of its texts that are loaded later

LOCALES = sorted((widget.STATIC / "locales").rglob("*.json"))


def read(name: str) -> tuple[bytes, bytes]:
    folder, _, path = name.partition("/")
    return asset(FOLDERS[folder], path)


def size(name: str) -> int:
    return len(read(name)[1])


def test_the_launcher():
    assert size("widget/widget.js") <= LAUNCHER


def first_click() -> set[str]:
    """What the launcher asks for then, and whatever that imports before it runs.

    `test_the_first_click_is_as_small_as_we_say` (tests/browser) sees the same of a real browser.
    """
    launcher = (widget.STATIC / "launcher.js").read_text()
    fetch = re.search(r"^  async #fetch\(\) \{$(.*?)^  \}$", launcher, re.MULTILINE | re.DOTALL)
    assert fetch
    assert "#look()" not in fetch[1], "what looks after the page is in the panel"
    wanted = [f"widget/{path}" for path in re.findall(r'pieces\.\w+\("(.+?)"', fetch[1])]
    found: set[str] = set()
    while wanted:
        name = wanted.pop()
        found.add(name)
        sent = read(name)[0].decode()
        imports = re.findall(r'^(?:import|export) .*"(\..+?)"', sent, re.MULTILINE)
        known = [posixpath.normpath(f"{posixpath.dirname(name)}/{path}") for path in imports]
        wanted += [one for one in known if one not in found]
    return found


def test_the_first_click():
    sent = read("widget/panel.js")[0].decode()
    assert {"Panel", "BaseClient", "Page"} <= set(re.findall(r"\bclass (\w+)", sent))
    assert {"widget/panel.js", "widget/panel.css"} <= first_click()
    assert sum(map(size, first_click())) <= PANEL


def test_what_looks_after_the_page():
    assert size("widget/page.js") <= AROUND


@pytest.mark.parametrize("path", LOCALES, ids=lambda path: "-".join(path.parts[-2:]))
def test_a_catalogue(path: Path):
    assert size(f"widget/{path.relative_to(widget.STATIC)}") <= CATALOGUE


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
